//! What goes wrong while a story is told, and what is set right again.

use chrono::TimeDelta;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio_util::sync::CancellationToken;

use super::judge::{Broken, Judge};
use super::perform::Telling;
use super::story::What;
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::scopes::ScopeText;
use crate::jobs::Failure;
use crate::simulation::play::setting;
use crate::store::exemptions::Exemption;
use crate::store::pauses::Pause;
use crate::store::suppressions::Suppression;

/// What is required some day that was not before.
const ANOTHER: &str = "accounting.payments";

impl Telling {
    pub(super) fn set_right(&mut self) {
        self.is_spoilt = !self.shared.world().storm.passes();
    }

    pub(super) async fn trouble(
        &mut self,
        what: &What,
        config: &mut Config,
    ) -> Result<Option<Broken>, Failure> {
        let store = self.workplace.store.clone();
        let now = self.clock.now();
        self.is_spoilt = true;
        match what {
            What::Crash(crash) => self.shared.world().storm.will_crash(*crash),
            What::Replicas(workers) => self.workers = *workers,
            What::Flap(rows) => self.shared.world().storm.left_out = *rows,
            What::EmptyList => self.shared.world().storm.is_list_empty = true,
            What::PageDown => self.shared.world().storm.is_page_down = true,
            What::ClockBack(hours) => self.clock.set(now - TimeDelta::hours(*hours)),
            What::Pause => {
                let (reason, by) = ("a story".to_owned(), "ann".to_owned());
                store.pause(&Pause { paused_at: now, reason, by }).await?;
                self.is_paused = true;
            }
            What::Resume => {
                store.resume("ann", now).await?;
                self.is_paused = false;
            }
            What::Exempt(number) => {
                let id = format!("person{number}@customer{number}.example");
                let until = now + TimeDelta::days(7);
                let exemption = Exemption {
                    id: id.clone(),
                    until,
                    reason: "a story".to_owned(),
                    by: "ann".to_owned(),
                    added_at: now,
                };
                store.add_exemption(&exemption).await?;
                self.exempt.insert(id, until);
            }
            What::Deadline(days) => {
                config.campaign.deadline += TimeDelta::days(*days);
                self.edition += 1;
            }
            What::Cap(most) => config.prompts.max_per_day = Some(*most),
            What::Reconnect(number) => {
                let key = format!("person{number}@customer{number}.example");
                self.shared.world().reconnect(now, &key);
            }
            What::Require => {
                let required = config.campaign.required.union(ScopeText::read(ANOTHER).set);
                config.campaign.required = required;
                self.shared.world().require(required);
                // Whoever vouched for the link did so for other scopes.
                self.play(config, now).vouch().await?;
            }
            What::Register => self.shared.world().register(ScopeText::read(ANOTHER).set),
            What::Dies(number) => {
                self.shared.world().dies(format!("person{number}@customer{number}.example"));
            }
            What::Silence(silence) => self.shared.world().storm.silence = Some(*silence),
            What::Suppress(number) => {
                let recipient = format!("person{number}@customer{number}.example");
                let suppression = Suppression {
                    recipient: recipient.clone(),
                    reason: "a story".to_owned(),
                    by: "ann".to_owned(),
                    added_at: now,
                };
                store.suppress(&[suppression]).await?;
                self.judge.suppress(recipient);
            }
            What::Lift => {
                for suppression in store.suppressions().await? {
                    store.unsuppress(&suppression.recipient, "ann", now).await?;
                }
                self.judge.lift();
            }
            What::Plan => return self.plan(config).await,
        }
        Ok(None)
    }

    /// A plan is drawn up, of which the world is not to see anything.
    async fn plan(&mut self, config: &Config) -> Result<Option<Broken>, Failure> {
        if config.removal.is_none() {
            return Ok(None);
        }
        let before = self.reached();
        let cancel = CancellationToken::new();
        let clock = self.clock.clone();
        let mut random = StdRng::seed_from_u64(self.runs);
        let setting = setting(config, &clock, &cancel, true);
        drop(setting.draw_up(&self.workplace, &mut random).await?);
        Ok(Judge::planned(self.clock.now(), before, self.reached()).err())
    }

    /// Messages and removals that reached the world.
    fn reached(&self) -> (usize, usize) {
        let world = self.shared.world();
        world.witness.as_ref().map_or((0, 0), |it| (it.handed.len(), it.heard.len()))
    }
}
