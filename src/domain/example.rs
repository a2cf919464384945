//! Facts that the tests of decisions start from.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::campaign::{Approval, Channel, PerPerson, RemovalPolicy, Stage, StageDay};
use super::class::Class;
use super::connection::{Connection, Facts, Presence, Responsible, Standing};
use super::grant::{ConnectionKey, GrantId, Readiness};
use super::ids::{ConnectionId, TenantId};
use super::row::Person;
use super::scopes::{ScopeSet, catalogue};

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub fn scopes(names: &[&str]) -> ScopeSet {
    names.iter().map(|name| catalogue().find(name).unwrap()).collect()
}

pub fn stage(name: &str, days_before: u32, channels: &[Channel], is_final: bool) -> Stage {
    Stage {
        name: name.into(),
        day: StageDay::Before(days_before),
        channels: channels.to_vec(),
        template: name.into(),
        is_final,
        hold_back_percent: 0,
    }
}

/// Removals from 30 days before the deadline on, after two stages and 21 days.
pub fn removal() -> RemovalPolicy {
    RemovalPolicy {
        win_back_days: [0, 7, 21],
        enabled: true,
        opens_days_before: Some(30),
        classes: vec![Class::BroadOnly],
        min_prompts: Some(2),
        min_notice_days: Some(21),
        approval: Approval::One,
        approvers: vec!["alice".into()],
        plan_valid_days: 7,
        per_person: PerPerson::One,
        wait_days: 7,
        max_inventory_age_minutes: 15,
        max_per_run: None,
        max_per_day: None,
        max_percent: None,
        ramp: Vec::new(),
        max_failed_percent: 10.0,
        min_returned_percent: 10.0,
        max_drift_percent: 10.0,
        covered: false,
    }
}

/// A broad-only connection of a grant with others, with one person who has an address.
pub fn connection(number: u128) -> Connection {
    let id = Uuid::from_u128(number);
    Connection {
        key: ConnectionKey(id),
        facts: Facts {
            id: Some(ConnectionId(id)),
            grant: GrantId(Uuid::from_u128(99)),
            tenant: TenantId(Uuid::from_u128(number + 1000)),
            tenant_name: None,
            tenant_type: Some("ORGANISATION".into()),
            account: Some("ACME-7".into()),
            auth_event: None,
            flow: None,
            connected_at: None,
            updated_at: None,
            last_used_at: None,
            required: None,
            evidence: Vec::new(),
            doubt: None,
        },
        presence: Presence::Present,
        standing: Standing {
            class: Class::BroadOnly,
            readiness: Readiness::Awaiting,
            some_evidence_ready: false,
            token_behind: false,
            manual: false,
            reachable: true,
        },
        covered: false,
        first_seen_at: at("2026-11-21T00:00:00Z"),
        absent_since: None,
        people: vec![person("jo@books.example")],
    }
}

pub fn person(email: &str) -> Responsible {
    Responsible {
        fingerprint: None,
        person: Person { email: email.parse().ok(), ..Person::default() },
    }
}
