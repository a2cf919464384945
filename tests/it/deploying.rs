//! What is shipped to run the worker with. No container engine is at hand here, so the
//! files are read, and what they say is compared with the program.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde_yaml_ng::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn documents(name: &str) -> Vec<Value> {
    let text = read(name);
    let documents = serde_yaml_ng::Deserializer::from_str(&text);
    documents.map(|one| Value::deserialize(one).unwrap_or_else(|e| panic!("{name}: {e}"))).collect()
}

/// The instructions of the Dockerfile, each on a line of its own.
fn instructions() -> Vec<(String, String)> {
    let text = read("Dockerfile").replace("\\\n", " ");
    let lines =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (word, rest) = line.split_once(' ').expect(line);
            (word.to_owned(), rest.split_whitespace().collect::<Vec<_>>().join(" "))
        })
        .collect()
}

/// What is copied from the clone into the image that builds.
fn copied() -> Vec<String> {
    let mut copied = Vec::new();
    for (word, rest) in instructions() {
        if word == "COPY" && !rest.starts_with("--from") {
            let paths: Vec<&str> = rest.split(' ').collect();
            let (_, sources) = paths.split_last().expect("a target");
            copied.extend(sources.iter().map(|source| (*source).to_owned()));
        }
    }
    copied
}

fn is_below(path: &str, place: &str) -> bool {
    path == place || path.starts_with(&format!("{place}/"))
}

#[test]
fn the_image_is_built_from_what_is_there_and_let_through() {
    let ignored = read(".dockerignore");
    let let_through: BTreeSet<&str> =
        ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    assert!(ignored.lines().any(|line| line == "*"), "all that is not named is left out");
    let copied = copied();
    assert!(copied.len() > 7, "{copied:?}");
    for source in &copied {
        assert!(root().join(source).exists(), "{source}");
        assert!(let_through.contains(&**source), ".dockerignore keeps {source} out");
    }
    assert_eq!(let_through.len(), copied.len());
}

/// Every file of the sources that is compiled.
fn sources(place: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(place).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true if !path.ends_with("tests") => found.extend(sources(&path)),
            false if path.extension().is_some_and(|it| it == "rs") => found.push(path),
            _ => {}
        }
    }
    found
}

#[test]
fn whatever_is_compiled_in_is_copied_into_the_image() {
    let copied = copied();
    let mut found = 0;
    let tests = |path: &Path| {
        path.ends_with("tests.rs") || path.components().any(|part| part.as_os_str() == "tests")
    };
    for path in sources(&root().join("src")).into_iter().filter(|path| !tests(path)) {
        let text = std::fs::read_to_string(&path).expect("a source");
        let text = &text[..text.find("#[cfg(test)]").unwrap_or(text.len())];
        for start in ["include_str!(\"", "include_bytes!(\"", "sqlx::migrate!(\""] {
            for (at, _) in text.match_indices(start) {
                let name = text[at + start.len()..].split('"').next().expect("its end");
                let base = if start.starts_with("sqlx") { root() } else { path.parent().unwrap() };
                let file = base.join(name).canonicalize().expect(name);
                let file = file.strip_prefix(root()).expect("of the clone").to_str().unwrap();
                found += 1;
                assert!(copied.iter().any(|place| is_below(file, place)), "{file} is not copied");
            }
        }
    }
    assert!(found > 4, "{found}");
}

#[test]
fn the_dependencies_are_built_from_a_manifest_whose_targets_are_all_there() {
    let instructions = instructions();
    let at = |what: &str| {
        let found = instructions.iter().position(|(word, rest)| word != "#" && rest.contains(what));
        found.unwrap_or_else(|| panic!("no {what}"))
    };
    assert!(at("Cargo.toml Cargo.lock") < at("cargo build") && at("cargo build") < at("src src"));
    let made = &instructions[at("for target in")].1;
    let manifest: toml::Table = read("Cargo.toml").parse().expect("TOML");
    for (kind, folder) in [("bench", "benches"), ("example", "examples")] {
        for target in manifest[kind].as_array().expect("a list") {
            let path = format!("{folder}/{}", target["name"].as_str().expect("a name"));
            assert!(made.contains(&path), "{path}");
        }
    }
    assert!(read("Cargo.toml").contains("rust-version = \"1.95\""));
    assert!(read("Dockerfile").contains("/rust:1.95-"), "the version that Cargo.toml asks for");
}

