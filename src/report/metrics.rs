//! The metrics of a campaign, as Prometheus reads them (docs/metrics.md). They are made anew
//! from the database each time, so that every process and every start tells the same.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;

use chrono::{DateTime, Utc};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::domain::class::Class;
use crate::domain::tally::Tally;

/// What there is to tell. Where something is not known, its metric is left out.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pub database_up: bool,
    pub clock_difference_s: Option<f64>,
    pub tally: Option<Tally>,
    pub connection_cap: Option<u64>,
    pub days_to_deadline: Option<i64>,
    pub on_track: Option<bool>,
    pub ready_percent: Option<f64>,
    pub projected_ready_percent: Option<f64>,
    pub last_scan_at: Option<DateTime<Utc>>,
    pub paused: Option<bool>,
    /// By stage and state.
    pub prompts: BTreeMap<String, BTreeMap<String, i64>>,
    pub prompts_today: Option<u64>,
    pub prompts_per_day: Option<u64>,
    pub failing_webhooks: Option<u64>,
    /// By job.
    pub runs: BTreeMap<String, LastRun>,
    /// By job.
    pub next_fires: BTreeMap<String, DateTime<Utc>>,
    pub memory_bytes: Option<u64>,
}

/// The last finished run of a job.
#[derive(Clone, Debug, Default)]
pub struct LastRun {
    pub finished_at: Option<DateTime<Utc>>,
    /// Of the last that ended with 0.
    pub done_at: Option<DateTime<Utc>>,
    pub exit_code: Option<i64>,
    pub duration_s: Option<f64>,
    pub failures: Option<u64>,
    pub held_back: Option<u64>,
}

const CLASSES: [Class; 5] =
    [Class::BroadOnly, Class::Mixed, Class::Granular, Class::Unaffected, Class::Unknown];

