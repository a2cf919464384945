//! The drawings of the page, each for wide and for narrow screens.

use chrono::{Days, NaiveDate};
use serde::Serialize;

use crate::domain::forecast::{Interval, Point};
use crate::report::chart::{Band, Bar, Bars, Line, LineChart, Mark, grouped};
use crate::report::document::{Document, StageRow};
use crate::report::text::foreseen;

/// Widths that drawings are made for, in units that are about a pixel.
const WIDE: f64 = 880.0;
const NARROW: f64 = 330.0;
/// Days after the telling that the curves show.
const CURVE: usize = 45;
/// Where fewer are left to watch, one of them moves a curve by more than anybody could see in it.
const WATCHED: u64 = 10;

/// A drawing with what stands around it.
#[derive(Serialize)]
pub struct Figure {
    legend: Vec<Key>,
    wide: String,
    narrow: String,
    caption: String,
}

#[derive(Serialize)]
struct Key {
    class: &'static str,
    name: String,
}

fn key(class: &'static str, name: &str) -> Key {
    Key { class, name: name.to_owned() }
}

fn lines(id: &str, chart: &LineChart, legend: Vec<Key>, caption: &str) -> Figure {
    Figure {
        legend,
        wide: chart.svg(&format!("{id}-wide"), WIDE, 340.0),
        narrow: chart.svg(&format!("{id}-narrow"), NARROW, 280.0),
        caption: caption.to_owned(),
    }
}

fn bars(id: &str, chart: &Bars, legend: Vec<Key>, caption: &str) -> Figure {
    Figure {
        legend,
        wide: chart.svg(&format!("{id}-wide"), WIDE),
        narrow: chart.svg(&format!("{id}-narrow"), NARROW),
        caption: caption.to_owned(),
    }
}

/// Connections by class.
pub(super) fn classes(document: &Document) -> Figure {
    let progress = &document.progress;
    let classes = [
        ("broad only", "awaiting", progress.broad_only),
        ("mixed", "c6", progress.mixed),
        ("granular", "ready", progress.granular),
        ("unaffected", "unaffected", progress.unaffected),
        ("unknown", "unknown", progress.unknown),
    ];
    let said: Vec<String> = classes
        .iter()
        .map(|(name, _, count)| format!("{name} {}", grouped(count.unwrap_or_default())))
        .collect();
    let bar = |(name, class, count): (&str, &'static str, Option<u64>)| Bar {
        name: name.to_owned(),
        value: grouped(count.unwrap_or_default()),
        parts: vec![(class, count.unwrap_or_default())],
    };
    let chart = Bars {
        title: "Connections by class".to_owned(),
        description: format!("{}.", said.join(", ")),
        bars: classes.map(bar).into(),
    };
    bars("classes", &chart, Vec::new(), "Connections by class, at the last complete scan.")
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn counted(document: &Document, measure: &str) -> Vec<(NaiveDate, f64)> {
    let number = |day: &crate::report::document::Day| Some((day.day, day.number(measure)? as f64));
    document.days.iter().filter_map(number).collect()
}

/// What is awaiting, day by day to the deadline, with where it will go.
pub(super) fn burndown(document: &Document) -> Figure {
    let mut awaiting = counted(document, "awaiting");
    let last = awaiting.last().copied();
    if let Some((day, value)) = last.filter(|(day, _)| *day < document.today) {
        // As it stood then it is taken to stand until today.
        let until = document.today.min(document.deadline_day).max(day);
        awaiting.push((until, value));
    }
    let first = awaiting.first().map_or(document.today, |(day, _)| *day);
    let mut chart = LineChart {
        title: "Awaiting connections to the deadline".to_owned(),
        description: said(document),
        first,
        last: document.deadline_day.max(document.today).max(first + Days::new(1)),
        bands: Vec::new(),
        lines: vec![Line {
            class: "awaiting",
            name: String::new(),
            points: awaiting,
            is_stepped: true,
        }],
        marks: marks(document, first),
        counts_days: false,
    };
    let mut legend = vec![key("awaiting", "awaiting, as counted")];
    if let (Some(projection), Some((day, value))) = (document.outlook.projection(), last) {
        let start = (day, Interval::exactly(value));
        let course = projection.course.iter().map(|ahead| (ahead.day, ahead.awaiting));
        let course: Vec<(NaiveDate, Interval)> = [start].into_iter().chain(course).collect();
        chart.bands.push(Band {
            class: "band",
            points: course.iter().map(|(day, it)| (*day, it.low, it.high)).collect(),
        });
        chart.lines.push(Line {
            class: "foreseen",
            name: String::new(),
            points: course.iter().map(|(day, it)| (*day, it.middle)).collect(),
            is_stepped: false,
        });
        legend.push(key("foreseen", "forecast"));
        legend.push(key("band", "where four of five futures lie"));
    }
    let goal = goal(document);
    if let Some(goal) = goal {
        chart.lines.push(Line {
            class: "target",
            name: String::new(),
            points: vec![(chart.first, goal), (chart.last, goal)],
            is_stepped: false,
        });
        legend.push(key("target", &format!("target: {}% ready", document.target_percent)));
    }
    lines("burndown", &chart, legend, "Awaiting connections, by day.")
}

/// How many may be awaiting where the target is reached.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn goal(document: &Document) -> Option<f64> {
    let concerned = document.progress.ready? + document.progress.awaiting?;
    (concerned > 0).then(|| concerned as f64 * (100.0 - document.target_percent) / 100.0)
}

