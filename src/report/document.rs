//! The progress report as a document: what all of its forms are made from.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use crate::domain::forecast::{Fit, Interval, Lift, Outlook, Point};

use super::aftermath::{AtXero, Removals};
use super::anomalies::Anomaly;
use super::progress::Progress;

/// Everything that the report says.
#[derive(Debug, Serialize)]
pub struct Document {
    pub app: String,
    pub client_id: String,
    pub made_at: DateTime<Utc>,
    /// The campaign's day on which it was made, and its zone.
    pub today: NaiveDate,
    pub time_zone: String,
    pub deadline: DateTime<Utc>,
    pub deadline_day: NaiveDate,
    pub last_scan_at: Option<DateTime<Utc>>,
    pub target_percent: f64,
    /// As in the progress event, without what belongs to a run.
    pub standing: serde_json::Map<String, serde_json::Value>,
    #[serde(skip)]
    pub progress: Progress,
    pub tenants: Tenants,
    pub changes: Option<Changes>,
    pub anomalies: Vec<Anomaly>,
    pub outlook: Outlook,
    pub fits: Vec<Fit>,
    pub what_if: Vec<Tried>,
    pub funnel: Funnel,
    pub lifts: Vec<Lift>,
    pub cohorts: Cohorts,
    pub holdouts: Holdouts,
    pub removals: Removals,
    /// `null` before Xero's list was first put to use.
    pub xero: Option<AtXero>,
    pub promises: Promises,
    pub unreachable: Unreachable,
    /// Day by day, where it stood.
    pub days: Vec<Day>,
}

/// Tenants with a connection that is ready or awaiting.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Tenants {
    pub concerned: u64,
    /// With a ready connection: the product goes on working for them.
    pub ready: u64,
}

/// The difference to an earlier day.
#[derive(Clone, Debug, Serialize)]
pub struct Changes {
    pub since: NaiveDate,
    /// What changed, and by how much.
    pub by: Vec<(&'static str, i64)>,
}

/// Another configuration, and what it would lead to.
#[derive(Clone, Debug, Serialize)]
pub struct Tried {
    pub change: String,
    pub outlook: Outlook,
    /// Stages that would not fit.
    pub too_late: Vec<String>,
}

/// From due to ready.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Funnel {
    /// Ready before anybody told them.
    pub organic: u64,
    pub stages: Vec<StageRow>,
}

/// A stage of the funnel, by connections.
#[derive(Clone, Debug, Serialize)]
pub struct StageRow {
    pub stage: String,
    pub opens: NaiveDate,
    /// Awaiting when it opened; `None` where no run counted by then, or it is still ahead.
    pub due: Option<u64>,
    pub told: u64,
    /// Became ready with this stage as the last that they were told at.
    pub ready: u64,
    pub held_back: u64,
    /// The share of those told that was ready so many days later.
    pub curve: Vec<Point>,
}

impl StageRow {
    /// The share that is ready after so many days, or as far as anybody was watched.
    #[must_use]
    pub fn ready_after(&self, days: usize) -> Option<Interval> {
        self.curve.iter().take_while(|point| point.days <= days).last().map(|point| point.ready)
    }
}

/// Readiness by what connections have in common.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Cohorts {
    pub by_age: Vec<CohortCount>,
    pub by_tenant_type: Vec<CohortCount>,
    pub by_locale: Vec<CohortCount>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CohortCount {
    /// `null` where the host does not say.
    pub cohort: Option<String>,
    pub ready: u64,
    pub awaiting: u64,
}

/// What is due and stopped, as of the last run that planned it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Holdouts {
    /// From when they can be removed; `None` where removal is not configured.
    pub window_opens: Option<NaiveDate>,
    /// Awaiting once the window is open.
    pub holdouts: Option<u64>,
    pub counted_on: Option<NaiveDate>,
    pub prompts_held_back: Vec<HeldBack>,
    pub removals_held_back: Vec<HeldBack>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeldBack {
    pub code: String,
    pub text: String,
    pub connections: u64,
}

/// Removal dates that were named to people who are still awaiting.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Promises {
    pub connections: u64,
    /// Whose date has come.
    pub come: u64,
    pub earliest: Option<DateTime<Utc>>,
    pub latest: Option<DateTime<Utc>>,
}

/// Whom nobody can write to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Unreachable {
    pub connections: u64,
    pub suppressed_addresses: u64,
    /// Only where addresses may be shown.
    pub listed: Option<Listed>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Listed {
    pub connections: Vec<UnreachableConnection>,
    pub addresses: Vec<Silenced>,
}

#[derive(Clone, Debug, Serialize)]
pub struct UnreachableConnection {
    pub connection: String,
    pub tenant_name: Option<String>,
    pub account_id: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Silenced {
    pub address: String,
    pub reason: String,
    pub since: DateTime<Utc>,
}

/// Where it stood at the end of a day.
#[derive(Clone, Debug, Serialize)]
pub struct Day {
    pub day: NaiveDate,
    /// Everything that was counted of all connections, in the order of the documentation.
    #[serde(flatten)]
    pub counts: serde_json::Map<String, serde_json::Value>,
}

impl Day {
    #[must_use]
    pub fn number(&self, measure: &str) -> Option<u64> {
        self.counts.get(measure)?.as_u64()
    }
}
