//! A campaign that has been going on for a while: seeded customers who are told and follow,
//! scanned and counted day by day as a worker would have.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use worker::clock::{Clock, SystemClock};
use worker::config::{Config, Origin};
use worker::domain::forecast::Chance;
use worker::inventory::Column;
use worker::jobs::counting::{campaign_day, levels};
use worker::report::progress::Progress;
use worker::store::daily::Counting;

use super::line::{GRANULAR, Line, MIXED, READY, UNAFFECTED, line};
use super::world::{Conditions, World};

/// How its customers are, and what it lets out.
pub struct Course {
    pub people: usize,
    /// Days before today on which the first scan was.
    pub days: u64,
    /// The chance to follow on the first day after each stage, and each day without any.
    pub follows: f64,
    pub organic: f64,
    pub per_day: usize,
    /// The share of mails that come back.
    pub bounces: f64,
}

const LOCALES: [&str; 6] = ["en-NZ", "en-AU", "en-GB", "en-AU", "de-DE", "fr-FR"];

struct Customer {
    line: Line,
    is_awaiting: bool,
    keenness: f64,
    told: Option<(usize, NaiveDate)>,
    /// Whose mails come back.
    is_silent: bool,
}

fn customer(number: usize, chance: &mut Chance) -> Customer {
    let year = 2019 + (7.0 * chance.even()) as u32;
    let locale = LOCALES[(6.0 * chance.even()) as usize];
    let (scopes, is_awaiting) = match chance.even() {
        drawn if drawn < 0.10 => (Some(READY), false),
        drawn if drawn < 0.15 => (Some(UNAFFECTED), false),
        drawn if drawn < 0.19 => (Some(""), false),
        drawn if drawn < 0.32 => (Some(MIXED), true),
        drawn if drawn < 0.38 => (Some(GRANULAR), true),
        _ => (None, true),
    };
    let mut line = line(number)
        .with(Column::Locale, locale)
        .with(Column::TenantName, format!("Customer {number} Limited"))
        .with(Column::TenantType, if chance.even() < 0.94 { "ORGANISATION" } else { "PRACTICE" })
        .with(Column::ConnectedAt, format!("{year}-05-01T00:00:00Z"));
    if let Some(scopes) = scopes {
        line = line.with(Column::Scopes, scopes);
    }
    if chance.even() < 0.02 {
        line = line.without(Column::Email);
    }
    Customer { line, is_awaiting, keenness: chance.gamma(2.5) / 2.5, told: None, is_silent: false }
}

impl Course {
    /// Plays it into a database, under a configuration.
    pub async fn play(&self, world: &World, jobs_toml: &str) {
        let config = Config::parse(jobs_toml, &Origin::builtin()).expect("a configuration");
        let today = campaign_day(&config, SystemClock.now());
        let first = today - Days::new(self.days);
        let mut chance = Chance::new(11);
        let mut customers: Vec<Customer> =
            (1..=self.people).map(|number| customer(number, &mut chance)).collect();
        for day in first.iter_days().take_while(|day| *day <= today) {
            // In the morning of New Zealand, and of the same day there.
            let at = day.and_time(NaiveTime::MIN).and_utc() - TimeDelta::hours(2);
            self.tell(world, &config, &mut customers, (day, at), &mut chance).await;
            for it in customers.iter_mut().filter(|it| it.is_awaiting) {
                let effect = it.told.map_or(0.0, |(_, since)| {
                    self.follows * 0.5_f64.powf((day - since).num_days() as f64 / 4.0)
                });
                if chance.even() < it.keenness * (self.organic + effect) {
                    it.is_awaiting = false;
                    it.line = it.line.clone().with(Column::Scopes, READY);
                }
            }
            self.count(world, &config, &customers, at + TimeDelta::hours(5)).await;
        }
    }

    async fn tell(
        &self,
        world: &World,
        config: &Config,
        customers: &mut [Customer],
        (day, at): (NaiveDate, DateTime<Utc>),
        chance: &mut Chance,
    ) {
        let campaign = &config.campaign;
        let due = campaign.stages.iter().rposition(|stage| campaign.opens(stage) <= at);
        let Some(place) = due.filter(|place| campaign.stages[*place].day.offset() < 0) else {
            return;
        };
        let stage = &campaign.stages[place];
        let mut prompts = Vec::new();
        for it in customers.iter_mut().filter(|it| it.is_awaiting && !it.is_silent) {
            let is_told = it.told.is_some_and(|(told, _)| told >= place);
            let Some(email) = it.line.get(Column::Email) else { continue };
            if is_told || prompts.len() >= self.per_day {
                continue;
            }
            let locale = it.line.get(Column::Locale).unwrap_or_default();
            let bad = if locale == "fr-FR" { 6.0 } else { 1.0 };
            let bounced =
                (chance.even() < bad * self.bounces).then_some(at + TimeDelta::minutes(9));
            let key = it.line.get(Column::ConnectionId).expect("an id").to_owned();
            prompts.push((email.to_owned(), key, bounced));
            match bounced {
                Some(_) => it.is_silent = true,
                None => it.told = Some((place, day)),
            }
        }
        let promised = stage.is_final.then(|| campaign.deadline - TimeDelta::days(30));
        for (number, (email, key, bounced)) in prompts.into_iter().enumerate() {
            let id = uuid::Uuid::new_v5(
                &uuid::Uuid::NAMESPACE_OID,
                format!("{} {email} {number}", stage.name).as_bytes(),
            );
            let told = Told { id, email, key, stage: &stage.name, at, bounced, promised };
            world.told(&told).await;
        }
    }

