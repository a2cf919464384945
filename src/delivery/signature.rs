//! Signatures of webhooks as Standard Webhooks 1.0 lays them down (docs/webhooks.md).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::Sha256;

/// What the receiver knows too.
#[derive(Clone, Debug)]
pub struct Secret(SecretSlice<u8>);

/// A text that is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSecret {
    #[error("the webhook's secret is empty")]
    Empty,
    #[error("the webhook's secret begins with whsec_, and what follows is not base64")]
    NoBase64,
}

impl BadSecret {
    /// What to do about it.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        "make one with `echo whsec_$(openssl rand -base64 32)`, and give it to the receiver too"
    }
}

impl Secret {
    /// `whsec_` and base64, or any other text, whose bytes are the key then.
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse(text: &str) -> Result<Self, BadSecret> {
        let bytes = match text.trim().strip_prefix("whsec_") {
            Some(encoded) => STANDARD.decode(encoded).map_err(|_| BadSecret::NoBase64)?,
            None => text.trim().as_bytes().to_vec(),
        };
        if bytes.is_empty() {
            return Err(BadSecret::Empty);
        }
        Ok(Self(bytes.into()))
    }

    fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.expose_secret())
            .expect("HMAC takes keys of any length");
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// The header `webhook-signature`: one signature for each secret, so that a receiver that
/// knows any of them can verify.
#[must_use]
pub fn signatures(secrets: &[Secret], id: &str, at: DateTime<Utc>, body: &[u8]) -> String {
    let each = secrets.iter().map(|secret| secret.sign(id, at.timestamp(), body));
    each.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference libraries.
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;

    fn at() -> DateTime<Utc> {
        DateTime::from_timestamp(1_614_265_330, 0).unwrap()
    }

    #[test]
    fn the_signature_is_that_of_the_specification() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = signatures(&[secret], ID, at(), BODY);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn each_secret_signs_while_one_takes_over_from_another() {
        let encoded = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let plain = Secret::parse("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let both = signatures(&[plain.clone(), encoded.clone()], ID, at(), BODY);
        let each = [plain, encoded].map(|secret| signatures(&[secret], ID, at(), BODY));
        assert_eq!(both, each.join(" "));
        assert_ne!(each[0], each[1]);
    }

    #[test]
    fn what_is_no_secret_is_refused_and_none_is_ever_shown() {
        assert_eq!(Secret::parse("whsec_!").unwrap_err(), BadSecret::NoBase64);
        assert_eq!(Secret::parse("whsec_").unwrap_err(), BadSecret::Empty);
        assert_eq!(Secret::parse(" ").unwrap_err(), BadSecret::Empty);
        assert!(!format!("{:?}", Secret::parse("hushhush").unwrap()).contains("hush"));
    }
}
