//! The progress event is the last log line of every run, whole, however the run ends; and
//! the plan document has the shape that programs rely on.

use serde_json::Value;

use crate::support::place::Place;
use crate::support::said::PROGRESS_FIELDS;

const DRY: [&str; 4] = ["run-once", "--dry-run", "--format", "json"];

fn at(time: &str) -> Vec<&str> {
    [&DRY[..], &["--at", time]].concat()
}

#[test]
fn it_is_last_and_whole_whatever_the_exit_code() {
    let cases = [
        (0, "\"examples/connections.csv\"", "\"examples/connections.csv\""),
        (1, "\"examples/connections.csv\"", "\"nowhere.csv\""),
        (1, "sqlite://worker.db", "sqlite://tmp"),
        (2, "# email = \"user_email\"", "tenant_id = \"org\""),
        (4, "floor = 500", "floor = 5000"),
    ];
    for (code, from, to) in cases {
        let place = Place::new(&[(from, to)]);
        for arguments in [&["run-once", "--format", "json"][..], &DRY] {
            let said = place.worker(arguments);
            assert_eq!(said.code, Some(code), "{said}");
            let progress = said.progress();
            let known = if code == 0 { Value::from(1171) } else { Value::Null };
            assert_eq!(progress["connections"], known, "{said}");
            for unknown in ["on_track", "projected_ready_percent"] {
                assert!(progress[unknown].is_null(), "{unknown}");
            }
            // As far as the database can be opened; of the dry run, what the real one left.
            let is_recorded = progress["audit_head"].is_string();
            assert!(is_recorded || ![0, 4].contains(&code), "{said}");
            assert_eq!(progress["prompts_sent"], 0);
            let plan = said.json();
            let names: Vec<&String> = plan["progress"].as_object().unwrap().keys().collect();
            assert_eq!(names, PROGRESS_FIELDS, "{said}");
            for field in PROGRESS_FIELDS {
                assert_eq!(plan["progress"][field], progress[field], "{field}");
            }
        }
    }
}

#[test]
fn no_level_and_no_format_of_logs_hides_it() {
    let place = Place::new(&[]);
    for level in ["error", "trace", "worker=warn", ""] {
        let mut command = place.command(&["run-once", "--dry-run"]);
        command.env("WORKER_LOG_LEVEL", level);
        let said = crate::support::said::Said::by(command);
        assert_eq!(said.progress()["connections"], 1171, "{level}");
    }
    let text = place.done(&["run-once", "--dry-run", "--log", "text"]);
    let last = text.err.lines().last().unwrap();
    assert!(last.contains(" INFO progress report run_id="), "{last}");
    assert!(last.contains(" connections=1171 ") && last.contains(" audit_head=null "), "{last}");
}

#[test]
fn every_job_has_a_run_a_progress_event_and_a_document_of_its_own() {
    let jobs = "[[jobs]]\nname = \"count\"\nsteps = [\"scan\", \"report\"]\n\
                schedule = \"5 * * * *\"\ntime_zone = \"UTC\"\n\n[[jobs]]\nname = \"campaign\"";
    let place = Place::new(&[("[[jobs]]\nname = \"campaign\"", jobs)]);
    let said = place.done(&["run-once", "--format", "json"]);
    let documents: Vec<Value> =
        said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<Value> =
        said.events().into_iter().filter(|event| event["message"] == "progress report").collect();
    assert_eq!((documents.len(), events.len()), (2, 2));
    for (number, job) in ["count", "campaign"].into_iter().enumerate() {
        assert_eq!(documents[number]["progress"]["job"], job);
        assert_eq!(documents[number]["progress"]["run_id"], events[number]["run_id"]);
    }
    assert_ne!(events[0]["run_id"], events[1]["run_id"]);
    let one = place.done(&["run-once", "--job", "count", "--format", "json"]);
    assert_eq!(one.json()["progress"]["job"], "count");
    // It has no step that could be blocked.
    assert_eq!(one.json()["blocked_by"], serde_json::json!([]));
}

#[test]
fn the_counts_add_up() {
    let progress = Place::new(&[]).done(&DRY).progress();
    let count = |name: &str| progress[name].as_u64().unwrap();
    let classes = ["broad_only", "mixed", "granular", "unaffected", "unknown"];
    assert_eq!(classes.map(count).iter().sum::<u64>(), count("connections"));
    let standing = ["ready", "awaiting", "unaffected", "unknown"];
    assert_eq!(standing.map(count).iter().sum::<u64>(), count("connections"));
    for part in ["exempt", "covered", "manual", "unreachable"] {
        assert!(count(part) <= count("awaiting"), "{part}");
    }
    assert!(count("token_behind") <= count("ready"));
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let percent = 100.0 * count("ready") as f64 / (count("ready") + count("awaiting")) as f64;
    assert!((progress["ready_percent"].as_f64().unwrap() - percent).abs() <= 0.05);
}

