//! What `status` says of removals, and of Xero's own list.

use std::io::{self, Write};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use crate::config::Config;
use crate::domain::reconciling::Room;
use crate::store::lists::{GOOD, LatestList};
use crate::store::returns::Funnel;
use crate::store::{self, Store};

/// Both.
#[derive(Serialize)]
pub(super) struct Aftermath {
    pub funnel: Retained,
    pub xero: Option<AtXero>,
}

/// How many connections stay, and what became of those that did not.
#[derive(Serialize)]
pub(super) struct Retained {
    /// Present, and ready.
    pub retained: u64,
    #[serde(flatten)]
    pub funnel: Funnel,
}

/// Xero's own list as it was last put to use, and how near the app is to its cap.
#[derive(Serialize)]
pub(super) struct AtXero {
    #[serde(flatten)]
    list: LatestList,
    cap: Option<u32>,
    /// Removed tenants that need a place to come back to.
    away: u64,
    /// Places that are neither taken nor kept.
    left: Option<u64>,
    /// What there is against the last reading, where it was not put to use.
    objection: Option<LatestList>,
}

impl Aftermath {
    pub(super) async fn of(
        config: &Config,
        store: &Store,
        retained: u64,
        now: DateTime<Utc>,
    ) -> Result<Self, store::Error> {
        let last_word = config.win_back.last().map_or(0, |follow_up| follow_up.days);
        // The day after the last message.
        let lost_before = now - TimeDelta::days(i64::from(last_word) + 1);
        let funnel = store.funnel(lost_before).await?;
        let cap = config.app.connection_cap;
        let xero = match (store.last_good_list().await?, store.room(cap).await?) {
            (Some(list), Some(room)) => {
                let latest = store.latest_list().await?;
                Some(AtXero::new(list, room, latest))
            }
            _ => None,
        };
        Ok(Self { funnel: Retained { retained, funnel }, xero })
    }

    pub(super) fn write(&self, zone: Tz, out: &mut dyn Write) -> io::Result<()> {
        let Funnel { removed, returned, back_broad, lost, awaited, crossed } = self.funnel.funnel;
        if removed > 0 {
            writeln!(
                out,
                "  retained {} · removed {removed} · returned {returned} · lost {lost}",
                self.funnel.retained
            )?;
            writeln!(
                out,
                "    still awaited {awaited} · back with broad scopes {back_broad} · \
                 of all: crossed a consent {crossed}"
            )?;
        }
        self.xero.as_ref().map_or(Ok(()), |xero| xero.write(zone, out))
    }
}

impl AtXero {
    fn new(list: LatestList, room: Room, latest: Option<LatestList>) -> Self {
        Self {
            list,
            cap: room.cap,
            away: room.away,
            left: room.left(),
            objection: latest.filter(|latest| latest.outcome != GOOD),
        }
    }

    fn write(&self, zone: Tz, out: &mut dyn Write) -> io::Result<()> {
        let LatestList {
            read_at, connections, tenants, not_in_inventory, gone, unresolved, ..
        } = &self.list;
        let day = |at: &DateTime<Utc>| at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string();
        let cap = match (self.cap, self.left) {
            (Some(cap), Some(left)) => format!(" of at most {cap}, {left} places left"),
            _ => String::new(),
        };
        writeln!(
            out,
            "  Xero's list of {}: {connections} connections, {tenants} tenants{cap}",
            day(read_at)
        )?;
        writeln!(
            out,
            "    not in the inventory {not_in_inventory} · gone there {gone} · \
             without an id and not resolved {unresolved}"
        )?;
        if let Some(LatestList { read_at, outcome, detail, .. }) = &self.objection {
            let why = detail.as_deref().unwrap_or_default();
            writeln!(out, "    that of {} changed nothing ({outcome}): {why}", day(read_at))?;
        }
        Ok(())
    }
}
