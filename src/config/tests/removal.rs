//! `[removal]`, by itself and against the stages.

use super::{Broken, assert_each_is_reported, good, parse, with};
use crate::domain::campaign::{Approval, PerPerson};
use crate::domain::class::Class;

#[test]
fn e9_an_enabled_removal_has_no_limit_left_to_chance() {
    for (knob, help) in [
        ("opens_days_before = 30\n", "30"),
        ("min_prompts = 2\n", "3"),
        ("min_notice_days = 21\n", "21"),
        ("approvers = [\"alice\"]\n", "[\"alice\", \"bob\"]"),
        ("max_percent = 5\n", "5"),
    ] {
        let key = knob.split(' ').next().unwrap();
        let errors = parse(&with(knob, "")).expect_err(knob);
        let [problem] = errors.problems() else { panic!("{errors}") };
        assert_eq!(problem.message, format!("`{key}` is missing in [removal]"));
        assert_eq!(problem.help, format!("write `{key} = {help}` below [removal]"));
    }
    let errors = parse(&with("max_per_run = 50\nmax_per_day = 200\n", "")).unwrap_err();
    assert_eq!(errors.problems().len(), 2, "{errors}");
    assert!(parse(&with("approvers = [\"alice\"]", "approval = \"none\"")).is_ok());
}

#[test]
fn e9_a_part_of_a_day_and_less_than_none_are_no_notice() {
    for wrong in ["0.5", "20.9", "-1", "\"21\""] {
        let edit = format!("min_notice_days = {wrong}\n");
        let errors = parse(&with("min_notice_days = 21\n", &edit)).expect_err(wrong);
        assert!(errors.to_string().contains("min_notice_days"), "{errors}");
    }
}

#[test]
fn a_call_a_minute_is_not_enough_to_look_and_remove_within_one() {
    let calls = |calls: u32| {
        let edit = format!("[xero]\ncalls_per_minute = {calls}\n\n[removal]\nenabled = true");
        parse(&with("[removal]\nenabled = true", &edit))
    };
    let errors = calls(1).unwrap_err();
    assert!(errors.to_string().contains("write at least `calls_per_minute = 2`"), "{errors}");
    assert!(calls(0).is_ok(), "none at all is a decision");
    assert!(calls(2).is_ok());
}

#[test]
fn people_are_told_after_a_removal_on_three_days_that_follow_each_other() {
    let days = |text: &str| {
        let edit = format!("min_prompts = 2\nwin_back_days = {text}\n");
        parse(&with("min_prompts = 2\n", &edit)).map(|config| {
            config.win_back.iter().map(|follow_up| follow_up.days).collect::<Vec<_>>()
        })
    };
    assert_eq!(days("[1, 3, 9]").unwrap(), [0, 1, 3, 9], "a crossing is answered at once");
    let left_out = parse(&with("min_prompts = 2\n", "min_prompts = 2\n")).unwrap();
    let left_out: Vec<u32> = left_out.win_back.iter().map(|follow_up| follow_up.days).collect();
    assert_eq!(left_out, [0, 0, 7, 21]);
    for wrong in ["[]", "[0, 7]", "[0, 7, 7]", "[21, 7, 0]", "[0, 1, 2, 3]"] {
        let errors = days(wrong).expect_err(wrong);
        assert!(errors.to_string().contains("`win_back_days` is not three days"), "{errors}");
    }
}

