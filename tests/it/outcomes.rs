//! What others know of messages: taken in once, however often it is given.

use std::path::PathBuf;

use chrono::TimeDelta;
use uuid::Uuid;
use worker::config::{Config, Origin};
use worker::inventory::Column;
use worker::jobs::outcomes::{Error, Import, Summary};

use crate::support::inventory::{OneFile, id};
use crate::support::line::{Line, READY, line};
use crate::support::place::Place;
use crate::support::prompts::prompt_id;
use crate::support::world::{World, both, scopes, start};

const SHIPPED: &str = include_str!("../../jobs.toml");

async fn try_import(world: &World, path: PathBuf) -> Result<Summary, Error> {
    let origin = Origin::file(std::path::Path::new("jobs.toml"));
    let mut campaign = Config::parse(SHIPPED, &origin).unwrap().campaign;
    campaign.required = scopes(crate::support::world::REQUIRED);
    let now = start() + TimeDelta::days(30);
    let import = Import { store: &world.store, campaign: &campaign, now, id: Uuid::from_u128(77) };
    import.run(&path).await
}

async fn import(world: &World, content: impl AsRef<[u8]>) -> Summary {
    let file = OneFile::new(content);
    let summary = try_import(world, file.path()).await.unwrap();
    let counted = summary.applied + summary.unchanged + summary.foreign + summary.bad;
    assert_eq!(summary.read, counted, "{summary:?}");
    summary
}

/// Imports twice: the second time nothing changes.
async fn import_twice(world: &World, content: &str) -> Summary {
    let first = import(world, content).await;
    let dump = world.dump(&["prompts", "prompt_connections", "suppressions"]).await;
    let second = import(world, content).await;
    assert_eq!((second.applied, second.bad), (0, first.bad), "{second:?}");
    assert_eq!(world.dump(&["prompts", "prompt_connections", "suppressions"]).await, dump);
    first
}

async fn suppressed(world: &World) -> Vec<String> {
    world.texts("SELECT recipient || ' ' || reason FROM suppressions").await
}

fn reasons(summary: &Summary) -> Vec<String> {
    summary
        .problems
        .iter()
        .map(|problem| format!("{}: {}", problem.place, problem.reason))
        .collect()
}

#[tokio::test]
async fn an_unknown_prompt_is_settled_by_what_the_provider_knows() {
    both(async |world: World| {
        for number in 1..=4 {
            world.prompt(number, &format!("p{number}@example.com"), "unknown").await;
        }
        let csv = format!(
            "Kind,prompt,at,permanent,note\n\
             delivered,{},2026-12-02T00:00:00Z,,x\n\
             bounced,<{}@books.example>,2026-12-02 00:00:00,true,\n\
             complained,provider-3,,,\n\
             bounced,provider-4,,false,\n",
            prompt_id(1),
            prompt_id(2)
        );
        let summary = import_twice(&world, &csv).await;
        assert_eq!((summary.applied, summary.unchanged, summary.bad), (3, 1, 0));
        let states: Vec<String> = [
            world.of_prompt(1, "state").await,
            world.of_prompt(2, "state").await,
            world.of_prompt(3, "state").await,
            world.of_prompt(4, "state").await,
        ]
        .into();
        assert_eq!(states, ["sent", "refused", "sent", "unknown"]);
        assert_eq!(world.of_prompt(1, "settled_by").await, "import");
        assert_eq!(world.of_prompt(1, "sent_at").await, world.of_prompt(1, "sending_at").await);
        assert_eq!(
            suppressed(&world).await,
            ["p2@example.com bounced", "p3@example.com complained"]
        );
    })
    .await;
}

