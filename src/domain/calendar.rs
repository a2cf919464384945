//! Days and hours: when stages open, and when a recipient is at work. Days are calendar
//! days of a zone, so that clock changes move no stage.

use chrono::offset::LocalResult;
use chrono::{
    DateTime, Datelike, Days, NaiveDate, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc,
};
use chrono_tz::Tz;

use super::campaign::{Campaign, Stage, WorkingTime};
use super::reason::{Code, Reason};

/// When a wall clock shows a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instant {
    /// The first of two, where it shows it twice.
    Shown(DateTime<Utc>),
    /// Never; this is when it would have, had the clock not been put forward.
    Leapt(DateTime<Utc>),
}

/// Looks a wall time up.
#[must_use]
pub fn look_up(zone: Tz, wall: NaiveDateTime) -> Instant {
    match zone.from_local_datetime(&wall) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => Instant::Shown(at.to_utc()),
        LocalResult::None => {
            // A day is farther back than any leap is long, and nearer than the transition before.
            let before = zone.offset_from_utc_datetime(&(wall - TimeDelta::days(1))).fix();
            Instant::Leapt((wall - before).and_utc())
        }
    }
}

/// The instant of a wall time: the first of two, and moved on by the length of the gap where
/// the clock skips it.
#[must_use]
pub fn instant(zone: Tz, wall: NaiveDateTime) -> DateTime<Utc> {
    match look_up(zone, wall) {
        Instant::Shown(at) | Instant::Leapt(at) => at,
    }
}

/// 00:00 of a day.
#[must_use]
pub fn midnight(zone: Tz, day: NaiveDate) -> DateTime<Utc> {
    instant(zone, day.and_time(chrono::NaiveTime::MIN))
}

fn shifted(day: NaiveDate, days: i64) -> NaiveDate {
    let moved = match u64::try_from(days) {
        Ok(forward) => day.checked_add_days(Days::new(forward)),
        Err(_) => day.checked_sub_days(Days::new(days.unsigned_abs())),
    };
    moved.unwrap_or(day)
}

/// Whole days left until the deadline, rounded down; negative afterwards.
#[must_use]
pub fn days_to_deadline(campaign: &Campaign, now: DateTime<Utc>) -> i64 {
    (campaign.deadline - now).num_seconds().div_euclid(86_400)
}

impl Campaign {
    /// The deadline's day in the campaign's zone: what stages count from.
    #[must_use]
    pub fn deadline_day(&self) -> NaiveDate {
        self.deadline.with_timezone(&self.zone).date_naive()
    }

    /// The day `days` after the deadline's, before it if negative: its 00:00.
    #[must_use]
    pub fn day_from_deadline(&self, days: i64) -> DateTime<Utc> {
        midnight(self.zone, shifted(self.deadline_day(), days))
    }

    /// From when a stage is due.
    #[must_use]
    pub fn opens(&self, stage: &Stage) -> DateTime<Utc> {
        self.day_from_deadline(stage.day.offset())
    }

    /// The stages that are due at `now`: the last that has opened, since a missed one
    /// collapses into it; and before the deadline in front of it the final notice, since a
    /// removal depends on it, for whomever it has not reached.
    #[must_use]
    pub fn due_stages(&self, now: DateTime<Utc>) -> Vec<&Stage> {
        let Some(current) = self.stages.iter().rfind(|stage| self.opens(stage) <= now) else {
            return Vec::new();
        };
        if now >= self.deadline {
            // Nothing is left to announce: only what is meant for afterwards still goes out.
            return if current.day.offset() >= 0 { vec![current] } else { Vec::new() };
        }
        let missed = self.stages.iter().find(|stage| stage.is_final && self.opens(stage) <= now);
        let mut stages: Vec<&Stage> = missed.into_iter().collect();
        if missed != Some(current) {
            stages.push(current);
        }
        stages
    }

    /// The next stage to open after `now`.
    #[must_use]
    pub fn next_stage(&self, now: DateTime<Utc>) -> Option<&Stage> {
        self.stages.iter().find(|stage| self.opens(stage) > now)
    }
}

impl WorkingTime {
    /// Why nobody is at work at `now` in `zone`; `None` when somebody is.
    #[must_use]
    pub fn closed(&self, zone: Tz, now: DateTime<Utc>) -> Option<Reason> {
        let wall = now.with_timezone(&zone).naive_local();
        let code = if self.holidays.contains(&wall.date()) {
            Code::Holiday
        } else if !self.days.contains(&wall.weekday()) {
            Code::NotAWorkingDay
        } else if wall.time() < self.from || wall.time() >= self.until {
            Code::OutsideHours
        } else {
            return None;
        };
        let text = match self.next_opening(zone, now) {
            Some(at) => format!(
                "{} in {}; the next open hours begin {}",
                code.text(),
                zone.name(),
                at.with_timezone(&zone).format("%Y-%m-%d %H:%M")
            ),
            None => format!("{} in {}", code.text(), zone.name()),
        };
        Some(Reason { code, text })
    }

