//! The model's face in this process: what the removing job sees in place of a client. Answers
//! are understood by the client's own code; tokens and sockets are left out.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::http::{Reaction, Request, Response};
use super::{AppToken, Xero};
use crate::clock::Clock;
use crate::domain::ids::ConnectionId;
use crate::xero::answer::{self, Answer};
use crate::xero::connections::{self, Connections, Deleted, Listing};
use crate::xero::error::Error;

/// One app's calls to a model.
pub struct Direct<'a> {
    xero: Arc<Mutex<Xero>>,
    clock: &'a dyn Clock,
    client_id: String,
}

impl<'a> Direct<'a> {
    #[must_use]
    pub fn new(xero: Arc<Mutex<Xero>>, clock: &'a dyn Clock, client_id: &str) -> Self {
        Self { xero, clock, client_id: client_id.to_owned() }
    }

    /// What came back, if anything did.
    async fn call(&self, method: &str, path: &str) -> Option<Answer> {
        let reaction = {
            let mut xero = self.xero.lock().unwrap_or_else(PoisonError::into_inner);
            xero.react_to_app(self.clock.now(), &self.client_id, Request::new(method, path))
        };
        match reaction {
            Reaction::Answer(response) => understood(response, false),
            Reaction::Half(response) => understood(response, true),
            Reaction::Late(span, response) => {
                self.clock.sleep(span).await;
                understood(response, false)
            }
            Reaction::Reset | Reaction::Silence => None,
        }
    }
}

impl Connections for Direct<'_> {
    fn list(&self) -> connections::Answer<'_, Listing> {
        Box::pin(async {
            let asked_at = self.clock.now();
            match self.call("GET", "/connections").await {
                Some(answer) => answer::listing(&answer, asked_at, self.clock.now()),
                None => Err(Error::Unavailable("the connection was closed".to_owned())),
            }
        })
    }

    fn delete(&self, id: ConnectionId) -> connections::Answer<'_, Deleted> {
        Box::pin(async move {
            match self.call("DELETE", &format!("/connections/{id}")).await {
                Some(answer) => answer::deleted(&answer, self.clock.now()),
                None => Err(Error::Lost("the connection was closed".to_owned())),
            }
        })
    }
}

impl Xero {
    /// Takes a call that has an app's own token.
    fn react_to_app(
        &mut self,
        now: DateTime<Utc>,
        client_id: &str,
        mut request: Request,
    ) -> Reaction {
        const TOKEN: &str = "in this process";
        let until = now + super::TOKEN_LIFETIME;
        let token = AppToken { client_id: client_id.to_owned(), until };
        self.tokens.insert(TOKEN.to_owned(), token);
        request.headers.insert("authorization".to_owned(), format!("Bearer {TOKEN}"));
        let reaction = self.react(now, &request);
        self.tokens.remove(TOKEN);
        reaction
    }
}

/// A response as the client has it; `None` for one that HTTP does not know.
fn understood(response: Response, is_cut: bool) -> Option<Answer> {
    let mut headers = HeaderMap::new();
    for (name, value) in response.headers {
        headers.append(HeaderName::from_static(name), HeaderValue::try_from(value).ok()?);
    }
    let body = match is_cut {
        true => Err("it broke off".to_owned()),
        false => Ok(response.body),
    };
    Some(Answer { status: StatusCode::from_u16(response.status).ok()?, headers, body })
}
