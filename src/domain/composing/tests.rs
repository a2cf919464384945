//! What one message shows and which dates it names.

use std::collections::BTreeSet;

use chrono::{NaiveDate, Weekday};

use super::*;
use crate::domain::campaign::{
    Approval, Campaign, Channel, PerPerson, PromptPolicy, RemovalPolicy, Stage, StageDay,
    WorkingTime,
};
use crate::domain::class::Class;
use crate::domain::connection::{Facts, Presence, Standing};
use crate::domain::grant::{ConnectionKey, Readiness};
use crate::domain::ids::{ConnectionId, TenantId};
use crate::domain::recipient::{Exemptions, Recipient};
use crate::domain::scopes::{ScopeSet, catalogue};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

struct World {
    campaign: Campaign,
    prompts: PromptPolicy,
    removal: RemovalPolicy,
    exemptions: Exemptions,
    suppressed: BTreeSet<String>,
}

fn scopes(names: &[&str]) -> ScopeSet {
    names.iter().map(|name| catalogue().find(name).unwrap()).collect()
}

fn world() -> World {
    let stage = |name: &str, is_final| Stage {
        name: name.into(),
        day: StageDay::Before(60),
        channels: vec![Channel::Email],
        template: name.into(),
        is_final,
    };
    World {
        campaign: Campaign {
            deadline: at("2027-09-12T12:00:00Z"),
            zone: chrono_tz::Pacific::Auckland,
            required: scopes(&["offline_access", "accounting.invoices"]),
            working: WorkingTime {
                days: vec![Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu],
                from: NaiveTime::from_hms_opt(9, 0, 0).unwrap(),
                until: NaiveTime::from_hms_opt(16, 0, 0).unwrap(),
                holidays: BTreeSet::new(),
            },
            stages: vec![stage("reminder", false), stage("final-notice", true)],
        },
        prompts: PromptPolicy::default(),
        removal: RemovalPolicy {
            enabled: true,
            opens_days_before: Some(30),
            classes: vec![Class::BroadOnly],
            min_prompts: Some(2),
            min_notice_days: Some(21),
            approval: Approval::One,
            approvers: Vec::new(),
            plan_valid_days: 7,
            per_person: PerPerson::One,
            wait_days: 7,
            max_inventory_age_minutes: 15,
            max_per_run: None,
            max_per_day: None,
            max_percent: None,
            ramp: Vec::new(),
            covered: false,
        },
        exemptions: Exemptions::default(),
        suppressed: BTreeSet::new(),
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
            correction: None,
            founded_at: at("2026-01-01T00:00:00Z"),
            now: at(now),
        }
    }

    fn about(&self, number: u128, grant: u128, shown: usize, used: Option<&str>) -> About<'_> {
        let key = ConnectionKey(Uuid::from_u128(number));
        let used = used.map(at);
        About {
            line: PromptLine {
                stage: &self.campaign.stages[1],
                party: Party {
                    recipient: Recipient::Address("Jo@a.example".parse().unwrap()),
                    zone: (number == 2).then_some(chrono_tz::Europe::London),
                    name: None,
                    locale: None,
                },
                channel: Channel::Email,
                connection: key,
                missing: scopes(&["accounting.invoices"]),
                last_used_at: used,
                shown,
            },
            connection: Connection {
                key,
                facts: Facts {
                    id: Some(ConnectionId(key.0)),
                    grant: GrantId(Uuid::from_u128(grant)),
                    tenant: TenantId(Uuid::from_u128(number + 1000)),
                    tenant_name: Some(format!("Tenant {number}")),
                    tenant_type: None,
                    account: None,
                    auth_event: None,
                    flow: None,
                    connected_at: None,
                    updated_at: None,
                    last_used_at: used,
                    required: (number == 3).then(|| scopes(&["accounting.payments"])),
                    evidence: Vec::new(),
                    doubt: None,
                },
                presence: Presence::Present,
                standing: Standing {
                    class: Class::BroadOnly,
                    readiness: Readiness::Awaiting,
                    some_evidence_ready: false,
                    token_behind: false,
                    manual: false,
                    reachable: true,
                },
                covered: false,
                first_seen_at: at("2026-01-01T00:00:00Z"),
                absent_since: None,
                people: Vec::new(),
            },
        }
    }
}

const JULY: &str = "2027-07-20T01:00:00Z";

