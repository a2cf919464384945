//! What the tests share: throw-away database servers that end with the test process,
//! inventories in every kind, and the program itself in a directory of its own.

pub mod answers;
pub mod bouncer;
pub mod cluster;
pub mod course;
pub mod generated;
pub mod http;
pub mod inventory;
pub mod leap;
pub mod letters;
pub mod line;
pub mod mail;
pub mod mariadb;
pub mod openapi;
pub mod pg;
mod pg_roles;
pub mod place;
pub mod prompts;
pub mod removed;
pub mod removing;
pub mod replica;
pub mod said;
pub mod schema;
pub mod sending;
mod server;
pub mod setup;
pub mod silent;
pub mod smtp;
pub mod sockets;
pub mod standin;
pub mod state;
pub mod stored;
pub mod story;
pub mod transcript;
pub mod victim;
pub mod world;
pub mod xero;
