//! What becomes of a row, field by field.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;

use crate::domain::evidence::Source;
use crate::domain::row::{Doubt, Flow, Row, Warnings};

use super::filling::Filling;
use super::raw::Spans;
use super::{BadRow, Batch, Column, Place, Rules, ScopeMemo, parse};

const TENANT: &str = "a0000000-0000-4000-8000-000000000001";
const CONNECTION: &str = "c0000000-0000-4000-8000-000000000001";
const USER: &str = "d0000000-0000-4000-8000-000000000001";
const OTHER: &str = "d0000000-0000-4000-8000-000000000002";

/// What a host stores in some columns.
type Fields<'a> = &'a [(Column, &'a str)];

fn batch(fields: &[(Column, &[u8])]) -> Batch {
    let mut filling = Filling::default();
    let mut spans = Spans::default();
    for (column, field) in fields {
        spans[column.index()] = filling.put(field);
    }
    filling.push(Place::Line(2), spans, None);
    filling.seal(0)
}

fn parsed(fields: Fields, rules: &Rules) -> Result<(Row, Warnings), BadRow> {
    let mut all: Vec<(Column, &[u8])> = vec![(Column::TenantId, TENANT.as_bytes())];
    all.extend(fields.iter().map(|(column, text)| (*column, text.as_bytes())));
    let batch = batch(&all);
    let row = batch.rows().next().expect("the row just pushed");
    parse(&row, rules, &mut ScopeMemo::default())
}

fn rules() -> Rules {
    Rules { client_id: "AB12".to_owned(), ignore_refresh_tokens: false }
}

fn good(fields: Fields) -> (Row, Warnings) {
    parsed(fields, &rules()).expect("a good row")
}

fn bad(fields: Fields) -> BadRow {
    parsed(fields, &rules()).expect_err("a bad row")
}

fn token(payload: &str) -> String {
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload))
}

#[test]
fn a_row_with_a_tenant_is_enough() {
    let (row, warnings) = good(&[]);
    assert_eq!(row.tenant.to_string(), TENANT);
    assert_eq!((row.connection, row.user, row.flow, row.required), (None, None, None, None));
    assert!(row.evidence.is_empty());
    assert_eq!(warnings, Warnings::default());
}

#[test]
fn white_space_around_a_field_and_case_do_not_matter() {
    let (row, warnings) = good(&[
        (Column::ConnectionId, " C0000000000040008000000000000001\u{a0}"),
        (Column::Flow, " OAuth1 "),
        (Column::TimeZone, " pacific/auckland"),
        (Column::Email, "\tjo@example.com "),
        (Column::Name, "   "),
    ]);
    assert_eq!(row.connection, CONNECTION.parse().ok());
    assert_eq!(row.flow, Some(Flow::Oauth1));
    assert_eq!(row.person.time_zone, Some(chrono_tz::Pacific::Auckland));
    assert_eq!((row.person.name, warnings), (None, Warnings::default()));
}

#[test]
fn what_is_only_odd_is_a_warning() {
    let (row, warnings) = good(&[
        (Column::Email, "n/a"),
        (Column::TimeZone, "New Zealand Standard Time"),
        (Column::LastUsedAt, "2026-01-02"),
        (Column::ConnectedAt, "2026-01-02 03:04:05"),
    ]);
    assert_eq!(warnings, Warnings { address: true, time_zone: true, date: true });
    assert_eq!((row.person.email, row.person.time_zone, row.last_used_at), (None, None, None));
    assert_eq!(row.connected_at, "2026-01-02T03:04:05Z".parse().ok());
}

#[test]
fn ids_have_to_be_uuids_and_stand_in_their_own_place() {
    let nil = "00000000-0000-0000-0000-000000000000";
    let cases: &[(Fields, &str, Column)] = &[
        (&[(Column::TenantId, "")], "missing_id", Column::TenantId),
        (&[(Column::TenantId, "17")], "broken_id", Column::TenantId),
        (&[(Column::XeroUserId, nil)], "broken_id", Column::XeroUserId),
        (&[(Column::AuthEventId, "x")], "broken_id", Column::AuthEventId),
        (&[(Column::ConnectionId, "x")], "broken_id", Column::ConnectionId),
        (&[(Column::ConnectionId, TENANT)], "tenant_id_as_connection_id", Column::ConnectionId),
        (
            &[(Column::ConnectionId, USER), (Column::XeroUserId, USER)],
            "other_id_as_connection_id",
            Column::ConnectionId,
        ),
    ];
    for (fields, code, column) in cases {
        let bad = bad(fields);
        assert_eq!((bad.reason.code(), bad.column), (*code, Some(*column)));
        assert_eq!(bad.connection, None);
    }
}

