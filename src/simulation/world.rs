//! The world that a simulation plays in: the host's rows, the people in them, and Xero. It is
//! changed by what people do (`deeds`), and by what the worker does to it (`outside`).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

use crate::config::Config;
use crate::domain::connection::take_apart;
use crate::domain::grant::{ConnectionKey, GrantId};
use crate::domain::ids::{AuthEventId, ConnectionId, TenantId, UserId};
use crate::domain::row::{Flow, Row};
use crate::domain::scopes::ScopeSet;
use crate::inventory::{self, KeptRow, Reader, ScopeMemo};
use crate::store::prompts::Mailed;

use super::assume::Assumptions;
use super::chance::{Seed, within_a_year};
use super::deeds::Deed;
use super::people::Person;
use super::storm::Storm;
use super::witness::Witness;
use super::xero::{App, Connection, Tenant, Xero};

/// A row of the host's, with what the world makes of it.
pub(super) struct Stored {
    pub row: Arc<KeptRow>,
    /// `None` of a bad row, which nobody acts on.
    pub link: Option<Link>,
}

/// What a good row stands for.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub tenant: Tenant,
    pub grant: GrantId,
    pub user: UserId,
    /// The host knows Xero's id of it.
    pub has_id: bool,
    /// What its person has to consent to.
    pub required: ScopeSet,
    pub is_manual: bool,
    pub address: Option<String>,
}

/// Something that happened in the world, apart from what the worker did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    pub at: DateTime<Utc>,
    pub what: &'static str,
    /// The one spelling of somebody's address, or what stands for it.
    pub person: String,
}

/// All of it.
pub struct World {
    pub(super) seed: Seed,
    pub(super) assumed: Assumptions,
    pub(super) client_id: String,
    pub(super) required: ScopeSet,
    pub(super) rows: Vec<Option<Stored>>,
    pub(super) of_tenant: HashMap<TenantId, Vec<usize>>,
    pub(super) of_grant: HashMap<GrantId, Vec<usize>>,
    pub(super) people: BTreeMap<String, Person>,
    /// Whose mail comes back since some day.
    pub(super) dead: BTreeSet<String>,
    /// Everybody's one spelling, former ones too.
    pub(super) names: BTreeSet<String>,
    pub(super) xero: Arc<Mutex<Xero>>,
    agenda: BTreeMap<(DateTime<Utc>, u64), Deed>,
    made: u64,
    /// Changes to the rows so far.
    pub(super) changes: u64,
    /// Deeds that may call for an answer at once, so far.
    pub(super) stirs: u64,
    /// Whose clock each of the first connections goes by, where their row says so.
    zones: Vec<(ConnectionKey, GrantId, Option<Tz>)>,
    pub(super) deadline: DateTime<Utc>,
    /// Grants with a connection that was planned to be removed.
    pub(super) planned: HashSet<GrantId>,
    pub(super) calls: u64,
    pub(super) bounced: Vec<(Uuid, DateTime<Utc>)>,
    pub(super) happened: Vec<Happening>,
    pub(super) began_at: DateTime<Utc>,
    /// What else goes wrong for the worker.
    pub(super) storm: Storm,
    /// Sees all that the worker does, where somebody judges it.
    pub(super) witness: Option<Witness>,
}

/// An id that follows from what it is of.
pub(super) fn made(kind: &str, of: impl std::fmt::Display) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{kind} of {of}").as_bytes())
}

impl World {
    /// Copies the host's rows into memory, and lets the world begin at a time.
    ///
    /// # Errors
    /// The inventory broke off.
    pub async fn copy(
        reader: &mut Reader,
        config: &Config,
        seed: Seed,
        assumed: Assumptions,
        began_at: DateTime<Utc>,
    ) -> Result<Self, inventory::Error> {
        let mut rows = Vec::new();
        while let Some(batch) = reader.next().await? {
            rows.extend(batch.rows().map(|raw| KeptRow::of(&raw)));
            reader.recycle(batch);
        }
        Ok(Self::of(rows, config, seed, assumed, began_at))
    }

