//! A raw row becomes a domain row, or a bad one (docs/inventory.md, "Warnings" and "Bad
//! rows").

use chrono::{DateTime, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use uuid::Uuid;

use crate::domain::dates;
use crate::domain::evidence::{Evidence, Source};
use crate::domain::ids::{AuthEventId, ConnectionId, TenantId, UserId};
use crate::domain::row::{Doubt, Flow, Person, Row, Warnings};
use crate::domain::scopes::{ScopeSet, Status};

use super::bad::{BadReason, BadRow};
use super::columns::Column;
use super::memo::{self, ScopeMemo};
use super::raw::RawRow;
use super::token::At;
use super::{response, token};

/// What the outcome of parsing depends on beside the row.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The app whose grants these are.
    pub client_id: String,
    /// Drop refresh tokens unread instead of refusing the row.
    pub ignore_refresh_tokens: bool,
}

/// Reads a row.
///
/// # Errors
/// The row is bad: it is counted and never acted on.
pub fn parse(
    raw: &RawRow<'_>,
    rules: &Rules,
    memo: &mut ScopeMemo,
) -> Result<(Row, Warnings), BadRow> {
    Parsing { raw, rules, memo, warnings: Warnings::default() }.row().map_err(|bad| {
        let id = |column| raw.get(column).and_then(uuid);
        let is_connection = !matches!(bad.reason, BadReason::SameAs(_));
        BadRow {
            place: raw.place(),
            connection: id(Column::ConnectionId).filter(|_| is_connection).map(ConnectionId),
            tenant: id(Column::TenantId).map(TenantId),
            user: id(Column::XeroUserId).map(UserId),
            column: bad.column,
            reason: bad.reason,
        }
    })
}

struct Bad {
    column: Option<Column>,
    reason: BadReason,
}

fn bad(column: Column, reason: BadReason) -> Bad {
    Bad { column: Some(column), reason }
}

/// A UUID that stands for something. All zeros is what some languages store for none; taken
/// for an id it would make one grant of strangers.
fn uuid(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok().filter(|id| !id.is_nil())
}

struct Parsing<'a> {
    raw: &'a RawRow<'a>,
    rules: &'a Rules,
    memo: &'a mut ScopeMemo,
    warnings: Warnings,
}

/// What the tokens of a row say beside their scopes.
#[derive(Default)]
struct Said {
    user: Option<UserId>,
    auth_event: Option<AuthEventId>,
    doubt: Option<Doubt>,
}

