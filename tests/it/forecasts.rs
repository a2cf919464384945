//! Forecasts against campaigns whose end is known: customers who follow, or not, by rules that
//! the forecast does not know, are played to the deadline; it sees a part of it and is held
//! to what came after. More of them, in reasonable time:
//! `FORECASTS=400 cargo test --release --test it forecasts -- --nocapture`.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use worker::domain::calendar::midnight;
use worker::domain::campaign::{Campaign, PromptPolicy};
use worker::domain::daily::{Count, Measure};
use worker::domain::forecast::{Capacity, Chance, History, Outlook, look_ahead};

/// Campaigns of one run of the tests.
const CAMPAIGNS: u64 = 60;

/// How the customers of one campaign really are.
struct Truth {
    people: usize,
    /// How much more some follow than others: the shape of a gamma distribution.
    alike: f64,
    organic: f64,
    /// By stage: the chance to follow on the first day, and the days in which it halves.
    stages: Vec<(f64, f64)>,
    leave: f64,
    per_day: u32,
}

impl Truth {
    fn draw(stages: usize, chance: &mut Chance) -> Self {
        let stage =
            |chance: &mut Chance| (0.05 * (0.4 * chance.normal()).exp(), 1.5 + 4.5 * chance.even());
        Self {
            people: 300 + (1200.0 * chance.even()) as usize,
            alike: 2.0 + 4.0 * chance.even(),
            organic: 0.0003 + 0.0015 * chance.even(),
            stages: (0..stages).map(|_| stage(chance)).collect(),
            leave: 0.0001 * chance.even(),
            per_day: 40 + (200.0 * chance.even()) as u32,
        }
    }

    /// The chance that somebody follows on a day.
    fn follows(&self, told: Option<(usize, NaiveDate)>, on: NaiveDate) -> f64 {
        let effect = told.map_or(0.0, |(stage, since)| {
            let (first, halves) = self.stages[stage];
            first * 0.5_f64.powf((on - since).num_days() as f64 / halves)
        });
        self.organic + effect
    }
}

struct Person {
    keenness: f64,
    told: Option<(usize, NaiveDate)>,
    is_awaiting: bool,
}

/// A campaign that was played to its end: what its runs counted, and how it ended.
struct Played {
    campaign: Campaign,
    prompts: PromptPolicy,
    counts: Vec<Count>,
    ready_percent: f64,
    awaiting: f64,
}

/// The shipped one: four stages before the deadline.
fn campaign() -> Campaign {
    let mut campaign = worker::config::Config::builtin().expect("the shipped file").campaign;
    campaign.stages.retain(|stage| stage.day.offset() < 0);
    campaign
}

fn last_day(campaign: &Campaign) -> NaiveDate {
    campaign.deadline_day() - Days::new(1)
}

/// The stage that is due on a day, by its place.
fn stage_on(campaign: &Campaign, day: NaiveDate) -> Option<usize> {
    let end = midnight(campaign.zone, day + Days::new(1));
    campaign.stages.iter().rposition(|stage| campaign.opens(stage) < end)
}

