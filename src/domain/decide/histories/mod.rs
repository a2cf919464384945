//! Thousands of random histories, and a judge who knows nothing of the code: he reads what
//! was told, done and changed, event by event, and says by the words of the promise which
//! connections may be removed.
//!
//! A connection is removed only after everyone responsible was told at the required number of
//! stages, the final notice among them, and never before the latest promise. A notice counts
//! only for what it named: a connection made later, a scope required since, another deadline
//! make it void. No tenant is removed twice. From the deadline on nothing is removed.

mod generate;
mod judge;

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc, Weekday};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::domain::campaign::{Approval, WorkingTime};
use crate::domain::class::Class;
use crate::domain::connection::{Connection, Presence};
use crate::domain::example::{at, connection, person, removal, scopes, stage};
use crate::domain::grant::GrantId;
use crate::domain::ids::{ConnectionId, TenantId};
use crate::domain::removal::{Listed, PastRemoval, RemovalState};
use crate::domain::told::{Past, Telling};
use generate::story;

const PEOPLE: [&str; 3] = ["ann@books.example", "bob@books.example", "cat@books.example"];
const STAGES: [&str; 3] = ["invitation", "reminder", "final-notice"];
const DEADLINES: [&str; 2] = ["2027-09-12T12:00:00Z", "2027-08-30T12:00:00Z"];
const CREATED: [&str; 2] = ["2025-01-01T00:00:00Z", "2027-08-01T00:00:00Z"];
const REQUIRED: [&[&str]; 2] =
    [&["accounting.invoices"], &["accounting.invoices", "accounting.contacts"]];

/// Far longer than a real one, so that many a story falls into it.
const LEASE: TimeDelta = TimeDelta::days(20);

/// A message that went out, or did not.
#[derive(Clone, Debug)]
struct Message {
    to: usize,
    stage: usize,
    shows: usize,
    deadline: usize,
    required: usize,
    created: usize,
    promises: Option<i64>,
    sent: i64,
    counts: bool,
    /// It is known to have arrived, and has not come back.
    arrived: bool,
}

#[derive(Clone, Debug)]
struct Held {
    presence: Presence,
    readiness: Readiness,
    class: Class,
    some_evidence_ready: bool,
    manual: bool,
    covered: bool,
    organisation: bool,
    has_id: bool,
    /// Whether Xero lists it.
    listed: bool,
    created: usize,
    /// By Xero's list.
    made: Option<usize>,
    used: Option<i64>,
}

#[derive(Clone, Debug)]
struct Done {
    /// Whose tenant: a connection of the grant, or a stranger's.
    tenant: usize,
    /// Of that very connection.
    own: bool,
    same_person: bool,
    state: RemovalState,
    /// Days from the deadline's first date.
    day: i64,
    returned: bool,
}

#[derive(Clone, Debug)]
struct Story {
    people: BTreeSet<usize>,
    connections: Vec<Held>,
    messages: Vec<Message>,
    done: Vec<Done>,
    exempt: Option<usize>,
    exempt_is_over: bool,
    suppressed: BTreeSet<usize>,
    list_was_read: bool,
    planned: Option<BTreeSet<usize>>,
    deadline: usize,
    required: usize,
    min_prompts: u32,
    classes: Vec<Class>,
    covered_too: bool,
    one_each: bool,
    /// Hours from 40 days before the first deadline.
    hour: i64,
}

fn key(number: usize) -> ConnectionKey {
    ConnectionKey(Uuid::from_u128(number as u128 + 1))
}

fn tenant(number: usize) -> TenantId {
    TenantId(Uuid::from_u128(number as u128 + 1001))
}

fn day(day: i64) -> DateTime<Utc> {
    at(DEADLINES[0]) + TimeDelta::days(day)
}

impl Story {
    fn now(&self) -> DateTime<Utc> {
        day(-40) + TimeDelta::hours(self.hour)
    }

    fn campaign(&self) -> Campaign {
        Campaign {
            deadline: at(DEADLINES[self.deadline]),
            zone: chrono_tz::UTC,
            required: scopes(REQUIRED[self.required]),
            working: WorkingTime {
                days: std::iter::successors(Some(Weekday::Mon), |day| Some(day.succ()))
                    .take(7)
                    .collect(),
                from: NaiveTime::from_hms_opt(6, 0, 0).unwrap(),
                until: NaiveTime::from_hms_opt(18, 0, 0).unwrap(),
                holidays: BTreeSet::new(),
            },
            stages: vec![
                stage(STAGES[0], 270, &[Channel::Email], false),
                stage(STAGES[1], 150, &[Channel::Email], false),
                stage(STAGES[2], 60, &[Channel::Email], true),
            ],
        }
    }

