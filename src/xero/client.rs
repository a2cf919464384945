//! Xero's connections API over HTTP. The list may be asked for again; a removal goes out once,
//! and a second time only where the first was refused for its token.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use oauth2::{HttpRequest, HttpResponse, TokenUrl};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request, Response, StatusCode};
use url::Url;

use super::answer::{self, Answer};
use super::connections::{self, Connections, Deleted, Listing};
use super::error::Error;
use super::limits::{Pace, Turns};
use super::token::{Carry, MARGIN, Secret, Token, Tokens};
use crate::clock::Clock;
use crate::domain::ids::ConnectionId;
use crate::web::{self, RootsError};

/// How often a list is asked for before it counts as not to be had.
const ATTEMPTS: u32 = 3;

/// The wait before a list is asked for again; twice as long before the next time.
const PAUSE: TimeDelta = TimeDelta::seconds(2);

/// How long a list may take until it goes out, `Retry-After` included.
const LIST_PATIENCE: TimeDelta = TimeDelta::minutes(3);

/// How long a removal may take until it goes out, with its token: what was looked at before it
/// must still hold. Its turn is not in it.
const DELETE_PATIENCE: TimeDelta = TimeDelta::seconds(20);

/// Bytes of a list: about half a million connections, fifty times the largest cap.
const LONGEST_LIST: usize = 256 << 20;

/// Bytes of any other answer.
const LONGEST_ANSWER: usize = 64 << 10;

/// The time that a call may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Name, connection and TLS.
    pub connect: Duration,
    /// All of it, the answer's body included.
    pub whole: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), whole: Duration::from_secs(60) }
    }
}

/// Whom to call, and on whose behalf.
#[derive(Clone, Debug)]
pub struct Settings {
    pub api: Url,
    pub identity: Url,
    pub client_id: String,
    /// A PEM file of certificates to trust beside the system's.
    pub roots: Option<PathBuf>,
    pub calls_per_minute: u32,
    pub limits: Limits,
}

/// Why no client can be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error(transparent)]
    Roots(#[from] RootsError),
    #[error("no HTTP client can be made: {0}")]
    Http(String),
    #[error("the address {0} cannot be used")]
    Address(Url),
}

impl ClientError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Roots(_) => "`roots` of [xero] names a PEM file with at least one certificate",
            Self::Http(_) => "look at the system's certificate store",
            Self::Address(_) => "write the addresses of [xero] as https://HOST",
        }
    }
}

/// Calls Xero for one app. Its clock measures waits, so it must not stand still for long.
pub struct Client<'a> {
    http: reqwest::Client,
    connections: Url,
    tokens: Tokens<'a>,
    turns: Turns<'a>,
    clock: &'a dyn Clock,
}

/// Whether a call still has to wait for its turn.
#[derive(Clone, Copy)]
enum Turn {
    Due,
    /// By whoever asks for it.
    Taken,
}

/// A call that came to no answer at all.
enum Trouble {
    /// Nothing was sent that could have had an effect.
    Before(Error),
    /// It was sent.
    After(String),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Before(error)
    }
}

impl<'a> Client<'a> {
    /// # Errors
    /// The certificates cannot be read, or an address cannot be used.
    pub fn new(
        settings: &Settings,
        secret: Box<Secret<'a>>,
        pace: Box<dyn Pace + 'a>,
        clock: &'a dyn Clock,
    ) -> Result<Self, ClientError> {
        let roots = settings.roots.as_deref().map(web::roots).transpose()?.unwrap_or_default();
        let Limits { connect, whole } = settings.limits;
        let http = web::builder(connect, whole).tls_certs_merge(roots).build();
        let http = http.map_err(|error| ClientError::Http(web::trouble(error)))?;
        let unusable = |url: &Url| ClientError::Address(url.clone());
        let connections = below(&settings.api, &["connections"]);
        let connections = connections.ok_or_else(|| unusable(&settings.api))?;
        let endpoint = below(&settings.identity, &["connect", "token"]);
        let endpoint = endpoint.and_then(|url| TokenUrl::new(url.into()).ok());
        let endpoint = endpoint.ok_or_else(|| unusable(&settings.identity))?;
        Ok(Self {
            http,
            connections,
            tokens: Tokens::new(endpoint, &settings.client_id, secret),
            turns: Turns::new(pace, clock, settings.calls_per_minute),
            clock,
        })
    }

    async fn list_with_patience(&self) -> Result<Listing, Error> {
        let mut pause = PAUSE;
        for _ in 1..ATTEMPTS {
            match self.list_once().await {
                // The pace knows by then how long to wait.
                Err(Error::Limited { .. }) => {}
                Err(Error::Unavailable(why)) => {
                    tracing::debug!(why, "Xero's list is asked for again");
                    self.clock.sleep(pause).await;
                    pause = pause * 2;
                }
                settled => return settled,
            }
        }
        self.list_once().await
    }

    async fn list_once(&self) -> Result<Listing, Error> {
        let url = self.connections.clone();
        match self.call(Method::GET, url, LONGEST_LIST, LIST_PATIENCE, Turn::Due).await {
            Ok((answer, left_at)) => answer::listing(&answer, left_at, self.clock.now()),
            Err(Trouble::Before(error)) => Err(error),
            // Reading has no effect, so it does not matter how far it went.
            Err(Trouble::After(why)) => Err(Error::Unavailable(why)),
        }
    }

