//! What people do, and what becomes of the host's rows and of Xero by it.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use uuid::Uuid;

use crate::domain::grant::GrantId;
use crate::domain::ids::{ConnectionId, TenantId, UserId};
use crate::domain::scopes::ScopeSet;
use crate::inventory::Column;

use super::chance::{happens, span};
use super::people::{Mailbox, Person, Way, mailbox};
use super::world::{Link, Stored, World, made};
use super::xero::Tenant;

fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// What somebody is going to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Consent {
        person: String,
    },
    Leave {
        person: String,
    },
    NewAddress {
        person: String,
    },
    /// Connects again what was removed.
    ComeBack {
        grant: GrantId,
        tenant: TenantId,
    },
    /// A message comes back.
    Bounce {
        prompt: Uuid,
    },
}

impl World {
    pub(super) fn do_deed(&mut self, at: DateTime<Utc>, deed: Deed) {
        match deed {
            Deed::Consent { person } => self.consent(at, &person),
            Deed::Leave { person } => self.leave(at, &person),
            Deed::NewAddress { person } => self.move_on(at, &person),
            Deed::ComeBack { grant, tenant } => self.come_back(at, grant, tenant),
            Deed::Bounce { prompt } => self.bounced.push((prompt, at)),
        }
    }

    /// A message reached an address: what its mailbox makes of it.
    pub(super) fn is_told(&mut self, at: DateTime<Utc>, key: &str) -> Mailbox {
        let mailbox = match self.dead.contains(key) {
            true => Mailbox::Returns,
            false => mailbox(self.seed, key, self.assumed.mail.dead_addresses),
        };
        if mailbox == Mailbox::Read
            && let Some(person) = self.people.get_mut(key)
            && let Some(after) = person.hears(self.seed, &self.assumed.customers)
        {
            self.put_down(at + after, Deed::Consent { person: key.to_owned() });
        }
        mailbox
    }

    /// A message will come back.
    pub(super) fn will_bounce(&mut self, at: DateTime<Utc>, prompt: Uuid) {
        let after = self.storm.comes_back(self.seed, prompt);
        self.put_down(at + after, Deed::Bounce { prompt });
    }

    /// A connection was removed: its person may come back when they next use the product.
    pub fn is_removed(&mut self, at: DateTime<Utc>, user: UserId, tenant: TenantId) {
        let customers = &self.assumed.customers;
        let mut chance = self.seed.about("come back", &format!("{user} {tenant}"));
        let after = happens(&mut chance, customers.come_back)
            .then(|| span(&mut chance, customers.come_back_days));
        let places = self.of_tenant.get(&tenant).cloned().unwrap_or_default();
        let grant = places.into_iter().find_map(|place| {
            let link = self.rows[place].as_ref()?.link.as_ref()?;
            (link.user == user).then_some(link.grant)
        });
        if let (Some(after), Some(grant)) = (after, grant) {
            self.put_down(at + after, Deed::ComeBack { grant, tenant });
        }
    }

    /// The grants of somebody that are still there, and are no people's business by hand.
    fn grants(&self, person: &Person) -> BTreeSet<GrantId> {
        let links = person.rows.iter().filter_map(|at| self.rows[*at].as_ref()?.link.as_ref());
        links.filter(|link| !link.is_manual).map(|link| link.grant).collect()
    }

    fn links(&self, grant: GrantId) -> Vec<Link> {
        let places = self.of_grant.get(&grant).map(Vec::as_slice).unwrap_or_default();
        places.iter().filter_map(|at| self.rows[*at].as_ref()?.link.clone()).collect()
    }

    fn consent(&mut self, at: DateTime<Utc>, key: &str) {
        let Some(person) = self.people.get(key).cloned() else { return };
        let way = person.way(self.seed, &self.assumed.customers);
        let mut has_consented = false;
        for grant in self.grants(&person) {
            let links = self.links(grant);
            let Some(first) = links.first() else { continue };
            let required = links.iter().fold(ScopeSet::EMPTY, |all, link| all.union(link.required));
            let held = self.xero().grant(&self.client_id, first.user).map(|grant| grant.scopes);
            let held = held.unwrap_or(ScopeSet::EMPTY);
            if held.missing(required).is_empty() {
                continue;
            }
            has_consented |= match way {
                Way::Right => self.consent_to(at, first.user, grant, required, tenants(&links)),
                Way::Broad => self.consent_to(at, first.user, grant, held, tenants(&links)),
                Way::Colleague => self.colleague(at, grant, required),
                Way::OtherTenant => self.other_tenant(at, grant, required),
            };
        }
        // Whoever came back with too little can still be moved by the next message.
        let is_done = has_consented && way != Way::Broad;
        if let Some(person) = self.people.get_mut(key) {
            person.is_decided = is_done;
        }
        if has_consented {
            // What is still to be removed depends on who comes back, and on who goes first.
            let grants = self.grants(&person);
            let is_planned = grants.iter().any(|grant| self.planned.contains(grant));
            self.stirs += u64::from(is_planned && at < self.deadline);
            let what = match way {
                Way::Right => "consented",
                Way::Colleague => "consented with a colleague's account",
                Way::OtherTenant => "consented for another organisation",
                Way::Broad => "came back with the broad scopes",
            };
            self.note(at, what, key);
        }
    }

