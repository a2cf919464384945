//! What became of removals, and how near the app is to its cap, as the database has it.

use chrono::{DateTime, Utc};

use crate::config::Config;
use crate::domain::win_back::lost_before;
use crate::report::aftermath::{AtXero, ListRead, Removals};
use crate::store::lists::{GOOD, LatestList};
use crate::store::returns::Funnel;
use crate::store::{self, Store};

/// `retained` are the connections that are present and ready.
///
/// # Errors
/// The database cannot be used.
pub async fn removals(
    config: &Config,
    store: &Store,
    retained: u64,
    now: DateTime<Utc>,
) -> Result<Removals, store::Error> {
    let funnel = store.funnel(lost_before(&config.win_back, now)).await?;
    let Funnel { removed, returned, back_broad, lost, awaited, crossed } = funnel;
    Ok(Removals { retained, removed, returned, back_broad, lost, awaited, crossed })
}

/// `None` before the first good list.
///
/// # Errors
/// The database cannot be used.
pub async fn at_xero(config: &Config, store: &Store) -> Result<Option<AtXero>, store::Error> {
    let (list, room) =
        (store.last_good_list().await?, store.room(config.app.connection_cap).await?);
    let (Some(list), Some(room)) = (list, room) else { return Ok(None) };
    let latest = store.latest_list().await?;
    Ok(Some(AtXero {
        list: read(list),
        cap: room.cap,
        away: room.away,
        left: room.left(),
        objection: latest.filter(|latest| latest.outcome != GOOD).map(read),
    }))
}

fn read(list: LatestList) -> ListRead {
    let count = |count: i64| u64::try_from(count).unwrap_or_default();
    ListRead {
        read_at: list.read_at,
        outcome: list.outcome,
        detail: list.detail,
        connections: count(list.connections),
        tenants: count(list.tenants),
        not_in_inventory: count(list.not_in_inventory),
        gone: count(list.gone),
        unresolved: count(list.unresolved),
    }
}
