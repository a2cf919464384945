//! When people are told of a removal, and when no more.

use chrono::NaiveTime;
use uuid::Uuid;

use super::*;
use crate::domain::campaign::{PromptPolicy, WorkingTime};
use crate::domain::example::{at, connection, removal, scopes, stage};
use crate::domain::reason::Code;
use crate::domain::recipient::Exemptions;
use crate::domain::told::{Mark, Past, PromptState};

const REMOVED_AT: &str = "2027-08-20T03:00:00Z";

struct World {
    campaign: Campaign,
    prompts: PromptPolicy,
    follow_ups: Vec<FollowUp>,
    exemptions: Exemptions,
    suppressed: BTreeSet<String>,
}

impl Default for World {
    fn default() -> Self {
        let campaign = Campaign {
            deadline: at("2027-09-12T12:00:00Z"),
            zone: chrono_tz::Pacific::Auckland,
            required: scopes(&["accounting.invoices"]),
            working: WorkingTime {
                days: vec![chrono::Weekday::Mon, chrono::Weekday::Fri],
                from: NaiveTime::from_hms_opt(9, 0, 0).unwrap(),
                until: NaiveTime::from_hms_opt(16, 0, 0).unwrap(),
                holidays: BTreeSet::new(),
            },
            stages: vec![stage("final-notice", 60, &[Channel::Email], true)],
        };
        Self {
            follow_ups: follow_ups(&campaign, Some(&removal())),
            campaign,
            prompts: PromptPolicy { max_per_address_per_day: 1, ..PromptPolicy::default() },
            exemptions: Exemptions::default(),
            suppressed: BTreeSet::new(),
        }
    }
}

fn removed(number: u128) -> Connection {
    let mut connection = connection(number);
    connection.presence = Presence::Removed;
    connection.absent_since = Some(at(REMOVED_AT));
    connection.facts.grant = super::super::grant::GrantId(Uuid::from_u128(77));
    connection
}

fn ledger(connection: &Connection) -> PastRemoval {
    PastRemoval {
        connection: connection.key,
        tenant: connection.facts.tenant,
        grant: connection.facts.grant,
        people: Vec::new(),
        state: RemovalState::Removed,
        until: at(REMOVED_AT),
        settled_at: Some(at(REMOVED_AT)),
        crossed_at: None,
        back_at: None,
        returned_at: None,
    }
}

fn mark(recipient: &str, stage: &str, wave: i64, state: PromptState) -> Mark {
    Mark {
        recipient: recipient.to_owned(),
        stage: stage.to_owned(),
        channel: "email".to_owned(),
        edition: 1,
        wave,
        state,
        until: at("2027-08-20T04:00:00Z"),
        deadline: None,
        bounced: false,
        day: None,
    }
}

impl World {
    /// Stage and wave of each line, and the codes of what is held back.
    fn decide(
        &self,
        now: &str,
        all: &[Connection],
        past: &Past,
    ) -> (Vec<(String, i64)>, Vec<Code>) {
        let rules = Rules {
            campaign: &self.campaign,
            prompts: &self.prompts,
            removal: None,
            exemptions: &self.exemptions,
            suppressed: &self.suppressed,
            correction: None,
            win_back: &self.follow_ups,
            planned: None,
            founded_at: at("2026-11-21T00:00:00Z"),
            hold_back_key: &[7; 32],
            now: at(now),
        };
        let here: BTreeSet<String> =
            responsible(all).iter().map(|party| party.recipient.key()).collect();
        let decision = rules.win_back(all, &here, ScopeSet::EMPTY, past);
        let lines = decision.prompts.iter().map(|line| (line.stage.name.clone(), line.wave));
        let codes = decision.held_back.iter().flat_map(|held| &held.reasons);
        (lines.collect(), codes.map(|reason| reason.code).collect())
    }
}

fn past(removals: impl IntoIterator<Item = PastRemoval>) -> Past {
    let mut past = Past::new(1);
    removals.into_iter().for_each(|removal| past.add_removal(removal));
    past
}

#[test]
fn each_message_has_its_day_and_a_missed_one_collapses_into_the_next() {
    let world = World::default();
    let one = removed(1);
    let past = past([ledger(&one)]);
    let all = [one];
    // Days of the campaign's zone, and hours in which somebody is at work.
    for (now, expected) in [
        ("2027-08-20T03:30:00Z", "removed"),
        ("2027-08-22T22:00:00Z", "removed"),
        ("2027-08-29T22:00:00Z", "removed-reminder"),
        ("2027-09-12T22:00:00Z", "removed-last"),
        ("2028-01-09T22:00:00Z", "removed-last"),
    ] {
        assert_eq!(world.decide(now, &all, &past).0, [(expected.to_owned(), 0)], "{now}");
    }
    let (lines, codes) = world.decide("2027-08-21T03:30:00Z", &all, &past);
    assert_eq!((lines.len(), codes), (0, vec![Code::NotAWorkingDay]));
}

