//! The tables that a scan fills: their columns, and how a record becomes a row of each.

use chrono::{DateTime, Datelike, Utc};

use crate::domain::address::Address;
use crate::domain::connection::{Connection, Responsible};
use crate::domain::grant::{ConnectionKey, Unsettled};

use super::ScopeSets;
use super::bulk::{Cell, Kind, Target};
use super::connections::evidence_text;
use super::writer::GrantRecord;

pub(super) const SCOPE_SETS: Target = Target {
    table: "scope_sets",
    columns: &[("id", Kind::Int), ("scopes", Kind::Text)],
    key: None,
    keep: &[],
};

pub(super) const GRANTS: Target = Target {
    table: "grants",
    columns: &[
        ("grant_id", Kind::Uuid),
        ("class", Kind::Text),
        ("unsettled", Kind::Text),
        ("scope_set", Kind::Int),
        ("evidence_source", Kind::Text),
        ("evidence_at", Kind::Time),
        ("ready", Kind::Bool),
        ("first_seen_at", Kind::Time),
        ("ready_at", Kind::Time),
    ],
    key: Some("grant_id"),
    keep: &["first_seen_at", "ready_at"],
};

pub(super) const CONNECTIONS: Target = Target {
    table: "connections",
    columns: &[
        ("connection_key", Kind::Uuid),
        ("connection_id", Kind::Uuid),
        ("grant_id", Kind::Uuid),
        ("tenant_id", Kind::Uuid),
        ("tenant_name", Kind::Text),
        ("tenant_type", Kind::Text),
        ("account_id", Kind::Text),
        ("auth_event_id", Kind::Uuid),
        ("flow", Kind::Text),
        ("connected_at", Kind::Time),
        ("updated_at", Kind::Time),
        ("last_used_at", Kind::Time),
        ("required_set", Kind::Int),
        ("evidence", Kind::Text),
        ("doubt", Kind::Text),
        ("presence", Kind::Text),
        ("class", Kind::Text),
        ("readiness", Kind::Text),
        ("some_evidence_ready", Kind::Bool),
        ("token_behind", Kind::Bool),
        ("manual", Kind::Bool),
        ("reachable", Kind::Bool),
        ("covered", Kind::Bool),
        ("first_seen_at", Kind::Time),
        ("absent_since", Kind::Time),
        ("connected_year", Kind::Int),
        ("locale", Kind::Text),
    ],
    key: Some("connection_key"),
    keep: &["first_seen_at", "covered"],
};

pub(super) const PEOPLE: Target = Target {
    table: "people",
    columns: &[
        ("connection_key", Kind::Uuid),
        ("fingerprint", Kind::Int),
        ("recipient", Kind::Text),
        ("email", Kind::Text),
        ("name", Kind::Text),
        ("locale", Kind::Text),
        ("time_zone", Kind::Text),
        ("country", Kind::Text),
    ],
    key: None,
    keep: &[],
};

pub(super) const CHANGES: Target = Target {
    table: "changes",
    columns: &[
        ("connection_key", Kind::Uuid),
        ("changed_at", Kind::Time),
        ("run_id", Kind::Uuid),
        ("what", Kind::Text),
        ("before", Kind::Text),
        ("after", Kind::Text),
    ],
    key: None,
    keep: &[],
};

pub(super) const BAD_ROWS: Target = Target {
    table: "bad_rows",
    columns: &[
        ("fingerprint", Kind::Int),
        ("place", Kind::Text),
        ("field", Kind::Text),
        ("code", Kind::Text),
        ("reason", Kind::Text),
        ("connection_key", Kind::Uuid),
    ],
    key: None,
    keep: &[],
};

pub(super) fn grant_cells(
    grant: &GrantRecord,
    sets: &mut ScopeSets,
    now: DateTime<Utc>,
) -> [Cell; GRANTS.columns.len()] {
    [
        Cell::Uuid(Some(grant.id.0)),
        Cell::word(Some(grant.class.as_str())),
        Cell::word(grant.unsettled.map(|reason| reason.as_str())),
        Cell::Int(grant.evidence.map(|evidence| sets.number(evidence.scopes))),
        Cell::word(grant.evidence.map(|evidence| evidence.source.as_str())),
        Cell::Time(grant.evidence.and_then(|evidence| evidence.at)),
        Cell::Bool(grant.ready),
        Cell::Time(Some(now)),
        Cell::Time(grant.ready.then_some(now)),
    ]
}

/// The language that a connection counts for: the first in order of its people's.
pub(super) fn locale(people: &[Responsible]) -> Option<String> {
    people.iter().filter_map(|one| one.person.locale.clone()).min()
}

/// Its people are written by themselves.
pub(super) fn connection_cells(
    connection: Connection,
    locale: Option<String>,
    sets: &mut ScopeSets,
) -> [Cell; CONNECTIONS.columns.len()] {
    let Connection {
        key,
        facts,
        presence,
        standing,
        covered,
        first_seen_at,
        absent_since,
        people: _,
    } = connection;
    let year = facts.connected_at.map(|at| i64::from(at.year()));
    [
        Cell::Uuid(Some(key.0)),
        Cell::Uuid(facts.id.map(|id| id.0)),
        Cell::Uuid(Some(facts.grant.0)),
        Cell::Uuid(Some(facts.tenant.0)),
        Cell::text(facts.tenant_name),
        Cell::text(facts.tenant_type),
        Cell::text(facts.account),
        Cell::Uuid(facts.auth_event.map(|id| id.0)),
        Cell::word(facts.flow.map(|flow| flow.as_str())),
        Cell::Time(facts.connected_at),
        Cell::Time(facts.updated_at),
        Cell::Time(facts.last_used_at),
        Cell::Int(facts.required.map(|set| sets.number(set))),
        Cell::text(Some(evidence_text(&facts.evidence, sets))),
        Cell::word(facts.doubt.map(|doubt| Unsettled::from(doubt).as_str())),
        Cell::word(Some(presence.as_str())),
        Cell::word(Some(standing.class.as_str())),
        Cell::word(Some(standing.readiness.as_str())),
        Cell::Bool(standing.some_evidence_ready),
        Cell::Bool(standing.token_behind),
        Cell::Bool(standing.manual),
        Cell::Bool(standing.reachable),
        Cell::Bool(covered),
        Cell::Time(Some(first_seen_at)),
        Cell::Time(absent_since),
        Cell::Int(year),
        Cell::text(locale),
    ]
}

pub(super) fn person_cells(
    key: ConnectionKey,
    responsible: Responsible,
) -> [Cell; PEOPLE.columns.len()] {
    let Responsible { fingerprint, person } = responsible;
    let (given, recipient) = person.email.map(Address::into_parts).unzip();
    let recipient = recipient.or(person.forgotten);
    [
        Cell::Uuid(Some(key.0)),
        Cell::Int(fingerprint.map(u64::cast_signed)),
        Cell::text(recipient),
        Cell::text(given),
        Cell::text(person.name),
        Cell::text(person.locale),
        Cell::word(person.time_zone.map(|zone| zone.name())),
        Cell::text(person.country),
    ]
}