#[test]
fn a_bad_row_still_tells_which_connection_it_stands_for() {
    let bad = bad(&[
        (Column::ConnectionId, CONNECTION),
        (Column::XeroUserId, USER),
        (Column::Flow, "magic"),
        (Column::Email, "jo@example.com"),
    ]);
    assert_eq!(bad.to_string(), "line 2, flow: none of web, pkce, custom, oauth1");
    assert_eq!(bad.connection, CONNECTION.parse().ok());
    assert_eq!((bad.tenant, bad.user), (TENANT.parse().ok(), USER.parse().ok()));
}

#[test]
fn required_scopes_must_be_ones_that_a_consent_can_hold() {
    let cases = [
        ("accounting.transactions accounting.contacts", "required_scope_broad"),
        ("accounting.classicexpenses", "required_scope_withdrawn"),
        ("accounting.reports.bankstatement.read", "required_scope_withdrawn"),
        ("app.connections", "required_scope_non_tenanted"),
        ("accounting.nonsense", "required_scope_unknown"),
        ("openid jo@example.com", "required_scope_unknown"),
    ];
    for (text, code) in cases {
        let bad = bad(&[(Column::RequiredScopes, text)]);
        assert_eq!(bad.reason.code(), code, "{text}");
        assert!(!bad.to_string().contains('@'), "{bad}");
    }
    let unknown = bad(&[(Column::RequiredScopes, "accounting.nonsense")]);
    assert!(unknown.to_string().contains("accounting.nonsense"));
    let (row, _) = good(&[(Column::RequiredScopes, "[\"openid\", \"accounting.invoices\"]")]);
    assert_eq!(row.required.unwrap().canonical(), "accounting.invoices openid");
    assert_eq!(good(&[(Column::RequiredScopes, "[]")]).0.required, None, "not: lacks nothing");
}

