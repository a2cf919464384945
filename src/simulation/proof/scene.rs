//! Where a story plays: its campaign, and the rows of its inventory.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{NaiveTime, Weekday};

use super::story::{Story, below};
use crate::config::{Config, ConfigErrors, Source};
use crate::domain::campaign::{Channel, PerPerson, Stage, StageDay};
use crate::domain::win_back::follow_ups;
use crate::inventory::{Column, KeptRow};
use crate::schedule::Schedule;
use crate::simulation::assume::People;
use crate::simulation::chance::{Seed, happens};
use crate::simulation::world::made;

const BROAD: &str =
    "offline_access accounting.transactions accounting.settings accounting.contacts";
const READY: &str = "offline_access accounting.settings accounting.invoices accounting.contacts";
const ZONES: [&str; 5] =
    ["Pacific/Auckland", "Europe/London", "America/New_York", "Australia/Sydney", ""];

impl Story {
    /// Its campaign.
    ///
    /// # Errors
    /// The shipped configuration cannot be read.
    pub fn config(&self) -> Result<Config, ConfigErrors> {
        let mut chance = Seed(self.seed).about("campaign", "");
        let mut config = Config::builtin()?;
        config.inventory.source = Source::Table;
        config.guard.floor = 1;
        config.guard.max_change_percent = if happens(&mut chance, 0.5) { 100.0 } else { 60.0 };
        config.guard.max_bad_percent = 100.0;
        let campaign = &mut config.campaign;
        campaign.deadline = self.deadline();
        campaign.working.days = vec![
            Weekday::Mon,
            Weekday::Tue,
            Weekday::Wed,
            Weekday::Thu,
            Weekday::Fri,
            Weekday::Sat,
        ];
        campaign.working.from = NaiveTime::from_hms_opt(7, 0, 0).unwrap_or_default();
        campaign.working.until = NaiveTime::from_hms_opt(19, 0, 0).unwrap_or_default();
        campaign.working.holidays.clear();
        let hold_back = if happens(&mut chance, 0.2) { 50 } else { 0 };
        let mut limits = Seed(self.seed).about("limits", "");
        let is_named = self.assumed.is_some();
        // In a few campaigns somebody is reminded once more after the final notice.
        let is_last = happens(&mut limits, 0.75) || is_named;
        let stage = |name: &str, template: &str, day, is_final| Stage {
            name: name.to_owned(),
            day,
            channels: match is_final {
                true => vec![Channel::Email, Channel::Webhook("product".to_owned())],
                false => vec![Channel::Email],
            },
            template: template.to_owned(),
            is_final,
            hold_back_percent: if is_final { 0 } else { hold_back },
        };
        campaign.stages = vec![
            stage("invitation", "invitation", StageDay::Before(31), false),
            stage("reminder", "reminder", StageDay::Before(if is_last { 25 } else { 19 }), false),
            stage(
                "final-notice",
                "final-notice",
                StageDay::Before(if is_last { 19 } else { 25 }),
                true,
            ),
            stage("stopped", "stopped", StageDay::After(1), false),
        ];
        campaign.stages.sort_by_key(|stage| stage.day.offset());
        config.prompts.enabled = true;
        config.prompts.max_per_run = Some([1, 3, 100][below(&mut chance, 3)]);
        config.prompts.max_per_day = Some([2, 5, 100][below(&mut chance, 3)]);
        config.prompts.ramp = if happens(&mut chance, 0.3) { vec![1, 3] } else { Vec::new() };
        if let Some(removal) = &mut config.removal {
            removal.enabled = true;
            removal.opens_days_before = Some(12);
            removal.min_prompts = Some([1, 2, 3][below(&mut chance, 3)]);
            removal.min_notice_days = Some(6);
            removal.max_per_run = Some([1, 20][below(&mut chance, 2)]);
            removal.max_per_day = Some([1, 20][below(&mut chance, 2)]);
            removal.max_percent =
                Some(if happens(&mut limits, 0.2) && !is_named { 30.0 } else { 100.0 });
            removal.ramp =
                if happens(&mut limits, 0.2) && !is_named { vec![1, 2] } else { Vec::new() };
            removal.wait_days = 2;
            removal.max_drift_percent = 100.0;
            removal.max_failed_percent = 100.0;
            removal.min_returned_percent = 0.0;
            removal.per_person =
                if happens(&mut chance, 0.5) { PerPerson::All } else { PerPerson::One };
            removal.win_back_days = [0, 3, 8];
        }
        let slow = [4, 9][below(&mut limits, 2)];
        let is_slow = match self.is_crowded() {
            true => !self.is_swift(),
            false => happens(&mut limits, 0.5) && !is_named,
        };
        if is_slow {
            config.xero.calls_per_minute = slow;
        }
        if self.is_crowded() {
            crowd(&mut config);
        }
        config.win_back = follow_ups(&config.campaign, config.removal.as_ref());
        for job in &mut config.jobs {
            job.schedule = Schedule::parse("7 */4 * * *").ok();
            job.report = None;
        }
        config.app.connection_cap = None;
        Ok(crate::simulation::assumed(&config, &People::default()).0)
    }

