//! Inventories of any size, the same for the same number of rows.

use super::inventory::id;

/// Which of two states of the same connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// As Xero's customers are today: most hold broad scopes.
    Before,
    /// Every second one of them has consented anew.
    After,
}

pub const HEADER: &str = "tenant_id,connection_id,xero_user_id,email,scopes,evidence_at\n";

/// The scopes of a connection.
pub fn scopes(number: usize, state: State) -> &'static str {
    match (number % 10, state) {
        (0, _) => "openid email accounting.settings accounting.contacts",
        (1, _) => "",
        (2, _) => "accounting.transactions accounting.invoices accounting.settings",
        (rest, State::After) if rest.is_multiple_of(2) => {
            "offline_access accounting.settings accounting.contacts accounting.invoices"
        }
        _ => "offline_access accounting.settings accounting.contacts accounting.transactions",
    }
}

/// A line for each connection, each of a person of their own.
pub fn row(number: usize, state: State) -> String {
    let evidence_at = match state {
        State::Before => "2026-03-01 08:00:00",
        State::After => "2026-09-01 08:00:00",
    };
    format!(
        "{},{},{},person-{number}@books.example,{},{evidence_at}\n",
        id("a", number),
        id("c", number),
        id("d", number),
        scopes(number, state),
    )
}

pub fn csv(rows: usize, state: State) -> String {
    let rows = (1..=rows).map(|number| row(number, state));
    std::iter::once(HEADER.to_owned()).chain(rows).collect()
}
