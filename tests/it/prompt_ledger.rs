//! Prompts in the database: begun only in the hands that lease them and never in a pause, and
//! shown as the last message showed them.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;
use worker::domain::told::PromptState;
use worker::store::pauses::Pause;
use worker::store::prompts::{Advanced, Ended, Lease, Leased, Shown, Start, Wanted};

use crate::support::world::{World, both, key, start};

const OWNER: Uuid = Uuid::from_u128(1);
const OTHER: Uuid = Uuid::from_u128(2);

fn minutes(minutes: i64) -> DateTime<Utc> {
    start() + TimeDelta::minutes(minutes)
}

fn wanted(number: u128) -> Wanted {
    Wanted {
        prompt: Uuid::from_u128(number + 100),
        recipient: format!("person{number}@customer.example"),
        stage: "invitation".into(),
        channel: "email".into(),
        wave: 0,
    }
}

/// Leases for two minutes.
async fn lease(world: &World, numbers: std::ops::Range<u128>, now: DateTime<Utc>) -> Vec<Leased> {
    let (day, until) = (now.date_naive(), now + TimeDelta::minutes(2));
    let lease = Lease { owner: OWNER, until, now, day, edition: 1, run: Uuid::from_u128(9) };
    let wanted = numbers.map(wanted).collect();
    world.store.lease_prompts(wanted, lease, |_, _, _| Ok(())).await.unwrap().leased
}

fn begin(leased: &Leased, connections: &[usize]) -> Start {
    let shown = |number: &usize| Shown {
        connection: key(*number),
        required: "accounting.settings".into(),
        connected_at: None,
        removal_from: None,
    };
    Start {
        prompt: leased.prompt,
        fence: leased.fence,
        is_notice: true,
        digest: "{}".into(),
        message_sha256: "a".repeat(64),
        template_sha256: "b".repeat(64),
        shown: connections.iter().map(shown).collect(),
    }
}

async fn advance(
    world: &World,
    ended: &[Ended],
    starting: &[Start],
    owner: Uuid,
    now: DateTime<Utc>,
) -> Advanced {
    let until = now + TimeDelta::minutes(2);
    world.store.advance_prompts(ended, starting, owner, now, until, None).await.unwrap()
}

fn ended(leased: &Leased, state: PromptState, due_at: DateTime<Utc>) -> Ended {
    Ended {
        prompt: leased.prompt,
        fence: leased.fence,
        state,
        attempted: true,
        outcome: None,
        reference: None,
        due_at,
    }
}

async fn states(world: &World) -> Vec<String> {
    world.texts("SELECT state FROM prompts").await
}

#[tokio::test]
async fn a_prompt_begins_only_in_the_hands_that_lease_it() {
    both(async |world| {
        let leased = lease(&world, 0..1, start()).await.remove(0);
        assert_eq!((leased.fence, leased.attempts), (1, 0));
        let begun = [begin(&leased, &[1])];
        let refused = |lost: Advanced| {
            assert_eq!(
                (lost.started.len(), lost.lost, lost.paused),
                (0, vec![leased.prompt], None)
            );
        };
        let of_another_lease = Start { fence: 2, ..begun[0].clone() };
        refused(advance(&world, &[], &[of_another_lease], OWNER, minutes(1)).await);
        refused(advance(&world, &[], &begun, OTHER, minutes(1)).await);
        // To the microsecond: at its very end a lease is over.
        refused(advance(&world, &[], &begun, OWNER, minutes(2)).await);
        assert_eq!(states(&world).await, ["leased"]);
        let last = minutes(2) - TimeDelta::microseconds(1);
        let advanced = advance(&world, &[], &begun, OWNER, last).await;
        assert!(advanced.started.contains(&leased.prompt) && advanced.lost.is_empty());
        assert_eq!(states(&world).await, ["sending"]);
        refused(advance(&world, &[], &begun, OWNER, last).await);
    })
    .await;
}

#[tokio::test]
async fn nothing_begins_in_a_pause_and_what_came_back_is_written_down_all_the_same() {
    both(async |world| {
        let leased = lease(&world, 0..3, start()).await;
        let starts: Vec<Start> = leased.iter().map(|leased| begin(leased, &[1])).collect();
        assert_eq!(advance(&world, &[], &starts[..1], OWNER, start()).await.started.len(), 1);
        let pause = Pause { paused_at: minutes(1), reason: "wrong text".into(), by: "ann".into() };
        world.store.pause(&pause).await.unwrap();
        let sent = ended(&leased[0], PromptState::Sent, minutes(1));
        let advanced = advance(&world, &[sent], &starts[1..], OWNER, minutes(1)).await;
        assert_eq!(advanced.paused.as_deref(), Some("wrong text"));
        assert!(advanced.started.is_empty() && advanced.lost.is_empty(), "nobody took them");
        assert_eq!(states(&world).await, ["leased", "leased", "sent"]);
        world.store.resume("ann", minutes(1)).await.unwrap();
        let advanced = advance(&world, &[], &starts[1..], OWNER, minutes(1)).await;
        assert_eq!((advanced.started.len(), advanced.paused), (2, None));
    })
    .await;
}

#[tokio::test]
async fn a_prompt_that_is_sent_again_shows_what_the_last_message_showed() {
    both(async |world| {
        let first = lease(&world, 0..2, start()).await;
        let starts = [begin(&first[0], &[1, 2]), begin(&first[1], &[3])];
        advance(&world, &[], &starts, OWNER, start()).await;
        let put_off = ended(&first[0], PromptState::Queued, minutes(5));
        advance(&world, &[put_off], &[], OWNER, minutes(1)).await;
        assert_eq!(lease(&world, 0..1, minutes(4)).await, [], "not before its time");
        let second = lease(&world, 0..1, minutes(5)).await.remove(0);
        assert_eq!((second.fence, second.attempts), (2, 1));
        advance(&world, &[], &[begin(&second, &[2, 4])], OWNER, minutes(5)).await;
        let of = async |leased: &Leased| {
            let mut shown = world.store.shown_by(&[leased.prompt]).await.unwrap();
            shown.sort_unstable();
            shown
        };
        let mut again = [key(2), key(4)];
        again.sort_unstable();
        assert_eq!(of(&second).await, again);
        assert_eq!(of(&first[1]).await, [key(3)], "and no other is touched");
    })
    .await;
}

#[tokio::test]
async fn nothing_that_is_out_of_everybodys_hands_keeps_a_lease() {
    both(async |world| {
        let leased = lease(&world, 0..4, start()).await;
        let starts: Vec<Start> = leased.iter().map(|leased| begin(leased, &[1])).collect();
        advance(&world, &[], &starts[..3], OWNER, start()).await;
        let sent = ended(&leased[0], PromptState::Sent, start());
        advance(&world, &[sent], &[], OWNER, start()).await;
        let in_hand = "SELECT CAST(count(lease_until) AS text) FROM prompts";
        assert_eq!(world.texts(in_hand).await, ["3"]);
        assert_eq!(world.store.sweep_prompts(minutes(2)).await.unwrap(), 2);
        assert_eq!(states(&world).await, ["queued", "sent", "unknown", "unknown"]);
        assert_eq!(world.texts(in_hand).await, ["0"]);
    })
    .await;
}
