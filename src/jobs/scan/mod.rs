//! The scan: reads the inventory, classifies every connection, and puts the result in force
//! in one transaction, or nothing of it.
//!
//! Three parts, each in bounded memory: `gather` reads and lays out by connection what is
//! new or changed, `unite` compares rows of one connection and turns them into events of
//! grants, `settle` judges the grants concerned. The store is read as the last complete
//! scan left it, while one transaction takes what changes; the `guard` has the last word.

mod cover;
mod gather;
pub mod guard;
mod known;
mod record;
mod settle;
mod turned;
mod unite;

use std::hash::Hasher;

use chrono::{DateTime, Utc};
use siphasher::sip::SipHasher13;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::domain::campaign::GuardLimits;
use crate::domain::ids::TenantId;
use crate::domain::row::Flow;
use crate::domain::scopes::ScopeSet;
use crate::domain::tally::Tally;
use crate::inventory::{self, FingerprintKey, Reader, ScopeMemo};
use crate::jobs::progress::Watcher;
use crate::jobs::sorter::Sorter;
use crate::store::scans::{LastScan, Outcome, ScanRecord};
use crate::store::settings::Keys;
use crate::store::writer::ScanWriter;
use crate::store::{self, ScopeSets, Store};

pub use gather::WarningCounts;
pub use guard::{Effect, Objection};

use gather::{Gather, Gathered, judged_by};
use known::Known;
use record::{Event, Sighting, write};
use settle::Settle;
use turned::Turned;
use unite::Unite;

/// Part of every fingerprint: changes when rows are parsed otherwise than before, so that
/// all of them are read anew.
const PARSER: u64 = 1;
/// Room is made for no more rows than this beforehand, whatever the database says.
const MOST_ROWS: usize = 1 << 26;

/// Why a scan came to no end. It changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Inventory(#[from] inventory::Error),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("the temporary files of the scan cannot be written or read: {0}")]
    Temporary(#[from] std::io::Error),
    #[error("the scan was interrupted")]
    Interrupted,
}

/// What a scan is done by.
pub struct Scan<'a> {
    pub store: &'a Store,
    pub keys: &'a Keys,
    pub rules: &'a inventory::Rules,
    pub required: ScopeSet,
    pub app_flow: Flow,
    /// Xero's own list is to be had, and tells whether a removed connection has come back.
    /// Without it, what a row shows that is newer than the removal does.
    pub has_list: bool,
    pub limits: GuardLimits,
    pub now: DateTime<Utc>,
    pub run_id: Uuid,
    pub scan_id: Uuid,
    pub watcher: &'a dyn Watcher,
    pub cancel: &'a CancellationToken,
}

/// What a scan found, whether or not it is in force.
#[derive(Clone, Debug)]
pub struct Summary {
    pub effect: Effect,
    pub warnings: WarningCounts,
    /// As it would be with this scan in force.
    pub tally: Tally,
    /// What the guard had against it; with the digest that names this very scan.
    pub objections: Vec<Objection>,
    pub digest: Option<String>,
    /// A named person let it through.
    pub accepted: bool,
    /// No scan was complete before it.
    pub first: bool,
}

impl Summary {
    #[must_use]
    pub fn is_in_force(&self) -> bool {
        self.objections.is_empty() || self.accepted
    }
}

/// What was so when the scan began to read, and has to be so still when it writes.
struct Since {
    last: Option<LastScan>,
    /// How many people were erased.
    forgotten: usize,
}

