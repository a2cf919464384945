//! Decisions about small grants, each gate by itself.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc, Weekday};

use super::*;
use crate::domain::campaign::WorkingTime;
use crate::domain::class::Class;
use crate::domain::example::{at, connection, person, removal, stage};
use crate::domain::removal::{InXero, PastRemoval};
use crate::domain::scopes::catalogue;
use crate::domain::told::Told;

const IN_INVITATION: &str = "2027-01-20T01:00:00Z";
const IN_WINDOW: &str = "2027-08-25T01:00:00Z";

struct World {
    campaign: Campaign,
    prompts: PromptPolicy,
    removal: RemovalPolicy,
    exemptions: Exemptions,
    suppressed: BTreeSet<String>,
}

/// Told so far, with every way open.
struct Open(Told);

impl History for Open {
    fn told(&self, _: &Connection, _: &[Party], _: &Campaign) -> Told {
        self.0
    }

    fn way(&self, _: &Recipient, _: &Stage, _: &Channel, _: DateTime<Utc>) -> Way {
        Way::Open
    }

    fn follow_up_way(
        &self,
        _: ConnectionKey,
        _: &Recipient,
        _: &Stage,
        _: &Channel,
        _: DateTime<Utc>,
    ) -> (i64, Way) {
        (0, Way::Open)
    }

    fn misinformed(&self, _: &Recipient, _: DateTime<Utc>) -> Vec<Channel> {
        Vec::new()
    }

    fn shown(&self, _: ConnectionKey, _: &str) -> usize {
        0
    }

    fn removals(&self, _: &Connection) -> &[PastRemoval] {
        &[]
    }

    fn in_xero(&self, _: &Connection) -> InXero {
        InXero::Unread
    }
}

impl Default for World {
    fn default() -> Self {
        let required = ["accounting.invoices", "accounting.contacts"];
        Self {
            campaign: Campaign {
                deadline: at("2027-09-12T12:00:00Z"),
                zone: chrono_tz::Pacific::Auckland,
                required: required.iter().map(|name| catalogue().find(name).unwrap()).collect(),
                working: WorkingTime {
                    days: vec![Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu],
                    from: NaiveTime::from_hms_opt(9, 0, 0).unwrap(),
                    until: NaiveTime::from_hms_opt(16, 0, 0).unwrap(),
                    holidays: BTreeSet::new(),
                },
                stages: vec![
                    stage("invitation", 270, &[Channel::Email], false),
                    stage(
                        "final-notice",
                        60,
                        &[Channel::Email, Channel::Webhook("product".into())],
                        true,
                    ),
                ],
            },
            prompts: PromptPolicy { max_per_address_per_day: 1, ..PromptPolicy::default() },
            removal: removal(),
            exemptions: Exemptions::default(),
            suppressed: BTreeSet::new(),
        }
    }
}

impl World {
    fn rules(&self, now: &str) -> Rules<'_> {
        Rules {
            campaign: &self.campaign,
            prompts: &self.prompts,
            removal: Some(&self.removal),
            exemptions: &self.exemptions,
            suppressed: &self.suppressed,
            hold_back_key: &[7; 32],
            correction: None,
            win_back: &[],
            planned: None,
            founded_at: at("2026-11-21T00:00:00Z"),
            now: at(now),
        }
    }

    fn decide(&self, now: &str, connections: &[Connection], told: Told) -> Outcome {
        let decision = self.rules(now).decide(connections, ScopeSet::EMPTY, &Open(told));
        let codes = |action| {
            decision
                .held_back
                .iter()
                .filter(|held| held.action == action)
                .flat_map(|held| held.reasons.iter().map(|reason| reason.code))
                .collect()
        };
        Outcome {
            prompts: decision
                .prompts
                .iter()
                .map(|line| {
                    format!("{} {} {}", line.stage.name, line.channel, line.party.recipient.key())
                })
                .collect(),
            removals: decision.removals.iter().map(|candidate| candidate.connection).collect(),
            prompt_codes: codes(Action::Prompt),
            removal_codes: codes(Action::Remove),
            waits_in: decision.waits_in,
        }
    }
}

#[derive(Debug, PartialEq)]
struct Outcome {
    prompts: Vec<String>,
    removals: Vec<ConnectionKey>,
    prompt_codes: Vec<Code>,
    removal_codes: Vec<Code>,
    waits_in: Vec<Tz>,
}

/// Told enough for a removal in the window.
fn told() -> Told {
    Told { stages: 2, final_notice: true, promise: Some(at("2027-08-20T00:00:00Z")) }
}

#[test]
fn everyone_responsible_is_prompted_once_by_each_channel_that_reaches_them() {
    let world = World::default();
    let mut one = connection(1);
    one.people = vec![person("jo@books.example"), person("JO@Books.example"), person("no address")];
    let outcome = world.decide(IN_INVITATION, std::slice::from_ref(&one), Told::default());
    assert_eq!(outcome.prompts, ["invitation email jo@books.example"]);
    let grant = format!("final-notice webhook:product grant:{}", one.facts.grant);
    let outcome = world.decide(IN_WINDOW, &[one], Told::default());
    assert_eq!(
        outcome.prompts,
        [
            grant.as_str(),
            "final-notice email jo@books.example",
            "final-notice webhook:product jo@books.example",
        ]
    );
}