#[test]
fn nobody_is_told_of_what_is_back_returned_gone_or_not_settled() {
    let world = World::default();
    let now = "2027-08-20T03:30:00Z";
    let one = removed(1);
    let good = ledger(&one);
    for other in [
        PastRemoval { back_at: Some(at(now)), ..good.clone() },
        PastRemoval { returned_at: Some(at(now)), ..good.clone() },
        PastRemoval { state: RemovalState::Gone, ..good.clone() },
        PastRemoval { state: RemovalState::Unknown, settled_at: None, ..good.clone() },
    ] {
        assert!(world.decide(now, std::slice::from_ref(&one), &past([other])).0.is_empty());
    }
    let present = Connection { presence: Presence::Present, ..one };
    assert!(world.decide(now, &[present], &past([good])).0.is_empty());
}

#[test]
fn a_removal_is_told_once_and_the_next_one_by_another_message() {
    let world = World::default();
    let now = "2027-08-20T03:30:00Z";
    let (one, two) = (removed(1), removed(2));
    let recipient = responsible(std::slice::from_ref(&one))[0].recipient.key();
    let told = |state| {
        let mut past = past([ledger(&one), ledger(&two)]);
        let mark = mark(&recipient, REMOVED, 0, state);
        past.add_mark(mark.clone());
        past.add_followed(one.key, mark);
        past
    };
    let all = [one.clone(), two.clone()];
    let next = ("removed".to_owned(), 1);
    for state in [PromptState::Sent, PromptState::Unknown, PromptState::Refused] {
        assert_eq!(
            world.decide(now, &all, &told(state)).0,
            std::slice::from_ref(&next),
            "{state:?}"
        );
    }
    // One that waits for its next try takes the second with it.
    let (lines, codes) = world.decide(now, &all, &told(PromptState::Queued));
    assert_eq!((lines.len(), codes), (0, vec![Code::RetryLater, Code::RetryLater]));
    let later = "2027-08-20T03:59:59Z";
    assert_eq!(world.decide(later, &all, &told(PromptState::Queued)).0.len(), 0);
    let open = world.decide("2027-08-22T22:00:00Z", &all, &told(PromptState::Queued)).0;
    assert_eq!(open, vec![("removed".to_owned(), 0); 2]);
}

#[test]
fn a_new_deadline_makes_no_removal_told_anew() {
    let world = World::default();
    let one = removed(1);
    let recipient = responsible(std::slice::from_ref(&one))[0].recipient.key();
    let mut past = Past::new(2);
    past.add_removal(ledger(&one));
    let sent = mark(&recipient, REMOVED, 0, PromptState::Sent);
    past.add_mark(sent.clone());
    past.add_followed(one.key, sent);
    assert!(world.decide("2027-08-20T03:30:00Z", &[one], &past).0.is_empty());
}

#[test]
fn a_crossing_is_answered_at_any_hour_and_stands_for_the_first_message() {
    let world = World::default();
    let one = removed(1);
    let crossed = PastRemoval { crossed_at: Some(at(REMOVED_AT)), ..ledger(&one) };
    let saturday = "2027-08-21T03:30:00Z";
    let mut past = past([crossed]);
    let said = world.decide(saturday, std::slice::from_ref(&one), &past).0;
    assert_eq!(said, [("crossed".to_owned(), 0)]);
    let recipient = responsible(std::slice::from_ref(&one))[0].recipient.key();
    let sent = mark(&recipient, CROSSED, 0, PromptState::Sent);
    past.add_mark(sent.clone());
    past.add_followed(one.key, sent);
    let all = [one];
    assert_eq!(world.decide("2027-08-22T22:00:00Z", &all, &past), (Vec::new(), Vec::new()));
    let later = world.decide("2027-08-29T22:00:00Z", &all, &past).0;
    assert_eq!(later, [("removed-reminder".to_owned(), 0)]);
}

#[test]
fn whoever_asked_not_to_be_written_to_is_not() {
    let one = removed(1);
    let recipient = responsible(std::slice::from_ref(&one))[0].recipient.key();
    let now = "2027-08-20T03:30:00Z";
    let past = past([ledger(&one)]);
    let all = [one];
    let mut world = World::default();
    world.suppressed.insert(recipient.clone());
    assert_eq!(world.decide(now, &all, &past).1, [Code::Suppressed]);
    let mut world = World::default();
    world.prompts.only_to = vec!["*@acme.example".to_owned()];
    assert_eq!(world.decide(now, &all, &past).1, [Code::OnlyTo]);
    let until = at("2028-01-01T00:00:00Z");
    let exempt = [(recipient, until, "asked".to_owned())];
    let world = World { exemptions: Exemptions::in_force(exempt, at(now)), ..World::default() };
    assert_eq!(world.decide(now, &all, &past).1, [Code::Exempt]);
}
