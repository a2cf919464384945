//! A short story: a few customers, a short campaign, and what goes wrong on which day.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::forecast::Chance;
use crate::simulation::assume::{Assumptions, Customers, Mail, People, Xero};
use crate::simulation::chance::{Seed, happens};
use crate::simulation::storm::Crash;

/// A campaign opens so many days before its deadline.
const DAYS: i64 = 34;
/// A late story begins so many days after that.
const LATE: i64 = 5;

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    Crash(Crash),
    /// So many workers run at once.
    Replicas(usize),
    /// So many of ten rows are missing from one scan.
    Flap(usize),
    EmptyList,
    PageDown,
    /// The worker's clock is set back, by hours.
    ClockBack(i64),
    Pause,
    Resume,
    /// Somebody is exempt for a week.
    Exempt(usize),
    /// The deadline moves by days.
    Deadline(i64),
    /// At most so many prompts a day from now on.
    Cap(u32),
    /// Somebody disconnects, and connects again with what they had.
    Reconnect(usize),
    /// One more scope is required from now on.
    Require,
    /// Xero accepts that scope of the app.
    Register,
    /// A plan of removals is drawn up.
    Plan,
    /// Nobody reads somebody's mail any more: it comes back.
    Dies(usize),
}

/// Something that goes wrong on a day of the story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    pub day: i64,
    pub what: What,
}

/// A whole story.
#[derive(Clone, Debug)]
pub struct Story {
    pub seed: u64,
    pub customers: usize,
    pub days: i64,
    pub troubles: Vec<Trouble>,
    /// How its customers behave, where that does not follow from the seed.
    pub assumed: Option<Assumptions>,
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}, {} customers, {} days", self.seed, self.customers, self.days)?;
        self.troubles.iter().try_for_each(|it| write!(f, ", day {}: {:?}", it.day, it.what))
    }
}

pub(super) fn below(chance: &mut Chance, count: usize) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "small counts"
    )]
    let drawn = (chance.even() * count as f64) as usize;
    drawn.min(count.saturating_sub(1))
}

fn day(chance: &mut Chance) -> i64 {
    i64::try_from(below(chance, usize::try_from(DAYS).unwrap_or(1))).unwrap_or_default()
}

impl Story {
    /// The story of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut chance = Seed(seed).about("story", "");
        let customers = 2 + below(&mut chance, 6);
        let count = below(&mut chance, 9);
        let troubles = (0..count).map(|_| {
            let what = match below(&mut chance, 18) {
                0..=3 => What::Crash(Crash {
                    after: below(&mut chance, 3) as u64,
                    is_done: happens(&mut chance, 0.5),
                }),
                4 | 5 => What::Replicas(2 + below(&mut chance, 2)),
                6 => What::Flap(1 + below(&mut chance, 10)),
                7 => What::EmptyList,
                8 => What::PageDown,
                9 => What::ClockBack(1 + i64::try_from(below(&mut chance, 20)).unwrap_or(1)),
                10 => What::Pause,
                11 => What::Exempt(below(&mut chance, customers)),
                12 => What::Deadline([-3, -1, 2, 5][below(&mut chance, 4)]),
                13 => What::Reconnect(below(&mut chance, customers)),
                14 => What::Require,
                15 => What::Plan,
                16 => What::Dies(below(&mut chance, customers)),
                _ => What::Cap([0, 1, 2, 50][below(&mut chance, 4)]),
            };
            Trouble { day: day(&mut chance), what }
        });
        let mut troubles: Vec<Trouble> = troubles.collect();
        let pauses: Vec<i64> =
            troubles.iter().filter(|it| it.what == What::Pause).map(|it| it.day).collect();
        troubles.extend(pauses.iter().map(|day| Trouble { day: day + 2, what: What::Resume }));
        let required = troubles.iter().find(|it| it.what == What::Require).map(|it| it.day);
        let registered = required.map(|day| day + day % 3);
        troubles.extend(registered.map(|day| Trouble { day, what: What::Register }));
        troubles.sort_by_key(|trouble| trouble.day);
        Self { seed, customers, days: DAYS + 20, troubles, assumed: None }
    }

    /// A story of this many customers in which nothing else goes wrong than this.
    #[must_use]
    pub fn named(seed: u64, assumed: Assumptions, troubles: Vec<Trouble>) -> Self {
        Self { seed, customers: 3, days: DAYS + 20, troubles, assumed: Some(assumed) }
    }

    /// The same story with something less in it.
    #[must_use]
    pub fn shorter(&self) -> Vec<Self> {
        let mut shorter = Vec::new();
        for left_out in 0..self.troubles.len() {
            let mut other = self.clone();
            other.troubles.remove(left_out);
            shorter.push(other);
        }
        if self.customers > 1 {
            shorter.push(Self { customers: self.customers - 1, ..self.clone() });
        }
        for days in [self.days / 2, self.days - 5] {
            if days > 1 {
                shorter.push(Self { days, ..self.clone() });
            }
        }
        shorter
    }

    /// A day in a spring or an autumn, so that clocks change in some of the zones.
    fn opens_at(&self) -> DateTime<Utc> {
        let mut chance = Seed(self.seed).about("begins", "");
        let from = DateTime::from_timestamp(1_800_000_000, 0).unwrap_or_default();
        from + TimeDelta::days(i64::try_from(below(&mut chance, 300)).unwrap_or_default())
    }

    /// When it begins: a few campaigns are set up when a stage is due already.
    #[must_use]
    pub fn begins_at(&self) -> DateTime<Utc> {
        let mut chance = Seed(self.seed).about("late", "");
        let is_late = self.assumed.is_none() && happens(&mut chance, 0.2);
        self.opens_at() + TimeDelta::days(if is_late { LATE } else { 0 })
    }

    /// What it leads up to.
    #[must_use]
    pub fn deadline(&self) -> DateTime<Utc> {
        self.opens_at() + TimeDelta::days(DAYS)
    }

    /// How its customers behave.
    #[must_use]
    pub fn assumptions(&self) -> Assumptions {
        if let Some(assumed) = &self.assumed {
            return assumed.clone();
        }
        let mut chance = Seed(self.seed).about("assumptions", "");
        let mut some =
            |most: f64| if happens(&mut chance, 0.5) { chance.even() * most } else { 0.0 };
        Assumptions {
            customers: Customers {
                follow: vec![some(0.3), some(0.3), some(0.3)],
                follow_days: 2.0,
                unprompted: some(0.5),
                leave: some(0.6),
                new_address: some(0.9),
                colleague: some(0.3),
                other_tenant: some(0.2),
                broad: some(0.3),
                come_back: some(1.0),
                come_back_days: 2.0,
            },
            mail: Mail { dead_addresses: some(0.5), put_off: some(0.2) },
            xero: Xero { limited: some(0.2), lost_answers: some(0.95), outage_days: some(40.0) },
            people: People::default(),
        }
    }
}
