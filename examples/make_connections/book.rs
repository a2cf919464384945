//! The book that the file is written from: the rows so far, the names already given away,
//! and the plain row that joins a consent to a tenant. The stories in the other files start
//! from such a row.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::draw::{Draw, day};
use super::people::{Grant, Tenant};
use super::record::{Form, Line, Record};
use super::tokens::{CLIENT_ID, Scope, Token, response};
use super::words::NOTES;

/// Where a row says its scopes.
#[derive(Clone, Copy)]
pub enum Proof {
    Text,
    DatedText,
    Token,
    TextAndToken,
    Response,
    ResponseWithToken,
}

/// With weights.
pub const PROOFS: &[(u32, Proof)] = &[
    (30, Proof::Text),
    (50, Proof::DatedText),
    (6, Proof::Token),
    (5, Proof::TextAndToken),
    (6, Proof::Response),
    (3, Proof::ResponseWithToken),
];

/// The last day that the file knows of.
pub fn today() -> DateTime<Utc> {
    day(2026, 11, 20)
}

/// From here on an app as old as this one may ask for granular scopes (docs/xero.md, "Dates").
pub fn granular_since() -> DateTime<Utc> {
    day(2026, 4, 8)
}

pub struct Book {
    pub draw: Draw,
    pub lines: Vec<Line>,
    taken: HashSet<String>,
}

impl Book {
    pub fn new(seed: u64) -> Self {
        Self { draw: Draw::from_seed(seed), lines: Vec::new(), taken: HashSet::new() }
    }

    pub fn add(&mut self, row: Record) {
        self.lines.push(Line::Good(row));
    }

    /// Whether a name was still free; it is taken from now on.
    pub fn take(&mut self, name: &str) -> bool {
        self.taken.insert(name.to_owned())
    }

    /// The connection of a grant to a tenant, without evidence yet.
    pub fn bare_row(&mut self, grant: &Grant, tenant: &Tenant) -> Record {
        let draw = &mut self.draw;
        let connected = grant.first_connected + TimeDelta::seconds(i64::from(draw.between(0, 600)));
        let refreshed = draw.time(grant.consented, today());
        let used = draw.time(connected, today());
        // What Xero's list says is often kept as Xero writes it, whatever the host's own form.
        let listed = if draw.chance(60) { Form::Xero } else { grant.form };
        Record {
            tenant_id: tenant.id.to_string(),
            connection_id: draw.uuid().to_string(),
            tenant_name: tenant.name.clone(),
            tenant_type: tenant.kind.to_owned(),
            xero_user_id: grant.user.to_string(),
            email: grant.person.email.clone(),
            name: grant.person.name.clone(),
            locale: grant.person.locale.to_owned(),
            time_zone: grant.person.zone.to_owned(),
            country: grant.person.country.to_owned(),
            account_id: tenant.account.clone(),
            plan: tenant.plan.to_owned(),
            auth_event_id: draw.often(45, |_| grant.event.to_string()),
            flow: grant.flow.to_owned(),
            connected_at: draw.often(90, |draw| listed.write(connected, draw)),
            updated_at: draw.often(55, |draw| listed.write(refreshed, draw)),
            last_used_at: draw.often(70, |draw| grant.form.write(used, draw)),
            internal_note: draw.often(4, |draw| draw.one_of(NOTES).to_owned()),
            ..Record::default()
        }
    }

    /// The same with evidence.
    pub fn row(&mut self, grant: &Grant, tenant: &Tenant, proof: Proof) -> anyhow::Result<Record> {
        let mut row = self.bare_row(grant, tenant);
        let noted = self.draw.time(grant.consented, today());
        match proof {
            Proof::Text => row.scopes = self.text(grant),
            Proof::DatedText => {
                row.scopes = self.text(grant);
                row.evidence_at = grant.form.write(noted, &mut self.draw);
            }
            Proof::Token => row.access_token = self.token(grant)?,
            Proof::TextAndToken => {
                row.scopes = self.text(grant);
                row.evidence_at = grant.form.write(noted, &mut self.draw);
                row.access_token = self.token(grant)?;
            }
            Proof::Response => {
                let text = grant.scopes.join(" ");
                let scope = match self.draw.chance(60) {
                    true => Scope::Text(&text),
                    false => Scope::List(&grant.scopes),
                };
                row.token_response = response(None, scope)?;
                row.evidence_at = grant.form.write(noted, &mut self.draw);
            }
            Proof::ResponseWithToken => {
                let token = self.token(grant)?;
                let text = grant.scopes.join(" ");
                row.token_response = response(Some(&token), Scope::Text(&text))?;
            }
        }
        Ok(row)
    }

    /// A consent's scopes as the host's column has them: sometimes in another order, sometimes
    /// with one of them twice.
    fn text(&mut self, grant: &Grant) -> String {
        let mut scopes = grant.scopes.clone();
        if self.draw.chance(8) {
            self.draw.shuffle(&mut scopes);
        }
        if self.draw.chance(2) {
            scopes.push(self.draw.one_of(&grant.scopes));
        }
        grant.notation.write(&scopes)
    }

    /// An access token of this consent, issued at some refresh since.
    pub fn token(&mut self, grant: &Grant) -> anyhow::Result<String> {
        let token = Token {
            client_id: CLIENT_ID,
            user: grant.user,
            event: self.draw.chance(50).then_some(grant.event),
            consented: self.draw.chance(85).then_some(grant.consented),
            issued: self.draw.time(grant.consented, today()),
            scopes: &grant.scopes,
        };
        Ok(token.write()?)
    }
}