fn play(seed: u64) -> Played {
    let mut chance = Chance::new(seed);
    let campaign = campaign();
    let truth = Truth::draw(campaign.stages.len(), &mut chance);
    let prompts = PromptPolicy {
        enabled: true,
        max_per_day: Some(truth.per_day),
        ramp: vec![10, 40],
        ..PromptPolicy::default()
    };
    let mut people: Vec<Person> = (0..truth.people)
        .map(|_| Person {
            keenness: chance.gamma(truth.alike) / truth.alike,
            told: None,
            is_awaiting: true,
        })
        .collect();
    let capacity =
        Capacity { campaign: &campaign, prompts: &prompts, removal: None, runs_per_day: None };
    let last = last_day(&campaign);
    let first = NaiveDate::from_ymd_opt(2026, 12, 1).expect("a day");
    let (mut counts, mut begun, mut ready) = (Vec::new(), BTreeMap::<usize, usize>::new(), 0);
    for on in first.iter_days().take_while(|on| *on <= last) {
        let mut happened: BTreeMap<(Measure, String, Option<NaiveDate>), u64> = BTreeMap::new();
        let name = |told: Option<(usize, NaiveDate)>| match told {
            Some((stage, since)) => (campaign.stages[stage].name.clone(), Some(since)),
            None => (String::new(), None),
        };
        if let Some(place) = stage_on(&campaign, on).filter(|_| capacity.is_open(on)) {
            let day_of_stage = begun.entry(place).or_default();
            let mut left = capacity.on_day(*day_of_stage).unwrap_or(u64::MAX);
            *day_of_stage += 1;
            for person in people.iter_mut().filter(|person| person.is_awaiting) {
                if left == 0 || person.told.is_some_and(|(told, _)| told >= place) {
                    continue;
                }
                left -= 1;
                if let (stage, Some(since)) = name(person.told) {
                    *happened.entry((Measure::Moved, stage, Some(since))).or_default() += 1;
                }
                person.told = Some((place, on));
                let stage = campaign.stages[place].name.clone();
                for measure in [Measure::Told, Measure::Messages] {
                    *happened.entry((measure, stage.clone(), None)).or_default() += 1;
                }
            }
        }
        for person in people.iter_mut().filter(|person| person.is_awaiting) {
            let measure = match chance.even() {
                drawn if drawn < truth.leave => Measure::Left,
                drawn if drawn < truth.leave + person.keenness * truth.follows(person.told, on) => {
                    ready += 1;
                    Measure::BecameReady
                }
                _ => continue,
            };
            person.is_awaiting = false;
            let (stage, since) = name(person.told);
            *happened.entry((measure, stage, since)).or_default() += 1;
        }
        let awaiting = people.iter().filter(|person| person.is_awaiting).count() as u64;
        counts.push(Count::of_all(on, Measure::Ready, ready));
        counts.push(Count::of_all(on, Measure::Awaiting, awaiting));
        let event =
            |((measure, part, since), number)| Count { day: on, measure, part, since, number };
        counts.extend(happened.into_iter().map(event));
    }
    let awaiting = people.iter().filter(|person| person.is_awaiting).count() as f64;
    let ready_percent = 100.0 * ready as f64 / (ready as f64 + awaiting);
    Played { campaign, prompts, counts, ready_percent, awaiting }
}

#[test]
#[expect(clippy::print_stdout, reason = "the share is a figure, beside being held to its bounds")]
#[expect(clippy::disallowed_methods, reason = "how many campaigns is for who runs it by hand")]
fn four_truths_of_five_lie_within_the_interval() {
    let campaigns = std::env::var("FORECASTS").ok().and_then(|many| many.parse().ok());
    let campaigns = campaigns.unwrap_or(CAMPAIGNS);
    let (mut within, mut below, mut early, mut widths) = (0_u64, 0_u64, 0_u64, Vec::new());
    for seed in 0..campaigns {
        let played = play(seed);
        let mut chance = Chance::new(seed ^ 0xfeed);
        // From eight days after the first stage on to three weeks before the end.
        let days = 262.0 - 240.0 * chance.even();
        let now = last_day(&played.campaign) - Days::new(days as u64);
        let seen = played.counts.iter().filter(|count| count.day <= now).cloned();
        let history = History::new(seen);
        let capacity = Capacity {
            campaign: &played.campaign,
            prompts: &played.prompts,
            removal: None,
            runs_per_day: None,
        };
        let Outlook::Projected(projection) = look_ahead(&history, &capacity, now) else {
            early += 1;
            continue;
        };
        let interval = projection.ready_percent;
        within += u64::from(interval.holds(played.ready_percent));
        below += u64::from(played.ready_percent < interval.low);
        widths.push(interval.high - interval.low);
        assert!(projection.awaiting.low <= projection.awaiting.high);
        assert!(played.awaiting >= 0.0);
    }
    widths.sort_unstable_by(f64::total_cmp);
    let made = campaigns - early;
    let above = made - within - below;
    let share = within as f64 / made as f64;
    println!(
        "{campaigns} campaigns, {early} too early to say; of {made} truths {within} within the \
         interval ({:.1}%), {below} below, {above} above; median width {:.1} points",
        100.0 * share,
        widths[widths.len() / 2]
    );
    assert!(made * 10 >= campaigns * 8, "{early} of {campaigns} were too early to say");
    assert!((0.75..=0.95).contains(&share), "{share}");
    assert!(widths[widths.len() / 2] < 25.0, "an interval that wide says nothing");
}
