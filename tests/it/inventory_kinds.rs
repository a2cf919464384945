//! One inventory kept in every way that is supported, in the types that each database has
//! for it, gives the same rows.

use sqlx::{AssertSqlSafe, Connection, Executor, SqlSafeStr, SqliteConnection};
use worker::inventory::{Columns, Selection, Source};

use crate::support::inventory::{OneFile, Parsed, id, read, read_with, selected, sql};
use crate::support::mariadb::MariaDb;
use crate::support::pg::Pg;

/// More than two batches.
const ROWS: usize = 2500;

const QUERY: &str = "select * from inventory order by number;  -- every one of them";

/// A connection as the host thinks of it.
struct Kept {
    number: usize,
    has_connection: bool,
    name: Option<&'static str>,
    scopes: Vec<&'static str>,
    evidence_at: Option<String>,
    response: Option<String>,
    required: Vec<&'static str>,
    account: usize,
}

fn kept() -> Vec<Kept> {
    let names = [Some("Zoë \"Z\" O'Hara, Ltd"), None, Some("two\nlines \\ back"), Some("名前")];
    let scopes = [
        vec!["openid", "accounting.transactions"],
        vec!["accounting.invoices", "accounting.transactions"],
        vec![],
        vec!["accounting.settings"],
    ];
    let of = |number: usize| Kept {
        number,
        has_connection: !number.is_multiple_of(7),
        name: names[number % 4],
        scopes: scopes[number % 4].clone(),
        evidence_at: (!number.is_multiple_of(3))
            .then(|| format!("2026-0{}-01 12:34:56.{:06}", 1 + number % 9, number)),
        response: number
            .is_multiple_of(5)
            .then(|| r#"{"scope": "files assets", "n": 1.5}"#.to_owned()),
        required: if number.is_multiple_of(11) { vec!["accounting.invoices"] } else { vec![] },
        account: 40 + number,
    };
    (1..=ROWS).map(of).collect()
}

impl Kept {
    fn tenant(&self) -> String {
        id("a", self.number)
    }

    fn connection(&self) -> Option<String> {
        self.has_connection.then(|| id("c", self.number))
    }

    fn csv(&self) -> String {
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let optional = |text: Option<&str>| text.map(quoted).unwrap_or_default();
        [
            self.number.to_string(),
            self.tenant(),
            optional(self.connection().as_deref()),
            optional(self.name),
            self.scopes.join(" "),
            self.evidence_at.clone().unwrap_or_default(),
            optional(self.response.as_deref()),
            self.required.join(" "),
            self.account.to_string(),
        ]
        .join(",")
    }

    fn json(&self) -> String {
        let response: Option<serde_json::Value> =
            self.response.as_ref().map(|json| serde_json::from_str(json).unwrap());
        let xeros = self.evidence_at.as_ref().map(|at| format!("{}0", at.replace(' ', "T")));
        serde_json::json!({
            "tenant_id": self.tenant(), "connection_id": self.connection(), "name": self.name,
            "scopes": self.scopes, "evidence_at": xeros, "token_response": response,
            "required_scopes": self.required, "account_id": self.account, "active": true,
        })
        .to_string()
    }

    /// The values of an insert, with what each database writes differently.
    fn values(&self, uuid: fn(&str) -> String, list: fn(&[&str]) -> String) -> String {
        let text = |text: &str| format!("'{}'", text.replace('\'', "''"));
        let or_null = |text: Option<String>| text.unwrap_or_else(|| "null".to_owned());
        let values = [
            self.number.to_string(),
            uuid(&self.tenant()),
            or_null(self.connection().as_deref().map(uuid)),
            or_null(self.name.map(text)),
            list(&self.scopes),
            or_null(self.evidence_at.as_deref().map(text)),
            or_null(self.response.as_deref().map(text)),
            list(&self.required),
            self.account.to_string(),
            "true".to_owned(),
        ];
        format!("({})", values.join(", "))
    }
}

fn insert(uuid: fn(&str) -> String, list: fn(&[&str]) -> String) -> String {
    let rows: Vec<String> = kept().iter().map(|kept| kept.values(uuid, list)).collect();
    format!("insert into inventory values {}", rows.join(",\n"))
}

fn plain(text: &str) -> String {
    format!("'{text}'")
}

/// The connection's id in 16 bytes, the tenant's as text.
fn blob_of_a_connection(uuid: &str) -> String {
    if uuid.starts_with('c') { format!("x'{}'", uuid.replace('-', "")) } else { plain(uuid) }
}

fn words(words: &[&str]) -> String {
    plain(&words.join(" "))
}

fn json_list(words: &[&str]) -> String {
    plain(&serde_json::json!(words).to_string())
}

async fn postgres() -> Pg {
    let pg = Pg::new().await;
    let array = |words: &[&str]| format!("'{{{}}}'::text[]", words.join(","));
    pg.execute(&format!(
        "create table inventory (number int, tenant_id uuid, \"Connection_ID\" uuid, \
         name varchar, scopes text[], evidence_at timestamptz, token_response jsonb, \
         required_scopes text[], account_id bigint, active boolean);
         set timezone = 'UTC'; {}",
        insert(plain, array)
    ))
    .await;
    // Settings that would change how dates read.
    for setting in ["timezone = 'Asia/Kolkata'", "datestyle = 'German'"] {
        pg.execute(&format!("alter database {} set {setting}", pg.name())).await;
    }
    pg
}

async fn mariadb() -> MariaDb {
    let mariadb = MariaDb::new().await;
    mariadb
        .execute(
            "create table inventory (number int, tenant_id char(36) collate utf8mb4_bin, \
             connection_id binary(16), name varchar(200) character set utf8mb3, scopes longtext, \
             evidence_at datetime(6), token_response json, required_scopes blob, \
             account_id bigint unsigned, active boolean)",
        )
        .await;
    // A backslash is an escape in its texts.
    mariadb.execute(&insert(blob_of_a_connection, words).replace('\\', "\\\\")).await;
    mariadb
}

async fn sqlite(file: &OneFile) -> String {
    std::fs::remove_file(file.path()).unwrap();
    let url = format!("sqlite://{}", file.path().display());
    let mut connection =
        SqliteConnection::connect(&format!("{url}?mode=rwc")).await.expect("a new file");
    let table = "create table inventory (number, tenant_id text, connection_id blob, name text, \
                 scopes text, evidence_at datetime, token_response text, required_scopes, \
                 account_id integer, active boolean)";
    for statement in [table, &insert(blob_of_a_connection, json_list)] {
        let statement = AssertSqlSafe(statement).into_sql_str();
        connection.execute(statement).await.expect("the test's own statement");
    }
    connection.close().await.expect("it is closed");
    url
}

/// Without places, which are lines here and rows there.
fn rows(parsed: Vec<Parsed>) -> Vec<Parsed> {
    assert_eq!(parsed.len(), ROWS);
    assert!(parsed.iter().all(Result::is_ok), "{:?}", parsed.iter().find(|row| row.is_err()));
    parsed
}

#[tokio::test]
async fn the_same_inventory_gives_the_same_rows_from_every_kind() {
    let header = "number,tenant_id,connection_id,name,scopes,evidence_at,token_response,\
                  required_scopes,account_id";
    let lines: Vec<String> = kept().iter().map(Kept::csv).collect();
    let csv =
        rows(read(OneFile::new(format!("{header}\n{}", lines.join("\n"))).csv()).await.unwrap());
    let (row, warnings) = csv[4].as_ref().unwrap();
    assert_eq!((row.account.as_deref(), row.evidence.len(), warnings.date), (Some("45"), 2, false));

    let lines: Vec<String> = kept().iter().map(Kept::json).collect();
    let jsonl = rows(read(OneFile::new(lines.join("\n")).jsonl()).await.unwrap());
    assert_same(&csv, &jsonl, "jsonl");

    let pg = postgres().await;
    assert_same(&csv, &rows(read(sql(&pg.url(), QUERY)).await.unwrap()), "postgres");
    let mariadb = mariadb().await;
    assert_same(&csv, &rows(read(sql(&mariadb.url(), QUERY)).await.unwrap()), "mariadb");
    let file = OneFile::new("");
    let url = sqlite(&file).await;
    assert_same(&csv, &rows(read(sql(&url, QUERY)).await.unwrap()), "sqlite");
}

fn assert_same(one: &[Parsed], other: &[Parsed], kind: &str) {
    for (one, other) in one.iter().zip(other) {
        assert_eq!(one, other, "{kind}");
    }
}

#[tokio::test]
async fn a_second_look_finds_the_tenants_it_asks_for_in_every_database() {
    let numbers = [3, 2402, 7];
    let ids = numbers.iter().map(|number| id("a", *number).parse().unwrap());
    let absent = (0..1200).map(|number| id("e", number).parse().unwrap());
    let selection = Selection::Tenants(ids.chain(absent).collect());
    let file = OneFile::new("");
    let (pg, mariadb, sqlite) = (postgres().await, mariadb().await, sqlite(&file).await);
    for url in [pg.url(), mariadb.url(), sqlite] {
        let parsed = read(selected(&url, QUERY, selection.clone())).await.unwrap();
        let mut found: Vec<String> =
            parsed.iter().map(|row| row.as_ref().unwrap().0.tenant.to_string()).collect();
        found.sort();
        // The seventh has no connection id.
        assert_eq!(found, [id("a", 3), id("a", 7), id("a", 2402)], "{url}");
        let none = read(selected(&url, QUERY, Selection::Tenants(vec![]))).await.unwrap();
        assert!(none.is_empty());
    }
}

#[tokio::test]
async fn ids_kept_as_text_in_any_spelling_are_found_too() {
    let file = OneFile::new("");
    let texts =
        [id("a", 1).to_uppercase(), id("a", 1).replace('-', ""), format!(" {} ", id("a", 1))];
    let selects: Vec<String> = texts.iter().map(|text| format!("select '{text}' as org")).collect();
    let query = selects.join(" union all ");
    let selection = Selection::Tenants(vec![id("a", 1).parse().unwrap()]);
    let (pg, mariadb, sqlite) = (Pg::new().await, MariaDb::new().await, sqlite(&file).await);
    for url in [pg.url(), mariadb.url(), sqlite] {
        let columns = Columns::new([("tenant_id", "org")]).unwrap();
        let source: Source = selected(&url, &query, selection.clone());
        assert_eq!(read_with(source, columns).await.unwrap().len(), 3, "{url}");
    }
}
