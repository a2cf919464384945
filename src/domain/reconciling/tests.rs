//! Lists of Xero's held against small inventories.

use uuid::Uuid;

use super::*;
use crate::domain::example::at;

const READ: &str = "2027-08-20T10:00:00Z";
const REMOVED: &str = "2027-08-20T09:00:00Z";

fn listed(id: u128, tenant: u128) -> AtXero {
    AtXero {
        id: ConnectionId(Uuid::from_u128(id)),
        tenant: TenantId(Uuid::from_u128(tenant)),
        tenant_type: None,
        auth_event: None,
        created_at: Some(at("2025-01-01T00:00:00Z")),
        updated_at: None,
    }
}

fn ours(key: u128, id: Option<u128>, tenant: u128) -> Ours {
    Ours {
        key: ConnectionKey(Uuid::from_u128(key)),
        id: id.map(|id| ConnectionId(Uuid::from_u128(id))),
        tenant: TenantId(Uuid::from_u128(tenant)),
        auth_event: None,
        removed: None,
    }
}

fn removed(ours: Ours, id: u128, is_newer: bool) -> Ours {
    let id = Some(ConnectionId(Uuid::from_u128(id)));
    Ours { removed: Some(Removed { at: at(REMOVED), id, is_listed: true, is_newer }), ..ours }
}

fn reconcile(list: &[AtXero], all: &[Ours]) -> Reconciled {
    let mut reconciling = Reconciling::with(list, at(READ));
    all.iter().for_each(|ours| reconciling.add(*ours));
    reconciling.end()
}

fn claimed(reconciled: &Reconciled, id: u128) -> Option<u128> {
    let key = reconciled.claims.get(&ConnectionId(Uuid::from_u128(id)))?;
    Some(key.0.as_u128())
}

#[test]
fn ours_are_found_by_their_id_or_are_gone_there() {
    let all = [ours(1, Some(1), 10), ours(2, Some(2), 20)];
    let reconciled = reconcile(&[listed(1, 10), listed(3, 30)], &all);
    assert_eq!(claimed(&reconciled, 1), Some(1));
    assert_eq!(claimed(&reconciled, 3), None);
    let gone: Vec<u128> = reconciled.gone.iter().map(|(key, _, _)| key.0.as_u128()).collect();
    assert_eq!(gone, [2]);
}

#[test]
fn an_id_that_stands_for_another_tenant_is_not_ours_e52() {
    let reconciled = reconcile(&[listed(1, 99)], &[ours(1, Some(1), 10)]);
    assert_eq!(claimed(&reconciled, 1), None);
    assert_eq!(reconciled.gone.len(), 1);
}

#[test]
fn a_row_without_an_id_is_the_one_connection_of_its_tenant_that_nobody_claims() {
    let all = [ours(1, Some(1), 10), ours(7, None, 10)];
    let reconciled = reconcile(&[listed(1, 10), listed(2, 10)], &all);
    assert_eq!((claimed(&reconciled, 2), reconciled.unresolved), (Some(7), 0));
}

#[test]
fn two_people_at_one_tenant_are_never_taken_for_each_other_e51() {
    // Two rows, two connections.
    let both = [ours(7, None, 10), ours(8, None, 10)];
    let reconciled = reconcile(&[listed(1, 10), listed(2, 10)], &both);
    assert_eq!((reconciled.claims.len(), reconciled.unresolved), (0, 2));
    // One row and two connections; two rows and one connection; none at all.
    for (list, all) in [
        (vec![listed(1, 10), listed(2, 10)], vec![ours(7, None, 10)]),
        (vec![listed(1, 10)], both.to_vec()),
        (vec![listed(1, 30)], vec![ours(7, None, 10)]),
    ] {
        let reconciled = reconcile(&list, &all);
        assert_eq!((reconciled.claims.len(), reconciled.unresolved), (0, all.len() as u64));
    }
}

