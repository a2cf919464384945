//! The prompting step of a run: what stops it as a whole, what the plan says of its messages,
//! and the sending itself, with a new look at the inventory whenever the last is too old.

use std::collections::BTreeSet;
use std::io;

use chrono::{DateTime, TimeDelta, Utc};
use rand::SeedableRng;
use rand::rngs::StdRng;
use uuid::Uuid;

use crate::delivery::link::Links;
use crate::delivery::render::Renderer;
use crate::domain::decide::stage_name;
use crate::domain::reason::Code;
use crate::domain::win_back::{CROSSED, is_win_back};
use crate::report::plan::{List, Plan, PromptEntry};
use crate::report::pseudonym::Naming;
use crate::store::Store;

use super::aside;
use super::bearings::Bearings;
use super::exit::Exit;
use super::failure::Failure;
use super::messages::{Unready, tried_renderer};
use super::outside::Asked;
use super::planning::Work;
use super::prompt_gates::is_blocked;
use super::prompting::{Composed, Composer, Made, Prompting, Stop, Ways};
use super::run::{Finished, Setting, new_id};
use super::workplace::Workplace;

/// An older look at the inventory is taken again before anybody is written to.
const FRESH: TimeDelta = TimeDelta::minutes(15);
/// Prompts composed at a time where nothing is sent.
const BATCH: usize = 256;

/// What the step works on.
pub(super) struct PromptStep<'a> {
    pub workplace: &'a Workplace,
    pub bearings: Bearings,
    pub run_id: Uuid,
    /// When the inventory was read.
    pub looked_at: DateTime<Utc>,
    /// The run is in another process's hands.
    pub assists: bool,
}

/// What prompts are sent with.
struct Means<'a> {
    renderer: &'a Renderer,
    channels: BTreeSet<String>,
    /// Who is asked whether the links lead anywhere; `None` where nobody gets one.
    asked: Option<Asked>,
}

