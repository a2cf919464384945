//! Is the link right before anyone gets it? Asked of stand-ins for Xero and the host's page.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use worker::config::{Config, Origin};
use worker::domain::scopes::ScopeSet;
use worker::jobs::outside::Asked;
use worker::jobs::preflight::{Finding, Preflight};
use worker::web;

use crate::support::answers::{Answer, Answers};
use crate::support::world::{World, both, scopes, start};

const SHIPPED: &str = include_str!("../../jobs.toml");

fn config(edits: &[(&str, &str)]) -> Config {
    let mut text = SHIPPED.to_owned();
    for (from, to) in edits {
        assert!(text.contains(from), "jobs.toml has no {from}");
        text = text.replacen(from, to, 1);
    }
    Config::parse(&text, &Origin::file(std::path::Path::new("jobs.toml"))).unwrap()
}

/// With Xero's login page and the host's page at these addresses.
fn config_at(xero: &str, host: &str) -> Config {
    config(&[
        ("https://login.xero.com", xero),
        ("https://books.example/xero/reconnect", &format!("{host}/reconnect")),
    ])
}

async fn check(
    world: &World,
    config: &Config,
    now: DateTime<Utc>,
    own: &[ScopeSet],
) -> Vec<Finding> {
    let asked = Asked::Web(web::client(Duration::from_millis(700), Vec::new()).unwrap());
    let preflight = Preflight { store: &world.store, config, now, asked: Some(&asked) };
    preflight.check(own).await.unwrap()
}

async fn dry(world: &World, config: &Config) -> Vec<Finding> {
    let preflight = Preflight { store: &world.store, config, now: start(), asked: None };
    preflight.check(&[]).await.unwrap()
}

/// Xero, which refuses every consent with one of these words in it.
async fn xero(refused: &'static [&'static str]) -> Answers {
    Answers::new(move |path| {
        if path.starts_with("/identity/user/login") {
            return Answer::Page("a page for logging in".to_owned());
        }
        let is_bad = refused.iter().any(|word| path.contains(word));
        let to =
            if is_bad { "/identity/error?errorId=1" } else { "/identity/user/login?returnUrl=x" };
        Answer::Redirect(to.to_owned())
    })
    .await
}

async fn page(status: u16) -> Answers {
    Answers::new(move |_| Answer::Status(status)).await
}

fn texts(findings: &[Finding]) -> String {
    findings.iter().map(|finding| format!("{} / {}\n", finding.text, finding.remedy)).collect()
}

#[tokio::test]
async fn what_xero_accepts_is_asked_for_once_a_day_and_the_hosts_page_each_time() {
    both(async |world: World| {
        let (xero, host) = (xero(&[]).await, page(401).await);
        let config = config_at(&xero.url, &host.url);
        assert_eq!(check(&world, &config, start(), &[]).await, []);
        let [asked] = &xero.asked()[..] else { panic!("one question") };
        assert!(asked.starts_with("/identity/connect/authorize?response_type=code&"), "{asked}");
        assert!(asked.contains("scope=accounting.contacts%20accounting.invoices%20"), "{asked}");
        assert!(!asked.contains('+'), "{asked}");
        assert_eq!(host.asked(), ["/reconnect?token=probe"]);

        assert_eq!(check(&world, &config, start() + TimeDelta::hours(1), &[]).await, []);
        assert_eq!((xero.asked().len(), host.asked().len()), (0, 1));
        assert_eq!(check(&world, &config, start() + TimeDelta::days(1), &[]).await, []);
        assert_eq!((xero.asked().len(), host.asked().len()), (1, 1));
        // Rows with required scopes of their own are another question.
        let own = [scopes("offline_access accounting.payments")];
        assert_eq!(check(&world, &config, start() + TimeDelta::days(1), &own).await, []);
        assert!(xero.asked()[0].contains("accounting.payments"));
    })
    .await;
}

#[tokio::test]
async fn one_bad_scope_is_named_and_asked_about_again_the_next_time() {
    both(async |world: World| {
        let (xero, host) = (xero(&["accounting.invoices"]).await, page(200).await);
        let config = config_at(&xero.url, &host.url);
        let findings = check(&world, &config, start(), &[]).await;
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].code.as_str(), "preflight_failed");
        assert!(findings[0].text.ends_with(": accounting.invoices"), "{}", texts(&findings));
        assert_eq!(xero.asked().len(), 5, "all together, then each of four");
        assert_eq!(check(&world, &config, start(), &[]).await.len(), 1);
        assert!(!xero.asked().is_empty());
        // A dry run tells what is known, and asks nobody.
        host.asked();
        let known = dry(&world, &config).await;
        assert!(known[0].text.contains("accounting.invoices"), "{}", texts(&known));
        assert_eq!((xero.asked().len(), host.asked().len()), (0, 0));
    })
    .await;
}

