//! What the program said, and how it ended.

use std::process::{Child, Command};

use serde_json::Value;

/// The fields of the progress event (docs/commands.md).
pub const PROGRESS_FIELDS: [&str; 33] = [
    "run_id",
    "job",
    "dry_run",
    "connections",
    "broad_only",
    "mixed",
    "granular",
    "unaffected",
    "unknown",
    "ready",
    "awaiting",
    "exempt",
    "covered",
    "manual",
    "unreachable",
    "token_behind",
    "gone",
    "removed",
    "returned",
    "bad_rows",
    "prompts_planned",
    "prompts_sent",
    "prompts_unknown",
    "removals_planned",
    "removals_done",
    "failures",
    "held_back",
    "days_to_deadline",
    "ready_percent",
    "projected_ready_percent",
    "on_track",
    "audit_head",
    "duration_ms",
];

pub struct Said {
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {:?}\n-- out:\n{}\n-- err:\n{}", self.code, self.out, self.err)
    }
}

impl Said {
    pub fn by(mut command: Command) -> Self {
        Self::of(command.spawn().expect("the program"))
    }

    pub fn of(child: Child) -> Self {
        let output = child.wait_with_output().expect("its end");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Every line of standard error: JSON each of them, since it is no terminal.
    pub fn events(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}\n{self}"));
        self.err.lines().map(parse).collect()
    }

    /// The progress event, which must be the last line and whole.
    pub fn progress(&self) -> Value {
        let event = self.events().pop().unwrap_or_default();
        assert_eq!(event["message"], "progress report", "{self}");
        for field in PROGRESS_FIELDS {
            assert!(event.get(field).is_some(), "{field} is missing: {event}");
        }
        event
    }

    /// The one line of JSON on standard output.
    pub fn json(&self) -> Value {
        let lines: Vec<&str> = self.out.lines().collect();
        assert_eq!(lines.len(), 1, "{self}");
        serde_json::from_str(lines[0]).unwrap_or_else(|_| panic!("{self}"))
    }

    /// The message and the remedy of the last error.
    pub fn complaint(&self) -> (String, String) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match self.events().iter().rev().find(|event| event["level"] == "ERROR") {
            Some(event) => (text(&event["message"]), text(&event["remedy"])),
            None => panic!("no complaint: {self}"),
        }
    }

    /// It ended so, and its last error and remedy hold these words.
    pub fn complains(&self, code: i32, message: &str, remedy: &str) {
        assert_eq!(self.code, Some(code), "{self}");
        let (said_message, said_remedy) = self.complaint();
        assert!(said_message.contains(message), "no {message:?} in {said_message:?}: {self}");
        assert!(said_remedy.contains(remedy), "no {remedy:?} in {said_remedy:?}: {self}");
    }
}

/// What two runs over the same facts have in common, at any time.
pub fn counts(progress: &Value) -> Value {
    let mut counts = serde_json::Map::new();
    for field in PROGRESS_FIELDS {
        if !["run_id", "job", "dry_run", "days_to_deadline", "audit_head", "duration_ms"]
            .contains(&field)
        {
            counts.insert(field.to_owned(), progress[field].clone());
        }
    }
    Value::Object(counts)
}
