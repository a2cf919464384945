//! Why something does not happen: stable codes for programs, a sentence for people
//! (docs/codes.md lists them all).

use serde::Serialize;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        /// A stable word for a reason.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word in results.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// What it means.
            #[must_use]
            pub fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

codes! {
    // Of the whole run.
    SwitchedOff = "switched_off", "the step is not enabled in the configuration";
    FirstScan = "first_scan", "no earlier complete scan in this database: this run only scans and reports";
    ScanStopped = "scan_stopped", "the guard stopped the scan: nothing is decided on it";
    InventoryNotLive = "inventory_not_live", "removals need an inventory of kind sql or table; a file may be stale";
    NoLinkSecret = "no_link_secret", "the links cannot be signed: [link] secrets is not to be had";
    NoReconnectUrl = "no_reconnect_url", "there is nowhere for a link to lead: [app] reconnect_url is not written";
    ChannelNotReady = "channel_not_ready", "a channel of the stage cannot be used";
    TemplateFails = "template_fails", "a template cannot be used";
    ReconnectDown = "reconnect_down", "the host's reconnect address does not answer";
    Breaker = "breaker", "too many attempts failed";
    NoApproval = "no_approval", "removals need an approved plan";
    ListEmpty = "list_empty", "Xero's list is empty, and that proves nothing";
    ListShort = "list_short", "Xero's list has far fewer connections than the last one";
    ListIncomplete = "list_incomplete", "Xero's list is not whole";
    ListUnread = "list_unread", "Xero's list could not be read";
    NoRoom = "no_room", "the app is at its connection cap: who is removed may be unable to come back";
    DeadlinePassed = "deadline_passed", "the deadline has passed: nothing is removed any more";
    PlanWaits = "plan_waits", "the newest plan of removals waits for approval";
    PlanExpired = "plan_expired", "the approved plan of removals is past its time";
    PlanOutdated = "plan_outdated", "the approved plan of removals was made for another configuration";
    Drift = "drift", "too much of the approved plan is not so any more";
    NoXeroCredentials = "no_xero_credentials", "removals need [app] client_secret";
    InventoryStale = "inventory_stale", "the last scan is older than max_inventory_age_minutes: let the job scan first";
    ApprovalNone = "approval_none", "[removal] approval is none: removals go out that nobody signed off";
    XeroRefuses = "xero_refuses", "Xero does not accept the app's credentials, or does not answer as documented";
    XeroUnavailable = "xero_unavailable", "Xero cannot be reached, is down, or wants to be asked later";
    ClockDiffers = "clock_differs", "this machine's clock and Xero's or the database's are minutes apart";
    Paused = "paused", "everything is paused";
    NotConfirmed = "not_confirmed", "no named person has confirmed what the program cannot see for itself";
    PreflightFailed = "preflight_failed", "what a message relies on does not work";
    DatabaseMoved = "database_moved", "the database is a copy, an older one, or a new one where there was another";
    // Of one connection.
    RowBad = "row_bad", "the inventory's row for it is bad: its state is kept and nothing is done to it";
    Manual = "manual", "custom and OAuth 1.0a connections are left to people";
    Exempt = "exempt", "exempt";
    Unreachable = "unreachable", "nobody responsible has an address";
    Forgotten = "forgotten", "somebody responsible was erased, and can be told nothing";
    NotAnOrganisation = "not_an_organisation", "the tenant is no organisation";
    NoConnectionId = "no_connection_id", "the inventory does not give Xero's connection id";
    ClassNotNamed = "class_not_named", "[removal] classes does not name its class";
    SomeEvidenceReady = "some_evidence_ready", "some stored evidence says that it is ready";
    Covered = "covered", "another person's grant for the same tenant is ready";
    TooFewPrompts = "too_few_prompts", "not everyone responsible was told at enough stages";
    NoFinalNotice = "no_final_notice", "not everyone responsible was told the final notice";
    NoPromise = "no_promise", "nobody was told a removal date";
    PerPerson = "per_person", "another connection of the same person goes first";
    RemovedBefore = "removed_before", "its tenant was removed in this campaign already, and none is twice";
    RemovalUnknown = "removal_unknown", "whether a removal of its tenant took effect is not known yet: Xero's next complete list tells";
    SetAside = "set_aside", "Xero lists it and refuses to remove it: a person has to look";
    NotInPlan = "not_in_plan", "the approved plan does not have it";
    ChangedSincePlan = "changed_since_plan", "it is not what was planned any more";
    NotListed = "not_listed", "Xero's own list does not have it";
    NotLookedAt = "not_looked_at", "it could not be looked at again right before its removal";
    Suppressed = "suppressed", "the address is on the list of those never written to";
    Refused = "refused", "the message was refused for good";
    Bounced = "bounced", "the message came back";
    OutcomeUnknown = "outcome_unknown", "nobody knows whether the message arrived: worker settle says";
    InFlight = "in_flight", "another worker is sending it";
    RetryLater = "retry_later", "it was refused for now and waits for its next try";
    // Of the moment.
    Holiday = "holiday", "a holiday";
    NotAWorkingDay = "not_a_working_day", "no working day";
    OutsideHours = "outside_hours", "outside working hours";
    // Of the budgets.
    HoldBack = "hold_back", "passed over at this stage by chance, so that its effect is measured: told at the next";
    OnlyTo = "only_to", "[prompts] only_to lets only some addresses out";
    MaxPerRun = "max_per_run", "the cap for one run is used up";
    MaxPerDay = "max_per_day", "the cap for one day is used up";
    MaxPerAddressPerDay = "max_per_address_per_day", "the cap for one address and day is used up";
    MaxPercent = "max_percent", "the cap as a share of the connections is used up";
    Ramp = "ramp", "the ramp's step for this day is used up";
    RampWaits = "ramp_waits", "the ramp stays at its step until the outcomes of the last one are in";
    // Of what comes next.
    StageDue = "stage_due", "the stage is due";
    RemovalDue = "removal_due", "its removal is due, once a plan that has it is signed off";
    RemovalAhead = "removal_ahead", "its removal comes due later";
    StageAhead = "stage_ahead", "the stage opens later";
    JoinedLater = "joined_later", "the connection was found after the current stage opened: it joins at the next";
    NothingLeft = "nothing_left", "no stage is left";
    AlreadyReady = "ready", "every required scope is held";
    Unaffected = "unaffected", "it holds no scope that changes";
    NoEvidence = "no_evidence", "no stored scopes or token tell what was consented to";
    EvidenceDiffers = "evidence_differs", "stored scopes differ and cannot be settled";
    UserDisagrees = "user_disagrees", "the column xero_user_id and a stored token name different people";
    OtherClient = "other_client", "a stored token was issued to another app";
    Gone = "gone", "it was missing from the last complete scan";
    Removed = "removed", "it was removed and has not come back";
}

/// A code with a sentence about the case at hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    pub code: Code,
    pub text: String,
}

impl Code {
    /// Whether it ends as soon as somebody is at work.
    #[must_use]
    pub fn is_of_hours(self) -> bool {
        matches!(self, Self::Holiday | Self::NotAWorkingDay | Self::OutsideHours)
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl From<Code> for Reason {
    fn from(code: Code) -> Self {
        Self { code, text: code.text().to_owned() }
    }
}

impl Code {
    /// Whether it stops something for the moment, or by somebody's will, and says nothing
    /// about whether what was planned is still so.
    #[must_use]
    pub fn passes(self) -> bool {
        matches!(
            self,
            Self::RowBad
                | Self::Exempt
                | Self::PerPerson
                | Self::RemovalUnknown
                | Self::InFlight
                | Self::RetryLater
                | Self::NotLookedAt
                | Self::Holiday
                | Self::NotAWorkingDay
                | Self::OutsideHours
        )
    }

    /// The code with a sentence of its own.
    #[must_use]
    pub fn because(self, text: impl Into<String>) -> Reason {
        Reason { code: self, text: text.into() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_distinct() {
        let words: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words.len(), Code::ALL.len());
    }
}