#[tokio::test]
async fn scopes_that_are_refused_together_only_are_told_so() {
    let world = World::fleeting().await;
    let (xero, host) = (xero(&["%20"]).await, page(200).await);
    let findings = check(&world, &config_at(&xero.url, &host.url), start(), &[]).await;
    assert!(findings[0].text.contains("together"), "{}", texts(&findings));
}

#[tokio::test]
async fn an_answer_that_says_nothing_is_no_yes() {
    let host = page(200).await;
    let elsewhere = "https://elsewhere.example/identity/user/login";
    type Say = fn(&str) -> Answer;
    let cases: [(&str, Say); 8] = [
        ("status 500", |_| Answer::Status(500)),
        ("status 403", |_| Answer::Status(403)),
        ("status 429", |_| Answer::Status(429)),
        ("no answer in time", |_| Answer::Silence),
        ("neither", |_| Answer::Page("Hello.".to_owned())),
        ("neither", |_| Answer::Endless),
        ("more than 5 redirects", |path| Answer::Redirect(format!("{path}x"))),
        ("to the app itself", |_| {
            Answer::Redirect("https://books.example/xero/callback?error=server_error".to_owned())
        }),
    ];
    for (why, say) in cases {
        let (world, xero) = (World::fleeting().await, Answers::new(say).await);
        let findings = check(&world, &config_at(&xero.url, &host.url), start(), &[]).await;
        assert_eq!(findings.len(), 1, "{why}");
        assert!(findings[0].text.contains("could not be told"), "{}", texts(&findings));
        assert!(findings[0].text.contains(why), "{why}: {}", texts(&findings));
        assert!(xero.asked().len() <= 6, "not each scope by itself");
    }
    // TLS, spoken to something that does not.
    let (world, plain) = (World::fleeting().await, page(200).await);
    let config = config_at(&plain.url.replace("http://", "https://"), &host.url);
    let findings = check(&world, &config, start(), &[]).await;
    assert!(findings[0].text.contains("could not be told"), "{}", texts(&findings));

    let world = World::fleeting().await;
    let xero = Answers::new(move |_| Answer::Redirect(elsewhere.to_owned())).await;
    let findings = check(&world, &config_at(&xero.url, &host.url), start(), &[]).await;
    assert!(findings[0].text.contains("another host"), "{}", texts(&findings));
}

#[tokio::test]
async fn xero_may_answer_with_a_page_in_place_of_a_redirect() {
    let host = page(200).await;
    for (text, findings) in [
        ("<form>Log in <input type=\"password\"></form>", 0),
        ("<a href=\"/identity/error\">login</a>", 1),
        ("An error. <a>Log in</a>", 1),
    ] {
        let world = World::fleeting().await;
        let xero = Answers::new(move |_| Answer::Page(text.to_owned())).await;
        let found = check(&world, &config_at(&xero.url, &host.url), start(), &[]).await;
        assert_eq!(found.len(), findings, "{text}: {}", texts(&found));
    }
}

#[tokio::test]
async fn a_page_of_the_hosts_that_is_down_stops_everything_and_its_address_is_not_told() {
    let xero = xero(&[]).await;
    let closed = Answers::new(|_| Answer::Silence).await.url.clone();
    let silent = Answers::new(|_| Answer::Silence).await;
    let (missing, broken) = (page(404).await, page(503).await);
    for (host, why) in [
        (&closed, ""),
        (&silent.url, "no answer in time"),
        (&missing.url, "status 404"),
        (&broken.url, "status 503"),
    ] {
        let world = World::fleeting().await;
        let config = config_at(&xero.url, host);
        let findings = check(&world, &config, start(), &[]).await;
        assert_eq!(findings.len(), 1, "{host}");
        let text = texts(&findings);
        assert!(text.contains("does not answer") && text.contains(why), "{text}");
        assert!(!text.contains("token=") && !text.contains(host), "{text}");
        assert_eq!(dry(&world, &config).await.len(), 1, "and a dry run knows");
    }
    // A body without end is cut off.
    let world = World::fleeting().await;
    let endless = Answers::new(|_| Answer::Endless).await;
    assert_eq!(check(&world, &config_at(&xero.url, &endless.url), start(), &[]).await, []);
}

#[tokio::test]
async fn without_an_address_to_ask_for_nothing_is_taken_for_right() {
    let world = World::fleeting().await;
    let config =
        config(&[("redirect_uri", "# redirect_uri"), ("reconnect_url", "# reconnect_url")]);
    let findings = check(&world, &config, start(), &[]).await;
    let text = texts(&findings);
    assert_eq!(findings.len(), 2, "{text}");
    assert!(text.contains("[app] redirect_uri") && text.contains("[app] reconnect_url"), "{text}");
    assert_eq!(dry(&world, &config).await.len(), 2);
}