impl Parsing<'_> {
    fn row(mut self) -> Result<(Row, Warnings), Bad> {
        if let Some(flaw) = self.raw.flaw() {
            return Err(Bad { column: flaw.column, reason: flaw.reason.clone() });
        }
        let tenant = self.id(Column::TenantId)?;
        let tenant = tenant.ok_or_else(|| bad(Column::TenantId, BadReason::MissingId))?;
        let connection = self.id(Column::ConnectionId)?;
        let user = self.id(Column::XeroUserId)?;
        let auth_event = self.id(Column::AuthEventId)?;
        self.not_another_id(connection, tenant, user, auth_event)?;
        let flow = self.flow()?;
        let required = self.required()?;

        let user = user.map(UserId);
        let mut said = Said::default();
        let evidence = self.evidence(&mut said)?;
        if user.is_some() && said.user.is_some() && said.user != user {
            said.doubt.get_or_insert(Doubt::UserDisagrees);
        }
        let row = Row {
            tenant: TenantId(tenant),
            connection: connection.map(ConnectionId),
            user,
            token_user: said.user,
            tenant_name: self.text(Column::TenantName),
            tenant_type: self.text(Column::TenantType),
            account: self.text(Column::AccountId),
            auth_event: auth_event.map(AuthEventId).or(said.auth_event),
            flow,
            connected_at: self.date(Column::ConnectedAt),
            updated_at: self.date(Column::UpdatedAt),
            last_used_at: self.date(Column::LastUsedAt),
            required,
            evidence,
            doubt: said.doubt,
            person: self.person(),
        };
        Ok((row, self.warnings))
    }

    fn text(&self, column: Column) -> Option<String> {
        self.raw.get(column).map(str::to_owned)
    }

    fn id(&self, column: Column) -> Result<Option<Uuid>, Bad> {
        match self.raw.get(column) {
            None => Ok(None),
            Some(text) => uuid(text).map(Some).ok_or_else(|| bad(column, BadReason::BrokenId)),
        }
    }

    /// Xero answers 403 to another id in the connection's place, at best.
    fn not_another_id(
        &self,
        connection: Option<Uuid>,
        tenant: Uuid,
        user: Option<Uuid>,
        auth_event: Option<Uuid>,
    ) -> Result<(), Bad> {
        let Some(connection) = connection else { return Ok(()) };
        let others = [
            (Column::TenantId, Some(tenant)),
            (Column::XeroUserId, user),
            (Column::AuthEventId, auth_event),
        ];
        match others.into_iter().find(|(_, other)| *other == Some(connection)) {
            Some((column, _)) => Err(bad(Column::ConnectionId, BadReason::SameAs(column))),
            None => Ok(()),
        }
    }

    fn flow(&self) -> Result<Option<Flow>, Bad> {
        let Some(text) = self.raw.get(Column::Flow) else { return Ok(None) };
        [Flow::Web, Flow::Pkce, Flow::Custom, Flow::Oauth1]
            .into_iter()
            .find(|flow| flow.as_str().eq_ignore_ascii_case(text))
            .map(Some)
            .ok_or_else(|| bad(Column::Flow, BadReason::UnknownFlow))
    }

    /// A text without words gives nothing, rather than a row that lacks nothing.
    fn required(&mut self) -> Result<Option<ScopeSet>, Bad> {
        let Some(text) = self.raw.get(Column::RequiredScopes) else { return Ok(None) };
        let known = self.memo.read(text);
        let bad = |reason| bad(Column::RequiredScopes, reason);
        if let Some(word) = known.unknown.first() {
            let (word, meant) = match memo::shown(word) {
                Some(meant) => (Some(word.clone()), meant),
                None => (None, None),
            };
            return Err(bad(BadReason::UnknownRequired { word, meant }));
        }
        for scope in known.set.iter() {
            let name = scope.name();
            match scope.status() {
                Status::Broad => return Err(bad(BadReason::BroadRequired(name))),
                Status::NonTenanted => return Err(bad(BadReason::NonTenantedRequired(name))),
                _ if !scope.may_be_requested() => {
                    return Err(bad(BadReason::WithdrawnRequired(name)));
                }
                _ => {}
            }
        }
        Ok((!known.set.is_empty()).then_some(known.set))
    }

    /// All readings of scopes, in the order of [`Source`].
    fn evidence(&mut self, said: &mut Said) -> Result<Vec<Evidence>, Bad> {
        let at = self.date(Column::EvidenceAt);
        let mut evidence = Vec::new();
        if let Some(text) = self.raw.get(Column::Scopes) {
            self.reading(&mut evidence, Source::Scopes, text, at);
        }
        if let Some(token) = self.raw.get(Column::AccessToken) {
            self.token(&mut evidence, said, Source::AccessToken, token)
                .map_err(|token::Broken| bad(Column::AccessToken, BadReason::BrokenToken))?;
        }
        let Some(json) = self.raw.get(Column::TokenResponse) else { return Ok(evidence) };
        let bad = |reason| bad(Column::TokenResponse, reason);
        let response =
            response::read(json).map_err(|response::Broken| bad(BadReason::BrokenTokenResponse))?;
        if response.has_refresh_token && !self.rules.ignore_refresh_tokens {
            return Err(bad(BadReason::RefreshToken));
        }
        if let Some(text) = &response.scope {
            self.reading(&mut evidence, Source::TokenResponse, text, at);
        }
        if let Some(token) = response.access_token.as_deref().map(str::trim)
            && !token.is_empty()
        {
            self.token(&mut evidence, said, Source::TokenResponseAccessToken, token)
                .map_err(|token::Broken| bad(BadReason::BrokenToken))?;
        }
        Ok(evidence)
    }

    fn reading(
        &mut self,
        evidence: &mut Vec<Evidence>,
        source: Source,
        text: &str,
        at: Option<DateTime<Utc>>,
    ) {
        let scopes = self.memo.evidence(text);
        if !scopes.is_empty() {
            evidence.push(Evidence { source, scopes, at });
        }
    }

    fn token(
        &mut self,
        evidence: &mut Vec<Evidence>,
        said: &mut Said,
        source: Source,
        token: &str,
    ) -> Result<(), token::Broken> {
        let claims = token::claims(token)?;
        let at = match claims.at {
            At::Known(at) => Some(at),
            At::NotGiven => None,
            At::Unreadable => {
                self.warnings.date = true;
                None
            }
        };
        if let Some(text) = &claims.scope {
            self.reading(evidence, source, text, at);
        }
        if claims.client.is_some_and(|id| !id.eq_ignore_ascii_case(&self.rules.client_id)) {
            // Says more than two persons: nothing in such a token is about this app.
            said.doubt = Some(Doubt::OtherClient);
        }
        if claims.user.is_some() && said.user.is_some() && claims.user != said.user {
            said.doubt.get_or_insert(Doubt::UserDisagrees);
        }
        said.user = said.user.or(claims.user);
        said.auth_event = said.auth_event.or(claims.auth_event);
        Ok(())
    }

    fn date(&mut self, column: Column) -> Option<DateTime<Utc>> {
        let text = self.raw.get(column)?;
        let date = dates::read(text);
        self.warnings.date |= date.is_none();
        date
    }

    fn person(&mut self) -> Person {
        let email = self.raw.get(Column::Email).map(str::parse);
        self.warnings.address = matches!(email, Some(Err(_)));
        let time_zone = self.raw.get(Column::TimeZone).map(zone);
        self.warnings.time_zone = time_zone == Some(None);
        Person {
            forgotten: None,
            email: email.and_then(Result::ok),
            name: self.text(Column::Name),
            locale: self.text(Column::Locale),
            time_zone: time_zone.flatten(),
            country: self.text(Column::Country),
        }
    }
}

/// An IANA zone, in any case.
fn zone(name: &str) -> Option<Tz> {
    name.parse()
        .ok()
        .or_else(|| TZ_VARIANTS.into_iter().find(|zone| zone.name().eq_ignore_ascii_case(name)))
}