    async fn count(
        &self,
        world: &World,
        config: &Config,
        customers: &[Customer],
        now: DateTime<Utc>,
    ) {
        let lines: Vec<Line> = customers.iter().map(|it| it.line.clone()).collect();
        let conditions = Conditions { now: Some(now), ..Conditions::default() };
        world.scan_under(&lines, conditions).await.expect("a scan");
        world.count_day(config, now).await;
    }
}

/// A mail that was taken, and may have come back.
pub struct Told<'a> {
    pub id: uuid::Uuid,
    pub email: String,
    /// The connection's id.
    pub key: String,
    pub stage: &'a str,
    pub at: DateTime<Utc>,
    pub bounced: Option<DateTime<Utc>>,
    pub promised: Option<DateTime<Utc>>,
}

impl World {
    /// Counts a day as a run at that time does at its end.
    pub async fn count_day(&self, config: &Config, now: DateTime<Utc>) {
        let mut progress = Progress { exempt: Some(0), bad_rows: Some(0), ..Progress::default() };
        progress.count(&self.store.tally().await.expect("a tally"));
        let today = campaign_day(config, now);
        let founded = self.store.founded_at().await.expect("a scan").unwrap_or(now);
        let counting =
            Counting { zone: config.campaign.zone, founded: campaign_day(config, founded), today };
        self.store.count_day(&counting, levels(&progress, today)).await.expect("counted");
    }

    /// Writes down that somebody was told of a connection by mail.
    pub async fn told(&self, told: &Told<'_>) {
        let id = |id: &str| match self.is_postgres() {
            true => format!("'{id}'"),
            false => format!("X'{}'", id.replace('-', "")),
        };
        let time = |at: DateTime<Utc>| format!("'{}'", at.format("%Y-%m-%dT%H:%M:%S%.6f+00:00"));
        let maybe = |at: Option<DateTime<Utc>>| at.map_or("NULL".to_owned(), time);
        let notice = if self.is_postgres() { "true" } else { "1" };
        let Told { email, key, stage, at, bounced, promised, .. } = told;
        let (prompt, sent) = (id(&told.id.to_string()), time(*at));
        let (run, key) = (id("00000000-0000-0000-0000-000000000000"), id(key));
        self.execute(&format!(
            "INSERT INTO prompts (prompt_id, recipient, stage, channel, edition, state, day, \
             due_at, attempts, fence, is_notice, deadline, sending_at, sent_at, bounced_at, \
             run_id, made_at) VALUES ({prompt}, '{email}', '{stage}', 'email', 1, 'sent', \
             '{}', {sent}, 1, 1, {notice}, {sent}, {sent}, {sent}, {}, {run}, {sent}); \
             INSERT INTO prompt_connections (prompt_id, connection_key, required, removal_from) \
             VALUES ({prompt}, {key}, 'accounting.invoices', {})",
            at.format("%Y-%m-%d"),
            maybe(*bounced),
            maybe(*promised)
        ))
        .await;
    }

    /// The daily counts but for the levels, as `day measure part since number`.
    pub async fn events(&self) -> Vec<String> {
        let counts = self.store.daily_counts().await.expect("counts");
        counts
            .into_iter()
            .filter(|count| count.measure.is_event())
            .map(|count| {
                let since = count.since.map_or("-".to_owned(), |since| since.to_string());
                let part = if count.part.is_empty() { "-" } else { &count.part };
                format!("{} {} {part} {since} {}", count.day, count.measure.as_str(), count.number)
            })
            .collect()
    }

    /// The levels of one measure, by day.
    pub async fn level(&self, measure: &str) -> BTreeMap<NaiveDate, u64> {
        let counts = self.store.daily_counts().await.expect("counts");
        let of = counts.into_iter().filter(|count| count.measure.as_str() == measure);
        of.map(|count| (count.day, count.number)).collect()
    }
}
