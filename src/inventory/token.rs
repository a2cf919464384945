//! The claims of an access token. They are evidence of what its user consented to, expired
//! or not; the token itself is forgotten once they are read. Its signature is not checked:
//! it comes from the host's own database, and only Xero could use it for anything.

use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use chrono::{DateTime, Utc};
use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};

use crate::domain::dates;
use crate::domain::ids::{AuthEventId, UserId};

/// What a token says of its grant.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Claims {
    /// One text, whatever notation the token has.
    pub(super) scope: Option<String>,
    pub(super) at: At,
    pub(super) user: Option<UserId>,
    pub(super) client: Option<String>,
    pub(super) auth_event: Option<AuthEventId>,
}

/// When the consent was given, as far as it can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    Known(DateTime<Utc>),
    NotGiven,
    Unreadable,
}

/// A text that is no access token.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken;

/// As it is written into headers, padded or not.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(super) fn claims(token: &str) -> Result<Claims, Broken> {
    let token = match token.split_at_checked(7) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer ") => rest.trim_start(),
        _ => token,
    };
    let mut parts = token.split('.');
    let (Some(header), Some(payload), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Broken);
    };
    if !is_base64url(header) || !is_base64url(signature) {
        return Err(Broken);
    }
    let payload = BASE64URL.decode(payload).map_err(|_| Broken)?;
    let payload: Payload = serde_json::from_slice(&payload).map_err(|_| Broken)?;
    payload.claims()
}

/// Header and signature are not decoded; a token that was cut off shows in them.
fn is_base64url(part: &str) -> bool {
    let part = part.trim_end_matches('=');
    !part.is_empty()
        && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[derive(serde::Deserialize)]
struct Payload {
    scope: Option<Words>,
    auth_time: Option<Seconds>,
    iat: Option<Seconds>,
    xero_userid: Option<String>,
    client_id: Option<String>,
    authentication_event_id: Option<String>,
}

impl Payload {
    fn claims(self) -> Result<Claims, Broken> {
        let user = match self.xero_userid.as_deref().map(str::trim) {
            None | Some("") => None,
            Some(id) => Some(id.parse().map_err(|_| Broken)?),
        };
        let at = match self.auth_time.or(self.iat) {
            None => At::NotGiven,
            Some(Seconds(seconds)) => {
                seconds.and_then(dates::from_seconds).map_or(At::Unreadable, At::Known)
            }
        };
        Ok(Claims {
            scope: self.scope.map(|words| words.0),
            at,
            user,
            client: self.client_id,
            // It only tells grants apart that nothing else does: not worth a bad row.
            auth_event: self.authentication_event_id.and_then(|id| id.trim().parse().ok()),
        })
    }
}

/// Scopes as a text or as a list of texts.
pub(super) struct Words(pub(super) String);

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordsVisitor)
    }
}

struct WordsVisitor;

impl<'de> Visitor<'de> for WordsVisitor {
    type Value = Words;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("scopes as a text or a list")
    }

    fn visit_str<E>(self, text: &str) -> Result<Words, E> {
        Ok(Words(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Words, A::Error> {
        let mut words = String::new();
        while let Some(word) = list.next_element::<std::borrow::Cow<'_, str>>()? {
            if !words.is_empty() {
                words.push(' ');
            }
            words.push_str(&word);
        }
        Ok(Words(words))
    }
}

/// A number or a text of digits; `None` inside when it is neither.
struct Seconds(Option<i64>);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecondsVisitor)
    }
}

struct SecondsVisitor;

impl Visitor<'_> for SecondsVisitor {
    type Value = Seconds;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("seconds since 1970")
    }

    fn visit_u64<E>(self, seconds: u64) -> Result<Seconds, E> {
        Ok(Seconds(i64::try_from(seconds).ok()))
    }

    fn visit_i64<E>(self, seconds: i64) -> Result<Seconds, E> {
        Ok(Seconds(Some(seconds)))
    }

    fn visit_f64<E>(self, seconds: f64) -> Result<Seconds, E> {
        // Saturates, which is in no believable year.
        Ok(Seconds(Some(seconds as i64)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Seconds, E> {
        Ok(Seconds(text.trim().parse().ok()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token(payload: &str) -> String {
        let header = BASE64URL.encode(r#"{"alg":"RS256"}"#);
        format!("{header}.{}.c2ln", BASE64URL.encode(payload).trim_end_matches('='))
    }

    #[test]
    fn claims_are_read_in_every_spelling() {
        let user = "0a1b2c3d-0000-4000-8000-000000000001";
        let list = format!(
            r#"{{"scope":["openid","accounting.contacts"],"auth_time":1700000000,"iat":9,
                "xero_userid":"{user}","client_id":"AB","authentication_event_id":"{user}"}}"#
        );
        let claims = claims(&token(&list)).unwrap();
        assert_eq!(claims.scope.as_deref(), Some("openid accounting.contacts"));
        assert_eq!(claims.at, At::Known(dates::from_seconds(1_700_000_000).unwrap()));
        assert_eq!(claims.user, user.parse().ok());
        assert_eq!(claims.client.as_deref(), Some("AB"));
        assert_eq!(claims.auth_event, user.parse().ok());

        let text = token(r#"{"scope":"openid a","auth_time":null,"iat":"1700000000"}"#);
        let claims = super::claims(&format!("bearer  {text}")).unwrap();
        assert_eq!(claims.scope.as_deref(), Some("openid a"));
        assert_eq!(claims.at, At::Known(dates::from_seconds(1_700_000_000).unwrap()));
    }

    #[test]
    fn a_time_in_milliseconds_is_unreadable_and_does_not_fall_back_to_another() {
        for time in ["1700000000000", "\"soon\"", "1e300", "-5"] {
            let token = token(&format!(r#"{{"auth_time":{time},"iat":1700000000}}"#));
            assert_eq!(claims(&token).unwrap().at, At::Unreadable, "{time}");
        }
        assert_eq!(claims(&token("{}")).unwrap().at, At::NotGiven);
    }

    #[test]
    fn what_is_no_token_is_broken() {
        let whole = token(r#"{"scope":"openid"}"#);
        let cut = &whole[..whole.rfind('.').unwrap()];
        let empty = format!("{cut}.");
        for text in [
            "",
            "opaque",
            cut,
            &empty,
            "a.b.c",
            "a.b.c.d.e",
            &format!("{whole}.x"),
            &whole.replacen('.', "!.", 1),
            &token("[]"),
            &token(r#"{"scope":7}"#),
            &token(r#"{"xero_userid":"me"}"#),
            &token(r#"{"scope":"a","scope":"b"}"#),
        ] {
            assert_eq!(claims(text), Err(Broken), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*", payload in any::<Vec<u8>>()) {
            let _ = claims(&text);
            let _ = claims(&format!("e30.{}.c2ln", BASE64URL.encode(payload)));
        }
    }
}
