//! What is counted on each of the campaign's days: where it stood at the day's last run, and
//! what happened on it. Reports and forecasts are made from this alone.

use chrono::NaiveDate;

macro_rules! measures {
    ($($(#[$doc:meta])* $name:ident = $word:literal;)*) => {
        /// What a number counts.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Measure { $($(#[$doc])* $name,)* }

        impl Measure {
            /// Every measure, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word in the database and in results.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }
        }
    };
}

measures! {
    // Where it stood. In this order they are the first columns of the CSV report.
    Connections = "connections";
    BroadOnly = "broad_only";
    Mixed = "mixed";
    Granular = "granular";
    Unaffected = "unaffected";
    Unknown = "unknown";
    Ready = "ready";
    Awaiting = "awaiting";
    Exempt = "exempt";
    Covered = "covered";
    Manual = "manual";
    Unreachable = "unreachable";
    TokenBehind = "token_behind";
    Gone = "gone";
    BadRows = "bad_rows";
    Removed = "removed";
    Returned = "returned";
    /// Connections whose prompt is held back, by reason.
    HeldBackPrompt = "held_back_prompt";
    /// Connections whose removal is held back, by reason.
    HeldBackRemove = "held_back_remove";
    // What happened. Numbers of connections, but for messages.
    /// Messages that were taken by the other side, by stage.
    Messages = "messages";
    /// Told at a stage for the first time.
    Told = "told";
    /// Became ready: by the stage told last, and since when; organic where there was none.
    BecameReady = "became_ready";
    /// No longer awaiting for another reason, or told no longer because the message came back.
    Left = "left";
    /// Told at a later stage.
    Moved = "moved";
    /// Ready before, and awaiting again.
    FellBack = "fell_back";
    /// Passed over at a stage, so that its effect can be measured; then what became of them.
    Held = "held";
    HeldReady = "held_ready";
    HeldLeft = "held_left";
    HeldMoved = "held_moved";
    /// Mails that were taken, by the recipient's language.
    Mails = "mails";
    /// Mails that came back, by the recipient's language.
    Bounced = "bounced";
}

impl Measure {
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|measure| measure.as_str() == word)
    }

    /// It counts what happened on the day, rather than where it stood at its end.
    #[must_use]
    pub fn is_event(self) -> bool {
        self >= Self::Messages
    }
}

/// One number of one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    pub day: NaiveDate,
    pub measure: Measure,
    /// The stage, reason or language that it is about; empty for all.
    pub part: String,
    /// The day on which those counted were told at the stage.
    pub since: Option<NaiveDate>,
    pub number: u64,
}

impl Count {
    /// A number about everything.
    #[must_use]
    pub fn of_all(day: NaiveDate, measure: Measure, number: u64) -> Self {
        Self { day, measure, part: String::new(), since: None, number }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn words_are_distinct_and_read_back() {
        let words: BTreeSet<&str> = Measure::ALL.iter().map(|measure| measure.as_str()).collect();
        assert_eq!(words.len(), Measure::ALL.len());
        for measure in Measure::ALL {
            assert_eq!(Measure::parse(measure.as_str()), Some(*measure));
        }
        assert_eq!(Measure::parse("moods"), None);
    }

    #[test]
    fn where_it_stood_comes_before_what_happened() {
        assert!(!Measure::HeldBackRemove.is_event() && Measure::Told.is_event());
    }
}
