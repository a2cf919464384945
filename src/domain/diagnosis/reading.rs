//! Answers as people have them: what `curl -i` or a debugger prints, a body alone, or a line
//! of a log in JSON.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::HttpAnswer;

/// An answer with where and when it was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    pub answer: HttpAnswer,
    /// Ids that may tell whose grant it was, the most telling first: of the connection, the
    /// person, the tenant.
    pub ids: Vec<String>,
    pub at: Option<DateTime<Utc>>,
}

impl HttpAnswer {
    /// Reads a whole answer, with or without what was asked (`> GET …`, as `curl -v` prints
    /// it), or a body alone.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut answer = Self::default();
        let mut body = Vec::new();
        let mut in_body = false;
        let mut host = None;
        for line in text.trim_start_matches(['\u{feff}', '\n', '\r']).lines() {
            if let Some(sent) = line.strip_prefix("> ") {
                if let Some((_, name)) =
                    header(sent).filter(|(name, _)| name.eq_ignore_ascii_case("host"))
                {
                    host = Some(name);
                } else if answer.request.is_none() && sent.contains(" HTTP/") {
                    answer.request =
                        sent.rsplit_once(" HTTP/").map(|(request, _)| request.to_owned());
                }
                continue;
            }
            if line.starts_with("* ") || line == ">" {
                continue;
            }
            let received = line.strip_prefix("< ").unwrap_or(line);
            if let Some(status) = status_line(received) {
                // The last one counts: a redirect or a proxy may have answered before.
                answer.status = Some(status);
                answer.headers.clear();
                body.clear();
                in_body = false;
            } else if in_body || answer.status.is_none() {
                body.push(line);
            } else if received.trim().is_empty() || received == "<" {
                in_body = true;
            } else if let Some(header) = header(received) {
                answer.headers.push(header);
            } else {
                in_body = true;
                body.push(line);
            }
        }
        if let (Some(host), Some(request)) = (host, &mut answer.request) {
            *request = request.replacen(" /", &format!(" https://{host}/"), 1);
        }
        answer.body = body.join("\n");
        answer
    }
}

/// `HTTP/1.1 401 Unauthorized`
fn status_line(line: &str) -> Option<u16> {
    let rest = line.trim().strip_prefix("HTTP/")?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

fn header(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(':')?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
    (!name.is_empty() && name.chars().all(is_name))
        .then(|| (name.to_owned(), value.trim().to_owned()))
}

impl Observation {
    /// Reads a line of a log: an object with a `status`, whatever else is in it. `None` for
    /// anything else, a body of Xero's too.
    #[must_use]
    pub fn read(line: &str) -> Option<Self> {
        let Ok(Value::Object(line)) = serde_json::from_str(line.trim()) else { return None };
        // A body of Xero's has a status of its own, and says what went wrong beside it.
        if ["detail", "title"].iter().any(|name| text(&line, &[name]).is_some()) {
            return None;
        }
        let status = text(&line, &["status", "status_code", "http_status"])?.parse().ok()?;
        let headers = field(&line, &["headers", "response_headers"]).and_then(Value::as_object);
        let headers = headers.into_iter().flatten().map(|(name, value)| {
            let first = value.as_array().and_then(|values| values.first()).unwrap_or(value);
            (name.clone(), plain(first))
        });
        let address = text(&line, &["url", "uri", "path", "request"]);
        let request = address.map(|address| match text(&line, &["method", "http_method"]) {
            Some(method) => format!("{} {address}", method.to_ascii_uppercase()),
            None => address,
        });
        let ids = [
            &["connection_id", "connection"][..],
            &["xero_user_id", "user_id"],
            &["tenant_id", "xero_tenant_id", "xero-tenant-id"],
        ];
        Some(Self {
            answer: HttpAnswer {
                request,
                status: Some(status),
                headers: headers.collect(),
                body: text(&line, &["body", "response_body", "response"]).unwrap_or_default(),
            },
            ids: ids.iter().filter_map(|names| text(&line, names)).collect(),
            at: text(&line, &["at", "time", "timestamp", "ts"])
                .and_then(|at| DateTime::parse_from_rfc3339(&at).ok())
                .map(|at| at.to_utc()),
        })
    }
}

fn field<'a>(line: &'a Map<String, Value>, names: &[&str]) -> Option<&'a Value> {
    names.iter().find_map(|name| {
        line.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    })
}

fn text(line: &Map<String, Value>, names: &[&str]) -> Option<String> {
    field(line, names).filter(|value| !value.is_null()).map(plain)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::super::Meaning;
    use super::*;

    #[test]
    fn what_curl_prints_is_read_with_its_request_and_the_last_answer_counts() {
        let text = "* Connected\n> GET /api.xro/2.0/Journals?offset=1 HTTP/2\n> Host: api.xero.com\n>\n\
            < HTTP/2 302\n< location: x\n<\nHTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: insufficient_scope\r\n\
            Xero-Correlation-Id: 1b\r\n\r\n{\"Status\":401,\"Detail\":\"AuthorizationUnsuccessful\"}\n";
        let answer = HttpAnswer::read(text);
        assert_eq!(answer.status, Some(401));
        assert_eq!(
            answer.request.as_deref(),
            Some("GET https://api.xero.com/api.xro/2.0/Journals?offset=1")
        );
        assert_eq!(answer.headers.len(), 2);
        assert!(answer.body.starts_with("{\"Status\"") && !answer.body.contains("location"));
        assert_eq!(answer.diagnose().meaning, Meaning::JournalsTier);
    }

    #[test]
    fn a_body_alone_is_a_body() {
        let answer = HttpAnswer::read("{\n  \"error\": \"invalid_grant\"\n}");
        assert_eq!((answer.status, answer.headers.len()), (None, 0));
        assert_eq!(answer.diagnose().meaning, Meaning::RefreshTokenDead);
        assert_eq!(HttpAnswer::read("").diagnose().meaning, Meaning::Unknown);
    }

    #[test]
    fn a_line_of_a_log_tells_whose_grant_it_was() {
        let line = r#"{"ts":"2026-11-20T10:00:00Z","Method":"post","url":"https://api.xero.com/api.xro/2.0/Invoices",
            "status":401,"headers":{"www-authenticate":["insufficient_scope"]},"body":{"Detail":"x"},
            "tenant_id":"T","connection_id":"C"}"#;
        let seen = Observation::read(line).unwrap();
        assert_eq!(seen.ids, ["C", "T"]);
        assert_eq!(seen.at.unwrap().timestamp(), 1_795_168_800);
        let found = seen.answer.diagnose();
        assert_eq!(
            (found.meaning, found.needs_one_of),
            (Meaning::MissingScope, vec!["accounting.invoices"])
        );
    }

    #[test]
    fn a_body_of_xeros_is_no_line_of_a_log() {
        assert_eq!(Observation::read(r#"{"Title":"Unauthorized","Status":401}"#), None);
        assert_eq!(Observation::read(r#"{"error":"invalid_grant"}"#), None);
        assert_eq!(Observation::read("HTTP/1.1 401"), None);
    }
}
