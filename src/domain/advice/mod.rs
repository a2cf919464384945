//! The least set of scopes that an app needs: from the calls that it makes, from its use
//! case, or from the broad scopes that it asked for so far (docs/scopes.md).

mod advised;
mod call;
mod comparison;
mod cover;
mod endpoints;
mod need;
mod use_case;
mod warning;

pub use advised::{Advice, Advised, Choice, Needs, Reason, Without};
pub use call::{Call, Line, Method, Unread};
pub use comparison::{AskedFor, Comparison, Holding, Lacking, compare};
pub use need::Need;
pub use use_case::{ALWAYS, UseCase};
pub use warning::Warning;
