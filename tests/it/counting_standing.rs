//! What a report counts by indexes, in the order that suits the database, is what counting by
//! hand gives.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use uuid::Uuid;
use worker::domain::class::Class;
use worker::domain::connection::{Connection, Presence, Responsible, Standing};
use worker::domain::grant::{ConnectionKey, GrantId, Readiness};
use worker::domain::ids::TenantId;
use worker::domain::row::Person;
use worker::store::SchemaState;
use worker::store::forgotten::Forgetting;
use worker::store::suppressions::Suppression;

use crate::support::stored::{at, bare, put, uuid};
use crate::support::world::{World, both, start};

const CONNECTIONS: u128 = 120;
const ADDRESSES: u32 = 40;

fn address(number: u32) -> String {
    format!("person{number}@example.com")
}

fn person(chance: &mut StdRng) -> Responsible {
    let locale = [None, Some("en-NZ"), Some("en-gb"), Some("de-CH"), Some("Fr")];
    let number = chance.random_range(0..ADDRESSES);
    Responsible {
        fingerprint: Some(chance.random()),
        person: Person {
            forgotten: None,
            email: chance.random_bool(0.8).then(|| address(number).parse().unwrap()),
            name: None,
            locale: locale.choose(chance).unwrap().map(str::to_owned),
            time_zone: None,
            country: None,
        },
    }
}

fn connection(number: u128, chance: &mut StdRng) -> Connection {
    let presence = [Presence::Present, Presence::Present, Presence::RowBad, Presence::Gone];
    let readiness = [Readiness::Awaiting, Readiness::Ready, Readiness::Unaffected];
    let kind = [None, Some("ORGANISATION"), Some("Organisation"), Some("PRACTICE")];
    let plain = bare(number);
    let mut facts = plain.facts;
    facts.grant = GrantId(uuid(chance.random_range(0..60)));
    facts.tenant = TenantId(uuid(chance.random_range(1_000..1_080)));
    facts.tenant_type = kind.choose(chance).unwrap().map(str::to_owned);
    // On the last and the first day of a year, too.
    let hours = chance.random_range(0..40_000);
    facts.connected_at = chance
        .random_bool(0.8)
        .then(|| "2022-12-31T23:00:00Z".parse::<DateTime<Utc>>().unwrap())
        .map(|at| at + TimeDelta::hours(if hours < 2_000 { hours % 2 } else { hours }));
    let people = (0..chance.random_range(0..3)).map(|_| person(chance)).collect();
    Connection {
        facts,
        presence: *presence.choose(chance).unwrap(),
        standing: Standing {
            class: *[Class::BroadOnly, Class::Mixed].choose(chance).unwrap(),
            readiness: *readiness.choose(chance).unwrap(),
            reachable: chance.random_bool(0.9),
            ..plain.standing
        },
        people,
        ..plain
    }
}

/// A prompt about two connections, each with a date or none.
struct Told {
    is_promise: bool,
    shown: Vec<(Uuid, Option<DateTime<Utc>>)>,
}

async fn tell(world: &World, number: u128, chance: &mut StdRng) -> Told {
    let quoted = |id: Uuid| match world.is_postgres() {
        true => format!("'{id}'"),
        false => format!("x'{}'", id.simple()),
    };
    let time = |at: DateTime<Utc>| {
        format!("'{}'", at.to_rfc3339_opts(chrono::SecondsFormat::Micros, false))
    };
    let (id, now) = (quoted(uuid(10_000 + number)), time(start()));
    let state = *["sent", "sent", "sent", "refused"].choose(chance).unwrap();
    let (bounced, is_notice) = (chance.random_bool(0.1), chance.random_bool(0.8));
    let bounced_at = if bounced { now.as_str() } else { "NULL" };
    world
        .execute(&format!(
            "INSERT INTO prompts (prompt_id, recipient, stage, channel, edition, state, due_at, \
             attempts, fence, is_notice, sent_at, bounced_at, run_id, made_at) VALUES ({id}, \
             'n{number}', 'final', 'email', 1, '{state}', {now}, 1, 1, {is_notice}, {now}, \
             {bounced_at}, {id}, {now})"
        ))
        .await;
    let mut shown = Vec::new();
    for _ in 0..2 {
        let key = uuid(chance.random_range(0..CONNECTIONS));
        let date = chance.random_bool(0.7).then(|| at(chance.random_range(0..9)));
        world
            .execute(&format!(
                "INSERT INTO prompt_connections (prompt_id, connection_key, required, \
                 removal_from) VALUES ({id}, {}, '', {})",
                quoted(key),
                date.map_or("NULL".to_owned(), time)
            ))
            .await;
        shown.push((key, date));
    }
    Told { is_promise: state == "sent" && !bounced && is_notice, shown }
}

