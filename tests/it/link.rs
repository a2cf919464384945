//! The link of a message: what its token says, who accepts it, and what hosts do with it, in
//! each of the languages that docs/link.md shows.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;
use worker::delivery::link::{Claims, TokenError, verify};
use worker::domain::digest::Digest;
use worker::domain::scopes::{Scope, catalogue};

use crate::support::letters::{CLIENT_ID, SCOPES, SECRET, digest, links, renderer, secret};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn before() -> DateTime<Utc> {
    at("2027-09-12T11:59:59Z")
}

fn token(secret: &str, digest: &Digest) -> String {
    let link = links(secret).link(digest, &digest.grants[0]);
    link.strip_prefix("https://books.example/xero/reconnect?token=").unwrap().to_owned()
}

#[test]
fn a_token_says_whose_consent_asks_for_what_until_when() {
    let digest = digest("invitation");
    let claims = verify(&token(SECRET, &digest), &[secret(SECRET)], before()).unwrap();
    assert_eq!(claims.app, CLIENT_ID);
    assert_eq!(claims.grant, digest.grants[0].grant);
    assert_eq!(claims.tenant, None);
    assert_eq!(claims.scopes, SCOPES);
    assert_eq!(claims.exp, digest.deadline.timestamp());
    assert_eq!(claims.reference, digest.reference());
    assert_eq!(token(SECRET, &digest), token(SECRET, &digest));
}

#[test]
fn a_consent_of_nobody_known_is_found_by_its_tenant() {
    let mut digest = digest("invitation");
    digest.grants[0].user = None;
    let claims = verify(&token(SECRET, &digest), &[secret(SECRET)], before()).unwrap();
    assert_eq!(claims.tenant, Some(digest.grants[0].connections[0].tenant));
}

#[test]
fn every_secret_verifies_and_only_the_first_signs() {
    let token = token("the old one", &digest("invitation"));
    let both = [secret("the new one"), secret("the old one")];
    assert!(verify(&token, &both, before()).is_ok());
    assert_eq!(verify(&token, &both[..1], before()), Err(TokenError::Forged));
    assert_eq!(verify(&token, &[], before()), Err(TokenError::Forged));
}

#[test]
fn a_token_ends_at_its_second() {
    let token = token(SECRET, &digest("invitation"));
    let secrets = [secret(SECRET)];
    assert!(verify(&token, &secrets, before()).is_ok());
    let end = at("2027-09-12T12:00:00Z");
    assert_eq!(verify(&token, &secrets, end), Err(TokenError::Expired));
}

#[test]
fn a_link_with_thirty_scopes_fits_into_every_mail_program() {
    let mut scopes: Vec<Scope> = catalogue()
        .scopes()
        .filter(|scope| scope.may_be_requested() && !scope.name().starts_with("practicemanager"))
        .collect();
    scopes.sort_by_key(|scope| std::cmp::Reverse(scope.name().len()));
    scopes.truncate(30);
    assert_eq!(scopes.len(), 30);
    let mut digest = digest("invitation");
    digest.grants[0].scopes = scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(" ");
    let link = links(SECRET).link(&digest, &digest.grants[0]);
    assert!(link.len() < 1500, "{}", link.len());
    let needs_no_escape = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    assert!(token(SECRET, &digest).chars().all(needs_no_escape));
}

#[test]
fn no_message_leads_to_xero() {
    for template in ["invitation", "reminder", "final-notice", "stopped", "correction"] {
        let message = renderer().render(&digest(template)).unwrap();
        for text in [&message.subject, &message.text, &message.html] {
            assert!(!text.contains("xero.com") && !text.contains("authorize"), "{template}");
        }
    }
}

