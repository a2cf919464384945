//! A whole campaign that really sends: the program in a place of its own, a mail server and
//! a web server that stand in for the world, and a stage that is due today.

use std::collections::BTreeMap;

use chrono::Days;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, Executor, SqlSafeStr, SqliteConnection};
use worker::clock::{Clock, SystemClock};

use super::http::{HttpServer, Reply, Request};
use super::line::{Line, csv};
use super::pg::Pg;
use super::place::Place;
use super::said::Said;
use super::smtp::{Manner, Moment, Reaction, SmtpServer};

/// Which database the campaign lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    Sqlite,
    Postgres,
}

pub const BASES: [Base; 2] = [Base::Sqlite, Base::Postgres];

/// The secret that its links are signed with.
pub const LINK_SECRET: &str = "the-link-secret-of-the-tests";
/// The secret that its webhooks are signed with.
pub const HOOK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

pub struct Sending {
    pub place: Place,
    pub smtp: SmtpServer,
    pub http: HttpServer,
    pub pg: Option<Pg>,
    edits: Vec<(String, String)>,
}

/// Xero's login page, the host's reconnect page, and a webhook receiver, all well.
pub fn well(request: &Request) -> Reply {
    match request.path.as_str() {
        path if path.starts_with("/identity/connect/authorize") => Reply::Answer(
            302,
            vec![("location", "/identity/user/login?returnUrl=x".to_owned())],
            String::new(),
        ),
        path if path.starts_with("/xero/reconnect") => Reply::status(400),
        _ => Reply::status(204),
    }
}

impl Sending {
    /// A campaign about these rows, 100 days before its deadline, with everything well.
    pub async fn new(base: Base, lines: &[Line]) -> Self {
        Self::with(base, lines, |_| Reaction::Usual, well).await
    }

    /// The same with a mail server and a web server that do as they are told.
    pub async fn with(
        base: Base,
        lines: &[Line],
        mail: impl Fn(&Moment) -> Reaction + Send + Sync + 'static,
        web: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::at(base, lines, Manner::default(), mail, web).await
    }

    /// The same with a mail server of this manner.
    pub async fn at(
        base: Base,
        lines: &[Line],
        manner: Manner,
        mail: impl Fn(&Moment) -> Reaction + Send + Sync + 'static,
        web: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let smtp = SmtpServer::reacting(manner, mail);
        let http = HttpServer::serving(web);
        let pg = match base {
            Base::Sqlite => None,
            Base::Postgres => Some(Pg::new().await),
        };
        let place = Place::new(&[]);
        let mut sending = Self { place, smtp, http, pg, edits: Vec::new() };
        sending.edits = sending.usual();
        sending.show(lines);
        sending.configure(&[]);
        sending
    }

    /// Lives in this database from now on.
    pub fn move_to(&mut self, pg: Pg) {
        self.pg = Some(pg);
        self.edits = self.usual();
        self.configure(&[]);
    }

    fn usual(&self) -> Vec<(String, String)> {
        let web = self.http.url("");
        let web = web.as_str().trim_end_matches('/');
        let roots = self.smtp.roots();
        let smtp = format!("port = {}\nroots = {roots:?}", self.smtp.port);
        let url = match &self.pg {
            Some(pg) => pg.url(),
            None => "sqlite://worker.db".to_owned(),
        };
        let edits = [
            ("\"sqlite://worker.db\"", format!("{url:?}")),
            ("deadline = 2027-09-13 ", deadline(100)),
            ("[\"mon\", \"tue\", \"wed\", \"thu\"]", ALL_DAYS.to_owned()),
            ("hours = \"09:00-16:00\"", "hours = \"00:00-23:59\"".to_owned()),
            ("holidays = [2026-12-25, 2027-01-01]", "holidays = []".to_owned()),
            ("enabled = false\nmax_per_run = 500", "enabled = true\nmax_per_run = 5000".to_owned()),
            ("max_per_day = 1000", "max_per_day = 10000".to_owned()),
            ("ramp = [25, 250, 1000]", "ramp = []".to_owned()),
            ("host = \"smtp.example\"", "host = \"localhost\"".to_owned()),
            ("port = 587", smtp),
            ("username = \"u\"\n", String::new()),
            ("password = { file = \"/run/secrets/smtp\" }\n", String::new()),
            ("max_per_minute = 300", "max_per_minute = 60000".to_owned()),
            ("\"https://books.example/xero/reconnect?", format!("\"{web}/xero/reconnect?")),
            ("\"https://books.example/hooks/xero-campaign\"", format!("\"{web}/hook\"")),
            ("\"https://login.xero.com\"", format!("{web:?}")),
            ("private = false", "private = true".to_owned()),
        ];
        edits.into_iter().map(|(from, to)| (from.to_owned(), to)).collect()
    }

