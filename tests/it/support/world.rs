//! A database of the worker, with an inventory to scan into it. Every test that begins
//! with [`both`] runs on SQLite and on PostgreSQL, each on a database of its own.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::AssertSqlSafe;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use worker::domain::campaign::GuardLimits;
use worker::domain::connection::Connection;
use worker::domain::grant::ConnectionKey;
use worker::domain::row::Flow;
use worker::domain::scopes::{ScopeSet, ScopeText};
use worker::inventory::{Columns, Reader, Rules};
use worker::jobs::progress::{Unwatched, Watcher};
use worker::jobs::scan::{Error, Scan, Summary};
use worker::store::settings::Keys;
use worker::store::{Database, PrivateCopy, Store};

use super::inventory::{CLIENT, OneFile, id};
use super::line::{Line, csv};
use super::pg::Pg;
use super::place::Place;

pub const KEYS: Keys = Keys { fingerprint: [7; 16], pseudonym: [9; 32] };

/// Nothing stops a scan.
pub const OPEN: GuardLimits =
    GuardLimits { floor: 0, max_change_percent: 100.0, max_bad_percent: 100.0 };

/// What the campaign of these tests requires.
pub const REQUIRED: &str = "offline_access accounting.settings accounting.invoices";

/// Where the database is; it goes with this.
enum Home {
    Sqlite(tempfile::TempDir),
    Postgres(Pg),
    /// Not synced to the disk, for many short lives.
    Fleeting(PrivateCopy),
    /// It belongs to somebody else.
    Elsewhere(String),
}

/// A database of the worker and a clock that goes on by an hour with every scan.
pub struct World {
    pub store: Store,
    home: Home,
    hours: AtomicU32,
}

/// What a scan depends on beside database and inventory.
pub struct Conditions<'a> {
    pub limits: GuardLimits,
    pub required: &'a str,
    pub app_flow: Flow,
    pub has_list: bool,
    pub watcher: &'a dyn Watcher,
    pub cancel: CancellationToken,
    pub now: Option<DateTime<Utc>>,
}

impl Default for Conditions<'_> {
    fn default() -> Self {
        Self {
            limits: OPEN,
            required: REQUIRED,
            app_flow: Flow::Web,
            has_list: false,
            watcher: &Unwatched,
            cancel: CancellationToken::new(),
            now: None,
        }
    }
}

/// Runs a test on both databases, migrated and bound to an app.
pub async fn both(test: impl AsyncFn(World)) {
    both_empty(async |world: World| {
        world.prepare().await;
        test(world).await;
    })
    .await;
}

/// Runs a test on both databases, with nothing in them yet.
pub async fn both_empty(test: impl AsyncFn(World)) {
    for world in [World::sqlite().await, World::postgres().await] {
        test(world).await;
    }
}

/// The time of the test's first scan.
pub fn start() -> DateTime<Utc> {
    "2026-11-23T09:00:00.000123Z".parse().expect("a time")
}

pub fn scopes(text: &str) -> ScopeSet {
    let read = ScopeText::read(text);
    assert!(read.unknown.is_empty(), "{:?}", read.unknown);
    read.set
}

/// The key of a connection that has Xero's id.
pub fn key(connection: usize) -> ConnectionKey {
    ConnectionKey(id("c", connection).parse().expect("a UUID"))
}

impl World {
    async fn open(home: Home, database: &Database) -> Self {
        let store = database.open().await.expect("the test's own database");
        Self { store, home, hours: AtomicU32::new(0) }
    }

