//! A campaign in the window of removals: a host's database with the connections that a model of
//! Xero has, people who were told, and the program that may remove them.

use std::process::Command;
use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, Executor, SqlSafeStr, SqliteConnection};
use worker::clock::{Clock, SystemClock};
use worker::domain::ids::ConnectionId;
use worker::domain::scopes::ScopeText;
use worker::jobs::run::Finished;
use worker::simulation::xero;

use super::leap::LeapClock;
use super::said::Said;
use super::sending::{Base, Sending, deadline, well};
use super::smtp::Reaction;
use super::xero::{CLIENT_ID, SECRET, XeroServer, model, tenant, user};

pub const BROAD: &str =
    "offline_access accounting.transactions accounting.settings accounting.contacts";
/// What the campaign requires, after a consent that adds it to the broad ones.
pub const RENEWED: &str = "offline_access accounting.transactions accounting.settings \
                           accounting.contacts accounting.invoices";

/// One person's connection to one tenant.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    pub person: u32,
    pub tenant: u32,
}

/// Everybody has one tenant.
pub fn each(people: std::ops::Range<u32>) -> Vec<Link> {
    people.map(|number| Link { person: number, tenant: number }).collect()
}

pub struct Removing {
    pub sending: Sending,
    pub xero: XeroServer,
    edits: Vec<(String, String)>,
    /// The host writes into the worker's own database.
    is_table: bool,
}

/// The host's rows are in the worker's own database.
pub const TABLE: [(&str, &str); 2] = [
    ("kind = \"sql\"", "kind = \"table\""),
    ("url = \"sqlite://host.db\"\nquery = \"select * from inventory\"", ""),
];

impl Removing {
    /// With these connections, and nothing run yet.
    pub async fn new(base: Base, links: &[Link]) -> Self {
        Self::with(base, links, &[]).await
    }

    /// The same with changes to the configuration.
    pub async fn with(base: Base, links: &[Link], edits: &[(&str, &str)]) -> Self {
        Self::by(Arc::new(SystemClock), base, links, edits).await
    }

