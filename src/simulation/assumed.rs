//! The configuration as a simulation runs it: switched on, with secrets that open nothing, and
//! nothing that would be written outside. What differs from the file is said.

use std::ffi::OsString;

use crate::config::{Config, SecretRef, Source};
use crate::domain::row::Flow;
use crate::schedule::Schedule;

use super::assume::People;

/// What every secret is in a simulation.
pub fn env(_: &str) -> Option<OsString> {
    Some(OsString::from("whsec_c2ltdWxhdGVkIHNlY3JldCB0aGF0IG9wZW5zIG5vdGhpbmc="))
}

/// The schedule of a job that has none.
const HOURLY: &str = "17 * * * *";

/// A configuration to simulate, with what is assumed beyond the file, in sentences.
#[must_use]
pub fn assumed(config: &Config, people: &People) -> (Config, Vec<String>) {
    let mut config = config.clone();
    let mut said = Vec::new();
    let simulated = || SecretRef::Env("SIMULATED".to_owned());
    config.inventory.source = Source::Table;
    config.link.secrets = vec![simulated()];
    config.metrics.textfile = None;
    if people.switch_on {
        switch_on(&mut config, &mut said);
    }
    if config.app.client_secret.is_some() || removes(&config) {
        if config.app.client_secret.is_none() && config.app.flow == Flow::Web {
            said.push(
                "[app] client_secret is there, although the file does not name it".to_owned(),
            );
        }
        config.app.client_secret = Some(simulated());
    }
    for job in &mut config.jobs {
        job.report = None;
        if job.schedule.is_none() {
            job.schedule = Schedule::parse(HOURLY).ok();
            said.push(format!("the job {} has no schedule and runs every hour", job.name));
        }
    }
    (config, said)
}

fn removes(config: &Config) -> bool {
    config.removal.as_ref().is_some_and(|removal| removal.enabled)
}

fn switch_on(config: &mut Config, said: &mut Vec<String>) {
    if !config.prompts.enabled {
        config.prompts.enabled = true;
        said.push("[prompts] is enabled".to_owned());
    }
    let Some(removal) = &mut config.removal else { return };
    if removal.enabled {
        return;
    }
    let is_complete = removal.opens_days_before.is_some()
        && removal.min_prompts.is_some()
        && removal.min_notice_days.is_some()
        && removal.max_per_run.is_some()
        && removal.max_per_day.is_some()
        && removal.max_percent.is_some();
    if is_complete {
        removal.enabled = true;
        said.push("[removal] is enabled".to_owned());
    } else {
        said.push("[removal] stays switched off: not all of what it needs is written".to_owned());
    }
}