#[test]
fn evidence_comes_from_every_field_with_its_own_time() {
    let own = token(r#"{"scope":["openid"],"auth_time":1700000000,"iat":1700009999}"#);
    let inner = token(r#"{"scope":"files","iat":1700000001,"client_id":"ab12"}"#);
    let response = format!(r#"{{"scope":"assets projects","access_token":"Bearer {inner}"}}"#);
    let (row, _) = good(&[
        (Column::Scopes, "{accounting.contacts}"),
        (Column::AccessToken, &own),
        (Column::TokenResponse, &response),
        (Column::EvidenceAt, "2026-01-02T03:04:05Z"),
    ]);
    let text = "2026-01-02T03:04:05Z".parse().ok();
    let seconds = |seconds| chrono::DateTime::from_timestamp(seconds, 0);
    let found: Vec<_> =
        row.evidence.iter().map(|e| (e.source, e.scopes.canonical(), e.at)).collect();
    let expected = [
        (Source::Scopes, "accounting.contacts".to_owned(), text),
        (Source::AccessToken, "openid".to_owned(), seconds(1_700_000_000)),
        (Source::TokenResponse, "assets projects".to_owned(), text),
        (Source::TokenResponseAccessToken, "files".to_owned(), seconds(1_700_000_001)),
    ];
    assert_eq!(found, expected);
    assert_eq!(row.doubt, None);
}

#[test]
fn a_text_without_known_scopes_is_no_evidence() {
    let token = token(r#"{"scope":["nothing"],"xero_userid":null}"#);
    let (row, _) = good(&[(Column::Scopes, "yes"), (Column::AccessToken, &token)]);
    assert!(row.evidence.is_empty());
}

#[test]
fn tokens_that_cannot_be_read_and_refresh_tokens_make_bad_rows() {
    let cut = token("{}").replace(".c2ln", "");
    let inner = format!(r#"{{"access_token":"{cut}"}}"#);
    let refresh = r#"{"scope":"openid","refresh_token":"SECRET"}"#;
    for (column, text, code) in [
        (Column::AccessToken, cut.as_str(), "broken_token"),
        (Column::TokenResponse, &inner, "broken_token"),
        (Column::TokenResponse, "openid", "broken_token_response"),
        (Column::TokenResponse, refresh, "refresh_token"),
    ] {
        let bad = bad(&[(column, text)]);
        assert_eq!((bad.reason.code(), bad.column), (code, Some(column)));
        assert!(!format!("{bad} {bad:?}").contains("SECRET"));
    }
    let rules = Rules { ignore_refresh_tokens: true, ..rules() };
    let (row, _) = parsed(&[(Column::TokenResponse, refresh)], &rules).unwrap();
    assert_eq!(row.evidence.len(), 1);
    assert!(!format!("{row:?}").contains("SECRET"));
}

#[test]
fn a_token_tells_the_user_and_the_consent_where_the_columns_do_not() {
    let claims = format!(r#"{{"xero_userid":"{USER}","authentication_event_id":"{OTHER}"}}"#);
    let token = token(&claims);
    let (row, _) = good(&[(Column::AccessToken, &token)]);
    assert_eq!((row.user, row.token_user), (None, USER.parse().ok()));
    assert_eq!(row.auth_event, OTHER.parse().ok());
    let (row, _) = good(&[(Column::AccessToken, &token), (Column::AuthEventId, CONNECTION)]);
    assert_eq!(row.auth_event, CONNECTION.parse().ok());
}

#[test]
fn tokens_of_somebody_else_or_another_app_are_doubted() {
    let of = |user: &str| token(&format!(r#"{{"xero_userid":"{user}"}}"#));
    let inner = |token: String| format!(r#"{{"access_token":"{token}"}}"#);
    let (column, other) = (of(USER), inner(of(OTHER)));
    let app = token(&format!(r#"{{"xero_userid":"{OTHER}","client_id":"CD"}}"#));
    let user = (Column::XeroUserId, USER);
    let cases: &[(Fields, Option<Doubt>)] = &[
        (&[user, (Column::AccessToken, &column)], None),
        (
            &[(Column::XeroUserId, OTHER), (Column::AccessToken, &column)],
            Some(Doubt::UserDisagrees),
        ),
        (&[user, (Column::TokenResponse, &other)], Some(Doubt::UserDisagrees)),
        (
            &[(Column::AccessToken, &column), (Column::TokenResponse, &other)],
            Some(Doubt::UserDisagrees),
        ),
        (&[user, (Column::AccessToken, &app)], Some(Doubt::OtherClient)),
    ];
    for (fields, doubt) in cases {
        assert_eq!(good(fields).0.doubt, *doubt, "{fields:?}");
    }
}

#[test]
fn an_unreadable_time_of_a_token_is_a_warning() {
    let token = token(r#"{"scope":"openid","auth_time":1700000000000}"#);
    let (row, warnings) = good(&[(Column::AccessToken, &token)]);
    assert_eq!((row.evidence[0].at, warnings.date), (None, true));
}

fn any_field() -> impl Strategy<Value = (Column, Vec<u8>)> {
    let column = proptest::sample::select(Column::ALL.to_vec());
    let field = prop_oneof![
        any::<Vec<u8>>(),
        "\\PC*".prop_map(String::into_bytes),
        "[0-9T:. +-]{8,32}".prop_map(String::into_bytes),
        "[{}\\[\\]\":,a-z_.]{0,40}".prop_map(String::into_bytes),
        Just(TENANT.as_bytes().to_vec()),
    ];
    (column, field)
}

proptest! {
    #[test]
    fn no_row_makes_it_panic(fields in proptest::collection::vec(any_field(), 0..8)) {
        let fields: Vec<(Column, &[u8])> =
            fields.iter().map(|(column, field)| (*column, field.as_slice())).collect();
        let batch = batch(&fields);
        for row in batch.rows() {
            if let Ok((row, _)) = parse(&row, &rules(), &mut ScopeMemo::default()) {
                prop_assert_eq!(row.tenant.to_string(), TENANT);
            }
        }
    }
}
