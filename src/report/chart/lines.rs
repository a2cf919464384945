//! Lines over time: what was counted, what is foreseen with its band, and the days that matter.

use std::fmt::Write as _;

use chrono::NaiveDate;

use super::axis::{date_label, date_ticks, ticks};
use super::place::{Wish, apart, rows};
use super::{begin, grouped, line, text, unit, width};

/// One line. `class` is its colour in the page's style.
#[derive(Clone, Debug)]
pub struct Line {
    pub class: &'static str,
    /// Written at its end, where there is room for it.
    pub name: String,
    /// In order of the days.
    pub points: Vec<(NaiveDate, f64)>,
    /// It holds its value until the next point, as counts do.
    pub is_stepped: bool,
}

/// Where a line may lie: from low to high on each day.
#[derive(Clone, Debug)]
pub struct Band {
    pub class: &'static str,
    pub points: Vec<(NaiveDate, f64, f64)>,
}

/// A day with a name.
#[derive(Clone, Debug)]
pub struct Mark {
    pub class: &'static str,
    pub day: NaiveDate,
    pub name: String,
}

/// A chart of lines.
#[derive(Clone, Debug)]
pub struct LineChart {
    pub title: String,
    /// What it shows, in a sentence.
    pub description: String,
    pub first: NaiveDate,
    pub last: NaiveDate,
    pub bands: Vec<Band>,
    pub lines: Vec<Line>,
    pub marks: Vec<Mark>,
    /// Days are numbered from the first, 0, in place of their dates.
    pub counts_days: bool,
}

const FONT: f64 = 12.0;
/// Rows above the lines for the names of days.
const ROW: f64 = 15.0;
const ROWS: usize = 3;

/// The frame that the lines are drawn in.
struct Frame {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    first: NaiveDate,
    days: f64,
    most: f64,
}

impl Frame {
    #[expect(clippy::cast_precision_loss, reason = "days of a campaign")]
    fn x(&self, day: NaiveDate) -> f64 {
        let along = (day - self.first).num_days() as f64 / self.days;
        self.left + along.clamp(0.0, 1.0) * (self.right - self.left)
    }

    fn y(&self, value: f64) -> f64 {
        let up = (value / self.most).clamp(0.0, 1.0);
        self.bottom - up * (self.bottom - self.top)
    }
}

impl LineChart {
    /// Draws it `across` units wide and `down` high; a page may draw it twice, for wide and for
    /// narrow screens, with an `id` each.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "days of a campaign")]
    pub fn svg(&self, id: &str, across: f64, down: f64) -> String {
        let mut svg = begin(id, (across, down), &self.title, &self.description);
        let values = self.lines.iter().flat_map(|line| line.points.iter().map(|(_, value)| *value));
        let highs = self.bands.iter().flat_map(|band| band.points.iter().map(|(.., high)| *high));
        let ticks = ticks(values.chain(highs).fold(0.0, f64::max));
        let label = |tick: &f64| grouped_float(*tick);
        let names = ticks.iter().map(|tick| width(&label(tick), FONT)).fold(0.0, f64::max);
        let is_wide = across > 500.0;
        let ends = self.lines.iter().map(|line| width(&line.name, FONT)).fold(0.0, f64::max);
        let mut frame = Frame {
            left: names + 10.0,
            right: if is_wide { across - ends - 14.0 } else { across - 8.0 },
            top: 8.0,
            bottom: down - 24.0,
            first: self.first,
            days: (self.last - self.first).num_days().max(1) as f64,
            most: ticks.last().copied().unwrap_or(1.0),
        };
        let marks = self.placed(&frame);
        let rows = marks.iter().map(|(.., row)| row + 1).max().unwrap_or_default();
        frame.top += ROW * rows as f64;
        for tick in &ticks {
            let y = frame.y(*tick);
            line(&mut svg, "grid", (frame.left, y), (frame.right, y));
            text(&mut svg, "tick", (frame.left - 6.0, y + 4.0), "end", &label(tick));
        }
        self.dates(&frame, is_wide, &mut svg);
        for band in &self.bands {
            draw_band(band, &frame, &mut svg);
        }
        draw_marks(&marks, &frame, &mut svg);
        for line in &self.lines {
            draw_line(line, &frame, &mut svg);
        }
        if is_wide {
            self.name_ends(&frame, &mut svg);
        }
        svg.push_str("</svg>");
        svg
    }

