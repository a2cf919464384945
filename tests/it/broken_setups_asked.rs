//! Set-ups that are broken somewhere else: Xero, the host's page, the mail server and the
//! webhook are asked, and say so.

use std::sync::Arc;

use worker::clock::SystemClock;

use crate::support::answers::{Answer, Answers};
use crate::support::setup::Setup;
use crate::support::smtp::{Manner, Moment, Reaction, SmtpServer, Step};
use crate::support::xero::{SECRET, XeroServer, app, model, tenant, user};

/// All that is asked, as it should be.
struct World {
    setup: Setup,
    xero: XeroServer,
    login: Answers,
    page: Answers,
    mail: SmtpServer,
    hook: Answers,
}

async fn login(refused: &'static str) -> Answers {
    Answers::new(move |path| {
        let is_bad = !refused.is_empty() && path.contains(refused);
        let to = if is_bad { "/identity/error?errorId=1" } else { "/identity/user/login" };
        match path.starts_with("/identity/user/login") {
            true => Answer::Page("a page for logging in".to_owned()),
            false => Answer::Redirect(to.to_owned()),
        }
    })
    .await
}

fn mail(react: impl Fn(&Moment) -> Reaction + Send + Sync + 'static) -> SmtpServer {
    let manner = Manner {
        offers: &["STARTTLS", "AUTH PLAIN LOGIN", "8BITMIME"],
        login: Some(("u", "a-password")),
        ..Manner::default()
    };
    SmtpServer::reacting(manner, react)
}

impl World {
    async fn good() -> Self {
        let mut setup = Setup::good().await;
        setup.offline = false;
        setup.webhooks = true;
        setup.env.insert("XERO_CLIENT_SECRET", SECRET.to_owned());
        setup.edit("00112233445566778899AABBCCDDEEFF", &app().client_id);
        setup.edit("https://books.test/xero/callback", &app().redirect_uri);
        setup.edit("sqlite://worker.db", "sqlite://asked.db");
        let mut xero = model();
        for number in 1..=3 {
            let consent = app().scopes;
            let now = setup.now;
            xero.consent(now, &app().client_id, user(number), consent, &[tenant(number)]).unwrap();
        }
        let mut world = Self {
            xero: XeroServer::start(xero, Arc::new(SystemClock)),
            login: login("").await,
            page: Answers::new(|_| Answer::Status(401)).await,
            mail: mail(|_| Reaction::Usual),
            hook: Answers::new(|_| Answer::Status(204)).await,
            setup,
        };
        let xero = format!("http://localhost:{}", world.xero.port);
        let places = [
            ("api = \"http://localhost:9\"", format!("api = \"{xero}\"")),
            ("identity = \"http://localhost:9\"", format!("identity = \"{xero}\"")),
            ("login = \"http://localhost:9\"", format!("login = \"{}\"", world.login.url)),
            ("https://books.test/xero/reconnect", format!("{}/reconnect", world.page.url)),
            ("http://localhost:9/hooks", format!("{}/hooks", world.hook.url)),
            ("port = 587", format!("port = {}\nroots = {:?}", world.mail.port, world.mail.roots())),
        ];
        for (from, to) in places {
            world.setup.edit(from, &to);
        }
        world.setup.confirm().await;
        world
    }

    /// Puts another address in the place of one, and is told; and content with the one before.
    async fn moved(&mut self, from: &str, to: &str, says: &str, remedy: &str) {
        let good = self.setup.text.clone();
        self.setup.edit(from, to);
        self.setup.confirm().await;
        self.setup.is_wrong(says, remedy).await;
        self.setup.text = good;
        self.setup.is_fine(says).await;
    }
}

#[tokio::test]
async fn what_others_say_is_found_and_nothing_is_sent() {
    let mut world = World::good().await;
    world.setup.is_fine("at the beginning").await;
    assert!(world.mail.received.all().is_empty(), "no message");
    assert_eq!(world.hook.asked(), ["/hooks"], "one test event");
    assert_eq!(world.login.asked().len(), 1, "one question");

    let refusing = login("accounting.invoices").await;
    let (from, to) = (world.login.url.clone(), refusing.url.clone());
    world.moved(&from, &to, "scopes|accounting.invoices", "required_scopes").await;

    let gone = Answers::new(|_| Answer::Status(404)).await;
    let (from, to) = (format!("{}/reconnect", world.page.url), format!("{}/reconnect", gone.url));
    world.moved(&from, &to, "link|404", "bring the page up").await;

    let broken = Answers::new(|_| Answer::Status(500)).await;
    let (from, to) = (format!("{}/hooks", world.hook.url), format!("{}/hooks", broken.url));
    world.moved(&from, &to, "webhooks|500", "signature").await;
}

#[tokio::test]
async fn a_mail_server_that_takes_nothing_is_found() {
    let mut world = World::good().await;
    for (step, said, says) in [
        (Step::Auth, "535 no", "logging in"),
        (Step::Banner, "554 not you", "greeting"),
        (Step::Starttls, "454 not now", "encrypting"),
    ] {
        let server = mail(move |moment| match moment.step == step {
            true => Reaction::Say(said),
            false => Reaction::Usual,
        });
        let place =
            |server: &SmtpServer| format!("port = {}\nroots = {:?}", server.port, server.roots());
        let (from, to) = (place(&world.mail), place(&server));
        world.moved(&from, &to, &format!("email|{says}"), "[email]").await;
    }
}

#[tokio::test]
async fn credentials_that_xero_does_not_take_and_an_empty_list_are_found() {
    let mut world = World::good().await;
    world.setup.env.insert("XERO_CLIENT_SECRET", "another".to_owned());
    world.setup.is_wrong("xero|credentials", "client_secret").await;
    world.setup.env.insert("XERO_CLIENT_SECRET", SECRET.to_owned());
    world.setup.is_fine("with the right secret").await;

    let empty = XeroServer::start(model(), Arc::new(SystemClock));
    let (from, to) = (
        format!("api = \"http://localhost:{}\"", world.xero.port),
        format!("api = \"http://localhost:{}\"", empty.port),
    );
    let good = world.setup.text.clone();
    world.setup.edit(&from, &to);
    let identity = format!("identity = \"http://localhost:{}\"", world.xero.port);
    world.setup.edit(&identity, &format!("identity = \"http://localhost:{}\"", empty.port));
    world.setup.confirm().await;
    world.setup.is_wrong("xero / list|empty", "client id").await;
    world.setup.text = good;
    world.setup.is_fine("with the right list").await;
}
