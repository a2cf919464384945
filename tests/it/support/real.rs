//! A campaign in the real world: the real jobs on a real database, by a clock that is set by
//! hand, with a host's database that has what a simulated world's customers make of it.

use std::ffi::OsString;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use rand::SeedableRng;
use rand::rngs::StdRng;
use sqlx::{AssertSqlSafe, Connection, Executor, SqlSafeStr, SqliteConnection};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use worker::clock::Clock;
use worker::config::{Config, Job};
use worker::domain::confirmation::{Confirmation, Subject};
use worker::domain::reason::Code;
use worker::inventory::Column;
use worker::jobs::confirming;
use worker::jobs::outcomes::Import;
use worker::jobs::progress::Unwatched;
use worker::jobs::run::Setting;
use worker::jobs::workplace::Workplace;
use worker::simulation::{Shared, env, keys};
use worker::store::plans::Approval;
use worker::store::prompts::Mailed;

use super::place::Place;
use super::sockets::StepClock;

/// The campaign in the real world, whose customers are another world's.
pub struct Real<'a> {
    place: &'a Place,
    config: Config,
    shared: Shared,
    clock: Arc<StepClock>,
    workplace: Workplace,
    random: StdRng,
    /// Changes of the rows that the host's database has.
    changes: Option<u64>,
}

impl<'a> Real<'a> {
    /// With a database of its own, which has the keys of this seed.
    pub async fn new(
        place: &'a Place,
        config: Config,
        shared: &Shared,
        clock: &Arc<StepClock>,
        seed: u64,
    ) -> Self {
        let workplace = Workplace::real(&config, &keys(seed)).await.expect("a database");
        let (shared, clock) = (shared.clone(), Arc::clone(clock));
        let random = StdRng::seed_from_u64(seed);
        Self { place, config, shared, clock, workplace, random, changes: None }
    }

    /// Ends it; tells what the worker knows of everybody's mail.
    pub async fn end(self) -> Vec<Mailed> {
        let mailed = self.workplace.store.mailed().await.expect("a database");
        self.workplace.close().await;
        mailed
    }

    /// Plays it: the first job at each of its fires, with people who do what only they can.
    pub async fn run(&mut self, until: DateTime<Utc>) {
        self.vouch().await;
        let job = self.config.jobs[0].clone();
        let schedule = job.schedule.as_ref().expect("it has one");
        while let Some(at) = schedule.next_fire(job.zone, self.clock.now())
            && at <= until
        {
            self.shared.world().go_on_until(at);
            self.clock.reach(at);
            self.hear_of_bounces().await;
            self.store_rows().await;
            let waits = self.run_job(&job).await;
            if waits {
                self.sign().await;
            }
        }
    }

    async fn vouch(&self) {
        let word = Confirmation {
            by: "ann".to_owned(),
            note: "looked at it".to_owned(),
            confirmed_at: self.clock.now(),
        };
        for (subject, facts) in [
            (Subject::Link, confirming::link(&self.config)),
            (Subject::Rehearsal, confirming::rehearsal(&self.config)),
        ] {
            self.workplace.store.confirm(subject, &facts, &word).await.expect("a confirmation");
        }
    }

    async fn hear_of_bounces(&self) {
        let bounced = self.shared.world().take_bounced();
        let now = self.clock.now();
        let id = Uuid::from_u128(now.timestamp_micros().unsigned_abs().into());
        let store = &self.workplace.store;
        let import = Import { store, campaign: &self.config.campaign, now, id };
        import.came_back(&bounced).await.expect("bounces");
    }

    /// The host's database has what the customers made of it.
    async fn store_rows(&mut self) {
        let (changes, rows) = {
            let world = self.shared.world();
            (world.changes(), world.inventory())
        };
        if self.changes.replace(changes) == Some(changes) {
            return;
        }
        let names = Column::ALL.iter().map(|column| column.name()).collect::<Vec<_>>().join(", ");
        let value = |text: Option<&str>| match text {
            Some(text) => format!("'{}'", text.replace('\'', "''")),
            None => "NULL".to_owned(),
        };
        let mut sql =
            format!("CREATE TABLE IF NOT EXISTS inventory ({names}); DELETE FROM inventory;");
        for row in rows {
            let raw = row.raw();
            let values: Vec<String> =
                Column::ALL.iter().map(|column| value(raw.get(*column))).collect();
            sql.push_str(&format!("INSERT INTO inventory VALUES ({});", values.join(", ")));
        }
        let path = format!("sqlite://{}?mode=rwc", self.place.path("host.db").display());
        let mut host = SqliteConnection::connect(&path).await.expect("the host's database");
        host.execute(AssertSqlSafe(sql).into_sql_str()).await.expect("the test's own statement");
        host.close().await.expect("the host's database");
    }

    /// Whether there is something to remove that nobody has signed.
    async fn run_job(&mut self, job: &Job) -> bool {
        let cancel = CancellationToken::new();
        let setting = setting(&self.config, &self.clock, &cancel, false);
        let finished = setting.run(job, &self.workplace, &mut self.random).await;
        let unsigned = [Code::NoApproval, Code::PlanWaits, Code::PlanExpired, Code::PlanOutdated];
        let waits = finished.plan.blocked_by.iter().any(|gate| unsigned.contains(&gate.code));
        waits && !finished.plan.removals.is_empty()
    }

    async fn sign(&mut self) {
        let cancel = CancellationToken::new();
        let setting = setting(&self.config, &self.clock, &cancel, true);
        let drawn = setting.draw_up(&self.workplace, &mut self.random).await;
        let drawn = drawn.expect("a database").expect("nothing is in the way of a plan");
        if drawn.entries.is_empty() {
            return;
        }
        let approval = Approval {
            by: "alice".to_owned(),
            approved_at: self.clock.now(),
            host: "here".to_owned(),
            os_user: "alice".to_owned(),
            note: None,
        };
        self.workplace.store.approve(&drawn.plan, &approval).await.expect("a signature");
    }
}

/// The secrets of a simulation, so that the links in both are the same.
fn secret(name: &str) -> Option<OsString> {
    match name {
        "XERO_CLIENT_SECRET" => Some("simulated".into()),
        _ => env(name),
    }
}

fn setting<'s>(
    config: &'s Config,
    clock: &'s StepClock,
    cancel: &'s CancellationToken,
    dry_run: bool,
) -> Setting<'s> {
    Setting {
        config,
        is_builtin: false,
        dry_run,
        clock,
        env: &secret,
        watcher: &Unwatched,
        cancel,
        show_addresses: false,
        looks_ahead: true,
        until: None,
    }
}
