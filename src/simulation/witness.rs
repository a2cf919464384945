//! Somebody who sees all that a worker does to its world, and what was so at that moment, by
//! the world itself and not by what the worker wrote down.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::delivery::outcome::Outcome;
use crate::domain::grant::ConnectionKey;
use crate::domain::ids::{ConnectionId, TenantId};
use crate::domain::scopes::{ScopeSet, ScopeText};
use crate::inventory::Column;
use crate::jobs::prompting::{Content, Parcel, Tells};

use super::world::{Link, World};
use super::xero::Removed;

/// A parcel that was handed over.
#[derive(Clone, Debug)]
pub(super) struct Handed {
    pub at: DateTime<Utc>,
    pub prompt: Uuid,
    pub channel: String,
    /// Of a mail.
    pub address: Option<String>,
    pub tells: Tells,
    pub sha256: String,
    /// The receiver has it.
    pub is_taken: bool,
    /// And the worker was told so.
    pub is_refused: bool,
    /// At that moment something of theirs lacked a required scope, by what the host stored.
    pub is_awaited: bool,
    /// Another customer's address or organisation stood in it.
    pub is_leaking: bool,
    /// Xero has said that it accepts all that is required.
    pub is_vouched: bool,
    pub is_page_down: bool,
}

/// A connection that was removed.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    pub at: DateTime<Utc>,
    pub connection: ConnectionId,
    pub tenant: TenantId,
    pub key: ConnectionKey,
    /// Everybody in the rows of its grant; `None` for somebody without an address.
    pub responsible: BTreeSet<Option<String>>,
    /// It lacked a required scope, by what the host stored.
    pub is_awaited: bool,
    pub is_known: bool,
    pub is_manual: bool,
    /// The host has a token, too, that shows all that is required.
    pub has_ready_token: bool,
    /// Somebody else has connected its tenant, and lacks nothing.
    pub is_covered: bool,
    /// When it was connected.
    pub made_at: DateTime<Utc>,
    /// When Xero's list was last asked for, and the tenant's rows last read.
    pub listed_at: Option<DateTime<Utc>>,
    pub looked_at: Option<DateTime<Utc>>,
}

/// What the worker heard of a call to Xero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// What became of a removal.
    Answer,
    /// Nothing of a removal.
    Nothing,
    /// That it is to ask later.
    Later,
    List,
    /// No list, or one that proves nothing.
    NoList,
}

/// All that was seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Witness {
    pub handed: Vec<Handed>,
    pub taken: Vec<Taken>,
    listed_at: Option<DateTime<Utc>>,
    looked_at: BTreeMap<TenantId, DateTime<Utc>>,
    /// What was so when a removal was asked for.
    asked: BTreeMap<ConnectionId, Taken>,
    /// What was heard of each call, in order.
    pub heard: Vec<(DateTime<Utc>, Heard)>,
    /// What Xero has said that it accepts.
    accepted: ScopeSet,
    /// The worker's time, for what does not say when it is.
    pub now: DateTime<Utc>,
}

impl World {
    /// The evidence of a row that is text, as the host stored it.
    fn held(&self, at: usize) -> Option<(Link, ScopeSet)> {
        let stored = self.rows[at].as_ref()?;
        let scopes = stored.row.raw().get(Column::Scopes).map(ScopeText::read);
        Some((stored.link.clone()?, scopes.map_or(ScopeSet::EMPTY, |text| text.set)))
    }

    /// Whether anything in a row is known to lack a required scope.
    fn lacks(&self, at: usize) -> bool {
        self.held(at).is_some_and(|(link, held)| {
            let known = [Some(held).filter(|held| !held.is_empty()), self.token(at)];
            let mut known = known.into_iter().flatten();
            !link.is_manual && known.any(|held| !held.missing(link.required).is_empty())
        })
    }

    /// Whether a text in lower case has something of people whom it is not to.
    fn shows_another(&self, address: &str, text: &str) -> bool {
        let names = |key: &str| -> BTreeSet<String> {
            let rows = self.people.get(key).map(|person| person.rows.clone()).unwrap_or_default();
            let links = rows.into_iter().filter_map(|at| self.rows[at].as_ref()?.link.as_ref());
            links.filter_map(|link| Some(link.tenant.name.as_ref()?.to_lowercase())).collect()
        };
        let own = names(address);
        let others = self.people.keys().filter(|key| key.as_str() != address);
        others.into_iter().any(|other| {
            text.contains(other.as_str())
                || names(other).difference(&own).any(|name| text.contains(name.as_str()))
        })
    }

    /// What the access token in a row shows.
    fn token(&self, at: usize) -> Option<ScopeSet> {
        let token = self.rows[at].as_ref()?.row.raw().get(Column::AccessToken)?;
        let claims = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
        let claims: serde_json::Value = serde_json::from_slice(&claims).ok()?;
        let scopes = ScopeText::read(&claims["scope"].to_string()).set;
        Some(scopes).filter(|scopes| !scopes.is_empty())
    }

    /// Whether the access token in a row shows all that is required.
    fn has_ready_token(&self, at: usize) -> bool {
        let required = self.held(at).map(|(link, _)| link.required);
        required
            .zip(self.token(at))
            .is_some_and(|(required, held)| held.missing(required).is_empty())
    }