    /// Writes the configuration, with these changes beside the usual ones.
    pub fn configure(&self, edits: &[(&str, &str)]) {
        let usual = self.edits.iter().map(|(from, to)| (from.as_str(), to.as_str()));
        let all: Vec<(&str, &str)> = usual.chain(edits.iter().copied()).collect();
        self.place.configure_inventory("now.csv", &all);
    }

    /// What the inventory shows from now on.
    pub fn show(&self, lines: &[Line]) {
        self.place.write("now.csv", csv(lines));
    }

    pub fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = self.place.command(arguments);
        command.env("LINK_SECRET", LINK_SECRET).env("HOOK_SECRET", HOOK_SECRET);
        command
    }

    pub fn worker(&self, arguments: &[&str]) -> Said {
        Said::by(self.command(arguments))
    }

    /// A run, with its plan on standard output.
    pub fn run(&self) -> Said {
        self.worker(&["run-once", "--format", "json"])
    }

    /// The first scan, and somebody's word for the link.
    pub fn prepare(&self) {
        let first = self.run();
        assert_eq!(first.code, Some(0), "{first}");
        let word = self.worker(&["confirm", "link", "--by", "ann", "--note", "looked at it"]);
        assert_eq!(word.code, Some(0), "{word}");
    }

    /// Runs, and ends with this code; gives the progress event.
    pub fn ran(&self, code: i32) -> Value {
        let said = self.run();
        assert_eq!(said.code, Some(code), "{said}");
        said.progress()
    }

    /// Runs statements on its database; their times and states read alike on both.
    pub async fn execute(&self, sql: &str) {
        match &self.pg {
            Some(pg) => pg.execute(sql).await,
            None => {
                let sql = AssertSqlSafe(sql).into_sql_str();
                self.sqlite().await.execute(sql).await.expect("the test's own statement");
            }
        }
    }

    /// The first column of a query, which has to be text.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        let sql = AssertSqlSafe(sql).into_sql_str();
        let texts = match &self.pg {
            Some(pg) => sqlx::query_scalar(sql).fetch_all(&mut pg.connect().await).await,
            None => sqlx::query_scalar(sql).fetch_all(&mut self.sqlite().await).await,
        };
        texts.expect("the test's own query")
    }

    async fn sqlite(&self) -> SqliteConnection {
        let path = format!("sqlite://{}", self.place.database().display());
        SqliteConnection::connect(&path).await.expect("the test's own database")
    }

    /// How many prompts are in each state.
    pub async fn states(&self) -> BTreeMap<String, usize> {
        let mut states = BTreeMap::new();
        for state in self.texts("SELECT state FROM prompts").await {
            *states.entry(state).or_default() += 1;
        }
        states
    }

    /// Lets the leases of workers that are gone run out.
    pub async fn leases_run_out(&self) {
        self.execute(&format!(
            "UPDATE prompts SET lease_until = '{LONG_AGO}' WHERE lease_until IS NOT NULL"
        ))
        .await;
    }

    /// Lets the time come of everything that waits for its next try.
    pub async fn retries_come_due(&self) {
        self.execute(&format!("UPDATE prompts SET due_at = '{LONG_AGO}' WHERE state = 'queued'"))
            .await;
    }

    /// As if nobody had been written to yet, which no plan keeps in mind either.
    pub async fn forget_prompts(&self) {
        self.execute(
            "DELETE FROM prompt_connections; DELETE FROM prompts; DELETE FROM suppressions; \
             UPDATE settings SET value = '' WHERE name = 'restless'",
        )
        .await;
        self.smtp.received.all().clear();
        self.http.requests.all().clear();
    }

    /// What came in at the webhook.
    pub fn hooks(&self) -> Vec<Request> {
        let requests = self.http.requests.all();
        requests.iter().filter(|request| request.path == "/hook").cloned().collect()
    }

    /// To whom messages came in, in order of address.
    pub fn recipients(&self) -> Vec<String> {
        let mut recipients: Vec<String> =
            self.smtp.received.all().iter().flat_map(|received| received.to.clone()).collect();
        recipients.sort();
        recipients
    }
}

/// The stage that is due goes by mail and by webhook.
pub const BY_BOTH: (&str, &str) = (
    "days_before = 150\nchannels = [\"email\"]",
    "days_before = 150\nchannels = [\"email\", \"webhook:product\"]",
);
/// The stage that is due goes by webhook only.
pub const BY_WEBHOOK: (&str, &str) = (
    "days_before = 150\nchannels = [\"email\"]",
    "days_before = 150\nchannels = [\"webhook:product\"]",
);

const LONG_AGO: &str = "2020-01-01T00:00:00.000000+00:00";

/// A line of the configuration: the deadline is so many days from now.
pub fn deadline(days: u64) -> String {
    format!("deadline = {} ", SystemClock.now().date_naive() + Days::new(days))
}

const ALL_DAYS: &str = "[\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"]";
