//! What every command starts from: the configuration, the clock, chance, the environment;
//! and how it says what went wrong.

use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use rand::Rng;
use rand::SeedableRng;
use rand::rngs::{StdRng, SysRng};

use crate::clock::{Clock, SystemClock};
use crate::config::{Config, ConfigErrors, DatabaseUrl, Origin};
use crate::domain::address::Address;
use crate::jobs::Failure;
use crate::jobs::exit::Exit;
use crate::jobs::workplace::database;
use crate::store::settings::Keys;
use crate::store::{self, Store};
use crate::telemetry::Terminal;

use super::is_closed_pipe;

/// Why a command could not do what it was asked to.
#[derive(Debug)]
pub(super) enum Trouble {
    Config(ConfigErrors),
    /// Usage or configuration: what is wrong and what to do.
    Usage(String, String),
    /// It could not run: what is wrong and what to do.
    CannotRun(String, String),
    Failure(Failure),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<store::Error> for Trouble {
    fn from(error: store::Error) -> Self {
        Self::Failure(error.into())
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Failure(error.into())
    }
}

/// What commands share.
pub(super) struct Context {
    /// As named, in that order; only `report` takes more than one.
    configs: Vec<OsString>,
    pub terminal: Terminal,
    pub clock: SystemClock,
}

/// A configuration, and whether it is the embedded example.
pub(super) struct Configured {
    pub config: Config,
    pub is_builtin: bool,
}

/// The environment, for secrets.
pub(super) fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

impl Context {
    pub(super) fn new(configs: Vec<OsString>, terminal: Terminal) -> Self {
        Self { configs, terminal, clock: SystemClock }
    }

    /// Reads the configuration that the command line or the environment names, else
    /// ./jobs.toml.
    pub(super) fn configured(&self) -> Result<Configured, Trouble> {
        let (mut config, is_builtin) = match self.configs.as_slice() {
            [name] => configuration(name)?,
            [] if Path::new("jobs.toml").exists() => (read(Path::new("jobs.toml"))?, false),
            [] => {
                return Err(Trouble::Usage(
                    "there is no jobs.toml in the current directory".to_owned(),
                    "name one with --config FILE or WORKER_CONFIG, or try --config builtin, the embedded example"
                        .to_owned(),
                ));
            }
            [..] => {
                return Err(Trouble::Usage(
                    "more than one --config".to_owned(),
                    "name one; only `worker report` adds several up".to_owned(),
                ));
            }
        };
        if let Some(url) = environment("WORKER_DATABASE_URL") {
            let url = url.to_string_lossy();
            config.database.url = DatabaseUrl::parse_state(&url, None).map_err(|error| {
                Trouble::Usage(format!("WORKER_DATABASE_URL: {error}"), error.remedy().to_owned())
            })?;
        }
        Ok(Configured { config, is_builtin })
    }

    /// All configurations that the command line names, if there are several. Each has a
    /// database of its own: what the environment says about one holds for none of them.
    pub(super) fn several(&self) -> Result<Option<Vec<Config>>, Trouble> {
        if self.configs.len() < 2 {
            return Ok(None);
        }
        let read = self.configs.iter().map(|name| Ok(configuration(name)?.0));
        read.collect::<Result<Vec<_>, _>>().map(Some)
    }

    /// The configuration if there is one, for commands that can do without.
    pub(super) fn configured_if_any(&self) -> Result<Option<Configured>, Trouble> {
        if self.configs.is_empty() && !Path::new("jobs.toml").exists() {
            return Ok(None);
        }
        self.configured().map(Some)
    }

    /// Chance, from the operating system.
    pub(super) fn random(&self) -> Result<StdRng, Trouble> {
        StdRng::try_from_rng(&mut SysRng).map_err(|error| {
            Trouble::CannotRun(
                format!("the operating system gives no random numbers: {error}"),
                "is /dev/urandom there?".to_owned(),
            )
        })
    }

    /// Opens the database as it is, for reading what is in force.
    pub(super) async fn existing(&self, config: &Config) -> Result<(Store, Keys), Trouble> {
        let database = database(config)?;
        if database.is_missing() {
            return Err(Trouble::CannotRun(
                "there is no database yet".to_owned(),
                "run `worker run-once` first; `worker run-once --dry-run` needs none".to_owned(),
            ));
        }
        match open_used(&database, config).await? {
            Some(opened) => Ok(opened),
            None => Err(Trouble::CannotRun(
                "the database has not been used yet".to_owned(),
                "run `worker run-once` first".to_owned(),
            )),
        }
    }

    /// As [`Self::existing`], for what is worth doing without a database too.
    pub(super) async fn existing_if_any(
        &self,
        config: &Config,
    ) -> Result<Option<(Store, Keys)>, store::Error> {
        let database = database(config)?;
        if database.is_missing() { Ok(None) } else { open_used(&database, config).await }
    }

