//! `[campaign]`: scopes, deadline and working time.

use chrono::Weekday;

use super::{Broken, assert_each_is_reported, good, parse, with};

const SCOPES: &str = "[\"offline_access\", \"accounting.invoices\"]";

#[test]
fn required_scopes_that_would_break_the_consent_are_refused() {
    assert_each_is_reported(&[
        Broken {
            piece: SCOPES,
            replacement: "[\"accounting.invoices\", \"accounting.invioces\"]",
            at: "\"accounting.invioces\"",
            message: "`accounting.invioces` is no scope of Xero's",
            help: "`worker scopes list`",
        },
        Broken {
            piece: SCOPES,
            replacement: "[\"accounting.transactions\"]",
            at: "\"accounting.transactions\"",
            message: "`accounting.transactions` is one of the broad scopes",
            help: "accounting.invoices, accounting.payments, accounting.banktransactions, accounting.manualjournals",
        },
        Broken {
            piece: SCOPES,
            replacement: "[\"accounting.invoices\", \"accounting.classicexpenses\"]",
            at: "\"accounting.classicexpenses\"",
            message: "`accounting.classicexpenses` is withdrawn",
            help: "leave it out",
        },
        Broken {
            piece: SCOPES,
            replacement: "[\"accounting.invoices\", \"accounting.reports.bankstatement.read\"]",
            at: "\"accounting.reports.bankstatement.read\"",
            message: "is withdrawn",
            help: "nothing replaces it",
        },
        Broken {
            piece: SCOPES,
            replacement: "[\"practicemanager\"]",
            at: "\"practicemanager\"",
            message: "`practicemanager` is withdrawn",
            help: "practicemanager.*",
        },
        Broken {
            piece: SCOPES,
            replacement: "[\"accounting.invoices\", \"app.connections\"]",
            at: "\"app.connections\"",
            message: "never part of a user's consent",
            help: "leave it out",
        },
        Broken {
            piece: SCOPES,
            replacement: "[\"accounting.invoices\", \"practicemanager.job\"]",
            at: "\"practicemanager.job\"",
            message: "`practicemanager.job` cannot share a consent",
            help: "one of the two families",
        },
        Broken {
            piece: SCOPES,
            replacement: "[\"openid offline_access\", \"files\"]",
            at: "\"openid",
            message: "holds several scopes",
            help: "\"openid\", \"offline_access\"",
        },
        Broken {
            piece: SCOPES,
            replacement: "[]",
            at: "[]",
            message: "nothing that decides",
            help: "accounting.invoices",
        },
        Broken {
            piece: SCOPES,
            replacement: "[\"openid\", \"offline_access\"]",
            at: "[\"openid\"",
            message: "nothing that decides",
            help: "write what the app needs",
        },
        Broken {
            piece: SCOPES,
            replacement: "\"accounting.invoices\"",
            at: "\"accounting.invoices\"",
            message: "`required_scopes` must be a list",
            help: "write `required_scopes = [\"accounting.invoices\"]`",
        },
        Broken {
            piece: "required_scopes = [\"offline_access\", \"accounting.invoices\"]",
            replacement: "",
            at: "[campaign]",
            message: "`required_scopes` is missing in [campaign]",
            help: "write `required_scopes = [",
        },
    ]);
}

#[test]
fn what_is_wrong_with_working_time_and_deadline_is_said_with_its_place() {
    assert_each_is_reported(&[
        Broken {
            piece: "[campaign]",
            replacement: "[campaign]\nhours = \"9 to 5\"",
            at: "\"9 to 5\"",
            message: "`hours` is \"9 to 5\", which is no span of a day",
            help: "write `hours = \"09:00-16:00\"`",
        },
        Broken {
            piece: "[campaign]",
            replacement: "[campaign]\nhours = \"16:00-09:00\"",
            at: "\"16:00-09:00\"",
            message: "ends before it begins",
            help: "within one day",
        },
        Broken {
            piece: "[campaign]",
            replacement: "[campaign]\nworking_days = []",
            at: "[]",
            message: "`working_days` is empty",
            help: "write `working_days = [",
        },
        Broken {
            piece: "[campaign]",
            replacement: "[campaign]\nworking_days = [\"mon\", \"tues\"]",
            at: "\"tues\"",
            message: "an entry of `working_days` is \"tues\"",
            help: "write `\"tue\"`",
        },
        Broken {
            piece: "[campaign]",
            replacement: "[campaign]\nholidays = [2027-01-01, \"xmas\"]",
            at: "\"xmas\"",
            message: "an entry of `holidays` must be a date",
            help: "write `2027-01-01`",
        },
        Broken {
            piece: "[campaign]",
            replacement: "[campaign]\ntime_zone = \"Pacific/Aukland\"",
            at: "\"Pacific/Aukland\"",
            message: "is no time zone",
            help: "write `time_zone = \"Pacific/Auckland\"`",
        },
        Broken {
            piece: "[campaign]",
            replacement: "[campaign]\ndeadline = 2027-09-13T00:00:00",
            at: "2027-09-13T",
            message: "`deadline` has a time without a zone",
            help: "2027-09-13T00:00:00+12:00",
        },
        Broken {
            piece: "[campaign]",
            replacement: "[campaign]\ndeadline = \"2027-09-13\"",
            at: "\"2027-09-13\"",
            message: "`deadline` must be a date",
            help: "leave out the quotes: write `deadline = 2027-09-13`",
        },
    ]);
}

#[test]
fn a_day_means_its_start_in_auckland_whatever_the_campaigns_zone_is() {
    for (written, instant) in [
        ("", "2027-09-12T12:00:00+00:00"),
        ("deadline = 2027-09-13\ntime_zone = \"America/New_York\"", "2027-09-12T12:00:00+00:00"),
        ("deadline = 2027-12-01", "2027-11-30T11:00:00+00:00"),
        ("deadline = 2027-09-13T09:30:00+02:00", "2027-09-13T07:30:00+00:00"),
        ("deadline = 2020-01-01", "2019-12-31T11:00:00+00:00"),
    ] {
        let config = parse(&with("[campaign]", &format!("[campaign]\n{written}"))).unwrap();
        assert_eq!(config.campaign.deadline.to_rfc3339(), instant, "{written}");
    }
}

#[test]
fn scopes_are_read_in_any_case_and_identity_scopes_are_kept() {
    let text =
        with(SCOPES, "[\"Offline_Access\", \"ACCOUNTING.invoices\", \"accounting.invoices\"]");
    let required = parse(&text).unwrap().campaign.required;
    assert_eq!(required.canonical(), "accounting.invoices offline_access");
}

#[test]
fn working_time_is_monday_to_thursday_from_nine_to_four_where_nothing_is_written() {
    let working = good().campaign.working;
    assert_eq!(working.days, [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu]);
    assert_eq!(
        (working.from.to_string(), working.until.to_string()),
        ("09:00:00".into(), "16:00:00".into())
    );
    let text = with(
        "[campaign]",
        "[campaign]\nworking_days = [\"fri\"]\nhours = \"08:30 - 12:00\"\nholidays = [2026-12-25]",
    );
    let working = parse(&text).unwrap().campaign.working;
    assert_eq!((working.days, working.holidays.len()), (vec![Weekday::Fri], 1));
    assert_eq!(working.from.to_string(), "08:30:00");
}
