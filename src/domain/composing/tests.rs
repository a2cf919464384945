//! What one message shows and which dates it names.

use std::collections::BTreeSet;

use chrono::{NaiveDate, Weekday};

use super::*;
use crate::domain::campaign::{Campaign, Channel, PromptPolicy, RemovalPolicy, WorkingTime};
use crate::domain::example::{self, at, removal, scopes, stage};
use crate::domain::grant::ConnectionKey;
use crate::domain::recipient::{Exemptions, Recipient};

struct World {
    campaign: Campaign,
    prompts: PromptPolicy,
    removal: RemovalPolicy,
    exemptions: Exemptions,
    suppressed: BTreeSet<String>,
}

fn world() -> World {
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
            stages: vec![
                stage("reminder", 60, &[Channel::Email], false),
                stage("final-notice", 60, &[Channel::Email], true),
            ],
        },
        prompts: PromptPolicy::default(),
        removal: removal(),
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
            hold_back_key: &[7; 32],
            correction: None,
            win_back: &[],
            planned: None,
            founded_at: at("2026-01-01T00:00:00Z"),
            now: at(now),
        }
    }

    fn about(&self, number: u128, grant: u128, shown: usize, used: Option<&str>) -> About<'_> {
        let key = ConnectionKey(Uuid::from_u128(number));
        let used = used.map(at);
        let mut connection = example::connection(number);
        connection.facts.grant = GrantId(Uuid::from_u128(grant));
        connection.facts.tenant_name = Some(format!("Tenant {number}"));
        connection.facts.last_used_at = used;
        connection.facts.required = (number == 3).then(|| scopes(&["accounting.payments"]));
        About {
            line: PromptLine {
                connected_at: None,
                wave: 0,
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
            connection,
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
    // E30
    let world = world();
    let digest = |now: &str| {
        let about = vec![world.about(1, 9, 0, None)];
        world.rules(now).digest(Uuid::nil(), about, None, 9).unwrap()
    };
    assert_eq!(digest(JULY).links_until, world.campaign.deadline);
    let late = digest("2027-09-15T01:00:00Z");
    assert_eq!(late.links_until, late.dated + TimeDelta::days(60));
}
