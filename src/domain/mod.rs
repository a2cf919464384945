//! The domain: scopes and their catalogue, grants and their classes, the campaign and its
//! calendar, decisions and budgets. Pure: no clock, no randomness, no input or output.

pub mod address;
pub mod advice;
pub mod audit;
pub mod budget;
pub mod calendar;
pub mod campaign;
pub mod checklist;
pub mod class;
pub mod composing;
pub mod confirmation;
pub mod connection;
pub mod consent;
pub mod coverage;
pub mod daily;
pub mod dates;
pub mod decide;
pub mod diagnosis;
pub mod digest;
pub mod endpoint;
pub mod evidence;
#[cfg(test)]
mod example;
pub mod fit;
pub mod forecast;
pub mod grant;
pub mod hold_back;
pub mod ids;
pub mod language;
pub mod next;
pub mod pseudonym;
pub mod ramp;
pub mod rate;
pub mod reason;
pub mod recipient;
pub mod reconciling;
pub mod removal;
pub mod request_body;
pub mod row;
pub mod scopes;
pub mod standing;
pub mod tally;
pub mod told;
pub mod win_back;
