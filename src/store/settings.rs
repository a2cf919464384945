//! Facts about the database itself: which app it serves, and the keys that hide people in
//! logs and tell rows apart. They are made once, when the database is first used.

use sqlx::AssertSqlSafe;

use super::{Error, Store, Tx, with_db, with_tx};

/// Chosen at random for each database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// For the fingerprints of inventory rows.
    pub fingerprint: [u8; 16],
    /// For the pseudonyms of recipients. Destroying it makes them meaningless.
    pub pseudonym: [u8; 32],
}

pub(super) const CLIENT_ID: &str = "client_id";
pub(super) const FINGERPRINT_KEY: &str = "fingerprint_key";
pub(super) const PSEUDONYM_KEY: &str = "pseudonym_key";
/// When the campaign was closed and the key of its pseudonyms destroyed.
pub(super) const CLOSED: &str = "closed_at";

impl Store {
    /// Binds an unused database to an app, with `fresh` as its keys, and refuses another
    /// app's. Gives the keys in force.
    ///
    /// # Errors
    /// The database serves another app, or cannot be used.
    pub async fn bind(&self, client_id: &str, fresh: &Keys) -> Result<Keys, Error> {
        if let Some(keys) = self.bound_keys(client_id).await? {
            return Ok(keys);
        }
        let mut tx = self.begin().await?;
        for (name, value) in [
            (CLIENT_ID, client_id.to_owned()),
            (FINGERPRINT_KEY, hex(&fresh.fingerprint)),
            (PSEUDONYM_KEY, hex(&fresh.pseudonym)),
        ] {
            put(&mut tx, name, &value).await?;
        }
        tx.commit().await?;
        // Read back: another worker may have been first.
        self.bound_keys(client_id)
            .await?
            .ok_or_else(|| Error::inconsistent("settings", "name", CLIENT_ID))
    }

    /// The keys of a database that serves this app; `None` when it serves nobody yet.
    ///
    /// # Errors
    /// The database serves another app, or cannot be used.
    pub async fn bound_keys(&self, client_id: &str) -> Result<Option<Keys>, Error> {
        let Some(bound) = self.setting(CLIENT_ID).await? else { return Ok(None) };
        if !bound.eq_ignore_ascii_case(client_id) {
            return Err(Error::OtherApp { bound, configured: client_id.to_owned() });
        }
        let keys = Keys {
            fingerprint: self.key(FINGERPRINT_KEY).await?,
            pseudonym: self.key(PSEUDONYM_KEY).await?,
        };
        Ok(Some(keys))
    }

    /// What decides who is passed over where a stage holds a share back: the key of the
    /// pseudonyms, since it is as old as the database and as secret. Empty once that is destroyed.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn hold_back_key(&self) -> Result<Vec<u8>, Error> {
        let key = self.setting(PSEUDONYM_KEY).await?.as_deref().and_then(unhex::<32>);
        Ok(key.map(Vec::from).unwrap_or_default())
    }

    async fn key<const N: usize>(&self, name: &'static str) -> Result<[u8; N], Error> {
        let text = self.setting(name).await?.unwrap_or_default();
        unhex(&text).ok_or_else(|| Error::inconsistent("settings", "value", name))
    }

    pub(super) async fn setting(&self, name: &str) -> Result<Option<String>, Error> {
        const SQL: &str = "SELECT value FROM settings WHERE name = $1";
        Ok(with_db!(self, db => sqlx::query_scalar(SQL).bind(name).fetch_optional(db).await)?)
    }
}

/// Writes a fact that is not there yet.
pub(super) async fn put(tx: &mut Tx, name: &str, value: &str) -> Result<(), Error> {
    const SQL: &str =
        "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    with_tx!(tx, db => sqlx::query(SQL).bind(name).bind(value).execute(db).await.map(|_| ()))?;
    Ok(())
}

/// Writes a fact, whatever it was before.
pub(super) async fn set(tx: &mut Tx, name: &str, value: &str) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO settings (name, value) VALUES ($1, $2) \
                       ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    with_tx!(tx, db => sqlx::query(SQL).bind(name).bind(value).execute(db).await.map(|_| ()))?;
    Ok(())
}

/// Holds the one row that every scan locks, so that two scans of one database follow each
/// other. On SQLite the write transaction itself does that.
pub(super) async fn lock_for_scan(tx: &mut Tx) -> Result<(), Error> {
    let lock = match tx {
        Tx::Sqlite(_) => return Ok(()),
        Tx::Postgres(_) => "SELECT value FROM settings WHERE name = $1 FOR UPDATE",
    };
    with_tx!(tx, db => sqlx::query(AssertSqlSafe(lock)).bind(CLIENT_ID).execute(db).await.map(|_| ()))?;
    Ok(())
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_their_text() {
        assert_eq!(unhex::<3>(&hex(&[0, 171, 255])), Some([0, 171, 255]));
        assert_eq!(unhex::<3>("00ab"), None);
        assert_eq!(unhex::<1>("zz"), None);
    }
}
