//! The commands: parse, call, print. One file per command.

mod accept_scan;
mod answering;
mod approve;
mod audit;
mod check;
mod checklist;
mod completions;
mod confirm;
mod context;
mod due;
mod exempt;
mod explain;
mod forget;
pub mod format;
mod healthcheck;
mod history;
mod init;
mod lines;
mod migrate;
mod outcomes;
mod pause;
mod plan;
mod preview;
mod purge;
mod report;
mod run;
mod run_once;
pub mod scopes;
mod settle;
mod simulate;
mod status;
mod suppress;
mod table;
mod watch;

use std::ffi::OsString;
use std::io::{self, Write};
use std::sync::Arc;

use clap::{Parser, Subcommand};

use crate::clock::SystemClock;
use crate::jobs::exit::Exit;
use crate::telemetry::{self, LogFormat};

use context::Context;

const FIRST_STEPS: &str = "\
First steps:
  worker --config builtin run-once --dry-run     the plan for an invented company
  worker init                                    a configuration of your own
  worker check --offline                         what is missing, and what to do
  worker run-once --dry-run                      who would be told what; changes nothing
  worker preview invitation                      a message as it would be sent
  worker explain ann@customer.example            why did my customer get this mail?
Each command has examples of its own: worker check --help";

/// Moves an app's Xero connections from broad to granular OAuth scopes: scans the stored
/// connections, says who still has to consent again, and reports progress.
#[derive(Debug, Parser)]
#[command(name = "worker", version, about, max_term_width = 100, after_help = FIRST_STEPS)]
struct Arguments {
    /// The configuration; `builtin` is the embedded example. Without it: ./jobs.toml
    #[arg(long, global = true, value_name = "FILE", env = "WORKER_CONFIG")]
    config: Vec<OsString>,
    /// How log lines look on standard error; auto is text on a terminal, JSON elsewhere
    #[arg(long, global = true, value_enum, default_value = "auto", env = "WORKER_LOG")]
    log: LogFormat,
    /// What is logged: error, warn, info, debug, or a filter such as worker=debug
    #[arg(long, global = true, default_value = "info", env = "WORKER_LOG_LEVEL", hide = true)]
    log_level: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the jobs now, in the order of jobs.toml
    RunOnce(run_once::Arguments),
    /// Stay up and run each job on its schedule
    Run,
    /// Ask the `worker run` of this machine whether it is alive
    Healthcheck(healthcheck::Arguments),
    /// Where the campaign stands, by the last complete scan
    Status(status::Arguments),
    /// The full progress report: where it stands, how it goes, and where it will end
    Report(report::Arguments),
    /// The whole campaign on a copy, with a virtual clock: who is told what and when
    Simulate(simulate::Arguments),
    /// Everything known and decided about a connection, and what comes next
    Explain(explain::Arguments),
    /// Who is due for which stage now, for hosts that send with their own means
    Due(due::Arguments),
    /// A message as it would be sent
    Preview(preview::Arguments),
    /// Leave a connection, tenant, person, account or address alone for a while
    #[command(subcommand)]
    Exempt(exempt::Command),
    /// Never write to an address
    #[command(subcommand)]
    Suppress(suppress::Command),
    /// What people do for connections that the program leaves alone: custom and OAuth 1.0a
    #[command(subcommand)]
    Checklist(checklist::Command),
    /// Go through everything that a campaign needs: fine, doubtful or wrong, and what to do
    Check(check::Arguments),
    /// Stop all effects, on every replica, at once
    Pause(pause::PauseArguments),
    /// Let effects happen again
    Resume(pause::ResumeArguments),
    /// Vouch for what the program cannot see for itself
    Confirm(confirm::Arguments),
    /// Say what became of a message whose outcome is unknown
    Settle(settle::Arguments),
    /// Take in what others know of messages
    #[command(subcommand)]
    Outcomes(outcomes::Command),
    /// Xero's scopes: the catalogue, and what a text means
    #[command(subcommand)]
    Scopes(scopes::Command),
    /// Erase a person
    Forget(forget::Arguments),
    /// Erase people's data by age
    Purge(purge::Arguments),
    /// What was done and decided, and whether that record is whole
    #[command(subcommand)]
    Audit(audit::Command),
    /// Draw up a plan of the removals that come due, for named people to sign off
    Plan(plan::Arguments),
    /// Sign a plan of removals off
    Approve(approve::ApproveArguments),
    /// The plans of removals, with who signed them and what became of them
    Plans(approve::PlansArguments),
    /// Let the one scan through that the guard stopped
    AcceptScan(accept_scan::Arguments),
    /// Bring the database's schema up to date
    Migrate(migrate::Arguments),
    /// A first configuration
    Init(init::Arguments),
    /// Shell completions, and the manual page
    Completions(completions::Arguments),
}

