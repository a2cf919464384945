//! The same inventory, through every kind that is supported, gives the same progress event.

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, Executor, SqlSafeStr, SqliteConnection};

use crate::support::generated::{self, State};
use crate::support::inventory::id;
use crate::support::mariadb::MariaDb;
use crate::support::pg::Pg;
use crate::support::place::Place;
use crate::support::said::counts;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/connections.csv");
const OWN_DATABASE: &str = "\"sqlite://worker.db\"";

/// The example, as far as it can be kept in a table: without the record that has too few
/// fields.
struct Records {
    names: Vec<String>,
    rows: Vec<Vec<String>>,
}

fn records() -> Records {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_path(EXAMPLE).unwrap();
    let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let all = reader.records().map(|record| record.unwrap());
    let rows: Vec<Vec<String>> = all
        .filter(|record| record.len() == names.len())
        .map(|record| record.iter().map(str::to_owned).collect())
        .collect();
    assert_eq!(rows.len(), 1207);
    Records { names, rows }
}

impl Records {
    fn csv(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(&self.names).unwrap();
        for row in &self.rows {
            writer.write_record(row).unwrap();
        }
        String::from_utf8(writer.into_inner().unwrap()).unwrap()
    }

    fn jsonl(&self) -> String {
        let line = |row: &Vec<String>| {
            let members = self.names.iter().zip(row);
            let object: serde_json::Map<String, Value> = members
                .filter(|(_, value)| !value.is_empty())
                .map(|(name, value)| (name.clone(), value.clone().into()))
                .collect();
            format!("{}\n", Value::Object(object))
        };
        self.rows.iter().map(line).collect()
    }

    fn table(&self, kind: &str) -> String {
        let columns: Vec<String> = self.names.iter().map(|name| format!("{name} {kind}")).collect();
        format!("create table inventory ({})", columns.join(", "))
    }

    /// Inserts; half of what is empty is NULL.
    fn inserts(&self, escape: fn(&str) -> String) -> Vec<String> {
        let value = |(at, text): (usize, &String)| match text.is_empty() && at.is_multiple_of(2) {
            true => "null".to_owned(),
            false => format!("'{}'", escape(text)),
        };
        let row = |row: &Vec<String>| {
            let values: Vec<String> = row.iter().enumerate().map(value).collect();
            format!("({})", values.join(", "))
        };
        let rows: Vec<String> = self.rows.iter().map(row).collect();
        rows.chunks(200)
            .map(|rows| format!("insert into inventory values {}", rows.join(",\n")))
            .collect()
    }
}

fn standard(text: &str) -> String {
    text.replace('\'', "''")
}

async fn sqlite(url: &str, statements: &[String]) {
    let mut connection = SqliteConnection::connect(url).await.unwrap();
    for statement in statements {
        connection.execute(AssertSqlSafe(statement.as_str()).into_sql_str()).await.unwrap();
    }
    connection.close().await.unwrap();
}

/// A configuration that reads `inventory` from a database.
fn reading(url: &str, query: &str) -> Place {
    let source = format!("kind = \"sql\"\nurl = {{ env = \"HOST_URL\" }}\nquery = \"{query}\"");
    let place = Place::new(&[("kind = \"csv\" ", &source), ("path = ", "# path = ")]);
    place.write("host-url", url);
    place.configure(&[
        ("kind = \"csv\" ", &source.replace("env = \"HOST_URL\"", "file = \"host-url\"")),
        ("path = ", "# path = "),
        ("floor = 500", "floor = 1"),
    ]);
    place
}

fn table(url: &str) -> Place {
    let edits = [
        (OWN_DATABASE, format!("{url:?}")),
        ("kind = \"csv\" ", "kind = \"table\" ".to_owned()),
        ("path = ", "# path = ".to_owned()),
        ("floor = 500", "floor = 1".to_owned()),
    ];
    Place::new(&edits.each_ref().map(|(from, to)| (*from, to.as_str())))
}

/// A first scan and one that finds everything known count the same; both are given.
fn scanned(place: &Place) -> Value {
    let first = counts(&place.done(&["run-once", "--dry-run"]).progress());
    for _ in 0..2 {
        assert_eq!(counts(&place.done(&["run-once"]).progress()), first);
    }
    first
}

