//! Set-ups that are broken in one thing: `check` finds it without asking anybody, says what to
//! do, and is content once that is done.

use std::fs;

use worker::store::Database;

use crate::support::inventory::id;
use crate::support::setup::Setup;

/// A piece of jobs.toml, what stands in its place by mistake, what `check` says of it (words
/// that all have to be there, with `|` between them), and words of what to do.
const BROKEN: [(&str, &str, &str, &str); 44] = [
    // What no jobs.toml may say.
    (
        "client_id = \"00112233445566778899AABBCCDDEEFF\"\n",
        "",
        "configuration|client_id",
        "client_id",
    ),
    ("max_per_run = 500", "max_per_rum = 500", "unknown key `max_per_rum`", "max_per_run"),
    ("max_per_run = 500\n", "", "`max_per_run` is missing", "max_per_run"),
    (
        "\"accounting.invoices\"",
        "\"accounting.reports.balancesheets.read\"",
        "balancesheets",
        "balancesheet.read",
    ),
    (
        "\"accounting.invoices\"",
        "\"accounting.transactions\"",
        "accounting.transactions",
        "accounting.invoices",
    ),
    ("\"accounting.invoices\"", "\"accounting.classicexpenses\"", "accounting.classicexpenses", ""),
    ("\"accounting.invoices\"", "\"app.connections\"", "app.connections", ""),
    (
        "days_before = 270\nchannels = [\"email\"]",
        "days_before = 270\nchannels = [\"sms\"]",
        "sms",
        "email",
    ),
    ("\"webhook:product\"", "\"webhook:prodcut\"", "prodcut", "product"),
    ("name = \"reminder\"", "name = \"invitation\"", "invitation", ""),
    ("days_before = 120\n", "", "days_before", "days_before"),
    ("hours = \"09:00-16:00\"", "hours = \"16:00-09:00\"", "hours", ""),
    ("\"Pacific/Auckland\"", "\"Pacific/Aukland\"", "Pacific/Aukland", "Pacific/Auckland"),
    ("deadline = 2027-09-13", "deadline = \"September 2027\"", "deadline", "2027-09-13"),
    ("\"17 * * * *\"", "\"17 * * * 1\"", "weekday", "by name"),
    ("\"17 * * * *\"", "\"17 * * *\"", "five fields", "minute"),
    ("\"17 * * * *\"", "\"17 9 30 2 *\"", "never fires", ""),
    ("?token={token}", "", "reconnect_url", "{token}"),
    (
        "\"https://books.test/xero/callback\"",
        "\"http://books.test/xero/callback\"",
        "redirect_uri",
        "https",
    ),
    ("<support@books.test>", "<support at books>", "from", ""),
    ("tls = \"starttls\"", "tls = \"yes\"", "tls", "starttls"),
    ("kind = \"sql\"", "kind = \"excel\"", "excel", "sql"),
    ("password = { env = \"SMTP_PASSWORD\" }", "password = \"hunter2\"", "password", "env"),
    ("secrets = [{ env = \"LINK_SECRET\" }]", "secrets = []", "secrets", ""),
    ("classes = [\"broad_only\"]", "classes = [\"broad\"]", "broad", "broad_only"),
    ("\"prompt\", \"remove\"", "\"promt\", \"remove\"", "promt", "prompt"),
    ("max_percent = 100", "max_percent = 150", "max_percent", ""),
    ("\"sqlite://worker.db\"", "\"mysql://h/worker\"", "`url`|MySQL", "sqlite"),
    ("name = \"Acme Books\"", "name = \"Acme Books", "configuration", "quotes"),
    ("[prompts]", "[promts]", "unknown table [promts]", "prompts"),
    ("opens_days_before = 30\n", "", "opens_days_before", "opens_days_before"),
    // What can be read, and cannot work.
    ("max_per_run = 500", "max_per_run = 0", "[prompts] max_per_run|zero", "max_per_run = 500"),
    ("max_per_day = 1000", "max_per_day = 0", "[prompts] max_per_day|zero", "max_per_day"),
    ("max_per_run = 50\n", "max_per_run = 0\n", "[removal] max_per_run|zero", "max_per_run"),
    ("\"scan\", \"prompt\", ", "\"scan\", ", "schedules|`prompt`", "among the `steps`"),
    ("\"scan\", \"prompt\", ", "\"prompt\", ", "schedules|`scan`", "among the `steps`"),
    ("flow = \"web\"", "flow = \"pkce\"", "PKCE|client credentials", "enabled = false"),
    (
        "client_secret = { env = \"XERO_CLIENT_SECRET\" }\n",
        "",
        "xero|client_secret",
        "client_secret = ",
    ),
    ("max_per_minute = 60", "max_per_minute = 0", "email|max_per_minute", "in a minute"),
    ("floor = 5", "floor = 500", "inventory|floor is 500", "floor = 20"),
    (
        "max_per_day = 1000\nramp = [25, 250]",
        "max_per_day = 1000\nramp = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]",
        "time|stage final-notice",
        "ramp",
    ),
    (
        "\"accounting.invoices\"",
        "\"accounting.invoices\", \"practicemanager.job\"",
        "practicemanager.job|cannot share",
        "leave out",
    ),
    (
        "query = \"select * from connections\"",
        "query = \"select * from conections\"",
        "inventory|conections",
        "",
    ),
    (
        "query = \"select * from connections\"",
        "query = \"select email from connections\"",
        "inventory|tenant_id",
        "tenant_id",
    ),
];