    fn policy(&self) -> RemovalPolicy {
        RemovalPolicy {
            classes: self.classes.clone(),
            min_prompts: Some(self.min_prompts),
            approval: Approval::One,
            per_person: if self.one_each { PerPerson::One } else { PerPerson::All },
            covered: self.covered_too,
            ..removal()
        }
    }

    fn grant(&self) -> Vec<Connection> {
        let people: Vec<_> = self.people.iter().map(|number| person(PEOPLE[*number])).collect();
        let one = |(number, held): (usize, &Held)| {
            let mut one = connection(number as u128 + 1);
            one.key = key(number);
            one.facts.tenant = tenant(number);
            one.facts.id = held.has_id.then_some(ConnectionId(one.key.0));
            one.facts.connected_at = Some(at(CREATED[held.created]));
            one.facts.last_used_at = held.used.map(day);
            if !held.organisation {
                one.facts.tenant_type = Some("PRACTICE".to_owned());
            }
            one.presence = held.presence;
            one.covered = held.covered;
            one.standing.class = held.class;
            one.standing.readiness = held.readiness;
            one.standing.some_evidence_ready = held.some_evidence_ready;
            one.standing.manual = held.manual;
            one.people = people.clone();
            one
        };
        self.connections.iter().enumerate().map(one).collect()
    }

    fn past(&self) -> Past {
        let mut past = Past::new(1);
        // What did not arrive is not among the tellings that the store gives.
        for message in self.messages.iter().filter(|message| message.arrived) {
            past.add_telling(
                key(message.shows),
                Telling {
                    recipient: PEOPLE[message.to].to_owned(),
                    stage: STAGES[message.stage].to_owned(),
                    deadline: at(DEADLINES[message.deadline]),
                    required: scopes(REQUIRED[message.required]),
                    connected_at: Some(at(CREATED[message.created])),
                    removal_from: message.promises.map(day),
                    is_notice: message.counts,
                    sent_at: day(message.sent),
                },
            );
        }
        let own = self.grant()[0].facts.grant;
        for (number, done) in self.done.iter().enumerate() {
            let stranger = ConnectionKey(Uuid::from_u128(5000 + number as u128));
            past.add_removal(PastRemoval {
                connection: if done.own { key(done.tenant) } else { stranger },
                tenant: tenant(done.tenant),
                grant: if done.same_person { own } else { GrantId(Uuid::from_u128(7)) },
                people: Vec::new(),
                state: done.state,
                until: day(done.day) + LEASE,
                settled_at: Some(day(done.day)),
                crossed_at: None,
                back_at: None,
                returned_at: done.returned.then(|| day(done.day)),
            });
        }
        if self.list_was_read {
            let listed = self.connections.iter().enumerate().filter(|(_, held)| held.listed);
            let listed = listed.map(|(number, held)| {
                let id = ConnectionId(key(number).0);
                let created_at = held.made.map(|made| at(CREATED[made]));
                (key(number), Listed { id, created_at, updated_at: None })
            });
            past.set_listed(listed.collect());
        }
        past
    }

    fn decided(&self) -> BTreeSet<ConnectionKey> {
        let (campaign, policy) = (self.campaign(), self.policy());
        let prompts = PromptPolicy::default();
        let until = if self.exempt_is_over { self.now() } else { self.now() + TimeDelta::days(1) };
        let exempt = self.exempt.map(|number| (tenant(number).to_string(), until, String::new()));
        let exemptions = Exemptions::in_force(exempt, self.now());
        let suppressed = self.suppressed.iter().map(|number| PEOPLE[*number].to_owned()).collect();
        let planned: Option<BTreeSet<ConnectionKey>> =
            self.planned.as_ref().map(|planned| planned.iter().map(|one| key(*one)).collect());
        let rules = Rules {
            campaign: &campaign,
            prompts: &prompts,
            removal: Some(&policy),
            exemptions: &exemptions,
            suppressed: &suppressed,
            correction: None,
            win_back: &[],
            planned: planned.as_ref(),
            founded_at: at("2026-01-01T00:00:00Z"),
            hold_back_key: &[7; 32],
            now: self.now(),
        };
        let decision = rules.removals_now(&self.grant(), &self.past());
        decision.removals.into_iter().map(|candidate| candidate.connection).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6000, ..ProptestConfig::default() })]

    #[test]
    fn no_history_leads_to_a_removal_that_breaks_the_promise(story in story()) {
        prop_assert_eq!(story.decided(), story.judged());
    }
}

#[test]
fn many_of_the_histories_lead_to_a_removal() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let stories = (0..1000).map(|_| story().new_tree(&mut runner).unwrap().current());
    let removing = stories.filter(|story| !story.judged().is_empty()).count();
    assert!(removing > 100, "{removing} of 1000");
}