impl Setting<'_> {
    /// Settles what workers left behind that are gone, so that the plan knows of it.
    pub(super) async fn sweep(
        &self,
        store: &Store,
        finished: &mut Finished,
    ) -> Result<(), Failure> {
        let unknown = store.sweep_prompts(self.clock.now()).await?;
        if unknown > 0 && !self.dry_run {
            tracing::warn!(
                prompts = unknown,
                remedy = "find out whether they arrived, then worker settle",
                "an earlier worker was gone in the middle of sending: nobody knows whether these \
                 arrived"
            );
            let before = finished.progress.prompts_unknown.unwrap_or_default();
            finished.progress.prompts_unknown = Some(before + unknown);
            finished.exit = finished.exit.and(Exit::EffectFailed);
        }
        Ok(())
    }

    /// Carries the planned prompts out, or says what each would be.
    pub(super) async fn prompt(
        &self,
        step: PromptStep<'_>,
        mut work: List,
        finished: &mut Finished,
        random: &mut (dyn rand::Rng + Send),
    ) -> Result<(), Failure> {
        finished.progress.prompts_planned = Some(work.len());
        if work.is_empty() {
            return Ok(());
        }
        let tried = &step.workplace.tried;
        let renderer = match tried_renderer(self.config, self.clock.now(), self.env, tried) {
            Ok(renderer) => Some(renderer),
            Err(unready) => {
                self.block_unready(&unready, finished);
                None
            }
        };
        let channels = channels(&mut work)?;
        let asked = self.gates_of_prompts(&step, &channels, finished).await?;
        let is_blocked = is_blocked(&finished.plan);
        match (&renderer, is_blocked || self.dry_run) {
            (Some(renderer), false) => {
                let means = Means { renderer, channels, asked };
                self.send(step, means, &mut work, finished, random).await
            }
            _ => self.foretell(&step, renderer.as_ref(), &mut work, finished).await,
        }
    }

    /// An enabled step that cannot work is stopped; one that is switched off may be incomplete.
    fn block_unready(&self, unready: &Unready, finished: &mut Finished) {
        if !self.config.prompts.enabled {
            return;
        }
        let code = match unready {
            Unready::NoReconnectUrl => Code::NoReconnectUrl,
            Unready::NoLinkSecret | Unready::Secret(_) => Code::NoLinkSecret,
            Unready::NoSender => Code::ChannelNotReady,
            Unready::Templates(_) => Code::TemplateFails,
        };
        self.block(code, format!("{unready}: {}", unready.remedy()), finished);
    }

    /// Fills the plan with what each prompt would say.
    async fn foretell(
        &self,
        step: &PromptStep<'_>,
        renderer: Option<&Renderer>,
        work: &mut List,
        finished: &mut Finished,
    ) -> Result<(), Failure> {
        let mut works = work.reader::<Work>()?;
        loop {
            let batch: Vec<Work> = works.by_ref().take(BATCH).collect::<io::Result<_>>()?;
            if batch.is_empty() {
                return Ok(());
            }
            let Some(renderer) = renderer else {
                for work in &batch {
                    self.enter(step.workplace, work, None, &mut finished.plan)?;
                }
                continue;
            };
            let composer = self.composer(&step.bearings, step.workplace, renderer, None);
            let named: Vec<(Uuid, &Work)> =
                batch.iter().map(|work| (composer.id(work), work)).collect();
            let made = composer.compose(&named).await?;
            for (work, made) in batch.iter().zip(&made) {
                let composed = match made {
                    Made::Message(composed) => Some(&**composed),
                    Made::Nothing | Made::Failed(_) => None,
                };
                self.enter(step.workplace, work, composed, &mut finished.plan)?;
            }
        }
    }

    fn composer<'a>(
        &'a self,
        bearings: &'a Bearings,
        workplace: &'a Workplace,
        renderer: &'a Renderer,
        owner: Option<Uuid>,
    ) -> Composer<'a> {
        Composer {
            store: &workplace.store,
            rules: bearings.rules(self.config),
            edition: bearings.edition,
            renderer,
            client_id: &self.config.app.client_id,
            owner,
        }
    }

    /// Enters a prompt into the plan.
    fn enter(
        &self,
        workplace: &Workplace,
        work: &Work,
        composed: Option<&Composed>,
        plan: &mut Plan,
    ) -> io::Result<()> {
        let naming = match self.show_addresses {
            true => Naming::Addresses,
            false => Naming::Pseudonyms(&workplace.keys.pseudonym),
        };
        let campaign = &self.config.campaign;
        let keys = match composed {
            Some(composed) => {
                let mut keys: Vec<Uuid> =
                    composed.digest.connections().map(|connection| connection.key.0).collect();
                keys.sort_unstable();
                keys
            }
            None => work.keys(),
        };
        let stage = stage_name(campaign, &self.config.win_back, work.stage);
        let why = match campaign.stages.get(work.stage) {
            Some(stage) => {
                let since = campaign.opens(stage).with_timezone(&campaign.zone);
                format!("is due since {}", since.format("%Y-%m-%d"))
            }
            None if stage == CROSSED => "answers a consent that a removal crossed".to_owned(),
            None if is_win_back(stage) => "follows a removal".to_owned(),
            None => "names the new deadline".to_owned(),
        };
        let count = work.keys().len();
        plan.prompts.push(&PromptEntry {
            stage: stage.to_owned(),
            recipient: naming.name(&work.recipient),
            channel: work.channel.clone(),
            connections: keys.iter().map(Uuid::to_string).collect(),
            message_sha256: composed.map(|composed| composed.parcel.sha256.clone()),
            reason: format!(
                "stage {stage} {why}; {count} connection{} await{} {}",
                if count == 1 { "" } else { "s" },
                if count == 1 { "s" } else { "" },
                work.missing
            ),
        })
    }

    async fn send(
        &self,
        mut step: PromptStep<'_>,
        means: Means<'_>,
        work: &mut List,
        finished: &mut Finished,
        random: &mut (dyn rand::Rng + Send),
    ) -> Result<(), Failure> {
        let Means { renderer, channels, asked } = means;
        let ways = Ways::open(self.config, &channels, self.env, step.workplace.outside());
        for (channel, why) in &ways.unusable {
            let text = format!("{channel} cannot be used: {why}: {}", why.remedy());
            self.block(Code::ChannelNotReady, text, finished);
        }
        let older = self.all_links();
        let store = &step.workplace.store;
        let mut probes = self.probes(store, work, random).await?;
        let total = work.len();
        let mut works = work.reader::<Work>()?;
        let mut leased = 0;
        let mut owners = Vec::new();
        if !step.assists {
            store.share_run(step.run_id, true).await?;
        }
        let stop = loop {
            let owner = new_id(self.clock, random);
            owners.push(owner);
            let workplace = step.workplace;
            let mut aside = aside::set_aside(store).await?;
            let probe = probes.pop();
            if let Some(probe) = &probe {
                aside.remove(&probe.channel);
            }
            let is_probe = probe.is_some();
            let prompting = Prompting {
                store: &workplace.store,
                config: self.config,
                clock: self.clock,
                cancel: self.cancel,
                watcher: self.watcher,
                total,
                composer: self.composer(&step.bearings, workplace, renderer, Some(owner)),
                ways: &ways,
                older: &older,
                aside: &aside,
                is_probe,
                run: step.run_id,
                owner,
                fresh_until: step.looked_at + FRESH,
                asked: asked.as_ref(),
            };
            let chance = StdRng::from_rng(random);
            let plan = &mut finished.plan;
            let mut enter = |work: &Work, composed: Option<&Composed>| {
                self.enter(workplace, work, composed, plan)
            };
            let mut one = probe.map(Ok).into_iter();
            let from: &mut (dyn Iterator<Item = io::Result<Work>> + Send) =
                if is_probe { &mut one } else { &mut works };
            let (sent, so_far) = prompting.send(from, leased, chance, &mut enter).await?;
            leased = so_far;
            finished.count(sent.totals);
            if sent.stop.is_none() && is_probe {
                continue;
            }
            if sent.stop != Some(Stop::Stale) || step.assists {
                break sent.stop;
            }
            tracing::info!(
                "the last look at the inventory is too old to write to people: looking again"
            );
            step.looked_at = self.clock.now();
            let scan_id = new_id(self.clock, random);
            if !self.scan(workplace, step.run_id, scan_id, finished).await? {
                break None;
            }
            step.bearings = Bearings::take(&workplace.store, self.clock.now()).await?;
        };
        if !step.assists {
            store.share_run(step.run_id, false).await?;
            self.wait_for_others(store, step.run_id, &owners, finished).await?;
        }
        self.say_why(stop, finished);
        Ok(())
    }

    fn say_why(&self, stop: Option<Stop>, finished: &mut Finished) {
        let exit = match stop {
            None | Some(Stop::Stale) => return,
            Some(Stop::Interrupted)
                if self.until.is_some_and(|until| until <= self.clock.now()) =>
            {
                tracing::info!("the run's time is used up: the next run goes on");
                Exit::Done
            }
            Some(Stop::Interrupted) => {
                tracing::warn!("stopped before all prompts were sent: the next run goes on");
                Exit::CouldNotRun
            }
            Some(Stop::Paused(reason)) => {
                tracing::info!(
                    code = Code::Paused.as_str(),
                    "nothing more is sent: paused: {reason}"
                );
                Exit::Done
            }
            Some(Stop::Breaker) => {
                tracing::error!(
                    code = Code::Breaker.as_str(),
                    remedy = "look at what the channel says of them, mend it, and run again",
                    "too many prompts were refused or got lost: nothing more is sent by this run"
                );
                Exit::Stopped
            }
            Some(Stop::ReconnectDown(why)) => {
                tracing::error!(
                    code = Code::ReconnectDown.as_str(),
                    remedy = "[app] reconnect_url has to answer before anybody is sent there",
                    "nothing more is sent: {why}"
                );
                Exit::Stopped
            }
        };
        finished.exit = finished.exit.and(exit);
    }

    /// Links signed with each of the secrets that can be had.
    fn all_links(&self) -> Vec<Links> {
        let Some(address) = &self.config.app.reconnect_url else { return Vec::new() };
        let client_id = &self.config.app.client_id;
        self.config
            .link
            .secrets
            .iter()
            .filter_map(|secret| secret.resolve(&self.env).ok())
            .map(|secret| Links::signed(address.clone(), client_id, secret))
            .collect()
    }
}

/// Every channel that the planned prompts take.
fn channels(work: &mut List) -> io::Result<BTreeSet<String>> {
    work.reader::<Work>()?.map(|work| work.map(|work| work.channel)).collect()
}