type Value = Gauge<f64, AtomicU64>;
type Labels = Vec<(&'static str, String)>;

/// Registers one metric at a time, each only where it has a value.
struct Book {
    registry: Registry,
}

impl Book {
    fn put(&mut self, name: &str, unit: Option<Unit>, help: &str, value: Option<f64>) {
        let Some(value) = value else { return };
        let gauge = Value::default();
        gauge.set(value);
        match unit {
            Some(unit) => self.registry.register_with_unit(name, help, unit, gauge),
            None => self.registry.register(name, help, gauge),
        }
    }

    fn put_each(
        &mut self,
        name: &str,
        unit: Option<Unit>,
        help: &str,
        values: impl IntoIterator<Item = (Labels, f64)>,
    ) {
        let family = Family::<Labels, Value>::default();
        let mut is_empty = true;
        for (labels, value) in values {
            family.get_or_create(&labels).set(value);
            is_empty = false;
        }
        if is_empty {
            return;
        }
        match unit {
            Some(unit) => self.registry.register_with_unit(name, help, unit, family),
            None => self.registry.register(name, help, family),
        }
    }
}

impl Snapshot {
    /// In OpenMetrics' text format, which Prometheus and its node exporter read.
    #[must_use]
    pub fn text(&self) -> String {
        let mut book = Book { registry: Registry::with_prefix("worker") };
        self.standing(&mut book);
        self.prompting(&mut book);
        self.running(&mut book);
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &book.registry);
        text
    }

    fn standing(&self, book: &mut Book) {
        let tally = self.tally.as_ref();
        let classes = tally.into_iter().flat_map(|tally| {
            let of = |class: Class| (label("class", class.as_str()), float(tally.of_class(class)));
            CLASSES.map(of)
        });
        book.put_each("connections", None, "Present connections by class", classes);
        let standing = tally.into_iter().flat_map(|tally| {
            [
                ("ready", tally.ready),
                ("awaiting", tally.awaiting),
                ("covered", tally.covered),
                ("manual", tally.manual),
                ("unreachable", tally.unreachable),
                ("token_behind", tally.token_behind),
                ("gone", tally.gone),
                ("row_bad", tally.row_bad),
            ]
            .map(|(name, count)| (label("standing", name), float(count)))
        });
        let help = "Connections by where they stand; covered, manual and unreachable are parts of awaiting";
        book.put_each("standing_connections", None, help, standing);
        let cap = self.connection_cap.map(float);
        book.put("connection_cap", None, "Connections that Xero lets the app have", cap);
        let days = self.days_to_deadline.map(|days| days as f64);
        book.put("days_to_deadline", None, "Whole days left, negative afterwards", days);
        let help = "Share of ready among ready and awaiting connections, 0 to 100";
        book.put("ready_percent", None, help, self.ready_percent);
        let help = "The same at the deadline, as projected by the last run";
        book.put("projected_ready_percent", None, help, self.projected_ready_percent);
        let help = "Whether the campaign is projected to reach everybody in time";
        book.put("on_track", None, help, self.on_track.map(yes));
        let help = "When the last complete scan was taken up";
        book.put("last_scan_timestamp", Some(Unit::Seconds), help, self.last_scan_at.map(time));
    }

    fn prompting(&self, book: &mut Book) {
        let prompts = self.prompts.iter().flat_map(|(stage, states)| {
            let stage = |state: &str| vec![("stage", stage.clone()), ("state", state.to_owned())];
            states.iter().map(move |(state, count)| (stage(state), *count as f64))
        });
        book.put_each("prompts", None, "Prompts by stage and state", prompts);
        let unknown = self.database_up.then(|| {
            self.prompts.values().filter_map(|states| states.get("unknown")).sum::<i64>() as f64
        });
        let help = "Prompts of which nobody knows whether they arrived, which wait for a person";
        book.put("unknown_prompts", None, help, unknown);
        let help = "Prompts that count on this day of the campaign";
        book.put("prompts_today", None, help, self.prompts_today.map(float));
        let help = "The cap of prompts for one day of the campaign";
        book.put("prompts_per_day_cap", None, help, self.prompts_per_day.map(float));
        let help = "Whether somebody paused all effects";
        book.put("paused", None, help, self.paused.map(yes));
        let help = "Webhooks that have failed since their last success";
        book.put("failing_webhooks", None, help, self.failing_webhooks.map(float));
    }

    fn running(&self, book: &mut Book) {
        let of_runs = |value: fn(&LastRun) -> Option<f64>| {
            self.runs.iter().filter_map(move |(job, run)| Some((label("job", job), value(run)?)))
        };
        let seconds = Some(Unit::Seconds);
        let help = "When the last run of a job ended";
        let finished = of_runs(|run| run.finished_at.map(time));
        book.put_each("last_run_finished_timestamp", seconds.clone(), help, finished);
        let help = "When the last run of a job ended that exited with 0";
        let done = of_runs(|run| run.done_at.map(time));
        book.put_each("last_run_done_timestamp", seconds.clone(), help, done);
        let help = "The exit code of the last run of a job";
        let code = of_runs(|run| run.exit_code.map(|code| code as f64));
        book.put_each("last_run_exit_code", None, help, code);
        let help = "How long the last run of a job took";
        book.put_each("last_run_duration", seconds.clone(), help, of_runs(|run| run.duration_s));
        let help = "Effects that the last run of a job attempted and that failed";
        book.put_each("last_run_failures", None, help, of_runs(|run| run.failures.map(float)));
        let help =
            "What was due in the last run of a job and stopped, by a cap or for another reason";
        book.put_each("last_run_held_back", None, help, of_runs(|run| run.held_back.map(float)));
        let next = self.next_fires.iter().map(|(job, at)| (label("job", job), time(*at)));
        let help = "When a job fires next; from a process that stays up only";
        book.put_each("next_fire_timestamp", seconds.clone(), help, next);
        let help = "Whether the database answers";
        book.put("database_up", None, help, Some(yes(self.database_up)));
        let help = "How far the database's clock is ahead of this machine's";
        book.put("clock_difference", seconds, help, self.clock_difference_s);
        let help = "Memory that the process holds";
        let memory = self.memory_bytes.map(float);
        book.put("resident_memory", Some(Unit::Bytes), help, memory);
        let version = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
        book.put_each("build", None, "The version of the program", [(version, 1.0)]);
    }
}