    /// The same with a clock that Xero goes by.
    pub async fn by(
        clock: Arc<dyn Clock>,
        base: Base,
        links: &[Link],
        edits: &[(&str, &str)],
    ) -> Self {
        let mut model = model();
        let made = SystemClock.now() - TimeDelta::days(100);
        let broad = ScopeText::read(BROAD).set;
        for link in links {
            let tenants = [tenant(link.tenant)];
            model.consent(made, CLIENT_ID, user(link.person), broad, &tenants).expect("a consent");
        }
        // Xero knows one more, so that its list is never empty.
        let bystander = [tenant(BYSTANDER)];
        model.consent(made, CLIENT_ID, user(BYSTANDER), broad, &bystander).expect("a consent");
        let xero = XeroServer::start(model, clock);
        let sending = Sending::with(base, &[], |_| Reaction::Usual, well).await;
        let url = xero.url();
        let url = url.as_str().trim_end_matches('/');
        let usual = [
            (deadline(100), deadline(20)),
            ("kind = \"csv\"".to_owned(), "kind = \"sql\"".to_owned()),
            (
                "path = \"now.csv\"".to_owned(),
                "url = \"sqlite://host.db\"\nquery = \"select * from inventory\"".to_owned(),
            ),
            ("[removal]\nenabled = false".to_owned(), "[removal]\nenabled = true".to_owned()),
            ("min_prompts = 3".to_owned(), "min_prompts = 1".to_owned()),
            ("min_notice_days = 21".to_owned(), "min_notice_days = 5".to_owned()),
            ("max_percent = 5 ".to_owned(), "max_percent = 100 ".to_owned()),
            ("ramp = [10, 50, 200]".to_owned(), "ramp = []".to_owned()),
            ("\"https://api.xero.com\"".to_owned(), format!("{url:?}")),
            ("\"https://identity.xero.com\"".to_owned(), format!("{url:?}")),
            ("calls_per_minute = 60".to_owned(), "calls_per_minute = 60000".to_owned()),
        ];
        let more = edits.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned()));
        let edits: Vec<(String, String)> = usual.into_iter().chain(more).collect();
        let is_table = edits.iter().any(|(_, to)| to == TABLE[0].1);
        let removing = Self { sending, xero, edits, is_table };
        removing.configure(&[]);
        if is_table {
            removing.done(&["migrate"], 0);
        }
        removing.fill_host(links).await;
        removing
    }

    /// Writes the configuration, with further changes.
    pub fn configure(&self, edits: &[(&str, &str)]) {
        let own = self.edits.iter().map(|(from, to)| (from.as_str(), to.as_str()));
        let all: Vec<(&str, &str)> = own.chain(edits.iter().copied()).collect();
        self.sending.configure(&all);
    }

    async fn fill_host(&self, links: &[Link]) {
        self.host(
            "CREATE TABLE inventory (connection_id text, tenant_id text, tenant_name text, \
             tenant_type text, xero_user_id text, email text, scopes text, connected_at text, \
             last_used_at text, updated_at text, account_id text, flow text)",
        )
        .await;
        for link in links {
            let (id, tenant, created) = {
                let model = self.xero.model();
                let one = model
                    .of_app(CLIENT_ID)
                    .find(|one| {
                        one.user == user(link.person) && one.tenant.id == tenant(link.tenant).id
                    })
                    .expect("a connection");
                (one.id, one.tenant.clone(), one.created_at)
            };
            self.host(&format!(
                "INSERT INTO inventory VALUES ('{id}', '{}', '{}', 'ORGANISATION', '{}', \
                 'person{}@example.com', '{BROAD}', '{}', NULL, '{}', NULL, NULL)",
                tenant.id,
                tenant.name.unwrap_or_default(),
                user(link.person),
                link.person,
                created.to_rfc3339(),
                created.to_rfc3339(),
            ))
            .await;
        }
    }

    /// Runs a statement on the host's database.
    pub async fn host(&self, sql: &str) {
        if self.is_table {
            return self.sending.execute(sql).await;
        }
        let path = self.sending.place.path("host.db");
        let path = format!("sqlite://{}?mode=rwc", path.display());
        let mut host = SqliteConnection::connect(&path).await.expect("the host's database");
        host.execute(AssertSqlSafe(sql).into_sql_str()).await.expect("the test's own statement");
    }

    /// Xero's id of somebody's connection.
    pub fn id(&self, person: u32) -> ConnectionId {
        let model = self.xero.model();
        let one = model.of_app(CLIENT_ID).find(|one| one.user == user(person));
        one.expect("a connection").id
    }

    /// The person consents to what is required, and their host stores it.
    pub async fn consent(&self, person: u32) {
        let tenants: Vec<xero::Tenant> = {
            let model = self.xero.model();
            let own = model.of_app(CLIENT_ID).filter(|one| one.user == user(person));
            own.map(|one| one.tenant.clone()).collect()
        };
        let renewed = ScopeText::read(RENEWED).set;
        let now = SystemClock.now();
        let consent = self.xero.model().consent(now, CLIENT_ID, user(person), renewed, &tenants);
        consent.expect("a consent");
        self.host(&format!(
            "UPDATE inventory SET scopes = '{RENEWED}' WHERE xero_user_id = '{}'",
            user(person)
        ))
        .await;
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.sending.command(arguments);
        command.env("XERO_CLIENT_SECRET", SECRET).env("USER", "alice");
        command
    }

    pub fn worker(&self, arguments: &[&str]) -> Said {
        Said::by(self.command(arguments))
    }

    /// Runs a command, and ends with this code.
    pub fn done(&self, arguments: &[&str], code: i32) -> Said {
        let said = self.worker(arguments);
        assert_eq!(said.code, Some(code), "{arguments:?}: {said}");
        said
    }

    /// Runs the job, and ends with this code; gives the progress event.
    pub fn ran(&self, code: i32) -> Value {
        self.done(&["run-once", "--format", "json"], code).progress()
    }

    /// Runs the job in this process, by a clock that leaps.
    pub async fn runs_by(&self, clock: &LeapClock) -> Finished {
        clock.runs(&self.sending.place).await
    }

    /// Up to where a plan can be drawn up: scanned, vouched for, everybody told, and the
    /// promised day come.
    pub async fn prepare(&self) {
        self.ran(0);
        for what in ["link", "rehearsal"] {
            self.done(&["confirm", what, "--by", "ann", "--note", "looked"], 0);
        }
        let told = self.ran(0);
        assert_ne!(told["prompts_sent"], 0, "{told}");
        self.promises_come_due().await;
    }

    /// Lets the promised days come.
    pub async fn promises_come_due(&self) {
        self.sending
            .execute(&format!("UPDATE prompt_connections SET removal_from = '{LONG_AGO}'"))
            .await;
    }

    /// Draws up a plan, and gives its id.
    pub fn plan(&self) -> String {
        let plan = self.done(&["plan", "--format", "json"], 0).json();
        plan["plan_id"].as_str().expect("an id").to_owned()
    }

    /// Draws up a plan, and signs it off.
    pub fn approve(&self) -> String {
        let id = self.plan();
        self.done(&["approve", &id, "--by", "alice", "--note", "looked at each"], 0);
        id
    }

    /// The same, if there is anything to sign.
    pub fn approve_if_any(&self) {
        let plan = self.done(&["plan", "--format", "json"], 0).json();
        if plan["removals"].as_array().is_some_and(|removals| !removals.is_empty()) {
            let id = plan["plan_id"].as_str().expect("an id");
            self.done(&["approve", id, "--by", "alice"], 0);
        }
    }

    /// How many removals are in each state.
    pub async fn states(&self) -> std::collections::BTreeMap<String, usize> {
        let mut states = std::collections::BTreeMap::new();
        for state in self.sending.texts("SELECT state FROM removals").await {
            *states.entry(state).or_default() += 1;
        }
        states
    }

    /// Lets the leases of workers that are gone run out, and what they asked arrive.
    pub async fn leases_run_out(&self) {
        self.sending
            .execute(&format!(
                "UPDATE removals SET lease_until = '{LONG_AGO}' WHERE lease_until IS NOT NULL; \
                 UPDATE removals SET intended_at = '{LONG_AGO}' WHERE intended_at IS NOT NULL"
            ))
            .await;
    }

    /// Lets the time come of everything that waits for its next try.
    pub async fn retries_come_due(&self) {
        self.sending
            .execute(&format!("UPDATE removals SET due_at = '{LONG_AGO}' WHERE state = 'queued'"))
            .await;
    }

    /// DELETEs that came in.
    pub fn deletes(&self) -> usize {
        self.xero.requests.all().iter().filter(|request| request.method == "DELETE").count()
    }

    /// Connections that Xero has, but for the bystander's.
    pub fn connected(&self) -> usize {
        let model = self.xero.model();
        model.of_app(CLIENT_ID).filter(|one| one.user != user(BYSTANDER)).count()
    }
}

/// Somebody whom the host does not list.
const BYSTANDER: u32 = 9_999;

const LONG_AGO: &str = "2020-01-01T00:00:00.000000+00:00";
