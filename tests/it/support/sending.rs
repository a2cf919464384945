//! A whole campaign that really sends: the program in a place of its own, a mail server and
//! a web server that stand in for the world, and a stage that is due today.

use chrono::Days;
use serde_json::Value;
use sqlx::AssertSqlSafe;
use worker::clock::{Clock, SystemClock};
use worker::store::{Database, Store};

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
        let smtp = SmtpServer::reacting(Manner::default(), mail);
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

    fn usual(&self) -> Vec<(String, String)> {
        let web = self.http.url("");
        let web = web.as_str().trim_end_matches('/');
        let deadline = SystemClock.now().date_naive() + Days::new(100);
        let roots = self.smtp.roots();
        let smtp = format!("port = {}\nroots = {roots:?}", self.smtp.port);
        let url = match &self.pg {
            Some(pg) => pg.url(),
            None => "sqlite://worker.db".to_owned(),
        };
        let edits = [
            ("\"sqlite://worker.db\"", format!("{url:?}")),
            ("deadline = 2027-09-13 ", format!("deadline = {deadline} ")),
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

    async fn store(&self) -> Store {
        let database = match &self.pg {
            Some(pg) => Database::parse(&pg.url()).expect("an address"),
            None => Database::Sqlite(self.place.database()),
        };
        database.open_existing().await.expect("the campaign's database")
    }

    /// The texts that a query of one column gives, sorted.
    pub async fn texts(&self, query: &str) -> Vec<String> {
        let store = self.store().await;
        let query = AssertSqlSafe(query.to_owned());
        let mut texts: Vec<String> = match &store {
            Store::Sqlite(pool) => sqlx::query_scalar(query).fetch_all(pool).await,
            Store::Postgres(pool) => sqlx::query_scalar(query).fetch_all(pool).await,
        }
        .expect("SQL");
        store.close().await;
        texts.sort();
        texts
    }

    /// Runs a statement on its database, as time would or somebody else.
    pub async fn database(&self, statement: &str) {
        let store = self.store().await;
        let statement = AssertSqlSafe(statement.to_owned());
        let done = match &store {
            Store::Sqlite(pool) => sqlx::raw_sql(statement).execute(pool).await.map(|_| ()),
            Store::Postgres(pool) => sqlx::raw_sql(statement).execute(pool).await.map(|_| ()),
        };
        done.expect("SQL");
        store.close().await;
    }

    /// To whom messages came in, in order of address.
    pub fn recipients(&self) -> Vec<String> {
        let mut recipients: Vec<String> =
            self.smtp.received.all().iter().flat_map(|received| received.to.clone()).collect();
        recipients.sort();
        recipients
    }
}

const ALL_DAYS: &str = "[\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"]";
