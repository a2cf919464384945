//! Notices count only for what they named, and for everyone or not at all.

use chrono::NaiveTime;
use uuid::Uuid;

use super::*;
use crate::domain::campaign::WorkingTime;
use crate::domain::example::{self, at, scopes, stage};
use crate::domain::grant::GrantId;

fn campaign() -> Campaign {
    Campaign {
        deadline: at("2027-09-12T12:00:00Z"),
        zone: chrono_tz::Pacific::Auckland,
        required: scopes(&["offline_access", "accounting.invoices"]),
        working: WorkingTime {
            days: Vec::new(),
            from: NaiveTime::MIN,
            until: NaiveTime::MIN,
            holidays: Default::default(),
        },
        stages: vec![
            stage("invitation", 60, &[Channel::Email], false),
            stage("final-notice", 60, &[Channel::Email], true),
        ],
    }
}

fn connection() -> Connection {
    let mut connection = example::connection(1);
    connection.facts.connected_at = Some(at("2025-01-01T00:00:00Z"));
    connection
}

fn party(address: &str) -> Party {
    Party {
        recipient: Recipient::Address(address.parse().unwrap()),
        zone: None,
        name: None,
        locale: None,
    }
}

fn telling(recipient: &str, stage: &str) -> Telling {
    let campaign = campaign();
    Telling {
        recipient: recipient.into(),
        stage: stage.into(),
        deadline: campaign.deadline,
        required: campaign.required,
        connected_at: connection().facts.connected_at,
        sent_at: at("2027-01-20T00:00:00Z"),
        removal_from: (stage == "final-notice").then(|| at("2027-08-20T12:00:00Z")),
        is_notice: true,
    }
}

fn told(tellings: &[Telling], parties: &[Party], connection: &Connection) -> Told {
    let mut past = Past::new(1);
    for telling in tellings {
        past.add_telling(connection.key, telling.clone());
    }
    past.told(connection, parties, &campaign())
}

fn mark(stage: &str, edition: i64, state: PromptState) -> Mark {
    Mark {
        wave: 0,
        recipient: "jo@a.example".into(),
        stage: stage.into(),
        channel: "email".into(),
        edition,
        state,
        until: at("2027-07-01T00:00:00Z"),
        deadline: Some(at("2027-08-12T12:00:00Z")),
        bounced: false,
        day: None,
    }
}

fn past(edition: i64, marks: impl IntoIterator<Item = Mark>) -> Past {
    let mut past = Past::new(edition);
    marks.into_iter().for_each(|mark| past.add_mark(mark));
    past
}

fn way(past: &Past, stage: &Stage, now: &str) -> Way {
    past.way(&party("jo@a.example").recipient, stage, &Channel::Email, at(now))
}

const JULY: &str = "2027-07-01T00:00:00Z";

#[test]
fn a_stage_counts_once_everyone_responsible_was_told_at_it() {
    let both = [party("al@a.example"), party("jo@a.example")];
    let tellings = [
        telling("al@a.example", "invitation"),
        telling("jo@a.example", "invitation"),
        telling("jo@a.example", "final-notice"),
    ];
    let half = told(&tellings, &both, &connection());
    assert_eq!(half, Told { stages: 1, final_notice: false, promise: None });
    let alone = told(&tellings, &both[1..], &connection());
    let promise = Some(at("2027-08-20T12:00:00Z"));
    assert_eq!(alone, Told { stages: 2, final_notice: true, promise });
    assert_eq!(told(&[], &[], &connection()), Told::default());
}

#[test]
fn somebody_without_an_address_keeps_a_connection_untold() {
    let nobody =
        Party { recipient: Recipient::Grant(GrantId(Uuid::from_u128(9))), ..party("jo@a.example") };
    let tellings = [telling("jo@a.example", "invitation")];
    let both = [party("jo@a.example"), nobody];
    assert_eq!(told(&tellings, &both, &connection()).stages, 0);
}

#[test]
fn the_latest_promise_counts() {
    let later = Telling {
        removal_from: Some(at("2027-08-25T12:00:00Z")),
        ..telling("al@a.example", "final-notice")
    };
    let both = [party("al@a.example"), party("jo@a.example")];
    let told = told(&[later, telling("jo@a.example", "final-notice")], &both, &connection());
    assert_eq!(told.promise, Some(at("2027-08-25T12:00:00Z")));
}

