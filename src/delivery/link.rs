//! The links in messages: an address of the host's own, with a signed token that says which
//! consent to ask for. It opens nothing by itself, since the host demands a log-in before it
//! acts on one (docs/link.md). The same facts give the same token, to the byte.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use uuid::Uuid;

use crate::domain::consent::LinkAddress;
use crate::domain::digest::{Digest, DigestGrant, reference};
use crate::domain::grant::GrantId;
use crate::domain::ids::TenantId;

/// Begins every token: what follows it, and how it is signed, may change with the number.
const VERSION: &str = "v1";
/// Stands where the signature would, in a link that must not work.
const CUT: &str = "signature-cut";
/// Longer than any token of ours, and short enough to be looked at.
const MAX_LENGTH: usize = 4096;

/// What a token says. The order of the fields is that of its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The app's client id.
    pub app: String,
    /// The Xero user who consented; with `tenant`, the connection by itself.
    pub grant: GrantId,
    /// Only where no person is known: the tenant of the one connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// What to ask for: scope names in order, one space between them.
    pub scopes: String,
    /// When the token ends: seconds since 1970.
    pub exp: i64,
    /// The message's reference.
    #[serde(rename = "ref")]
    pub reference: String,
}

/// Why a token is not to be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("the link is incomplete or no link of ours")]
    Malformed,
    #[error("the link's signature is not ours")]
    Forged,
    #[error("the link has ended")]
    Expired,
}

impl TokenError {
    /// What to tell the person who followed it.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Malformed => "open the link in the message again, whole",
            Self::Forged => "open the link in the newest message",
            Self::Expired => "log in and reconnect from the product's own settings",
        }
    }
}

/// Makes the links of one app.
pub struct Links {
    address: LinkAddress,
    app: String,
    /// `None`: signatures are cut.
    signing: Option<SecretString>,
}

impl Links {
    /// Links that work, signed with the first of the app's secrets.
    #[must_use]
    pub fn signed(address: LinkAddress, client_id: &str, secret: SecretString) -> Self {
        Self { address, app: client_id.to_owned(), signing: Some(secret) }
    }

    /// Links for looking at.
    #[must_use]
    pub fn cut(address: LinkAddress, client_id: &str) -> Self {
        Self { address, app: client_id.to_owned(), signing: None }
    }

    /// The link to the consent for one grant of a prompt.
    #[must_use]
    pub fn link(&self, digest: &Digest, grant: &DigestGrant) -> String {
        let tenant = match grant.user {
            Some(_) => None,
            None => grant.connections.first().map(|connection| connection.tenant),
        };
        self.to(Claims {
            app: self.app.clone(),
            grant: grant.grant,
            tenant,
            scopes: grant.scopes.clone(),
            exp: digest.links_until.timestamp(),
            reference: digest.reference(),
        })
    }

    /// The link to a consent for a host that sends by its own means. `tenant` is the
    /// connection's own where no Xero user is known.
    #[must_use]
    pub fn own(
        &self,
        grant: GrantId,
        tenant: Option<TenantId>,
        scopes: String,
        until: DateTime<Utc>,
        named: &[&str],
    ) -> String {
        let reference = reference(self.id(named));
        let app = self.app.clone();
        self.to(Claims { app, grant, tenant, scopes, exp: until.timestamp(), reference })
    }

    fn to(&self, claims: Claims) -> String {
        let signed = unsigned(&claims);
        let signature = match &self.signing {
            Some(secret) => URL_SAFE_NO_PAD.encode(mac(secret, &signed).finalize().into_bytes()),
            None => CUT.to_owned(),
        };
        self.address.with_token(&format!("{signed}.{signature}"))
    }

    /// The id of what is named by these words: it tells nobody anything, and whoever has
    /// the secret finds the same.
    #[must_use]
    pub fn id(&self, words: &[&str]) -> Uuid {
        let named = words.iter().fold(String::from("id"), |all, word| all + "\0" + word);
        let cut = SecretString::from(CUT);
        let mac = mac(self.signing.as_ref().unwrap_or(&cut), &named).finalize().into_bytes();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&mac[..16]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }
}

/// The part that is signed.
fn unsigned(claims: &Claims) -> String {
    let payload = serde_json::to_vec(claims).unwrap_or_default();
    format!("{VERSION}.{}", URL_SAFE_NO_PAD.encode(payload))
}

fn mac(secret: &SecretString, signed: &str) -> Hmac<Sha256> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.expose_secret().as_bytes())
        .expect("HMAC takes keys of any length");
    mac.update(signed.as_bytes());
    mac
}

/// Reads a token as a host does (docs/link.md): with any of the app's secrets, and in time
/// that does not tell how much of a signature was right.
///
/// # Errors
/// It is none of ours, or has ended.
pub fn verify(
    token: &str,
    secrets: &[SecretString],
    now: DateTime<Utc>,
) -> Result<Claims, TokenError> {
    if token.len() > MAX_LENGTH {
        return Err(TokenError::Malformed);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
    let payload = signed
        .strip_prefix(VERSION)
        .and_then(|rest| rest.strip_prefix('.'))
        .ok_or(TokenError::Malformed)?;
    let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|_| TokenError::Malformed)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenError::Malformed)?;
    // Every secret is tried, so that the time does not tell which one fitted either.
    let fitting = secrets
        .iter()
        .filter(|secret| mac(secret, signed).verify_slice(&signature).is_ok())
        .count();
    if fitting == 0 {
        return Err(TokenError::Forged);
    }
    let claims: Claims = serde_json::from_slice(&payload).map_err(|_| TokenError::Malformed)?;
    if now.timestamp() >= claims.exp {
        return Err(TokenError::Expired);
    }
    Ok(claims)
}