    /// The rows of its inventory.
    #[must_use]
    pub fn rows(&self) -> Vec<KeptRow> {
        let mut rows = Vec::new();
        let began = self.begins_at().to_rfc3339();
        for number in 0..self.customers {
            let mut chance = Seed(self.seed).about("customer", &number.to_string());
            let user = made("user", format!("{} {number}", self.seed)).to_string();
            let scopes = match below(&mut chance, 10) {
                0 => READY,
                1 => "",
                _ => BROAD,
            };
            let flow = if happens(&mut chance, 0.05) { "custom" } else { "web" };
            let zone = ZONES[below(&mut chance, ZONES.len())];
            let has_address = happens(&mut chance, 0.93);
            let has_second = happens(&mut chance, 0.35);
            // Every third tenant is somebody else's, too.
            for place in 0..=below(&mut chance, 3) {
                let is_shared = happens(&mut chance, 0.5);
                let owner = if is_shared { number / 2 } else { number };
                let of = format!("{} {owner} {place} {is_shared}", self.seed);
                let tenant = made("tenant", of).to_string();
                let id =
                    made("link", format!("{} {number} {place} {is_shared}", self.seed)).to_string();
                // Told apart from every other, and no beginning of any.
                let name = format!("Company {owner}-{place}-{is_shared}.");
                // Some hosts never kept Xero's id, some keep an old token beside what is new.
                let mut about = Seed(self.seed).about("row", &format!("{number} {place}"));
                let has_id = happens(&mut about, if self.is_crowded() { 0.5 } else { 0.85 });
                let token = happens(&mut about, 0.1).then(|| token(&user, READY));
                let used = format!("2026-0{}-01T00:00:00Z", 1 + below(&mut chance, 9));
                let row = |address: Option<String>| {
                    let address = address.as_deref();
                    KeptRow::blank(number as u64).with(&[
                        (Column::TenantId, Some(&tenant)),
                        (Column::ConnectionId, has_id.then_some(id.as_str())),
                        (Column::TenantName, Some(&name)),
                        (Column::XeroUserId, Some(&user)),
                        (Column::Email, address),
                        (Column::TimeZone, Some(zone).filter(|zone| !zone.is_empty())),
                        (Column::Scopes, Some(scopes).filter(|scopes| !scopes.is_empty())),
                        (Column::Flow, Some(flow)),
                        (Column::AccessToken, token.as_deref()),
                        (Column::ConnectedAt, Some("2025-03-01T00:00:00Z")),
                        (Column::EvidenceAt, Some("2025-03-01T00:00:00Z")),
                        (Column::UpdatedAt, Some(&began)),
                        (Column::LastUsedAt, Some(&used)),
                    ])
                };
                rows.push(row(
                    has_address.then(|| format!("person{number}@customer{number}.example"))
                ));
                if has_second {
                    rows.push(row(Some(format!("second{number}@customer{number}.example"))));
                }
            }
        }
        rows
    }
}

/// Nothing keeps removals from coming all at once.
fn crowd(config: &mut Config) {
    config.prompts.max_per_run = Some(100);
    config.prompts.max_per_day = Some(100);
    config.prompts.ramp = Vec::new();
    for stage in &mut config.campaign.stages {
        stage.hold_back_percent = 0;
    }
    if let Some(removal) = &mut config.removal {
        removal.min_prompts = Some(2);
        removal.max_per_run = Some(20);
        removal.max_per_day = Some(20);
        removal.max_percent = Some(100.0);
        removal.ramp = Vec::new();
        removal.per_person = PerPerson::All;
    }
}

/// An access token of years ago, as the host may still have it.
fn token(user: &str, scopes: &str) -> String {
    let claims = serde_json::json!({
        "xero_userid": user,
        "scope": scopes.split(' ').collect::<Vec<_>>(),
        "auth_time": 1_700_000_000,
    });
    let part = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.{}", part("{\"alg\":\"RS256\"}"), part(&claims.to_string()), part("unsigned"))
}
