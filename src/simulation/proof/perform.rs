//! Telling a story: the worker runs in its world as its schedule says, and goes through what
//! the story has for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio_util::sync::CancellationToken;

use super::Told;
use super::judge::{Broken, InForce, Judge};
use super::story::Story;
use crate::clock::Clock;
use crate::config::{Config, Job};
use crate::inventory::{Column, KeptRow};
use crate::jobs::Failure;
use crate::jobs::run::Finished;
use crate::jobs::workplace::Workplace;
use crate::simulation::chance::Seed;
use crate::simulation::clock::WorldClock;
use crate::simulation::outside::Shared;
use crate::simulation::play::{Play, setting};
use crate::simulation::simulating::keys;
use crate::simulation::skipping::News;
use crate::simulation::witness::Witness;
use crate::simulation::world::World;

/// A story that is being told.
pub(super) struct Telling {
    pub workplace: Workplace,
    pub shared: Shared,
    pub clock: WorldClock,
    pub judge: Judge,
    pub exempt: BTreeMap<String, DateTime<Utc>>,
    pub edition: u32,
    pub is_paused: bool,
    /// So many work at once in the next run.
    pub workers: u32,
    /// So many worked in the last one.
    worked: u32,
    /// The most connections that there have been.
    connections: usize,
    /// What is set right again before the next run.
    pub is_spoilt: bool,
    pub runs: u64,
    crashes: usize,
    timeline: Vec<String>,
}

/// Tells it.
pub(super) async fn perform(story: &Story) -> Result<Told, Failure> {
    let unreadable = |error: crate::config::ConfigErrors| {
        Failure::Output(std::io::Error::other(error.to_string()))
    };
    let mut config = story.config().map_err(unreadable)?;
    let begins = story.begins_at();
    // A place of its own, which no file has.
    config.database.url = nowhere();
    let workplace = Workplace::copy(&config, &keys(story.seed)).await?;
    let mut world = World::of(story.rows(), &config, Seed(story.seed), story.assumptions(), begins);
    world.witness = Some(Witness::default());
    world.storm = story.storm();
    let shared = Shared::new(world);
    let workplace = workplace.within(Arc::new(shared.clone()));
    let clock = WorldClock::at(begins, workplace.store.clone());
    let mut telling = Telling {
        workplace,
        shared,
        clock,
        judge: Judge::default(),
        exempt: BTreeMap::new(),
        edition: 0,
        is_paused: false,
        workers: 1,
        worked: 1,
        connections: 0,
        is_spoilt: false,
        runs: 0,
        crashes: 0,
        timeline: Vec::new(),
    };
    let broken = telling.tell(story, &mut config).await?;
    let broken = match broken {
        Some(broken) => Some(broken),
        None => telling.ends_well().await?,
    };
    let (messages, removals) = {
        let world = telling.shared.world();
        let witness = world.witness.as_ref();
        witness.map_or((0, 0), |witness| {
            (witness.handed.iter().filter(|it| it.is_taken).count(), witness.taken.len())
        })
    };
    telling.workplace.close().await;
    let Telling { timeline, crashes, runs, .. } = telling;
    Ok(Told { broken, timeline, messages, removals, crashes, runs })
}

/// A database that nobody has.
fn nowhere() -> crate::config::DatabaseUrl {
    let path = std::path::PathBuf::from("/nowhere/story.db");
    crate::config::DatabaseUrl::Sqlite { path, options: None }
}

/// Connections that stand in these rows.
fn connections(rows: &[Arc<KeptRow>]) -> usize {
    let of = |row: &Arc<KeptRow>| {
        let get = |column| row.raw().get(column).map(str::to_owned);
        (get(Column::TenantId), get(Column::XeroUserId))
    };
    rows.iter().map(of).collect::<BTreeSet<_>>().len()
}

impl Telling {
    pub(super) fn play<'a>(&'a self, config: &'a Config, until: DateTime<Utc>) -> Play<'a> {
        let (shared, clock) = (self.shared.clone(), self.clock.clone());
        let mut play = Play::new(config, &self.workplace, shared, clock, until);
        // Another run, another chance.
        let seed = self.shared.world().seed.0;
        play.random = StdRng::seed_from_u64(seed ^ self.runs.rotate_left(32));
        play
    }

