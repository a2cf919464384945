//! `worker run`

use std::sync::Arc;

use rand::rngs::StdRng;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::Step;
use crate::jobs::exit::Exit;
use crate::jobs::health::{Health, Trouble as Unfit};
use crate::jobs::hold::Worker;
use crate::jobs::run::{Setting, new_id};
use crate::jobs::scheduler::{Scheduler, unmet_text};
use crate::jobs::shutdown::Shutdown;
use crate::jobs::weather::Patience;
use crate::jobs::workplace::Workplace;
use crate::jobs::{Failure, common_clock};

use super::answering::{Answering, serve};
use super::context::{Context, Trouble, environment, fresh_keys};
use super::watch::Watch;

pub(super) async fn run(context: &Context) -> Result<Exit, Trouble> {
    let shutdown = Shutdown::listening();
    tokio::select! {
        biased;
        () = shutdown.at_once.cancelled() => Ok(Exit::CouldNotRun),
        exit = keep(context, &shutdown.asked) => exit,
    }
}

async fn keep(context: &Context, cancel: &CancellationToken) -> Result<Exit, Trouble> {
    let configured = context.configured()?;
    let config = &configured.config;
    if config.jobs.iter().all(|job| job.schedule.is_none()) {
        return Err(Trouble::Usage(
            "no job has a schedule: there is nothing to stay up for".to_owned(),
            "write `schedule = \"17 * * * *\"` below [[jobs]], or use `worker run-once`".to_owned(),
        ));
    }
    let listener = TcpListener::bind(config.http.listen).await.map_err(|error| {
        Trouble::CannotRun(
            format!("{} cannot be listened on: {error}", config.http.listen),
            "does another process listen there? choose another [http] listen".to_owned(),
        )
    })?;
    if let Ok(address) = listener.local_addr() {
        tracing::info!(http.listen = %address, "answering for health and metrics");
    }
    let health = Arc::new(Health::starting(cancel.clone()));
    let answering = Answering::new(config.clone(), Arc::clone(&health));
    let served = tokio::spawn(serve(listener, answering.clone()));
    let watch = Watch::new(context.terminal.clone());
    let setting = Setting {
        config,
        is_builtin: configured.is_builtin,
        dry_run: false,
        clock: &context.clock,
        env: &environment,
        watcher: &watch,
        cancel,
        show_addresses: false,
        looks_ahead: true,
        until: None,
    };
    let mut random = context.random()?;
    let exit = match open(&setting, &health, &mut random).await {
        Ok(None) => Ok(Exit::Done),
        Ok(Some((workplace, worker))) => {
            answering.found(workplace.store.clone());
            let exit = kept(setting, &workplace, worker, &health, &mut random).await;
            workplace.close().await;
            exit
        }
        Err(failure) => Err(failure.into()),
    };
    served.abort();
    exit
}

/// Opens the database, whenever it comes; `None` when the process is asked to stop first.
async fn open(
    setting: &Setting<'_>,
    health: &Health,
    random: &mut StdRng,
) -> Result<Option<(Workplace, Worker)>, Failure> {
    let keys = fresh_keys(random);
    let mut patience = Patience::of(chrono::TimeDelta::MAX);
    loop {
        let opened = tokio::select! {
            biased;
            () = setting.cancel.cancelled() => return Ok(None),
            opened = Workplace::real(setting.config, &keys) => opened,
        };
        let failure: Failure = match opened {
            Ok(workplace) => match common_clock(&workplace.store, setting.clock).await {
                Ok(clock) => {
                    let id = new_id(setting.clock, random);
                    let worker = Worker::new(workplace.store.clone(), clock, id);
                    return Ok(Some((workplace, worker)));
                }
                Err(failure) => failure,
            },
            Err(error) => error.into(),
        };
        health.note(Unfit::Database, Some(failure.to_string()));
        if !patience.outlasts(&failure, setting.clock, setting.cancel).await {
            return if setting.cancel.is_cancelled() { Ok(None) } else { Err(failure) };
        }
    }
}

async fn kept(
    setting: Setting<'_>,
    workplace: &Workplace,
    worker: Worker,
    health: &Health,
    random: &mut StdRng,
) -> Result<Exit, Trouble> {
    for step in [Step::Prompt, Step::Remove] {
        let zones = setting.unmet_zones(step, workplace).await?;
        if let Some(text) = unmet_text(&zones) {
            return Err(Trouble::Usage(
                format!("the step {} would never come to them: {text}", step.as_str()),
                "let the job fire hourly (`schedule = \"17 * * * *\"`): hours and working days decide \
                 who is due"
                    .to_owned(),
            ));
        }
    }
    health.note(Unfit::Database, None);
    health.note(Unfit::Starting, None);
    let scheduler = Scheduler { setting, workplace, worker, health };
    Ok(scheduler.run(random).await)
}