#[tokio::test]
async fn the_example_counts_the_same_through_every_kind() {
    let records = records();
    let file = |name: &str, kind: &str, content: String| {
        let edits = [("kind = \"csv\" ", kind), ("max_bad_percent = 1 ", "max_bad_percent = 2 ")];
        let place = Place::with_inventory(name, &edits);
        place.write(name, content);
        scanned(&place)
    };
    let expected = file("all.csv", "kind = \"csv\" ", records.csv());
    assert_eq!(expected["connections"], 1171);
    assert_eq!(expected["bad_rows"], 8);
    assert_eq!(file("all.jsonl", "kind = \"jsonl\" ", records.jsonl()), expected);

    let pg = Pg::new().await;
    pg.execute(&records.table("text")).await;
    for statement in records.inserts(standard) {
        pg.execute(&statement).await;
    }
    assert_eq!(scanned(&reading(&pg.url(), "select * from inventory")), expected, "PostgreSQL");
    assert_eq!(scanned(&table(&pg.url())), expected, "table in PostgreSQL");

    let maria = MariaDb::new().await;
    maria.execute(&records.table("longtext")).await;
    for statement in records.inserts(|text| text.replace('\\', "\\\\").replace('\'', "''")) {
        maria.execute(&statement).await;
    }
    assert_eq!(scanned(&reading(&maria.url(), "select * from inventory")), expected, "MariaDB");

    let host = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", host.path().join("host.db").display());
    let statements = [vec![records.table("text")], records.inserts(standard)].concat();
    sqlite(&format!("{url}?mode=rwc"), &statements).await;
    assert_eq!(scanned(&reading(&url, "select * from inventory")), expected, "SQLite");
    assert_eq!(scanned(&table(&url)), expected, "table in SQLite");
}

const ROWS: usize = 600;

/// The generated inventory in a database's own types.
fn typed(uuid: fn(&str) -> String, list: fn(&str) -> String) -> String {
    let row = |number: usize| {
        format!(
            "({}, {}, {}, 'person-{number}@books.example', {}, '2026-03-01 08:00:00')",
            uuid(&id("a", number)),
            uuid(&id("c", number)),
            uuid(&id("d", number)),
            list(generated::scopes(number, State::Before)),
        )
    };
    let rows: Vec<String> = (1..=ROWS).map(row).collect();
    format!("insert into inventory values {}", rows.join(",\n"))
}

#[tokio::test]
async fn columns_in_a_databases_own_types_count_as_their_texts_do() {
    let place = Place::with_inventory("plain.csv", &[]);
    place.write("plain.csv", generated::csv(ROWS, State::Before));
    let expected = scanned(&place);
    assert_eq!(expected["connections"], ROWS);
    assert_eq!(expected["bad_rows"], 0);

    let pg = Pg::new().await;
    pg.execute(
        "create table inventory (tenant_id uuid, connection_id uuid, xero_user_id uuid, \
         email varchar, scopes text[], evidence_at timestamptz)",
    )
    .await;
    let zone = format!("alter database {} set timezone = 'Pacific/Auckland'", pg.name());
    pg.execute(&zone).await;
    let list = |scopes: &str| format!("string_to_array('{scopes}', ' ')");
    let rows = typed(|id| format!("'{id}'"), list).replace("08:00:00'", "08:00:00Z'");
    pg.execute(&rows).await;
    assert_eq!(scanned(&reading(&pg.url(), "select * from inventory")), expected, "PostgreSQL");
    assert_eq!(scanned(&table(&pg.url())), expected, "table in PostgreSQL");

    let maria = MariaDb::new().await;
    maria
        .execute(
            "create table inventory (tenant_id binary(16), connection_id binary(16), \
             xero_user_id uuid, email varchar(200), scopes text, evidence_at datetime)",
        )
        .await;
    let in_quotes = |scopes: &str| format!("'{scopes}'");
    // MariaDB turns a binary into its uuid type by itself.
    let bytes = |id: &str| format!("unhex(replace('{id}', '-', ''))");
    maria.execute(&typed(bytes, in_quotes)).await;
    assert_eq!(scanned(&reading(&maria.url(), "select * from inventory")), expected, "MariaDB");

    let host = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", host.path().join("host.db").display());
    let table_of_blobs = "create table inventory (tenant_id blob, connection_id blob, \
                          xero_user_id blob, email text, scopes text, evidence_at text)";
    let blob = |id: &str| format!("x'{}'", id.replace('-', ""));
    sqlite(&format!("{url}?mode=rwc"), &[table_of_blobs.to_owned(), typed(blob, in_quotes)]).await;
    assert_eq!(scanned(&reading(&url, "select * from inventory")), expected, "SQLite");
    assert_eq!(scanned(&table(&url)), expected, "table in SQLite");
}