    /// The worker never learned what became of the last parcel.
    pub(super) fn see_nobody_learn(&mut self) {
        if let Some(handed) = self.witness.as_mut().and_then(|it| it.handed.last_mut()) {
            handed.is_refused = false;
        }
    }

    pub(super) fn see_accepted(&mut self, scopes: ScopeSet) {
        if let Some(witness) = &mut self.witness {
            witness.accepted = witness.accepted.union(scopes);
        }
    }

    pub(super) fn hear(&mut self, at: DateTime<Utc>, heard: Heard) {
        if let Some(witness) = &mut self.witness {
            witness.heard.push((at, heard));
        }
    }

    pub(super) fn see_delivery(
        &mut self,
        channel: &str,
        parcel: &Parcel,
        at: DateTime<Utc>,
        outcome: &Outcome,
    ) {
        if self.witness.is_none() {
            return;
        }
        let (address, text) = match &parcel.content {
            Content::Mail { message, .. } => {
                let text = format!("{} {} {}", message.subject, message.text, message.html);
                (Some(message.to.address.key().to_owned()), text.to_lowercase())
            }
            Content::Hook(_) => (None, String::new()),
        };
        let rows = address.as_ref().and_then(|key| self.people.get(key)).map(|it| it.rows.clone());
        let is_awaited = match &rows {
            Some(rows) => rows.iter().any(|at| self.lacks(*at)),
            None => address.is_none(),
        };
        let is_leaking =
            address.as_deref().is_some_and(|address| self.shows_another(address, &text));
        let accepted = self.witness.as_ref().map_or(ScopeSet::EMPTY, |it| it.accepted);
        let handed = Handed {
            at,
            prompt: parcel.prompt,
            channel: channel.to_owned(),
            address,
            tells: parcel.tells.clone(),
            sha256: parcel.sha256.clone(),
            is_taken: matches!(outcome, Outcome::Accepted { .. } | Outcome::Unknown { .. }),
            is_refused: matches!(outcome, Outcome::Refused { .. }),
            is_awaited,
            is_leaking,
            is_vouched: accepted.is_superset(self.required),
            is_page_down: self.storm.is_page_down,
        };
        if let Some(witness) = &mut self.witness {
            witness.now = at;
            witness.handed.push(handed);
        }
    }

    pub(super) fn see_list(&mut self, at: DateTime<Utc>) {
        if let Some(witness) = &mut self.witness {
            (witness.listed_at, witness.now) = (Some(at), at);
        }
    }

    pub(super) fn see_look(&mut self, tenants: &[TenantId]) {
        if let Some(witness) = &mut self.witness {
            let now = witness.now;
            witness.looked_at.extend(tenants.iter().map(|tenant| (*tenant, now)));
        }
    }

    /// Sees what is so right before a removal.
    pub(super) fn see_asking(&mut self, id: ConnectionId) {
        if self.witness.is_none() {
            return;
        }
        let connection = self.xero().connection(id).cloned();
        let Some(connection) = connection else { return };
        let places = self.of_tenant.get(&connection.tenant.id).cloned().unwrap_or_default();
        let mine = places
            .iter()
            .copied()
            .find(|at| self.held(*at).is_some_and(|(link, _)| link.user == connection.user));
        let Some((place, (link, held))) = mine.and_then(|at| Some((at, self.held(at)?))) else {
            return;
        };
        let of_grant = self.of_grant.get(&link.grant).cloned().unwrap_or_default();
        let responsible =
            of_grant.iter().filter_map(|at| Some(self.held(*at)?.0.address)).collect();
        let key = if link.has_id {
            id.0
        } else {
            ConnectionKey::of(None, link.tenant.id, Some(link.user)).0
        };
        let is_awaited = self.lacks(place);
        let is_known = !held.is_empty() || self.token(place).is_some();
        let has_ready_token = of_grant.iter().any(|at| self.has_ready_token(*at));
        let is_ready = |at: usize| {
            self.held(at).is_some_and(|(other, held)| {
                other.user != link.user
                    && !held.is_empty()
                    && held.missing(other.required).is_empty()
            })
        };
        let is_covered = places.iter().any(|at| is_ready(*at));
        let tenant = link.tenant.id;
        let Some(witness) = &mut self.witness else { return };
        let taken = Taken {
            at: witness.now,
            connection: id,
            tenant,
            key: ConnectionKey(key),
            responsible,
            is_awaited,
            is_known,
            is_manual: link.is_manual,
            has_ready_token,
            is_covered,
            made_at: connection.created_at,
            listed_at: witness.listed_at,
            looked_at: witness.looked_at.get(&tenant).copied(),
        };
        witness.asked.insert(id, taken);
    }

    pub(super) fn see_removal(&mut self, at: DateTime<Utc>, removed: &Removed) {
        let Some(witness) = &mut self.witness else { return };
        witness.now = at;
        if let Some(taken) = witness.asked.remove(&removed.connection) {
            witness.taken.push(Taken { at, ..taken });
        }
    }
}
