//! Connections and scans as the store takes them, made by hand.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;
use worker::domain::class::Class;
use worker::domain::connection::{Connection, Facts, Presence, Responsible, Standing};
use worker::domain::evidence::{Evidence, Source};
use worker::domain::grant::{ConnectionKey, GrantId, Readiness};
use worker::domain::ids::{AuthEventId, ConnectionId, TenantId};
use worker::domain::row::{Doubt, Flow, Person};
use worker::store::scans::{Outcome, ScanRecord};
use worker::store::writer::{Batch, ScanWriter};

use super::line::{BROAD, GRANULAR, MIXED, READY};
use super::world::{World, scopes, start};

pub fn uuid(number: u128) -> Uuid {
    Uuid::from_u128(0xabcd << 112 | number)
}

pub fn at(micros: i64) -> DateTime<Utc> {
    start() + TimeDelta::microseconds(micros)
}

pub fn bare(number: u128) -> Connection {
    Connection {
        key: ConnectionKey(uuid(number)),
        facts: Facts {
            id: None,
            grant: GrantId(uuid(number)),
            tenant: TenantId(uuid(1_000_000 + number)),
            tenant_name: None,
            tenant_type: None,
            account: None,
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
            class: Class::Unknown,
            readiness: Readiness::Unknown,
            some_evidence_ready: false,
            token_behind: false,
            manual: false,
            reachable: false,
        },
        covered: false,
        first_seen_at: at(0),
        absent_since: None,
        people: Vec::new(),
    }
}

/// Every column holds something.
pub fn full() -> Connection {
    let reading = |source, text, micros: Option<i64>| Evidence {
        source,
        scopes: scopes(text),
        at: micros.map(at),
    };
    let person = |email: &str, fingerprint| Responsible {
        fingerprint,
        person: Person {
            forgotten: None,
            email: Some(email.parse().unwrap()),
            name: Some("Siobhán 🦆 O’Brien\t\"x\", 'y' \\ {z}".to_owned()),
            locale: Some("en-NZ".to_owned()),
            time_zone: Some(chrono_tz::Pacific::Chatham),
            country: Some("NZ".to_owned()),
        },
    };
    Connection {
        facts: Facts {
            id: Some(ConnectionId(uuid(7))),
            grant: GrantId(uuid(70)),
            tenant: TenantId(uuid(700)),
            tenant_name: Some("Ōtautahi Böckerei – 株式会社 & Söhne, \u{202e}rtl".to_owned()),
            tenant_type: Some("ORGANISATION".to_owned()),
            account: Some("AC-1/ß".to_owned()),
            auth_event: Some(AuthEventId(uuid(7_000))),
            flow: Some(Flow::Oauth1),
            connected_at: Some(at(1)),
            updated_at: Some(at(999_999)),
            last_used_at: Some("1970-01-01T00:00:00Z".parse().unwrap()),
            required: Some(scopes(READY)),
            evidence: vec![
                reading(Source::Scopes, BROAD, None),
                reading(Source::AccessToken, MIXED, Some(5)),
                reading(Source::TokenResponse, GRANULAR, Some(-123_456)),
                reading(Source::TokenResponseAccessToken, BROAD, Some(0)),
            ],
            doubt: Some(Doubt::UserDisagrees),
        },
        presence: Presence::RowBad,
        standing: Standing {
            class: Class::BroadOnly,
            readiness: Readiness::Awaiting,
            some_evidence_ready: true,
            token_behind: true,
            manual: true,
            reachable: true,
        },
        covered: true,
        first_seen_at: at(10),
        absent_since: Some(at(11)),
        people: vec![
            person("ann@example.com", Some(u64::MAX)),
            person("Zoë.Ω@bücher.example", None),
        ],
        ..bare(7)
    }
}

pub async fn writer(world: &World, run: u128) -> ScanWriter {
    let last = world.store.last_complete_scan().await.unwrap().map(|last| last.scan_id);
    let sets = world.store.scope_sets().await.unwrap();
    ScanWriter::begin(&world.store, last, sets, at(0), Uuid::from_u128(run)).await.unwrap()
}

pub fn record(scan: u128) -> ScanRecord {
    ScanRecord {
        scan_id: Uuid::from_u128(scan),
        run_id: Uuid::from_u128(scan),
        finished_at: at(i64::try_from(scan).unwrap()),
        outcome: Outcome::Complete,
        rows_read: 5,
        bad_rows: 2,
        connections: 3,
        changed: 0,
        newly_gone: 0,
        digest: None,
        reasons: None,
        required_scopes: READY.to_owned(),
    }
}

/// Writes connections as a complete scan does.
pub async fn put(world: &World, scan: u128, connections: Vec<Connection>) {
    let mut writer = writer(world, scan).await;
    let known = connections.iter().map(|connection| connection.key).collect();
    writer.write(Batch { connections, known, ..Batch::default() }).await.unwrap();
    writer.complete(&record(scan), &[]).await.unwrap();
}
