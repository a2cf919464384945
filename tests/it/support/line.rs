//! Rows of an inventory, written by column.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use worker::inventory::Column;

use super::inventory::{CLIENT, id};

pub const BROAD: &str = "offline_access accounting.transactions accounting.settings";
pub const MIXED: &str = "offline_access accounting.transactions accounting.payments";
pub const GRANULAR: &str = "offline_access accounting.payments accounting.settings";
pub const UNAFFECTED: &str = "openid payroll.employees";
/// Holds what the tests' campaign requires; granular.
pub const READY: &str = "offline_access accounting.invoices accounting.settings";

/// One row.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line(BTreeMap<Column, String>);

/// A connection with everything of its own, held by one person with broad scopes.
pub fn line(number: usize) -> Line {
    Line::default()
        .with(Column::TenantId, id("a", number))
        .with(Column::ConnectionId, id("c", number))
        .with(Column::XeroUserId, id("d", number))
        .with(Column::Email, format!("person{number}@example.com"))
        .with(Column::Scopes, BROAD)
}

pub fn lines(numbers: impl IntoIterator<Item = usize>) -> Vec<Line> {
    numbers.into_iter().map(line).collect()
}

impl Line {
    pub fn with(mut self, column: Column, value: impl Into<String>) -> Self {
        self.0.insert(column, value.into());
        self
    }

    pub fn without(mut self, column: Column) -> Self {
        self.0.remove(&column);
        self
    }

    pub fn get(&self, column: Column) -> Option<&str> {
        self.0.get(&column).map(String::as_str)
    }
}

/// The file, with all columns.
pub fn csv(lines: &[Line]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let name = |column: &Column| column.name();
    writer.write_record(Column::ALL.iter().map(name)).expect("memory takes it");
    for line in lines {
        let fields = Column::ALL.iter().map(|column| line.get(*column).unwrap_or_default());
        writer.write_record(fields).expect("memory takes it");
    }
    writer.into_inner().expect("memory takes it")
}

/// An access token with these claims and the tests' app.
pub fn token(user: &str, scopes: &str, auth_time: i64) -> String {
    let claims = serde_json::json!({
        "client_id": CLIENT,
        "xero_userid": user,
        "scope": scopes.split(' ').collect::<Vec<_>>(),
        "auth_time": auth_time,
    });
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.{}", part(r#"{"alg":"RS256"}"#), part(&claims.to_string()), part("signature"))
}
