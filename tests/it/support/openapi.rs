//! Xero's own description of its identity service, as a judge: is this request one that it
//! describes, and this body one that it allows?

use serde_yaml_ng::Value;
use worker::simulation::xero::http::{Request, Response};

const FILE: &str = include_str!("../openapi/xero-identity.yaml");

/// Headers of HTTP itself, which no description lists.
const COMMON_HEADERS: [&str; 6] =
    ["accept", "authorization", "content-length", "content-type", "host", "user-agent"];

pub struct Description(Value);

impl Default for Description {
    /// # Panics
    /// The file is no YAML.
    fn default() -> Self {
        Self(serde_yaml_ng::from_str(FILE).expect("YAML"))
    }
}

/// A call that the file describes.
#[derive(Clone, Copy)]
pub enum Described<'a> {
    Operation(&'a Value),
    /// The token endpoint is described by its address and its answer only.
    Token,
}

impl Description {
    /// The operation that a request is.
    ///
    /// # Errors
    /// Why it is none.
    pub fn request(&self, request: &Request) -> Result<Described<'_>, String> {
        let (address, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        if let Some(header) =
            request.headers.keys().find(|name| !COMMON_HEADERS.contains(&name.as_str()))
        {
            return Err(format!("the header {header} is not described"));
        }
        let authorization = request.headers.get("authorization").map_or("", String::as_str);
        if self.token_url().is_some_and(|url| url.path() == address) {
            let is_one = request.method == "POST" && authorization.starts_with("Basic ");
            return if is_one { Ok(Described::Token) } else { Err("no token request".to_owned()) };
        }
        let paths = self.0["paths"].as_mapping().ok_or("no paths")?;
        for (template, operations) in paths {
            let Some(values) = template.as_str().and_then(|it| fits(it, address)) else { continue };
            let operation = &operations[request.method.to_lowercase()];
            if operation.is_null() {
                return Err(format!("{} {address} is not described", request.method));
            }
            if !operation["security"].is_null() && !authorization.starts_with("Bearer ") {
                return Err("it has no token".to_owned());
            }
            for (name, value) in &values {
                self.parameter(operation, "path", name, value)?;
            }
            for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
                self.parameter(operation, "query", &name, &value)?;
            }
            return Ok(Described::Operation(operation));
        }
        Err(format!("{address} is not described"))
    }

    /// Whether the file allows a response to a call.
    ///
    /// # Errors
    /// What it does not allow.
    pub fn response(&self, call: Described<'_>, response: &Response) -> Result<(), String> {
        let schema = match call {
            Described::Token => &self.0["components"]["schemas"]["AccessToken"],
            Described::Operation(operation) => {
                let described = &operation["responses"][response.status.to_string().as_str()];
                if described.is_null() {
                    return Err(format!("status {} is not described", response.status));
                }
                &described["content"]["application/json"]["schema"]
            }
        };
        if schema.is_null() {
            return Ok(());
        }
        let body: serde_json::Value =
            serde_json::from_slice(&response.body).map_err(|error| error.to_string())?;
        self.conforms(&body, schema, "the body")
    }

    /// The answers that the file describes for an operation, with its own example where it
    /// has one.
    pub fn answers<'a>(&self, operation: &'a Value) -> impl Iterator<Item = (u16, &'a str)> {
        let responses = operation["responses"].as_mapping().into_iter().flatten();
        responses.filter_map(|(status, described)| {
            let example = &described["content"]["application/json"]["example"];
            Some((status.as_str()?.parse().ok()?, example.as_str().unwrap_or_default()))
        })
    }

    /// The names of a schema's properties.
    pub fn properties(&self, schema: &str) -> Vec<String> {
        let properties = &self.0["components"]["schemas"][schema]["properties"];
        let names = properties.as_mapping().into_iter().flatten();
        names.filter_map(|(name, _)| name.as_str().map(str::to_owned)).collect()
    }

    fn token_url(&self) -> Option<url::Url> {
        let flows = &self.0["components"]["securitySchemes"]["OAuth2"]["flows"];
        flows["authorizationCode"]["tokenUrl"].as_str()?.parse().ok()
    }

    fn parameter(
        &self,
        operation: &Value,
        place: &str,
        name: &str,
        value: &str,
    ) -> Result<(), String> {
        let parameters = operation["parameters"].as_sequence().into_iter().flatten();
        let mut described =
            parameters.filter(|it| it["in"].as_str() == Some(place) && it["name"] == name);
        let described = described.next().ok_or(format!("the {place} has no {name}"))?;
        self.conforms(&serde_json::json!(value), &described["schema"], name)
    }

    fn conforms(
        &self,
        value: &serde_json::Value,
        schema: &Value,
        place: &str,
    ) -> Result<(), String> {
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.rsplit('/').next().unwrap_or_default();
            return self.conforms(value, &self.0["components"]["schemas"][name], place);
        }
        let wrong = |what: &str| Err(format!("{place} is no {what}: {value}"));
        let kind = schema["type"].as_str().unwrap_or("object");
        match (kind, value) {
            ("array", serde_json::Value::Array(entries)) => {
                entries.iter().try_for_each(|entry| self.conforms(entry, &schema["items"], place))
            }
            ("object", serde_json::Value::Object(fields)) => {
                fields.iter().try_for_each(|(name, value)| {
                    match &schema["properties"][name.as_str()] {
                        Value::Null => Ok(()),
                        schema => self.conforms(value, schema, name),
                    }
                })
            }
            ("integer", serde_json::Value::Number(number)) if number.is_i64() => Ok(()),
            ("string", serde_json::Value::String(text)) => match schema["format"].as_str() {
                Some("uuid") if uuid::Uuid::parse_str(text).is_err() => wrong("UUID"),
                // Its own example has no zone.
                Some("date-time") if text.parse::<chrono::NaiveDateTime>().is_err() => {
                    wrong("date")
                }
                _ => Ok(()),
            },
            (kind, _) => wrong(kind),
        }
    }
}

/// The values of a template's parameters, if an address is of its form. The file writes
/// `/Connections`; Xero's documentation, and everybody's code, `/connections`.
fn fits<'a>(template: &'a str, address: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
    let (mut steps, mut given) = (template.split('/'), address.split('/'));
    let mut values = Vec::new();
    loop {
        match (steps.next(), given.next()) {
            (None, None) => return Some(values),
            (Some(step), Some(value)) => {
                match step.strip_prefix('{').and_then(|step| step.strip_suffix('}')) {
                    Some(name) => values.push((name, value)),
                    None if step.eq_ignore_ascii_case(value) => {}
                    None => return None,
                }
            }
            _ => return None,
        }
    }
}