#[test]
fn a_notice_is_void_for_a_connection_made_later_a_scope_required_since_and_another_deadline() {
    let jo = [party("jo@a.example")];
    let good = telling("jo@a.example", "final-notice");
    assert_eq!(told(std::slice::from_ref(&good), &jo, &connection()).stages, 1);
    let mut newer = connection();
    newer.facts.connected_at = Some(at("2027-02-02T00:00:00Z"));
    let mut wider = connection();
    wider.facts.required = Some(scopes(&["accounting.invoices", "accounting.payments"]));
    for connection in [newer, wider] {
        assert_eq!(told(std::slice::from_ref(&good), &jo, &connection), Told::default());
    }
    let earlier = Telling { deadline: at("2027-08-12T12:00:00Z"), ..good.clone() };
    let no_notice = Telling { is_notice: false, ..good };
    assert_eq!(told(&[earlier, no_notice], &jo, &connection()), Told::default());
}

#[test]
fn a_date_that_becomes_known_later_makes_no_notice_void_unless_it_is_later_too() {
    let jo = [party("jo@a.example")];
    let sent = telling("jo@a.example", "final-notice");
    let without = Telling { connected_at: None, ..sent.clone() };
    let by_xero = Telling { connected_at: Some(at("2025-02-02T00:00:00.5Z")), ..sent.clone() };
    let counts = |telling: &Telling, host: Option<&str>, xero: Option<&str>| {
        let mut connection = connection();
        connection.facts.connected_at = host.map(at);
        let mut past = Past::new(1);
        past.add_telling(connection.key, telling.clone());
        let id = crate::domain::ids::ConnectionId(connection.key.0);
        let listed = Listed { id, created_at: xero.map(at), updated_at: None };
        past.set_listed(std::iter::once((connection.key, listed)).collect());
        past.told(&connection, &jo, &campaign()).stages == 1
    };
    let (early, late) = ("2025-02-02T00:00:00.5Z", "2027-06-01T00:00:00Z");
    let host = Some("2025-01-01T00:00:00Z");
    assert!(counts(&sent, host, None) && counts(&sent, host, Some(early)));
    assert!(!counts(&sent, host, Some(late)), "made anew at Xero, as the host does not know yet");
    assert!(counts(&without, None, None) && counts(&without, None, Some(early)));
    assert!(!counts(&without, None, Some(late)) && !counts(&without, Some(late), None));
    assert!(counts(&by_xero, None, Some(early)) && counts(&by_xero, Some(late), Some(early)));
    assert!(!counts(&by_xero, None, Some(late)) && !counts(&by_xero, None, None));
}

#[test]
fn a_prompt_that_went_is_done_and_one_that_is_unknown_is_never_open_again() {
    let invitation = stage("invitation", 60, &[Channel::Email], false);
    let way = |state, bounced| {
        way(&past(1, [Mark { bounced, ..mark("invitation", 1, state) }]), &invitation, JULY)
    };
    assert_eq!(way(PromptState::Sent, false), Way::Done);
    assert_eq!(way(PromptState::Sent, true), Way::Bounced);
    assert_eq!(way(PromptState::Refused, false), Way::Refused);
    assert_eq!(way(PromptState::Unknown, false), Way::Unknown);
    // A lease that has run out: taken over while it was only leased, never once it was sending.
    assert_eq!(way(PromptState::Leased, false), Way::Open);
    assert_eq!(way(PromptState::Sending, false), Way::Unknown);
    assert_eq!(way(PromptState::Queued, false), Way::Open);
}

#[test]
fn a_queued_prompt_waits_for_its_time_to_the_microsecond() {
    // E41
    let invitation = stage("invitation", 60, &[Channel::Email], false);
    let past = past(1, [mark("invitation", 1, PromptState::Queued)]);
    let before = way(&past, &invitation, "2027-06-30T23:59:59.999999Z");
    assert_eq!(before, Way::Later(at(JULY)));
    assert_eq!(way(&past, &invitation, JULY), Way::Open);
}

#[test]
fn a_stage_that_went_out_late_does_not_put_the_next_one_off() {
    // E43
    let yesterday =
        Mark { day: "2027-06-30".parse().ok(), ..mark("invitation", 1, PromptState::Sent) };
    let next = stage("final-notice", 60, &[Channel::Email], true);
    assert_eq!(way(&past(1, [yesterday]), &next, JULY), Way::Open);
}

#[test]
fn a_new_deadline_repeats_no_stage_but_the_final_notice() {
    let went =
        [mark("invitation", 1, PromptState::Sent), mark("final-notice", 1, PromptState::Sent)];
    let past = past(2, went);
    assert_eq!(way(&past, &stage("invitation", 60, &[Channel::Email], false), JULY), Way::Done);
    assert_eq!(way(&past, &stage("final-notice", 60, &[Channel::Email], true), JULY), Way::Open);
}

