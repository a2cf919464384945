//! A whole set-up of the worker that is as it should be, to be broken in one thing: its
//! jobs.toml, an inventory of twenty people, secrets, a database that was scanned and vouched
//! for; and `check` over it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use worker::clock::FixedClock;
use worker::config::{Config, Origin};
use worker::domain::confirmation::{Confirmation, Subject};
use worker::jobs::checking::{Check, Checking, Checks, Verdict};
use worker::jobs::confirming;
use worker::jobs::workplace::Workplace;

use super::inventory::id;
use super::world::KEYS;

const GOOD: &str = r#"[app]
name = "Acme Books"
client_id = "00112233445566778899AABBCCDDEEFF"
client_secret = { env = "XERO_CLIENT_SECRET" }
flow = "web"
created = 2024-05-01
connection_cap = 100
redirect_uri = "https://books.test/xero/callback"
reconnect_url = "https://books.test/xero/reconnect?token={token}"

[database]
url = "sqlite://worker.db"

[inventory]
kind = "sql"
url = { env = "BOOKS_DATABASE_URL" }
query = "select * from connections"
floor = 5

[campaign]
deadline = 2027-09-13
time_zone = "Pacific/Auckland"
required_scopes = ["offline_access", "accounting.invoices"]
hours = "09:00-16:00"

[[campaign.stages]]
name = "invitation"
days_before = 270
channels = ["email"]

[[campaign.stages]]
name = "reminder"
days_before = 120
channels = ["email", "webhook:product"]

[[campaign.stages]]
name = "final-notice"
days_before = 60
channels = ["email"]
final = true

[prompts]
enabled = true
max_per_run = 500
max_per_day = 1000
ramp = [25, 250]

[link]
secrets = [{ env = "LINK_SECRET" }]

[email]
kind = "smtp"
host = "localhost"
port = 587
tls = "starttls"
username = "u"
password = { env = "SMTP_PASSWORD" }
from = "Acme Books <support@books.test>"
max_per_minute = 60

[[webhooks]]
name = "product"
url = "http://localhost:9/hooks"
secrets = [{ env = "HOOK_SECRET" }]

[removal]
enabled = true
opens_days_before = 30
classes = ["broad_only"]
min_prompts = 2
min_notice_days = 21
approvers = ["alice"]
max_per_run = 50
max_per_day = 200
max_percent = 100

[xero]
api = "http://localhost:9"
identity = "http://localhost:9"
login = "http://localhost:9"

[[jobs]]
name = "campaign"
steps = ["scan", "prompt", "remove", "report"]
schedule = "17 * * * *"
"#;

/// A set-up in a directory of its own.
pub struct Setup {
    dir: tempfile::TempDir,
    pub text: String,
    pub env: BTreeMap<&'static str, String>,
    pub now: DateTime<Utc>,
    pub offline: bool,
    pub webhooks: bool,
}

impl Setup {
    /// One in which nothing is wrong.
    pub async fn good() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let host = dir.path().join("books.db");
        let setup = Self {
            text: GOOD.to_owned(),
            env: [
                ("XERO_CLIENT_SECRET", "s3cret".to_owned()),
                ("LINK_SECRET", "a secret that is long enough to sign with".to_owned()),
                ("SMTP_PASSWORD", "a-password".to_owned()),
                ("HOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned()),
                ("BOOKS_DATABASE_URL", format!("sqlite://{}", host.display())),
            ]
            .into(),
            dir,
            now: "2026-11-25T00:00:00Z".parse().expect("a time"),
            offline: true,
            webhooks: false,
        };
        setup.inventory(20, "").await;
        setup.confirm().await;
        setup
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Replaces a piece of jobs.toml that stands in it once.
    pub fn edit(&mut self, from: &str, to: &str) {
        assert_eq!(self.text.matches(from).count(), 1, "{from:?} stands once in\n{}", self.text);
        self.text = self.text.replace(from, to);
    }

    pub fn config(&self) -> Config {
        self.parsed().unwrap_or_else(|errors| panic!("{errors}"))
    }

    fn parsed(&self) -> Result<Config, worker::config::ConfigErrors> {
        Config::parse(&self.text, &Origin::file(&self.path("jobs.toml")))
    }

    pub async fn workplace(&self) -> Workplace {
        Workplace::real(&self.config(), &KEYS).await.expect("a database")
    }

    /// Vouches for the configuration as it is.
    pub async fn confirm(&self) {
        let config = self.config();
        let workplace = self.workplace().await;
        let word = Confirmation {
            by: "ann".to_owned(),
            note: "tried it".to_owned(),
            confirmed_at: self.now,
        };
        for (subject, facts) in [
            (Subject::Link, confirming::link(&config)),
            (Subject::Rehearsal, confirming::rehearsal(&config)),
        ] {
            workplace.store.confirm(subject, &facts, &word).await.expect("a confirmation");
        }
        workplace.close().await;
    }

    /// The host's table, with so many good rows and then these, as SQL's `VALUES` of tenant,
    /// connection, person, address, scopes and token.
    pub async fn inventory(&self, good: usize, others: &str) {
        let options = SqliteConnectOptions::new()
            .filename(Path::new(&self.path("books.db")))
            .create_if_missing(true);
        let pool = SqlitePool::connect_with(options).await.expect("the host's database");
        let mut rows: Vec<String> = (1..=good)
            .map(|n| {
                let [tenant, connection, user] = ["1", "2", "3"].map(|kind| id(kind, n));
                format!(
                    "('{tenant}', '{connection}', '{user}', 'p{n}@customers.test', \
                     'offline_access accounting.transactions', NULL)"
                )
            })
            .collect();
        if !others.is_empty() {
            rows.push(others.to_owned());
        }
        let mut sql = "DROP TABLE IF EXISTS connections; CREATE TABLE connections \
            (tenant_id, connection_id, xero_user_id, email, scopes, access_token);"
            .to_owned();
        if !rows.is_empty() {
            sql.push_str(&format!("INSERT INTO connections VALUES {};", rows.join(",")));
        }
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&pool).await.expect("rows");
        pool.close().await;
    }

    pub async fn check(&self) -> Checks {
        let config = match self.parsed() {
            Ok(config) => config,
            Err(errors) => return Checks::of_errors(&errors),
        };
        let env = |name: &str| self.env.get(name).map(OsString::from);
        let checking = Checking {
            config: &config,
            is_builtin: false,
            clock: &FixedClock(self.now),
            env: &env,
            keys: &KEYS,
            offline: self.offline,
            webhooks: self.webhooks,
        };
        checking.run().await
    }

    /// Nothing is wrong.
    pub async fn is_fine(&self, when: &str) {
        let wrong: Vec<Check> = wrong(self.check().await);
        assert!(wrong.is_empty(), "{when}: {wrong:#?}");
    }

    /// Something is wrong that says all of this, and what to do about it.
    pub async fn is_wrong(&self, says: &str, remedy: &str) {
        let wrong = wrong(self.check().await);
        let is_meant = |check: &&Check| {
            let said = format!("{} / {} / {}", check.group, check.what, check.text);
            says.split('|').all(|words| said.contains(words))
        };
        let Some(found) = wrong.iter().find(is_meant) else { panic!("{says}: {wrong:#?}") };
        let told = found.remedy.as_deref().unwrap_or_default();
        assert!(told.contains(remedy), "{says}: {remedy:?} in {told:?}");
    }
}

fn wrong(checks: Checks) -> Vec<Check> {
    checks.0.into_iter().filter(|check| check.verdict == Verdict::Wrong).collect()
}