    /// A world with these rows.
    #[must_use]
    pub fn of(
        rows: Vec<KeptRow>,
        config: &Config,
        seed: Seed,
        assumed: Assumptions,
        began_at: DateTime<Utc>,
    ) -> Self {
        let client_id = config.app.client_id.to_ascii_uppercase();
        let mut world = Self {
            seed,
            assumed,
            client_id: client_id.clone(),
            required: config.campaign.required,
            rows: Vec::new(),
            of_tenant: HashMap::new(),
            of_grant: HashMap::new(),
            people: BTreeMap::new(),
            dead: BTreeSet::new(),
            names: BTreeSet::new(),
            xero: Arc::new(Mutex::new(Xero::new(seed.0))),
            agenda: BTreeMap::new(),
            made: 0,
            changes: 0,
            stirs: 0,
            zones: Vec::new(),
            deadline: config.campaign.deadline,
            planned: HashSet::new(),
            calls: 0,
            bounced: Vec::new(),
            happened: Vec::new(),
            began_at,
            storm: Storm::default(),
            witness: None,
        };
        let rules = inventory::Rules {
            client_id: config.app.client_id.clone(),
            ignore_refresh_tokens: config.inventory.ignore_refresh_tokens,
        };
        let mut memo = ScopeMemo::default();
        let mut asked = world.required;
        for row in rows {
            let parsed = inventory::parse(&row.raw(), &rules, &mut memo).ok();
            let (link, placed) = match parsed {
                Some((parsed, _)) => {
                    let (link, connection, scopes) = world.placed(parsed, config.app.flow);
                    asked = asked.union(link.required).union(scopes);
                    (Some(link), Some((connection, scopes)))
                }
                None => (None, None),
            };
            if let Some((connection, scopes)) = placed {
                world.xero().place(connection, scopes);
            }
            world.add(row, link);
        }
        let app = App {
            client_id,
            secret: Some("simulated".to_owned()),
            redirect_uri: config
                .app
                .redirect_uri
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            scopes: asked,
            manages_connections: true,
            cap: config.app.connection_cap.map(|cap| cap as usize),
        };
        world.xero().register(app);
        world.draw_lots();
        world
    }

    pub(super) fn xero(&self) -> std::sync::MutexGuard<'_, Xero> {
        self.xero.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Its Xero, for whoever serves it to others.
    #[must_use]
    pub fn model(&self) -> Arc<Mutex<Xero>> {
        Arc::clone(&self.xero)
    }

    /// What a good row stands for, and where it is at Xero.
    fn placed(&mut self, row: Row, flow: Flow) -> (Link, Connection, ScopeSet) {
        let is_manual = row.flow.unwrap_or(flow).is_manual();
        let required = row.required.unwrap_or(self.required);
        let address = row.person.email.as_ref().map(|email| email.key().to_owned());
        let scopes =
            row.evidence.iter().fold(ScopeSet::EMPTY, |all, reading| all.union(reading.scopes));
        let user = row.user.or(row.token_user);
        let (key, facts, person) = take_apart(row);
        self.zones.push((key, facts.grant, person.time_zone));
        let user = user.unwrap_or_else(|| UserId(made("person", key)));
        let tenant = Tenant {
            id: facts.tenant,
            kind: facts.tenant_type.clone().unwrap_or_else(|| "ORGANISATION".to_owned()),
            name: facts.tenant_name.clone(),
        };
        let connected_at = facts.connected_at.unwrap_or(self.began_at - TimeDelta::days(365));
        let event = facts.auth_event.unwrap_or_else(|| AuthEventId(made("consent", user)));
        let connection = Connection {
            id: facts.id.unwrap_or_else(|| ConnectionId(made("connection", key))),
            client_id: self.client_id.clone(),
            user,
            tenant: tenant.clone(),
            auth_event: event,
            created_at: connected_at,
            updated_at: facts.updated_at.unwrap_or(connected_at),
        };
        let has_id = facts.id.is_some();
        let link = Link { tenant, grant: facts.grant, user, has_id, required, is_manual, address };
        (link, connection, scopes)
    }

    /// Adds a row.
    pub(super) fn add(&mut self, row: KeptRow, link: Option<Link>) {
        let at = self.rows.len();
        if let Some(link) = &link {
            self.of_tenant.entry(link.tenant.id).or_default().push(at);
            self.of_grant.entry(link.grant).or_default().push(at);
            let key = link.address.clone().unwrap_or_else(|| format!("grant:{}", link.grant));
            self.names.insert(key.clone());
            let person = self.people.entry(key.clone()).or_insert_with(|| Person::new(key));
            person.rows.push(at);
        }
        self.rows.push(Some(Stored { row: Arc::new(row), link }));
        self.changes += 1;
        self.stirs += 1;
    }

    /// Takes over what people have been sent already: the next message is not their first.
    pub fn remember(&mut self, mailed: &[Mailed]) {
        for mailed in mailed {
            if let Some(person) = self.people.get_mut(&mailed.recipient) {
                person.messages = usize::try_from(mailed.taken).unwrap_or_default();
            }
        }
    }

