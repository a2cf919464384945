//! What the tests share: throw-away database servers that end with the test process, and
//! inventories in every kind.

pub mod inventory;
pub mod line;
pub mod mariadb;
pub mod pg;
mod server;
pub mod state;
pub mod stored;
pub mod story;
pub mod world;
