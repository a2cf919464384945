//! Random stories of an inventory: what its host does to it from one scan to the next.

use std::collections::BTreeSet;

use proptest::prelude::*;
use worker::inventory::Column;

use super::inventory::id;
use super::line::{BROAD, GRANULAR, Line, MIXED, READY, UNAFFECTED, token};
use super::world::start;

const SLOTS: usize = 7;
/// The day in November of a consent after a removal.
const LATE: u32 = 30;
const TENANTS: std::ops::Range<usize> = 1..5;
const USERS: std::ops::Range<usize> = 1..4;
const TEXTS: [&str; 8] = [
    BROAD,
    MIXED,
    GRANULAR,
    READY,
    UNAFFECTED,
    "",
    "accounting.settings",
    "offline_access accounting.transactions accounting.settings accounting.invoices",
];

/// What the rows of a connection have in common.
#[derive(Clone, Debug)]
pub struct Facts {
    tenant: usize,
    has_id: bool,
    user: Option<usize>,
    text: usize,
    day: Option<u32>,
    token: Option<(usize, usize, i64)>,
    flow: &'static str,
    required: &'static str,
    tenant_name: &'static str,
}

/// What is wrong with the rows of a connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    Differ,
    /// A bad row beside the good ones, naming the connection.
    Beside,
    /// All rows are bad, and name it.
    Instead,
    /// The last row names only the tenant.
    OnlyTenant,
    /// The last row names nothing.
    Nameless,
}

#[derive(Clone, Debug)]
pub enum Deed {
    Connect(usize, Facts, Vec<usize>),
    Disconnect(usize),
    /// Back as it was.
    Return(usize),
    Change(usize, Facts),
    People(usize, Vec<usize>),
    Consent(usize, usize),
    Repeat(usize),
    Spoil(usize, Fault),
    Litter(usize),
    MendAll,
    Turn(usize),
    /// The worker removes it.
    Remove(usize),
    /// Its person consents once more, after any removal.
    ConsentAgain(usize, usize),
}

fn facts() -> impl Strategy<Value = Facts> {
    (
        (TENANTS, prop::bool::weighted(0.85), prop::option::weighted(0.8, USERS)),
        (0..TEXTS.len(), prop::option::weighted(0.4, 1..4u32)),
        prop::option::weighted(0.2, (USERS, 0..TEXTS.len(), 1..4i64)),
        prop::sample::select(vec!["", "", "web", "custom"]),
        prop::sample::select(vec!["", "", "", "accounting.payments", "accounting.settings"]),
        prop::sample::select(vec!["", "Ātea"]),
    )
        .prop_map(
            |((tenant, has_id, user), (text, day), token, flow, required, tenant_name)| Facts {
                tenant,
                has_id,
                user,
                text,
                day,
                token,
                flow,
                required,
                tenant_name,
            },
        )
}

fn people() -> impl Strategy<Value = Vec<usize>> {
    prop::sample::subsequence(vec![0, 1, 2, 3], 1..=3)
}

fn deed() -> impl Strategy<Value = Deed> {
    let fault = prop::sample::select(vec![
        Fault::Differ,
        Fault::Beside,
        Fault::Instead,
        Fault::OnlyTenant,
        Fault::Nameless,
    ]);
    prop_oneof![
        6 => (0..SLOTS, facts(), people()).prop_map(|(n, facts, who)| Deed::Connect(n, facts, who)),
        3 => (0..SLOTS).prop_map(Deed::Disconnect),
        3 => (0..SLOTS).prop_map(Deed::Return),
        2 => (0..SLOTS, facts()).prop_map(|(n, facts)| Deed::Change(n, facts)),
        2 => (0..SLOTS, people()).prop_map(|(n, people)| Deed::People(n, people)),
        2 => (0..SLOTS, 0..TEXTS.len()).prop_map(|(n, text)| Deed::Consent(n, text)),
        1 => (0..SLOTS).prop_map(Deed::Repeat),
        2 => (0..SLOTS, fault).prop_map(|(n, fault)| Deed::Spoil(n, fault)),
        1 => (0..3usize).prop_map(Deed::Litter),
        2 => Just(Deed::MendAll),
        1 => (0..20usize).prop_map(Deed::Turn),
        2 => (0..SLOTS).prop_map(Deed::Remove),
        2 => (0..SLOTS, 0..TEXTS.len()).prop_map(|(n, text)| Deed::ConsentAgain(n, text)),
    ]
}

/// A story: before each scan, some deeds.
pub fn story() -> impl Strategy<Value = Vec<Vec<Deed>>> {
    let beginning = prop::collection::vec((facts(), people()), 0..SLOTS).prop_map(|all| {
        let connect = |(slot, (facts, people))| Deed::Connect(slot, facts, people);
        all.into_iter().enumerate().map(connect).collect::<Vec<_>>()
    });
    let middle = prop::collection::vec(prop::collection::vec(deed(), 1..4), 1..7);
    (beginning, middle).prop_map(|(beginning, mut scans)| {
        scans.insert(0, beginning);
        scans.push(vec![Deed::MendAll]);
        scans
    })
}

#[derive(Clone, Debug)]
struct Slot {
    facts: Facts,
    people: Vec<usize>,
    is_away: bool,
    repeated: bool,
    fault: Option<Fault>,
}