    pub async fn sqlite() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let database = Database::Sqlite(dir.path().join("worker.db"));
        Self::open(Home::Sqlite(dir), &database).await
    }

    pub async fn postgres() -> Self {
        let pg = Pg::new().await;
        let database = Database::parse(&pg.url()).expect("an address");
        Self::open(Home::Postgres(pg), &database).await
    }

    /// On SQLite, for as long as it takes to look at it.
    pub async fn fleeting() -> Self {
        let nowhere = Database::Sqlite("/nonexistent/worker.db".into());
        let copy = PrivateCopy::of(&nowhere).await.expect("a temporary database");
        let world = Self {
            store: copy.store.clone(),
            home: Home::Fleeting(copy),
            hours: AtomicU32::new(0),
        };
        world.prepare().await;
        world
    }

    /// The database that the program works on in a directory.
    pub async fn of(place: &Place) -> Self {
        Self::at(&format!("sqlite://{}", place.database().display())).await
    }

    /// Somebody else's database.
    pub async fn at(url: &str) -> Self {
        let database = Database::parse(url).expect("an address");
        Self::open(Home::Elsewhere(url.to_owned()), &database).await
    }

    pub async fn prepare(&self) {
        self.store.migrate().await.expect("a schema");
        self.store.bind(CLIENT, &KEYS).await.expect("a new database");
    }

    /// Opens the same database once more.
    pub fn database(&self) -> Database {
        match &self.home {
            Home::Sqlite(dir) => Database::Sqlite(dir.path().join("worker.db")),
            Home::Postgres(pg) => Database::parse(&pg.url()).expect("an address"),
            Home::Fleeting(copy) => Database::Sqlite(copy.path.clone()),
            Home::Elsewhere(url) => Database::parse(url).expect("an address"),
        }
    }

    pub fn is_postgres(&self) -> bool {
        matches!(self.store, Store::Postgres(_))
    }

    /// Scans, whatever the guard says of it.
    pub async fn scan_under(
        &self,
        lines: &[Line],
        conditions: Conditions<'_>,
    ) -> Result<Summary, Error> {
        let file = OneFile::new(csv(lines));
        let reader = Reader::open(file.csv(), Columns::default()).await?;
        self.scan_reader(reader, conditions).await
    }

    pub async fn scan_reader(
        &self,
        reader: Reader,
        conditions: Conditions<'_>,
    ) -> Result<Summary, Error> {
        let hour = self.hours.fetch_add(1, Ordering::Relaxed);
        let scan = Scan {
            store: &self.store,
            keys: &KEYS,
            rules: &Rules { client_id: CLIENT.to_owned(), ignore_refresh_tokens: false },
            required: scopes(conditions.required),
            app_flow: conditions.app_flow,
            has_list: conditions.has_list,
            limits: conditions.limits,
            now: conditions.now.unwrap_or(start() + TimeDelta::hours(hour.into())),
            run_id: Uuid::from_u128(u128::from(hour) + 1),
            scan_id: Uuid::from_u128(u128::from(hour) + 1),
            watcher: conditions.watcher,
            cancel: &conditions.cancel,
        };
        scan.run(reader).await
    }

    /// Scans with nothing in the way.
    pub async fn scan(&self, lines: &[Line]) -> Summary {
        let summary = self.scan_under(lines, Conditions::default()).await.expect("a scan");
        assert!(summary.is_in_force(), "{:?}", summary.objections);
        summary
    }

    /// A connection, by the number that its id was made of.
    pub async fn get(&self, connection: usize) -> Connection {
        self.find(key(connection)).await.expect("a stored connection")
    }

    pub async fn find(&self, key: ConnectionKey) -> Option<Connection> {
        let sets = self.store.scope_sets().await.expect("scope sets");
        let found = self.store.connections_by_key(&[key], &sets).await.expect("connections");
        found.into_iter().next()
    }

    /// Runs a statement of the test's own.
    pub async fn execute(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        match &self.store {
            Store::Sqlite(pool) => drop(sqlx::raw_sql(sql).execute(pool).await.expect("SQL")),
            Store::Postgres(pool) => drop(sqlx::raw_sql(sql).execute(pool).await.expect("SQL")),
        }
    }

    /// The texts that a query of one column gives, sorted.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        let sql = AssertSqlSafe(sql.to_owned());
        let mut texts: Vec<String> = match &self.store {
            Store::Sqlite(pool) => sqlx::query_scalar(sql).fetch_all(pool).await,
            Store::Postgres(pool) => sqlx::query_scalar(sql).fetch_all(pool).await,
        }
        .expect("SQL");
        texts.sort();
        texts
    }

    pub async fn tables(&self) -> Vec<String> {
        let sql = match &self.store {
            Store::Sqlite(_) => {
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            }
            Store::Postgres(_) => {
                "SELECT table_name::text FROM information_schema.tables \
                 WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
            }
        };
        self.texts(sql).await
    }

    /// Every row of every table, or of those named, as sorted text.
    pub async fn dump(&self, tables: &[&str]) -> BTreeMap<String, Vec<String>> {
        let mut dump = BTreeMap::new();
        for table in self.tables().await {
            if !tables.is_empty() && !tables.contains(&table.as_str()) {
                continue;
            }
            let sql = match &self.store {
                Store::Postgres(_) => format!("SELECT t::text FROM {table} t"),
                Store::Sqlite(_) => {
                    let columns = self
                        .texts(&format!(
                            "SELECT 'quote(' || name || ')' FROM pragma_table_info('{table}')"
                        ))
                        .await;
                    format!("SELECT {} FROM {table}", columns.join(" || ',' || "))
                }
            };
            let rows = self.texts(&sql).await;
            dump.insert(table, rows);
        }
        dump
    }

    /// From here on [`World::written`] tells which rows are written.
    pub async fn watch_writes(&self) {
        self.execute("CREATE TABLE written (what text NOT NULL)").await;
        if self.is_postgres() {
            self.execute(
                "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS \
                 $$BEGIN INSERT INTO written VALUES (TG_OP || ' ' || TG_TABLE_NAME); RETURN NULL; END$$",
            )
            .await;
        }
        for table in ["grants", "connections", "people", "changes", "scope_sets", "bad_rows"] {
            if self.is_postgres() {
                self.execute(&format!(
                    "CREATE TRIGGER note_{table} AFTER INSERT OR UPDATE OR DELETE ON {table} \
                     FOR EACH ROW EXECUTE FUNCTION note()"
                ))
                .await;
                continue;
            }
            for action in ["INSERT", "UPDATE", "DELETE"] {
                self.execute(&format!(
                    "CREATE TRIGGER note_{action}_{table} AFTER {action} ON {table} \
                     BEGIN INSERT INTO written VALUES ('{action} {table}'); END"
                ))
                .await;
            }
        }
    }

    /// What was written since the last call: an action and a table for each row.
    pub async fn written(&self) -> Vec<String> {
        let written = self.texts("SELECT what FROM written").await;
        self.execute("DELETE FROM written").await;
        written
    }
}
