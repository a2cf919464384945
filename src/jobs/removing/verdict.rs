//! From what Xero said to what becomes of a removal.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use crate::domain::audit::Kind as Acted;
use crate::domain::reason::Code;
use crate::domain::removal::RemovalState;
use crate::store::removals::{Ended, Leased};
use crate::xero::connections::{Deleted, Deletion};
use crate::xero::error::{Decision, Error};

use super::list::{ListError, XeroList};
use super::stop::Stop;

/// When Xero is asked again that did not say when.
const LATER: TimeDelta = TimeDelta::minutes(5);

/// What was answered, and what the list said where the answer alone does not tell.
pub(super) struct Answered {
    pub answer: Result<Deleted, Error>,
    pub list: Option<Result<XeroList, ListError>>,
}

/// What becomes of a removal, and of the run.
pub(super) struct Became {
    pub ended: Ended,
    pub stop: Option<Stop>,
    /// An attempt that failed, or of which nobody knows.
    pub failed: bool,
}

/// Nothing was asked of Xero, or nothing came of it: it goes back.
pub(super) fn released(leased: &Leased, why: Option<String>, due_at: DateTime<Utc>) -> Ended {
    Ended {
        removal: leased.removal,
        fence: leased.fence,
        state: RemovalState::Queued,
        outcome: why,
        correlation: None,
        due_at: due_at.trunc_subsecs(6),
        is_lost: false,
        act: None,
    }
}

/// `absence` tells why a list proves no absence.
pub(super) fn judge(
    leased: &Leased,
    answered: Answered,
    absence: impl Fn(&XeroList) -> Option<String>,
    now: DateTime<Utc>,
) -> Became {
    let Answered { answer, list } = answered;
    let base = |state, act, outcome: String| Ended {
        state,
        outcome: Some(outcome),
        act: Some(act),
        ..released(leased, None, now)
    };
    let fine = |ended| Became { ended, stop: None, failed: false };
    let id = leased.planned.connection_id;
    // One that was asked for before without an answer was ours, whenever it took effect.
    let was_there_not = |why: &str| match leased.lost {
        0 => base(RemovalState::Gone, Acted::RemovalFoundGone, why.to_owned()),
        _ => base(
            RemovalState::Removed,
            Acted::RemovalDone,
            format!("{why}; an earlier call without an answer had removed it"),
        ),
    };
    match answer {
        Ok(Deleted { deletion, correlation, .. }) => {
            let with = |ended| Ended { correlation: correlation.clone(), ..ended };
            match deletion {
                Deletion::Removed => {
                    let text = "204: removed".to_owned();
                    fine(with(base(RemovalState::Removed, Acted::RemovalDone, text)))
                }
                Deletion::AlreadyGone => fine(with(was_there_not("404: Xero did not have it"))),
                Deletion::NotOurs => {
                    let became = refused(leased, list, absence, &was_there_not, now);
                    Became { ended: with(became.ended), ..became }
                }
            }
        }
        Err(error) => match error.decision() {
            Decision::Wait(after) => {
                let due_at = now + after.unwrap_or(LATER);
                let ended = Ended {
                    due_at: due_at.trunc_subsecs(6),
                    ..base(RemovalState::Queued, Acted::RemovalFailed, error.to_string())
                };
                Became { ended, stop: Some(Stop::Unavailable(error.to_string())), failed: true }
            }
            Decision::Stop => {
                let stop = match error {
                    Error::Withheld(_) => Stop::Unavailable(error.to_string()),
                    _ => Stop::Refused(error.to_string()),
                };
                let ended = base(RemovalState::Queued, Acted::RemovalFailed, error.to_string());
                Became { ended, stop: Some(stop), failed: true }
            }
            Decision::ReadBack => match list {
                Some(Ok(list)) if !list.has(id) && absence(&list).is_none() => {
                    let text = format!("{error}; Xero's list does not have it any more");
                    let ended = base(RemovalState::Removed, Acted::RemovalDone, text);
                    fine(Ended { is_lost: true, ..ended })
                }
                _ => {
                    let ended =
                        base(RemovalState::Unknown, Acted::RemovalUnknown, error.to_string());
                    let ended = Ended { is_lost: true, ..ended };
                    // An outage is over later, and hammering at it does not help.
                    let is_down = matches!(error, Error::Failed(_));
                    let stop = is_down.then(|| Stop::Unavailable(error.to_string()));
                    Became { ended, stop, failed: true }
                }
            },
        },
    }
}

/// 403: a wrong id, or not this app's. Nothing was removed; the list tells which.
fn refused(
    leased: &Leased,
    list: Option<Result<XeroList, ListError>>,
    absence: impl Fn(&XeroList) -> Option<String>,
    was_there_not: &dyn Fn(&str) -> Ended,
    now: DateTime<Utc>,
) -> Became {
    let id = leased.planned.connection_id;
    let why = match list {
        Some(Ok(list)) if list.has(id) => {
            let text = "403 although Xero lists it";
            let ended = Ended {
                state: RemovalState::SetAside,
                outcome: Some(text.to_owned()),
                act: Some(Acted::RemovalSetAside),
                ..released(leased, None, now)
            };
            let stop = Stop::SetAside(format!("{}: {id}: {text}", Code::SetAside.as_str()));
            return Became { ended, stop: Some(stop), failed: true };
        }
        Some(Ok(list)) => match absence(&list) {
            None => {
                let ended = was_there_not("403, and Xero's list does not have it");
                return Became { ended, stop: None, failed: false };
            }
            Some(why) => why,
        },
        Some(Err(error)) => error.to_string(),
        None => "its list was not read".to_owned(),
    };
    // Whether it is there or not: no other is tried before a person has looked.
    let text = format!("403, and {why}");
    let ended = Ended {
        outcome: Some(text.clone()),
        act: Some(Acted::RemovalFailed),
        ..released(leased, None, now + LATER)
    };
    Became { ended, stop: Some(Stop::SetAside(format!("{id}: {text}"))), failed: true }
}