proptest! {
    #[test]
    fn a_token_that_was_touched_anywhere_is_refused(at in 0usize..400, with in "[A-Za-z0-9_.-]") {
        let token = token(SECRET, &digest("invitation"));
        let at = at % token.len();
        let touched = format!("{}{with}{}", &token[..at], &token[at + 1..]);
        prop_assume!(touched != token);
        prop_assert!(verify(&touched, &[secret(SECRET)], before()).is_err());
    }

    #[test]
    fn no_text_is_a_token_or_a_panic(text in r"(v1\.)?[\PC.]{0,80}") {
        prop_assert!(verify(&text, &[secret(SECRET)], before()).is_err());
    }
}

/// A host in another language, spoken to line by line.
struct Host {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

const HOSTS: [(&str, &str); 3] = [
    ("python3", "examples/host/python/reconnect.py"),
    ("node", "examples/host/node/reconnect.mjs"),
    ("php", "examples/host/php/reconnect.php"),
];

const TENANTS: [(&str, &str); 3] = [
    ("00000000-0000-0000-0002-000000000001", "One Limited"),
    ("00000000-0000-0000-0002-000000000002", "Two \u{14d} Limited"),
    ("00000000-0000-0000-0002-000000000003", "Other Limited"),
];

fn person() -> String {
    digest("invitation").grants[0].grant.to_string()
}

impl Host {
    fn start((program, script): (&str, &str)) -> Self {
        let mut child = Command::new(program)
            .arg(script)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{program} is needed here: {error}"));
        let to = child.stdin.take().unwrap();
        let from = BufReader::new(child.stdout.take().unwrap());
        let mut host = Self { child, to, from };
        let rows = [(0, "A", person()), (1, "A", person()), (2, "B", Uuid::nil().to_string())].map(
            |(tenant, account, user)| {
                json!({
                    "tenant_id": TENANTS[tenant].0, "tenant_name": TENANTS[tenant].1,
                    "account": account, "xero_user_id": user, "connection_id": "old",
                })
            },
        );
        host.write(&json!({
            "client_id": CLIENT_ID, "redirect_uri": "https://books.example/xero/callback?a=b c",
            "link_secrets": ["a new secret", SECRET], "now": before().timestamp(),
            "accounts": {"jo": "A", "stranger": "B"}, "rows": rows,
        }));
        host
    }

    fn write(&mut self, value: &Value) {
        writeln!(self.to, "{value}").expect("the host listens");
    }

    fn ask(&mut self, request: &Value) -> Value {
        self.write(request);
        let mut line = String::new();
        self.from.read_line(&mut line).expect("the host answers");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{request}: {line:?}: {error}"))
    }

    fn open(&mut self, session: &str, token: &str) -> Value {
        let query = json!({"token": token});
        self.ask(&json!({"path": "/xero/reconnect", "session": session, "query": query}))
    }

    fn come_back(&mut self, session: &str, query: &Value) -> Value {
        self.ask(&json!({"path": "/xero/callback", "session": session, "query": query}))
    }

    /// Opens a good link as somebody who may; gives the state.
    fn begin(&mut self) -> String {
        self.ask(&json!({"session": "s", "log_in": "jo"}));
        let answer = self.open("s", &token(SECRET, &digest("invitation")));
        pair(&answer, "state")
    }

    /// What Xero will say next.
    fn xero(&mut self, user: &str, scopes: &str, tenants: &[usize]) {
        let claims = json!({"xero_userid": user, "scope": scopes.split(' ').collect::<Vec<_>>()});
        let connections: Vec<Value> = tenants
            .iter()
            .map(|tenant| json!({"id": format!("new {tenant}"), "tenantId": TENANTS[*tenant].0}))
            .collect();
        let access = format!("e30.{}.x", unpadded(claims.to_string().as_bytes()));
        let token = json!({"access_token": access, "refresh_token": "r"});
        self.ask(&json!({"xero": {"token": token, "connections": connections}}));
    }

