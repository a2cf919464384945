//! What the two databases do not say alike.

use chrono::{DateTime, SecondsFormat, Utc};
use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::{Database, Postgres, Sqlite, Type};
use uuid::Uuid;

use super::bulk::Kind;
use super::{Store, Tx};

/// A list of ids as one parameter: an array in PostgreSQL, JSON in SQLite.
#[derive(Clone, Debug)]
pub(super) struct Ids(pub Vec<Uuid>);

impl Type<Postgres> for Ids {
    fn type_info() -> <Postgres as Database>::TypeInfo {
        <Vec<Uuid> as Type<Postgres>>::type_info()
    }
}

impl Encode<'_, Postgres> for Ids {
    fn encode_by_ref(
        &self,
        buf: &mut <Postgres as Database>::ArgumentBuffer,
    ) -> Result<IsNull, BoxDynError> {
        <Vec<Uuid> as Encode<'_, Postgres>>::encode_by_ref(&self.0, buf)
    }
}

impl Type<Sqlite> for Ids {
    fn type_info() -> <Sqlite as Database>::TypeInfo {
        <String as Type<Sqlite>>::type_info()
    }
}

impl Encode<'_, Sqlite> for Ids {
    fn encode_by_ref(
        &self,
        buf: &mut <Sqlite as Database>::ArgumentBuffer,
    ) -> Result<IsNull, BoxDynError> {
        let words: Vec<String> =
            self.0.iter().map(|id| format!("\"{}\"", id.as_simple())).collect();
        Encode::<Sqlite>::encode(format!("[{}]", words.join(",")), buf)
    }
}

/// A list of texts as one parameter: an array in PostgreSQL, JSON in SQLite.
#[derive(Clone, Debug)]
pub(super) struct Words(pub Vec<String>);

impl Type<Postgres> for Words {
    fn type_info() -> <Postgres as Database>::TypeInfo {
        <Vec<String> as Type<Postgres>>::type_info()
    }
}

impl Encode<'_, Postgres> for Words {
    fn encode_by_ref(
        &self,
        buf: &mut <Postgres as Database>::ArgumentBuffer,
    ) -> Result<IsNull, BoxDynError> {
        <Vec<String> as Encode<'_, Postgres>>::encode_by_ref(&self.0, buf)
    }
}

impl Type<Sqlite> for Words {
    fn type_info() -> <Sqlite as Database>::TypeInfo {
        <String as Type<Sqlite>>::type_info()
    }
}

impl Encode<'_, Sqlite> for Words {
    fn encode_by_ref(
        &self,
        buf: &mut <Sqlite as Database>::ArgumentBuffer,
    ) -> Result<IsNull, BoxDynError> {
        Encode::<Sqlite>::encode(serde_json::to_string(&self.0)?, buf)
    }
}

/// Which of the two it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    pub(super) fn of(store: &Store) -> Self {
        match store {
            Store::Sqlite(_) => Self::Sqlite,
            Store::Postgres(_) => Self::Postgres,
        }
    }

    pub(super) fn of_tx(tx: &Tx) -> Self {
        match tx {
            Tx::Sqlite(_) => Self::Sqlite,
            Tx::Postgres(_) => Self::Postgres,
        }
    }

    /// A table made of the records in the JSON text bound as `$1`, each an object, of which
    /// there are `count`: PostgreSQL would take a hundred for granted, and rather read a whole
    /// table than look up so many. It is told in powers of two, so that statements are found
    /// again.
    pub(super) fn records(self, columns: &[(&str, Kind)], count: usize) -> String {
        match self {
            Self::Postgres => {
                let columns: Vec<String> = columns
                    .iter()
                    .map(|(name, kind)| format!("{name} {}", kind.in_postgres()))
                    .collect();
                format!(
                    "(SELECT * FROM jsonb_to_recordset($1::jsonb) AS n({}) LIMIT {}) AS n",
                    columns.join(", "),
                    count.next_power_of_two()
                )
            }
            Self::Sqlite => {
                let columns: Vec<String> = columns
                    .iter()
                    .map(|(name, kind)| match kind {
                        Kind::Uuid => format!("unhex(value->>'{name}', '-') AS {name}"),
                        _ => format!("value->>'{name}' AS {name}"),
                    })
                    .collect();
                format!("(SELECT {} FROM json_each($1)) AS n", columns.join(", "))
            }
        }
    }

    /// The rows of `table`, named `alias`, whose `column` is one of the [`Ids`] or [`Words`]
    /// bound as `$1`, each found by the column's index. PostgreSQL has no figures about a table
    /// that is just filling, and left to itself it reads all of it for a hundred rows.
    pub(super) fn of_each(self, table: &str, column: &str, kind: Kind, alias: &str) -> String {
        match self {
            Self::Sqlite => {
                let value = if kind == Kind::Uuid { "unhex(value)" } else { "value" };
                format!(
                    "(SELECT * FROM {table} WHERE {column} IN \
                        (SELECT {value} FROM json_each($1))) AS {alias}"
                )
            }
            // A subquery with OFFSET stays as it is written.
            Self::Postgres => format!(
                "(SELECT DISTINCT unnest($1::{}[]) AS one) AS {alias}_of CROSS JOIN LATERAL \
                    (SELECT * FROM {table} WHERE {table}.{column} = {alias}_of.one OFFSET 0) \
                    AS {alias}",
                kind.in_postgres()
            ),
        }
    }

    /// The connections among the [`Ids`] bound as `$1` that prompts show, as `c`, with their
    /// prompts, as `p`, found in the same way.
    pub(super) fn shown_with_prompts(self) -> String {
        let shown = self.of_each("prompt_connections", "connection_key", Kind::Uuid, "c");
        match self {
            Self::Sqlite => format!("{shown} JOIN prompts p ON p.prompt_id = c.prompt_id"),
            Self::Postgres => format!(
                "{shown} CROSS JOIN LATERAL \
                    (SELECT * FROM prompts WHERE prompts.prompt_id = c.prompt_id OFFSET 0) AS p"
            ),
        }
    }

    /// Ends a query for rows that are to be changed: those that another worker is about to
    /// change are passed over. On SQLite only one writes at a time.
    pub(super) fn passing_over_locked(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => "FOR UPDATE SKIP LOCKED",
        }
    }

    /// Fills `{ids}` in a statement with the test for membership in the [`Ids`] bound as `$1`.
    pub(super) fn with_ids(self, statement: &str) -> String {
        let test = match self {
            Self::Sqlite => "IN (SELECT unhex(value) FROM json_each($1))",
            Self::Postgres => "= ANY($1)",
        };
        statement.replace("{ids}", test)
    }
}

/// Fills `{words}` in a statement with the test for membership in the [`Words`] bound as `$1`.
pub(super) fn with_words(store: &Store, statement: &str) -> String {
    let test = match store {
        Store::Sqlite(_) => "IN (SELECT value FROM json_each($1))",
        Store::Postgres(_) => "= ANY($1)",
    };
    statement.replace("{words}", test)
}

pub(super) fn with_ids(store: &Store, statement: &str) -> String {
    Dialect::of(store).with_ids(statement)
}

/// The folder of `migrations/` for a database.
pub(super) fn migrator(store: &Store) -> sqlx::migrate::Migrator {
    match store {
        Store::Sqlite(_) => sqlx::migrate!("migrations/sqlite"),
        Store::Postgres(_) => sqlx::migrate!("migrations/postgres"),
    }
}

/// A time as both databases read it from a record's text: SQLite stores it as it stands, so
/// it is written as sqlx writes times.
pub(super) fn time_text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, false)
}
