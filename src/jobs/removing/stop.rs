//! Why removing ended before all was done.

/// Removals one after the other without an answer, after which no more are tried.
pub(super) const LOST_IN_A_ROW: usize = 3;

/// The reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Somebody paused all effects.
    Paused(String),
    /// Too many calls got no answer.
    Breaker,
    /// The facts are too old to go by, or the plan's time, the working hours or the window
    /// are over.
    Over(&'static str),
    /// A cap is used up.
    Caps(String),
    /// Xero wants to be asked later, or is down.
    Unavailable(String),
    /// Xero does not accept the app's credentials.
    Refused(String),
    /// Xero's clock and ours differ.
    Clock(String),
    /// Xero refuses what it lists.
    SetAside(String),
    Interrupted,
}

impl Stop {
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Paused(why) => format!("paused: {why}"),
            Self::Breaker => {
                format!("{LOST_IN_A_ROW} calls one after the other got no answer from Xero")
            }
            Self::Over(why) => (*why).to_owned(),
            Self::Caps(why)
            | Self::Unavailable(why)
            | Self::Refused(why)
            | Self::Clock(why)
            | Self::SetAside(why) => why.clone(),
            Self::Interrupted => "asked to stop".to_owned(),
        }
    }
}
