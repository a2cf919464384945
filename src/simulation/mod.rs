//! The same jobs in a made-up world, through a virtual clock: to see a campaign coming before
//! it is begun, and to prove that it keeps its promises whatever goes wrong (docs/simulation.md).

pub mod assume;
mod assumed;
mod chance;
pub mod clock;
mod deeds;
mod elapsed;
mod fitted;
mod observing;
mod outside;
mod people;
mod play;
pub mod proof;
mod simulating;
mod skipping;
mod storm;
mod witness;
mod world;
pub mod xero;

pub use assumed::{assumed, env};
pub use chance::Seed;
pub use elapsed::Elapsed;
pub use observing::{Names, course};
pub use outside::Shared;
pub use play::{Play, end};
pub use simulating::{Asked, Begun, begins, campaign, from_history, keys, simulate};
pub use world::{Happening, World};
