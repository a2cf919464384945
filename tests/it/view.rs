//! The view that the product reads after an outage.

use std::collections::BTreeSet;

use sqlx::{Connection, PgConnection};
use worker::inventory::Column;

use crate::support::line::{READY, line, lines};
use crate::support::sending::{BASES, Base, Sending};
use crate::support::world::both;

const TO_PRODUCT: [(&str, &str); 1] = [(
    "days_before = 150\nchannels = [\"email\"]",
    "days_before = 150\nchannels = [\"webhook:product\"]",
)];

/// What a banner goes by.
const BANNERS: &str = "SELECT CAST(account_id AS text) FROM connection_states \
    WHERE readiness = 'awaiting' AND told_at IS NOT NULL AND announced IS NULL";

async fn banners(sending: &Sending) -> Vec<String> {
    sending.texts(BANNERS).await
}

#[tokio::test]
async fn the_view_tells_whose_banner_is_up() {
    let accounts = |numbers: std::ops::Range<usize>| {
        lines(numbers.clone())
            .into_iter()
            .zip(numbers)
            .map(|(line, number)| line.with(Column::AccountId, format!("account {number}")))
            .collect::<Vec<_>>()
    };
    for base in BASES {
        let mut rows = accounts(0..4);
        let sending = Sending::new(base, &rows).await;
        sending.configure(&TO_PRODUCT);
        sending.prepare();
        assert_eq!(banners(&sending).await, Vec::<String>::new());
        assert_eq!(sending.texts("SELECT class FROM connection_states").await.len(), 4);
        sending.ran(0);
        assert_eq!(banners(&sending).await.len(), 4, "{base:?}");
        let told = "SELECT DISTINCT told_stage || ' ' || told_channel FROM connection_states";
        assert_eq!(sending.texts(told).await, ["reminder webhook:product"], "{base:?}");
        let until = ["--until", "2099-01-01", "--reason", "asked us to", "--by", "ann"];
        let said = sending.worker(&[&["exempt", "add", "account 0"][..], &until].concat());
        assert_eq!(said.code, Some(0), "{said}");
        rows[1] = line(1).with(Column::Scopes, format!("{READY} accounting.contacts"));
        rows.remove(2);
        sending.show(&rows);
        sending.ran(0);
        assert_eq!(banners(&sending).await, ["account 3"], "{base:?}");
        let states = "SELECT readiness || ' ' || COALESCE(announced, '-') FROM connection_states";
        let now = ["awaiting -", "awaiting withdrawn", "ready ready"];
        let mut told = sending.texts(states).await;
        told.sort();
        assert_eq!(told, now, "{base:?}");
    }
}

#[tokio::test]
async fn a_removal_date_stands_in_it_once_a_notice_named_one() {
    both(async |world| {
        world.scan(&lines(1..3)).await;
        for (number, (is_notice, state)) in
            [(true, "sent"), (false, "sent"), (true, "refused")].into_iter().enumerate()
        {
            let id = match world.is_postgres() {
                true => format!("'00000000-0000-0000-0000-00000000000{number}'"),
                false => format!("x'0000000000000000000000000000000{number}'"),
            };
            let is_notice = if world.is_postgres() { is_notice.to_string() } else { u8::from(is_notice).to_string() };
            world
                .execute(&format!(
                    "INSERT INTO prompts (prompt_id, recipient, stage, channel, edition, state, \
                        due_at, attempts, fence, is_notice, sending_at, sent_at, run_id, made_at) \
                     VALUES ({id}, 'r{number}', 'final', 'email', 1, '{state}', '2026-11-2{number}T00:00:00+00:00', 1, 1, \
                        {is_notice}, '2026-11-2{number}T00:00:00+00:00', '2026-11-2{number}T00:00:00+00:00', {id}, \
                        '2026-11-2{number}T00:00:00+00:00')"
                ))
                .await;
            world
                .execute(&format!(
                    "INSERT INTO prompt_connections (prompt_id, connection_key, required, removal_from) \
                     SELECT {id}, connection_key, '', '2027-01-0{}T00:00:00+00:00' \
                     FROM connections ORDER BY connection_key LIMIT 1",
                    number + 1
                ))
                .await;
        }
        let dates = "SELECT substr(CAST(removal_from AS text), 1, 10) || ' ' || told_stage \
            FROM connection_states WHERE removal_from IS NOT NULL";
        assert_eq!(world.texts(dates).await, ["2027-01-01 final"]);
        assert_eq!(world.texts("SELECT class FROM connection_states").await.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn the_right_to_read_the_view_is_enough() {
    let sending = Sending::new(Base::Postgres, &lines(0..3)).await;
    sending.prepare();
    let pg = sending.pg.as_ref().expect("this base has one");
    let role = format!("books_{}", pg.name());
    pg.execute(&format!("create role {role} login; grant select on connection_states to {role}"))
        .await;
    let mut books = PgConnection::connect(&pg.url_as(&role)).await.unwrap();
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM connection_states")
        .fetch_one(&mut books)
        .await
        .unwrap();
    assert_eq!(count, 3);
    let refused = sqlx::query("SELECT 1 FROM connections").fetch_all(&mut books).await;
    assert!(refused.unwrap_err().to_string().contains("permission denied"));
}

#[tokio::test]
async fn every_column_of_the_view_is_documented_and_the_same_on_both() {
    both(async |world| {
        let columns = match world.is_postgres() {
            true => {
                "SELECT attname::text FROM pg_attribute \
                 WHERE attrelid = 'connection_states'::regclass AND attnum > 0"
            }
            false => "SELECT name FROM pragma_table_info('connection_states')",
        };
        let columns: BTreeSet<String> = world.texts(columns).await.into_iter().collect();
        let page = include_str!("../../docs/database.md");
        let (_, section) = page.split_once("\n## The view connection_states\n").expect("a section");
        let (section, _) = section.split_once("\n## ").expect("it is not the last");
        let documented: BTreeSet<String> = section
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split(" | ").next())
            .flat_map(|cell| cell.split('`').step_by(2).map(str::to_owned))
            .collect();
        assert_eq!(documented, columns);
    })
    .await;
}
