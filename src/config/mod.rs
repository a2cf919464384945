//! jobs.toml: read once, checked whole, and from then on plain types.
//!
//! One file per table. All problems of a file are found in one reading, each with its place
//! and with what to write instead (`problem`); `reading`, `table` and `value` are how that is done.
//! Secrets are references that are resolved when a step needs them (`secret`).

mod app;
mod campaign;
mod channels;
mod database;
mod database_url;
mod draft;
mod email;
mod file;
mod http;
mod inventory;
mod jobs;
mod link;
mod messages;
mod metrics;
mod nearest;
mod problem;
mod prompts;
mod reading;
mod removal;
mod report;
mod retention;
mod scopes;
mod secret;
mod stages;
mod table;
#[cfg(test)]
mod tests;
mod value;
mod web;
mod webhooks;
mod xero;

use std::path::{Path, PathBuf};

use toml::de::DeTable;

use crate::domain::campaign::{Campaign, GuardLimits, PromptPolicy, RemovalPolicy};
use crate::domain::win_back::{FollowUp, follow_ups};

pub use app::App;
pub use database::{Database, Migrate};
pub use database_url::{DatabaseUrl, DatabaseUrlError};
pub use draft::{Choice, Kind, draft};
pub use email::{Email, HttpMail, Login, Mailbox, Smtp, Tls, Transport};
pub use file::MailFolder;
pub use http::Http;
pub use inventory::{COLUMNS, Inventory, InventoryUrl, InventoryUrlError, Source};
pub use jobs::{CatchUp, Job, REPORT_ENDINGS, Step};
pub use link::Link;
pub use messages::Messages;
pub use metrics::Metrics;
pub use problem::{ConfigErrors, Problem};
pub use report::Report;
pub use retention::Retention;
pub use secret::{SecretError, SecretRef};
pub use webhooks::Webhook;
pub use xero::Xero;

use reading::Reading;
use table::Table;

/// The jobs.toml that this build was made with: the example, and the reference of all keys.
pub const BUILTIN: &str = include_str!("../../jobs.toml");

/// All that a jobs.toml says.
#[derive(Clone, Debug)]
pub struct Config {
    pub app: App,
    pub database: Database,
    pub inventory: Inventory,
    pub guard: GuardLimits,
    pub campaign: Campaign,
    pub prompts: PromptPolicy,
    pub link: Link,
    pub messages: Messages,
    pub email: Option<Email>,
    pub file: MailFolder,
    pub webhooks: Vec<Webhook>,
    pub removal: Option<RemovalPolicy>,
    /// What people are told after a removal, also once no more are carried out.
    pub win_back: Vec<FollowUp>,
    pub report: Report,
    pub xero: Xero,
    pub http: Http,
    pub metrics: Metrics,
    pub retention: Retention,
    pub jobs: Vec<Job>,
}

/// Where a text comes from: the name that messages give it, and where its relative paths
/// start.
#[derive(Clone, Debug)]
pub struct Origin {
    name: String,
    base: Option<PathBuf>,
}

impl Origin {
    /// A file. Relative paths in it start at its own directory.
    #[must_use]
    pub fn file(path: &Path) -> Self {
        Self { name: path.display().to_string(), base: path.parent().map(Path::to_owned) }
    }

    /// The embedded example. Relative paths in it start at the current directory.
    #[must_use]
    pub fn builtin() -> Self {
        Self { name: "builtin".to_owned(), base: None }
    }
}

impl Config {
    /// Reads a jobs.toml.
    ///
    /// # Errors
    /// With everything that is wrong with it.
    pub fn parse(text: &str, origin: &Origin) -> Result<Self, ConfigErrors> {
        let (document, broken) = DeTable::parse_recoverable(text);
        let reading = Reading::new(text, origin.base.as_deref());
        for error in &broken {
            reading.report_syntax(error);
        }
        let root = Table::root(&reading, document.get_ref());
        let config = Self::read(&root, broken.is_empty());
        root.finish();
        match config {
            Some(config) if !reading.has_problems() => Ok(config),
            _ => Err(reading.into_errors(&origin.name)),
        }
    }

    /// The embedded example.
    ///
    /// # Errors
    /// Never, as a test reads it.
    pub fn builtin() -> Result<Self, ConfigErrors> {
        Self::parse(BUILTIN, &Origin::builtin())
    }

    /// Reads table by table; what others refer to comes first. `None` only when a problem
    /// was reported.
    fn read(root: &Table<'_>, is_toml: bool) -> Option<Self> {
        let app = App::read(root);
        let database = Database::read(root);
        let inventory = inventory::read(root);
        let prompts = prompts::read(root);
        let link = Link::read(root);
        let messages = Messages::read(root);
        let email = Email::read(root);
        let file = MailFolder::read(root);
        let webhooks = Webhook::read_all(root);
        let means = channels::Means {
            webhooks: webhooks.as_deref(),
            lacks_email: prompts.enabled && !root.has("email"),
        };
        let campaign = campaign::read(root, &means);
        let stages =
            campaign.as_ref().filter(|_| is_toml).map(|campaign| campaign.stages.as_slice());
        let xero = Xero::read(root);
        let calls = xero.as_ref().map(|xero| xero.calls_per_minute);
        let removal = removal::read(root, stages, calls);
        let report = Report::read(root);
        let http = Http::read(root);
        let metrics = Metrics::read(root);
        let retention = Retention::read(root);
        let jobs = Job::read_all(root);
        let (inventory, guard) = inventory?;
        let campaign = campaign?;
        Some(Self {
            app: app?,
            database: database?,
            inventory,
            guard,
            win_back: follow_ups(&campaign, removal.as_ref()),
            campaign,
            prompts,
            link,
            messages,
            email,
            file,
            webhooks: webhooks?,
            removal,
            report,
            xero: xero?,
            http,
            metrics,
            retention,
            jobs: jobs?,
        })
    }
}
