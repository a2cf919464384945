//! A short story: a few customers, a short campaign, and what goes wrong on which day.

use std::fmt;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc, Weekday};

use crate::config::{Config, ConfigErrors, Source};
use crate::domain::campaign::{Channel, PerPerson, Stage, StageDay};
use crate::domain::forecast::Chance;
use crate::domain::win_back::follow_ups;
use crate::inventory::{Column, KeptRow};
use crate::schedule::Schedule;
use crate::simulation::assume::{Assumptions, Customers, Mail, People, Xero};
use crate::simulation::chance::{Seed, happens};
use crate::simulation::storm::Crash;
use crate::simulation::world::made;

const BROAD: &str =
    "offline_access accounting.transactions accounting.settings accounting.contacts";
const READY: &str = "offline_access accounting.settings accounting.invoices accounting.contacts";
const ZONES: [&str; 5] =
    ["Pacific/Auckland", "Europe/London", "America/New_York", "Australia/Sydney", ""];
/// A story begins so many days before its deadline.
const DAYS: i64 = 34;

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    Crash(Crash),
    /// Two workers run at once.
    Replicas,
    /// So many of ten rows are missing from one scan.
    Flap(usize),
    EmptyList,
    PageDown,
    /// The worker's clock is set back, by hours.
    ClockBack(i64),
    Pause,
    Resume,
    /// Somebody is exempt for a week.
    Exempt(usize),
    /// The deadline moves by days.
    Deadline(i64),
    /// At most so many prompts a day from now on.
    Cap(u32),
}

/// Something that goes wrong on a day of the story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    pub day: i64,
    pub what: What,
}

/// A whole story.
#[derive(Clone, Debug)]
pub struct Story {
    pub seed: u64,
    pub customers: usize,
    pub days: i64,
    pub troubles: Vec<Trouble>,
    /// How its customers behave, where that does not follow from the seed.
    pub assumed: Option<Assumptions>,
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}, {} customers, {} days", self.seed, self.customers, self.days)?;
        self.troubles.iter().try_for_each(|it| write!(f, ", day {}: {:?}", it.day, it.what))
    }
}

fn below(chance: &mut Chance, count: usize) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "small counts"
    )]
    let drawn = (chance.even() * count as f64) as usize;
    drawn.min(count.saturating_sub(1))
}

fn day(chance: &mut Chance) -> i64 {
    i64::try_from(below(chance, usize::try_from(DAYS).unwrap_or(1))).unwrap_or_default()
}

