//! What is recorded: one word for each kind of act.

use std::fmt;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// A kind of act.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $($(#[$doc])* $name,)* }

        impl Kind {
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The word in the record and in results. It is part of what is hashed, so that it
            /// never changes.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }
        }
    };
}

kinds! {
    /// The database was first used, for an app.
    DatabaseBound = "database_bound",
    /// The deadline has another date, or its first.
    EditionBegun = "edition_begun",
    /// What a scan read is in force.
    ScanCompleted = "scan_completed",
    /// The guard stopped a scan.
    ScanStopped = "scan_stopped",
    /// A named person lets one stopped scan through.
    ScanAccepted = "scan_accepted",
    ExemptionAdded = "exemption_added",
    ExemptionRemoved = "exemption_removed",
    /// An address is never written to: because somebody said so, or a mail server.
    Suppressed = "suppressed",
    Unsuppressed = "unsuppressed",
    Paused = "paused",
    Resumed = "resumed",
    /// A named person vouches for what the program cannot see.
    Confirmed = "confirmed",
    /// A step was taken for a connection that is left to people.
    ChecklistDone = "checklist_done",
    ChecklistReopened = "checklist_reopened",
    /// A message is about to be handed over.
    PromptSending = "prompt_sending",
    PromptSent = "prompt_sent",
    /// Refused for now: it is tried again.
    PromptPutOff = "prompt_put_off",
    PromptRefused = "prompt_refused",
    /// Nobody knows whether it arrived.
    PromptUnknown = "prompt_unknown",
    /// Its worker was gone in the middle of handing it over.
    PromptSwept = "prompt_swept",
    /// A named person says what became of it.
    PromptSettled = "prompt_settled",
    /// Others say that it arrived.
    PromptArrived = "prompt_arrived",
    /// It came back.
    PromptBounced = "prompt_bounced",
    /// The host sent it by its own means.
    PromptByHost = "prompt_by_host",
    /// A webhook was told what became of a connection.
    Announced = "announced",
    /// It was given up to tell a webhook.
    AnnouncementRefused = "announcement_refused",
    PlanMade = "plan_made",
    PlanApproved = "plan_approved",
    /// A DELETE is about to be asked for.
    RemovalIntended = "removal_intended",
    RemovalDone = "removal_done",
    /// It was gone before: not our removal.
    RemovalFoundGone = "removal_found_gone",
    /// Xero refused, or did not answer and the connection is still there.
    RemovalFailed = "removal_failed",
    /// Nobody knows whether it happened.
    RemovalUnknown = "removal_unknown",
    /// What became of one whose answer was lost.
    RemovalSettled = "removal_settled",
    /// Not to be tried again before a person has looked.
    RemovalSetAside = "removal_set_aside",
    /// Approved, and dropped since its facts have changed.
    RemovalDropped = "removal_dropped",
    /// Its person consented in the moment of the removal.
    Crossed = "crossed",
    /// A removed connection's tenant has a ready grant again.
    Returned = "returned",
    /// The time to come back is over.
    Lost = "lost",
    /// A person was erased.
    Forgotten = "forgotten",
    /// Personal data was erased by age.
    Purged = "purged",
    /// Pseudonyms from before belong to nobody any more.
    KeyDestroyed = "key_destroyed",
}

impl Kind {
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == word)
    }

    /// Whether it is a message on its way, as a plan has it sent: that leaves less to do about
    /// those whom the plan was about, and nothing about others.
    #[must_use]
    pub fn is_of_messages(self) -> bool {
        matches!(
            self,
            Self::PromptSending
                | Self::PromptSent
                | Self::PromptPutOff
                | Self::PromptRefused
                | Self::PromptUnknown
                | Self::PromptSwept
                | Self::Announced
                | Self::AnnouncementRefused
        )
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
