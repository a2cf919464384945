//! `[[campaign.stages]]`: who is told what, so many days from the deadline.

use toml::Spanned;

use super::channels::{self, Means};
use super::problem::{Kind, Wrong};
use super::reading::Reading;
use super::table::Table;
use super::value::{Days, FromToml, Value};
use crate::domain::campaign::{Channel, Stage, StageDay};
use crate::domain::decide::CORRECTION;
use crate::domain::win_back;

/// Reads all stages, in the order of their days; `None` when one cannot be read.
pub(super) fn read(campaign: &Table<'_>, means: &Means<'_>) -> Option<Vec<Stage>> {
    let tables = campaign.tables("stages");
    if !campaign.has("stages") || tables.as_ref().is_some_and(Vec::is_empty) {
        campaign.absent(
            "[campaign] has no stages",
            "write `[[campaign.stages]]`, and below it `name` and `days_before`",
        );
        return None;
    }
    let written: Vec<Written> =
        tables?.into_iter().map(|table| Written::read(table, means)).collect();
    let reading = campaign.reading();
    check_names(reading, &written);
    check_days(reading, &written);
    check_final(reading, &written);
    let mut stages: Vec<Stage> =
        written.into_iter().map(Written::into_stage).collect::<Option<_>>()?;
    stages.sort_by_key(|stage| stage.day.offset());
    Some(stages)
}

/// A stage as far as it could be read, with the places of what others may clash with.
struct Written {
    name: Option<Spanned<String>>,
    day: Option<Spanned<StageDay>>,
    channels: Option<Vec<Channel>>,
    template: Option<String>,
    is_final: Option<Spanned<bool>>,
    hold_back_percent: Option<Spanned<u32>>,
}

impl Written {
    fn read(table: Table<'_>, means: &Means<'_>) -> Self {
        let stage = Self {
            name: table.require_spanned("name", "\"reminder\""),
            day: day(&table),
            channels: channels::read(&table, means),
            template: template(&table),
            is_final: table.spanned("final"),
            hold_back_percent: table.spanned::<Share>("hold_back_percent").map(|share| {
                let span = share.span();
                Spanned::new(span, share.into_inner().0)
            }),
        };
        table.finish();
        stage
    }

    fn title(&self) -> &str {
        self.name.as_ref().map_or("this stage", |name| name.get_ref())
    }

    /// Where it says that it is the final one.
    fn final_mark(&self) -> Option<&Spanned<bool>> {
        self.is_final.as_ref().filter(|is_final| *is_final.get_ref())
    }

    fn into_stage(self) -> Option<Stage> {
        let is_final = self.final_mark().is_some();
        let name = self.name?.into_inner();
        Some(Stage {
            day: self.day?.into_inner(),
            channels: self.channels?,
            template: self.template.unwrap_or_else(|| name.clone()),
            is_final,
            hold_back_percent: self.hold_back_percent.map_or(0, Spanned::into_inner),
            name,
        })
    }
}

/// Each stage with those above it.
fn with_above(stages: &[Written]) -> impl Iterator<Item = (&Written, &[Written])> {
    stages.iter().enumerate().map(|(index, stage)| (stage, &stages[..index]))
}

/// What else people are told under: that the deadline moved, and what follows a removal.
const RESERVED: [&str; 5] =
    [CORRECTION, win_back::CROSSED, win_back::REMOVED, win_back::REMINDER, win_back::LAST];

fn check_names(reading: &Reading<'_>, stages: &[Written]) {
    for (stage, above) in with_above(stages) {
        let Some(name) = &stage.name else { continue };
        if RESERVED.contains(&name.get_ref().as_str()) {
            let message =
                format!("\"{}\" is the name of a message outside the stages", name.get_ref());
            let help = "write another name";
            reading.report(name.span(), Kind::Wrong, Wrong::new(message, help));
        }
        if above.iter().filter_map(|other| other.name.as_ref()).any(|other| other == name) {
            let message = format!("a second stage is called \"{}\"", name.get_ref());
            let help = "write a name of its own: people are told once under each";
            reading.report(name.span(), Kind::Wrong, Wrong::new(message, help));
        }
    }
}

fn check_days(reading: &Reading<'_>, stages: &[Written]) {
    let offset = |stage: &Written| stage.day.as_ref().map(|day| day.get_ref().offset());
    for (stage, above) in with_above(stages) {
        let Some(day) = &stage.day else { continue };
        if let Some(other) = above.iter().find(|other| offset(other) == offset(stage)) {
            let message =
                format!("\"{}\" and \"{}\" fall on one day", stage.title(), other.title());
            let help = "write a day of its own: a stage lasts until the next one's day";
            reading.report(day.span(), Kind::Wrong, Wrong::new(message, help));
        }
    }
}

fn check_final(reading: &Reading<'_>, stages: &[Written]) {
    for (stage, above) in with_above(stages) {
        let Some(mark) = stage.final_mark() else { continue };
        if let Some(other) = above.iter().find(|other| other.final_mark().is_some()) {
            let message = format!("\"{}\" and \"{}\" are both final", stage.title(), other.title());
            let help = "write `final = true` at one stage only";
            reading.report(mark.span(), Kind::Wrong, Wrong::new(message, help));
        }
        if let Some(share) = stage.hold_back_percent.as_ref().filter(|share| *share.get_ref() > 0) {
            let message = format!(
                "\"{}\" is final and holds {}% back: nobody loses a connection who was not told",
                stage.title(),
                share.get_ref()
            );
            let help = "leave `hold_back_percent` out here; write it at an earlier stage";
            reading.report(share.span(), Kind::Wrong, Wrong::new(message, help));
        }
        if stage.day.as_ref().is_some_and(|day| day.get_ref().offset() >= 0) {
            let message = format!(
                "\"{}\" is final and not before the deadline, when removals are over",
                stage.title()
            );
            let help = "write `final = true` at a stage with `days_before` of 1 or more";
            reading.report(mark.span(), Kind::Wrong, Wrong::new(message, help));
        }
    }
}

/// A share of a stage, at most the half: the stage is there to be sent.
struct Share(u32);

impl FromToml for Share {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        value.whole(0..=50).map(Self)
    }
}

fn day(table: &Table<'_>) -> Option<Spanned<StageDay>> {
    let before = table.spanned::<Days>("days_before");
    let after = table.spanned::<Days>("days_after");
    match (table.has("days_before"), table.has("days_after")) {
        (true, true) => table.misplaced(
            "days_after",
            "a stage is either before or after the deadline, this says both",
            "take out `days_before` or `days_after`",
        ),
        (false, false) => table.absent(
            "`days_before` or `days_after` is missing in [[campaign.stages]]",
            "write `days_before = 60`, or `days_after = 1`, from the deadline on",
        ),
        (true, false) | (false, true) => {}
    }
    match (before, after) {
        (Some(days), None) => Some(Spanned::new(days.span(), StageDay::Before(days.get_ref().0))),
        (None, Some(days)) => Some(Spanned::new(days.span(), StageDay::After(days.get_ref().0))),
        _ => None,
    }
}

/// A name: where templates are is not for each stage to say.
fn template(table: &Table<'_>) -> Option<String> {
    let template = table.spanned::<String>("template")?;
    if template.get_ref().contains(['/', '\\', '.']) {
        let help = "write the template's name, as `template = \"invitation\"`";
        let wrong = Wrong::new("`template` is a name, not a path", help);
        table.reading().report(template.span(), Kind::Wrong, wrong);
    }
    Some(template.into_inner())
}
