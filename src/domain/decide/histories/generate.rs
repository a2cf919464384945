//! How a story comes about.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Done, Held, Message, PEOPLE, STAGES, Story};
use crate::domain::class::Class;
use crate::domain::connection::Presence;
use crate::domain::grant::Readiness;
use crate::domain::removal::RemovalState;

fn message() -> impl Strategy<Value = Message> {
    (
        (0..PEOPLE.len(), 0..STAGES.len(), 0..3usize),
        (weighted_index(), weighted_index(), weighted_index()),
        (prop::option::weighted(0.8, -40..5i64), -70..-5i64, prop::bool::weighted(0.9)),
        prop::bool::weighted(0.9),
    )
        .prop_map(
            |((to, stage, shows), (deadline, required, created), (day, sent, counts), arrived)| {
                // A stage that was the final notice once may have promised as well.
                let promises = day.filter(|_| stage > 0);
                Message {
                    to,
                    stage,
                    shows,
                    deadline,
                    required,
                    created,
                    promises,
                    sent,
                    counts,
                    arrived,
                }
            },
        )
}

fn weighted_index() -> impl Strategy<Value = usize> {
    prop_oneof![7 => Just(0usize), 1 => Just(1usize)]
}

fn held() -> impl Strategy<Value = Held> {
    let presence = prop_oneof![
        9 => Just(Presence::Present),
        1 => Just(Presence::RowBad),
        1 => Just(Presence::Removed)
    ];
    let readiness = prop_oneof![
        9 => Just(Readiness::Awaiting),
        1 => Just(Readiness::Ready),
        1 => Just(Readiness::Unknown),
        1 => Just(Readiness::Unaffected)
    ];
    let class = prop_oneof![8 => Just(Class::BroadOnly), 1 => Just(Class::Mixed)];
    let rare = || prop::bool::weighted(0.06);
    (
        (presence, readiness, class),
        (rare(), rare(), rare(), prop::bool::weighted(0.95)),
        (
            prop::bool::weighted(0.95),
            prop::bool::weighted(0.93),
            weighted_index(),
            prop::option::of(weighted_index()),
        ),
        prop::option::of(-60..0i64),
    )
        .prop_map(
            |(
                (presence, readiness, class),
                (some_evidence_ready, manual, covered, organisation),
                (has_id, listed, created, made),
                used,
            )| Held {
                presence,
                readiness,
                class,
                some_evidence_ready,
                manual,
                covered,
                organisation,
                has_id,
                listed,
                created,
                made,
                used,
            },
        )
}

fn done() -> impl Strategy<Value = Done> {
    (
        (0..4usize, prop::bool::weighted(0.3)),
        any::<bool>(),
        prop::sample::select(RemovalState::ALL.to_vec()),
        -50..0i64,
        any::<bool>(),
    )
        .prop_map(|((tenant, own), same_person, state, day, returned)| Done {
            tenant,
            own,
            same_person: own || same_person,
            state,
            day,
            returned,
        })
}

/// Most people are told of most things, so that many a connection may be removed; the rest is
/// what goes wrong.
pub(super) fn story() -> impl Strategy<Value = Story> {
    let world = (
        prop::collection::btree_set(0..PEOPLE.len(), 1..=3),
        prop::collection::vec(held(), 1..4),
        prop::collection::vec(message(), 0..4),
        prop::collection::vec(message(), 0..30),
        prop_oneof![3 => Just(Vec::new()), 2 => prop::collection::vec(done(), 1..3)],
    );
    let people = (
        prop::option::weighted(0.15, 0..3usize),
        any::<bool>(),
        prop_oneof![
            4 => Just(BTreeSet::new()),
            1 => prop::collection::btree_set(0..PEOPLE.len(), 1..3)
        ],
        prop::bool::weighted(0.8),
        prop::option::weighted(0.3, prop::collection::btree_set(0..3usize, 0..4)),
    );
    let policy = (
        (weighted_index(), weighted_index(), 0..4u32),
        (any::<bool>(), any::<bool>(), any::<bool>()),
        hour(),
        // Everybody is told everything, but for a few lapses.
        (prop::bool::weighted(0.8), lapses()),
    );
    (world, people, policy).prop_map(
        |(
            (people, connections, few, many, done),
            (exempt, exempt_is_over, suppressed, list_was_read, planned),
            (
                (deadline, required, min_prompts),
                (mixed_too, covered_too, one_each),
                hour,
                (all_told, lapses),
            ),
        )| {
            let mut messages = if all_told { few } else { many };
            if all_told {
                messages.extend(everyone(&people, connections.len(), deadline, required));
                for lapse in lapses {
                    messages.remove(lapse % messages.len());
                }
            }
            let classes = if mixed_too {
                vec![Class::BroadOnly, Class::Mixed]
            } else {
                vec![Class::BroadOnly]
            };
            Story {
                people,
                connections,
                messages,
                done,
                exempt,
                exempt_is_over,
                suppressed,
                list_was_read,
                planned,
                deadline,
                required,
                min_prompts,
                classes,
                covered_too,
                one_each,
                hour,
            }
        },
    )
}

/// Mostly when the window is open and somebody is at work, which is from six hours after the
/// deadline's own hour of the day on.
fn hour() -> impl Strategy<Value = i64> {
    let open = (18..38i64, 18..30i64).prop_map(|(day, hour)| 24 * day + hour);
    prop_oneof![3 => open, 1 => 0..(45 * 24i64)]
}

fn lapses() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![3 => Just(Vec::new()), 2 => prop::collection::vec(any::<usize>(), 1..4)]
}

/// Everybody is told of everything at each stage, for what is asked now.
fn everyone(
    people: &BTreeSet<usize>,
    connections: usize,
    deadline: usize,
    required: usize,
) -> Vec<Message> {
    let mut messages = Vec::new();
    for to in people {
        for shows in 0..connections {
            for stage in 0..STAGES.len() {
                let promises = (stage == 2).then_some(-20);
                messages.push(Message {
                    to: *to,
                    stage,
                    shows,
                    deadline,
                    required,
                    created: 0,
                    promises,
                    sent: -70,
                    counts: true,
                    arrived: true,
                });
            }
        }
    }
    messages
}
