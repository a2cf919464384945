//! What one call needs.

use crate::domain::scopes::{Scope, ScopeSet, Status};

use super::call::{Call, Method};

/// Which scopes let a call through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// One of these.
    OneOf(ScopeSet),
    /// None beyond a token.
    None,
    /// One that no user consents to: the app gets it for itself, by client credentials.
    Own(Scope),
    /// There was one, and it can no longer be asked for.
    Withdrawn(Scope),
    /// There is one for reading only.
    ReadOnly(Scope),
    /// The list has no such path.
    Unknown,
}

impl Need {
    /// A GET takes the write scope or its `.read`, any other method the write scope
    /// (docs/xero.md, "Scopes").
    #[must_use]
    pub fn of(call: &Call) -> Self {
        let Some(pattern) = call.pattern() else { return Self::Unknown };
        let Some(first) = pattern.scopes.first().copied() else { return Self::None };
        if first.status() == Status::NonTenanted {
            return Self::Own(first);
        }
        let writes = |scope: &Scope| !scope.name().ends_with(".read");
        let fitting: ScopeSet = match call.method {
            Method::Get => pattern
                .scopes
                .iter()
                .flat_map(|scope| [Some(*scope), scope.read()])
                .flatten()
                .collect(),
            _ => pattern.scopes.iter().copied().filter(writes).collect(),
        };
        if fitting.is_empty() {
            return Self::ReadOnly(first);
        }
        let requested: ScopeSet = fitting.iter().filter(|scope| scope.may_be_requested()).collect();
        if requested.is_empty() { Self::Withdrawn(first) } else { Self::OneOf(requested) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::call::Line;
    use super::*;

    fn need(line: &str) -> Need {
        let Line::Call(call) = Call::read(line) else { panic!("{line}") };
        Need::of(&call)
    }

    fn one_of(line: &str) -> String {
        let Need::OneOf(scopes) = need(line) else { panic!("{line}: {:?}", need(line)) };
        scopes.canonical()
    }

    #[test]
    fn reading_takes_either_of_a_pair_and_writing_the_scope_itself() {
        assert_eq!(one_of("GET /Quotes"), "accounting.invoices accounting.invoices.read");
        for method in ["POST", "PUT", "DELETE"] {
            assert_eq!(one_of(&format!("{method} /Quotes/1")), "accounting.invoices");
        }
        assert_eq!(one_of("GET /bankfeeds.xro/1.0/Statements"), "bankfeeds");
        assert_eq!(one_of("PUT /Items"), "accounting.invoices accounting.settings");
    }

    #[test]
    fn what_no_consent_can_give_is_told_apart() {
        assert!(matches!(need("GET /connections"), Need::None));
        assert!(matches!(need("GET /appstore/2.0/subscriptions/1"), Need::Own(_)));
        assert!(matches!(need("GET /Receipts/1"), Need::Withdrawn(_)));
        assert!(matches!(need("POST /Journals"), Need::ReadOnly(_)));
    }
}