impl Story {
    /// The story of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut chance = Seed(seed).about("story", "");
        let customers = 2 + below(&mut chance, 6);
        let count = below(&mut chance, 9);
        let troubles = (0..count).map(|_| {
            let what = match below(&mut chance, 14) {
                0..=3 => What::Crash(Crash {
                    after: below(&mut chance, 3) as u64,
                    is_done: happens(&mut chance, 0.5),
                }),
                4 | 5 => What::Replicas,
                6 => What::Flap(1 + below(&mut chance, 10)),
                7 => What::EmptyList,
                8 => What::PageDown,
                9 => What::ClockBack(1 + i64::try_from(below(&mut chance, 20)).unwrap_or(1)),
                10 => What::Pause,
                11 => What::Exempt(below(&mut chance, customers)),
                12 => What::Deadline([-3, -1, 2, 5][below(&mut chance, 4)]),
                _ => What::Cap([0, 1, 2, 50][below(&mut chance, 4)]),
            };
            Trouble { day: day(&mut chance), what }
        });
        let mut troubles: Vec<Trouble> = troubles.collect();
        let pauses: Vec<i64> =
            troubles.iter().filter(|it| it.what == What::Pause).map(|it| it.day).collect();
        troubles.extend(pauses.iter().map(|day| Trouble { day: day + 2, what: What::Resume }));
        troubles.sort_by_key(|trouble| trouble.day);
        Self { seed, customers, days: DAYS + 20, troubles, assumed: None }
    }

    /// A story of this many customers in which nothing else goes wrong than this.
    #[must_use]
    pub fn named(seed: u64, assumed: Assumptions, troubles: Vec<Trouble>) -> Self {
        Self { seed, customers: 3, days: DAYS + 20, troubles, assumed: Some(assumed) }
    }

    /// The same story with something less in it.
    #[must_use]
    pub fn shorter(&self) -> Vec<Self> {
        let mut shorter = Vec::new();
        for left_out in 0..self.troubles.len() {
            let mut other = self.clone();
            other.troubles.remove(left_out);
            shorter.push(other);
        }
        if self.customers > 1 {
            shorter.push(Self { customers: self.customers - 1, ..self.clone() });
        }
        for days in [self.days / 2, self.days - 5] {
            if days > 1 {
                shorter.push(Self { days, ..self.clone() });
            }
        }
        shorter
    }

    /// When it begins: before a change of the clocks in some of the zones.
    #[must_use]
    pub fn begins_at(&self) -> DateTime<Utc> {
        let mut chance = Seed(self.seed).about("begins", "");
        let from = DateTime::from_timestamp(1_800_000_000, 0).unwrap_or_default();
        from + TimeDelta::days(i64::try_from(below(&mut chance, 300)).unwrap_or_default())
    }

    /// How its customers behave.
    #[must_use]
    pub fn assumptions(&self) -> Assumptions {
        if let Some(assumed) = &self.assumed {
            return assumed.clone();
        }
        let mut chance = Seed(self.seed).about("assumptions", "");
        let mut some =
            |most: f64| if happens(&mut chance, 0.5) { chance.even() * most } else { 0.0 };
        Assumptions {
            customers: Customers {
                follow: vec![some(0.3), some(0.3), some(0.3)],
                follow_days: 2.0,
                unprompted: some(0.5),
                leave: some(0.6),
                new_address: some(0.9),
                colleague: some(0.3),
                other_tenant: some(0.2),
                broad: some(0.3),
                come_back: some(1.0),
                come_back_days: 2.0,
            },
            mail: Mail { dead_addresses: some(0.3), put_off: some(0.2) },
            xero: Xero { limited: some(0.2), lost_answers: some(0.6), outage_days: some(40.0) },
            people: People::default(),
        }
    }

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
        campaign.deadline = self.begins_at() + TimeDelta::days(DAYS);
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
            stage("reminder", "reminder", StageDay::Before(25), false),
            stage("final-notice", "final-notice", StageDay::Before(19), true),
            stage("stopped", "stopped", StageDay::After(1), false),
        ];
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
            removal.max_percent = Some(100.0);
            removal.ramp = Vec::new();
            removal.wait_days = 2;
            removal.max_drift_percent = 100.0;
            removal.max_failed_percent = 100.0;
            removal.min_returned_percent = 0.0;
            removal.per_person =
                if happens(&mut chance, 0.5) { PerPerson::All } else { PerPerson::One };
            removal.win_back_days = [0, 3, 8];
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
            let has_second = happens(&mut chance, 0.2);
            // Every third tenant is somebody else's, too.
            for place in 0..=below(&mut chance, 3) {
                let is_shared = happens(&mut chance, 0.3);
                let owner = if is_shared { number / 2 } else { number };
                let of = format!("{} {owner} {place} {is_shared}", self.seed);
                let tenant = made("tenant", of).to_string();
                let id =
                    made("link", format!("{} {number} {place} {is_shared}", self.seed)).to_string();
                let used = format!("2026-0{}-01T00:00:00Z", 1 + below(&mut chance, 9));
                let row = |address: Option<String>| {
                    let address = address.as_deref();
                    KeptRow::blank(number as u64).with(&[
                        (Column::TenantId, Some(&tenant)),
                        (Column::ConnectionId, Some(&id)),
                        (Column::TenantName, Some("A company")),
                        (Column::XeroUserId, Some(&user)),
                        (Column::Email, address),
                        (Column::TimeZone, Some(zone).filter(|zone| !zone.is_empty())),
                        (Column::Scopes, Some(scopes).filter(|scopes| !scopes.is_empty())),
                        (Column::Flow, Some(flow)),
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
