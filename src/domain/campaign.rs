//! The campaign as configured: deadline, stages, working time, and the policies for
//! prompting and removing. Plain values; `config` builds them, the decisions read them.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc, Weekday};
use chrono_tz::Tz;

use super::class::Class;
use super::scopes::ScopeSet;

/// Everything that decides who is told what and when.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// The instant at which Xero stops honouring broad scopes.
    pub deadline: DateTime<Utc>,
    /// For days, and for people whose own zone is not known.
    pub zone: Tz,
    /// As configured, identity scopes included: what a consent asks for.
    pub required: ScopeSet,
    /// When messages may go out, in the recipient's own zone.
    pub working: WorkingTime,
    /// In the order of their days; names are unique.
    pub stages: Vec<Stage>,
}

/// One step of the campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    pub name: String,
    pub day: StageDay,
    pub channels: Vec<Channel>,
    pub template: String,
    /// The notice that a removal depends on.
    pub is_final: bool,
    /// Share of the recipients who are passed over, so that the stage's effect can be measured.
    pub hold_back_percent: u32,
}

/// A stage's day, counted in the campaign's zone from the deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageDay {
    Before(u32),
    After(u32),
}

impl StageDay {
    /// Days relative to the deadline's day: negative before it.
    #[must_use]
    pub fn offset(self) -> i64 {
        match self {
            Self::Before(days) => -i64::from(days),
            Self::After(days) => i64::from(days),
        }
    }
}

/// How a prompt reaches its recipient.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    Email,
    File,
    /// By the name of a `[[webhooks]]` entry.
    Webhook(String),
}

impl Channel {
    /// Reads what [`Display`](std::fmt::Display) writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match (text, text.strip_prefix("webhook:")) {
            ("email", _) => Some(Self::Email),
            ("file", _) => Some(Self::File),
            (_, Some(name)) if !name.trim().is_empty() => Some(Self::Webhook(name.to_owned())),
            _ => None,
        }
    }
}

impl std::fmt::Display for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Email => f.write_str("email"),
            Self::File => f.write_str("file"),
            Self::Webhook(name) => write!(f, "webhook:{name}"),
        }
    }
}

/// Days and hours in which somebody is at work.
#[derive(Clone, Debug)]
pub struct WorkingTime {
    pub days: Vec<Weekday>,
    /// First minute that counts.
    pub from: NaiveTime,
    /// First minute that no longer counts.
    pub until: NaiveTime,
    pub holidays: BTreeSet<NaiveDate>,
}

/// `[prompts]`: what goes out at most. `None` is not written down, which an enabled table
/// does not allow; zero means none.
#[derive(Clone, Debug, Default)]
pub struct PromptPolicy {
    pub enabled: bool,
    pub max_per_run: Option<u32>,
    pub max_per_day: Option<u32>,
    /// Caps for a stage's first days, in order; empty for no ramp.
    pub ramp: Vec<u32>,
    pub max_per_address_per_day: u32,
    /// Lower-case patterns, `*@acme.example`; empty lets everyone through.
    pub only_to: Vec<String>,
}

/// `[removal]`: which holdouts, when, and how many.
#[derive(Clone, Debug)]
pub struct RemovalPolicy {
    pub enabled: bool,
    pub opens_days_before: Option<u32>,
    pub classes: Vec<Class>,
    /// Stages at which everyone responsible has been told.
    pub min_prompts: Option<u32>,
    pub min_notice_days: Option<u32>,
    pub approval: Approval,
    pub approvers: Vec<String>,
    pub plan_valid_days: u32,
    pub per_person: PerPerson,
    pub wait_days: u32,
    pub max_inventory_age_minutes: u32,
    pub max_per_run: Option<u32>,
    pub max_per_day: Option<u32>,
    /// Of the present connections, per campaign day.
    pub max_percent: Option<f64>,
    pub ramp: Vec<u32>,
    /// Of the last step's removals: more failures keep the ramp at its step.
    pub max_failed_percent: f64,
    /// Of the last step's removals: as many have to be back before the next step.
    pub min_returned_percent: f64,
    /// Of an approved plan: more that is not so any more stops all of it.
    pub max_drift_percent: f64,
    /// Days after a removal on which its people are told: that it happened, once more, and for
    /// the last time.
    pub win_back_days: [u32; 3],
    pub covered: bool,
}

/// How many named people sign a removal plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approval {
    One,
    Two,
    None,
}

/// Whether a person loses one connection first, or all at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PerPerson {
    One,
    All,
}

/// `[inventory]`'s limits on what one scan may change.
#[derive(Clone, Copy, Debug)]
pub struct GuardLimits {
    /// Fewest connections a scan must see.
    pub floor: u64,
    /// Percent of the previous connections whose class may change or that may go.
    pub max_change_percent: f64,
    /// Percent of the rows read that may be bad.
    pub max_bad_percent: f64,
}