#[tokio::test]
async fn each_mistake_in_a_configuration_is_found_with_a_remedy_that_mends_it() {
    let mut setup = Setup::good().await;
    setup.is_fine("at the beginning").await;
    for (piece, mistake, says, remedy) in BROKEN {
        let good = setup.text.clone();
        setup.edit(piece, mistake);
        setup.is_wrong(says, remedy).await;
        setup.text = good;
    }
    setup.is_fine("at the end").await;
}

#[tokio::test]
async fn each_secret_that_is_missing_is_found() {
    let mut setup = Setup::good().await;
    for (name, says) in [
        ("LINK_SECRET", "link|LINK_SECRET"),
        ("SMTP_PASSWORD", "email|SMTP_PASSWORD"),
        ("HOOK_SECRET", "webhooks|HOOK_SECRET"),
        ("XERO_CLIENT_SECRET", "xero|XERO_CLIENT_SECRET"),
        ("BOOKS_DATABASE_URL", "inventory|BOOKS_DATABASE_URL"),
    ] {
        let value = setup.env.remove(name).unwrap();
        setup.is_wrong(says, &format!("set {name}")).await;
        setup.env.insert(name, value);
    }
    let good = setup.env.insert("HOOK_SECRET", "whsec_no base64!".to_owned()).unwrap();
    setup.is_wrong("webhooks", "").await;
    setup.env.insert("HOOK_SECRET", good);
    setup.is_fine("with all secrets").await;
}

#[tokio::test]
async fn what_is_wrong_with_the_inventory_is_found() {
    let setup = Setup::good().await;
    let row = |n: usize, rest: &str| format!("('{}', '{}', {rest})", id("1", n), id("2", n));
    let many = |rest: &dyn Fn(usize) -> String| {
        (100..130).map(|n| row(n, &rest(n))).collect::<Vec<_>>().join(",")
    };
    let scopes = "'accounting.transactions'";
    // A token of somebody else's app: {"client_id":"0…0","scope":["accounting.transactions"]}.
    let token = "eyJhbGciOiJub25lIn0.eyJjbGllbnRfaWQiOiIwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMCIsInNjb3BlIjpbImFjY291bnRpbmcudHJhbnNhY3Rpb25zIl19.c2ln";
    let cases: [(usize, String, &str, &str); 5] = [
        (0, String::new(), "inventory / rows|0 rows", "export or query"),
        (
            20,
            "('no uuid', NULL, NULL, NULL, NULL, NULL)".to_owned(),
            "bad rows|1 of 21",
            "Bad rows",
        ),
        (
            0,
            many(&|n| format!("'{}', 'p{n}@x.test', NULL, NULL", id("3", n))),
            "evidence|all rows",
            "access_token",
        ),
        (
            0,
            many(&|n| format!("'{}', NULL, {scopes}, NULL", id("3", n))),
            "addresses|all rows",
            "email",
        ),
        (
            0,
            many(&|n| format!("'{}', 'p{n}@x.test', NULL, '{token}'", id("3", n))),
            "tokens|another app",
            "client_id",
        ),
    ];
    for (good, others, says, remedy) in cases {
        setup.inventory(good, &others).await;
        setup.is_wrong(says, remedy).await;
    }
    setup.inventory(20, "").await;
    setup.is_fine("with good rows again").await;
    fs::rename(setup.path("books.db"), setup.path("away.db")).unwrap();
    setup.is_wrong("inventory", "").await;
    fs::rename(setup.path("away.db"), setup.path("books.db")).unwrap();
    setup.is_fine("with its database again").await;
}

#[tokio::test]
async fn removals_from_a_file_are_told_of() {
    let mut setup = Setup::good().await;
    fs::write(setup.path("c.csv"), "tenant_id\n").unwrap();
    let sql = "kind = \"sql\"\nurl = { env = \"BOOKS_DATABASE_URL\" }\nquery = \"select * from connections\"";
    let good = setup.text.clone();
    setup.edit(sql, "kind = \"csv\"\npath = \"c.csv\"");
    setup.is_wrong("[inventory] kind|stale", "kind = \"sql\"").await;
    setup.text = good;
    setup.is_fine("from a database").await;
}

