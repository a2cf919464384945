//! HTTP from here to others: one way to set a client up, and to read a little of an answer.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Certificate, Client, ClientBuilder, Response, redirect, retry};

/// How much of an answer is read.
const MAX_ANSWER: usize = 8 * 1024;

const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// The longest wait that another side can ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// Makes ring the provider of every TLS connection that is not told otherwise: HTTP clients
/// cannot be built before. Calling it again changes nothing.
pub fn install() {
    // An error says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A client whose requests go out once, to the address that was configured: no redirects, no
/// repeats of its own, and no proxy from the environment, which would look names up for us.
/// It waits no longer than `connect` for name, connection and TLS, and `whole` for all of it,
/// the answer's body included.
pub fn builder(connect: Duration, whole: Duration) -> ClientBuilder {
    install();
    Client::builder()
        .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .no_proxy()
        .referer(false)
        .connect_timeout(connect)
        .timeout(whole)
        // Below the minute after which servers and balancers usually close idle connections.
        .pool_idle_timeout(Duration::from_secs(30))
}

/// A client that waits no longer than `patience` for a whole answer, and trusts `roots` beside
/// the system's.
///
/// # Errors
/// The roots of trust of this machine cannot be read.
pub fn client(patience: Duration, roots: Vec<Certificate>) -> reqwest::Result<Client> {
    builder(CONNECT_PATIENCE.min(patience), patience).tls_certs_merge(roots).build()
}

/// Certificates of a file that cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("the certificates in {} cannot be read: {why}", path.display())]
pub struct RootsError {
    path: PathBuf,
    why: String,
}

/// Reads a PEM file of certificates to trust beside the system's.
///
/// # Errors
/// It cannot be read, or there is none in it.
pub fn roots(path: &Path) -> Result<Vec<Certificate>, RootsError> {
    let failed = |why: String| RootsError { path: path.to_owned(), why };
    let pem = std::fs::read(path).map_err(|error: io::Error| failed(error.to_string()))?;
    let roots = Certificate::from_pem_bundle(&pem).map_err(|error| failed(trouble(error)))?;
    if roots.is_empty() {
        return Err(failed("there is no certificate in it".to_owned()));
    }
    Ok(roots)
}

/// The beginning of an answer's body, as text; what cannot be read any more is left out.
pub async fn beginning(mut answer: Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < MAX_ANSWER
        && let Ok(Some(chunk)) = answer.chunk().await
    {
        bytes.extend_from_slice(&chunk);
    }
    bytes.truncate(MAX_ANSWER);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// When the other side asked to be tried again: in seconds, or at a time.
#[must_use]
pub fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let asked = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            LONGEST_WAIT
        }
        Err(_) => {
            let at = DateTime::parse_from_rfc2822(text).ok()?;
            (at.with_timezone(&Utc) - now).to_std().unwrap_or_default()
        }
    };
    Some(asked.min(LONGEST_WAIT))
}

/// What went wrong, without the address: it may hold what must not be logged.
#[must_use]
pub fn trouble(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    // The innermost cause says what to repair.
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_to_be_tried_later_is_heard_within_bounds() {
        let now = "2026-11-22T10:00:00Z".parse().unwrap();
        let seconds = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            retry_after(&headers, now).map(|wait| wait.as_secs())
        };
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds(" 0 "), Some(0));
        assert_eq!(seconds("Sun, 22 Nov 2026 10:05:00 GMT"), Some(300));
        assert_eq!(seconds("Sun, 22 Nov 2026 09:00:00 GMT"), Some(0));
        assert_eq!(seconds("Mon, 22 Nov 2032 09:00:00 GMT"), Some(86_400));
        assert_eq!(seconds("99999999"), Some(86_400));
        assert_eq!(seconds("99999999999999999999999"), Some(86_400));
        for nonsense in ["", "soon", "-5", "1.5", "22 Nov"] {
            assert_eq!(seconds(nonsense), None, "{nonsense:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn a_file_without_a_certificate_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("roots.pem");
        assert!(roots(&path).unwrap_err().to_string().contains("roots.pem"));
        std::fs::write(&path, "nothing here").unwrap();
        assert!(roots(&path).unwrap_err().to_string().ends_with("there is no certificate in it"));
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(&path, made.cert.pem()).unwrap();
        assert_eq!(roots(&path).unwrap().len(), 1);
    }
}