#[test]
fn the_clock_decides_what_is_planned_and_the_facts_stay() {
    let place = Place::new(&[]);
    place.done(&["run-once"]);
    let plan = |time: &str| place.done(&at(time)).json();
    let before = plan("2026-11-30");
    let invited = plan("2026-12-17T01:00:00Z");
    let noticed = plan("2027-07-20T03:00:00Z");
    let after = plan("2027-10-04T03:00:00Z");
    let stages = |plan: &Value| {
        let prompts = plan["prompts"].as_array().unwrap();
        let mut stages: Vec<&str> =
            prompts.iter().map(|prompt| prompt["stage"].as_str().unwrap()).collect();
        stages.dedup();
        stages.join(" ")
    };
    assert_eq!(stages(&before), "");
    assert_eq!(stages(&invited), "invitation");
    assert_eq!(stages(&noticed), "final-notice");
    assert_eq!(stages(&after), "stopped");
    assert_eq!(noticed["progress"]["days_to_deadline"], 54);
    assert!(after["progress"]["days_to_deadline"].as_i64().unwrap() < 0);
    for plan in [&before, &invited, &after] {
        for fact in ["connections", "broad_only", "ready", "awaiting", "unreachable"] {
            assert_eq!(plan["progress"][fact], noticed["progress"][fact], "{fact}");
        }
    }
}

#[test]
fn a_plan_says_of_each_entry_what_the_contract_promises() {
    let place = Place::new(&[]);
    place.done(&["run-once"]);
    let plan = place.done(&at("2027-07-20T03:00:00Z")).json();
    let names: Vec<&String> = plan.as_object().unwrap().keys().collect();
    assert_eq!(names, ["progress", "blocked_by", "prompts", "removals", "held_back"]);

    let list = |name: &str| plan[name].as_array().unwrap().clone();
    for gate in list("blocked_by") {
        assert!(["prompt", "remove"].contains(&gate["step"].as_str().unwrap()), "{gate}");
        assert!(gate["code"].is_string() && gate["text"].is_string(), "{gate}");
    }
    let count = |name: &str| plan["progress"][name].as_u64().unwrap() as usize;
    assert_eq!(list("prompts").len(), count("prompts_planned"));
    assert_eq!(list("removals").len(), count("removals_planned"));
    assert_eq!(list("held_back").len(), count("held_back"));
    for prompt in list("prompts") {
        assert_eq!(prompt["stage"], "final-notice");
        assert!(["email", "webhook:product"].contains(&prompt["channel"].as_str().unwrap()));
        assert!(!prompt["connections"].as_array().unwrap().is_empty());
        // A pseudonym: standard output is no terminal.
        assert!(prompt["recipient"].as_str().unwrap().starts_with("p-"), "{prompt}");
        assert!(prompt["reason"].is_string() && prompt.get("message_sha256").is_some());
    }
    let mut codes = std::collections::BTreeSet::new();
    for held in list("held_back") {
        assert!(held.get("connection_id").is_some(), "{held}");
        assert!(["prompt", "remove"].contains(&held["action"].as_str().unwrap()), "{held}");
        for reason in held["reasons"].as_array().unwrap() {
            codes.insert(reason["code"].as_str().unwrap().to_owned());
            assert!(reason["text"].is_string());
        }
    }
    assert!(codes.contains("ramp") && codes.contains("manual"), "{codes:?}");

    let shown = [&at("2027-07-20T03:00:00Z")[..], &["--show-addresses"]].concat();
    let shown = place.done(&shown).json();
    let addresses = shown["prompts"].as_array().unwrap().iter();
    let with_at = addresses.filter(|prompt| prompt["recipient"].as_str().unwrap().contains('@'));
    assert!(with_at.count() > 10);
}

#[test]
fn removals_are_planned_near_the_deadline_and_held_back_until_people_were_told() {
    let place = Place::new(&[("[removal]\nenabled = false", "[removal]\nenabled = true")]);
    place.done(&["run-once"]);
    let plan = place.worker(&at("2027-09-01T03:00:00Z")).json();
    assert_eq!(plan["removals"], serde_json::json!([]));
    let held = plan["held_back"].as_array().unwrap();
    let removals: Vec<&Value> = held.iter().filter(|held| held["action"] == "remove").collect();
    assert!(removals.len() > 100, "{}", removals.len());
    for held in removals {
        assert!(held["connection_id"].is_string() || held["connection_id"].is_null());
        assert!(!held["reasons"].as_array().unwrap().is_empty());
    }
}
