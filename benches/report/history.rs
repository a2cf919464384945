//! A past for a database that has only been scanned: everybody awaiting was told once, one line
//! in sixteen names a date, and each day of a year was counted.

use anyhow::Result;
use chrono::{Days, NaiveDate};
use sqlx::AssertSqlSafe;
use worker::store::Store;

/// Days that were counted.
const DAYS: u64 = 300;
/// Days on which a stage told somebody, and days in which those follow.
const TOLD: u64 = 40;
const FOLLOW: u64 = 45;

pub async fn write(store: &Store) -> Result<()> {
    let (yes, zero) = match store {
        Store::Sqlite(_) => ("1", "zeroblob(16)"),
        Store::Postgres(_) => ("true", "'00000000-0000-0000-0000-000000000000'::uuid"),
    };
    let at = match store {
        Store::Sqlite(_) => "'2026-11-01T00:00:00.000000+00:00'".to_owned(),
        Store::Postgres(_) => "'2026-11-01T00:00:00Z'::timestamptz".to_owned(),
    };
    let first = match store {
        Store::Sqlite(_) => "min(c.connection_key)",
        Store::Postgres(_) => "min(c.connection_key::text)::uuid",
    };
    // A prompt has the id of the first connection that it shows: only that they differ matters,
    // and each connection of this inventory has one person.
    run(
        store,
        format!(
            "INSERT INTO prompts (prompt_id, recipient, stage, channel, edition, state, day, \
             due_at, attempts, fence, is_notice, deadline, sending_at, sent_at, run_id, made_at) \
             SELECT {first}, p.recipient, 'invitation', 'email', 1, 'sent', '2026-11-01', \
             {at}, 1, 1, {yes}, {at}, {at}, {at}, {zero}, {at} \
             FROM people p JOIN connections c ON c.connection_key = p.connection_key \
             WHERE c.readiness = 'awaiting' GROUP BY p.recipient"
        ),
    )
    .await?;
    let every_sixteenth = match store {
        Store::Sqlite(_) => "hex(p.connection_key) LIKE '0%'",
        Store::Postgres(_) => "p.connection_key::text LIKE '0%'",
    };
    run(
        store,
        format!(
            "INSERT INTO prompt_connections (prompt_id, connection_key, required, removal_from) \
             SELECT q.prompt_id, p.connection_key, 'accounting.invoices', \
             CASE WHEN {every_sixteenth} THEN {at} END \
             FROM people p JOIN connections c ON c.connection_key = p.connection_key \
             JOIN prompts q ON q.recipient = p.recipient WHERE c.readiness = 'awaiting'"
        ),
    )
    .await?;
    run(store, "DELETE FROM daily_counts".to_owned()).await?;
    let first = NaiveDate::from_ymd_opt(2026, 1, 1).unwrap_or_default();
    let mut rows = Vec::new();
    for number in 0..DAYS {
        let day = first + Days::new(number);
        for measure in ["connections", "broad_only", "mixed", "ready", "awaiting", "unreachable"] {
            rows.push(format!("('{day}', '{measure}', '', '', {})", 900_000 - 1000 * number));
        }
    }
    for (stage, opens) in [("invitation", 20), ("reminder", 120), ("second-reminder", 200)] {
        for told in 0..TOLD {
            let since = first + Days::new(opens + told);
            rows.push(format!("('{since}', 'told', '{stage}', '', 5000)"));
            for later in 0..FOLLOW {
                let day = since + Days::new(later);
                rows.push(format!("('{day}', 'became_ready', '{stage}', '{since}', 40)"));
            }
        }
    }
    for rows in rows.chunks(500) {
        let sql = format!(
            "INSERT INTO daily_counts (day, measure, part, since, number) VALUES {}",
            rows.join(", ")
        );
        run(store, sql).await?;
    }
    if matches!(store, Store::Postgres(_)) {
        run(store, "ANALYZE".to_owned()).await?;
    }
    Ok(())
}

async fn run(store: &Store, sql: String) -> Result<()> {
    match store {
        Store::Sqlite(pool) => {
            sqlx::query(AssertSqlSafe(sql)).execute(pool).await?;
        }
        Store::Postgres(pool) => {
            sqlx::query(AssertSqlSafe(sql)).execute(pool).await?;
        }
    }
    Ok(())
}