    async fn delete_once(&self, id: ConnectionId) -> Result<Deleted, Error> {
        let mut url = self.connections.clone();
        url.set_path(&format!("{}/{id}", url.path()));
        match self.call(Method::DELETE, url, LONGEST_ANSWER, DELETE_PATIENCE, Turn::Taken).await {
            Ok((answer, _)) => answer::deleted(&answer, self.clock.now()),
            Err(Trouble::Before(error)) => Err(error),
            Err(Trouble::After(why)) => Err(Error::Lost(why)),
        }
    }

    /// One call with the app's token; a second one where the token was refused. Tells when the
    /// last of them left.
    async fn call(
        &self,
        method: Method,
        url: Url,
        longest: usize,
        patience: TimeDelta,
        turn: Turn,
    ) -> Result<(Answer, DateTime<Utc>), Trouble> {
        let until = self.clock.now() + patience;
        let _one = self.turns.one_of_five().await?;
        let token = match turn {
            Turn::Due => {
                let token = self.token(None, TimeDelta::zero(), until).await?;
                self.turns.next(until).await?;
                token
            }
            Turn::Taken => {
                // What served the last look does so here: to renew it would take another turn.
                let token = self.token(None, MARGIN, until).await?;
                self.turns.taken(until)?;
                token
            }
        };
        let (answer, left_at) = self.exchange(&method, &url, &token, longest).await?;
        if !answer.refuses_token() {
            return Ok((answer, left_at));
        }
        let token = self.token(Some(&token), TimeDelta::zero(), until).await?;
        self.turns.next(until).await?;
        self.exchange(&method, &url, &token, longest).await
    }

    async fn exchange(
        &self,
        method: &Method,
        url: &Url,
        token: &Token,
        longest: usize,
    ) -> Result<(Answer, DateTime<Utc>), Trouble> {
        let left_at = self.clock.now();
        let mut request = Request::new(method.clone(), url.clone());
        request.headers_mut().insert(AUTHORIZATION, token.header.clone());
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        let answer = self.send(request, longest).await?;
        self.heed(&answer).await;
        Ok((answer, left_at))
    }

    async fn token(
        &self,
        refused: Option<&Token>,
        grace: TimeDelta,
        until: DateTime<Utc>,
    ) -> Result<Token, Error> {
        let way = Way { client: self, until };
        self.tokens.get(refused, self.clock.now(), grace, &way).await
    }

    async fn ask_for_token(
        &self,
        request: HttpRequest,
        until: DateTime<Utc>,
    ) -> Result<HttpResponse, Error> {
        self.turns.next(until).await?;
        let request = Request::try_from(request);
        let mut request = request.map_err(|error| Error::Unavailable(web::trouble(error)))?;
        if let Some(secret) = request.headers_mut().get_mut(AUTHORIZATION) {
            secret.set_sensitive(true);
        }
        let answer = match self.send(request, LONGEST_ANSWER).await {
            Ok(answer) => answer,
            Err(Trouble::Before(error)) => return Err(error),
            Err(Trouble::After(why)) => return Err(Error::Unavailable(why)),
        };
        self.heed(&answer).await;
        let status = answer.status;
        if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
            return Err(answer.error(self.clock.now()));
        }
        let mut response = HttpResponse::new(answer.body.map_err(Error::Unavailable)?);
        *response.status_mut() = status;
        if let Some(kind) = answer.headers.get(CONTENT_TYPE) {
            response.headers_mut().insert(CONTENT_TYPE, kind.clone());
        }
        Ok(response)
    }

    /// Slows down as the answer says. It stands, whatever comes of that.
    async fn heed(&self, answer: &Answer) {
        if let Err(error) = self.turns.heed(answer).await {
            tracing::warn!(%error, "Xero's limits could not be written down");
        }
    }

    async fn send(&self, request: Request, longest: usize) -> Result<Answer, Trouble> {
        let response = self.http.execute(request).await.map_err(|error| {
            let is_before = error.is_connect() || error.is_builder();
            let why = web::trouble(error);
            match is_before {
                true => Trouble::Before(Error::Unavailable(why)),
                false => Trouble::After(why),
            }
        })?;
        let (status, headers) = (response.status(), response.headers().clone());
        let answer = Answer { status, headers, body: body(response, longest).await };
        tracing::debug!(
            status = status.as_u16(),
            correlation = answer.correlation(),
            "Xero answered"
        );
        Ok(answer)
    }
}

/// The way to the token endpoint.
struct Way<'c, 'a> {
    client: &'c Client<'a>,
    until: DateTime<Utc>,
}

impl Carry for Way<'_, '_> {
    fn carry(&self, request: HttpRequest) -> connections::Answer<'_, HttpResponse> {
        Box::pin(self.client.ask_for_token(request, self.until))
    }
}

impl Connections for Client<'_> {
    fn list(&self) -> connections::Answer<'_, Listing> {
        Box::pin(self.list_with_patience())
    }

    fn delete(&self, id: ConnectionId) -> connections::Answer<'_, Deleted> {
        Box::pin(self.delete_once(id))
    }
}

/// A body up to its end, or why it is not whole.
async fn body(mut response: Response, longest: usize) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(web::trouble)? {
        if body.len() + chunk.len() > longest {
            return Err(format!("it is longer than {longest} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// An address some steps below another.
fn below(url: &Url, steps: &[&str]) -> Option<Url> {
    let mut url = url.clone();
    url.path_segments_mut().ok()?.pop_if_empty().extend(steps);
    Some(url)
}