#[test]
fn what_is_wrong_with_removal_is_said_with_its_place() {
    assert_each_is_reported(&[
        Broken {
            piece: "min_prompts = 2",
            replacement: "min_prompts = 3",
            at: "3\nmin_notice",
            message: "`min_prompts` is 3, and only 2 of the stages are before the deadline",
            help: "write 2 or less",
        },
        Broken {
            piece: "enabled = true\nopens_days_before = 30\nmin_prompts = 2",
            replacement: "enabled = false\nmin_prompts = 3",
            at: "3\nmin_notice",
            message: "`min_prompts` is 3",
            help: "add [[campaign.stages]]",
        },
        Broken {
            piece: "name = \"invitation\"\ndays_before = 120",
            replacement: "name = \"after\"\ndays_after = 1",
            at: "2\nmin_notice",
            message: "only 1 of the stages",
            help: "write 1 or less",
        },
        Broken {
            piece: "min_notice_days = 21",
            replacement: "min_notice_days = 60",
            at: "60\napprovers",
            message: "the final notice goes out 60 days before the deadline: it would never be over in time",
            help: "write less than 60",
        },
        Broken {
            piece: "final = true",
            replacement: "final = false",
            at: "[removal]",
            message: "no stage is the final notice",
            help: "write `final = true`",
        },
        Broken {
            piece: "name = \"invitation\"\ndays_before = 120",
            replacement: "name = \"invitation\"\ndays_before = 120\n[[campaign.stages]]\nname = \"late\"\ndays_before = 30\nfinal = true",
            at: "true\n\n[prompts]",
            message: "both final",
            help: "one stage only",
        },
        Broken {
            piece: "max_percent = 5",
            replacement: "max_percent = 100.5",
            at: "100.5",
            message: "`max_percent` is 100.5, outside 0 to 100",
            help: "a percentage",
        },
        Broken {
            piece: "approvers = [\"alice\"]",
            replacement: "approval = \"two\"\napprovers = [\"alice\", \"alice\"]",
            at: "[\"alice\", \"alice\"]",
            message: "`approvers` names 1, and `approval` asks for 2",
            help: "different people",
        },
        Broken {
            piece: "approvers = [\"alice\"]",
            replacement: "approvers = []",
            at: "[]",
            message: "`approvers` names 0, and `approval` asks for 1",
            help: "another `approval`",
        },
        Broken {
            piece: "approvers = [\"alice\"]",
            replacement: "approvers = [\"alice\"]\napproval = \"three\"",
            at: "\"three\"",
            message: "`approval` is \"three\"",
            help: "\"one\", \"two\", \"none\"",
        },
        Broken {
            piece: "approvers = [\"alice\"]",
            replacement: "approvers = [\"alice\"]\nclasses = [\"unknown\"]",
            at: "\"unknown\"",
            message: "an entry of `classes` is \"unknown\"",
            help: "\"broad_only\", \"mixed\", \"granular\"",
        },
        Broken {
            piece: "approvers = [\"alice\"]",
            replacement: "approvers = [\"alice\"]\nper_person = \"each\"",
            at: "\"each\"",
            message: "`per_person` is \"each\"",
            help: "\"one\", \"all\"",
        },
    ]);
}

#[test]
fn a_final_stage_from_the_deadline_on_is_refused() {
    let text = with("days_before = 60\nfinal = true", "days_after = 1\nfinal = true")
        .replace("min_prompts = 2", "min_prompts = 1");
    let errors = parse(&text).unwrap_err();
    let [problem] = errors.problems() else { panic!("{errors}") };
    assert!(problem.message.contains("\"final\" is final and not before the deadline"), "{errors}");
    assert!(problem.help.contains("`days_before` of 1 or more"), "{errors}");
}

#[test]
fn a_file_as_inventory_is_left_to_the_run_to_hold_back() {
    assert!(good().removal.is_some_and(|removal| removal.enabled));
}

#[test]
fn removal_is_absent_without_its_table_and_has_defaults_with_it() {
    let table = GOOD_REMOVAL;
    assert!(parse(&with(table, "")).unwrap().removal.is_none());
    let removal = parse(&with(table, "[removal]\n")).unwrap().removal.unwrap();
    assert!(!removal.enabled && !removal.covered);
    assert_eq!((removal.min_prompts, removal.max_percent), (None, None));
    assert_eq!(removal.classes, [Class::BroadOnly]);
    assert_eq!((removal.approval, removal.per_person), (Approval::One, PerPerson::One));
    assert_eq!(
        (removal.max_failed_percent, removal.min_returned_percent, removal.max_drift_percent),
        (10.0, 10.0, 10.0)
    );
    assert_eq!(
        (removal.plan_valid_days, removal.wait_days, removal.max_inventory_age_minutes),
        (7, 7, 15)
    );
}

const GOOD_REMOVAL: &str = "[removal]
enabled = true
opens_days_before = 30
min_prompts = 2
min_notice_days = 21
approvers = [\"alice\"]
max_per_run = 50
max_per_day = 200
max_percent = 5
";
