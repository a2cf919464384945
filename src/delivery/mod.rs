//! Messages out: what they say, how they are signed, and the ways they go. Knows neither the
//! store nor the campaign: it is given the facts of one prompt and says what became of it.

pub mod message;
pub mod outcome;
pub mod probe;