#[test]
fn another_consent_is_another_persons_e58() {
    let event = |number| Some(AuthEventId(Uuid::from_u128(number)));
    let row = Ours { auth_event: event(1), ..ours(7, None, 10) };
    let theirs = AtXero { auth_event: event(2), ..listed(1, 10) };
    let own = AtXero { auth_event: event(1), ..listed(2, 10) };
    assert_eq!(reconcile(std::slice::from_ref(&theirs), &[row]).unresolved, 1);
    assert_eq!(claimed(&reconcile(&[theirs, own], &[row]), 2), Some(7));
}

#[test]
fn a_removed_connection_is_back_when_the_list_has_it_again() {
    let gone = removed(ours(1, Some(1), 10), 1, false);
    assert!(reconcile(&[listed(9, 90)], &[gone]).back.is_empty());
    assert!(reconcile(&[listed(9, 90)], &[gone]).gone.is_empty(), "as it should be");
    assert_eq!(reconcile(&[listed(1, 10)], &[gone]).back, [gone.key]);
    // The host gave no id; it was removed under the one that was found.
    let resolved = removed(ours(7, None, 10), 1, false);
    assert_eq!(reconcile(&[listed(1, 10)], &[resolved]).back, [resolved.key]);
}

#[test]
fn a_list_from_right_after_the_removal_brings_nothing_back() {
    let mut gone = removed(ours(1, Some(1), 10), 1, false);
    gone.removed = gone.removed.map(|removed| Removed { at: at(READ), ..removed });
    assert!(reconcile(&[listed(1, 10)], &[gone]).back.is_empty());
}

#[test]
fn a_new_connection_of_the_tenant_is_the_removed_one_only_if_its_row_is_new_too() {
    let new = AtXero { created_at: Some(at("2027-08-20T09:30:00Z")), ..listed(2, 10) };
    let silent = removed(ours(1, Some(1), 10), 1, false);
    let speaks = removed(ours(1, Some(1), 10), 1, true);
    assert!(reconcile(std::slice::from_ref(&new), &[silent]).back.is_empty());
    let reconciled = reconcile(std::slice::from_ref(&new), &[speaks]);
    assert_eq!((reconciled.back.as_slice(), claimed(&reconciled, 2)), (&[speaks.key][..], Some(1)));
    // A colleague's, who was connected all the time.
    assert!(reconcile(&[listed(2, 10)], &[speaks]).back.is_empty());
}

#[test]
fn empty_incomplete_and_short_lists_are_objected_to_e50() {
    let code = |listed, incomplete, last: Option<(u64, u64)>| {
        let last = last.map(|(connections, removed_since)| LastList { connections, removed_since });
        objection(listed, incomplete, last, 20.0).map(|reason| reason.code)
    };
    assert_eq!(code(0, None, None), Some(Code::ListEmpty));
    assert_eq!(code(0, None, Some((0, 0))), Some(Code::ListEmpty));
    assert_eq!(code(10, Some("206"), None), Some(Code::ListIncomplete));
    assert_eq!(code(1, None, None), None, "there is nothing to hold the first against");
    assert_eq!(code(80, None, Some((100, 0))), None);
    assert_eq!(code(79, None, Some((100, 0))), Some(Code::ListShort));
    assert_eq!(code(3, None, Some((4, 1))), None, "what we removed ourselves is not missed");
    assert_eq!(code(500, None, Some((100, 0))), None);
}

#[test]
fn room_is_kept_for_everyone_who_was_sent_away_e55() {
    let room = |cap, tenants, away| Room { cap, tenants, away, read_at: at(READ) };
    assert_eq!(room(None, 9_999, 9).left(), None);
    assert!(room(None, 9_999, 9).bar().is_none());
    assert_eq!(room(Some(10), 7, 2).left(), Some(1));
    assert!(room(Some(10), 7, 2).bar().is_none());
    for (tenants, away) in [(8, 2), (10, 0), (12, 3)] {
        assert_eq!(room(Some(10), tenants, away).bar().unwrap().code, Code::NoRoom);
    }
}