#[tokio::test]
async fn what_is_wrong_with_the_database_is_found() {
    let mut setup = Setup::good().await;
    let good = setup.text.clone();
    // In a directory that is not there.
    setup.edit("sqlite://worker.db", "sqlite://missing/worker.db");
    setup.is_wrong("database|directory", "make it").await;
    fs::create_dir(setup.path("missing")).unwrap();
    setup.confirm().await;
    setup.is_fine("once it is made").await;
    // Another app's.
    setup.text = good.clone();
    setup.edit("00112233445566778899AABBCCDDEEFF", "FFEEDDCCBBAA99887766554433221100");
    setup.is_wrong("database|belongs to the app", "a database of its own").await;
    setup.edit("sqlite://worker.db", "sqlite://other.db");
    setup.confirm().await;
    setup.is_fine("with a database of its own").await;
    // No database at all.
    setup.text = good.clone();
    fs::write(
        setup.path("text.db"),
        "this is a text, and longer than a header of SQLite's\n".repeat(20),
    )
    .unwrap();
    setup.edit("sqlite://worker.db", "sqlite://text.db");
    setup.is_wrong("database", "").await;
    fs::remove_file(setup.path("text.db")).unwrap();
    setup.confirm().await;
    setup.is_fine("with a new one").await;
    // Made by a newer worker.
    setup.text = good.clone();
    let open = || async { Database::Sqlite(setup.path("worker.db")).open().await.unwrap() };
    let set = async |version: i64, to: i64| {
        let store = open().await;
        let worker::store::Store::Sqlite(pool) = &store else { panic!("SQLite") };
        sqlx::query("UPDATE _sqlx_migrations SET version = $1 WHERE version = $2")
            .bind(to)
            .bind(version)
            .execute(pool)
            .await
            .unwrap();
        store.close().await;
    };
    let known = worker::store::SCHEMA_VERSION;
    set(known, 9999).await;
    setup.is_wrong("database|schema 9999", "newer worker").await;
    set(9999, known).await;
    setup.is_fine("of its own schema").await;
    // A copy of the one that was used.
    fs::copy(setup.path("worker.db"), setup.path("copy.db")).unwrap();
    fs::rename(setup.path("worker.db"), setup.path("original.db")).unwrap();
    fs::rename(setup.path("copy.db"), setup.path("worker.db")).unwrap();
    setup.is_wrong("database / home", "worker confirm database").await;
    fs::rename(setup.path("original.db"), setup.path("worker.db")).unwrap();
    setup.is_fine("with the original").await;
}

#[tokio::test]
async fn a_word_that_is_missing_or_void_is_found() {
    let mut setup = Setup::good().await;
    setup.edit("https://books.test/xero/callback", "https://books.test/xero/back");
    setup.is_wrong("confirmations / link", "worker confirm link").await;
    setup.confirm().await;
    setup.is_fine("vouched for again").await;
    setup.edit("api = \"http://localhost:9\"", "api = \"http://localhost:10\"");
    setup.is_wrong("confirmations / rehearsal", "worker confirm rehearsal").await;
    setup.confirm().await;
    setup.is_fine("rehearsed again").await;
}

#[tokio::test]
async fn a_template_that_fails_is_found_at_its_line() {
    let mut setup = Setup::good().await;
    setup.edit("[link]", "[messages]\ntemplates = \"templates\"\n\n[link]");
    fs::create_dir_all(setup.path("templates/en")).unwrap();
    let file = setup.path("templates/en/reminder.txt.j2");
    fs::write(&file, "Hello\n{{ nonsense( }}\n").unwrap();
    setup.is_wrong("templates|reminder.txt", "").await;
    fs::remove_file(&file).unwrap();
    setup.is_fine("without it").await;
}

#[tokio::test]
async fn a_campaign_that_is_too_late_or_over_is_told_so() {
    let mut setup = Setup::good().await;
    setup.now = "2028-01-01T00:00:00Z".parse().unwrap();
    setup.is_wrong("[campaign] deadline|has passed", "deadline").await;
    // Two stages are wanted and one is left; the notice would come too late for a removal.
    setup.now = "2027-08-30T00:00:00Z".parse().unwrap();
    setup.is_wrong("time|min_prompts", "min_prompts = 1").await;
    setup.is_wrong("time|final-notice", "move the stage").await;
    setup.now = "2026-11-25T00:00:00Z".parse().unwrap();
    setup.is_fine("in time").await;
}