    fn dates(&self, frame: &Frame, is_wide: bool, svg: &mut String) {
        let by_month = (self.last - self.first).num_days() >= 62;
        let mut before = None;
        let mut free = f64::NEG_INFINITY;
        for day in date_ticks(self.first, self.last, if is_wide { 9 } else { 4 }) {
            let label = match self.counts_days {
                true => (day - self.first).num_days().to_string(),
                false => date_label(day, before, by_month),
            };
            let half = width(&label, FONT) / 2.0;
            let x = frame.x(day).clamp(frame.left - 4.0 + half, (frame.right - half).max(half));
            line(svg, "tick", (frame.x(day), frame.bottom), (frame.x(day), frame.bottom + 4.0));
            if x - half > free + 4.0 {
                text(svg, "tick", (x, frame.bottom + 18.0), "middle", &label);
                free = x + half;
                before = Some(day);
            }
        }
        line(svg, "axis", (frame.left, frame.bottom), (frame.right, frame.bottom));
    }

    /// The marks in order, each with where its name stands and in which row.
    fn placed(&self, frame: &Frame) -> Vec<(&Mark, (f64, f64), usize)> {
        let mut marks: Vec<&Mark> = self.marks.iter().collect();
        marks.sort_by_key(|mark| mark.day);
        let spans: Vec<(f64, f64)> = marks
            .iter()
            .map(|mark| {
                let room = width(&mark.name, FONT);
                let from = (frame.x(mark.day) + 4.0).min(frame.right - room).max(2.0);
                (from, from + room)
            })
            .collect();
        let rows = rows(&spans, ROWS);
        marks
            .into_iter()
            .zip(spans)
            .zip(rows)
            .map(|((mark, span), row)| (mark, span, row))
            .collect()
    }