#[test]
fn the_image_runs_the_scheduler_as_nobody_with_a_check_that_needs_no_shell() {
    let last = |word: &str| {
        let all = instructions();
        let found = all.into_iter().rfind(|(it, _)| it == word).unwrap_or_else(|| panic!("{word}"));
        found.1
    };
    assert_eq!(last("ENTRYPOINT"), "[\"/usr/local/bin/worker\"]");
    assert_eq!(last("CMD"), "[\"run\"]");
    assert!(last("HEALTHCHECK").ends_with("CMD [\"/usr/local/bin/worker\", \"healthcheck\"]"));
    assert_eq!(last("VOLUME"), "[\"/data\"]");
    assert_eq!(last("WORKDIR"), "/data");
    let user = last("USER");
    assert!(user.split(':').all(|id| id.parse::<u32>().is_ok_and(|id| id > 0)), "{user}");
    assert!(last("FROM").contains(":nonroot"));
}

/// Every mapping in a document, with where it is.
fn walk<'a>(value: &'a Value, path: &str, see: &mut dyn FnMut(&str, &'a Value)) {
    see(path, value);
    match value {
        Value::Mapping(entries) => {
            for (key, inner) in entries {
                walk(inner, &format!("{path}/{}", key.as_str().unwrap_or_default()), see);
            }
        }
        Value::Sequence(entries) => entries.iter().for_each(|inner| walk(inner, path, see)),
        _ => {}
    }
}

fn all<'a>(documents: &'a [Value], ending: &str) -> Vec<&'a Value> {
    let mut found = Vec::new();
    for document in documents {
        walk(document, "", &mut |path, value| {
            if path.ends_with(ending) {
                found.push(value);
            }
        });
    }
    found
}

#[test]
fn the_files_for_kubernetes_are_restricted_and_never_retry() {
    for name in ["deploy/kubernetes-cronjob.yml", "deploy/kubernetes-deployment.yml"] {
        let documents = documents(name);
        let yes = [&Value::Bool(true)];
        assert_eq!(all(&documents, "/securityContext/readOnlyRootFilesystem"), yes, "{name}");
        assert_eq!(all(&documents, "/securityContext/runAsNonRoot"), yes, "{name}");
        assert_eq!(
            all(&documents, "/securityContext/allowPrivilegeEscalation"),
            [&Value::Bool(false)]
        );
        assert_eq!(all(&documents, "/resources/limits/memory"), ["128Mi"], "{name}");
        let grace = all(&documents, "/terminationGracePeriodSeconds")[0].as_u64().unwrap();
        assert!(grace > 25, "{name}: more than the worker takes");
        // Volumes that are mounted are there.
        let names = |ending: &str| -> BTreeSet<String> {
            let named = all(&documents, ending).into_iter();
            named.map(|name| name.as_str().expect("text").to_owned()).collect()
        };
        assert_eq!(names("/volumeMounts/name"), names("/volumes/name"), "{name}");
    }
    let cron = documents("deploy/kubernetes-cronjob.yml");
    assert_eq!(all(&cron, "/spec/concurrencyPolicy"), ["Forbid"]);
    assert_eq!(all(&cron, "/spec/backoffLimit"), [&Value::from(0)]);
    assert_eq!(all(&cron, "/spec/restartPolicy"), ["Never"]);
    let replicas = documents("deploy/kubernetes-deployment.yml");
    assert_eq!(all(&replicas, "/spec/replicas"), [&Value::from(2)]);
    let args: Vec<_> = [&cron, &replicas].map(|it| all(it, "/containers/args")).concat();
    assert_eq!(args[0][0], "run-once");
    let probes: Vec<_> = all(&replicas, "/httpGet/path");
    assert_eq!(probes, ["/healthz", "/readyz"]);
}

