//! The same against a mail server that somebody else wrote: aiosmtpd, which demands STARTTLS
//! and a login before it takes anything.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use mail_parser::MessageParser;
use worker::delivery::message::{Mailbox, Message};
use worker::delivery::smtp::{Settings, Tls};
use worker::domain::address::Address;

use crate::support::mail::{Sender, address, class, login, patient, why};
use crate::support::standin::Identity;

/// Prints its port, and then each message as a line of JSON.
const SERVER: &str = r#"
import asyncio, base64, json, ssl, sys
from aiosmtpd.smtp import SMTP, AuthResult

class Inbox:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("gone@"):
            return "550 5.1.1 no mailbox for " + address
        envelope.rcpt_tos.append(address)
        return "250 OK"
    async def handle_DATA(self, server, session, envelope):
        print(json.dumps({"from": envelope.mail_from, "to": envelope.rcpt_tos,
            "tls": session.ssl is not None, "login": bool(session.authenticated),
            "bytes": base64.b64encode(envelope.original_content).decode()}), flush=True)
        return "250 2.0.0 kept"

def check(server, session, envelope, mechanism, data):
    good = (data.login, data.password) == (b"u", b"hushhush")
    return AuthResult(success=good, handled=good)

async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1])
    def session():
        return SMTP(Inbox(), hostname="localhost", tls_context=context, require_starttls=True,
            auth_required=True, authenticator=check, enable_SMTPUTF8=True)
    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
"#;

struct Aiosmtpd {
    port: u16,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    child: Child,
    directory: tempfile::TempDir,
}

impl Aiosmtpd {
    /// # Panics
    /// It is not installed, or does not start.
    fn start() -> Self {
        let identity = Identity::of("localhost");
        let directory = tempfile::tempdir().unwrap();
        let pem = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
            path
        };
        pem("roots.pem", &identity.pem);
        let both = pem("server.pem", &format!("{}{}", identity.key, identity.pem));
        let mut child = Command::new(python())
            .args(["-c", SERVER])
            .arg(both)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next().expect("aiosmtpd says its port").unwrap().parse().unwrap();
        Self { port, lines, child, directory }
    }
}

impl Drop for Aiosmtpd {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// A Python that knows aiosmtpd: Debian's own, which is not always the first in the path.
fn python() -> &'static str {
    let knows = |python: &&str| {
        let said = Command::new(python).args(["-c", "import aiosmtpd"]).output();
        said.is_ok_and(|said| said.status.success())
    };
    ["/usr/bin/python3", "python3"].into_iter().find(knows).unwrap_or_else(|| {
        panic!(
            "aiosmtpd is not installed, and this test needs it: apt-get install \
             python3-aiosmtpd (tests/run.sh does that)"
        )
    })
}

fn message(to: &Address) -> Message {
    Message {
        id: uuid::Uuid::from_u128(7),
        from: Mailbox {
            name: Some("Acme Books".into()),
            address: address("support@books.example"),
        },
        to: Mailbox { name: Some("Jörg".into()), address: to.clone() },
        reply_to: None,
        list: "xero.books.example".into(),
        date: "2026-11-23T20:00:00Z".parse().unwrap(),
        subject: "Grüße aus 東京".into(),
        text: ".\n..\nHello\n".into(),
        html: "<p>Hello</p>".into(),
    }
}

#[tokio::test]
async fn messages_arrive_in_a_real_server_over_starttls_with_a_login() {
    let mut server = Aiosmtpd::start();
    let settings = Settings {
        host: "localhost".into(),
        port: server.port,
        tls: Tls::Starttls,
        login: login("u", "hushhush"),
        hello: None,
        roots: Some(server.directory.path().join("roots.pem")),
        limits: patient(),
    };
    let wrong = Settings { login: login("u", "hushhosh"), ..settings.clone() };
    let outcome = Sender::new(wrong).send().await;
    assert_eq!(class(&outcome), "down", "{outcome:?}");

    let mut sender = Sender::new(settings);
    let from = address("support@books.example");
    for to in ["jo@customer.example", "gone@customer.example", "jörg@bücher.example"] {
        let to = address(to);
        let bytes = message(&to).to_bytes().unwrap();
        let outcome = sender.smtp.send(&mut sender.session, &from, &to, &bytes).await;
        if to.given().starts_with("gone") {
            assert_eq!(class(&outcome), "refused");
            assert!(why(&outcome).contains("no mailbox for [address]"), "{outcome:?}");
            continue;
        }
        assert_eq!(why(&outcome), "250 2.0.0 kept", "{outcome:?}");
        let line = server.lines.next().unwrap().unwrap();
        let arrived: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(arrived["to"], serde_json::json!([to.with_ascii_domain()]));
        assert_eq!((&arrived["tls"], &arrived["login"]), (&true.into(), &true.into()));
        let kept = base64::Engine::decode(
            &base64::engine::general_purpose::STANDARD,
            arrived["bytes"].as_str().unwrap(),
        );
        let kept = kept.unwrap();
        assert_eq!(kept, bytes, "byte for byte");
        let parsed = MessageParser::new().parse(&kept).unwrap();
        assert_eq!(parsed.subject(), Some("Grüße aus 東京"));
        assert!(parsed.body_text(0).unwrap().starts_with(".\r\n..\r\nHello"));
    }
}
