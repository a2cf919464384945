//! A whole simulation: the same inventory twice, once with people who do nothing, and once with
//! customers drawn from a seed; and both again under another configuration.

use std::io;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::config::{Config, Job};
use crate::domain::audit::Head;
use crate::domain::forecast::{History, Outlook};
use crate::inventory::KeptRow;
use crate::jobs::Failure;
use crate::jobs::workplace::Workplace;
use crate::report::calendar::{Against, Course, Simulated, differences};
use crate::report::document::Document;
use crate::store::settings::Keys;
use crate::store::{self, Store};

use super::assume::{Assumptions, People};
use super::assumed::assumed;
use super::chance::Seed;
use super::clock::WorldClock;
use super::elapsed::{Elapsed, Part};
use super::fitted::{Past, fitted};
use super::observing::{Names, course};
use super::outside::Shared;
use super::play::{Play, end};
use super::world::World;

/// There is no schedule that fires in the time that is played.
const NO_RUN: &str = "no job begins in the time that is to be simulated: a later --until has some";

/// What a simulation is asked for.
pub struct Asked<'a> {
    pub seed: u64,
    pub assumptions: &'a Assumptions,
    /// Where they are from, in sentences, if not from a file.
    pub grounds: &'a [String],
    /// `None` plays to the end of the campaign.
    pub until: Option<DateTime<Utc>>,
    /// Addresses may be shown.
    pub is_shown: bool,
    /// Runs that would do nothing are left out.
    pub skips: bool,
    /// Where it says how far it is.
    pub elapsed: &'a Elapsed,
}

/// Where a simulation begins.
pub struct Begun<'a> {
    pub config: &'a Config,
    /// Another configuration, with its name.
    pub against: Option<(&'a Config, String)>,
    pub rows: &'a [KeptRow],
    pub now: DateTime<Utc>,
}

/// The keys of a database that is new: the same for the same seed, so that pseudonyms are.
#[must_use]
pub fn keys(seed: u64) -> Keys {
    let mut chance = Seed(seed).about("keys", "");
    let mut byte = || (chance.even() * 256.0).floor().clamp(0.0, 255.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it lies between 0 and 255"
    )]
    let mut byte = || byte() as u8;
    Keys {
        fingerprint: std::array::from_fn(|_| byte()),
        pseudonym: std::array::from_fn(|_| byte()),
    }
}

/// When the first job begins that is played from a time on; `None` where none ever does.
#[must_use]
pub fn begins(config: &Config, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let (config, _) = assumed(config, &People::default());
    let next = |job: &Job| job.schedule.as_ref()?.next_fire(job.zone, now);
    config.jobs.iter().filter_map(next).min()
}

/// What is taken for granted by the history in this database, and where each number is from.
///
/// # Errors
/// The database cannot be used.
pub async fn from_history(
    config: &Config,
    store: &Store,
) -> Result<(Assumptions, Vec<String>), store::Error> {
    let history = History::new(store.daily_counts().await?);
    let stages = config.campaign.stages.iter().map(|stage| stage.name.as_str()).collect();
    let mailed = store.mailed().await?;
    Ok(fitted(&Past { history: &history, stages, mailed: &mailed }))
}

/// Plays it all. To be called in a runtime of one thread: order is what a seed is about.
///
/// # Errors
/// The database cannot be copied, or a temporary file cannot be used.
pub async fn simulate(begun: &Begun<'_>, asked: &Asked<'_>) -> Result<Simulated, Failure> {
    let people = &asked.assumptions.people;
    let (config, mut said) = assumed(begun.config, people);
    let until = asked.until.unwrap_or_else(|| end(&config));
    let campaigns = if begun.against.is_some() { 4 } else { 2 };
    asked.elapsed.expect(campaigns, until - begun.now);
    if people.confirm {
        said.push("somebody has confirmed link and rehearsal".to_owned());
    }
    if people.approve {
        said.push(
            "plans of removals are signed as soon as there is something to remove".to_owned(),
        );
    }
    said.extend_from_slice(asked.grounds);
    said.push("messages and removals take no longer than it takes to ask for them".to_owned());
    let nobody = Assumptions::nobody_reacts(people);
    // Each has a world and a database of its own: while one waits for its database, the other
    // goes on.
    let play = async |config| {
        let course = |assumptions| one(begun, config, asked, assumptions, until);
        tokio::try_join!(course(&nobody), course(asked.assumptions))
    };
    let (mut if_nobody_reacts, with_customers) = play(&config).await?;
    let against = match &begun.against {
        None => None,
        Some((other, name)) => {
            let (other, _) = assumed(other, people);
            let (nobody, customers) = play(&other).await?;
            let differences = differences(&with_customers, &customers);
            Some(Against {
                configuration: name.clone(),
                if_nobody_reacts: nobody,
                with_customers: customers,
                differences,
            })
        }
    };
    let at_first = if_nobody_reacts.at_first.take();
    let at_first = at_first.ok_or_else(|| Failure::Output(io::Error::other(NO_RUN)))?;
    let remarks = remarks(&config, begun, &at_first);
    Ok(Simulated {
        app: config.app.name.clone(),
        seed: asked.seed,
        began_at: begun.now,
        until,
        time_zone: config.campaign.zone.name().to_owned(),
        deadline: config.campaign.deadline,
        assumed: said,
        remarks,
        at_first,
        if_nobody_reacts,
        with_customers,
        against,
    })
}

