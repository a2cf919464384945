//! `[[jobs]]`.

use chrono_tz::Tz;

use super::{Broken, assert_each_is_reported, good, parse, with};
use crate::config::Step;

const STEPS: &str = "steps = [\"scan\", \"report\"]";

#[test]
fn what_is_wrong_with_a_job_is_said_with_its_place() {
    assert_each_is_reported(&[
        Broken {
            piece: STEPS,
            replacement: "steps = [\"report\", \"scan\"]",
            at: "\"scan\"]",
            message: "`scan` cannot come after `report`",
            help: "keep the order",
        },
        Broken {
            piece: STEPS,
            replacement: "steps = [\"scan\", \"scan\"]",
            at: "\"scan\"]",
            message: "`scan` stands twice",
            help: "at most once",
        },
        Broken {
            piece: STEPS,
            replacement: "steps = [\"scan\", \"removal\"]",
            at: "\"removal\"]",
            message: "an entry of `steps` is \"removal\"",
            help: "write `\"remove\"`",
        },
        Broken {
            piece: STEPS,
            replacement: "steps = []",
            at: "[]",
            message: "`steps` is empty",
            help: "[\"scan\", \"prompt\", \"remove\", \"report\"]",
        },
        Broken {
            piece: STEPS,
            replacement: "",
            at: "[[jobs]]",
            message: "`steps` is missing in [[jobs]]",
            help: "write `steps = [\"scan\"",
        },
        Broken {
            piece: STEPS,
            replacement: "steps = [\"scan\"]\nschedule = \"0 9 * * 1-5\"",
            at: "\"0 9 * * 1-5\"",
            message: "`schedule`: weekdays stand as numbers in `1-5`, and programs disagree",
            help: "`mon-fri`",
        },
        Broken {
            piece: STEPS,
            replacement: "steps = [\"scan\"]\nschedule = \"0 9 13 * fri\"",
            at: "\"0 9 13 * fri\"",
            message: "a day of the month (`13`) and a weekday (`fri`) together",
            help: "put `*` in one of the two",
        },
        Broken {
            piece: STEPS,
            replacement: "steps = [\"scan\"]\nschedule = \"0 9 31 2 *\"",
            at: "\"0 9 31 2 *\"",
            message: "never fires",
            help: "a day that the month has",
        },
        Broken {
            piece: STEPS,
            replacement: "steps = [\"scan\"]\nschedule = \"hourly\"",
            at: "\"hourly\"",
            message: "five fields",
            help: "`17 * * * *`",
        },
        Broken {
            piece: STEPS,
            replacement: "steps = [\"scan\"]\ntime_zone = \"Europe/Londno\"",
            at: "\"Europe/Londno\"",
            message: "no time zone",
            help: "Europe/London",
        },
        Broken {
            piece: STEPS,
            replacement: "steps = [\"scan\"]\n[[jobs]]\nname = \"campaign\"\nsteps = [\"report\"]",
            at: "\"campaign\"\nsteps = [\"report\"]",
            message: "a second job is called \"campaign\"",
            help: "a name of its own",
        },
    ]);
}

#[test]
fn jobs_keep_the_order_of_the_file_with_their_own_clocks() {
    let text = with(
        STEPS,
        "steps = [\"scan\"]\nschedule = \"30 6 * * mon-fri\"\ntime_zone = \"Pacific/Auckland\"\n[[jobs]]\nname = \"weekly\"\nsteps = [\"report\"]",
    );
    let jobs = parse(&text).unwrap().jobs;
    assert_eq!(
        jobs[0].schedule.as_ref().map(ToString::to_string).as_deref(),
        Some("30 6 * * mon-fri")
    );
    assert_eq!((jobs[0].name.as_str(), jobs[0].zone), ("campaign", Tz::Pacific__Auckland));
    assert_eq!(
        (jobs[1].name.as_str(), jobs[1].zone, jobs[1].schedule.is_none()),
        ("weekly", Tz::UTC, true)
    );
    assert_eq!(good().jobs[0].steps, [Step::Scan, Step::Report]);
}

#[test]
fn without_jobs_there_is_one_with_every_step_for_run_once() {
    let text = with("[[jobs]]\nname = \"campaign\"\nsteps = [\"scan\", \"report\"]", "");
    let [job] = parse(&text).unwrap().jobs.try_into().unwrap();
    assert_eq!((job.name.as_str(), job.steps.as_slice()), ("campaign", &Step::ALL[..]));
    assert!(job.schedule.is_none());
}