#[test]
fn the_compose_file_names_no_secret_that_it_does_not_define() {
    let compose = documents("deploy/compose.yml").remove(0);
    let defined: BTreeSet<&str> =
        compose["secrets"].as_mapping().unwrap().keys().filter_map(Value::as_str).collect();
    let mut used = BTreeSet::new();
    for (_, service) in compose["services"].as_mapping().unwrap() {
        used.extend(service["secrets"].as_sequence().unwrap().iter().filter_map(Value::as_str));
        assert!(service["deploy"]["resources"]["limits"]["memory"].is_string());
    }
    assert_eq!(defined, used);
    let worker = &compose["services"]["worker"];
    assert_eq!(worker["read_only"], true);
    assert_eq!(worker["command"][0], "run");
    for (name, content) in compose["secrets"].as_mapping().unwrap() {
        assert!(content["file"].is_string(), "{name:?} by file");
    }
}

/// The names of metrics that an expression has.
fn metrics(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("worker_")).map(str::to_owned).collect()
}

#[test]
fn the_alerts_ask_for_metrics_that_are_there_and_say_what_to_do() {
    let page = read("docs/metrics.md");
    let rules = documents("deploy/alerts.yml").remove(0);
    let rules = rules["groups"][0]["rules"].as_sequence().unwrap().clone();
    let mut names = BTreeSet::new();
    for rule in &rules {
        let expression = rule["expr"].as_str().unwrap();
        let found = metrics(expression);
        assert!(!found.is_empty(), "{expression}");
        for metric in found {
            let row = [format!("| `{metric}`"), format!("| `{metric}{{")];
            assert!(row.iter().any(|row| page.contains(row)), "{metric} is not documented");
        }
        assert!(["page", "ticket"].contains(&rule["labels"]["severity"].as_str().unwrap()));
        assert!(rule["annotations"]["action"].as_str().is_some_and(|text| text.len() > 20));
        names.insert(rule["alert"].as_str().unwrap().to_owned());
    }
    for wanted in [
        "NothingRanForADay",
        "BehindPlan",
        "EffectsFail",
        "OutcomesUnknown",
        "QueueAtCapacity",
        "Paused",
        "ConnectionCapNearlyReached",
    ] {
        assert!(names.contains(&format!("Worker{wanted}")), "{wanted}");
    }
    // Where Prometheus's own tool is there, it has the last word.
    if let Ok(checked) = Command::new("promtool")
        .args(["check", "rules"])
        .arg(root().join("deploy/alerts.yml"))
        .output()
    {
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }
}

#[test]
fn the_units_of_systemd_are_right() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["worker.service", "worker.timer"] {
        // The program is not installed here; its place is taken by one that is.
        let unit = read(&format!("deploy/{name}")).replace("/usr/local/bin/worker", "/bin/true");
        std::fs::write(dir.path().join(name), unit).unwrap();
    }
    let Ok(checked) = Command::new("systemd-analyze")
        .args(["verify", "--man=no", "./worker.service", "./worker.timer"])
        .current_dir(dir.path())
        .output()
    else {
        return;
    };
    let said = String::from_utf8_lossy(&checked.stderr);
    let about_us: Vec<&str> = said.lines().filter(|line| line.contains("worker.")).collect();
    assert!(about_us.is_empty(), "{said}");
}

#[test]
fn the_line_for_cron_has_five_fields_and_a_lock() {
    let text = read("deploy/crontab");
    let line = text.lines().find(|line| !line.starts_with('#')).expect("a line");
    let fields: Vec<&str> = line.split_whitespace().collect();
    worker::schedule::Schedule::parse(&fields[..5].join(" ")).expect("a schedule");
    assert_eq!(fields[5..7], ["flock", "--nonblock"]);
    assert!(line.contains("worker --config /etc/worker/jobs.toml run-once"));
}
