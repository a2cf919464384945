//! A short story: a few customers, a short campaign, and what goes wrong on which day.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::forecast::Chance;
use crate::simulation::assume::{Assumptions, Customers, Mail, People, Xero};
use crate::simulation::chance::{Seed, happens};
use crate::simulation::storm::{Crash, Silence, Storm};

/// A campaign opens so many days before its deadline.
const DAYS: i64 = 34;
/// A late story begins so many days after that: in the midst of the first stage, or when all
/// stages before the deadline are due.
const LATE: [i64; 2] = [5, 17];
/// One story of so many is planned over again.
const REPLANNED: u64 = 4;
/// One story of so many is about many removals at once.
const CROWDED: u64 = 6;
/// Its customers.
const CROWD: usize = 9;

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    Crash(Crash),
    /// So many workers run at once.
    Replicas(u32),
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
    /// Xero falls silent when the next removal is asked for.
    Silence(Silence),
    /// Nobody writes to somebody's address any more.
    Suppress(usize),
    /// Every suppressed address is let out again.
    Lift,
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

fn silence(chance: &mut Chance) -> Silence {
    if happens(chance, 0.5) { Silence::Mute } else { Silence::Later }
}

fn day(chance: &mut Chance) -> i64 {
    i64::try_from(below(chance, usize::try_from(DAYS).unwrap_or(1))).unwrap_or_default()
}

impl Story {
    /// The story of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut chance = Seed(seed).about("story", "");
        if seed % CROWDED == CROWDED - 1 {
            return Self::crowded(seed, &mut chance);
        }
        let customers = 2 + below(&mut chance, 6);
        let count = below(&mut chance, 9);
        let troubles = (0..count).map(|_| {
            let what = match below(&mut chance, 21) {
                0..=3 => What::Crash(Crash {
                    after: below(&mut chance, 3) as u64,
                    is_done: happens(&mut chance, 0.5),
                }),
                4 | 5 => What::Replicas([2, 3][below(&mut chance, 2)]),
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
                17 => What::Lift,
                18 => What::Suppress(below(&mut chance, customers)),
                19 => What::Silence(silence(&mut chance)),
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
        if seed.is_multiple_of(REPLANNED) {
            // What comes back of an address that is left alone already is nothing but an act,
            // and what a plan that keeps things in mind is most likely to miss.
            let troubles_of_one = [(0, What::Dies(0)), (4, What::Suppress(0))];
            troubles.extend(troubles_of_one.map(|(day, what)| Trouble { day, what }));
        }
        troubles.sort_by_key(|trouble| trouble.day);
        Self { seed, customers, days: DAYS + 20, troubles, assumed: None }
    }

    /// A story of many who are removed together when it comes to it, and of what goes wrong just
    /// then, or since they were told.
    fn crowded(seed: u64, chance: &mut Chance) -> Self {
        let at = |day: i64| move |what: What| Trouble { day, what };
        let (told, then) = (at(DAYS - 31), at(DAYS - 14));
        let crash =
            What::Crash(Crash { after: below(chance, 12) as u64, is_done: happens(chance, 0.5) });
        let troubles = match seed / CROWDED % 6 {
            0 => vec![then(What::Silence(Silence::Mute))],
            1 => vec![then(What::Silence(Silence::Later))],
            2 => {
                let several = (DAYS - 12..DAYS - 8).map(|day| at(day)(What::Replicas(2)));
                [told(crash)].into_iter().chain(several).collect()
            }
            3 => vec![told(crash.clone()), then(crash)],
            4 => vec![told(crash), at(DAYS - 16)(What::Deadline(-1))],
            _ => {
                let die = (0..3).map(What::Dies).map(at(DAYS - 21));
                let reconnect = (3..CROWD).map(What::Reconnect).map(at(DAYS - 16));
                [told(crash)]
                    .into_iter()
                    .chain(die)
                    .chain(reconnect)
                    .chain([then(What::Lift)])
                    .collect()
            }
        };
        Self { seed, customers: CROWD, days: DAYS + 2, troubles, assumed: None }
    }

    /// Whether it is one of those.
    pub(super) fn is_crowded(&self) -> bool {
        self.assumed.is_none() && self.seed % CROWDED == CROWDED - 1
    }

    /// Whether Xero may be called as often as by default in one of those: so many are removed
    /// after one look that it shows where a run should have stopped.
    pub(super) fn is_swift(&self) -> bool {
        self.troubles.iter().any(|it| matches!(it.what, What::Silence(_)))
    }

    /// Whether it is planned over again before and after each run, which takes as long as the
    /// runs themselves.
    pub(super) fn replans(&self) -> bool {
        self.seed.is_multiple_of(REPLANNED)
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
        let is_late = self.assumed.is_none() && !self.is_crowded() && happens(&mut chance, 0.25);
        let late = LATE[below(&mut chance, LATE.len())];
        self.opens_at() + TimeDelta::days(if is_late { late } else { 0 })
    }

    /// What it leads up to.
    #[must_use]
    pub fn deadline(&self) -> DateTime<Utc> {
        self.opens_at() + TimeDelta::days(DAYS)
    }

    /// What is the matter in it from the beginning on.
    #[must_use]
    pub(super) fn storm(&self) -> Storm {
        let mut chance = Seed(self.seed).about("storm", "");
        let mut some = || self.assumed.is_none() && happens(&mut chance, 0.5);
        let mut storm = Storm::default();
        (storm.is_unsure, storm.is_late) = (some(), some());
        storm.is_late |= self.assumed.is_none() && self.replans();
        storm
    }

    /// How its customers behave.
    #[must_use]
    pub fn assumptions(&self) -> Assumptions {
        if let Some(assumed) = &self.assumed {
            return assumed.clone();
        }
        if self.is_crowded() {
            return Assumptions::nobody_reacts(&People::default());
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