    /// Says what went wrong, once, where people and programs look for it.
    pub(super) fn tell(&self, trouble: &Trouble) -> Exit {
        match trouble {
            Trouble::Config(errors) => {
                // A page with file, line and marker is for reading, not for a log field.
                let _ = writeln!(io::stderr(), "{errors}");
                Exit::Configuration
            }
            Trouble::Usage(what, remedy) => {
                tracing::error!(remedy, "{what}");
                Exit::Configuration
            }
            Trouble::CannotRun(what, remedy) => {
                tracing::error!(remedy, "{what}");
                Exit::CouldNotRun
            }
            Trouble::Failure(Failure::Output(error)) if is_closed_pipe(error) => Exit::Done,
            Trouble::Failure(failure) => {
                crate::jobs::run::complain(failure);
                failure.exit()
            }
        }
    }
}

/// `None` for a database that is there and was never used.
async fn open_used(
    database: &store::Database,
    config: &Config,
) -> Result<Option<(Store, Keys)>, store::Error> {
    let store = database.open_existing().await?;
    Ok(store.bound_keys(&config.app.client_id).await?.map(|keys| (store, keys)))
}

/// A configuration as named, and whether it is the embedded example.
fn configuration(name: &OsStr) -> Result<(Config, bool), Trouble> {
    match name == "builtin" {
        true => Ok((Config::builtin().map_err(Trouble::Config)?, true)),
        false => Ok((read(Path::new(name))?, false)),
    }
}

pub(super) fn read(path: &Path) -> Result<Config, Trouble> {
    let bytes = std::fs::read(path).map_err(|error| {
        Trouble::Usage(
            format!("the configuration {} cannot be read: {error}", path.display()),
            "name a jobs.toml with --config FILE or WORKER_CONFIG".to_owned(),
        )
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            + 1;
        Trouble::Usage(
            format!("the configuration {} is not UTF-8 from line {line} on", path.display()),
            "save it as UTF-8".to_owned(),
        )
    })?;
    Config::parse(&text, &Origin::file(path)).map_err(Trouble::Config)
}

/// Keys for a database that has none yet.
pub(super) fn fresh_keys(random: &mut dyn Rng) -> Keys {
    let mut keys = Keys { fingerprint: [0; 16], pseudonym: [0; 32] };
    random.fill_bytes(&mut keys.fingerprint);
    random.fill_bytes(&mut keys.pseudonym);
    keys
}

/// Whether recipients are shown by their addresses.
pub(super) fn shows_addresses(asked_for: bool) -> bool {
    asked_for || io::stdout().is_terminal()
}

/// Options that must say something, each with what was typed.
pub(super) fn not_blank(options: &[(&str, &str)]) -> Result<(), Trouble> {
    match options.iter().find(|(_, value)| value.trim().is_empty()) {
        Some((option, _)) => {
            Err(Trouble::Usage(format!("{option} is empty"), "say who and why".to_owned()))
        }
        None => Ok(()),
    }
}

/// An address as typed.
pub(super) fn address(typed: &str) -> Result<Address, Trouble> {
    typed.parse().map_err(|error| {
        Trouble::Usage(
            format!("ADDRESS is {error}"),
            "write one address, as in the inventory".to_owned(),
        )
    })
}

/// Somebody who was erased is not written down again, whatever for.
pub(super) async fn not_forgotten(
    store: &Store,
    keys: &Keys,
    recipient: &str,
) -> Result<(), Trouble> {
    match store.forgotten(keys.pseudonym).await?.has(recipient) {
        true => Err(Trouble::Usage(
            "this person was forgotten: nothing is sent to them, and nothing of theirs removed"
                .to_owned(),
            "nothing is left to do; the address is not stored again".to_owned(),
        )),
        false => Ok(()),
    }
}

/// A moment as typed: RFC 3339, or a day, which begins at 00:00 in the campaign's zone.
pub(super) fn moment(
    option: &str,
    text: &str,
    config: &Config,
) -> Result<chrono::DateTime<chrono::Utc>, Trouble> {
    if let Ok(at) = chrono::DateTime::parse_from_rfc3339(text) {
        return Ok(at.to_utc());
    }
    if let Ok(day) = text.parse::<chrono::NaiveDate>() {
        return Ok(crate::domain::calendar::midnight(config.campaign.zone, day));
    }
    Err(Trouble::Usage(
        format!("{option} {text:?} is no time"),
        "write a day such as 2027-03-01, or a time such as 2027-03-01T09:00:00Z".to_owned(),
    ))
}

impl Context {
    pub(super) fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.clock.now()
    }
}
