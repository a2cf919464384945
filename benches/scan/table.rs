//! The figures as a table that is both aligned and Markdown.

use std::io::{self, Write};
use std::time::Duration;

use crate::median;
use crate::place::Kind;

/// What was measured of one size on one database.
pub struct Line {
    size: u64,
    kind: Kind,
    pub first: Vec<Duration>,
    pub floor: Vec<Duration>,
    pub script: Vec<Duration>,
    pub unchanged: Vec<Duration>,
    pub reread: Vec<Duration>,
    pub changed: Vec<Duration>,
    /// KiB of each scan: first, unchanged, 1% changed.
    pub memory: Vec<u64>,
}

impl Line {
    pub fn new(size: u64, kind: Kind) -> Self {
        Self {
            size,
            kind,
            first: Vec::new(),
            floor: Vec::new(),
            script: Vec::new(),
            unchanged: Vec::new(),
            reread: Vec::new(),
            changed: Vec::new(),
            memory: Vec::new(),
        }
    }

    fn cells(&self) -> [String; COLUMNS.len()] {
        let peak = self.memory.iter().copied().max().unwrap_or_default();
        [
            thousands(self.size),
            self.kind.name().to_owned(),
            seconds(&self.first),
            seconds(&self.floor),
            ratio(&self.first, &self.floor),
            seconds(&self.script),
            seconds(&self.unchanged),
            seconds(&self.reread),
            ratio(&self.unchanged, &self.reread),
            seconds(&self.changed),
            format!("{:.1} MiB", peak as f64 / 1024.0),
        ]
    }
}

const COLUMNS: [&str; 11] = [
    "connections",
    "database",
    "first scan",
    "floor",
    "ratio",
    "script",
    "re-scan",
    "its floor",
    "ratio",
    "1% changed",
    "peak memory",
];

pub fn write(out: &mut impl Write, lines: &[Line], dry_run: Duration) -> io::Result<()> {
    let rows: Vec<[String; COLUMNS.len()]> = lines.iter().map(Line::cells).collect();
    let widths: Vec<usize> = (0..COLUMNS.len())
        .map(|at| rows.iter().map(|row| row[at].len()).max().unwrap_or(0).max(COLUMNS[at].len()))
        .collect();
    row(out, &COLUMNS.map(str::to_owned), &widths)?;
    for (at, width) in widths.iter().enumerate() {
        // Text to the left, figures to the right.
        let (fill, end) =
            if at == 1 { ("-".repeat(width + 2), "") } else { ("-".repeat(width + 1), ":") };
        write!(out, "|{fill}{end}")?;
    }
    writeln!(out, "|")?;
    for cells in &rows {
        row(out, cells, &widths)?;
    }
    writeln!(out, "\ndry run on the shipped inventory: {} ms", dry_run.as_millis())
}

fn row(out: &mut impl Write, cells: &[String], widths: &[usize]) -> io::Result<()> {
    for (at, (cell, width)) in cells.iter().zip(widths).enumerate() {
        match at {
            1 => write!(out, "| {cell:<width$} ")?,
            _ => write!(out, "| {cell:>width$} ")?,
        }
    }
    writeln!(out, "|")
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn seconds(times: &[Duration]) -> String {
    format!("{:.2} s", median(times).as_secs_f64())
}

fn ratio(times: &[Duration], floor: &[Duration]) -> String {
    format!("{:.2}", median(times).as_secs_f64() / median(floor).as_secs_f64())
}