    fn connection_ids(&mut self) -> Vec<String> {
        let rows = self.ask(&json!({"path": "/rows"}))["rows"].take();
        let ids = rows.as_array().unwrap().iter().map(|row| row["connection_id"].as_str().unwrap());
        ids.map(str::to_owned).collect()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn unpadded(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// A part of the query of the address that an answer redirects to.
fn pair(answer: &Value, name: &str) -> String {
    let url = Url::parse(answer["location"].as_str().expect("a redirect")).unwrap();
    let found = url.query_pairs().find(|(key, _)| key == name);
    found.unwrap_or_else(|| panic!("{name} in {url}")).1.into_owned()
}

#[test]
fn the_token_on_the_page_is_ours_and_says_what_the_page_says() {
    let page = include_str!("../../docs/link.md");
    let digest = digest("invitation");
    assert!(page.contains(SECRET));
    assert!(page.contains(&format!("\n{}\n", token(SECRET, &digest))));
    let (_, claims) = page.split_once("```json\n").unwrap();
    let shown: Claims = serde_json::from_str(claims.lines().next().unwrap()).unwrap();
    assert_eq!(verify(&token(SECRET, &digest), &[secret(SECRET)], before()), Ok(shown));
}

#[test]
fn what_the_page_quotes_is_what_the_programs_say() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let page = read("docs/link.md");
    for (fence, (_, script)) in ["```python\n", "```js\n", "```php\n"].into_iter().zip(HOSTS) {
        let (_, block) = page.split_once(fence).unwrap_or_else(|| panic!("no {fence}"));
        let (block, _) = block.split_once("```").unwrap();
        assert!(block.contains("hmac") || block.contains("Hmac"), "{block}");
        assert!(read(script).contains(block), "{script} does not say:\n{block}");
    }
}

#[test]
fn every_host_follows_good_tokens_and_no_others() {
    for language in HOSTS {
        let mut host = Host::start(language);
        host.ask(&json!({"session": "s", "log_in": "jo"}));
        let good = digest("invitation");
        let mut ended = good.clone();
        ended.links_until = before();
        let mut of_another = token(SECRET, &good);
        of_another.truncate(of_another.len() - 5);
        for (token, why) in [
            (token("somebody else's", &good), "forged"),
            (token(SECRET, &ended), "expired"),
            (of_another, "forged"),
            ("v2.e30.e30".to_owned(), "malformed"),
            ("v1.e30".to_owned(), "malformed"),
            ("v1.{}.{}".to_owned(), "malformed"),
            (String::new(), "malformed"),
        ] {
            let answer = host.open("s", &token);
            assert_eq!(answer["status"], 400, "{language:?} {token}: {answer}");
            assert!(
                answer["text"].as_str().unwrap().contains(why),
                "{language:?} {token} {answer}"
            );
        }
        for secret in [SECRET, "a new secret"] {
            let answer = host.open("s", &token(secret, &good));
            assert_eq!(answer["status"], 302, "{language:?}: {answer}");
        }
    }
}

#[test]
fn every_host_asks_xero_for_exactly_the_scopes_of_the_token() {
    let scopes = "offline_access openid accounting.invoices accounting.settings.read";
    let mut digest = digest("invitation");
    digest.grants[0].scopes = scopes.to_owned();
    for language in HOSTS {
        let mut host = Host::start(language);
        host.ask(&json!({"session": "s", "log_in": "jo"}));
        let answer = host.open("s", &token(SECRET, &digest));
        let location = answer["location"].as_str().unwrap().to_owned();
        let (state, challenge) = (pair(&answer, "state"), pair(&answer, "code_challenge"));
        assert_eq!((state.len(), challenge.len()), (43, 43), "{language:?}");
        let expected = format!(
            "https://login.xero.com/identity/connect/authorize?response_type=code\
             &client_id={CLIENT_ID}\
             &redirect_uri=https%3A%2F%2Fbooks.example%2Fxero%2Fcallback%3Fa%3Db%20c\
             &scope={}&state={state}&code_challenge={challenge}&code_challenge_method=S256",
            scopes.replace(' ', "%20")
        );
        assert_eq!(location, expected, "{language:?}");
        let again = host.open("s", &token(SECRET, &digest));
        assert_ne!(pair(&again, "state"), state, "{language:?}");
        assert_ne!(pair(&again, "code_challenge"), challenge, "{language:?}");
    }
}

#[test]
fn a_link_opens_nothing_for_whoever_is_not_logged_in_or_is_somebody_else() {
    for language in HOSTS {
        let mut host = Host::start(language);
        let good = token(SECRET, &digest("invitation"));
        let answer = host.open("s", &good);
        let location = answer["location"].as_str().unwrap();
        assert!(location.starts_with("/log-in?next=%2Fxero%2Freconnect%3Ftoken%3D"), "{location}");
        host.ask(&json!({"session": "t", "log_in": "stranger"}));
        assert_eq!(host.open("t", &good)["status"], 403, "{language:?}");
    }
}

#[test]
fn no_consent_is_attached_to_another_session_or_twice() {
    for language in HOSTS {
        let mut host = Host::start(language);
        host.xero(&person(), SCOPES, &[0, 1]);
        let state = host.begin();
        let answer = json!({"code": "c", "state": state});
        host.ask(&json!({"session": "t", "log_in": "jo"}));
        assert_eq!(host.come_back("t", &answer)["status"], 400, "{language:?}");
        assert_eq!(host.come_back("s", &json!({"code": "c", "state": "é"}))["status"], 400);
        // A wrong answer uses the question up.
        assert_eq!(host.come_back("s", &answer)["status"], 400, "{language:?}");
        let state = host.begin();
        host.ask(&json!({"session": "s", "log_in": "stranger"}));
        let late = host.come_back("s", &json!({"code": "c", "state": state}));
        assert_eq!(late["status"], 400, "{language:?}");
        assert_eq!(host.connection_ids(), ["old", "old", "old"], "{language:?}");
    }
}

#[test]
fn a_refusal_changes_nothing_and_a_consent_renews_all_of_the_persons_rows() {
    for language in HOSTS {
        let mut host = Host::start(language);
        let state = host.begin();
        let refused = host.come_back("s", &json!({"error": "access_denied", "state": state}));
        assert_eq!(refused["status"], 200, "{language:?}");
        assert!(refused["text"].as_str().unwrap().contains("nothing has changed"));
        let state = host.begin();
        let failed = host.come_back("s", &json!({"error": "server_error", "state": state}));
        assert_eq!(failed["status"], 502, "{language:?}");
        assert_eq!(host.connection_ids(), ["old", "old", "old"], "{language:?}");

        // Scopes add up: the broad ones are still held.
        host.xero(&person(), &format!("accounting.transactions {SCOPES}"), &[0, 1]);
        let state = host.begin();
        let done = host.come_back("s", &json!({"code": "c", "state": state}));
        assert_eq!(done["text"], "Reconnected: 2.", "{language:?}");
        assert_eq!(host.connection_ids(), ["new 0", "new 1", "old"], "{language:?}");
    }
}

#[test]
fn too_little_another_organisation_and_a_colleague_are_told_apart() {
    for language in HOSTS {
        let mut host = Host::start(language);
        let answer = |host: &mut Host| {
            let state = host.begin();
            let answer = host.come_back("s", &json!({"code": "c", "state": state}));
            answer["text"].as_str().unwrap().to_owned()
        };
        host.xero(&person(), "offline_access accounting.settings", &[0, 1]);
        assert!(answer(&mut host).starts_with("Xero did not grant all"), "{language:?}");
        assert_eq!(host.connection_ids(), ["old", "old", "old"], "{language:?}");
        // Another's organisation is not taken into this account by picking it.
        host.xero(&person(), SCOPES, &[2]);
        let text = answer(&mut host);
        assert!(text.contains("One Limited, Two \u{14d} Limited"), "{language:?}: {text}");
        assert_eq!(host.connection_ids(), ["old", "old", "old"], "{language:?}");
        host.xero("00000000-0000-0000-0003-00000000000c", SCOPES, &[0]);
        assert!(answer(&mut host).contains("Two \u{14d} Limited"), "{language:?}");
        assert_eq!(host.connection_ids(), ["new 0", "old", "old"], "{language:?}");
    }
}
