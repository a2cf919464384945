//! The two schemas are one: what is compared here is all that statements written once for
//! both databases rely on.

use std::collections::BTreeSet;
use std::path::Path;

use worker::store::SCHEMA_VERSION;

use crate::support::world::World;

/// The type of a PostgreSQL column as SQLite has it. SQLite's types are strict; times are
/// texts that sort by time, ids are their sixteen bytes.
fn in_sqlite(postgres: &str) -> &'static str {
    match postgres {
        "text" | "timestamp with time zone" => "text",
        "bigint" | "boolean" => "integer",
        "uuid" => "blob",
        other => panic!("no rule for {other} in SQLite"),
    }
}

async fn migrated() -> (World, World) {
    let (sqlite, postgres) = (World::sqlite().await, World::postgres().await);
    sqlite.store.migrate().await.unwrap();
    postgres.store.migrate().await.unwrap();
    (sqlite, postgres)
}

async fn tables(world: &World) -> Vec<String> {
    let mut tables = world.tables().await;
    tables.retain(|table| table != "_sqlx_migrations");
    tables
}

#[tokio::test]
async fn both_databases_have_the_same_tables_with_the_same_columns() {
    let (sqlite, postgres) = migrated().await;
    assert_eq!(tables(&sqlite).await, tables(&postgres).await);
    assert!(tables(&sqlite).await.len() > 9);
    for table in tables(&sqlite).await {
        // Position, name, whether NULL may stand there, type.
        let ours = sqlite
            .texts(&format!(
                "SELECT format('%03d %s %d %s', cid + 1, name, NOT \"notnull\", lower(type)) \
                 FROM pragma_table_info('{table}')"
            ))
            .await;
        let theirs = postgres
            .texts(&format!(
                "SELECT format('%s %s %s %s', lpad(attnum::text, 3, '0'), attname, \
                               (NOT attnotnull)::int, format_type(atttypid, NULL)) \
                 FROM pg_attribute \
                 WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped"
            ))
            .await;
        let theirs: Vec<String> = theirs
            .iter()
            .map(|column| {
                let mut parts = column.splitn(4, ' ');
                let mut part = || parts.next().expect("four parts");
                let (position, name, nullable) = (part(), part(), part());
                format!("{position} {name} {nullable} {}", in_sqlite(part()))
            })
            .collect();
        assert_eq!(ours, theirs, "{table}");
    }
}

#[tokio::test]
async fn both_databases_have_the_same_indexes() {
    let (sqlite, postgres) = migrated().await;
    for table in tables(&sqlite).await {
        // Those that a statement made, by name; then what keys make, which each database
        // names in its own way.
        let ours = sqlite
            .texts(&format!(
                "SELECT i.name || ' ' || i.\"unique\" || ' ' || \
                        (SELECT group_concat(c.name, ',' ORDER BY c.seqno) \
                         FROM pragma_index_info(i.name) c) \
                 FROM pragma_index_list('{table}') i WHERE i.origin = 'c'"
            ))
            .await;
        let theirs = postgres.texts(&indexes(&table, "con.oid IS NULL", "c.relname")).await;
        assert_eq!(ours, theirs, "{table}");

        // Which rows are in it: PostgreSQL says the condition in its own words, so that of
        // most it is compared as it was written, and of the others that there is one.
        let ours = sqlite
            .texts(&format!(
                "SELECT m.name || ' ' || CASE instr(m.sql, 'WHERE ') WHEN 0 THEN '' \
                        ELSE substr(m.sql, instr(m.sql, 'WHERE ') + 6) END \
                 FROM sqlite_master m WHERE m.type = 'index' AND m.tbl_name = '{table}' \
                    AND m.sql IS NOT NULL"
            ))
            .await;
        let theirs = postgres
            .texts(&format!(
                "SELECT c.relname || ' ' || coalesce(pg_get_expr(i.indpred, i.indrelid), '') \
                 FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
                 LEFT JOIN pg_constraint con ON con.conindid = i.indexrelid \
                 WHERE i.indrelid = '{table}'::regclass AND con.oid IS NULL"
            ))
            .await;
        assert_eq!(conditions(&ours), conditions(&theirs), "{table}");

        let ours = sqlite
            .texts(&format!(
                "SELECT m.name || ' ' || CASE instr(m.sql, 'WHERE ') WHEN 0 THEN '' \
                        ELSE substr(m.sql, instr(m.sql, 'WHERE ') + 6) END \
                 FROM sqlite_master m WHERE m.type = 'index' AND m.tbl_name = '{table}' \
                    AND m.sql IS NOT NULL"
            ))
            .await;
        let theirs = postgres
            .texts(&format!(
                "SELECT c.relname || ' ' || coalesce(pg_get_expr(i.indpred, i.indrelid), '') \
                 FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
                 LEFT JOIN pg_constraint con ON con.conindid = i.indexrelid \
                 WHERE i.indrelid = '{table}'::regclass AND con.oid IS NULL"
            ))
            .await;
        assert_eq!(conditions(&ours), conditions(&theirs), "{table}");

        let ours = sqlite
            .texts(&format!(
                "SELECT columns FROM (\
                   SELECT group_concat(c.name, ',' ORDER BY c.seqno) AS columns \
                   FROM pragma_index_list('{table}') i, pragma_index_info(i.name) c \
                   WHERE i.origin <> 'c' GROUP BY i.name \
                   UNION SELECT name FROM pragma_table_info('{table}') WHERE pk > 0)"
            ))
            .await;
        let theirs = postgres.texts(&indexes(&table, "con.oid IS NOT NULL", "''")).await;
        let theirs: Vec<&str> =
            theirs.iter().filter_map(|index| index.rsplit(' ').next()).collect();
        assert_eq!(ours, theirs, "the keys of {table}");
    }
}

/// The condition of each index, without what PostgreSQL adds to a list of words.
fn conditions(indexes: &[String]) -> Vec<String> {
    let plain = |index: &String| {
        let index = index.replace("= ANY (ARRAY[", "IN (").replace("])", ")");
        index.replace("::text", "").replace(['(', ')'], "")
    };
    indexes.iter().map(plain).collect()
}

fn indexes(table: &str, which: &str, name: &str) -> String {
    format!(
        "SELECT {name} || ' ' || i.indisunique::int || ' ' || \
                (SELECT string_agg(a.attname, ',' ORDER BY k.place) \
                 FROM unnest(i.indkey) WITH ORDINALITY k (attnum, place) \
                 JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum) \
         FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
         LEFT JOIN pg_constraint con ON con.conindid = i.indexrelid \
         WHERE i.indrelid = '{table}'::regclass AND {which}"
    )
}

#[test]
fn both_folders_of_migrations_have_the_same_files() {
    let files = |folder: &str| -> BTreeSet<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
        std::fs::read_dir(folder)
            .expect("a folder")
            .map(|file| file.expect("a file").file_name().into_string().expect("a plain name"))
            .collect()
    };
    let sqlite = files("sqlite");
    assert_eq!(sqlite, files("postgres"));
    let newest = sqlite.last().expect("a migration");
    assert_eq!(newest[..4].parse(), Ok(SCHEMA_VERSION), "{newest}");
}

#[tokio::test]
async fn every_table_of_sqlite_is_strict() {
    let sqlite = World::sqlite().await;
    sqlite.store.migrate().await.unwrap();
    let loose = sqlite
        .texts(
            "SELECT name FROM pragma_table_list WHERE type = 'table' AND NOT strict AND schema = 'main' \
             AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '_sqlx_%'",
        )
        .await;
    assert_eq!(loose, Vec::<String>::new());
}
