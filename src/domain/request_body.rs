//! The body of a request that hands a message to a mail provider: a template that gives
//! JSON, since every provider wants another shape. It is tried out when it is read, so that
//! what it lacks is said with its line and not found with the first message.

use minijinja::value::{Kwargs, Serde};
use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value};
use serde::Serialize;

/// A shape that several providers take as it is.
const USUAL: &str = r#"{
  "from": {{ from.mailbox | tojson }},
  "to": [{{ to.mailbox | tojson }}],
  {% if reply_to %}"reply_to": {{ reply_to.mailbox | tojson }},{% endif %}
  "subject": {{ subject | tojson }},
  "text": {{ text | tojson }},
  "html": {{ html | tojson }},
  "headers": {{ headers | tojson }}
}"#;

/// A template that gives JSON for any message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestBody(String);

/// What a template can use.
#[derive(Serialize)]
pub struct Fields<'a> {
    pub from: Party<'a>,
    pub to: Party<'a>,
    pub reply_to: Option<Party<'a>>,
    pub subject: &'a str,
    pub text: &'a str,
    pub html: &'a str,
    /// Message-ID, Auto-Submitted and List-Id.
    pub headers: serde_json::Map<String, serde_json::Value>,
    pub message_id: &'a str,
    /// The same for every attempt at one prompt.
    pub idempotency_key: &'a str,
}

/// A person, in parts and as a header would say it.
#[derive(Serialize)]
pub struct Party<'a> {
    pub name: Option<&'a str>,
    pub address: String,
    pub mailbox: String,
}

/// Why a template gives no request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    #[error("line {line} of the template: {reason}")]
    Template { line: usize, reason: String },
    #[error("the template gives no JSON object: {0}")]
    NoJson(String),
    #[error("the template leaves out the recipient")]
    NoRecipient,
}

impl BodyError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Template { .. } => {
                "the names are from, to, reply_to, subject, text, html, headers, message_id and \
                 idempotency_key; from, to and reply_to have name, address and mailbox"
            }
            Self::NoJson(_) => {
                "write each value as `{{ subject | tojson }}`, without quotes around it, and \
                 look at the commas"
            }
            Self::NoRecipient => "write `{{ to.address | tojson }}` where the provider wants it",
        }
    }
}

impl Default for RequestBody {
    fn default() -> Self {
        Self(USUAL.to_owned())
    }
}

impl RequestBody {
    /// Reads a template, and tries it with values that are hard on JSON.
    ///
    /// # Errors
    /// When it gives none, or no request for the recipient.
    pub fn parse(template: &str) -> Result<Self, BodyError> {
        const SHOWN: &str = "recipient@sample.example";
        let body = Self(template.to_owned());
        let odd = "\"quotes\" \\ and\nlines, \u{1f9fe} <b>&amp;</b>";
        let party = |address: &str| Party {
            name: Some(odd),
            address: address.to_owned(),
            mailbox: format!("Sample <{address}>"),
        };
        for (reply_to, name) in [(Some(party("reply@sample.example")), Some(odd)), (None, None)] {
            let rendered = body.render(&Fields {
                from: Party { name, ..party("sender@sample.example") },
                to: Party { name, ..party(SHOWN) },
                reply_to,
                subject: odd,
                text: odd,
                html: odd,
                headers: [("Message-ID".to_owned(), odd.into())].into_iter().collect(),
                message_id: odd,
                idempotency_key: odd,
            })?;
            if !rendered.contains(SHOWN) {
                return Err(BodyError::NoRecipient);
            }
        }
        Ok(body)
    }

    /// The request for a message.
    ///
    /// # Errors
    /// When the template gives no JSON for this one.
    pub fn render(&self, fields: &Fields<'_>) -> Result<String, BodyError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.add_filter("tojson", tojson);
        let failed = |error: minijinja::Error| BodyError::Template {
            line: error.line().unwrap_or(1),
            reason: error.detail().map_or_else(|| error.kind().to_string(), str::to_owned),
        };
        let template = environment.template_from_str(&self.0).map_err(failed)?;
        let rendered = template.render(Value::from(Serde(fields))).map_err(failed)?;
        // The error names a place, never what stands there.
        let no_json = |error: serde_json::Error| BodyError::NoJson(error.to_string());
        serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&rendered)
            .map_err(no_json)?;
        Ok(rendered)
    }
}

fn tojson(value: &Value, options: Kwargs) -> Result<Value, minijinja::Error> {
    options.assert_all_used()?;
    if value.is_undefined() {
        return Err(ErrorKind::UndefinedError.into());
    }
    let failed =
        |error| minijinja::Error::new(ErrorKind::BadSerialization, "no JSON").with_source(error);
    serde_json::to_string(value).map(Value::from_safe_string).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_shape_is_json() {
        assert_eq!(RequestBody::parse(USUAL), Ok(RequestBody::default()));
    }

    #[test]
    fn a_template_that_cannot_work_is_refused_with_its_line() {
        let line = |text: &str| match RequestBody::parse(text) {
            Err(BodyError::Template { line, .. }) => line,
            other => panic!("{other:?}"),
        };
        assert_eq!(line("{\n\"to\": {{ recipient | tojson }}}"), 2);
        assert_eq!(line("{\n\n\"to\": {{ to.address | tojsn }}}"), 3);
        assert_eq!(line("{\"to\": {{ to.address | tojson }"), 1);
        assert_eq!(line("{\"to\": {{ to.adress | tojson }}}"), 1);
        let no_json = RequestBody::parse("{\"to\": \"{{ to.name }}\"}").unwrap_err();
        assert!(matches!(&no_json, BodyError::NoJson(reason) if reason.contains("line 1")));
        assert!(matches!(RequestBody::parse("[]"), Err(BodyError::NoJson(_))));
        assert!(matches!(RequestBody::parse(""), Err(BodyError::NoJson(_))));
        let nobody = RequestBody::parse("{\"subject\": {{ subject | tojson }}}");
        assert_eq!(nobody, Err(BodyError::NoRecipient));
    }

    #[test]
    fn a_template_has_to_do_without_an_address_for_answers() {
        let text = "{\"to\": {{ to.address | tojson }}, \"r\": {{ reply_to.address | tojson }}}";
        assert!(matches!(RequestBody::parse(text), Err(BodyError::Template { .. })));
    }
}