    /// A consent, if Xero lets it through; the host stores what it brought.
    fn consent_to(
        &mut self,
        at: DateTime<Utc>,
        user: UserId,
        grant: GrantId,
        asked: ScopeSet,
        tenants: Vec<Tenant>,
    ) -> bool {
        let client_id = self.client_id.clone();
        let consent = self.xero().consent(at, &client_id, user, asked, &tenants);
        if consent.is_err() {
            self.note(at, "was not let in: the app's connection cap is reached", "");
            return false;
        }
        self.store(at, user, grant);
        true
    }

    /// The host stores what Xero says of a grant now.
    fn store(&mut self, at: DateTime<Utc>, user: UserId, grant: GrantId) {
        let places = self.of_grant.get(&grant).cloned().unwrap_or_default();
        let now = rfc3339(at);
        for place in places {
            let Some(stored) = &self.rows[place] else { continue };
            let Some(link) = &stored.link else { continue };
            let xero = self.xero();
            let granted = xero.grant(&self.client_id, user);
            let connection = xero.link(&self.client_id, user, link.tenant.id);
            let (Some(granted), Some(connection)) = (granted, connection) else { continue };
            let (scopes, event) = (granted.scopes.canonical(), granted.auth_event.to_string());
            let id = connection.id.to_string();
            let made = rfc3339(connection.created_at);
            drop(xero);
            let mut changes = vec![
                (Column::Scopes, Some(scopes.as_str())),
                (Column::AccessToken, None),
                (Column::TokenResponse, None),
                (Column::EvidenceAt, Some(now.as_str())),
                (Column::AuthEventId, Some(event.as_str())),
                (Column::UpdatedAt, Some(now.as_str())),
            ];
            if link.has_id && stored.row.raw().get(Column::ConnectionId) != Some(id.as_str()) {
                changes.extend([
                    (Column::ConnectionId, Some(id.as_str())),
                    (Column::ConnectedAt, Some(made.as_str())),
                ]);
            }
            let row = Arc::new(stored.row.with(&changes));
            let link = stored.link.clone();
            self.rows[place] = Some(Stored { row, link });
            self.changes += 1;
        }
    }

    /// A colleague connects the same organisations; the first person's grant stays as it is.
    fn colleague(&mut self, at: DateTime<Utc>, grant: GrantId, required: ScopeSet) -> bool {
        let user = UserId(made("colleague", grant));
        let links = self.links(grant);
        let client_id = self.client_id.clone();
        let consent = self.xero().consent(at, &client_id, user, required, &tenants(&links));
        if consent.is_err() {
            return false;
        }
        let places = self.of_grant.get(&grant).cloned().unwrap_or_default();
        let mut seen = BTreeSet::new();
        for place in places {
            let Some(stored) = &self.rows[place] else { continue };
            let Some(link) = stored.link.clone() else { continue };
            if !seen.insert(link.tenant.id) {
                continue;
            }
            let domain = link.address.as_deref().and_then(|it| it.rsplit_once('@'));
            let domain = domain.map_or("example.net", |(_, domain)| domain);
            let address = format!("colleague-{}@{domain}", &user.0.simple().to_string()[..8]);
            let base = stored.row.with(&[(Column::Email, Some(&address)), (Column::Name, None)]);
            let new =
                Link { user, grant: GrantId(user.0), address: Some(address), has_id: true, ..link };
            self.connect(at, &base, new);
        }
        true
    }

    /// The person picks an organisation that nobody asked for.
    fn other_tenant(&mut self, at: DateTime<Utc>, grant: GrantId, required: ScopeSet) -> bool {
        let places = self.of_grant.get(&grant).cloned().unwrap_or_default();
        let first = places.into_iter().find_map(|place| {
            let stored = self.rows[place].as_ref()?;
            Some((Arc::clone(&stored.row), stored.link.clone()?))
        });
        let Some((base, link)) = first else { return false };
        let tenant = Tenant {
            id: TenantId(made("other tenant", grant)),
            kind: "ORGANISATION".to_owned(),
            name: Some("Another organisation".to_owned()),
        };
        let client_id = self.client_id.clone();
        let tenants = [tenant.clone()];
        if self.xero().consent(at, &client_id, link.user, required, &tenants).is_err() {
            return false;
        }
        // Scopes are the person's: what they had before is ready as well, where the host knows
        // whose it is.
        self.store(at, link.user, grant);
        let user = link.user;
        self.connect(at, &base, Link { tenant, grant: GrantId(user.0), has_id: true, ..link });
        true
    }

