//! Databases that are down, refuse, or die; queries that are wrong; and the proof that none
//! of them can write.

use worker::inventory::{Columns, ErrorKind, Progress, Reader};

use crate::support::inventory::{OneFile, bad_rows, id, read, sql};
use crate::support::mariadb::MariaDb;
use crate::support::pg::Pg;

/// An SQLite database that is there.
fn sqlite_file() -> (OneFile, String) {
    // An empty file is an empty database.
    let file = OneFile::new("");
    let url = format!("sqlite:{}", file.path().display());
    (file, url)
}

async fn error_of(url: &str, query: &str) -> worker::inventory::Error {
    read(sql(url, query)).await.expect_err("no inventory")
}

#[tokio::test]
async fn a_database_that_is_not_there_is_unreadable_and_its_password_is_not_shown() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("missing.db");
    for url in [
        "postgres://someone:SECRET@127.0.0.1:1/books".to_owned(),
        "postgresql://someone:SECRET@127.0.0.1:1/books".to_owned(),
        "mysql://someone:SECRET@127.0.0.1:1/books".to_owned(),
        format!("sqlite://{}?mode=rwc", file.display()),
    ] {
        let error = error_of(&url, "select 1").await;
        assert_eq!(error.kind(), ErrorKind::Unreadable, "{error}");
        assert!(!format!("{error} {error:?}").contains("SECRET"), "{error}");
        assert!(!error.to_string().contains("someone"), "{error}");
    }
    assert!(!file.exists(), "a reader makes no databases");
}

#[tokio::test]
async fn an_address_of_nothing_known_is_a_matter_of_configuration() {
    for url in ["oracle://host/db", "books.example", "", "jdbc:postgres://host/db"] {
        assert_eq!(error_of(url, "select 1").await.kind(), ErrorKind::Configuration, "{url}");
    }
}

#[tokio::test]
async fn a_query_that_the_database_refuses_gives_its_reason() {
    let (_file, sqlite) = sqlite_file();
    let (pg, mariadb) = (Pg::new().await, MariaDb::new().await);
    for url in [pg.url(), mariadb.url(), sqlite] {
        let error = error_of(&url, "select tenant_id from nowhere").await;
        assert_eq!(error.kind(), ErrorKind::Unreadable);
        assert!(error.to_string().contains("nowhere"), "{error}");
        assert!(error.remedy().contains("query"));
        error_of(&url, "selekt").await;
        error_of(&url, "").await;
    }
}

#[tokio::test]
async fn a_query_without_the_columns_it_needs_names_what_it_has() {
    let (_file, sqlite) = sqlite_file();
    let (pg, mariadb) = (Pg::new().await, MariaDb::new().await);
    for url in [pg.url(), mariadb.url(), sqlite] {
        let error = error_of(&url, "select 1 as org, 2 as mail").await;
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.remedy().contains("org, mail"), "{}", error.remedy());

        let twice = "select '1' as tenant_id, 'a' as \"Email\", 'b' as \"EMAIL\"";
        let twice =
            if url.starts_with("maria") { twice.replace('"', "`") } else { twice.to_owned() };
        error_of(&url, &twice).await;
    }
}

#[tokio::test]
async fn comments_and_semicolons_at_the_end_of_a_query_are_harmless() {
    let (_file, sqlite) = sqlite_file();
    let (pg, mariadb) = (Pg::new().await, MariaDb::new().await);
    let select = format!("with t as (select '{}' as tenant_id) select * from t", id("a", 1));
    for url in [pg.url(), mariadb.url(), sqlite] {
        for end in ["", ";", " ;; ", " -- all", "; -- all\n", "\n-- all\n;\n", " /* all */"] {
            let parsed = read(sql(&url, &format!("{select}{end}"))).await.unwrap();
            assert_eq!(bad_rows(&parsed), (vec![], 1), "{url} {end:?}");
        }
    }
}

#[tokio::test]
async fn a_query_cannot_write_to_postgresql() {
    let pg = Pg::new().await;
    pg.execute(
        "create table kept (n int);
         create function sneak() returns text language sql volatile as
         $$ insert into kept values (1) returning 'x' $$",
    )
    .await;
    let error = error_of(&pg.url(), "select sneak() as tenant_id").await;
    assert!(error.to_string().contains("read-only transaction"), "{error}");
    let error = error_of(&pg.url(), "select 1) q; delete from kept; select * from (select 2").await;
    assert!(error.to_string().contains("multiple commands"), "{error}");
    let turned = "select set_config('transaction_read_only', 'off', true) as tenant_id";
    assert!(error_of(&pg.url(), turned).await.to_string().contains("read-write"));
    let kept = "select count(*)::text as tenant_id from kept";
    assert!(read(sql(&pg.url(), kept)).await.unwrap()[0].is_err(), "0 is no tenant");
}

