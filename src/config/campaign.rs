//! `[campaign]`: deadline, required scopes, working time and stages.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc, Weekday};
use chrono_tz::{Pacific, Tz};
use toml::Spanned;
use toml::value::Datetime;

use super::channels::Means;
use super::problem::Wrong;
use super::table::Table;
use super::value::{FromToml, Value, day};
use super::{scopes, stages};
use crate::domain::calendar::midnight;
use crate::domain::campaign::{Campaign, WorkingTime};

/// Reads the table; `None` when its stages are missing or wrong.
pub(super) fn read(root: &Table<'_>, means: &Means<'_>) -> Option<Campaign> {
    let table = root.require_table("campaign", "`required_scopes` and `[[campaign.stages]]`")?;
    let deadline = table
        .get("deadline")
        .map_or_else(|| start_of_day_in_auckland(DEFAULT_DEADLINE), |Deadline(at)| at);
    let zone = table.get("time_zone").unwrap_or(Tz::Pacific__Auckland);
    // What is wrong with the scopes is reported by then; the stages still have to be held
    // against [removal].
    let required = scopes::read(&table).unwrap_or_default();
    let working = working_time(&table);
    let stages = stages::read(&table, means);
    table.finish();
    Some(Campaign { deadline, zone, required, working, stages: stages? })
}

/// docs/xero.md, "Dates".
const DEFAULT_DEADLINE: NaiveDate = NaiveDate::from_ymd_opt(2027, 9, 13).unwrap();

/// Xero names days, not times: its own day begins in Auckland, before anywhere else.
fn start_of_day_in_auckland(day: NaiveDate) -> DateTime<Utc> {
    midnight(Pacific::Auckland, day)
}

/// Monday to Thursday from nine to four, where nothing else is written: whoever reads a
/// message then can still reach somebody the same or the next day.
fn working_time(table: &Table<'_>) -> WorkingTime {
    use Weekday::{Mon, Thu, Tue, Wed};
    let days = table.list::<Day>("working_days").map_or_else(
        || vec![Mon, Tue, Wed, Thu],
        |days| days.into_iter().map(|day| day.into_inner().0).collect(),
    );
    if let Some(value) = table.value("working_days")
        && value.len() == Some(0)
    {
        value.wrong(Wrong::new(
            "`working_days` is empty: nothing would ever be sent",
            "write `working_days = [\"mon\", \"tue\", \"wed\", \"thu\"]`",
        ));
    }
    let Hours { from, until } = table.get("hours").unwrap_or(Hours::USUAL);
    let holidays = table.list::<NaiveDate>("holidays").unwrap_or_default();
    let holidays = holidays.into_iter().map(Spanned::into_inner).collect();
    WorkingTime { days, from, until, holidays }
}

struct Deadline(DateTime<Utc>);

impl FromToml for Deadline {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        const EXAMPLE: &str = "2027-09-13";
        let written = value.datetime(EXAMPLE)?;
        let at = match written {
            Datetime { date: Some(date), time: None, offset: None } => {
                day(*date).map(start_of_day_in_auckland)
            }
            Datetime { date: Some(_), time: Some(_), offset: Some(_) } => {
                DateTime::parse_from_rfc3339(&written.to_string()).ok().map(|at| at.to_utc())
            }
            _ => {
                return Err(Wrong::new(
                    format!("{} has a time without a zone", value.label()),
                    format!(
                        "{}, or a time with its offset, as `2027-09-13T00:00:00+12:00`",
                        value.write(EXAMPLE)
                    ),
                ));
            }
        };
        at.map(Self).ok_or_else(|| value.is_not("a day of the calendar", value.write(EXAMPLE)))
    }
}

#[derive(Clone, Copy)]
struct Day(Weekday);

impl FromToml for Day {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        value
            .word(&[
                ("mon", Weekday::Mon),
                ("tue", Weekday::Tue),
                ("wed", Weekday::Wed),
                ("thu", Weekday::Thu),
                ("fri", Weekday::Fri),
                ("sat", Weekday::Sat),
                ("sun", Weekday::Sun),
            ])
            .map(Self)
    }
}

struct Hours {
    from: NaiveTime,
    until: NaiveTime,
}

impl Hours {
    const USUAL: Self = Self {
        from: NaiveTime::from_hms_opt(9, 0, 0).unwrap(),
        until: NaiveTime::from_hms_opt(16, 0, 0).unwrap(),
    };

    fn read(text: &str) -> Option<Self> {
        let (from, until) = text.split_once('-')?;
        let time = |text: &str| NaiveTime::parse_from_str(text.trim(), "%H:%M").ok();
        Some(Self { from: time(from)?, until: time(until)? })
    }
}

impl FromToml for Hours {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        let text = value.text()?;
        let Some(hours) = Self::read(text) else {
            return Err(Wrong::new(
                format!("{} is \"{text}\", which is no span of a day", value.label()),
                value.write("\"09:00-16:00\""),
            ));
        };
        if hours.from >= hours.until {
            return Err(Wrong::new(
                format!("{} is \"{text}\": it ends before it begins", value.label()),
                format!("{}, both within one day", value.write("\"09:00-16:00\"")),
            ));
        }
        Ok(hours)
    }
}
