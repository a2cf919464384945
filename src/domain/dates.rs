//! Dates in the three forms that hosts store: RFC 3339, Xero's (no zone, up to seven
//! decimals) and SQL's. Without a zone they are UTC. A day without a time is none of them:
//! evidence is ordered by its time, and a day would have to be given one.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

/// Outside of these years a date is a mistake, such as milliseconds taken for seconds.
const YEARS: std::ops::RangeInclusive<i32> = 1970..=2100;

/// Reads a date; `None` when it is in no known form or in no believable year.
#[must_use]
pub fn read(text: &str) -> Option<DateTime<Utc>> {
    let (date, rest) = text.split_at_checked(10)?;
    let (separator, rest) = rest.split_at_checked(1)?;
    let (time, rest) = rest.split_at_checked(8)?;
    if !matches!(separator, "T" | "t" | " ") {
        return None;
    }
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(rest) => {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            rest.split_at_checked(end).filter(|(digits, _)| !digits.is_empty())?
        }
        None => ("", rest),
    };
    let local = NaiveDateTime::new(self::date(date)?, self::time(time, fraction)?);
    believable(local.checked_sub_signed(offset(zone)?)?.and_utc())
}

/// Seconds since 1970, as tokens have them.
#[must_use]
pub fn from_seconds(seconds: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(seconds, 0).and_then(believable)
}

fn believable(at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    YEARS.contains(&at.year()).then_some(at)
}

fn number(digits: &str) -> Option<u32> {
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

fn date(text: &str) -> Option<NaiveDate> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 || month.len() != 2 {
        return None;
    }
    NaiveDate::from_ymd_opt(number(year)?.try_into().ok()?, number(month)?, number(day)?)
}

fn time(text: &str, fraction: &str) -> Option<NaiveTime> {
    let mut parts = text.split(':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || hour.len() != 2 || minute.len() != 2 {
        return None;
    }
    // PostgreSQL keeps microseconds, and so do we: the rest is cut off, never rounded up.
    let digits = fraction.get(..6).unwrap_or(fraction);
    let scale = 10u32.pow(6 - u32::try_from(digits.len()).ok()?);
    let micros = if digits.is_empty() { 0 } else { number(digits)? * scale };
    // A leap second has no instant of its own.
    let second = number(second)?;
    let second = if second == 60 { 59 } else { second };
    NaiveTime::from_hms_micro_opt(number(hour)?, number(minute)?, second, micros)
}

/// How far the zone is ahead of UTC.
fn offset(zone: &str) -> Option<TimeDelta> {
    if matches!(zone, "" | "Z" | "z") {
        return Some(TimeDelta::zero());
    }
    let (sign, rest) = match zone.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match rest.len() {
        2 => (rest, "00"),
        4 => rest.split_at_checked(2)?,
        5 => rest.split_once(':').filter(|(hours, _)| hours.len() == 2)?,
        _ => return None,
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours < 24 && minutes < 60).then(|| TimeDelta::minutes(sign * i64::from(hours * 60 + minutes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_of_one_instant_are_equal() {
        let at = "2019-12-07T18:46:19.516540Z".parse().ok();
        for text in [
            "2019-12-07T18:46:19.5165400",
            "2019-12-07T18:46:19.51654Z",
            "2019-12-07T18:46:19.516540999Z",
            "2019-12-08t07:46:19.51654+13:00",
            "2019-12-07 18:46:19.51654",
            "2019-12-07 18:46:19.51654+00",
            "2019-12-07 18:46:19.51654+00:00",
            "2019-12-07 09:16:19.51654-0930",
        ] {
            assert_eq!(read(text), at, "{text}");
        }
        assert!(at.is_some());
        assert_eq!(read("2016-12-31T23:59:60Z"), read("2016-12-31 23:59:59"));
    }

    #[test]
    fn what_is_no_instant_is_not_guessed() {
        for text in [
            "",
            "2026-01-02",
            "2026-01-02T",
            "2026-01-02T03:04",
            "2026-13-02T03:04:05",
            "2026-02-30 03:04:05",
            "2026-01-02 24:00:01",
            "2026-01-02 03:04:05.",
            "2026-01-02 03:04:05 PM",
            "2026-01-02 03:04:05+25",
            "2026-01-02T03:04:05+0é",
            "0000-00-00 00:00:00",
            "1969-12-31 23:59:59",
            "1970-01-01T00:00:00+01:00",
            "2101-01-01T00:00:00Z",
            "02/01/2026 03:04:05",
            "1767323045",
            "infinity",
            "+026-01-02 03:04:05",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
