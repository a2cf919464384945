//! What stands in for the world where nothing real may be touched: a model of Xero that knows
//! apps, people, grants and connections, and goes wrong when it is told to.

pub mod xero;
