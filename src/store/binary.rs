//! PostgreSQL's binary COPY format, for rows that are only added: the server neither parses
//! values nor plans a statement for them, which makes it the fastest way in.
//!
//! The format: <https://www.postgresql.org/docs/current/sql-copy.html>, "Binary Format".

use chrono::{DateTime, Utc};

use super::Error;
use super::bulk::Cell;

/// Eleven bytes of signature, no flags, no header extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// In place of a row's number of fields.
const TRAILER: [u8; 2] = (-1i16).to_be_bytes();
/// In place of a field's length.
const NULL: [u8; 4] = (-1i32).to_be_bytes();
/// 2000-01-01, from which PostgreSQL counts microseconds, as Unix time.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// Rows of `width` cells each.
pub(super) fn rows(width: usize, cells: &[Cell]) -> Result<Vec<u8>, Error> {
    let fields = i16::try_from(width).map_err(too_long)?.to_be_bytes();
    let mut out = Vec::with_capacity(cells.len() * 16);
    out.extend_from_slice(HEADER);
    for row in cells.chunks(width) {
        out.extend_from_slice(&fields);
        for cell in row {
            field(cell, &mut out)?;
        }
    }
    out.extend_from_slice(&TRAILER);
    Ok(out)
}

fn field(cell: &Cell, out: &mut Vec<u8>) -> Result<(), Error> {
    let mut put = |bytes: &[u8]| {
        out.extend_from_slice(&i32::try_from(bytes.len()).map_err(too_long)?.to_be_bytes());
        out.extend_from_slice(bytes);
        Ok(())
    };
    match cell {
        Cell::Uuid(Some(id)) => put(id.as_bytes()),
        Cell::Text(Some(text)) => put(text.as_bytes()),
        Cell::Int(Some(number)) => put(&number.to_be_bytes()),
        Cell::Time(Some(time)) => put(&micros(*time).to_be_bytes()),
        Cell::Bool(flag) => put(&[u8::from(*flag)]),
        Cell::Uuid(None) | Cell::Text(None) | Cell::Int(None) | Cell::Time(None) => {
            out.extend_from_slice(&NULL);
            Ok(())
        }
    }
}

fn micros(time: DateTime<Utc>) -> i64 {
    time.timestamp_micros().saturating_sub(EPOCH_MICROS)
}

fn too_long(error: std::num::TryFromIntError) -> Error {
    Error::Database(sqlx::Error::Encode(Box::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_look_as_the_manual_of_postgresql_says() {
        let time = DateTime::from_timestamp_micros(EPOCH_MICROS + 1);
        let cells = [Cell::Time(time), Cell::Bool(true), Cell::Int(None), Cell::word(Some("ab"))];
        let expected: &[&[u8]] = &[
            b"PGCOPY\n\xff\r\n\0",
            &[0; 8],
            &[0, 2, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1],
            &[0, 2, 255, 255, 255, 255, 0, 0, 0, 2, b'a', b'b'],
            &[255, 255],
        ];
        assert_eq!(rows(2, &cells).unwrap(), expected.concat());
    }
}