#[test]
fn nothing_is_due_before_the_first_stage() {
    let outcome =
        World::default().decide("2026-12-01T01:00:00Z", &[connection(1)], Told::default());
    assert_eq!((outcome.prompts.len(), outcome.prompt_codes.len()), (0, 0));
}

#[test]
fn ready_unaffected_unknown_and_gone_connections_are_never_prompted_or_removed() {
    let world = World::default();
    for (readiness, class, presence) in [
        (Readiness::Ready, Class::Mixed, Presence::Present),
        (Readiness::Unaffected, Class::Unaffected, Presence::Present),
        (Readiness::Unknown, Class::Unknown, Presence::Present),
        (Readiness::Awaiting, Class::BroadOnly, Presence::Gone),
    ] {
        let mut one = connection(1);
        one.standing.readiness = readiness;
        one.standing.class = class;
        one.presence = presence;
        let outcome = world.decide(IN_WINDOW, &[one], told());
        assert_eq!(
            outcome,
            Outcome {
                prompts: vec![],
                removals: vec![],
                prompt_codes: vec![],
                removal_codes: vec![],
                waits_in: vec![],
            }
        );
    }
}

#[test]
fn every_bar_is_named_at_once() {
    let mut world = World::default();
    let until = at("2027-12-01T00:00:00Z");
    world.exemptions = Exemptions::in_force(
        [("ACME-7".to_owned(), until, "paying in full".to_owned())],
        at(IN_WINDOW),
    );
    let mut one = connection(1);
    one.presence = Presence::RowBad;
    one.standing.manual = true;
    let outcome = world.decide(IN_WINDOW, &[one], told());
    assert_eq!(outcome.prompt_codes, [Code::RowBad, Code::Manual, Code::Exempt]);
    assert_eq!(outcome.removal_codes, [Code::RowBad, Code::Manual, Code::Exempt]);
}

#[test]
fn an_exemption_reaches_a_connection_by_any_of_its_ids() {
    let one = connection(1);
    for id in [
        one.key.to_string(),
        one.facts.tenant.to_string(),
        one.facts.grant.to_string(),
        "ACME-7".to_owned(),
        "jo@books.example".to_owned(),
    ] {
        let mut world = World::default();
        let until = at(IN_INVITATION) + TimeDelta::microseconds(1);
        world.exemptions = Exemptions::in_force([(id, until, String::new())], at(IN_INVITATION));
        let outcome = world.decide(IN_INVITATION, std::slice::from_ref(&one), Told::default());
        assert_eq!(outcome.prompt_codes, [Code::Exempt]);
        let ended = Exemptions::in_force(
            [(one.key.to_string(), at(IN_INVITATION), String::new())],
            at(IN_INVITATION),
        );
        assert!(ended.is_empty());
    }
}

#[test]
fn a_practice_is_shown_beside_an_organisation_but_never_alone_and_never_removed() {
    let world = World::default();
    let mut practice = connection(2);
    practice.facts.tenant_type = Some("PRACTICE".into());
    let alone = world.decide(IN_INVITATION, &[practice.clone()], Told::default());
    assert_eq!((alone.prompts.len(), alone.prompt_codes), (0, vec![Code::NotAnOrganisation]));
    let beside = world.decide(IN_INVITATION, &[connection(1), practice.clone()], Told::default());
    assert_eq!(beside.prompts.len(), 2);
    let removal = world.decide(IN_WINDOW, &[practice], told());
    assert_eq!(removal.removal_codes, [Code::NotAnOrganisation]);
}

#[test]
fn a_connection_found_later_joins_at_the_next_stage_and_the_final_notice_takes_all() {
    let world = World::default();
    let mut late = connection(1);
    late.first_seen_at = at("2027-01-19T00:00:00Z");
    let outcome = world.decide(IN_INVITATION, &[late.clone()], Told::default());
    assert_eq!((outcome.prompts.len(), outcome.prompt_codes.len()), (0, 0));
    late.first_seen_at = at("2027-08-01T00:00:00Z");
    assert_eq!(world.decide(IN_WINDOW, &[late], Told::default()).prompts.len(), 2);
}

#[test]
fn nobody_is_written_to_at_night_or_past_only_to() {
    let mut world = World::default();
    let night = world.decide("2027-01-20T12:00:00Z", &[connection(1)], Told::default());
    assert_eq!((night.prompts.len(), night.prompt_codes), (0, vec![Code::OutsideHours]));
    assert_eq!(night.waits_in, [chrono_tz::Pacific::Auckland], "until the morning");
    world.prompts.only_to = vec!["*@acme.example".into()];
    let night = world.decide("2027-01-20T12:00:00Z", &[connection(1)], Told::default());
    assert_eq!(night.prompt_codes, [Code::OutsideHours, Code::OnlyTo]);
    assert!(night.waits_in.is_empty(), "the morning changes nothing");
    let outside = world.decide(IN_INVITATION, &[connection(1)], Told::default());
    assert_eq!(outside.prompt_codes, [Code::OnlyTo]);
    world.prompts.only_to = vec!["jo@books.example".into()];
    assert_eq!(world.decide(IN_INVITATION, &[connection(1)], Told::default()).prompts.len(), 1);
}