    /// The first instant from `now` on at which somebody is at work.
    #[must_use]
    pub fn next_opening(&self, zone: Tz, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        /// Longer than any run of holidays that leaves a campaign sensible.
        const DAYS: i64 = 800;
        let today = now.with_timezone(&zone).date_naive();
        (0..DAYS)
            .map(|ahead| shifted(today, ahead))
            .filter(|day| self.days.contains(&day.weekday()) && !self.holidays.contains(day))
            .find_map(|day| {
                let opens = instant(zone, day.and_time(self.from));
                let closes = instant(zone, day.and_time(self.until));
                (closes > now).then_some(opens.max(now))
            })
    }
}

#[cfg(test)]
mod tests {
    use chrono::{NaiveTime, Weekday};

    use super::super::campaign::{Channel, StageDay};
    use super::super::scopes::ScopeSet;
    use super::*;

    fn stage(name: &str, day: StageDay, is_final: bool) -> Stage {
        Stage {
            name: name.into(),
            day,
            channels: vec![Channel::Email],
            template: name.into(),
            is_final,
            hold_back_percent: 0,
        }
    }

    fn campaign() -> Campaign {
        Campaign {
            deadline: "2027-09-12T12:00:00Z".parse().unwrap(),
            zone: chrono_tz::Pacific::Auckland,
            required: ScopeSet::EMPTY,
            working: working(),
            stages: vec![
                stage("invitation", StageDay::Before(270), false),
                stage("final-notice", StageDay::Before(60), true),
                stage("last-days", StageDay::Before(7), false),
                stage("stopped", StageDay::After(1), false),
            ],
        }
    }

    fn working() -> WorkingTime {
        WorkingTime {
            days: vec![Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu],
            from: NaiveTime::from_hms_opt(9, 0, 0).unwrap(),
            until: NaiveTime::from_hms_opt(16, 0, 0).unwrap(),
            holidays: [NaiveDate::from_ymd_opt(2027, 2, 8).unwrap()].into(),
        }
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn due(campaign: &Campaign, now: &str) -> Option<String> {
        campaign.due_stages(at(now)).first().map(|stage| stage.name.clone())
    }

    #[test]
    fn a_stage_opens_at_midnight_of_its_day_in_the_campaigns_zone() {
        let campaign = campaign();
        // 270 days before 13 September 2027 is 17 December 2026, summer time in Auckland.
        assert_eq!(campaign.opens(&campaign.stages[0]), at("2026-12-16T11:00:00Z"));
        assert_eq!(due(&campaign, "2026-12-16T10:59:59.999999Z"), None);
        assert_eq!(due(&campaign, "2026-12-16T11:00:00Z").as_deref(), Some("invitation"));
    }

    #[test]
    fn the_final_notice_gives_way_only_to_the_deadline() {
        let campaign = campaign();
        assert_eq!(due(&campaign, "2027-09-08T00:00:00Z").as_deref(), Some("final-notice"));
        assert_eq!(due(&campaign, "2027-09-12T12:00:00Z"), None);
        assert_eq!(due(&campaign, "2027-09-14T12:00:00Z").as_deref(), Some("stopped"));
    }

    #[test]
    fn days_to_the_deadline_are_rounded_down_on_both_sides_of_it() {
        let campaign = campaign();
        assert_eq!(days_to_deadline(&campaign, at("2027-09-11T12:00:00Z")), 1);
        assert_eq!(days_to_deadline(&campaign, at("2027-09-11T12:00:01Z")), 0);
        assert_eq!(days_to_deadline(&campaign, at("2027-09-12T12:00:01Z")), -1);
    }

    #[test]
    fn hours_and_weekdays_are_the_recipients_own() {
        // E40: the weekday was taken in UTC and the hour locally.
        let working = working();
        // Thursday 15:30 in Auckland is still Wednesday night in New York.
        let now = at("2027-02-04T02:30:00Z");
        assert_eq!(working.closed(chrono_tz::Pacific::Auckland, now), None);
        let closed = working.closed(chrono_tz::America::New_York, now).unwrap();
        assert_eq!(closed.code, Code::OutsideHours);
        assert!(closed.text.contains("2027-02-04 09:00"), "{}", closed.text);
    }

    #[test]
    fn holidays_and_week_ends_are_waited_out_together() {
        let working = working();
        let zone = chrono_tz::Pacific::Auckland;
        // Friday; Monday the 8th is a holiday.
        let friday = at("2027-02-04T22:00:00Z");
        assert_eq!(working.closed(zone, friday).unwrap().code, Code::NotAWorkingDay);
        assert_eq!(working.next_opening(zone, friday), Some(at("2027-02-08T20:00:00Z")));
    }

    #[test]
    fn a_skipped_midnight_opens_when_the_clock_goes_on() {
        // E42
        // Beirut skips 00:00-01:00 on 28 March 2027.
        let day = NaiveDate::from_ymd_opt(2027, 3, 28).unwrap();
        assert_eq!(midnight(chrono_tz::Asia::Beirut, day), at("2027-03-27T22:00:00Z"));
    }
}
