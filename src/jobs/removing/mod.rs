//! The step that removes. A plan is drawn up (`draw`) and signed off by named people
//! (`signing`); a run takes in hand what of it still holds, looks at each connection once more
//! (`look`), writes down that it is about to ask Xero, asks, and writes down what came of
//! it (`act`). What nobody knows is settled by Xero's own list (`settle`), and by nothing
//! else.

mod act;
mod appraisal;
mod crew;
mod document;
mod draw;
mod fill;
mod list;
mod look;
mod made_by;
mod planned;
mod refresh;
mod settle;
mod signing;
mod state;
mod stop;
mod verdict;

pub use act::Removing;
pub use appraisal::Appraisal;
pub use document::{Document, Shown, is_same, read_plan_id};
pub use draw::{Drawing, Drawn};
pub use look::Looker;
pub use made_by::made_by;
pub use planned::Naming;
pub use settle::{Settled, settle};
pub use signing::{Signed, Standing};
pub use state::Totals;
pub use stop::Stop;