#[tokio::test]
async fn a_bounced_prompt_no_longer_tells_and_a_soft_bounce_changes_nothing() {
    both(async |world: World| {
        world.prompt(1, "p1@example.com", "sent").await;
        world.prompt(2, "p2@example.com", "sent").await;
        let lines = "{\"kind\":\"bounced\",\"address\":\"P1@Example.com\",\"stage\":\"invitation\",\"at\":\"2026-12-03T00:00:00Z\"}\n\n\
                     {\"kind\":\"bounced\",\"prompt\":\"provider-2\",\"permanent\":false}\n";
        let summary = import_twice(&world, lines).await;
        assert_eq!((summary.applied, summary.unchanged), (1, 1));
        assert!(world.of_prompt(1, "bounced_at").await.starts_with("2026-12-03"));
        assert_eq!(world.of_prompt(1, "state").await, "sent");
        assert_eq!(world.of_prompt(2, "bounced_at").await, "");
        assert_eq!(suppressed(&world).await, ["p1@example.com bounced"]);
        // Let out again by hand, it stays so.
        world.store.unsuppress("p1@example.com", "Ann", start()).await.unwrap();
        import(&world, lines).await;
        assert_eq!(suppressed(&world).await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn bad_lines_are_named_and_the_others_go_on() {
    both(async |world: World| {
        for (number, state) in [(1, "sent"), (2, "sending"), (3, "refused"), (4, "sent")] {
            world.prompt(number, &format!("p{number}@example.com"), state).await;
        }
        let mut csv = b"kind,prompt,address,stage\n".to_vec();
        for line in [
            "opened,provider-1,,",
            "delivered,nobody-knows,,",
            "delivered,provider-2,,",
            "delivered,provider-3,,",
            "delivered,xc-1a2b3-c0000,,",
            "bounced,,p1@example.com,",
        ] {
            csv.extend(format!("{line}\n").bytes());
        }
        csv.extend(b"delivered,\xff,,\nbounced,provider-1,,\n");
        let summary = import(&world, &csv).await;
        assert_eq!((summary.applied, summary.bad), (1, 7), "{summary:?}");
        assert_eq!(
            reasons(&summary),
            [
                "line 2: kind is none of delivered, bounced, complained and sent",
                "line 3: there is no such prompt in this database",
                "line 4: the prompt is sending: it has not gone out",
                "line 5: the prompt was refused: it cannot have arrived",
                "line 6: there is no such prompt in this database",
                "line 7: it names neither a prompt nor an address and a stage",
                "line 8: it is not UTF-8",
            ]
        );
        let whole = serde_json::to_string(&summary).unwrap();
        assert!(!whole.contains('@'), "no address in a result: {whole}");
        assert!(world.of_prompt(1, "bounced_at").await.starts_with("2026-12-23"));

        let lines = format!("[1]\n{{\"kind\":7}}\n{{\"kind\":\"x{}\"}}\n", "y".repeat(1 << 20));
        let summary = import(&world, format!("{{}}\n{lines}")).await;
        assert_eq!(
            reasons(&summary),
            [
                "line 1: kind is missing",
                "line 2: it is no JSON object",
                "line 3: kind is no text",
                "line 4: it is longer than 1 MiB",
            ]
        );
    })
    .await;
}

/// Person 1 has two connections that await and one that is ready; person 2 shares a grant.
fn inventory() -> Vec<Line> {
    let first = |number: usize| {
        line(number).with(Column::XeroUserId, id("d", 1)).with(Column::Email, "one@example.com")
    };
    vec![
        first(1),
        first(2),
        line(3).with(Column::Scopes, READY).with(Column::Email, "one@example.com"),
        line(4),
        line(4).with(Column::Email, "colleague@example.com"),
    ]
}

#[tokio::test]
async fn what_the_host_sent_tells_everyone_it_was_sent_to() {
    both(async |world: World| {
        world.scan(&inventory()).await;
        let csv = "kind,address,stage,at,connection_ids\n\
                   sent,One@example.com,invitation,2026-12-01T09:00:00Z,\n"
            .to_owned()
            + &format!(
                "sent,colleague@example.com,invitation,2026-12-01T09:00:00Z,{}\n",
                id("c", 4)
            );
        let summary = import_twice(&world, &csv).await;
        assert_eq!((summary.applied, summary.bad), (2, 0), "{summary:?}");
        let told = world
            .texts(
                "SELECT prompts.recipient || ' ' || channel || ' ' || state || ' ' || required \
                 FROM prompts JOIN prompt_connections p ON p.prompt_id = prompts.prompt_id",
            )
            .await;
        let required = scopes(crate::support::world::REQUIRED).canonical();
        assert_eq!(
            told,
            [
                format!("colleague@example.com host sent {required}"),
                format!("one@example.com host sent {required}"),
                format!("one@example.com host sent {required}"),
            ]
        );
        // Once they are ready, the same file is no news and no mistake either.
        let ready: Vec<Line> =
            inventory().into_iter().map(|line| line.with(Column::Scopes, READY)).collect();
        world.scan(&ready).await;
        let again = import(&world, &csv).await;
        assert_eq!((again.unchanged, again.bad), (2, 0), "{again:?}");
        // And a bounce of the host's own message un-tells.
        let bounce = "kind,address,stage\nbounced,one@example.com,invitation\n";
        assert_eq!(import_twice(&world, bounce).await.applied, 1);
    })
    .await;
}

#[tokio::test]
async fn nobody_is_told_of_what_is_not_theirs() {
    both(async |world: World| {
        world.scan(&inventory()).await;
        let csv = format!(
            "kind,address,stage,at,connection_ids\n\
             sent,one@example.com,invitation,,{}\n\
             sent,one@example.com,no-such-stage,,\n\
             sent,stranger@example.com,invitation,,\n\
             sent,one@example.com,invitation,2099-01-01T00:00:00Z,\n",
            id("c", 4)
        );
        let summary = import(&world, &csv).await;
        assert_eq!(
            reasons(&summary),
            [
                "line 2: connection_ids names one that this person is not responsible for",
                "line 3: stage is no stage of the campaign",
                "line 4: nothing of this person's awaits a consent",
                "line 5: at is yet to come",
            ]
        );
        assert_eq!(world.texts("SELECT recipient FROM prompts").await, Vec::<String>::new());
    })
    .await;
}

fn report(action: &str, status: &str, number: usize) -> String {
    format!(
        "From: MAILER-DAEMON@mx.example\r\nDate: Wed, 2 Dec 2026 10:00:00 +0000\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
         --b\r\nContent-Type: message/delivery-status\r\n\r\n\
         Reporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; p{number}@example.com\r\n\
         Action: {action}\r\nStatus: {status}\r\n\r\n\
         --b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: <{}@books.example>\r\n\r\nx\r\n--b--\r\n",
        prompt_id(number)
    )
}

#[tokio::test]
async fn a_mailbox_of_bounces_is_read_whatever_else_lies_in_it() {
    both(async |world: World| {
        for number in 1..=3 {
            world.prompt(number, &format!("p{number}@example.com"), "sent").await;
        }
        let dir = tempfile::tempdir().unwrap();
        for folder in ["new", "cur", "tmp"] {
            std::fs::create_dir(dir.path().join(folder)).unwrap();
        }
        let put =
            |name: &str, content: &[u8]| std::fs::write(dir.path().join(name), content).unwrap();
        put("new/1", report("failed", "5.1.1", 1).as_bytes());
        put("cur/2:2,S", report("delayed", "4.4.1", 2).as_bytes());
        put("cur/3:2,S", report("failed", "4.4.7", 3).as_bytes());
        put("cur/4:2,S", b"Subject: Out of office\r\n\r\nBack on Monday");
        put("cur/5:2,S", &[0, 159, 146, 150]);
        put("tmp/6", report("failed", "5.1.1", 2).as_bytes());
        put("cur/7:2,S", report("failed", "5.1.1", 9).as_bytes());
        let summary = try_import(&world, dir.path().to_owned()).await.unwrap();
        let Summary { applied, unchanged, foreign, bad, .. } = summary;
        assert_eq!((applied, unchanged, foreign, bad), (2, 1, 2, 1), "{summary:?}");
        assert_eq!(reasons(&summary), ["7:2,S: there is no such prompt in this database"]);
        assert!(world.of_prompt(1, "bounced_at").await.starts_with("2026-12-02"));
        assert_eq!(world.of_prompt(2, "bounced_at").await, "");
        assert!(world.of_prompt(3, "bounced_at").await.starts_with("2026-12-02"));
        assert_eq!(
            suppressed(&world).await,
            ["p1@example.com bounced"],
            "the mailbox of 3 is full"
        );
        let again = try_import(&world, dir.path().to_owned()).await.unwrap();
        assert_eq!((again.applied, again.unchanged), (0, 3));
    })
    .await;
}

#[tokio::test]
async fn ten_thousand_lines_are_taken_in_batch_by_batch() {
    let world = World::fleeting().await;
    world.prompt(1, "p1@example.com", "sent").await;
    let csv = "kind,prompt\n".to_owned() + &format!("delivered,{}\n", prompt_id(1)).repeat(10_000);
    let summary = import(&world, csv).await;
    assert_eq!((summary.read, summary.unchanged), (10_000, 10_000));
}

#[tokio::test]
async fn what_is_no_list_of_outcomes_is_refused_whole() {
    let world = World::fleeting().await;
    for (content, words) in [
        (&b""[..], "empty"),
        (b"  \n", "empty"),
        (b"name,age\nJo,7\n", "`kind`"),
        (b"\xff\xfe\n", "UTF-8"),
    ] {
        let file = OneFile::new(content);
        let error = try_import(&world, file.path()).await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
    let missing = try_import(&world, "/nonexistent".into()).await.unwrap_err();
    assert!(matches!(missing, Error::Unreadable { .. }), "{missing}");
}

#[tokio::test]
async fn the_exit_code_tells_whether_all_some_or_nothing_was_of_use() {
    let place = Place::new(&[]);
    place.done(&["run-once"]);
    World::of(&place).await.prompt(1, "p1@example.com", "unknown").await;
    let good = format!("delivered,{}\n", prompt_id(1));
    for (lines, code, bad) in
        [(good.clone(), 0, 0), (good + "delivered,x\n", 3, 1), ("delivered,x\n".to_owned(), 2, 1)]
    {
        place.write("outcomes.csv", format!("kind,prompt\n{lines}"));
        let said = place.worker(&["outcomes", "import", "outcomes.csv", "--format", "json"]);
        assert_eq!(
            (said.code, &said.json()["bad"]),
            (Some(code), &serde_json::json!(bad)),
            "{said}"
        );
    }
    let said = place.worker(&["outcomes", "import", "outcomes.csv"]);
    assert!(said.out.contains("line 2: there is no such prompt"), "{said}");
    place.write("outcomes.csv", "a,b\n");
    let said = place.worker(&["outcomes", "import", "outcomes.csv"]);
    said.complains(2, "names no column `kind`", "outcomes import");
    place.worker(&["outcomes", "import", "nowhere"]).complains(2, "cannot be read", "");
}