fn label(name: &'static str, value: &str) -> Labels {
    vec![(name, value.to_owned())]
}

fn yes(value: bool) -> f64 {
    f64::from(u8::from(value))
}

fn time(at: DateTime<Utc>) -> f64 {
    at.timestamp_millis() as f64 / 1000.0
}

fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCS: &str = include_str!("../../docs/metrics.md");

    fn full() -> Snapshot {
        let now = DateTime::UNIX_EPOCH;
        let run = LastRun {
            finished_at: Some(now),
            done_at: Some(now),
            exit_code: Some(3),
            duration_s: Some(1.5),
            failures: Some(2),
            held_back: Some(7),
        };
        Snapshot {
            database_up: true,
            clock_difference_s: Some(0.25),
            tally: Some(Tally { broad_only: 4, ready: 9, ..Tally::default() }),
            connection_cap: Some(10_000),
            days_to_deadline: Some(-3),
            on_track: Some(false),
            ready_percent: Some(20.4),
            projected_ready_percent: Some(99.5),
            last_scan_at: Some(now),
            paused: Some(true),
            prompts: [("a".into(), [("unknown".into(), 2)].into())].into(),
            prompts_today: Some(12),
            prompts_per_day: Some(1000),
            failing_webhooks: Some(1),
            runs: [("campaign".to_owned(), run)].into(),
            next_fires: [("campaign".to_owned(), now)].into(),
            memory_bytes: Some(1),
        }
    }

    #[test]
    fn the_text_has_values_labels_and_units() {
        let text = full().text();
        for line in [
            "worker_connections{class=\"broad_only\"} 4.0",
            "worker_standing_connections{standing=\"ready\"} 9.0",
            "# UNIT worker_last_run_duration_seconds seconds",
            "worker_last_run_duration_seconds{job=\"campaign\"} 1.5",
            "worker_prompts{stage=\"a\",state=\"unknown\"} 2.0",
            "worker_unknown_prompts 2.0",
            "worker_paused 1.0",
            "worker_days_to_deadline -3.0",
        ] {
            assert!(text.lines().any(|there| there == line), "{line}\n{text}");
        }
        let nothing = Snapshot::default().text();
        assert!(nothing.contains("worker_database_up 0.0"), "{nothing}");
        assert!(!nothing.contains("worker_paused"), "{nothing}");
    }

    /// Name, unit and help of each metric of the program, and of each row of the page.
    fn metrics(text: &str) -> Vec<(String, String)> {
        let helps = text.lines().filter_map(|line| line.strip_prefix("# HELP "));
        let split = |line: &str| {
            let (name, help) = line.split_once(' ').unwrap();
            (name.to_owned(), help.trim_end_matches('.').to_owned())
        };
        helps.map(split).collect()
    }

    #[test]
    fn the_page_lists_every_metric_with_the_programs_own_words() {
        let mut ours = metrics(&full().text());
        let mut page: Vec<(String, String)> = DOCS
            .lines()
            .filter_map(|line| line.strip_prefix("| `worker_"))
            .map(|row| {
                let mut cells = row.trim_end_matches('|').split(" | ");
                let name = cells.next().unwrap().trim_end_matches('`');
                let (name, _labels) = name.split_once('{').unwrap_or((name, ""));
                (format!("worker_{name}"), cells.last().unwrap().trim().to_owned())
            })
            .collect();
        ours.sort();
        page.sort();
        assert_eq!(page, ours);
    }
}
