//! The model's face over HTTP, without the sockets: a request comes in as a value, and what
//! becomes of it goes out as one.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use super::Xero;
use super::faults::{Call, Fault, Mark};
use super::limiter::Room;

/// A request that came in whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    /// With its query.
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reaction {
    Answer(Response),
    /// The same after a while.
    Late(TimeDelta, Response),
    /// The head, and half of the body; then the connection closes.
    Half(Response),
    /// The connection closes without a word.
    Reset,
    /// Nothing comes.
    Silence,
}

impl Response {
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    #[must_use]
    pub fn json(status: u16, body: &impl Serialize) -> Self {
        let headers = vec![("content-type", "application/json; charset=utf-8".to_owned())];
        Self { status, headers, body: serde_json::to_vec(body).unwrap_or_default() }
    }

    #[must_use]
    pub fn page(status: u16, text: &str) -> Self {
        let headers = vec![("content-type", "text/html".to_owned())];
        Self { status, headers, body: format!("<html>{text}</html>").into_bytes() }
    }

    /// Xero's body for errors.
    #[must_use]
    pub fn problem(status: u16, title: &str, detail: &str) -> Self {
        let body = json!({
            "Type": null, "Title": title, "Status": status, "Detail": detail,
            "Instance": null, "Extensions": {},
        });
        Self::json(status, &body)
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl Request {
    #[must_use]
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), ..Self::default() }
    }

    pub(super) fn address(&self) -> &str {
        self.path.split_once('?').map_or(&self.path, |(address, _)| address)
    }

    /// The values of the query, or of another form.
    pub(super) fn form(text: &[u8]) -> BTreeMap<String, String> {
        url::form_urlencoded::parse(text).into_owned().collect()
    }

    pub(super) fn query(&self) -> BTreeMap<String, String> {
        let query = self.path.split_once('?').map_or("", |(_, query)| query);
        Self::form(query.as_bytes())
    }

    fn call(&self) -> Option<Call> {
        let address = self.address().to_ascii_lowercase();
        match (self.method.as_str(), address.as_str()) {
            ("POST", "/connect/token") => Some(Call::Token),
            ("GET", "/connections") => Some(Call::List),
            ("DELETE", address) if address.starts_with("/connections/") => Some(Call::Delete),
            ("GET", address) if address.starts_with("/identity/") => Some(Call::Authorise),
            _ => None,
        }
    }
}

impl Xero {
    /// Takes a request.
    pub fn react(&mut self, now: DateTime<Utc>, request: &Request) -> Reaction {
        let Some(call) = request.call() else {
            self.counts.other += 1;
            return Reaction::Answer(Response::empty(404));
        };
        *match call {
            Call::Token => &mut self.counts.token,
            Call::List => &mut self.counts.list,
            Call::Delete => &mut self.counts.delete,
            Call::Authorise => &mut self.counts.authorise,
        } += 1;
        let fault = self.faults.take(call);
        let reaction = match fault {
            Some(fault) if fault.is_before() => before(fault),
            fault => {
                let response = match call {
                    Call::Authorise => self.authorise(request),
                    _ => self.within_limits(now, call, request),
                };
                after(fault, response)
            }
        };
        self.sign(now, reaction)
    }

    fn within_limits(&mut self, now: DateTime<Utc>, call: Call, request: &Request) -> Response {
        let left = match self.limiter.take(now) {
            Room::Left(left) => left,
            Room::None { seconds } => {
                return limited(Some("minute"), Some(seconds.unsigned_abs()))
                    .with("x-minlimit-remaining", "0");
            }
        };
        let response = match call {
            Call::Token => self.token(now, request),
            Call::Delete => self.delete(now, request),
            Call::List | Call::Authorise => self.list(now, request),
        };
        match left {
            Some(left) => response
                .with("x-minlimit-remaining", left.to_string())
                .with("x-appminlimit-remaining", "9999")
                .with("x-daylimit-remaining", "4999"),
            None => response,
        }
    }

    /// Puts Xero's clock and the name of the exchange on every answer.
    fn sign(&mut self, now: DateTime<Utc>, reaction: Reaction) -> Reaction {
        let date = (now + self.skew).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let id = self.make("exchange").to_string();
        let signed = |response: Response| {
            response.with("date", date.clone()).with("xero-correlation-id", id.clone())
        };
        match reaction {
            Reaction::Answer(response) => Reaction::Answer(signed(response)),
            Reaction::Late(span, response) => Reaction::Late(span, signed(response)),
            Reaction::Half(response) => Reaction::Half(signed(response)),
            Reaction::Reset | Reaction::Silence => reaction,
        }
    }
}

fn limited(problem: Option<&str>, after: Option<u64>) -> Response {
    let mut response = Response::empty(429);
    if let Some(problem) = problem {
        response = response.with("x-rate-limit-problem", problem);
    }
    match after {
        Some(seconds) => response.with("retry-after", seconds.to_string()),
        None => response,
    }
}

/// What comes of a call that is not carried out.
fn before(fault: Fault) -> Reaction {
    Reaction::Answer(match fault {
        Fault::Limit { problem, after } => limited(problem, after.map(u64::from)),
        Fault::Outage(status) => Response::page(status, "Sorry, we are down for maintenance"),
        Fault::Refuse(status, detail) => Response::problem(status, "Refused", detail),
        Fault::Say(response) => response,
        _ => return Reaction::Reset,
    })
}

/// What comes of the answer to a call that was carried out.
fn after(fault: Option<Fault>, response: Response) -> Reaction {
    let Some(fault) = fault else { return Reaction::Answer(response) };
    match fault {
        Fault::Half => Reaction::Half(response),
        Fault::Lost => Reaction::Reset,
        Fault::Silence => Reaction::Silence,
        Fault::Late(span) => Reaction::Late(span, response),
        fault => Reaction::Answer(listed_wrongly(&fault, response)),
    }
}

fn listed_wrongly(fault: &Fault, mut response: Response) -> Response {
    let Ok(Value::Array(mut entries)) = serde_json::from_slice(&response.body) else {
        return response;
    };
    match fault {
        Fault::EmptyList => entries.clear(),
        Fault::ShortList(most) => entries.truncate(*most),
        Fault::WrongId => {
            if let Some(first) = entries.first_mut() {
                first["id"] = first["tenantId"].clone();
            }
        }
        Fault::Marked(Mark::Partial) => response.status = 206,
        Fault::Marked(Mark::Link) => {
            response = response.with("link", "</connections?page=2>; rel=\"next\"");
        }
        Fault::Marked(Mark::ContentRange) => {
            response = response.with("content-range", "items 0-99/250");
        }
        _ => {}
    }
    response.body = Value::Array(entries).to_string().into_bytes();
    response
}