/// The inventory at one moment of a story.
#[derive(Debug, Default)]
pub struct Host {
    slots: [Option<Slot>; SLOTS],
    /// Connections that are to be removed, and those that are and have not come back: by their
    /// slots.
    pub doomed: BTreeSet<usize>,
    pub removed: BTreeSet<usize>,
    litter: Vec<usize>,
    turn: usize,
}

impl Host {
    pub fn act(&mut self, deed: &Deed) {
        match deed.clone() {
            Deed::Connect(slot, facts, people) => {
                let new = Slot { facts, people, is_away: false, repeated: false, fault: None };
                self.slots[slot] = Some(new);
            }
            Deed::Disconnect(slot) => self.at(slot, |slot| slot.is_away = true),
            Deed::Return(slot) => self.at(slot, |slot| slot.is_away = false),
            Deed::Litter(number) => self.litter.push(number),
            Deed::Turn(by) => self.turn = by,
            Deed::MendAll => {
                self.litter.clear();
                for slot in self.slots.iter_mut().flatten() {
                    slot.fault = None;
                }
            }
            Deed::Change(slot, facts) => self.at(slot, |slot| slot.facts = facts),
            Deed::People(slot, people) => self.at(slot, |slot| slot.people = people),
            Deed::Consent(slot, text) => self.at(slot, |slot| slot.facts.text = text),
            Deed::Repeat(slot) => self.at(slot, |slot| slot.repeated ^= true),
            // What bad rows do to a removed connection is a test of its own.
            Deed::Spoil(slot, _) if self.removed.contains(&slot) => {}
            Deed::Spoil(slot, fault) => self.at(slot, |slot| slot.fault = Some(fault)),
            Deed::Remove(slot) => drop(self.doomed.insert(slot)),
            Deed::ConsentAgain(slot, text) => self.at(slot, |slot| {
                slot.facts.text = text;
                slot.facts.day = Some(LATE);
            }),
        }
    }

    /// Whether its row shows a consent that is later than every removal.
    pub fn is_new(&self, slot: usize) -> bool {
        let slot = self.slots[slot].as_ref().filter(|slot| !slot.is_away && slot.facts.has_id);
        slot.is_some_and(|slot| slot.facts.day == Some(LATE) && !TEXTS[slot.facts.text].is_empty())
    }

    /// Whether its row is bad in any way.
    pub fn is_spoilt(&self, slot: usize) -> bool {
        self.slots[slot].as_ref().is_some_and(|slot| slot.fault.is_some())
    }

    fn at(&mut self, slot: usize, change: impl FnOnce(&mut Slot)) {
        if let Some(slot) = &mut self.slots[slot] {
            change(slot);
        }
    }

    pub fn lines(&self) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        for (number, slot) in self.slots.iter().enumerate() {
            if let Some(slot) = slot.as_ref().filter(|slot| !slot.is_away) {
                lines.extend(rows(number, slot));
            }
        }
        for number in &self.litter {
            lines.push(Line::default().with(Column::TenantId, format!("litter {number}")));
        }
        if !lines.is_empty() {
            let by = self.turn % lines.len();
            lines.rotate_left(by);
        }
        lines
    }
}

fn rows(number: usize, slot: &Slot) -> Vec<Line> {
    let facts = &slot.facts;
    let mut base = Line::default()
        .with(Column::TenantId, id("a", facts.tenant))
        .with(Column::Scopes, TEXTS[facts.text])
        .with(Column::Flow, facts.flow)
        .with(Column::RequiredScopes, facts.required)
        .with(Column::TenantName, facts.tenant_name);
    if facts.has_id {
        base = base.with(Column::ConnectionId, id("c", number));
    }
    if let Some(user) = facts.user {
        base = base.with(Column::XeroUserId, id("d", user));
    }
    if let Some(day) = facts.day {
        base = base.with(Column::EvidenceAt, format!("2026-11-{day:02}T00:00:00.5Z"));
    }
    if let Some((user, text, day)) = facts.token {
        let at = start().timestamp() - 86_400 * day;
        base = base.with(Column::AccessToken, token(&id("d", user), TEXTS[text], at));
    }
    let mut rows: Vec<Line> = slot
        .people
        .iter()
        .map(|person| match person {
            0 => base.clone().with(Column::Name, "Nobody"),
            1 => base.clone().with(Column::Email, "not an address").with(Column::TimeZone, "Mars"),
            other => base.clone().with(Column::Email, format!("person{other}@example.com")),
        })
        .collect();
    if slot.repeated {
        rows.push(rows[0].clone());
    }
    let last = rows.len() - 1;
    let pigeon = |row: &Line| row.clone().with(Column::Flow, "pigeon");
    match slot.fault {
        None => {}
        Some(Fault::Differ) => {
            let odd = base.with(Column::Email, "odd@example.com").with(Column::AccountId, "odd");
            rows.push(odd);
        }
        Some(Fault::Beside) => rows.push(pigeon(&rows[last])),
        Some(Fault::Instead) => rows = rows.iter().map(pigeon).collect(),
        Some(Fault::OnlyTenant) => {
            rows[last] = pigeon(&rows[last]).with(Column::ConnectionId, "broken");
        }
        Some(Fault::Nameless) => {
            rows[last] = rows[last]
                .clone()
                .with(Column::TenantId, "broken")
                .without(Column::ConnectionId)
                .without(Column::XeroUserId);
        }
    }
    rows
}