fn awaits(one: &Connection) -> bool {
    one.presence.counts() && one.standing.readiness == Readiness::Awaiting
}

type Kind = (Option<i64>, Option<String>, Option<String>, &'static str);

async fn cohorts_and_tenants_are_true(world: &World) {
    let keys: Vec<ConnectionKey> = (0..CONNECTIONS).map(|n| ConnectionKey(uuid(n))).collect();
    let sets = world.store.scope_sets().await.unwrap();
    let stored = world.store.connections_by_key(&keys, &sets).await.unwrap();
    let concerned = |one: &&Connection| {
        matches!(one.standing.readiness, Readiness::Ready | Readiness::Awaiting)
    };
    let mut kinds: BTreeMap<Kind, i64> = BTreeMap::new();
    let mut tenants: BTreeMap<TenantId, bool> = BTreeMap::new();
    for one in stored.iter().filter(|one| one.presence.counts()).filter(concerned) {
        let year = one.facts.connected_at.map(|at| i64::from(at.year()));
        let locale = one.people.iter().filter_map(|person| person.person.locale.clone()).min();
        let kind = (year, one.facts.tenant_type.clone(), locale, one.standing.readiness.as_str());
        *kinds.entry(kind).or_default() += 1;
        *tenants.entry(one.facts.tenant).or_default() |= one.standing.readiness == Readiness::Ready;
    }
    let found = world.store.cohorts().await.unwrap();
    assert_eq!(found.len(), kinds.len(), "each kind once: {found:?}");
    for row in found {
        let readiness = [Readiness::Ready, Readiness::Awaiting]
            .into_iter()
            .find(|known| known.as_str() == row.readiness)
            .unwrap();
        let kind = (row.connected_year, row.tenant_type, row.locale, readiness.as_str());
        assert_eq!(kinds.get(&kind), Some(&row.connections), "{kind:?}");
    }
    let counts = world.store.tenants().await.unwrap();
    let ready = tenants.values().filter(|ready| **ready).count();
    assert_eq!((counts.tenants, counts.ready), (tenants.len() as i64, ready as i64));
}

async fn promises_are_true(world: &World, connections: &[Connection], told: &[Told]) {
    let mut dates: BTreeMap<Uuid, DateTime<Utc>> = BTreeMap::new();
    for (key, date) in told.iter().filter(|told| told.is_promise).flat_map(|told| &told.shown) {
        let one = connections.iter().find(|one| one.key.0 == *key).unwrap();
        if let Some(date) = date.filter(|_| awaits(one)) {
            let latest = dates.entry(*key).or_insert(date);
            *latest = date.max(*latest);
        }
    }
    let counts = world.store.promises(at(4)).await.unwrap();
    let come = dates.values().filter(|date| **date <= at(4)).count();
    assert!(0 < come && come < dates.len(), "{dates:?}");
    assert_eq!((counts.connections, counts.come), (dates.len() as i64, come as i64));
    assert_eq!(counts.earliest, dates.values().min().copied());
    assert_eq!(counts.latest, dates.values().max().copied());
}

/// As the rule has it: nobody of the grant whom the host still lists has an address left.
async fn unreachable_is_true(
    world: &World,
    connections: &[Connection],
    silent: &BTreeSet<String>,
) -> u64 {
    let has_address = |one: &Connection| {
        let mut addresses = one.people.iter().filter_map(|person| person.person.email.as_ref());
        one.presence != Presence::Gone && addresses.any(|email| !silent.contains(email.key()))
    };
    let was_silenced = |grant: GrantId| {
        let of_grant = connections.iter().filter(|one| one.facts.grant == grant);
        let mut emails =
            of_grant.flat_map(|one| &one.people).filter_map(|it| it.person.email.as_ref());
        emails.any(|email| silent.contains(email.key()))
    };
    let unreachable = connections.iter().filter(|one| awaits(one)).filter(|one| {
        let mut of_grant = connections.iter().filter(|it| it.facts.grant == one.facts.grant);
        !one.standing.reachable || was_silenced(one.facts.grant) && !of_grant.any(has_address)
    });
    let unreachable = unreachable.count() as u64;
    assert_eq!(world.store.tally().await.unwrap().unreachable, unreachable);
    unreachable
}

#[tokio::test]
async fn what_a_report_counts_is_what_counting_by_hand_gives() {
    both(async |world: World| {
        let mut chance = StdRng::seed_from_u64(1207);
        let connections: Vec<Connection> =
            (0..CONNECTIONS).map(|number| connection(number, &mut chance)).collect();
        put(&world, 1, connections.clone()).await;
        let mut told = Vec::new();
        for number in 0..60 {
            told.push(tell(&world, number, &mut chance).await);
        }
        let silent: BTreeSet<String> = (0..ADDRESSES / 2).map(address).collect();
        let suppressions: Vec<Suppression> = silent
            .iter()
            .map(|recipient| Suppression {
                recipient: recipient.clone(),
                reason: "asked".to_owned(),
                by: "Ann".to_owned(),
                added_at: start(),
            })
            .collect();
        let before = unreachable_is_true(&world, &connections, &BTreeSet::new()).await;
        world.store.suppress(&suppressions).await.unwrap();
        assert!(unreachable_is_true(&world, &connections, &silent).await > before);
        cohorts_and_tenants_are_true(&world).await;
        promises_are_true(&world, &connections, &told).await;
    })
    .await;
}

#[tokio::test]
async fn a_language_counts_no_more_once_its_person_is_erased() {
    both(async |world: World| {
        let mut chance = StdRng::seed_from_u64(7);
        let connections = (0..CONNECTIONS).map(|number| connection(number, &mut chance)).collect();
        put(&world, 1, connections).await;
        let held = "SELECT presence FROM connections WHERE locale IS NOT NULL";
        let before = world.texts(held).await.len();
        for number in 0..ADDRESSES / 2 {
            let erased = address(number).parse().unwrap();
            let done = world.store.forget(&erased, "Ann", start()).await.unwrap();
            assert!(matches!(done, Forgetting::Done(_)), "{done:?}");
        }
        assert!(world.texts(held).await.len() < before);
        cohorts_and_tenants_are_true(&world).await;
        world.execute("UPDATE connections SET absent_since = first_seen_at").await;
        world.store.purge(start() + TimeDelta::days(1), "Ann", start()).await.unwrap();
        let gone = world.texts(&format!("{held} AND presence = 'gone'")).await;
        assert_eq!(gone, Vec::<String>::new());
        cohorts_and_tenants_are_true(&world).await;
    })
    .await;
}

#[tokio::test]
async fn a_database_of_an_earlier_schema_counts_the_same_once_it_is_migrated() {
    both(async |world: World| {
        let mut chance = StdRng::seed_from_u64(12);
        let connections = (0..CONNECTIONS).map(|number| connection(number, &mut chance)).collect();
        put(&world, 1, connections).await;
        world
            .execute(
                "DROP INDEX connections_standing; \
                 ALTER TABLE connections DROP COLUMN connected_year; \
                 ALTER TABLE connections DROP COLUMN locale; \
                 CREATE INDEX connections_standing ON connections \
                    (presence, class, readiness, manual, reachable, covered, token_behind); \
                 ALTER TABLE audit_head DROP COLUMN messages; \
                 DELETE FROM _sqlx_migrations WHERE version >= 12",
            )
            .await;
        assert_eq!(world.store.migrate().await.unwrap(), SchemaState::Version(11));
        cohorts_and_tenants_are_true(&world).await;
    })
    .await;
}