    /// Draws what people do within the year without being told anything.
    fn draw_lots(&mut self) {
        let customers = self.assumed.customers.clone();
        let mut deeds = Vec::new();
        for (key, person) in &self.people {
            let drawn = |question, share| {
                within_a_year(&mut self.seed.about(question, &person.name), share)
            };
            let who = || key.clone();
            deeds.extend([
                drawn("unprompted", customers.unprompted)
                    .map(|after| (after, Deed::Consent { person: who() })),
                drawn("leave", customers.leave).map(|after| (after, Deed::Leave { person: who() })),
                drawn("new address", customers.new_address)
                    .map(|after| (after, Deed::NewAddress { person: who() })),
            ]);
        }
        for (after, deed) in deeds.into_iter().flatten() {
            self.put_down(self.began_at + after, deed);
        }
    }

    /// The zones of everybody who is responsible for each of the first connections.
    pub(super) fn zones(&self, campaign: Tz) -> HashMap<ConnectionKey, HashSet<Tz>> {
        let mut of_grant: HashMap<GrantId, HashSet<Tz>> = HashMap::new();
        for (_, grant, zone) in &self.zones {
            of_grant.entry(*grant).or_default().insert(zone.unwrap_or(campaign));
        }
        let zones = self.zones.iter();
        zones.filter_map(|(key, grant, _)| Some((*key, of_grant.get(grant)?.clone()))).collect()
    }

    /// Something else is required from now on, of everybody whose row does not say otherwise.
    pub(super) fn require(&mut self, required: ScopeSet) {
        let before = std::mem::replace(&mut self.required, required);
        let links = self.rows.iter_mut().flatten().filter_map(|stored| stored.link.as_mut());
        for link in links.filter(|link| link.required == before) {
            link.required = required;
        }
        self.stirs += 1;
    }

    /// Xero lets the app ask for these, too.
    pub(super) fn register(&mut self, scopes: ScopeSet) {
        if let Some(app) = self.xero().app_mut(&self.client_id) {
            app.scopes = app.scopes.union(scopes);
        }
        self.stirs += 1;
    }

    /// Nobody reads somebody's mail any more.
    pub(super) fn dies(&mut self, key: String) {
        self.dead.insert(key);
    }

    /// Puts a deed on the agenda.
    pub(super) fn put_down(&mut self, at: DateTime<Utc>, deed: Deed) {
        self.made += 1;
        self.agenda.insert((at, self.made), deed);
    }

    /// Somebody is called otherwise from now on.
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        for deed in self.agenda.values_mut() {
            match deed {
                Deed::Consent { person } | Deed::Leave { person } | Deed::NewAddress { person }
                    if person == from =>
                {
                    to.clone_into(person);
                }
                _ => {}
            }
        }
    }

    /// When the next thing happens.
    #[must_use]
    pub fn next_at(&self) -> Option<DateTime<Utc>> {
        self.agenda.first_key_value().map(|((at, _), _)| *at)
    }

    /// Lets everything happen up to a time.
    pub fn go_on_until(&mut self, now: DateTime<Utc>) {
        while let Some(entry) = self.agenda.first_entry()
            && entry.key().0 <= now
        {
            let ((at, _), deed) = entry.remove_entry();
            self.do_deed(at, deed);
        }
    }

    pub(super) fn note(&mut self, at: DateTime<Utc>, what: &'static str, person: &str) {
        self.happened.push(Happening { at, what, person: person.to_owned() });
    }

    /// What happened so far, in order.
    #[must_use]
    pub fn happened(&self) -> &[Happening] {
        &self.happened
    }

    /// Changes to the host's rows so far.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Messages that came back since this was asked last.
    pub fn take_bounced(&mut self) -> Vec<(Uuid, DateTime<Utc>)> {
        std::mem::take(&mut self.bounced)
    }

    /// The one spelling of everybody, former ones too.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The rows as they are now.
    #[must_use]
    pub fn inventory(&self) -> Vec<Arc<KeptRow>> {
        self.rows.iter().flatten().map(|stored| Arc::clone(&stored.row)).collect()
    }

    /// The rows of some tenants.
    #[must_use]
    pub fn of_tenants(&self, tenants: &[TenantId]) -> Vec<Arc<KeptRow>> {
        let places = tenants.iter().filter_map(|tenant| self.of_tenant.get(tenant)).flatten();
        places.filter_map(|at| Some(Arc::clone(&self.rows[*at].as_ref()?.row))).collect()
    }
}
