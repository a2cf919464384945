//! A worker that is killed, by whoever knows the right moment.

use std::io::Read;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// A place for one worker at a time, shared with the servers that it talks to.
#[derive(Clone, Default)]
pub struct Victim(Arc<Mutex<Option<Child>>>);

impl Victim {
    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.0.lock().expect("nobody panics while killing")
    }

    /// SIGKILL, if it is there and still runs.
    pub fn kill(&self) {
        if let Some(child) = self.child().as_mut() {
            let _ = child.kill();
        }
    }

    /// Runs until it ends or is killed; tells what it said on standard error, and whether it
    /// was killed. What it says is given to `hear` as it comes, so that somebody can kill it
    /// for that.
    pub fn run(&self, mut command: Command, mut hear: impl FnMut(&str)) -> (ExitStatus, String) {
        let mut stderr = {
            // Held from before it starts: whoever wants to kill it finds it here.
            let mut place = self.child();
            let child = command.stdout(std::process::Stdio::null()).spawn().expect("the program");
            place.insert(child).stderr.take().expect("a pipe")
        };
        let mut text = Vec::new();
        let mut part = [0; 4096];
        while let Ok(read) = stderr.read(&mut part)
            && read > 0
        {
            text.extend_from_slice(&part[..read]);
            hear(&String::from_utf8_lossy(&text));
        }
        let mut child = self.child().take().expect("the one that was started");
        let status = child.wait().expect("its end");
        (status, String::from_utf8_lossy(&text).into_owned())
    }

    /// Runs, and is killed after so long unless it has ended by then.
    pub fn run_for(&self, command: Command, limit: Duration) -> ExitStatus {
        let (ended, end) = std::sync::mpsc::channel::<()>();
        let victim = self.clone();
        let killer = std::thread::spawn(move || {
            if end.recv_timeout(limit).is_err() {
                victim.kill();
            }
        });
        let (status, _) = self.run(command, |_| {});
        let _ = ended.send(());
        killer.join().expect("the killer's end");
        status
    }
}
