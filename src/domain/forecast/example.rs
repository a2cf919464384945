//! A campaign that the tests of forecasts start from.

use std::collections::BTreeSet;

use chrono::{NaiveDate, NaiveTime, Weekday};

use crate::domain::campaign::{Campaign, Channel, PromptPolicy, WorkingTime};
use crate::domain::example::{at, scopes, stage};

pub fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// Over on 13 September 2027 in Auckland, with three stages, worked from Monday to Thursday.
pub fn campaign() -> Campaign {
    Campaign {
        deadline: at("2027-09-12T12:00:00Z"),
        zone: chrono_tz::Pacific::Auckland,
        required: scopes(&["accounting.invoices"]),
        working: WorkingTime {
            days: vec![Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu],
            from: NaiveTime::from_hms_opt(9, 0, 0).unwrap(),
            until: NaiveTime::from_hms_opt(16, 0, 0).unwrap(),
            holidays: BTreeSet::new(),
        },
        stages: vec![
            stage("invitation", 270, &[Channel::Email], false),
            stage("reminder", 150, &[Channel::Email], false),
            stage("final-notice", 60, &[Channel::Email], true),
        ],
    }
}

/// Enabled, with these caps.
pub fn policy(max_per_day: u32, ramp: &[u32]) -> PromptPolicy {
    PromptPolicy {
        enabled: true,
        max_per_day: Some(max_per_day),
        ramp: ramp.to_vec(),
        ..PromptPolicy::default()
    }
}
