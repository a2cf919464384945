//! Scopes: the catalogue of all that Xero knows or knew, sets of them, and the reading of
//! scope texts in every notation that hosts store (docs/classes.md, "Scope texts").

mod catalogue;
mod explained;
mod meant;
mod nearest;
mod notation;
mod set;
mod text;

pub use catalogue::{Access, Catalogue, Confidence, Entry, Scope, Status, catalogue};
pub use explained::Explained;
pub use meant::meant;
pub use set::ScopeSet;
pub use text::ScopeText;