fn numbers(digest: &Digest) -> Vec<u128> {
    digest.connections().map(|connection| connection.key.0.as_u128()).collect()
}

#[test]
fn a_list_is_cut_and_what_was_cut_comes_first_the_next_time() {
    let world = world();
    let rules = world.rules(JULY);
    let about = |shown: [usize; 3]| {
        let used = Some("2027-07-01T00:00:00Z");
        vec![
            world.about(1, 91, shown[0], None),
            world.about(2, 92, shown[1], used),
            world.about(3, 93, shown[2], None),
        ]
    };
    let first = rules.digest(Uuid::nil(), about([0, 0, 0]), None, 2).unwrap();
    assert_eq!((numbers(&first), first.not_shown), (vec![2, 1], 1));
    let next = rules.digest(Uuid::nil(), about([1, 1, 0]), None, 2).unwrap();
    assert_eq!((numbers(&next), next.not_shown), (vec![3, 2], 1));
    assert_eq!(rules.digest(Uuid::nil(), Vec::new(), None, 2), None);
}

#[test]
fn each_grant_has_one_link_that_asks_for_all_that_its_connections_need() {
    let world = world();
    let about =
        vec![world.about(1, 9, 0, None), world.about(3, 9, 0, None), world.about(4, 4, 0, None)];
    let digest = world.rules(JULY).digest(Uuid::nil(), about, None, 100).unwrap();
    let grants: Vec<(&str, usize, bool)> = digest
        .grants
        .iter()
        .map(|grant| (grant.scopes.as_str(), grant.connections.len(), grant.user.is_some()))
        .collect();
    assert_eq!(
        grants,
        [
            ("accounting.invoices accounting.payments offline_access", 2, true),
            ("accounting.invoices offline_access", 1, false),
        ]
    );
}

#[test]
fn the_zone_that_any_of_the_rows_gives_counts() {
    let world = world();
    let about = vec![world.about(1, 9, 0, None), world.about(2, 9, 0, None)];
    let digest = world.rules("2027-07-20T09:30:00Z").digest(Uuid::nil(), about, None, 9).unwrap();
    assert_eq!(digest.zone, chrono_tz::Europe::London);
    // 09:00 summer time in London.
    assert_eq!(digest.dated, at("2027-07-20T08:00:00Z"));
}

#[test]
fn a_notice_lasts_its_whole_days_counted_from_the_sending_in_the_recipients_own_days() {
    let mut world = world();
    world.removal.opens_days_before = Some(60);
    let zone = chrono_tz::Pacific::Auckland;
    // Sent on Tuesday 20 July at 13:00; 21 whole days end on 10 August at 13:00.
    let from = world.rules(JULY).removal_from(zone).unwrap();
    assert_eq!(
        from.with_timezone(&zone).date_naive(),
        NaiveDate::from_ymd_opt(2027, 8, 11).unwrap()
    );
    assert!(from - at(JULY) >= TimeDelta::days(21));
    // Not before the window opens, however early the notice was.
    world.removal.opens_days_before = Some(30);
    let from = world.rules(JULY).removal_from(zone).unwrap();
    assert_eq!(from, world.rules(JULY).removal_window().unwrap().0);
}

#[test]
fn a_final_notice_threatens_nothing_where_nothing_can_be_removed() {
    let mut world = world();
    let zone = chrono_tz::Pacific::Auckland;
    // 21 days from here are past the deadline.
    assert_eq!(world.rules("2027-08-24T01:00:00Z").removal_from(zone), None);
    world.removal.enabled = false;
    assert_eq!(world.rules(JULY).removal_from(zone), None);
    let about = vec![world.about(1, 9, 0, None)];
    let digest = world.rules(JULY).digest(Uuid::nil(), about, None, 9).unwrap();
    assert_eq!((digest.is_final, digest.removal_from), (true, None));
}

#[test]
fn a_link_lasts_to_the_deadline_and_sixty_days_after_it() {
    let world = world();
    let digest = |now: &str| {
        let about = vec![world.about(1, 9, 0, None)];
        world.rules(now).digest(Uuid::nil(), about, None, 9).unwrap()
    };
    assert_eq!(digest(JULY).links_until, world.campaign.deadline);
    let late = digest("2027-09-15T01:00:00Z");
    assert_eq!(late.links_until, late.dated + TimeDelta::days(60));
}
