//! The app's own token, by client credentials: for the connections API and nothing else. It is
//! kept in memory, and renewed before it ends and once when it is refused
//! (docs/xero.md, "Connections API").

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use oauth2::basic::{BasicErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType};
use oauth2::{
    AccessToken, AsyncHttpClient, ClientId, ClientSecret, HttpRequest, HttpResponse, RefreshToken,
    RequestTokenError, Scope, StandardRevocableToken, TokenResponse, TokenUrl,
};
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::answer::shortened;
use super::connections::Answer;
use super::error::Error;

/// The only scope that is asked for.
const SCOPE: &str = "app.connections";

/// How long a token lives that does not say (docs/xero.md, "Grants and connections").
const LIFETIME: TimeDelta = TimeDelta::minutes(30);

/// So long before its end a token is not used any more, or from half its life on.
pub(super) const MARGIN: TimeDelta = TimeDelta::seconds(60);

/// Reads the app's secret where it is kept, each time that it is needed: one that was changed
/// there is used from then on. The error says why it cannot be had.
pub type Secret<'a> = dyn Fn() -> Result<SecretString, String> + Send + Sync + 'a;

/// Takes a request to the token endpoint, and brings the answer.
pub(super) trait Carry: Send + Sync {
    fn carry(&self, request: HttpRequest) -> Answer<'_, HttpResponse>;
}

/// The same, as the crate knows it.
struct Bridge<'a>(&'a dyn Carry);

impl<'c> AsyncHttpClient<'c> for Bridge<'_> {
    type Error = Error;
    type Future = Answer<'c, HttpResponse>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        self.0.carry(request)
    }
}

/// Asks for tokens, and keeps the last.
pub(super) struct Tokens<'a> {
    endpoint: TokenUrl,
    client_id: ClientId,
    secret: Box<Secret<'a>>,
    held: Mutex<Option<Token>>,
}

/// A token, as it is sent.
#[derive(Clone)]
pub(super) struct Token {
    /// Sensitive: its `Debug` shows nothing.
    pub header: HeaderValue,
    until: DateTime<Utc>,
    /// Tells it from those before and after.
    number: u64,
}

impl<'a> Tokens<'a> {
    pub fn new(endpoint: TokenUrl, client_id: &str, secret: Box<Secret<'a>>) -> Self {
        let client_id = ClientId::new(client_id.to_owned());
        Self { endpoint, client_id, secret, held: Mutex::default() }
    }

    /// One that can be used, until so long after it should have been renewed; in place of
    /// `refused`, if that is still the last.
    pub async fn get(
        &self,
        refused: Option<&Token>,
        now: DateTime<Utc>,
        grace: TimeDelta,
        carry: &dyn Carry,
    ) -> Result<Token, Error> {
        // Whoever comes second waits for the first one's token in place of asking for another.
        let mut held = self.held.lock().await;
        let number = held.as_ref().map_or(0, |token| token.number);
        let is_refused = refused.is_some_and(|token| token.number == number);
        if let Some(token) = held.as_ref().filter(|token| !is_refused && now < token.until + grace)
        {
            return Ok(token.clone());
        }
        *held = None;
        let token = self.ask(number + 1, now, carry).await?;
        *held = Some(token.clone());
        Ok(token)
    }

    async fn ask(
        &self,
        number: u64,
        now: DateTime<Utc>,
        carry: &dyn Carry,
    ) -> Result<Token, Error> {
        let secret = (self.secret)().map_err(Error::Withheld)?;
        let client = Client::new(self.client_id.clone())
            .set_client_secret(ClientSecret::new(secret.expose_secret().to_owned()))
            .set_token_uri(self.endpoint.clone());
        let request = client.exchange_client_credentials().add_scope(Scope::new(SCOPE.to_owned()));
        let given = request.request_async(&Bridge(carry)).await.map_err(refusal)?;
        if !given.token_type.as_ref().eq_ignore_ascii_case("bearer") {
            return Err(no_token("it gave a token of another type than Bearer"));
        }
        let bearer = format!("Bearer {}", given.access_token.secret());
        let header = HeaderValue::try_from(bearer);
        let mut header = header.map_err(|_| no_token("it gave a token that cannot be sent"))?;
        header.set_sensitive(true);
        let life = given.expires_in().and_then(|life| TimeDelta::from_std(life).ok());
        let life = life.unwrap_or(LIFETIME);
        Ok(Token { header, until: now + life - MARGIN.min(life / 2), number })
    }
}

/// Nothing but a token was asked for, so that whatever went wrong had no effect.
fn no_token(why: &str) -> Error {
    Error::Unavailable(format!("the token endpoint: {why}"))
}

/// What the endpoint said in place of a token. Its body is never repeated: it may hold one.
fn refusal(error: RequestTokenError<Error, BasicErrorResponse>) -> Error {
    match error {
        RequestTokenError::Request(error) => error,
        RequestTokenError::ServerResponse(said) => Error::Credentials(format!(
            "the token endpoint says {}",
            shortened(said.error().as_ref())
        )),
        RequestTokenError::Parse(..) => no_token("its answer is none that can be read"),
        RequestTokenError::Other(_) => no_token("its answer is empty, or no JSON"),
    }
}

/// The crate's client with our own reading of an answer. Errors of the same form may stand for
/// those of endpoints that are never called.
type Client = oauth2::Client<
    BasicErrorResponse,
    Given,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicErrorResponse,
>;

/// A token response. Xero's has `scope` as a text or as an array, and the crate knows the text
/// only; it is not needed, since one scope was asked for.
#[derive(Debug, Deserialize, Serialize)]
struct Given {
    access_token: AccessToken,
    token_type: BasicTokenType,
    #[serde(default)]
    expires_in: Option<u64>,
}

impl TokenResponse for Given {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &self.token_type
    }

    fn expires_in(&self) -> Option<Duration> {
        self.expires_in.map(Duration::from_secs)
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        None
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}
