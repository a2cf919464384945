//! The first part of a scan: reading the inventory. Rows that the last scan read as they
//! are now are only marked as seen; the others are parsed and laid out by connection.
//! Nothing is written to the database.

use std::collections::HashSet;

use tokio_util::sync::CancellationToken;

use crate::domain::connection::take_apart;
use crate::domain::grant::ConnectionKey;
use crate::domain::ids::TenantId;
use crate::domain::pseudonym::Forgotten;
use crate::domain::row::Warnings;
use crate::domain::scopes::ScopeSet;
use crate::inventory::{self, BadReason, BadRow, FingerprintKey, RawRow, Reader, ScopeMemo, parse};
use crate::jobs::progress::Watcher;
use crate::jobs::sorter::Sorter;
use crate::store::scans::BadRowRecord;

use super::Error;
use super::known::{Known, Print};
use super::record::{Claim, Draft, Packed, Sighting, write};

/// Bad rows that are remembered one by one; the rest is only counted.
const REMEMBERED: usize = 10_000;

/// How many good rows carry which warning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WarningCounts {
    pub address: u64,
    pub time_zone: u64,
    pub date: u64,
}

impl WarningCounts {
    fn add(&mut self, warnings: Warnings) {
        self.address += u64::from(warnings.address);
        self.time_zone += u64::from(warnings.time_zone);
        self.date += u64::from(warnings.date);
    }
}

/// All bad rows of a scan so far.
#[derive(Debug, Default)]
pub(super) struct BadRows {
    pub count: u64,
    pub records: Vec<BadRowRecord>,
    /// The same rows in any order give the same sum, for the guard's digest.
    pub sum: u128,
}

impl BadRows {
    pub(super) fn add(&mut self, bad: &BadRow, print: u64, key: Option<ConnectionKey>) {
        self.count += 1;
        let field = bad.column.map(|column| column.name().to_owned());
        let code = bad.reason.code();
        self.sum = self.sum.wrapping_add(super::guard::weigh(&[
            "bad",
            code,
            field.as_deref().unwrap_or_default(),
            &format!("{:?} {:?}", bad.connection, bad.tenant),
        ]));
        if self.records.len() < REMEMBERED {
            tracing::warn!(
                place = %bad.place,
                field = field.as_deref().unwrap_or("-"),
                code,
                "bad row: {bad}"
            );
            self.records.push(BadRowRecord {
                fingerprint: print,
                place: bad.place.to_string(),
                field,
                code: code.to_owned(),
                reason: bad.reason.to_string(),
                key,
            });
        }
    }
}

/// What the reading gave.
#[derive(Debug)]
pub(super) struct Gathered {
    pub rows: u64,
    pub known: Known,
    pub warnings: WarningCounts,
    pub bad: BadRows,
    /// Tenants of bad rows that name no connection.
    pub bad_tenants: HashSet<TenantId>,
    /// Bad rows that name nothing, and were not there in the last complete scan: a
    /// connection that is missing now may be one of them.
    pub fresh_nameless: u64,
    pub nameless: u64,
    pub drafts: u64,
}

/// Memory for what is written of one row, to be used again for the next.
#[derive(Default)]
struct Buffers {
    row: Vec<u8>,
    sighting: Vec<u8>,
}

/// What a reading is done by.
pub(super) struct Gather<'a> {
    pub rules: &'a inventory::Rules,
    pub key: FingerprintKey,
    pub salt: u64,
    /// Bad rows of the last complete scan.
    pub known_bad: HashSet<u64>,
    /// Of whom nothing is kept, whatever the host still lists.
    pub forgotten: &'a Forgotten,
    pub watcher: &'a dyn Watcher,
    pub cancel: &'a CancellationToken,
}

impl Gather<'_> {
    /// Reads all of `reader`, putting sightings into `sorter` by connection.
    pub(super) async fn run(
        &self,
        mut reader: Reader,
        memo: &mut ScopeMemo,
        known: Known,
        sorter: &mut Sorter,
    ) -> Result<Gathered, Error> {
        let mut gathered = Gathered {
            rows: 0,
            known,
            warnings: WarningCounts::default(),
            bad: BadRows::default(),
            bad_tenants: HashSet::new(),
            fresh_nameless: 0,
            nameless: 0,
            drafts: 0,
        };
        let mut buffers = Buffers::default();
        loop {
            let batch = tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Err(Error::Interrupted),
                batch = reader.next() => batch?,
            };
            let Some(batch) = batch else { break };
            for raw in batch.rows() {
                self.row(&raw, memo, &mut gathered, sorter, &mut buffers)?;
            }
            reader.recycle(batch);
            self.watcher.reading(gathered.rows, reader.progress());
        }
        Ok(gathered)
    }

    fn row(
        &self,
        raw: &RawRow<'_>,
        memo: &mut ScopeMemo,
        gathered: &mut Gathered,
        sorter: &mut Sorter,
        buffers: &mut Buffers,
    ) -> Result<(), Error> {
        let Buffers { row: packed, sighting: buffer } = buffers;
        gathered.rows += 1;
        let hash = raw.fingerprint(&self.key, self.salt);
        if let Some(print) = gathered.known.see(hash) {
            gathered.warnings.add(print.warnings());
            return Ok(());
        }
        match parse(raw, self.rules, memo) {
            Ok((row, warnings)) => {
                gathered.warnings.add(warnings);
                gathered.drafts += 1;
                let (key, facts, mut person) = take_apart(row);
                self.forgotten.erase(&mut person);
                let draft = Draft::new(Print::new(hash, warnings), raw.place(), facts, person);
                write(&draft, packed)?;
                let claim = Claim::of(&draft.facts);
                write(&Sighting::Row { claim, row: Packed(packed) }, buffer)?;
                sorter.push(key.0.as_u128(), buffer)?;
            }
            Err(bad) => {
                let key = bad.connection.map(|id| ConnectionKey(id.0));
                gathered.bad.add(&bad, hash, key);
                match (key, bad.tenant) {
                    (Some(key), _) => {
                        write(&Sighting::Bad, buffer)?;
                        sorter.push(key.0.as_u128(), buffer)?;
                    }
                    (None, Some(tenant)) => {
                        gathered.bad_tenants.insert(tenant);
                    }
                    (None, None) => {
                        gathered.nameless += 1;
                        if !self.known_bad.contains(&hash) {
                            gathered.fresh_nameless += 1;
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

/// A bad row found by comparing rows of one connection.
pub(super) fn rows_differ(draft: &Draft) -> BadRow {
    BadRow {
        place: draft.place(),
        column: None,
        reason: BadReason::RowsDiffer,
        connection: draft.facts.id,
        tenant: Some(draft.facts.tenant),
        user: None,
    }
}

/// What the readiness of every connection was judged by, as one text.
pub(super) fn judged_by(required: ScopeSet, app_flow: crate::domain::row::Flow) -> String {
    format!("{} flow={}", required.canonical(), app_flow.as_str())
}
