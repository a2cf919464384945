//! Messages out: what they say, how they are signed, and the ways they go. Knows neither the
//! store nor the campaign: it is given the facts of one prompt and says what became of it.
//!
//! The ways are [`smtp`], [`http_mail`], [`webhook`] and [`mod@file`]. Each makes one attempt and
//! gives one [`outcome::Outcome`]; nothing is repeated in here. When the next attempt is due
//! is told by [`retry`], and made by whoever keeps the rows.

mod answer;
pub mod file;
mod guard;
pub mod http;
pub mod http_mail;
pub mod link;
pub mod message;
pub mod mime;
pub mod outcome;
pub mod payload;
pub mod probe;
pub mod render;
pub mod retry;
pub mod sample;
pub mod signature;
pub mod smtp;
pub mod templates;
mod trial;
mod view;
pub mod webhook;