    /// The host stores a connection that is new to it.
    fn connect(&mut self, at: DateTime<Utc>, base: &crate::inventory::KeptRow, link: Link) {
        let (id, scopes, event) = {
            let xero = self.xero();
            let connection = xero.link(&self.client_id, link.user, link.tenant.id);
            let granted = xero.grant(&self.client_id, link.user);
            let (Some(connection), Some(granted)) = (connection, granted) else { return };
            (connection.id, granted.scopes.canonical(), granted.auth_event)
        };
        let [id, tenant, user, event] =
            [id.0, link.tenant.id.0, link.user.0, event.0].map(|id| id.to_string());
        let now = rfc3339(at);
        let row = base.with(&[
            (Column::TenantId, Some(&tenant)),
            (Column::TenantName, link.tenant.name.as_deref()),
            (Column::TenantType, Some(&link.tenant.kind)),
            (Column::ConnectionId, Some(&id)),
            (Column::XeroUserId, Some(&user)),
            (Column::Scopes, Some(&scopes)),
            (Column::AccessToken, None),
            (Column::TokenResponse, None),
            (Column::EvidenceAt, Some(&now)),
            (Column::AuthEventId, Some(&event)),
            (Column::ConnectedAt, Some(&now)),
            (Column::UpdatedAt, Some(&now)),
        ]);
        self.add(row, Some(link));
    }

    fn leave(&mut self, at: DateTime<Utc>, key: &str) {
        let Some(person) = self.people.get(key).cloned() else { return };
        let mut has_left = false;
        for grant in self.grants(&person) {
            for place in self.of_grant.get(&grant).cloned().unwrap_or_default() {
                let Some(stored) = self.rows[place].take() else { continue };
                let Some(link) = stored.link else { continue };
                let mut xero = self.xero();
                let id: Option<ConnectionId> =
                    xero.link(&self.client_id, link.user, link.tenant.id).map(|one| one.id);
                id.and_then(|id| xero.disconnect(id));
                drop(xero);
                self.changes += 1;
                has_left = true;
            }
        }
        if has_left {
            self.note(at, "disconnected", key);
        }
    }

    fn move_on(&mut self, at: DateTime<Utc>, key: &str) {
        let Some((local, domain)) = key.split_once('@') else { return };
        let Some(mut person) = self.people.remove(key) else { return };
        person.moves += 1;
        let address = format!("{local}.{}@{domain}", person.moves + 1);
        for place in &person.rows {
            let Some(stored) = &mut self.rows[*place] else { continue };
            stored.row = Arc::new(stored.row.with(&[(Column::Email, Some(&address))]));
            if let Some(link) = &mut stored.link {
                link.address = Some(address.clone());
            }
            self.changes += 1;
        }
        self.stirs += 1;
        self.note(at, "has another address", key);
        // Whatever they were about to do, they do under the new one.
        self.rename(key, &address);
        self.names.insert(address.clone());
        self.people.insert(address, person);
    }

    /// Somebody disconnects by themselves, and connects again with what they had.
    pub(super) fn reconnect(&mut self, at: DateTime<Utc>, key: &str) {
        let Some(person) = self.people.get(key).cloned() else { return };
        for grant in self.grants(&person) {
            let links = self.links(grant);
            let Some(first) = links.first() else { continue };
            let held = self.xero().grant(&self.client_id, first.user).map(|grant| grant.scopes);
            let mut ended = BTreeSet::new();
            for link in &links {
                let mut xero = self.xero();
                let id = xero.link(&self.client_id, link.user, link.tenant.id).map(|one| one.id);
                let was_there = id.and_then(|id| xero.disconnect(id));
                ended.extend(was_there.map(|one| one.tenant.id));
            }
            let mut again = tenants(&links);
            again.retain(|tenant| ended.contains(&tenant.id));
            if let Some(held) = held.filter(|_| !again.is_empty()) {
                self.consent_to(at, first.user, grant, held, again);
                self.stirs += 1;
                self.note(at, "disconnected and connected again", key);
            }
        }
    }

    fn come_back(&mut self, at: DateTime<Utc>, grant: GrantId, tenant: TenantId) {
        let links = self.links(grant);
        let Some(link) = links.iter().find(|link| link.tenant.id == tenant).cloned() else {
            return;
        };
        if self.xero().link(&self.client_id, link.user, tenant).is_some() {
            return;
        }
        let person = link.address.clone().unwrap_or_else(|| format!("grant:{grant}"));
        let way = self.people.get(&person).map(|it| it.way(self.seed, &self.assumed.customers));
        let held = self.xero().grant(&self.client_id, link.user).map(|grant| grant.scopes);
        let (asked, what) = match (way, held) {
            (Some(Way::Broad), Some(held)) => (held, "reconnected with the broad scopes"),
            _ => (link.required, "reconnected"),
        };
        if self.consent_to(at, link.user, grant, asked, vec![link.tenant]) {
            self.stirs += 1;
            self.note(at, what, &person);
        }
    }
}

/// The tenants of a grant, each once.
fn tenants(links: &[Link]) -> Vec<Tenant> {
    let mut seen = BTreeSet::new();
    links
        .iter()
        .filter(|link| seen.insert(link.tenant.id))
        .map(|link| link.tenant.clone())
        .collect()
}
