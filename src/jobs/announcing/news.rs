//! What a webhook that was asked to show a connection is to hear of it.

use uuid::Uuid;

use crate::delivery::payload::State;
use crate::domain::connection::Presence;
use crate::domain::grant::Readiness;
use crate::store::announcements::{Shown, Word};

/// What has become of a connection for whoever shows a banner about it; `None` while it is
/// still asked for, or while nothing is known: a bad row and evidence that cannot be settled
/// are reasons to wait, not to take anything back.
#[must_use]
pub fn state(shown: &Shown, is_exempt: bool) -> Option<State> {
    match (shown.presence, shown.readiness) {
        (Presence::RowBad, _) => None,
        (Presence::Removed, _) if shown.returned => Some(State::Returned),
        (Presence::Removed, _) => Some(State::Removed),
        (Presence::Present, Readiness::Ready) if shown.returned => Some(State::Returned),
        (Presence::Gone, _) | (_, Readiness::Unaffected) => Some(State::Withdrawn),
        (Presence::Present, Readiness::Ready) => Some(State::Ready),
        (Presence::Present, Readiness::Awaiting | Readiness::Unknown) => {
            (shown.manual || is_exempt).then_some(State::Withdrawn)
        }
    }
}

/// Whether the state is news after the last word. While a prompt is underway, nothing is:
/// the two could overtake each other.
#[must_use]
pub fn is_news(word: &Word, state: State) -> bool {
    !word.is_underway && word.what.as_deref() != Some(state.as_str())
}

/// The id of the answer to a word: the same for all workers that find it.
#[must_use]
pub fn id(word: &Word, state: State) -> Uuid {
    let Word { webhook, connection, at, .. } = word;
    let name = format!("{webhook}\0{connection}\0{}\0{}", state.as_str(), at.timestamp_micros());
    Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes())
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;
    use crate::domain::grant::ConnectionKey;

    fn shown(presence: Presence, readiness: Readiness) -> Shown {
        Shown {
            connection: ConnectionKey(Uuid::nil()),
            presence,
            readiness,
            manual: false,
            returned: false,
        }
    }

    fn word(what: Option<&str>) -> Word {
        Word {
            webhook: "product".into(),
            connection: ConnectionKey(Uuid::nil()),
            at: DateTime::UNIX_EPOCH,
            what: what.map(str::to_owned),
            is_underway: false,
        }
    }

    #[test]
    fn a_banner_goes_when_somebody_consented_or_nobody_asks_any_more() {
        use Presence::{Gone, Present, RowBad};
        use Readiness::{Awaiting, Ready, Unaffected, Unknown};
        let of = |presence, readiness| state(&shown(presence, readiness), false);
        assert_eq!(of(Present, Ready), Some(State::Ready));
        assert_eq!(of(Present, Unaffected), Some(State::Withdrawn));
        assert_eq!(of(Present, Awaiting), None);
        assert_eq!(of(Present, Unknown), None, "no evidence is no reason");
        for readiness in [Ready, Awaiting, Unaffected, Unknown] {
            assert_eq!(of(Gone, readiness), Some(State::Withdrawn));
            assert_eq!(of(RowBad, readiness), None, "a moment's bad row changes nothing");
        }
    }

    #[test]
    fn a_removed_connection_asks_to_reconnect_until_its_tenant_is_back_and_ready() {
        for readiness in [Readiness::Awaiting, Readiness::Ready] {
            let away = shown(Presence::Removed, readiness);
            assert_eq!(state(&away, false), Some(State::Removed));
            assert_eq!(state(&away, true), Some(State::Removed), "it is removed all the same");
            // By a connection of another id.
            assert_eq!(state(&Shown { returned: true, ..away }, false), Some(State::Returned));
        }
        let back = shown(Presence::Present, Readiness::Ready);
        assert_eq!(state(&Shown { returned: true, ..back }, false), Some(State::Returned));
        assert_eq!(state(&shown(Presence::Present, Readiness::Awaiting), false), None);
    }

    #[test]
    fn an_exemption_and_a_manual_connection_take_the_question_back_but_not_the_consent() {
        for readiness in [Readiness::Awaiting, Readiness::Unknown] {
            let shown = shown(Presence::Present, readiness);
            assert_eq!(state(&shown, true), Some(State::Withdrawn));
            assert_eq!(state(&Shown { manual: true, ..shown }, false), Some(State::Withdrawn));
        }
        let ready = shown(Presence::Present, Readiness::Ready);
        assert_eq!(state(&Shown { manual: true, ..ready }, true), Some(State::Ready));
    }

    #[test]
    fn the_same_is_told_once_after_each_question() {
        assert!(is_news(&word(None), State::Ready));
        assert!(!is_news(&word(Some("ready")), State::Ready));
        assert!(is_news(&word(Some("withdrawn")), State::Ready));
        assert!(!is_news(&Word { is_underway: true, ..word(None) }, State::Ready));
    }

    #[test]
    fn the_id_is_the_same_for_the_same_news_only() {
        let first = id(&word(None), State::Ready);
        assert_eq!(first, id(&word(None), State::Ready));
        assert_ne!(first, id(&word(None), State::Withdrawn));
        let later = Word { at: DateTime::UNIX_EPOCH + TimeDelta::days(9), ..word(None) };
        assert_ne!(first, id(&later, State::Ready));
        assert_ne!(first, id(&Word { webhook: "other".into(), ..word(None) }, State::Ready));
    }
}
