//! From what a simulated worker recorded, and what its world saw, to a calendar.

use std::collections::HashMap;

use serde_json::Value;

use crate::config::Config;
use crate::domain::audit::{Entry, Kind};
use crate::domain::pseudonym::pseudonym;
use crate::jobs::reporting::{About, gather};
use crate::report::calendar::{self, Course, Ending, Event};
use crate::store;

use super::play::Play;
use super::world::World;

/// How people are named.
pub struct Names<'a> {
    key: &'a [u8; 32],
    /// By pseudonym, where addresses may be shown.
    addresses: HashMap<String, String>,
}

impl<'a> Names<'a> {
    /// By pseudonym, or by address where `is_shown`.
    #[must_use]
    pub fn of(world: &World, key: &'a [u8; 32], is_shown: bool) -> Self {
        let shown = world.names().filter(|_| is_shown);
        let addresses = shown.map(|name| (pseudonym(key, name), name.to_owned())).collect();
        Self { key, addresses }
    }

    fn of_pseudonym(&self, name: &str) -> String {
        self.addresses.get(name).cloned().unwrap_or_else(|| name.to_owned())
    }

    fn of_person(&self, person: &str) -> Option<String> {
        (!person.is_empty()).then(|| self.of_pseudonym(&pseudonym(self.key, person)))
    }
}

/// The course that a played campaign took, from the end of the record that it began with.
///
/// # Errors
/// The database cannot be used.
pub async fn course(
    play: &mut Play<'_>,
    config: &Config,
    after: i64,
    names: &Names<'_>,
    is_shown: bool,
) -> Result<Course, store::Error> {
    let store = &play.workplace.store;
    let mut calendar = events(&store.audit_after(after).await?, names);
    let happened = play.shared.world().happened().to_vec();
    calendar.extend(happened.iter().map(|happening| Event {
        at: happening.at,
        what: "customer",
        about: Some(happening.what.to_owned()),
        whom: names.of_person(&happening.person),
        connections: None,
    }));
    calendar.sort_by(|a, b| {
        let key = |event: &Event| (event.at, event.what, event.about.clone(), event.whom.clone());
        key(a).cmp(&key(b))
    });
    let zone = config.campaign.zone;
    let tally = store.tally().await?;
    let about = About { is_shown, since: None, what_if: &[] };
    let report = gather(config, store, play.until, &about).await?;
    let ending = Ending {
        connections: tally.connections,
        ready: tally.ready,
        awaiting: tally.awaiting,
        ready_percent: crate::report::progress::ready_percent(&tally),
        ready_percent_at_deadline: play.ready_at_deadline,
        removed: tally.removed,
        returned: tally.returned,
        gone: tally.gone,
        messages: calendar::messages(&calendar),
    };
    Ok(Course {
        ending,
        stages: calendar::stages(&calendar, zone),
        stopped: std::mem::take(&mut play.stopped),
        days: calendar::days(&calendar, zone),
        calendar,
        report,
        at_first: play.at_first.take(),
    })
}

/// What of the record stands in a calendar.
fn events(entries: &[Entry], names: &Names<'_>) -> Vec<Event> {
    let mut shown: HashMap<&str, u64> = HashMap::new();
    let mut events = Vec::new();
    for entry in entries {
        let Some(kind) = Kind::parse(&entry.kind) else { continue };
        let detail: Value = serde_json::from_str(&entry.detail).unwrap_or_default();
        let subject = entry.subject.as_deref().unwrap_or_default();
        let text = |name: &str| detail[name].as_str().map(str::to_owned);
        let channel = text("channel").unwrap_or_default();
        let is_removed = text("state").as_deref() == Some("removed");
        let what = match kind {
            Kind::PromptSending => {
                shown.insert(subject, detail["connections"].as_u64().unwrap_or_default());
                continue;
            }
            Kind::PromptSent if channel == "email" => "mail",
            Kind::PromptSent if channel == "file" => "file",
            Kind::PromptSent => "webhook",
            Kind::PromptPutOff => "put_off",
            Kind::PromptRefused => "refused",
            Kind::PromptUnknown | Kind::PromptSwept => "unknown",
            Kind::PromptBounced => "bounced",
            Kind::RemovalDone => "removed",
            Kind::RemovalSettled if is_removed => "removed",
            Kind::RemovalSettled | Kind::RemovalFailed | Kind::RemovalSetAside => "removal_failed",
            Kind::RemovalUnknown => "removal_unknown",
            Kind::RemovalFoundGone => "found_gone",
            Kind::Crossed => "crossed",
            Kind::Returned => "returned",
            _ => continue,
        };
        let whom = match &entry.person {
            Some(person) => Some(names.of_pseudonym(person)),
            None => entry.subject.clone(),
        };
        let connections =
            shown.get(subject).copied().filter(|_| what == "mail" || what == "webhook");
        events.push(Event { at: entry.at, what, about: text("stage"), whom, connections });
    }
    events
}
