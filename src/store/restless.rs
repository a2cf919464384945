//! Which grants the last plan had something to do with. As long as nothing changes that plans
//! are made by, another one has to look at no others, but for those of which a scan changed
//! something since: over a million connections of which everybody was told, that is the
//! difference between a look and none.

use std::collections::BTreeSet;
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
const MOST: usize = 20_000;

/// The acts in the record that are neither scans nor messages on their way. Scans say themselves
/// what they change ([`stir`]), and each stands in both tables. The record itself may be closed
/// to whoever plans.
const ACTS: &str = "SELECT COALESCE((SELECT max(number - messages) FROM audit_head), 0) \
                    - (SELECT count(*) FROM scans)";
const SCAN: &str = "SELECT scan_id FROM scans WHERE outcome = 'complete' \
                    ORDER BY number DESC LIMIT 1";
const LIST: &str = "SELECT COALESCE(max(number), 0) FROM xero_lists";

/// What a plan is made on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footing {
    /// How many acts are in the record that are neither scans nor messages on their way.
    pub acts: i64,
    scan: Option<Uuid>,
    /// Xero's list, which brings connections back.
    list: i64,
}

/// Grants that plans have something to do with; nothing is known once they are too many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restless(Option<BTreeSet<GrantId>>);

impl Default for Restless {
    fn default() -> Self {
        Self(Some(BTreeSet::new()))
    }
}

impl Restless {
    /// Any grant may be one.
    pub(super) const ANY: Self = Self(None);

    pub fn add(&mut self, grant: GrantId) {
        if let Some(grants) = &mut self.0 {
            grants.insert(grant);
            if grants.len() > MOST {
                self.0 = None;
            }
        }
    }

    /// In order, unless they are too many.
    #[must_use]
    pub fn grants(&self) -> Option<&BTreeSet<GrantId>> {
        self.0.as_ref()
    }
}

impl FromIterator<GrantId> for Restless {
    fn from_iter<T: IntoIterator<Item = GrantId>>(grants: T) -> Self {
        let mut restless = Self::default();
        grants.into_iter().for_each(|grant| restless.add(grant));
        restless
    }
}

impl Store {
    /// What a plan that begins now is made on.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn footing(&self) -> Result<Footing, Error> {
        let acts = with_db!(self, db => sqlx::query_scalar(ACTS).fetch_one(db).await)?;
        let scan = with_db!(self, db => sqlx::query_scalar(SCAN).fetch_optional(db).await)?;
        let list = with_db!(self, db => sqlx::query_scalar(LIST).fetch_one(db).await)?;
        Ok(Footing { acts, scan, list })
    }

    /// The grants that a plan made by the same had something to do with, and those that changed
    /// since; `None` where nothing of that is known.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn restless(&self, made_by: &str) -> Result<Option<BTreeSet<GrantId>>, Error> {
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

    /// Remembers them, unless they are too many, or something has changed since the plan was
    /// begun.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn keep_restless(
        &self,
        made_by: &str,
        footing: Footing,
        restless: &Restless,
    ) -> Result<(), Error> {
        let Some(grants) = restless.grants() else { return Ok(()) };
        let text = format!("{made_by} {}", digits(grants));
        let mut tx = self.begin().await?;
        lock_for_scan(&mut tx).await?;
        let scan: Option<Uuid> =
            with_tx!(&mut tx, db => sqlx::query_scalar(SCAN).fetch_optional(db).await)?;
        let list: i64 = with_tx!(&mut tx, db => sqlx::query_scalar(LIST).fetch_one(db).await)?;
        if (scan, list) != (footing.scan, footing.list) {
            return tx.rollback().await;
        }
        set(&mut tx, RESTLESS, &text).await?;
        tx.commit().await
    }
}

fn digits(grants: &BTreeSet<GrantId>) -> String {
    let mut text = String::with_capacity(grants.len() * DIGITS);
    for grant in grants {
        let _ = write!(text, "{}", grant.0.simple());
    }
    text
}

/// These have changed: the next plan looks at them as well. Whoever says so holds the lock of
/// scans, or is one.
pub(super) async fn stir(tx: &mut Tx, changed: &Restless) -> Result<(), Error> {
    const FORGET: &str = "UPDATE settings SET value = '' WHERE name = $1 AND value <> ''";
    const ADD: &str = "UPDATE settings SET value = \
            CASE WHEN length(value) > $3 THEN '' ELSE value || $2 END \
        WHERE name = $1 AND value <> ''";
    let Some(grants) = changed.grants() else {
        with_tx!(tx, db => sqlx::query(FORGET).bind(RESTLESS).execute(db).await.map(|_| ()))?;
        return Ok(());
    };
    if grants.is_empty() {
        return Ok(());
    }
    let most = i64::try_from(MOST * DIGITS).unwrap_or(i64::MAX);
    let added = digits(grants);
    with_tx!(tx, db => {
        sqlx::query(ADD).bind(RESTLESS).bind(added).bind(most).execute(db).await.map(|_| ())
    })?;
    Ok(())
}
