//! Erasing people: waiting until nothing is on its way to them, and saying when their data has
//! been kept long enough.

use chrono::{DateTime, TimeDelta, Utc};

use crate::clock::Clock;
use crate::config::Config;
use crate::domain::address::Address;
use crate::store::forgotten::Forgetting;
use crate::store::{self, Store};

/// How long, in all, a message that is being handed over is waited for: longer than a lease, so
/// that one whose worker is gone is settled by then.
const PAUSES: u32 = 75;
const PAUSE: TimeDelta = TimeDelta::seconds(1);

/// Erases a person once no message is being handed over to them.
///
/// # Errors
/// The database cannot be used.
pub async fn forget(
    store: &Store,
    clock: &dyn Clock,
    address: &Address,
    by: &str,
) -> Result<Forgetting, store::Error> {
    for _ in 0..PAUSES {
        let now = clock.now();
        store.sweep_prompts(now).await?;
        match store.forget(address, by, now).await? {
            Forgetting::InFlight => clock.sleep(PAUSE).await,
            done @ Forgetting::Done(_) => return Ok(done),
        }
    }
    Ok(Forgetting::InFlight)
}

/// Until when people's data is kept.
#[must_use]
pub fn kept_until(config: &Config) -> DateTime<Utc> {
    let days = config.retention.days_after_deadline;
    config.campaign.deadline + TimeDelta::days(i64::from(days))
}

/// Says so when it has been kept for longer than it is to be.
pub(super) fn remind(config: &Config, now: DateTime<Utc>) {
    let until = kept_until(config);
    if now >= until {
        let day = until.with_timezone(&config.campaign.zone).format("%Y-%m-%d");
        tracing::warn!(
            remedy = format!("worker purge --before {day} --destroy-key"),
            "people's data is kept for longer than [retention] says"
        );
    }
}
