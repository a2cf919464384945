//! The progress report, from outside: every form, at every stage of a campaign's life.

use std::fs;

use serde_json::Value;

use crate::support::course::Course;
use crate::support::line::lines;
use crate::support::place::Place;
use crate::support::sending::{BASES, Sending};
use crate::support::world::World;

/// The deadline so many days from now.
fn deadline(days: i64) -> String {
    use worker::clock::Clock;
    let day = worker::clock::SystemClock.now().date_naive() + chrono::TimeDelta::days(days);
    format!("deadline = {day} ")
}

fn place(days: i64) -> Place {
    Place::new(&[
        ("deadline = 2027-09-13 ", &deadline(days)),
        ("enabled = false\nmax_per_run", "enabled = true\nmax_per_run"),
    ])
}

fn json(place: &Place, arguments: &[&str]) -> Value {
    place.done(&[&["report", "--format", "json"], arguments].concat()).json()
}

#[test]
fn without_a_database_it_says_what_to_do_first() {
    let place = Place::new(&[]);
    let said = place.worker(&["report"]);
    assert_eq!(said.code, Some(1), "{said}");
    assert!(said.err.contains("run `worker run-once` first"), "{said}");
}

#[test]
fn after_a_first_run_it_is_too_early_for_a_forecast_in_every_form() {
    let place = Place::new(&[]);
    place.done(&["run-once"]);
    let report = json(&place, &[]);
    assert_eq!(report["outlook"]["state"], "too_early", "{report}");
    assert!(report["standing"]["projected_ready_percent"].is_null());
    assert!(report["standing"]["on_track"].is_null(), "{}", report["fits"]);
    assert_eq!(report["standing"]["ready"], 211);
    assert_eq!(report["days"].as_array().map(Vec::len), Some(1));
    assert!(report["tenants"]["concerned"].as_u64() > Some(900), "{}", report["tenants"]);
    let text = place.done(&["report"]).out;
    assert!(text.contains("Forecast: too early to say: there are 0 days of history"), "{text}");
    let csv = place.done(&["report", "--format", "csv"]).out;
    let lines: Vec<&str> = csv.lines().collect();
    assert!(lines[0].starts_with("day,kind,connections,broad_only"), "{csv}");
    assert!(lines[1].contains(",counted,1171,759,187,86,84,55,211,821,"), "{csv}");
    assert_eq!(lines.len(), 2);
    let html = place.done(&["report", "--format", "html"]).out;
    assert!(html.starts_with("<!doctype html>") && html.contains("20.4% ready"), "{html}");
}

#[test]
fn names_and_addresses_are_shown_only_to_whoever_asks() {
    let place = Place::new(&[]);
    place.done(&["run-once"]);
    place.done(&["suppress", "add", "jo.silenced@books.example"]);
    for form in ["text", "json", "html"] {
        let said = place.done(&["report", "--format", form]).out;
        assert!(!said.contains('@') || form == "html" && !said.contains("books.example"), "{said}");
        let shown = place.done(&["report", "--format", form, "--show-addresses"]).out;
        assert!(shown.contains("jo.silenced@books.example"), "{shown}");
    }
}

