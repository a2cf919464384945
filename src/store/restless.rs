//! Which grants the last plan had something to do with. As long as nothing changes that plans
//! are made by, another one has to look at no others: over a million connections of which
//! everybody was told, that is the difference between a look and none.

use std::fmt::Write;

use uuid::Uuid;

use crate::domain::grant::GrantId;

use super::settings::{lock_for_scan, set};
use super::{Error, Store, Tx, with_db, with_tx};

/// Its name among the settings.
const RESTLESS: &str = "restless";

/// Digits of a grant in the text.
const DIGITS: usize = 32;

/// More are not remembered: a plan that has to do with so many takes its time anyway.
pub const MOST: usize = 20_000;

/// The acts in the record that are no scans: those that change something say so themselves
/// ([`stir`]), and each stands in both tables. The record itself may be closed to whoever plans.
const ACTS: &str = "SELECT COALESCE((SELECT max(number) FROM audit_head), 0) \
                    - (SELECT count(*) FROM scans)";
const SCAN: &str = "SELECT scan_id FROM scans WHERE outcome = 'complete' \
                    ORDER BY number DESC LIMIT 1";

/// What a plan is made on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footing {
    /// How many acts are in the record that are no scans.
    pub acts: i64,
    scan: Option<Uuid>,
}

impl Store {
    /// What a plan that begins now is made on.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn footing(&self) -> Result<Footing, Error> {
        let acts = with_db!(self, db => sqlx::query_scalar(ACTS).fetch_one(db).await)?;
        let scan = with_db!(self, db => sqlx::query_scalar(SCAN).fetch_optional(db).await)?;
        Ok(Footing { acts, scan })
    }

    /// The grants that a plan made by the same had something to do with; `None` where nothing
    /// of that is known, or something has changed since.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn restless(&self, made_by: &str) -> Result<Option<Vec<GrantId>>, Error> {
        let Some(text) = self.setting(RESTLESS).await? else { return Ok(None) };
        let Some(grants) = text.strip_prefix(made_by).and_then(|rest| rest.strip_prefix(' '))
        else {
            return Ok(None);
        };
        let whole = || Error::inconsistent("settings", "value", RESTLESS);
        let grants = grants.as_bytes().chunks(DIGITS).map(|digits| {
            let id = Uuid::try_parse_ascii(digits).map_err(|_| whole())?;
            Ok(GrantId(id))
        });
        grants.collect::<Result<_, Error>>().map(Some)
    }

    /// Remembers them, unless something has changed since the plan was begun.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn keep_restless(
        &self,
        made_by: &str,
        footing: Footing,
        grants: &[GrantId],
    ) -> Result<(), Error> {
        let mut text = String::with_capacity(made_by.len() + 1 + grants.len() * DIGITS);
        let _ = write!(text, "{made_by} ");
        for grant in grants {
            let _ = write!(text, "{}", grant.0.simple());
        }
        let mut tx = self.begin().await?;
        lock_for_scan(&mut tx).await?;
        let scan: Option<Uuid> =
            with_tx!(&mut tx, db => sqlx::query_scalar(SCAN).fetch_optional(db).await)?;
        if scan != footing.scan {
            return tx.rollback().await;
        }
        set(&mut tx, RESTLESS, &text).await?;
        tx.commit().await
    }
}

/// Forgets it: connections, or what is known of them, have changed.
pub(super) async fn stir(tx: &mut Tx) -> Result<(), Error> {
    const SQL: &str = "UPDATE settings SET value = '' WHERE name = $1 AND value <> ''";
    with_tx!(tx, db => sqlx::query(SQL).bind(RESTLESS).execute(db).await.map(|_| ()))?;
    Ok(())
}