    fn name_ends(&self, frame: &Frame, svg: &mut String) {
        let ends: Vec<(&Line, f64)> = self
            .lines
            .iter()
            .filter(|line| !line.name.is_empty())
            .filter_map(|line| Some((line, frame.y(line.points.last()?.1))))
            .collect();
        let wishes: Vec<Wish> = ends.iter().map(|(_, at)| Wish { at: *at, room: 15.0 }).collect();
        for ((line, _), y) in ends.iter().zip(apart(&wishes, frame.top, frame.bottom)) {
            let x = line.points.last().map_or(frame.right, |(day, _)| frame.x(*day)) + 6.0;
            let class = format!("end {}", line.class);
            text(svg, &class, (x, y + 4.0), "start", &line.name);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a handful of rows")]
fn draw_marks(marks: &[(&Mark, (f64, f64), usize)], frame: &Frame, svg: &mut String) {
    for (mark, _, row) in marks {
        let x = frame.x(mark.day);
        line(svg, mark.class, (x, ROW * *row as f64 + 2.0), (x, frame.bottom));
    }
    for (mark, (from, to), row) in marks {
        let y = ROW * *row as f64 + 2.0;
        // Set off against the lines of other days.
        let _ = write!(
            svg,
            "<rect class=\"plate\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"14\"/>",
            unit(from - 1.0),
            unit(y),
            unit(to - from + 2.0)
        );
        text(svg, "mark", (*from, y + 11.0), "start", &mark.name);
    }
}

fn draw_band(band: &Band, frame: &Frame, svg: &mut String) {
    let mut path = String::new();
    for (index, (day, _, high)) in band.points.iter().enumerate() {
        let command = if index == 0 { 'M' } else { 'L' };
        let _ = write!(path, "{command}{} {}", unit(frame.x(*day)), unit(frame.y(*high)));
    }
    for (day, low, _) in band.points.iter().rev() {
        let _ = write!(path, "L{} {}", unit(frame.x(*day)), unit(frame.y(*low)));
    }
    let _ = write!(svg, "<path class=\"{}\" d=\"{path}Z\"/>", band.class);
}

fn draw_line(line: &Line, frame: &Frame, svg: &mut String) {
    let mut path = String::new();
    let mut before = None;
    for (day, value) in &line.points {
        let (x, y) = (frame.x(*day), frame.y(*value));
        match before {
            None => drop(write!(path, "M{} {}", unit(x), unit(y))),
            Some(_) if line.is_stepped => drop(write!(path, "H{}V{}", unit(x), unit(y))),
            Some(_) => drop(write!(path, "L{} {}", unit(x), unit(y))),
        }
        before = Some(y);
    }
    // A single day is a point.
    if let [(day, value)] = line.points.as_slice() {
        let _ = write!(
            svg,
            "<circle class=\"{}\" cx=\"{}\" cy=\"{}\" r=\"3\"/>",
            line.class,
            unit(frame.x(*day)),
            unit(frame.y(*value))
        );
    }
    let _ = write!(svg, "<path class=\"line {}\" d=\"{path}\"/>", line.class);
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "ticks are zero or more, and far below 2^53"
)]
fn grouped_float(value: f64) -> String {
    if value.fract() == 0.0 { grouped(value as u64) } else { format!("{value:.1}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn chart() -> LineChart {
        LineChart {
            title: "Awaiting <now>".into(),
            description: "Falls from 900 to 100.".into(),
            first: day("2026-12-01"),
            last: day("2027-09-13"),
            bands: vec![Band {
                class: "band",
                points: vec![(day("2027-03-01"), 300.0, 300.0), (day("2027-09-13"), 50.0, 200.0)],
            }],
            lines: vec![Line {
                class: "awaiting",
                name: "awaiting".into(),
                points: vec![(day("2026-12-01"), 900.0), (day("2027-03-01"), 300.0)],
                is_stepped: true,
            }],
            marks: vec![
                Mark { class: "stage", day: day("2026-12-17"), name: "invitation".into() },
                Mark { class: "deadline", day: day("2027-09-13"), name: "deadline".into() },
            ],
            counts_days: false,
        }
    }

    /// Every number after one of these words.
    fn numbers(svg: &str, word: &str) -> Vec<f64> {
        svg.split(word)
            .skip(1)
            .filter_map(|rest| rest.trim_start_matches('"').split(['"', ' ']).next()?.parse().ok())
            .collect()
    }

    #[test]
    fn it_says_what_it_shows_and_stays_within_its_edges() {
        for (across, down) in [(760.0, 320.0), (360.0, 300.0)] {
            let svg = chart().svg("burn", across, down);
            assert!(svg.contains("role=\"img\"") && svg.contains("Awaiting &lt;now&gt;"), "{svg}");
            assert!(svg.contains("Falls from 900 to 100."), "{svg}");
            for (word, most) in [(" x=", across), (" x1=", across), (" y=", down), (" y1=", down)] {
                let found = numbers(&svg, word);
                assert!(!found.is_empty());
                assert!(found.iter().all(|at| (0.0..=most).contains(at)), "{word} {found:?}");
            }
        }
    }

    #[test]
    fn one_day_is_a_point_and_no_day_draws_nothing() {
        let mut one = chart();
        one.lines[0].points.truncate(1);
        one.last = one.first;
        assert!(one.svg("one", 360.0, 200.0).contains("<circle"));
        one.lines[0].points.clear();
        one.bands.clear();
        let svg = one.svg("none", 360.0, 200.0);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn nothing_is_loaded_from_anywhere() {
        let svg = chart().svg("burn", 760.0, 320.0);
        assert!(!svg.contains("http") && !svg.contains("href") && !svg.contains("style="), "{svg}");
    }
}
