//! A `worker run` that stays up: what it says as it comes, what it answers, and its end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than anything takes on a busy machine.
pub const LONG: Duration = Duration::from_secs(90);

type Lines = Arc<(Mutex<Vec<Value>>, Condvar)>;

pub struct Replica {
    child: Child,
    lines: Lines,
}

impl Replica {
    pub fn start(mut command: Command) -> Self {
        let mut child =
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program");
        let stderr = child.stderr.take().expect("a pipe");
        let lines: Lines = Arc::default();
        let heard = Arc::clone(&lines);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
                heard.0.lock().expect("no panic").push(line);
                heard.1.notify_all();
            }
        });
        Self { child, lines }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn lines(&self) -> Vec<Value> {
        self.lines.0.lock().expect("no panic").clone()
    }

    /// Waits until it has said so many lines like this.
    pub fn says(&self, count: usize, is_it: impl Fn(&Value) -> bool) -> Vec<Value> {
        let deadline = Instant::now() + LONG;
        let mut lines = self.lines.0.lock().expect("no panic");
        loop {
            let found: Vec<Value> = lines.iter().filter(|line| is_it(line)).cloned().collect();
            if found.len() >= count {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "it never said that: {lines:#?}");
            lines = self.lines.1.wait_timeout(lines, left).expect("no panic").0;
        }
    }

    /// Waits for a message.
    pub fn tells(&self, part: &str) -> Value {
        let is_it = |line: &Value| line["message"].as_str().is_some_and(|m| m.contains(part));
        self.says(1, is_it).remove(0)
    }

    /// Waits for so many runs to end; gives their progress events.
    pub fn runs(&self, count: usize) -> Vec<Value> {
        self.says(count, |line| line["message"] == "progress report")
    }

    /// Asks it over HTTP: the status and the body.
    pub fn ask(&self, path: &str) -> (u16, String) {
        let address = self.tells("answering for health")["http.listen"].clone();
        let address = address.as_str().expect("an address");
        let mut stream = TcpStream::connect(address).expect("it listens");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.expect("a status"), body.to_owned())
    }

    pub fn signal(&self, name: &str) {
        signal(name, self.pid());
    }

    /// Waits for its end: its exit code, or `None` when a signal ended it.
    pub fn ends(&mut self) -> Option<i32> {
        let deadline = Instant::now() + LONG;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().expect("its state") {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("it does not end: {:#?}", self.lines());
    }

    /// SIGTERM, and its exit code.
    pub fn stops(&mut self) -> Option<i32> {
        self.signal("-TERM");
        self.ends()
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.kill();
    }
}

pub fn signal(name: &str, pid: u32) {
    let pid = pid.to_string();
    assert!(Command::new("kill").args([name, &pid]).status().expect("kill").success());
}