#[test]
fn a_file_is_written_whole_or_not_at_all() {
    let place = Place::new(&[]);
    place.done(&["run-once"]);
    place.done(&["report", "--out", "report.html"]);
    let page = fs::read_to_string(place.path("report.html")).unwrap();
    assert!(page.trim_end().ends_with("</html>"));
    place.done(&["report", "--out", "report.json"]);
    let document: Value =
        serde_json::from_slice(&fs::read(place.path("report.json")).unwrap()).unwrap();
    assert_eq!(document["standing"]["ready"], 211);
    let before = place.contents();
    let missing = place.worker(&["report", "--out", "nowhere/report.html"]);
    assert_eq!(missing.code, Some(1), "{missing}");
    assert!(missing.err.contains("make its folder"), "{missing}");
    let full = place.worker(&["report", "--out", "/dev/full"]);
    assert_eq!(full.code, Some(1), "{full}");
    assert!(full.err.contains("make room on the disk"), "{full}");
    assert_eq!(place.contents().keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
}

#[test]
fn a_job_publishes_its_report() {
    let place = Place::new(&[("# report = \"report.html\"", "report = \"published.html\"")]);
    place.done(&["run-once", "--dry-run"]);
    assert!(!place.path("published.html").exists(), "a dry run writes nothing");
    place.done(&["run-once"]);
    let page = fs::read_to_string(place.path("published.html")).unwrap();
    assert!(page.contains("20.4% ready") && !page.contains("@books"), "{page}");
    place.configure(&[("# report = \"report.html\"", "report = \"nowhere/published.html\"")]);
    let said = place.worker(&["run-once"]);
    assert_eq!(said.code, Some(1), "{said}");
    assert!(said.err.contains("make its folder"), "{said}");
    assert_eq!(said.progress()["ready"], 211, "the run itself is whole: {said}");
}

#[test]
fn a_change_that_cannot_be_tried_is_a_usage_error() {
    let place = Place::new(&[]);
    let said = place.worker(&["report", "--what-if", "max_per_day=many"]);
    assert_eq!(said.code, Some(2), "{said}");
    assert!(said.err.contains("stage.NAME=DAYS_BEFORE"), "{said}");
}

#[tokio::test]
async fn a_campaign_under_way_is_foreseen_and_other_ways_are_tried() {
    let place = place(100);
    let world = World::of(&place).await;
    world.prepare().await;
    let toml = fs::read_to_string(place.path("jobs.toml")).unwrap();
    let course =
        Course { people: 400, days: 30, follows: 0.1, organic: 0.001, per_day: 120, bounces: 0.01 };
    course.play(&world, &toml).await;
    world.store.close().await;
    let report = json(&place, &["--what-if", "stage.nudge=75", "--what-if", "max_per_day=0"]);
    assert_eq!(report["outlook"]["state"], "projected", "{}", report["outlook"]);
    let percent = &report["outlook"]["ready_percent"];
    let now = report["standing"]["ready_percent"].as_f64().unwrap();
    let [low, high] = ["low", "high"].map(|end| percent[end].as_f64().unwrap());
    assert!(now <= low && low < high && high <= 100.0, "{now} {percent}");
    assert_eq!(report["standing"]["projected_ready_percent"], percent["middle"]);
    let tried = report["what_if"].as_array().unwrap();
    let middle = |it: &Value| it["outlook"]["ready_percent"]["middle"].as_f64().unwrap();
    assert!(middle(&tried[0]) > middle(&tried[1]), "{tried:?}");
    assert!(!tried[1]["too_late"].as_array().unwrap().is_empty(), "{tried:?}");
    let told: u64 = report["funnel"]["stages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stage| stage["told"].as_u64().unwrap())
        .sum();
    assert!(told > 200, "{}", report["funnel"]);
    assert!(report["changes"]["by"].as_array().is_some_and(|by| !by.is_empty()));
    // The end of a run says the same.
    let said = place.worker(&["run-once", "--dry-run", "--format", "json"]);
    assert!(said.progress().get("on_track").is_some(), "{said}");
}

#[tokio::test]
async fn a_stage_passes_over_its_share_and_the_ledger_knows_whom() {
    for base in BASES {
        let sending = Sending::new(base, &lines(1..=40)).await;
        let edit =
            ("template = \"reminder\"\n", "template = \"reminder\"\nhold_back_percent = 50\n");
        sending.configure(&[edit]);
        sending.prepare();
        let plan = sending.run();
        assert_eq!(plan.code, Some(0), "{plan}");
        let sent = plan.progress()["prompts_sent"].as_u64().unwrap();
        let held = held(&sending).await;
        assert!((8..=32).contains(&sent), "{sent}");
        assert_eq!(sent + held.len() as u64, 40);
        assert!(plan.out.contains("\"hold_back\""), "{plan}");
        // The next run passes over the very same, and nobody else is told.
        assert_eq!(sending.ran(0)["prompts_sent"], 0);
        assert_eq!(self::held(&sending).await, held, "{base:?}");
        // At a stage that holds nobody back everyone is told.
        sending.configure(&[edit, ("hold_back_percent = 50", "hold_back_percent = 0")]);
        assert_eq!(sending.ran(0)["prompts_sent"], held.len());
    }
}

async fn held(sending: &Sending) -> Vec<String> {
    let key = match sending.pg {
        Some(_) => "connection_key::text",
        None => "hex(connection_key)",
    };
    let mut held = sending.texts(&format!("SELECT {key} FROM hold_backs")).await;
    held.sort();
    held
}

/// With `PICTURES` naming a folder the pages stay there: those of docs/report.md are from it.
#[tokio::test]
async fn the_page_of_a_campaign_half_way_late_and_done_says_so() {
    let kept = std::env::var_os("PICTURES").map(std::path::PathBuf::from);
    let half_way = Course {
        people: 1200,
        days: 150,
        follows: 0.06,
        organic: 0.0012,
        per_day: 250,
        bounces: 0.015,
    };
    let late = Course {
        people: 1200,
        days: 95,
        follows: 0.012,
        organic: 0.0004,
        per_day: 12,
        bounces: 0.02,
    };
    let done = Course {
        people: 1200,
        days: 290,
        follows: 0.11,
        organic: 0.0015,
        per_day: 250,
        bounces: 0.01,
    };
    for (name, course, days, cap, says) in [
        ("half-way", half_way, 130, "max_per_day = 250", "Ready at the deadline"),
        ("late", late, 70, "max_per_day = 12", "Not on track"),
        ("done", done, -6, "max_per_day = 250", "the deadline has passed"),
    ] {
        let place = place(days);
        let toml = fs::read_to_string(place.path("jobs.toml")).unwrap();
        let toml =
            toml.replace("max_per_day = 1000", cap).replace("ramp = [25, 250, 1000]", "ramp = []");
        place.write("jobs.toml", &toml);
        let world = World::of(&place).await;
        world.prepare().await;
        course.play(&world, &toml).await;
        world.store.close().await;
        let page = place.path(&format!("{name}.html"));
        let more = ["--what-if", "stage.one-more=30", "--what-if", "max_per_day=500"];
        let mut arguments = vec!["report", "--out", page.to_str().unwrap()];
        arguments.extend(if days > 0 { &more[..] } else { &[] });
        place.done(&arguments);
        let text = fs::read_to_string(&page).unwrap();
        assert!(text.contains(says), "{name}: {text}");
        if let Some(folder) = &kept {
            fs::copy(&page, folder.join(format!("{name}.html"))).unwrap();
        }
    }
}