#[tokio::test]
async fn a_query_cannot_write_to_mariadb() {
    let mariadb = MariaDb::new().await;
    mariadb.execute("create table kept (n int)").await;
    mariadb
        .execute(
            "create function sneak() returns varchar(9) modifies sql data
             begin insert into kept values (1); return 'x'; end",
        )
        .await;
    let error = error_of(&mariadb.url(), "select sneak() as tenant_id").await;
    assert!(error.to_string().to_lowercase().contains("read only transaction"), "{error}");
    let two = "select 1) q; delete from kept; select * from (select 2";
    assert!(error_of(&mariadb.url(), two).await.to_string().contains("syntax"));
}

#[tokio::test]
async fn a_query_cannot_write_to_sqlite() {
    let (file, url) = sqlite_file();
    let before = std::fs::read(file.path()).unwrap();
    let made = "select 1 as tenant_id) q; create table made (n int); select * from (select 2";
    error_of(&url, made).await;
    assert_eq!(std::fs::read(file.path()).unwrap(), before);
    assert_eq!(std::fs::read_dir(file.dir()).unwrap().count(), 1, "no file beside it");
}

#[tokio::test]
async fn a_postgresql_that_dies_in_the_middle_is_an_error_and_no_short_inventory() {
    let pg = Pg::new().await;
    let query = "select gen_random_uuid() as tenant_id, repeat('x', 200) as name \
                 from generate_series(1, 1000000)";
    let mut reader = Reader::open(sql(&pg.url(), query), Columns::default()).await.unwrap();
    assert!(reader.next().await.unwrap().is_some());
    pg.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity \
         where datname = current_database() and pid <> pg_backend_pid()",
    )
    .await;
    assert_broken_off(reader).await;
}

#[tokio::test]
async fn a_mariadb_that_dies_in_the_middle_is_an_error_and_no_short_inventory() {
    let mariadb = MariaDb::new().await;
    let query = "select uuid() as tenant_id, repeat('x', 200) as name from seq_1_to_1000000";
    let mut reader = Reader::open(sql(&mariadb.url(), query), Columns::default()).await.unwrap();
    assert!(reader.next().await.unwrap().is_some());
    mariadb.kill_others().await;
    assert_broken_off(reader).await;
}

async fn assert_broken_off(mut reader: Reader) {
    let error = loop {
        match reader.next().await {
            Ok(Some(batch)) => reader.recycle(batch),
            Ok(None) => panic!("taken for complete"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Unreadable);
    assert!(error.to_string().contains("broke off after"), "{error}");
    let Progress::Rows { read } = reader.progress() else { panic!("rows are counted") };
    assert!((1..1_000_000).contains(&read));
}

#[tokio::test]
async fn values_that_are_no_text_are_bad_rows_in_every_database() {
    let (_file, sqlite) = sqlite_file();
    let (pg, mariadb) = (Pg::new().await, MariaDb::new().await);
    let a = |number| format!("'{}' as tenant_id", id("a", number));
    let long = format!("select {}, repeat('x', 3000000) as name", a(1));
    let pg_query = format!(
        "select {}, 'fine'::bytea as name union all select {}, '\\xff'::bytea union all \
         select {}, '\\x6100'::bytea",
        a(1),
        a(2),
        a(3)
    );
    let hex = format!(
        "select {}, x'66696e65' as name union all select {}, x'ff' union all select {}, x'6100'",
        a(1),
        a(2),
        a(3)
    );
    let expected = [("row 2", "broken_utf8"), ("row 3", "nul_byte")]
        .map(|(place, code)| (place.to_owned(), code));
    for (url, query) in [(pg.url(), pg_query), (mariadb.url(), hex.clone()), (sqlite, hex)] {
        let parsed = read(sql(&url, &query)).await.unwrap();
        assert_eq!(bad_rows(&parsed), (expected.to_vec(), 1), "{url}");
        assert_eq!(parsed[1].as_ref().unwrap_err().tenant, id("a", 2).parse().ok());
    }
    for url in [pg.url(), mariadb.url()] {
        let parsed = read(sql(&url, &long)).await.unwrap();
        assert_eq!(bad_rows(&parsed).0, [("row 1".to_owned(), "record_too_long")]);
        assert_eq!(parsed[0].as_ref().unwrap_err().tenant, id("a", 1).parse().ok());
    }
}

#[tokio::test]
async fn a_date_without_a_time_and_a_zero_date_are_warnings() {
    let (pg, mariadb) = (Pg::new().await, MariaDb::new().await);
    let query = |expression: &str| {
        format!("select '{}' as tenant_id, {expression} as connected_at", id("a", 1))
    };
    for (url, expression) in [
        (pg.url(), "date '2026-01-02'"),
        (pg.url(), "timestamp 'infinity'"),
        (pg.url(), "timestamptz '0044-03-15 BC'"),
        (mariadb.url(), "date '2026-01-02'"),
        (mariadb.url(), "cast('0000-00-00 00:00:00' as datetime)"),
    ] {
        let parsed = read(sql(&url, &query(expression))).await.unwrap();
        let (row, warnings) = parsed[0].as_ref().unwrap();
        assert_eq!(row.connected_at, None, "{expression}");
        // MariaDB turns a date that cannot be into NULL.
        assert!(warnings.date || expression.contains("0000"), "{expression}");
    }
}
