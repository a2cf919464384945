//! What the connections of one grant come to, judged together.

use super::connection::{Connection, Standing};
use super::grant::{self, Member, judge};
use super::row::Flow;
use super::scopes::ScopeSet;

/// Judges all connections of a grant that the host lists, and writes each one's standing
/// down; `None` when it lists none. `app_flow` is for rows that give no flow.
pub fn stand<'a>(
    connections: impl Iterator<Item = &'a mut Connection>,
    required: ScopeSet,
    app_flow: Flow,
) -> Option<grant::Standing> {
    let mut listed: Vec<&mut Connection> =
        connections.filter(|connection| connection.is_listed()).collect();
    if listed.is_empty() {
        return None;
    }
    let members: Vec<Member<'_>> = listed
        .iter()
        .map(|connection| Member {
            evidence: &connection.facts.evidence,
            doubt: connection.facts.doubt,
            required: connection.facts.required,
        })
        .collect();
    let judged = judge(&members, required);
    let reachable = listed
        .iter()
        .flat_map(|connection| &connection.people)
        .any(|person| person.person.email.is_some());
    for (connection, own) in listed.iter_mut().zip(&judged.connections) {
        connection.standing = Standing {
            class: judged.class,
            readiness: own.readiness,
            some_evidence_ready: own.some_evidence_ready,
            token_behind: own.token_behind,
            manual: connection.facts.flow.unwrap_or(app_flow).is_manual(),
            reachable,
        };
    }
    Some(judged)
}