#[test]
fn whoever_was_told_another_date_is_told_the_new_one_once() {
    let jo = party("jo@a.example").recipient;
    let deadline = campaign().deadline;
    let told = mark("invitation", 1, PromptState::Sent);
    assert_eq!(past(2, [told.clone()]).misinformed(&jo, deadline), [Channel::Email]);
    // The deadline moved back to what they were told.
    let named = told.deadline.unwrap();
    assert!(past(3, [told.clone()]).misinformed(&jo, named).is_empty());
    let since = |state| past(2, [told.clone(), mark("final-notice", 2, state)]);
    assert!(since(PromptState::Sent).misinformed(&jo, deadline).is_empty());
    assert_eq!(since(PromptState::Queued).misinformed(&jo, deadline), [Channel::Email]);
    let corrected = past(2, [told.clone(), mark("correction", 2, PromptState::Sent)]);
    assert_eq!(way(&corrected, &Campaign::correction(), JULY), Way::Done);
    let bounced = Mark { bounced: true, ..told };
    assert!(past(2, [bounced]).misinformed(&jo, deadline).is_empty());
}

#[test]
fn what_the_host_sent_is_not_sent_to_the_same_mailbox_again() {
    let host = |stage: &str, edition, bounced| Mark {
        channel: HOST.into(),
        bounced,
        ..mark(stage, edition, PromptState::Sent)
    };
    let (invitation, last) = (
        stage("invitation", 60, &[Channel::Email], false),
        stage("final-notice", 60, &[Channel::Email], true),
    );
    let sent = past(2, [host("invitation", 1, false), host("final-notice", 2, false)]);
    assert_eq!(way(&sent, &invitation, JULY), Way::Done);
    assert_eq!(way(&sent, &last, JULY), Way::Done);
    let hook = Channel::Webhook("product".into());
    let recipient = &party("jo@a.example").recipient;
    assert_eq!(sent.way(recipient, &invitation, &hook, at(JULY)), Way::Open, "another way");
    let bounced = past(2, [host("invitation", 2, true)]);
    assert_eq!(way(&bounced, &invitation, JULY), Way::Open);
    let void = past(2, [host("final-notice", 1, false)]);
    assert_eq!(way(&void, &last, JULY), Way::Open, "it named another deadline");
}

#[test]
fn what_another_worker_is_sending_under_another_deadline_is_not_sent_beside_it() {
    let (before, after) = ("2027-06-30T23:59:30Z", "2027-07-01T00:00:30Z");
    for state in [PromptState::Leased, PromptState::Sending] {
        for stage in [
            stage("invitation", 60, &[Channel::Email], false),
            stage("final-notice", 60, &[Channel::Email], true),
        ] {
            let known = past(2, [mark(&stage.name, 1, state)]);
            assert_eq!(way(&known, &stage, before), Way::InFlight, "{state:?} {}", stage.name);
        }
    }
    let invitation = stage("invitation", 60, &[Channel::Email], false);
    let lost = past(2, [mark("invitation", 1, PromptState::Sending)]);
    assert_eq!(way(&lost, &invitation, after), Way::Done, "it may have arrived");
    let left = past(2, [mark("invitation", 1, PromptState::Leased)]);
    assert_eq!(way(&left, &invitation, after), Way::Open, "it had not begun to go");
}

#[test]
fn each_change_of_the_deadline_is_corrected() {
    let correction = Campaign::correction();
    let sent = mark(&correction.name, 2, PromptState::Sent);
    assert_eq!(way(&past(2, [sent.clone()]), &correction, JULY), Way::Done);
    assert_eq!(way(&past(3, [sent]), &correction, JULY), Way::Open);
}

#[test]
fn a_webhook_that_a_lost_worker_may_have_delivered_is_open_and_a_mail_is_not() {
    let hook = Channel::Webhook("product".into());
    let (invitation, recipient) =
        (stage("invitation", 60, &[Channel::Email], false), party("jo@a.example").recipient);
    let after = at("2027-07-01T00:00:30Z");
    for (channel, expected) in [(Channel::Email, Way::Unknown), (hook, Way::Open)] {
        let mark =
            Mark { channel: channel.to_string(), ..mark("invitation", 1, PromptState::Sending) };
        let known = past(1, [mark]);
        assert_eq!(known.way(&recipient, &invitation, &channel, after), expected);
    }
}
