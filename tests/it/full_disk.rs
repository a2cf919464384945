//! A file system without room, in the middle of everything: the run says so and ends, nothing
//! that was recorded is lost, and nobody is told twice.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use crate::support::line::lines;
use crate::support::said::Said;
use crate::support::sending::{Base, Sending};

const PEOPLE: usize = 300;

/// In a mount namespace of its own: a small file system for the database, all of which but
/// `$LEFT` KiB something else takes; and room again at the end.
const SCRIPT: &str = r#"
set -eu
mkdir disk
mount -t tmpfs -o size=16m tmpfs disk
cp worker.db disk/
export WORKER_DATABASE_URL=sqlite://disk/worker.db
"$WORKER" confirm database --by ann --note moved >/dev/null 2>&1
head -c 32M /dev/zero >disk/other 2>/dev/null || true
truncate -s "-${LEFT}K" disk/other
code=0
"$WORKER" run-once || code=$?
rm disk/other
cp disk/worker.db* .
exit "$code"
"#;

fn without_room(sending: &Sending, left: u32) -> Said {
    let usual = sending.command(&[]);
    let mut command = Command::new("unshare");
    command
        .args(["--map-root-user", "--mount", "bash", "-c", SCRIPT])
        .current_dir(sending.place.dir())
        .env_clear()
        .envs(usual.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env("WORKER", env!("CARGO_BIN_EXE_worker"))
        .env("LEFT", left.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Said::by(command)
}

#[tokio::test]
async fn a_file_system_that_fills_while_messages_go_out_leaves_nobody_told_twice() {
    for left in [0, 64, 512] {
        let sending = Sending::new(Base::Sqlite, &lines(0..PEOPLE)).await;
        sending.configure(&[("wait_seconds = 60", "wait_seconds = 1")]);
        sending.prepare();
        let said = without_room(&sending, left);
        assert_eq!(said.code, Some(1), "{left}: {said}");
        let (_, remedy) = said.complaint();
        assert!(remedy.contains("room"), "{left}: {said}");
        let before = sending.recipients().len();
        assert!(before < PEOPLE, "{left}: it was full before they were told: {before}");
        let word = sending.worker(&["confirm", "database", "--by", "ann", "--note", "back"]);
        assert_eq!(word.code, Some(0), "{word}");
        sending.leases_run_out().await;
        let rest = sending.run();
        // Whoever was being told when the room ended may have been told, and is not told again.
        let unknown = rest.progress()["prompts_unknown"].as_u64().expect("a count") as usize;
        assert_eq!(rest.code, Some(if unknown > 0 { 3 } else { 0 }), "{left}: {rest}");
        let mut times: BTreeMap<String, usize> = BTreeMap::new();
        for recipient in sending.recipients() {
            *times.entry(recipient).or_default() += 1;
        }
        assert!(times.len() + unknown >= PEOPLE, "{left}: somebody was not told: {rest}");
        assert!(times.values().all(|times| *times == 1), "{left}: {times:?}");
    }
}
