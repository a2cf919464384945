//! The progress event: the last log line of every run, and a part of every plan.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::tally::Tally;

/// All fields of the event, in their order. `None` is not known.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Progress {
    pub run_id: Uuid,
    pub job: String,
    pub dry_run: bool,
    pub connections: Option<u64>,
    pub broad_only: Option<u64>,
    pub mixed: Option<u64>,
    pub granular: Option<u64>,
    pub unaffected: Option<u64>,
    pub unknown: Option<u64>,
    pub ready: Option<u64>,
    pub awaiting: Option<u64>,
    pub exempt: Option<u64>,
    pub covered: Option<u64>,
    pub manual: Option<u64>,
    pub unreachable: Option<u64>,
    pub token_behind: Option<u64>,
    pub gone: Option<u64>,
    pub removed: Option<u64>,
    pub returned: Option<u64>,
    pub bad_rows: Option<u64>,
    pub prompts_planned: Option<u64>,
    pub prompts_sent: Option<u64>,
    pub prompts_unknown: Option<u64>,
    pub removals_planned: Option<u64>,
    pub removals_done: Option<u64>,
    pub failures: Option<u64>,
    pub held_back: Option<u64>,
    pub days_to_deadline: Option<i64>,
    pub ready_percent: Option<f64>,
    pub projected_ready_percent: Option<f64>,
    pub on_track: Option<bool>,
    pub audit_head: Option<String>,
    pub duration_ms: u64,
}

impl Progress {
    /// Takes over what was counted.
    pub fn count(&mut self, tally: &Tally) {
        self.connections = Some(tally.connections);
        self.broad_only = Some(tally.broad_only);
        self.mixed = Some(tally.mixed);
        self.granular = Some(tally.granular);
        self.unaffected = Some(tally.unaffected);
        self.unknown = Some(tally.unknown);
        self.ready = Some(tally.ready);
        self.awaiting = Some(tally.awaiting);
        self.covered = Some(tally.covered);
        self.manual = Some(tally.manual);
        self.unreachable = Some(tally.unreachable);
        self.token_behind = Some(tally.token_behind);
        self.gone = Some(tally.gone);
        self.removed = Some(tally.removed);
        self.returned = Some(tally.returned);
        self.ready_percent = ready_percent(tally);
    }

    /// Every field with its value, in order, as it stands in the JSON.
    #[must_use]
    pub fn fields(&self) -> serde_json::Map<String, serde_json::Value> {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::Object(fields)) => fields,
            _ => serde_json::Map::new(),
        }
    }
}

/// 100 · ready / (ready + awaiting), one decimal; unknown where neither is.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
pub fn ready_percent(tally: &Tally) -> Option<f64> {
    let concerned = tally.ready + tally.awaiting;
    (concerned > 0).then(|| (1000.0 * tally.ready as f64 / concerned as f64).round() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_share_has_one_decimal_and_is_unknown_without_anyone_concerned() {
        let tally = Tally { ready: 211, awaiting: 821, ..Tally::default() };
        assert_eq!(ready_percent(&tally), Some(20.4));
        assert_eq!(ready_percent(&Tally::default()), None);
    }

    #[test]
    fn every_field_is_there_even_when_nothing_is_known() {
        let fields = Progress::default().fields();
        assert_eq!(fields.len(), 33);
        assert!(fields["connections"].is_null());
        assert!(fields["on_track"].is_null());
    }
}
