//! What an answer of Xero's means (docs/xero.md, "Connections API" and "Errors"). Pure: a
//! simulated Xero is understood by the same code.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::StatusCode;
use reqwest::header::{CONTENT_RANGE, DATE, HeaderMap, LINK, WWW_AUTHENTICATE};
use serde_json::Value;

use super::connections::{Deleted, Deletion, Listing};
use super::error::Error;
use super::{limits, list};
use crate::web;

/// Characters that are kept of what an answer says: room for a sentence or an id.
const LONGEST: usize = 200;

/// An answer of which at least status and headers came.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// Why it is not whole, where it broke off.
    pub body: Result<Vec<u8>, String>,
}

/// What the answer to `GET /connections` says that left at `asked_at`.
///
/// # Errors
/// It is no list. A list that can be read in part is one, and says that it is incomplete.
pub fn listing(
    answer: &Answer,
    asked_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Listing, Error> {
    if !matches!(answer.status, StatusCode::OK | StatusCode::PARTIAL_CONTENT) {
        return Err(answer.error(now));
    }
    let unreadable = |why: &dyn std::fmt::Display| {
        Error::Unavailable(format!("the list cannot be read: {why}{}", answer.signed()))
    };
    let body = answer.body.as_ref().map_err(|why| unreadable(why))?;
    let mut list = list::read(body).map_err(|error| unreadable(&error))?;
    let mut doubts = Vec::new();
    if answer.status == StatusCode::PARTIAL_CONTENT {
        doubts.push("Xero answered 206, a part".to_owned());
    }
    for name in [LINK, CONTENT_RANGE] {
        if answer.headers.contains_key(&name) {
            doubts.push(format!("Xero sent the header {name}"));
        }
    }
    doubts.append(&mut list.doubts);
    Ok(Listing {
        connections: list.connections,
        incomplete: (!doubts.is_empty()).then(|| doubts.join("; ")),
        asked_at,
        server_time: answer.server_time(),
    })
}

/// What the answer to `DELETE /connections/{id}` says.
///
/// # Errors
/// It leaves open what happened, or nothing did.
pub fn deleted(answer: &Answer, now: DateTime<Utc>) -> Result<Deleted, Error> {
    let deletion = match answer.status.as_u16() {
        204 => Deletion::Removed,
        404 => Deletion::AlreadyGone,
        403 => Deletion::NotOurs,
        // A gateway gives up on a call that may still be carried out behind it.
        500..=599 => return Err(Error::Failed(answer.said())),
        _ => return Err(answer.error(now)),
    };
    Ok(Deleted { deletion, correlation: answer.correlation(), server_time: answer.server_time() })
}

impl Answer {
    /// A token that is refused: the app's own, as no other is ever sent.
    #[must_use]
    pub fn refuses_token(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED
    }

    /// Xero's own clock.
    #[must_use]
    pub fn server_time(&self) -> Option<DateTime<Utc>> {
        let text = self.headers.get(DATE)?.to_str().ok()?;
        DateTime::parse_from_rfc2822(text).ok().map(|at| at.to_utc())
    }

    /// Xero's name for the exchange, which its support asks for.
    #[must_use]
    pub fn correlation(&self) -> Option<String> {
        let text = self.headers.get("xero-correlation-id")?.to_str().ok()?;
        Some(shortened(text)).filter(|text| !text.is_empty())
    }

    /// What a status means that is no success, where it means the same for every call.
    pub(super) fn error(&self, now: DateTime<Utc>) -> Error {
        match self.status.as_u16() {
            401 => Error::Credentials(self.said()),
            403 => Error::Credentials(format!("{}: may the app see its connections?", self.said())),
            429 => {
                let after = web::retry_after(&self.headers, now);
                let after = after.and_then(|after| TimeDelta::from_std(after).ok());
                let limit = limits::problem(&self.headers);
                Error::Limited { limit: format!("{limit}{}", self.signed()), after }
            }
            500..=599 => Error::Unavailable(self.said()),
            _ => Error::Unexpected(self.said()),
        }
    }

    /// Status, detail and correlation id, in one line.
    pub(super) fn said(&self) -> String {
        let detail = self.detail().map(|detail| format!(", {detail}")).unwrap_or_default();
        format!("status {}{detail}{}", self.status.as_u16(), self.signed())
    }

    /// What the answer itself says is wrong: the word in the header first, then `Detail`.
    fn detail(&self) -> Option<String> {
        let header = self.headers.get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
        // Both spellings are on Xero's pages (docs/xero.md, "Errors").
        let scope = ["insufficient_scope", "insufficent_scope"];
        if header.is_some_and(|said| scope.iter().any(|word| said.contains(word))) {
            return Some("insufficient_scope".to_owned());
        }
        let body: Value = serde_json::from_slice(self.body.as_ref().ok()?).ok()?;
        let fields = body.as_object()?;
        let (_, detail) = fields.iter().find(|(name, _)| name.eq_ignore_ascii_case("detail"))?;
        Some(shortened(detail.as_str()?)).filter(|detail| !detail.is_empty())
    }

    fn signed(&self) -> String {
        let id = self.correlation();
        id.map(|id| format!(" (Xero-Correlation-Id {id})")).unwrap_or_default()
    }
}

/// On one short line.
pub(super) fn shortened(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|w| !w.is_empty())
        .collect();
    words.join(" ").chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xero::error::Decision;

    fn now() -> DateTime<Utc> {
        "2027-08-20T10:00:00Z".parse().unwrap()
    }

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
        let headers = headers.iter().map(|(name, value)| {
            (reqwest::header::HeaderName::from_static(name), value.parse().unwrap())
        });
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: headers.collect(),
            body: Ok(body.as_bytes().to_vec()),
        }
    }

    fn listing(answer: &Answer, at: DateTime<Utc>) -> Result<Listing, Error> {
        super::listing(answer, at, at)
    }

    #[test]
    fn only_four_answers_to_a_removal_are_final() {
        let deleted = |status| deleted(&answer(status, &[], ""), now());
        let deletion = |status| deleted(status).map(|deleted| deleted.deletion);
        assert_eq!(deletion(204), Ok(Deletion::Removed));
        assert_eq!(deletion(404), Ok(Deletion::AlreadyGone));
        assert_eq!(deletion(403), Ok(Deletion::NotOurs));
        assert_eq!(deleted(429).unwrap_err().decision(), Decision::Wait(None));
        for status in [200, 202, 301, 400, 409, 500, 502, 503, 504] {
            let error = deleted(status).unwrap_err();
            assert_eq!(error.decision(), Decision::ReadBack, "{status}: {error}");
        }
    }

    #[test]
    fn a_removal_is_judged_by_its_status_even_where_the_rest_broke_off() {
        let mut broken = answer(404, &[], "");
        broken.body = Err("cut off".to_owned());
        assert_eq!(deleted(&broken, now()).unwrap().deletion, Deletion::AlreadyGone);
    }

    #[test]
    fn an_error_has_the_detail_in_either_case_and_the_correlation_id() {
        let id = [("xero-correlation-id", "1-2-3")];
        for body in [r#"{"Title":"x","Detail":"Token\nExpired"}"#, r#"{"detail":"Token Expired"}"#]
        {
            let error = listing(&answer(401, &id, body), now()).unwrap_err();
            assert_eq!(
                error,
                Error::Credentials(
                    "status 401, Token Expired (Xero-Correlation-Id 1-2-3)".to_owned()
                )
            );
        }
        for word in ["insufficient_scope", "insufficent_scope"] {
            let error = listing(&answer(401, &[("www-authenticate", word)], ""), now());
            assert!(error.unwrap_err().to_string().ends_with("401, insufficient_scope"), "{word}");
        }
    }

    #[test]
    fn a_list_that_says_it_is_a_part_is_incomplete() {
        let incomplete = |status, headers: &[(&'static str, &str)]| {
            listing(&answer(status, headers, "[]"), now()).unwrap().incomplete
        };
        assert_eq!(incomplete(200, &[]), None, "an empty list is an answer like any other");
        assert!(incomplete(206, &[]).is_some());
        assert!(incomplete(200, &[("link", "<next>")]).unwrap().contains("link"));
        let both = incomplete(206, &[("content-range", "0-9/20")]).unwrap();
        assert!(both.contains("206") && both.contains("content-range"), "{both}");
    }

    #[test]
    fn what_is_no_list_is_no_empty_list() {
        for body in ["", "null", "{}", "<html>", "[", r#"[{"id":"#, "\u{feff}", "[] []"] {
            let error = listing(&answer(200, &[], body), now()).unwrap_err();
            assert!(matches!(error, Error::Unavailable(_)), "{body}: {error}");
        }
        assert!(matches!(listing(&answer(503, &[], "<html>"), now()), Err(Error::Unavailable(_))));
        assert!(matches!(listing(&answer(204, &[], ""), now()), Err(Error::Unexpected(_))));
        assert!(matches!(listing(&answer(404, &[], ""), now()), Err(Error::Unexpected(_))));
    }

    #[test]
    fn the_date_is_xeros_own_clock() {
        let at = listing(&answer(200, &[("date", "Fri, 20 Aug 2027 10:07:00 GMT")], "[]"), now());
        assert_eq!(at.unwrap().server_time, "2027-08-20T10:07:00Z".parse().ok());
    }
}
