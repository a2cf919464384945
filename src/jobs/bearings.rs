//! What decisions are made by at one moment: the configuration with what the database adds.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::config::Config;
use crate::domain::campaign::{Campaign, Stage};
use crate::domain::decide::Rules;
use crate::domain::recipient::Exemptions;
use crate::store::{self, Store};

/// The database's part of the rules.
#[derive(Debug)]
pub struct Bearings {
    pub exemptions: Exemptions,
    suppressed: BTreeSet<String>,
    hold_back_key: Vec<u8>,
    correction: Option<Stage>,
    founded_at: DateTime<Utc>,
    /// The present edition of the deadline.
    pub edition: i64,
    pub now: DateTime<Utc>,
}

impl Bearings {
    /// # Errors
    /// The database cannot be used.
    pub async fn take(store: &Store, now: DateTime<Utc>) -> Result<Self, store::Error> {
        let all = store.exemptions().await?;
        let all =
            all.into_iter().map(|exemption| (exemption.id, exemption.until, exemption.reason));
        let edition = store.known_edition().await?;
        Ok(Self {
            exemptions: Exemptions::in_force(all, now),
            suppressed: store.suppressed().await?,
            hold_back_key: store.hold_back_key().await?,
            correction: (edition > 1).then(Campaign::correction),
            founded_at: store.founded_at().await?.unwrap_or(now),
            edition,
            now,
        })
    }

    #[must_use]
    pub fn rules<'a>(&'a self, config: &'a Config) -> Rules<'a> {
        Rules {
            campaign: &config.campaign,
            prompts: &config.prompts,
            removal: config.removal.as_ref(),
            exemptions: &self.exemptions,
            suppressed: &self.suppressed,
            hold_back_key: &self.hold_back_key,
            correction: self.correction.as_ref(),
            win_back: &config.win_back,
            planned: None,
            founded_at: self.founded_at,
            now: self.now,
        }
    }
}
