//! The floor's rows for PostgreSQL: binary copies, as the worker makes them.

use anyhow::Result;
use chrono::{DateTime, Utc};

use crate::floor::{CONNECTIONS, EVIDENCE, GRANTS, PEOPLE, Row, Statement, YEAR, at};

/// Rows of one copy, as the worker has it.
pub const ROWS: usize = 2_000;

/// 2000-01-01, from which PostgreSQL counts microseconds, as Unix time.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

pub fn statements(rows: &[Row]) -> Result<Vec<Statement>> {
    let mut grants = Copy::of(GRANTS);
    for row in rows.iter().filter(|row| row.is_new_grant) {
        grant(row, &mut grants)?;
    }
    let (mut connections, mut people) = (Copy::of(CONNECTIONS), Copy::of(PEOPLE));
    for row in rows {
        connection(row, &mut connections)?;
        person(row, &mut people)?;
    }
    Ok([grants, connections, people].map(Copy::end).into())
}

fn grant(row: &Row, copy: &mut Copy) -> Result<()> {
    copy.begin_row();
    copy.put(row.grant.as_bytes())?;
    copy.put(b"broad_only")?;
    copy.null();
    copy.put(&123_i64.to_be_bytes())?;
    copy.put(b"scopes")?;
    copy.date(row, at::EVIDENCE_AT)?;
    copy.put(&[0])?;
    copy.time(DateTime::UNIX_EPOCH)?;
    copy.null();
    Ok(())
}

fn connection(row: &Row, copy: &mut Copy) -> Result<()> {
    copy.begin_row();
    copy.put(row.connection.as_bytes())?;
    copy.put(row.connection.as_bytes())?;
    copy.put(row.grant.as_bytes())?;
    copy.put(row.id(at::TENANT)?.as_bytes())?;
    for column in [at::TENANT_NAME, at::TENANT_TYPE, at::ACCOUNT] {
        copy.put(row.text(column)?.as_bytes())?;
    }
    copy.put(row.id(at::AUTH_EVENT)?.as_bytes())?;
    copy.put(row.text(at::FLOW)?.as_bytes())?;
    for column in [at::CONNECTED_AT, at::UPDATED_AT, at::LAST_USED_AT] {
        copy.date(row, column)?;
    }
    copy.null();
    copy.put(EVIDENCE.as_bytes())?;
    copy.null();
    for word in ["present", "broad_only", "awaiting"] {
        copy.put(word.as_bytes())?;
    }
    for flag in [0, 0, 0, 1, 0] {
        copy.put(&[flag])?;
    }
    copy.time(DateTime::UNIX_EPOCH)?;
    copy.null();
    copy.put(&YEAR.to_be_bytes())?;
    copy.put(row.text(at::LOCALE)?.as_bytes())
}

fn person(row: &Row, copy: &mut Copy) -> Result<()> {
    copy.begin_row();
    copy.put(row.connection.as_bytes())?;
    copy.put(&row.grant.as_u64_pair().0.to_be_bytes())?;
    for column in [at::EMAIL, at::EMAIL, at::NAME, at::LOCALE, at::TIME_ZONE, at::COUNTRY] {
        copy.put(row.text(column)?.as_bytes())?;
    }
    Ok(())
}

/// One copy in the making.
struct Copy {
    statement: String,
    fields: i16,
    bytes: Vec<u8>,
}

impl Copy {
    fn of((table, columns): (&str, &[&str])) -> Self {
        let statement = format!("COPY {table} ({}) FROM STDIN (FORMAT binary)", columns.join(", "));
        let bytes = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
        Self { statement, fields: columns.len() as i16, bytes }
    }

    fn begin_row(&mut self) {
        self.bytes.extend_from_slice(&self.fields.to_be_bytes());
    }

    fn put(&mut self, field: &[u8]) -> Result<()> {
        self.bytes.extend_from_slice(&i32::try_from(field.len())?.to_be_bytes());
        self.bytes.extend_from_slice(field);
        Ok(())
    }

    fn null(&mut self) {
        self.bytes.extend_from_slice(&(-1_i32).to_be_bytes());
    }

    fn time(&mut self, time: DateTime<Utc>) -> Result<()> {
        self.put(&(time.timestamp_micros() - EPOCH_MICROS).to_be_bytes())
    }

    fn date(&mut self, row: &Row, column: usize) -> Result<()> {
        self.time(DateTime::parse_from_rfc3339(row.text(column)?)?.to_utc())
    }

    fn end(mut self) -> Statement {
        self.bytes.extend_from_slice(&(-1_i16).to_be_bytes());
        Statement::Postgres(self.statement, self.bytes)
    }
}