impl Scan<'_> {
    /// Scans. What was read is in force afterwards, unless the guard stopped it.
    ///
    /// # Errors
    /// The inventory, the database or the temporary directory cannot be used, or the scan
    /// was interrupted. Then nothing has changed.
    pub async fn run(&self, reader: Reader) -> Result<Summary, Error> {
        let last = self.store.last_complete_scan().await?;
        // As many as there will be: a list that doubles holds three times that in the end.
        let rows = last.as_ref().map_or(0, |last| last.rows_read);
        let mut known = Vec::with_capacity(usize::try_from(rows).unwrap_or(0).min(MOST_ROWS));
        self.store.fingerprints(|print| known.push(print)).await?;
        let known = Known::new(known);
        let nothing_known = known.is_empty() && last.is_none();

        let forgotten = self.store.forgotten(self.keys.pseudonym).await?;
        let mut sightings = Sorter::default();
        let mut memo = ScopeMemo::default();
        let gather = Gather {
            rules: self.rules,
            key: FingerprintKey(self.keys.fingerprint),
            salt: self.salt(),
            known_bad: self.store.known_bad_rows().await?.into_iter().collect(),
            forgotten: &forgotten,
            watcher: self.watcher,
            cancel: self.cancel,
        };
        let mut gathered = gather.run(reader, &mut memo, known, &mut sightings).await?;
        report_unknown_scopes(&memo);
        drop(memo);

        let sets = self.store.scope_sets().await?;
        if !nothing_known {
            self.sight_the_missing(&gathered, &sets, &mut sightings).await?;
        }
        let mut events = Sorter::default();
        let mut unite = Unite::new(self.store, &sets, nothing_known, &mut gathered, &mut events);
        unite.run(sightings.finish()?).await?;
        let judged_by = judged_by(self.required, self.app_flow);
        if last.as_ref().is_some_and(|last| last.required_scopes != judged_by) {
            self.judge_all(&mut events).await?;
        }
        let since = Since { last, forgotten: forgotten.count() };
        self.put_in_force(since, nothing_known, judged_by, gathered, sets, events).await
    }

    fn salt(&self) -> u64 {
        let mut hash = SipHasher13::new();
        hash.write_u64(PARSER);
        hash.write(self.rules.client_id.to_ascii_lowercase().as_bytes());
        hash.write_u8(u8::from(self.rules.ignore_refresh_tokens));
        hash.finish()
    }

    /// Adds what was not read: rows that were there before, and connections that a bad row
    /// may stand for.
    async fn sight_the_missing(
        &self,
        gathered: &Gathered,
        sets: &ScopeSets,
        sightings: &mut Sorter,
    ) -> Result<(), Error> {
        let mut mark = Vec::new();
        write(&Sighting::Unseen, &mut mark)?;
        if gathered.known.unseen() > 0 {
            self.store
                .fingerprints_by_connection(|key, print| {
                    if gathered.known.is_seen(print) {
                        return Ok(());
                    }
                    sightings.push(key.0.as_u128(), &mark).map_err(Error::from)
                })
                .await?;
        }
        for key in self.store.keys_with_bad_rows().await? {
            sightings.push(key.0.as_u128(), &mark)?;
        }
        write(&Sighting::PerhapsBad, &mut mark)?;
        let tenants: Vec<TenantId> = gathered.bad_tenants.iter().copied().collect();
        for tenants in tenants.chunks(500) {
            for connection in self.store.connections_of_tenants(tenants, sets).await? {
                let is_seen = |print: u64| gathered.known.is_seen(print);
                let prints = connection.people.iter().map(|person| person.fingerprint);
                if !prints.into_iter().all(|print| print.is_some_and(is_seen)) {
                    sightings.push(connection.key.0.as_u128(), &mark)?;
                }
            }
        }
        Ok(())
    }

    async fn judge_all(&self, events: &mut Sorter) -> Result<(), Error> {
        let mut event = Vec::new();
        write(&(crate::domain::grant::ConnectionKey(Uuid::nil()), Event::Judge), &mut event)?;
        self.store.grants(|grant| events.push(grant.0.as_u128(), &event).map_err(Error::from)).await
    }

    async fn put_in_force(
        &self,
        since: Since,
        nothing_known: bool,
        judged_by: String,
        mut gathered: Gathered,
        sets: ScopeSets,
        events: Sorter,
    ) -> Result<Summary, Error> {
        let Since { last, forgotten } = since;
        let scan_before = last.as_ref().map(|last| last.scan_id);
        // Waits for as long as another scan of this database takes.
        let mut writer = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Err(Error::Interrupted),
            writer = ScanWriter::begin(
                self.store, scan_before, sets.clone(), self.now, self.run_id,
            ) => writer?,
        };
        // What was read may name somebody who was erased since.
        if writer.count_forgotten().await? != forgotten {
            writer.abandon().await?;
            return Err(store::Error::Overtaken.into());
        }
        if nothing_known {
            writer.expect_first(gathered.drafts).await?;
        }
        let turned = match self.settle(nothing_known, &gathered, &sets, events, &mut writer).await {
            Ok(turned) => turned,
            Err(error) => {
                writer.abandon().await?;
                return Err(error);
            }
        };
        let tally = writer.tally().await?;
        let effect = Effect {
            rows: gathered.rows,
            bad_rows: gathered.bad.count,
            // What was removed is listed all the same: our own doing must not look like a loss.
            seen: tally.connections - tally.row_bad + tally.removed_listed,
            before: last.as_ref().map(|last| u64::try_from(last.connections).unwrap_or_default()),
            changed: turned.changed,
            newly_gone: turned.newly_gone,
        };
        let objections = guard::objections(&effect, &self.limits);
        let digest = (!objections.is_empty()).then(|| {
            guard::digest(scan_before, &objections, &effect, turned.sum, gathered.bad.sum)
        });
        let accepted = match &digest {
            Some(digest) => writer.use_acceptance(digest).await?,
            None => false,
        };
        let summary = Summary {
            effect,
            warnings: gathered.warnings,
            tally,
            objections,
            digest,
            accepted,
            first: last.is_none(),
        };
        let record = self.record(&summary, judged_by);
        if self.cancel.is_cancelled() {
            writer.abandon().await?;
            return Err(Error::Interrupted);
        }
        if summary.is_in_force() {
            let bad_rows = std::mem::take(&mut gathered.bad.records);
            writer.complete(&record, &bad_rows).await?;
        } else {
            writer.abandon().await?;
            self.store.record_stopped_scan(&record).await?;
        }
        Ok(summary)
    }

    async fn settle(
        &self,
        nothing_known: bool,
        gathered: &Gathered,
        sets: &ScopeSets,
        events: Sorter,
        writer: &mut ScanWriter,
    ) -> Result<Turned, Error> {
        let settle = Settle {
            store: self.store,
            sets,
            first: nothing_known,
            known: &gathered.known,
            required: self.required,
            app_flow: self.app_flow,
            has_list: self.has_list,
            now: self.now,
            watcher: self.watcher,
            cancel: self.cancel,
        };
        let turned = settle.run(events.finish()?, writer).await;
        self.watcher.done();
        turned
    }

    fn record(&self, summary: &Summary, judged_by: String) -> ScanRecord {
        let reasons: Vec<String> = summary.objections.iter().map(Objection::to_string).collect();
        ScanRecord {
            scan_id: self.scan_id,
            run_id: self.run_id,
            finished_at: self.now,
            outcome: if summary.is_in_force() { Outcome::Complete } else { Outcome::Stopped },
            rows_read: summary.effect.rows,
            bad_rows: summary.effect.bad_rows,
            connections: summary.tally.connections,
            changed: summary.effect.changed,
            newly_gone: summary.effect.newly_gone,
            digest: summary.digest.clone(),
            reasons: (!reasons.is_empty()).then(|| reasons.join("; ")),
            required_scopes: judged_by,
        }
    }
}

/// Unknown words count for nothing, but a misspelt scope in a thousand grants is worth
/// knowing.
fn report_unknown_scopes(memo: &ScopeMemo) {
    for unknown in memo.unknown() {
        let meant = unknown.meant.as_deref().unwrap_or("-");
        tracing::warn!(
            word = unknown.word,
            meant,
            times = unknown.times,
            "unknown scope {:?} counts for nothing{}",
            unknown.word,
            unknown.meant.as_ref().map(|meant| format!("; meant {meant:?}?")).unwrap_or_default()
        );
    }
    if memo.unknown_others() > 0 {
        tracing::warn!(times = memo.unknown_others(), "further unknown words in scope texts");
    }
}
