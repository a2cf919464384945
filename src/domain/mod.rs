//! The domain: scopes and their catalogue, grants and their classes, the campaign and its
//! calendar, decisions and budgets. Pure: no clock, no randomness, no input or output.

pub mod address;
pub mod campaign;
pub mod class;
pub mod connection;
pub mod evidence;
pub mod grant;
pub mod ids;
pub mod row;
pub mod scopes;
