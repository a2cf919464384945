//! A directory to work in, with the shipped configuration changed where a test says so, and
//! the program itself, run in it as a user would.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use sha2::{Digest, Sha256};
use worker::config::{Config, Origin};

use super::said::Said;

const SHIPPED: &str = include_str!("../../../jobs.toml");

pub struct Place {
    dir: tempfile::TempDir,
}

/// What a directory holds: every file's name and what is in it, and every directory's name.
pub type Contents = BTreeMap<PathBuf, String>;

impl Place {
    /// The shipped configuration with the example inventory, by its full path, and each
    /// `(from, to)` put in its place.
    pub fn new(edits: &[(&str, &str)]) -> Self {
        let place = Self { dir: tempfile::tempdir().expect("a temporary directory") };
        std::fs::create_dir(place.temporary()).expect("a new directory");
        place.configure(edits);
        place
    }

    /// The shipped configuration with an inventory of its own, and limits that let any
    /// change through.
    pub fn with_inventory(path: &str, edits: &[(&str, &str)]) -> Self {
        let place = Self::new(&[]);
        place.configure_inventory(path, edits);
        place
    }

    pub fn configure_inventory(&self, path: &str, edits: &[(&str, &str)]) {
        let path = format!("\"{path}\"");
        let own = [
            ("\"examples/connections.csv\"", path.as_str()),
            ("floor = 500", "floor = 1"),
            ("max_change_percent = 20", "max_change_percent = 100"),
        ];
        self.configure(&[&own[..], edits].concat());
    }

    /// Writes the configuration anew.
    pub fn configure(&self, edits: &[(&str, &str)]) {
        let mut text = SHIPPED.to_owned();
        for (from, to) in edits {
            assert!(text.contains(from), "jobs.toml has no {from}");
            text = text.replacen(from, to, 1);
        }
        let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/connections.csv");
        let text = text.replace("\"examples/connections.csv\"", &format!("{example:?}"));
        self.write("jobs.toml", text);
    }

    /// The configuration, as the program reads it.
    pub fn config(&self) -> Config {
        let path = self.path("jobs.toml");
        let text = std::fs::read_to_string(&path).expect("a configuration");
        Config::parse(&text, &Origin::file(&path)).unwrap_or_else(|errors| panic!("{errors}"))
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).expect("a file of the test's own");
    }

    pub fn database(&self) -> PathBuf {
        self.path("worker.db")
    }

    /// What the program gets as TMPDIR.
    pub fn temporary(&self) -> PathBuf {
        self.path("tmp")
    }

    /// The program, about to be run here, in an environment of its own.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_worker"));
        command
            .args(arguments)
            .current_dir(self.dir())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TMPDIR", self.temporary())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the program to its end.
    pub fn worker(&self, arguments: &[&str]) -> Said {
        Said::by(self.command(arguments))
    }

    /// Runs it with something on standard input.
    pub fn worker_reading(&self, arguments: &[&str], input: &str) -> Said {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).spawn().expect("the program");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(input.as_bytes()).expect("the program reads");
        drop(stdin);
        Said::of(child)
    }

    /// Runs it, and it must have succeeded.
    pub fn done(&self, arguments: &[&str]) -> Said {
        let said = self.worker(arguments);
        assert_eq!(said.code, Some(0), "{arguments:?}: {said}");
        said
    }

    pub fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().expect("the program")
    }

    pub fn make_fifo(&self, name: &str) {
        let made = Command::new("mkfifo").arg(self.path(name)).status().expect("mkfifo");
        assert!(made.success());
    }

    /// Waits until somebody reads.
    pub fn open_fifo(&self, name: &str) -> std::fs::File {
        std::fs::File::options().write(true).open(self.path(name)).expect("the test's own fifo")
    }

    /// The counts of `status`, which are the same at any time.
    pub fn standing(&self) -> Value {
        let mut standing = self.done(&["status", "--format", "json"]).json()["standing"].take();
        standing.as_object_mut().expect("an object").remove("days_to_deadline");
        standing
    }

    pub fn contents(&self) -> Contents {
        let mut contents = Contents::new();
        read(self.dir(), self.dir(), &mut contents);
        contents
    }
}

/// SIGTERM.
pub fn terminate(child: &Child) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success());
}

fn read(root: &Path, dir: &Path, contents: &mut Contents) {
    for entry in std::fs::read_dir(dir).expect("a directory of the test's own") {
        let path = entry.expect("an entry").path();
        let name = path.strip_prefix(root).expect("it is below").to_owned();
        if path.is_dir() {
            contents.insert(name, "directory".to_owned());
            read(root, &path, contents);
        } else if path.is_file() {
            let bytes = std::fs::read(&path).expect("a file of the test's own");
            let hash: String =
                Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            contents.insert(name, format!("{} bytes, sha256 {hash}", bytes.len()));
        } else {
            contents.insert(name, "neither file nor directory".to_owned());
        }
    }
}