/// Does what the command line says.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are results, everything else is a usage error.
            let exit = if error.use_stderr() { Exit::Configuration } else { Exit::Done };
            let _ = error.print();
            return exit;
        }
    };
    let clock = Arc::new(SystemClock);
    let terminal = match telemetry::start(arguments.log, &arguments.log_level, clock) {
        Ok(terminal) => terminal,
        Err(message) => {
            let _ = writeln!(io::stderr(), "error: {message}");
            return Exit::Configuration;
        }
    };
    let context = Context::new(arguments.config, terminal);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("the runtime cannot start: {error}");
            return Exit::CouldNotRun;
        }
    };
    let exit = runtime.block_on(async {
        let outcome = match arguments.command {
            Command::RunOnce(arguments) => run_once::run(&context, arguments).await,
            Command::Run => run::run(&context).await,
            Command::Healthcheck(arguments) => healthcheck::run(&context, arguments).await,
            Command::Status(arguments) => status::run(&context, arguments).await,
            Command::Report(arguments) => report::run(&context, arguments).await,
            Command::Simulate(arguments) => simulate::run(&context, arguments).await,
            Command::Explain(arguments) => explain::run(&context, arguments).await,
            Command::Due(arguments) => due::run(&context, arguments).await,
            Command::Preview(arguments) => preview::run(&context, arguments).await,
            Command::Exempt(command) => exempt::run(&context, command).await,
            Command::Suppress(command) => suppress::run(&context, command).await,
            Command::Check(arguments) => check::run(&context, arguments).await,
            Command::Checklist(command) => checklist::run(&context, command).await,
            Command::Pause(arguments) => pause::pause(&context, arguments).await,
            Command::Resume(arguments) => pause::resume(&context, arguments).await,
            Command::Confirm(arguments) => confirm::run(&context, arguments).await,
            Command::Settle(arguments) => settle::run(&context, arguments).await,
            Command::Outcomes(command) => outcomes::run(&context, command).await,
            Command::Scopes(command) => scopes::run(&context, command).await,
            Command::Forget(arguments) => forget::run(&context, arguments).await,
            Command::Purge(arguments) => purge::run(&context, arguments).await,
            Command::Audit(command) => audit::run(&context, command).await,
            Command::Plan(arguments) => plan::run(&context, arguments).await,
            Command::Approve(arguments) => approve::approve(&context, arguments).await,
            Command::Plans(arguments) => approve::list(&context, arguments).await,
            Command::AcceptScan(arguments) => accept_scan::run(&context, arguments).await,
            Command::Migrate(arguments) => migrate::run(&context, arguments).await,
            Command::Init(arguments) => init::run(arguments),
            Command::Completions(arguments) => completions::run(&arguments),
        };
        outcome.unwrap_or_else(|trouble| context.tell(&trouble))
    });
    // A reading thread that waits for a slow pipe must not keep the process.
    runtime.shutdown_background();
    exit
}

/// Whether an output error only means that nobody reads on, as in `… | head`.
fn is_closed_pipe(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}
