//! `token_response`: what a token endpoint answered, as a host stored it. Scopes and access
//! token are taken, everything else is skipped without being looked at. A refresh token is
//! noticed by its key alone, so that its value is copied nowhere.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::token::Words;

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) scope: Option<String>,
    pub(super) access_token: Option<String>,
    pub(super) has_refresh_token: bool,
}

/// Not a JSON object with fields of the right kinds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken;

pub(super) fn read(json: &str) -> Result<Response, Broken> {
    serde_json::from_str(json).map_err(|_| Broken)
}

impl<'de> Deserialize<'de> for Response {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ResponseVisitor)
    }
}

struct ResponseVisitor;

impl<'de> Visitor<'de> for ResponseVisitor {
    type Value = Response;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a token response")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Response, A::Error> {
        let mut response = Response::default();
        while let Some(key) = map.next_key::<Key>()? {
            match key {
                Key::Scope => response.scope = map.next_value::<Option<Words>>()?.map(|w| w.0),
                Key::AccessToken => response.access_token = map.next_value()?,
                Key::RefreshToken => {
                    response.has_refresh_token |= map.next_value::<IsThere>()?.0;
                }
                Key::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(response)
    }
}

/// Libraries store the answer under their own spelling: `refreshToken`, `RefreshToken`.
enum Key {
    Scope,
    AccessToken,
    RefreshToken,
    Other,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(KeyVisitor)
    }
}

struct KeyVisitor;

impl Visitor<'_> for KeyVisitor {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Key, E> {
        let letters = |wanted: &str| {
            key.bytes()
                .filter(|byte| !matches!(byte, b'_' | b'-'))
                .map(|byte| byte.to_ascii_lowercase())
                .eq(wanted.bytes())
        };
        Ok(match () {
            () if letters("scope") => Key::Scope,
            () if letters("accesstoken") => Key::AccessToken,
            () if letters("refreshtoken") => Key::RefreshToken,
            () => Key::Other,
        })
    }
}

/// Whether a value is more than null or an empty text.
struct IsThere(bool);

impl<'de> Deserialize<'de> for IsThere {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IsThereVisitor)
    }
}

struct IsThereVisitor;

impl<'de> Visitor<'de> for IsThereVisitor {
    type Value = IsThere;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_unit<E>(self) -> Result<IsThere, E> {
        Ok(IsThere(false))
    }

    fn visit_bool<E>(self, _: bool) -> Result<IsThere, E> {
        Ok(IsThere(true))
    }

    fn visit_i64<E>(self, _: i64) -> Result<IsThere, E> {
        Ok(IsThere(true))
    }

    fn visit_u64<E>(self, _: u64) -> Result<IsThere, E> {
        Ok(IsThere(true))
    }

    fn visit_f64<E>(self, _: f64) -> Result<IsThere, E> {
        Ok(IsThere(true))
    }

    fn visit_str<E>(self, text: &str) -> Result<IsThere, E> {
        Ok(IsThere(!text.trim().is_empty()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<IsThere, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(IsThere(true))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<IsThere, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(IsThere(true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_and_access_token_are_taken_and_the_rest_is_skipped() {
        let response = read(
            r#"{"id_token":"x","expires_in":1800,"scope":["openid","files"],
                "access_token":"a.b.c","tenants":[{"refresh_token":null}]}"#,
        );
        let expected = Response {
            scope: Some("openid files".to_owned()),
            access_token: Some("a.b.c".to_owned()),
            has_refresh_token: false,
        };
        assert_eq!(response, Ok(expected));
        assert_eq!(read("{}"), Ok(Response::default()));
        assert_eq!(read(r#"{"scope":null,"access_token":null}"#), Ok(Response::default()));
    }

    #[test]
    fn a_refresh_token_is_noticed_in_every_spelling() {
        for key in ["refresh_token", "refreshToken", "RefreshToken", "REFRESH-TOKEN"] {
            for (value, there) in
                [("\"t\"", true), ("null", false), ("\"\"", false), ("[1]", true), ("{}", true)]
            {
                let response = read(&format!(r#"{{"{key}":{value}}}"#)).unwrap();
                assert_eq!(response.has_refresh_token, there, "{key} {value}");
            }
        }
    }

    #[test]
    fn what_is_no_response_is_broken() {
        for json in ["", "[]", "\"{}\"", "{", r#"{"scope":7}"#, r#"{"access_token":[]}"#] {
            assert_eq!(read(json), Err(Broken), "{json}");
        }
    }
}