fn said(document: &Document) -> String {
    let counted: Vec<String> = [document.days.first(), document.days.last()]
        .into_iter()
        .flatten()
        .filter_map(|day| {
            Some(format!("{} awaiting on {}", grouped(day.number("awaiting")?), day.day))
        })
        .collect();
    format!("{}; forecast: {}.", counted.join(", "), foreseen(&document.outlook))
}

/// The days that matter, as far as they are in the picture.
fn marks(document: &Document, first: NaiveDate) -> Vec<Mark> {
    let mark = |class, day, name: &str| Mark { class, day, name: name.to_owned() };
    let stages = document.funnel.stages.iter();
    let mut marks: Vec<Mark> = stages
        .filter(|stage| stage.opens >= first && stage.opens < document.deadline_day)
        .map(|stage| mark("stage", stage.opens, &stage.stage))
        .collect();
    marks.push(mark("deadline", document.deadline_day, "deadline"));
    if document.today > first && document.today < document.deadline_day {
        marks.push(mark("now", document.today, "today"));
    }
    marks
}

/// Stages as bars: of those due, who was told, and who of them is ready.
pub(super) fn funnel(document: &Document) -> Figure {
    let mut rows = vec![Bar {
        name: "organic".to_owned(),
        value: format!("{} ready", grouped(document.funnel.organic)),
        parts: vec![("c2", document.funnel.organic)],
    }];
    let stages = document.funnel.stages.iter().map(|stage| {
        let due = stage.due.unwrap_or_default().max(stage.told);
        let value = match stage.due {
            None => "not open yet".to_owned(),
            Some(due) => format!(
                "{} due, {} told, {} ready",
                grouped(due),
                grouped(stage.told),
                grouped(stage.ready)
            ),
        };
        Bar {
            name: stage.stage.clone(),
            value,
            parts: vec![
                ("ready", stage.ready),
                ("told", stage.told.saturating_sub(stage.ready)),
                ("unaffected", due - stage.told),
            ],
        }
    });
    rows.extend(stages);
    let said: Vec<String> = rows.iter().map(|bar| format!("{}: {}", bar.name, bar.value)).collect();
    let chart = Bars {
        title: "Stages".to_owned(),
        description: format!("{}.", said.join("; ")),
        bars: rows,
    };
    let legend = vec![
        key("ready", "ready, told at this stage last"),
        key("told", "told"),
        key("unaffected", "due and not told"),
    ];
    bars("funnel", &chart, legend, "Connections, by the last stage that they were told at.")
}

/// The share that is ready so many days after each stage.
pub(super) fn curves(document: &Document) -> Option<Figure> {
    const COLOURS: [&str; 6] = ["c1", "c2", "c3", "c4", "c5", "c6"];
    let zero = NaiveDate::from_ymd_opt(2000, 1, 1)?;
    let watched = |stage: &StageRow| {
        let points = stage.curve.iter().take(CURVE + 1);
        points.take_while(|point| point.at_risk >= WATCHED).copied().collect::<Vec<Point>>()
    };
    let told: Vec<(&str, Vec<Point>)> = document
        .funnel
        .stages
        .iter()
        .map(|stage| (stage.stage.as_str(), watched(stage)))
        .filter(|(_, points)| points.len() > 1)
        .collect();
    if told.is_empty() {
        return None;
    }
    let bars = told.iter().map(|(stage, points)| {
        let ready = points.last().map_or(0.0, |point| 100.0 * point.ready.middle);
        format!("{stage} {ready:.1}%")
    });
    let description = format!("Ready by then: {}.", bars.collect::<Vec<_>>().join(", "));
    let mut chart = LineChart {
        title: "Share that is ready, by days since the prompt".to_owned(),
        description,
        first: zero,
        last: zero + Days::new(CURVE as u64),
        bands: Vec::new(),
        lines: Vec::new(),
        marks: Vec::new(),
        counts_days: true,
    };
    let mut legend = Vec::new();
    for ((stage, points), class) in told.iter().zip(COLOURS.iter().cycle()) {
        chart.lines.push(Line {
            class,
            name: String::new(),
            points: points
                .iter()
                .map(|point| (zero + Days::new(point.days as u64), 100.0 * point.ready.middle))
                .collect(),
            is_stepped: true,
        });
        legend.push(key(class, stage));
    }
    let caption = "Percent of those told that are ready, by days since they were told.";
    Some(lines("curves", &chart, legend, caption))
}
