//! Asks Xero's authorise address whether an app may have some scopes, without a user: it
//! answers with its login page, or with its error page (docs/xero.md, "Authorising"). Nobody
//! logs in, so nothing is consented to.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, StatusCode, header};
use url::Url;

use crate::domain::scopes::{Scope, ScopeSet};
use crate::web;

/// All but RFC 3986's unreserved characters; a space is `%20`, never `+`.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Redirects on the way to an answer.
const MAX_STEPS: usize = 5;

/// SHA-256 of the empty text: no code will ever come back for which a verifier is needed.
const CHALLENGE: &str = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";

/// The app that asks.
#[derive(Clone, Debug)]
pub struct App {
    /// `[xero] login`.
    pub login: Url,
    pub client_id: String,
    pub redirect_uri: Url,
    pub pkce: bool,
}

/// What Xero says to some scopes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accepted,
    /// Xero refuses these, each by itself; where none is named, only all together.
    Refused {
        scopes: Vec<Scope>,
    },
    /// It cannot be told.
    Unclear {
        why: String,
    },
}

/// What one question came to.
enum Answer {
    Accepted,
    Refused,
    Unclear(String),
}

impl App {
    /// Asks for all at once, and only if that is refused for each alone, to find which.
    pub async fn asks_for(&self, client: &Client, scopes: ScopeSet) -> Verdict {
        match self.ask(client, scopes).await {
            Answer::Accepted => return Verdict::Accepted,
            Answer::Unclear(why) => return Verdict::Unclear { why },
            Answer::Refused => {}
        }
        let mut refused = Vec::new();
        for scope in scopes.iter() {
            match self.ask(client, ScopeSet::from_iter([scope])).await {
                Answer::Refused => refused.push(scope),
                // That all together are refused is known, and enough.
                Answer::Accepted | Answer::Unclear(_) => {}
            }
        }
        Verdict::Refused { scopes: refused }
    }

    fn address(&self, scopes: ScopeSet) -> Url {
        let mut url = self.login.clone();
        url.set_path("/identity/connect/authorize");
        let scopes = scopes.canonical();
        let mut query = vec![
            ("response_type", "code"),
            ("client_id", &self.client_id),
            ("redirect_uri", self.redirect_uri.as_str()),
            ("scope", &scopes),
            ("state", "preflight"),
        ];
        if self.pkce {
            query.extend([("code_challenge", CHALLENGE), ("code_challenge_method", "S256")]);
        }
        let query: Vec<String> = query
            .into_iter()
            .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, VALUE)))
            .collect();
        url.set_query(Some(&query.join("&")));
        url
    }

    async fn ask(&self, client: &Client, scopes: ScopeSet) -> Answer {
        let mut url = self.address(scopes);
        for _ in 0..=MAX_STEPS {
            let answer = match client.get(url.clone()).send().await {
                Ok(answer) => answer,
                Err(error) => return Answer::Unclear(web::trouble(error)),
            };
            let status = answer.status();
            if status.is_success() {
                return page(&url, &web::beginning(answer).await);
            }
            if !status.is_redirection() {
                return Answer::Unclear(format!("status {}", status.as_u16()));
            }
            match self.follow(&url, status, answer.headers().get(header::LOCATION)) {
                Ok(next) => url = next,
                Err(answer) => return answer,
            }
        }
        Answer::Unclear(format!("more than {MAX_STEPS} redirects"))
    }

    /// Where a redirect leads, or what it tells by itself.
    fn follow(
        &self,
        from: &Url,
        status: StatusCode,
        location: Option<&header::HeaderValue>,
    ) -> Result<Url, Answer> {
        let target = location.and_then(|location| location.to_str().ok());
        let Some(next) = target.and_then(|target| from.join(target).ok()) else {
            return Err(Answer::Unclear(format!("status {} without an address", status.as_u16())));
        };
        if next.origin() != from.origin() {
            if self.is_callback(&next) {
                return Err(callback(&next));
            }
            return Err(Answer::Unclear("a redirect to another host".to_owned()));
        }
        match kind(&next) {
            Some(answer) => Err(answer),
            None if self.is_callback(&next) => Err(callback(&next)),
            None => Ok(next),
        }
    }

    fn is_callback(&self, url: &Url) -> bool {
        url.origin() == self.redirect_uri.origin() && url.path() == self.redirect_uri.path()
    }
}

/// What the app is told by the standard (RFC 6749, section 4.1.2.1), should Xero ever use it.
fn callback(url: &Url) -> Answer {
    let error = url.query_pairs().find(|(name, _)| name == "error").map(|(_, value)| value);
    match error.as_deref() {
        Some("invalid_scope") => Answer::Refused,
        _ => Answer::Unclear("a redirect to the app itself".to_owned()),
    }
}

/// What an address of Xero's tells without looking at its page.
fn kind(url: &Url) -> Option<Answer> {
    let path = url.path().to_ascii_lowercase();
    if path == "/identity/error" || path.starts_with("/identity/error/") {
        return Some(Answer::Refused);
    }
    path.split('/').any(|segment| segment == "login").then_some(Answer::Accepted)
}

/// A page in place of a redirect.
fn page(url: &Url, text: &str) -> Answer {
    if let Some(answer) = kind(url) {
        return answer;
    }
    let text = text.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&["/identity/error"]) {
        Answer::Refused
    } else if has(&["login", "log in", "sign in", "password"]) && !has(&["error"]) {
        Answer::Accepted
    } else {
        Answer::Unclear("a page that is neither the login nor the error page".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(pkce: bool) -> App {
        App {
            login: "https://login.xero.com".parse().unwrap(),
            client_id: "ABC".to_owned(),
            redirect_uri: "https://books.example/callback?a=b".parse().unwrap(),
            pkce,
        }
    }

    fn scopes(text: &str) -> ScopeSet {
        crate::domain::scopes::ScopeText::read(text).set
    }

    #[test]
    fn scopes_are_separated_by_percent_20_and_nothing_in_a_value_breaks_the_address() {
        let url = app(false).address(scopes("accounting.settings offline_access")).to_string();
        assert_eq!(
            url,
            "https://login.xero.com/identity/connect/authorize?response_type=code&client_id=ABC\
             &redirect_uri=https%3A%2F%2Fbooks.example%2Fcallback%3Fa%3Db\
             &scope=accounting.settings%20offline_access&state=preflight"
        );
    }

    #[test]
    fn an_app_without_a_secret_sends_a_challenge() {
        let url = app(true).address(scopes("offline_access")).to_string();
        assert!(url.contains("&code_challenge=") && url.ends_with("&code_challenge_method=S256"));
    }

    #[test]
    fn only_the_path_tells_where_a_redirect_leads() {
        let kind = |text: &str| match kind(&text.parse().unwrap()) {
            Some(Answer::Accepted) => "accepted",
            Some(Answer::Refused) => "refused",
            _ => "on",
        };
        assert_eq!(
            kind("https://x.example/identity/user/login?returnUrl=/identity/error"),
            "accepted"
        );
        assert_eq!(kind("https://x.example/identity/error?errorId=login"), "refused");
        assert_eq!(kind("https://x.example/identity/connect/authorize/callback?a=/login"), "on");
        assert_eq!(kind("https://x.example/identity/errors"), "on");
    }
}
