//! What an HTTP answer of Xero's means, and whether consenting again helps
//! (docs/xero.md, "Errors"). Status and headers decide first, then `Detail`.

mod meaning;
mod reading;

use serde::Serialize;

use super::advice::{Call, Line, Need};
use super::scopes::Scope;

pub use meaning::{Helper, Meaning};
pub use reading::Observation;

/// An answer as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpAnswer {
    /// `GET https://api.xero.com/api.xro/2.0/Journals`
    pub request: Option<String>,
    pub status: Option<u16>,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    pub meaning: Meaning,
    /// Whether the user consenting again helps.
    pub reauthorise: bool,
    pub helper: Helper,
    pub text: String,
    pub remedy: String,
    /// Of which the call needs one, where the request is known.
    pub needs_one_of: Vec<&'static str>,
    /// Seconds to wait, where Xero says so.
    pub retry_after: Option<u64>,
    /// What Xero's support asks for.
    pub correlation_id: Option<String>,
}

impl HttpAnswer {
    fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let (_, value) = headers.find(|(known, _)| known.trim().eq_ignore_ascii_case(name))?;
        Some(value.trim())
    }

    /// A field of the body, whatever its capitals, without regard to where in it.
    fn field(&self, name: &str) -> Option<String> {
        let body: serde_json::Value = serde_json::from_str(self.body.trim()).ok()?;
        let (_, value) =
            body.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        match value {
            serde_json::Value::String(text) => Some(text.clone()),
            serde_json::Value::Null => None,
            other => Some(other.to_string()),
        }
    }

    /// Of the answer itself, else what its body says.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.status.or_else(|| self.field("status")?.parse().ok())
    }

    /// A field that says what went wrong, or where the body is no JSON, words of it.
    fn says(&self, name: &str, word: &str) -> bool {
        let text = self.field(name).unwrap_or_else(|| self.body.clone());
        text.to_ascii_lowercase().contains(&word.to_ascii_lowercase())
    }

    fn call(&self) -> Option<Call> {
        match Call::read(self.request.as_deref()?) {
            Line::Call(call) => Some(call),
            Line::Nothing | Line::Unread(_) => None,
        }
    }

    /// The spelling `insufficent_scope` is on some of Xero's own pages.
    fn lacks_scope(&self) -> bool {
        let misses = |text: &str| {
            let text = text.to_ascii_lowercase();
            text.contains("insufficient_scope") || text.contains("insufficent_scope")
        };
        self.header("www-authenticate").is_some_and(misses)
            || misses(&self.body)
            || self.says("detail", "AuthorizationUnsuccessful")
    }

    fn meaning(&self) -> Meaning {
        let Some(status) = self.status() else { return self.meaning_of_words() };
        match status {
            200..=299 => Meaning::Fine,
            401 if self.lacks_scope() && self.is_journals() => Meaning::JournalsTier,
            401 if self.lacks_scope() => Meaning::MissingScope,
            401 if self.says("detail", "TokenExpired") => Meaning::TokenExpired,
            401 => match self.meaning_of_words() {
                Meaning::Unknown => Meaning::TokenRefused,
                said => said,
            },
            // Some pages give 403 for a missing scope; the header decides.
            403 if self.header("www-authenticate").is_some() && self.lacks_scope() => {
                Meaning::MissingScope
            }
            403 if self.says("detail", "AuthenticationUnsuccessful") => Meaning::NotConnected,
            403 => Meaning::Forbidden,
            429 => Meaning::Limit,
            500..=599 => Meaning::Outage,
            _ => self.meaning_of_words(),
        }
    }

    /// OAuth's own words, as the token endpoint and a callback use them.
    fn meaning_of_words(&self) -> Meaning {
        let text = self.field("error").unwrap_or_else(|| self.body.clone());
        let text = text.to_ascii_lowercase();
        let says = |word: &str| text.contains(word);
        if says("invalid_grant") {
            Meaning::RefreshTokenDead
        } else if says("invalid_client") || says("unauthorized_client") {
            Meaning::Credentials
        } else if says("invalid_scope") {
            Meaning::ScopeRefused
        } else if says("access_denied") {
            Meaning::ConsentRefused
        } else if self.lacks_scope() {
            if self.is_journals() { Meaning::JournalsTier } else { Meaning::MissingScope }
        } else if says("tokenexpired") {
            Meaning::TokenExpired
        } else {
            Meaning::Unknown
        }
    }

    fn is_journals(&self) -> bool {
        self.call().is_some_and(|call| call.path.starts_with("api.xro/2.0/Journals"))
    }

    /// What it means and what helps.
    #[must_use]
    pub fn diagnose(&self) -> Diagnosis {
        let meaning = self.meaning();
        let needs_one_of = match (meaning, self.call().map(|call| Need::of(&call))) {
            (Meaning::MissingScope | Meaning::JournalsTier, Some(Need::OneOf(scopes))) => {
                scopes.iter().map(Scope::name).collect()
            }
            _ => Vec::new(),
        };
        let (text, remedy) = self.words(meaning, &needs_one_of);
        Diagnosis {
            meaning,
            reauthorise: matches!(
                meaning,
                Meaning::MissingScope | Meaning::RefreshTokenDead | Meaning::ConsentRefused
            ),
            helper: meaning.helper(),
            text,
            remedy,
            needs_one_of,
            retry_after: self.header("retry-after").and_then(|seconds| seconds.parse().ok()),
            correlation_id: self.header("xero-correlation-id").map(str::to_owned),
        }
    }

    fn words(&self, meaning: Meaning, needs_one_of: &[&str]) -> (String, String) {
        let (text, remedy) = match meaning {
            Meaning::Fine => ("the call went through", "nothing"),
            Meaning::MissingScope if needs_one_of.is_empty() => (
                "the grant lacks a scope that the call needs",
                "let the user consent again, with that scope in the link; unless the call was to Journals, \
                 where the app's tier decides and no consent helps",
            ),
            Meaning::MissingScope => {
                let text =
                    format!("the grant lacks what the call needs: {}", needs_one_of.join(" or "));
                return (
                    text,
                    "let the user consent again, with that scope in the link".to_owned(),
                );
            }
            Meaning::JournalsTier => (
                "the app's tier has no Journals, or the grant lacks accounting.journals.read",
                "consenting again does not help where the tier lacks Journals: it takes the Advanced tier, a security \
                 assessment and an approved use case. Manual journals need none of that",
            ),
            Meaning::TokenExpired => (
                "the access token has expired, as it does after 30 minutes",
                "the product refreshes it; the consent stands",
            ),
            Meaning::TokenRefused => (
                "Xero does not take the access token",
                "refresh it once. If the new one is refused too, look for the connection in Xero's list",
            ),
            Meaning::NotConnected => (
                "the tenant is not connected any more, or the id is not a connection's",
                "look it up in the list of connections: where it is missing, the user has to connect it again",
            ),
            Meaning::Forbidden => (
                "Xero refuses the call, for another reason than a missing scope",
                "the body tells more: what the user may do in this organisation, its plan, or a closed period",
            ),
            Meaning::RefreshTokenDead => (
                "the refresh token is dead: used twice, unused for 60 days, or the user has ended the connection; \
                 for a code, that it is older than 5 minutes",
                "let the user connect again",
            ),
            Meaning::Credentials => (
                "Xero does not take the app's credentials, or the app may not use this kind of grant",
                "compare client id and secret with developer.xero.com. PKCE apps and custom connections have no \
                 client credentials for app.connections",
            ),
            Meaning::ScopeRefused => (
                "a scope was asked for that this app may not have, or that does not exist",
                "`worker scopes explain` tells which: the link fails for everybody until it is out",
            ),
            Meaning::ConsentRefused => (
                "the user has refused the consent",
                "ask again when the user is ready for it; nothing has changed",
            ),
            Meaning::Limit => {
                return (self.limit(), "wait; it says nothing about the consent".to_owned());
            }
            Meaning::Outage => ("Xero is down", "wait; it says nothing about the consent"),
            Meaning::Unknown => (
                "none of the answers that are known",
                "Xero's support asks for the Xero-Correlation-Id of the answer",
            ),
        };
        (text.to_owned(), remedy.to_owned())
    }

    /// Which limit. Compared as a part, in any case: its values are not published.
    fn limit(&self) -> String {
        let problem = self.header("x-rate-limit-problem").unwrap_or_default().to_ascii_lowercase();
        let of = [
            ("appminute", "10,000 calls a minute of the app"),
            ("concurrent", "5 calls at a time of the tenant"),
            ("day", "the tenant's calls a day (5,000, in the Starter tier 1,000)"),
            ("minute", "60 calls a minute of the tenant"),
        ];
        let limit = of.iter().find(|(word, _)| problem.contains(word)).map(|(_, limit)| *limit);
        match (limit, self.header("retry-after")) {
            (Some(limit), _) => format!("a limit was met: {limit}"),
            // Only the limits by minute and day say when to come back.
            (None, None) => {
                "a limit was met, most likely 5 calls at a time of the tenant".to_owned()
            }
            (None, Some(_)) => "a limit was met".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"Type":null,"Title":"Unauthorized","Status":401,"Detail":"DETAIL","Instance":"x","Extensions":{}}"#;

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> HttpAnswer {
        HttpAnswer {
            status: Some(status),
            headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            body: body.to_owned(),
            request: None,
        }
    }

    fn asked(request: &str, answer: HttpAnswer) -> HttpAnswer {
        HttpAnswer { request: Some(request.to_owned()), ..answer }
    }

    #[test]
    fn each_row_of_the_table_of_errors_is_told_with_what_helps() {
        // E53: broad scopes on new apps, as 400, 401 and 403.
        let detail = |detail: &str| BODY.replace("DETAIL", detail);
        let scope = [("WWW-Authenticate", "insufficient_scope")];
        let misspelt = [("www-authenticate", "Bearer error=\"insufficent_scope\"")];
        for (answer, meaning, reauthorise) in [
            (answer(401, &scope, ""), Meaning::MissingScope, true),
            (answer(401, &misspelt, "<html>"), Meaning::MissingScope, true),
            (answer(401, &[], &detail("AuthorizationUnsuccessful")), Meaning::MissingScope, true),
            (answer(403, &scope, ""), Meaning::MissingScope, true),
            (
                asked(
                    "GET https://api.xero.com/api.xro/2.0/Journals?offset=1",
                    answer(401, &scope, ""),
                ),
                Meaning::JournalsTier,
                false,
            ),
            (
                asked("GET /api.xro/2.0/ManualJournals", answer(401, &scope, "")),
                Meaning::MissingScope,
                true,
            ),
            (
                answer(401, &[], &detail("TokenExpired: token expired at 11")),
                Meaning::TokenExpired,
                false,
            ),
            (answer(401, &[], ""), Meaning::TokenRefused, false),
            (answer(403, &[], &detail("AuthenticationUnsuccessful")), Meaning::NotConnected, false),
            (answer(403, &[], ""), Meaning::Forbidden, false),
            (answer(400, &[], r#"{"error":"invalid_grant"}"#), Meaning::RefreshTokenDead, true),
            (answer(400, &[], r#"{"error":"invalid_client"}"#), Meaning::Credentials, false),
            (answer(401, &[], r#"{"error":"invalid_client"}"#), Meaning::Credentials, false),
            (answer(400, &[], "error=unauthorized_client"), Meaning::Credentials, false),
            (answer(400, &[], r#"{"error":"invalid_scope"}"#), Meaning::ScopeRefused, false),
            (answer(302, &[], "?error=access_denied"), Meaning::ConsentRefused, true),
            (answer(429, &[("Retry-After", "12")], ""), Meaning::Limit, false),
            (answer(503, &[], "<html>"), Meaning::Outage, false),
            (answer(200, &[], "[]"), Meaning::Fine, false),
            (answer(404, &[], ""), Meaning::Unknown, false),
        ] {
            let found = answer.diagnose();
            assert_eq!((found.meaning, found.reauthorise), (meaning, reauthorise), "{answer:?}");
            assert!(!found.text.is_empty() && !found.remedy.is_empty());
        }
    }

    #[test]
    fn a_body_alone_tells_its_status_in_either_spelling_of_its_keys() {
        let body = BODY.replace("DETAIL", "AuthorizationUnsuccessful");
        for body in [body.clone(), body.replace("Status", "status").replace("Detail", "detail")] {
            let alone = HttpAnswer { body, ..HttpAnswer::default() };
            assert_eq!(alone.diagnose().meaning, Meaning::MissingScope);
        }
        let nothing = HttpAnswer::default().diagnose();
        assert_eq!(nothing.meaning, Meaning::Unknown);
    }

    #[test]
    fn the_scope_that_the_call_needs_is_named() {
        let scope = [("WWW-Authenticate", "insufficient_scope"), ("Xero-Correlation-Id", "abc")];
        let found = asked("POST /api.xro/2.0/Invoices", answer(401, &scope, "")).diagnose();
        assert_eq!(found.needs_one_of, ["accounting.invoices"]);
        assert!(found.text.ends_with("accounting.invoices"), "{}", found.text);
        assert_eq!(found.correlation_id.as_deref(), Some("abc"));
    }

    #[test]
    fn a_limit_is_named_by_a_part_of_its_header() {
        for (headers, words) in [
            (&[("X-Rate-Limit-Problem", "AppMinute"), ("Retry-After", "3")][..], "of the app"),
            (&[("x-rate-limit-problem", "DAY")], "a day"),
            (&[("X-Rate-Limit-Problem", "minute limit")], "60 calls"),
            (&[], "5 calls at a time"),
            (&[("Retry-After", "3")], "a limit was met"),
        ] {
            let found = answer(429, headers, "").diagnose();
            assert!(found.text.contains(words), "{}", found.text);
        }
        assert_eq!(answer(429, &[("Retry-After", "3")], "").diagnose().retry_after, Some(3));
    }
}