#[test]
fn somebody_without_an_address_is_unreachable_by_mail() {
    let mut one = connection(1);
    one.people = vec![person("")];
    let outcome = World::default().decide(IN_INVITATION, &[one], Told::default());
    assert_eq!(outcome.prompt_codes, [Code::Unreachable]);
}

#[test]
fn a_holdout_told_enough_is_a_candidate_and_each_missing_fact_holds_it_back() {
    type Change = fn(&mut Connection, &mut Told);
    let world = World::default();
    assert_eq!(world.decide(IN_WINDOW, &[connection(1)], told()).removals.len(), 1);
    let cases: [(Code, Change); 8] = [
        (Code::NoConnectionId, |one, _| one.facts.id = None),
        (Code::ClassNotNamed, |one, _| one.standing.class = Class::Mixed),
        (Code::SomeEvidenceReady, |one, _| one.standing.some_evidence_ready = true),
        (Code::Covered, |one, _| one.covered = true),
        (Code::Unreachable, |one, _| one.standing.reachable = false),
        (Code::TooFewPrompts, |_, told| told.stages = 1),
        (Code::NoFinalNotice, |_, told| told.final_notice = false),
        (Code::NoPromise, |_, told| told.promise = None),
    ];
    for (code, change) in cases {
        let (mut one, mut told) = (connection(1), told());
        change(&mut one, &mut told);
        let outcome = world.decide(IN_WINDOW, &[one], told);
        assert_eq!((outcome.removals.len(), outcome.removal_codes), (0, vec![code]));
    }
}

#[test]
fn whoever_was_forgotten_is_prompted_by_no_way_and_loses_no_connection() {
    let world = World::default();
    let mut one = connection(1);
    one.people[0].person.email = None;
    one.people[0].person.forgotten = Some("p-0123456789abcdef".to_owned());
    let outcome = world.decide(IN_WINDOW, &[one.clone()], told());
    assert_eq!((outcome.prompts.len(), outcome.removals.len()), (0, 0));
    assert_eq!(outcome.prompt_codes, [Code::Unreachable]);
    assert!(outcome.removal_codes.contains(&Code::Forgotten), "{:?}", outcome.removal_codes);
    // Nor does a colleague who was told everything make up for it.
    one.people.push(person("ann@books.example"));
    let outcome = world.decide(IN_WINDOW, &[one], told());
    assert_eq!((outcome.removals.len(), outcome.removal_codes), (0, vec![Code::Forgotten]));
    assert!(!outcome.prompts.is_empty(), "the colleague is told");
}

#[test]
fn nothing_is_removed_before_the_promise_outside_the_window_or_from_the_deadline_on() {
    let world = World::default();
    let promised = Told { promise: Some(at("2027-08-25T01:00:00.000001Z")), ..told() };
    assert_eq!(world.decide(IN_WINDOW, &[connection(1)], promised).removals.len(), 0);
    for now in ["2027-08-12T01:00:00Z", "2027-09-12T12:00:00Z", "2027-09-15T01:00:00Z"] {
        let outcome = world.decide(now, &[connection(1)], told());
        assert_eq!((outcome.removals.len(), outcome.removal_codes.len()), (0, 0), "{now}");
    }
}

#[test]
fn a_person_with_many_tenants_loses_the_least_used_first_and_the_rest_waits() {
    let mut world = World::default();
    let mut used = connection(1);
    used.facts.last_used_at = Some(at("2027-08-01T00:00:00Z"));
    let unused = connection(2);
    let both = [used, unused.clone()];
    let outcome = world.decide(IN_WINDOW, &both, told());
    assert_eq!(
        (outcome.removals, outcome.removal_codes),
        (vec![unused.key], vec![Code::PerPerson])
    );
    world.removal.per_person = PerPerson::All;
    assert_eq!(world.decide(IN_WINDOW, &both, told()).removals.len(), 2);
}

#[test]
fn a_suppressed_address_is_not_written_to_and_nobody_is_removed_unheard() {
    let world = World { suppressed: ["jo@books.example".to_owned()].into(), ..World::default() };
    let outcome = world.decide(IN_INVITATION, &[connection(1)], Told::default());
    assert_eq!((outcome.prompts.len(), outcome.prompt_codes), (0, vec![Code::Suppressed]));
    let outcome = world.decide(IN_WINDOW, &[connection(1)], told());
    assert_eq!((outcome.removals.len(), outcome.removal_codes), (0, vec![Code::Unreachable]));
}
