//! Scopes: the catalogue of all that Xero knows or knew, sets of them, and the reading of
//! scope texts in every notation that hosts store (docs/classes.md, "Scope texts").

mod catalogue;
mod set;
mod text;

pub use catalogue::{Access, Entry, Scope, Status, catalogue};
pub use set::ScopeSet;
pub use text::{ScopeText, meant};
