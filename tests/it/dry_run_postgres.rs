//! A dry run on PostgreSQL: read-only transactions, and the same plan as on SQLite.

use sqlx::Connection;
use sqlx::{AssertSqlSafe, Row};
use worker::store::SCHEMA_VERSION;

use crate::support::pg::Pg;
use crate::support::place::Place;

const PLAN: [&str; 7] = [
    "run-once",
    "--dry-run",
    "--at",
    "2027-07-20T03:00:00Z",
    "--show-addresses",
    "--format",
    "json",
];

fn place_on(url: &str) -> Place {
    Place::new(&[("\"sqlite://worker.db\"", &format!("{url:?}"))])
}

/// Every row of the worker's tables with the transaction that wrote it.
async fn rows(pg: &Pg) -> Vec<String> {
    let mut connection = pg.connect().await;
    let tables: Vec<String> = sqlx::query_scalar(
        "select tablename::text from pg_tables where schemaname = 'public' order by 1",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert!(tables.len() > 8, "{tables:?}");
    let mut rows = Vec::new();
    for table in tables {
        let sql = format!("select xmin::text || ' ' || t::text from {table} t order by 1");
        for row in sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap() {
            rows.push(format!("{table} {}", row.get::<String, _>(0)));
        }
    }
    connection.close().await.unwrap();
    rows
}

fn without_run(mut plan: serde_json::Value) -> serde_json::Value {
    let progress = plan["progress"].as_object_mut().unwrap();
    progress.remove("run_id");
    progress.remove("duration_ms");
    progress.remove("audit_head");
    plan
}

#[tokio::test]
async fn who_may_only_read_can_do_a_dry_run_and_nothing_changes() {
    let pg = Pg::new().await;
    place_on(&pg.url()).done(&["run-once"]);
    let role = format!("reader_{}", pg.name());
    pg.execute(&format!(
        "create role {role} login; grant usage on schema public to {role}; \
         grant select on all tables in schema public to {role}; \
         alter role {role} set default_transaction_read_only = on; \
         alter role {role} set log_statement = 'all'"
    ))
    .await;
    let before = rows(&pg).await;
    let place = place_on(&pg.url_as(&role));
    let contents = place.contents();
    let said = place.done(&PLAN);
    assert_eq!(said.json()["progress"]["connections"], 1171);
    assert_eq!(place.contents(), contents);
    assert_eq!(rows(&pg).await, before);
}

#[tokio::test]
async fn a_dry_run_says_nothing_to_postgres_but_select_in_a_read_only_transaction() {
    let pg = Pg::new().await;
    place_on(&pg.url()).done(&["run-once"]);
    let role = format!("heard_{}", pg.name());
    // It may do everything, so that nothing but the worker itself keeps it from writing.
    pg.execute(&format!("create role {role} login superuser")).await;
    pg.execute(&format!("alter role {role} set log_statement = 'all'")).await;
    pg.execute(&format!("alter role {role} set application_name = '{role}'")).await;
    pg.execute("create table inventory as select 1 as host, t.* from connections t").await;
    let place = Place::new(&[
        ("\"sqlite://worker.db\"", &format!("{:?}", pg.url_as(&role))),
        ("kind = \"csv\"", "kind = \"table\""),
        ("path = ", "# path = "),
    ]);
    let before = rows(&pg).await;
    let said = place.worker(&PLAN);
    assert_eq!(said.progress()["connections"], 1171, "{said}");
    assert_eq!(rows(&pg).await, before);

    let statements = pg.statements_of(&role);
    assert!(statements.len() > 10, "{statements:#?}");
    let mut sessions = std::collections::HashMap::new();
    for (session, statement) in &statements {
        let begun = sessions.entry(session).or_insert(false);
        let words = statement.to_ascii_uppercase();
        if words.starts_with("BEGIN") {
            assert!(words.contains("READ ONLY"), "{statement}");
            *begun = true;
        } else if ["SET ", "COMMIT", "DEALLOCATE ALL"].iter().any(|word| words.starts_with(word)) {
            assert!(!words.contains("READ WRITE"), "{statement}");
        } else {
            assert!(*begun, "outside of a transaction: {statement}");
            let reads = ["SELECT", "WITH", "DECLARE", "FETCH", "CLOSE", "ROLLBACK"];
            assert!(reads.iter().any(|read| words.starts_with(read)), "{statement}");
        }
    }
}

#[tokio::test]
async fn the_plan_is_the_same_on_both_stores() {
    let pg = Pg::new().await;
    let (sqlite, postgres) = (Place::new(&[]), place_on(&pg.url()));
    let mut plans = Vec::new();
    for place in [&sqlite, &postgres] {
        place.done(&["run-once"]);
        let exempt = ["exempt", "add", "AC-20548", "--until", "2027-12-31"];
        place.done(&[&exempt[..], &["--reason", "asked for it", "--by", "jo"]].concat());
        // The second scan finds everything known.
        place.done(&["run-once"]);
        plans.push(without_run(place.done(&PLAN).json()));
    }
    assert_eq!(plans[0]["progress"]["exempt"], 3);
    assert!(plans[0]["prompts"].as_array().unwrap().len() >= 25);
    assert!(plans[0]["held_back"].as_array().unwrap().len() > 100);
    assert_eq!(plans[0], plans[1]);
}

#[tokio::test]
async fn an_empty_postgres_database_stays_empty_in_a_dry_run() {
    let pg = Pg::new().await;
    let said = place_on(&pg.url()).done(&PLAN);
    assert_eq!(said.json()["progress"]["connections"], 1171);
    let tables: i64 =
        sqlx::query_scalar("select count(*) from pg_tables where schemaname = 'public'")
            .fetch_one(&mut pg.connect().await)
            .await
            .unwrap();
    assert_eq!(tables, 0);
}

#[tokio::test]
async fn a_dry_run_migrates_no_postgres_database_and_takes_no_other_apps() {
    let pg = Pg::new().await;
    let place = place_on(&pg.url());
    place.done(&["run-once"]);
    let older = format!("update _sqlx_migrations set version = version - {SCHEMA_VERSION}");
    for (change, message, remedy) in [
        ("update settings set value = 'F' where name = 'client_id'", "the app F", "of its own"),
        (&older, "schema 0", "worker migrate"),
        ("update _sqlx_migrations set version = version + 99", "schema 99", "newer worker"),
    ] {
        pg.execute(change).await;
        let before = rows(&pg).await;
        let said = place.worker(&PLAN);
        said.complains(1, message, remedy);
        assert_eq!(said.progress()["dry_run"], true);
        assert_eq!(rows(&pg).await, before);
    }
}
