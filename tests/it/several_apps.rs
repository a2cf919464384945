//! Several apps: a configuration and a state each, and one report that adds them up.

use std::fs;

use crate::support::pg::Pg;
use crate::support::place::Place;

/// The configuration of a second app beside the place's own, in another database.
fn second_app(place: &Place, ours: &str, theirs: &str) {
    let toml = fs::read_to_string(place.path("jobs.toml")).unwrap();
    let other = toml
        .replace("\"Acme Books\"", "\"Acme, \\\"Books\\\" & <Sons>\"")
        .replace("0123456789ABCDEF0123456789ABCDEF", "FEDCBA9876543210FEDCBA9876543210")
        .replace(ours, theirs);
    assert!(toml.contains(ours));
    place.write("other.toml", &other);
}

const BOTH: [&str; 5] = ["--config", "jobs.toml", "--config", "other.toml", "report"];

#[test]
fn several_apps_add_up_in_every_form_and_none_is_counted_twice() {
    let place = Place::new(&[]);
    second_app(&place, "sqlite://worker.db", "sqlite://other.db");
    let all = |more: &[&str]| place.worker(&[&BOTH[..], more].concat());

    let early = all(&[]);
    assert_eq!(early.code, Some(1), "{early}");
    place.done(&["run-once"]);
    place.done(&["--config", "other.toml", "run-once"]);

    let report = all(&["--format", "json"]).json();
    assert_eq!(report["total"]["apps"], 2);
    let of = |at: usize, what: &str| report["apps"][at]["standing"][what].as_u64().unwrap();
    let total = |what: &str| of(0, what) + of(1, what);
    for what in ["connections", "broad_only", "unknown", "ready", "awaiting", "unreachable"] {
        assert!(of(0, what) > 0, "{what}");
        assert_eq!(report["total"][what], total(what), "{what}: {report}");
    }
    // The second app's client id is not that of the tokens: fewer of its grants are known.
    assert_ne!(of(0, "ready"), of(1, "ready"));
    let share = 100.0 * total("ready") as f64 / (total("ready") + total("awaiting")) as f64;
    let percent = report["total"]["ready_percent"].as_f64().unwrap();
    assert!((percent - share).abs() < 0.051, "{percent} {share}");
    assert_eq!(report["apps"][0]["client_id"], "0123456789ABCDEF0123456789ABCDEF");
    assert_eq!(report["apps"][1]["client_id"], "FEDCBA9876543210FEDCBA9876543210");

    let text = all(&[]).out;
    let total = text.lines().find(|line| line.starts_with("all")).expect("a line of the sums");
    assert!(total.contains("2342") && total.ends_with(&format!("{percent:.1}")), "{text}");
    let csv = all(&["--format", "csv"]).out;
    assert!(csv.starts_with("app,day,kind,connections"), "{csv}");
    let sons = "\"Acme, \"\"Books\"\" & <Sons>\",";
    assert_eq!(csv.lines().filter(|line| line.starts_with(sons)).count(), 1, "{csv}");
    place.done(&[&BOTH[..], &["--out", "both.html"]].concat());
    let page = fs::read_to_string(place.path("both.html")).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains("2,342"), "{page}");
    assert!(page.contains("&lt;Sons&gt;") && !page.contains("<Sons>"), "{page}");

    let twice = place.worker(&["--config", "jobs.toml", "--config", "jobs.toml", "report"]);
    assert_eq!(twice.code, Some(2), "{twice}");
    assert!(twice.err.contains("counted twice"), "{twice}");
    let status = place.worker(&["--config", "jobs.toml", "--config", "other.toml", "status"]);
    assert_eq!(status.code, Some(2), "{status}");
    assert!(status.err.contains("only `worker report` adds several up"), "{status}");
}

#[tokio::test]
async fn two_apps_share_a_postgres_database_with_a_schema_each() {
    let pg = Pg::new().await;
    pg.execute("CREATE SCHEMA nz; CREATE SCHEMA au").await;
    let url = |schema: &str| format!("{}&options[search_path]={schema}", pg.url());
    let place = Place::new(&[("\"sqlite://worker.db\"", &format!("{:?}", url("nz")))]);
    second_app(&place, "[search_path]=nz", "[search_path]=au");
    place.done(&["run-once"]);
    place.done(&["--config", "other.toml", "run-once"]);
    place.done(&["--config", "other.toml", "pause", "--reason", "a look", "--by", "ann"]);

    let report = place.done(&[&BOTH[..], &["--format", "json"]].concat()).json();
    assert_eq!(report["total"]["connections"], 2 * 1171, "{report}");
    let paused = |config: &str| {
        place.done(&["--config", config, "status", "--format", "json"]).json()["paused"].clone()
    };
    assert!(paused("jobs.toml").is_null(), "what is said to one app holds for that one");
    assert_eq!(paused("other.toml")["by"], "ann");
}