    async fn tell(
        &mut self,
        story: &Story,
        config: &mut Config,
    ) -> Result<Option<Broken>, Failure> {
        let begins = story.begins_at();
        let until = begins + TimeDelta::days(story.days);
        self.play(config, until).vouch().await?;
        let mut skipping = self.play(config, until).skipping();
        let mut troubles = story.troubles.iter().peekable();
        let replans = story.replans();
        let (mut stirs, mut forced) = (0, 2);
        let Some(job) = config.jobs.first().cloned() else { return Ok(None) };
        let mut at = begins;
        while let Some(next) = job.schedule.as_ref().and_then(|it| it.next_fire(job.zone, at)) {
            if next > until {
                return Ok(None);
            }
            at = next;
            self.shared.world().go_on_until(at);
            self.clock.set(at);
            if self.is_spoilt {
                self.set_right();
            }
            while let Some(trouble) = troubles.next_if(|it| begins + TimeDelta::days(it.day) <= at)
            {
                self.note(format!("{:?}", trouble.what));
                if let Some(broken) = self.trouble(&trouble.what, config).await? {
                    return Ok(Some(broken));
                }
                forced = 3;
            }
            let bounced: Vec<_> = self.shared.world().bounced.iter().map(|it| it.0).collect();
            let has_bounced = !bounced.is_empty();
            self.judge.bounce(bounced);
            self.play(config, until).hear_of_bounces().await?;
            let news = {
                let world = self.shared.world();
                News { changes: world.changes, stirred: world.stirs != stirs || has_bounced }
            };
            if forced == 0 && skipping.may_skip(config, &job.name, at, news) {
                continue;
            }
            forced = if forced > 0 { forced - 1 } else { 0 };
            stirs = self.shared.world().stirs;
            if replans && let Some(broken) = self.replanned(config, &job).await? {
                return Ok(Some(broken));
            }
            let is_first = self.workplace.store.last_complete_scan().await?.is_none();
            let before = self.refused_scan(config).await?;
            let finished = self.run(config, &job, is_first).await;
            self.write_down();
            if let Some(before) = before {
                let after = self.workplace.store.tally().await?.connections;
                if let Err(broken) = Judge::unchanged(self.clock.now(), before, after) {
                    return Ok(Some(broken));
                }
            }
            if let Some(broken) = self.judged(config, is_first) {
                return Ok(Some(broken));
            }
            if replans && let Some(broken) = self.replanned(config, &job).await? {
                return Ok(Some(broken));
            }
            if let Some(mut finished) = finished {
                skipping
                    .note(config, (&job.name, &job.steps), at, news, &mut finished)
                    .map_err(Failure::from)?;
                self.play(config, until).sign(&job, &finished).await?;
            } else {
                forced = 2;
            }
        }
        Ok(None)
    }

    fn judged(&mut self, config: &Config, is_first: bool) -> Option<Broken> {
        let world = self.shared.world();
        self.connections = self.connections.max(connections(&world.inventory()));
        let witness = world.witness.as_ref()?;
        let force = InForce {
            config,
            edition: self.edition,
            is_paused: self.is_paused,
            is_first,
            exempt: &self.exempt,
            run: self.runs,
            workers: self.worked,
            connections: self.connections,
        };
        self.judge.judge(witness, &force).err()
    }

    /// How many connections are present, where the next scan has to be refused.
    async fn refused_scan(&self, config: &Config) -> Result<Option<u64>, Failure> {
        let (listed, left) = {
            let world = self.shared.world();
            let rows = world.inventory();
            (connections(&rows), connections(&world.storm.spoil(rows)))
        };
        let tally = self.workplace.store.tally().await?;
        // Those that the worker removed, and the host still lists, count among the others.
        let (before, removed) = (tally.connections, tally.removed_listed);
        let gone = ((listed - left) as u64).saturating_sub(removed);
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        let share = 100.0 * gone as f64 / (before + removed).max(1) as f64;
        let is_refused = before > 0 && share > config.guard.max_change_percent;
        Ok(is_refused.then_some(before))
    }

    /// One run, or several at once; `None` when the process died.
    async fn run(&mut self, config: &Config, job: &Job, is_first: bool) -> Option<Finished> {
        self.runs += 1;
        let cancel = CancellationToken::new();
        let clock = self.clock.clone();
        let setting = setting(config, &clock, &cancel, false);
        let seed = self.shared.world().seed.0.wrapping_add(self.runs << 8);
        let mut random = StdRng::seed_from_u64(seed);
        let crash = Arc::clone(&self.shared.crash);
        // Of two that begin on an empty database, one may find the scan of the other complete,
        // and go by it as it should: the others wait until there is one.
        self.worked = if is_first { 1 } else { std::mem::replace(&mut self.workers, 1) };
        let mut others: Vec<StdRng> = (1..self.worked)
            .map(|worker| StdRng::seed_from_u64(seed + u64::from(worker)))
            .collect();
        let all = async {
            let one = setting.run(job, &self.workplace, &mut random);
            let others = others.iter_mut().map(|own| setting.run(job, &self.workplace, own));
            tokio::join!(one, join_all(others)).0
        };
        let finished = tokio::select! {
            biased;
            () = crash.notified() => None,
            finished = all => Some(finished),
        };
        if finished.is_none() {
            self.crashes += 1;
            self.judge.died(self.clock.now(), config);
            self.note("the worker's process died".to_owned());
        }
        finished
    }

    fn note(&mut self, what: String) {
        let at = self.clock.now().format("%Y-%m-%d %H:%M");
        self.timeline.push(format!("{at} {what}"));
    }

    /// What the world saw since the last run, as lines.
    fn write_down(&mut self) {
        let world = self.shared.world();
        let Some(witness) = &world.witness else { return };
        let mut lines: BTreeSet<(DateTime<Utc>, String)> = BTreeSet::new();
        for handed in &witness.handed[self.judge.messages_seen().min(witness.handed.len())..] {
            let whom = handed.address.as_deref().unwrap_or("the product");
            let what = if handed.tells.stage.is_empty() { "news" } else { &handed.tells.stage };
            let how = match (handed.is_taken, handed.is_refused) {
                (true, _) => "",
                (_, true) => " (refused)",
                _ => " (put off)",
            };
            lines.insert((handed.at, format!("{what} to {whom} by {}{how}", handed.channel)));
        }
        for taken in &witness.taken[self.judge.removals_seen().min(witness.taken.len())..] {
            let whom: Vec<&str> = taken.responsible.iter().flatten().map(String::as_str).collect();
            lines.insert((taken.at, format!("removed a connection of {}", whom.join(" and "))));
        }
        let lines = lines.into_iter();
        let said = lines.map(|(at, line)| format!("{} {line}", at.format("%Y-%m-%d %H:%M")));
        self.timeline.extend(said);
    }
}