/// What is worth knowing before anything else.
fn remarks(config: &Config, begun: &Begun<'_>, at_first: &Document) -> Vec<String> {
    let mut remarks = Vec::new();
    let progress = &at_first.progress;
    let of = |count: Option<u64>| count.unwrap_or_default();
    let connections = of(progress.connections);
    if begun.rows.is_empty() {
        remarks.push("the inventory is empty: there is nobody to tell".to_owned());
    } else if progress.connections.is_none() {
        let text = "the inventory was not taken in: the first scan was stopped or failed; \
                    worker run-once --dry-run says why";
        remarks.push(text.to_owned());
    } else if connections == of(progress.ready) + of(progress.unaffected) {
        remarks.push("everybody is ready or unaffected: there is nobody to tell".to_owned());
    } else if connections == of(progress.unknown) {
        let text = "nothing is known of any connection's scopes, and nobody is told anything \
                    without evidence: worker scopes explain tells what a text means";
        remarks.push(text.to_owned());
    }
    if begun.now >= config.campaign.deadline {
        remarks.push("the deadline has passed: only what follows it is played".to_owned());
    }
    if let Outlook::TooEarly { text } = &at_first.outlook {
        remarks.push(format!(
            "the forecast has nothing to go by yet ({text}): what follows is by assumption"
        ));
    }
    for fit in at_first.fits.iter().filter(|fit| !fit.fits) {
        let done = fit.done_by.map_or("never".to_owned(), |day| day.to_string());
        remarks.push(format!(
            "stage {} does not fit: its {} messages are through by {done}, and they have to be by {}",
            fit.stage, fit.messages, fit.needed_by
        ));
    }
    remarks
}

/// One campaign from now on, on a copy of its own.
async fn one(
    begun: &Begun<'_>,
    config: &Config,
    asked: &Asked<'_>,
    assumptions: &Assumptions,
    until: DateTime<Utc>,
) -> Result<Course, Failure> {
    let workplace = Workplace::copy(config, &keys(asked.seed)).await?;
    campaign(workplace, begun, config, asked, assumptions, until).await
}

/// One campaign from now on in this workplace, which is used up by it.
///
/// # Errors
/// The database or a temporary file cannot be used.
pub async fn campaign(
    workplace: Workplace,
    begun: &Begun<'_>,
    config: &Config,
    asked: &Asked<'_>,
    assumptions: &Assumptions,
    until: DateTime<Utc>,
) -> Result<Course, Failure> {
    let seed = Seed(asked.seed);
    let mut world = World::of(begun.rows.to_vec(), config, seed, assumptions.clone(), begun.now);
    world.remember(&workplace.store.mailed().await?);
    let shared = Shared::new(world);
    let workplace = workplace.within(Arc::new(shared.clone()));
    let clock = WorldClock::at(begun.now, workplace.store.clone());
    let before = workplace.store.audit_head().await?.unwrap_or(Head::NONE);
    let mut play = Play::new(config, &workplace, shared.clone(), clock, until);
    play.skips = asked.skips;
    play.part = Some(Part::new(asked.elapsed, begun.now));
    play.run().await?;
    let key = workplace.keys.pseudonym;
    let names = Names::of(&shared.world(), &key, asked.is_shown);
    let course = course(&mut play, config, before.number, &names, asked.is_shown).await?;
    workplace.close().await;
    Ok(course)
}
