//! A transcript of a shell in a document, run anew in an empty directory: what is said must be
//! what is written, `[..]` within a line and a line `...` standing for anything.

use std::path::Path;
use std::process::Command;

/// A command with what it is to say.
struct Step<'a> {
    command: &'a str,
    says: Vec<&'a str>,
}

fn steps(block: &str) -> Vec<Step<'_>> {
    let mut steps: Vec<Step<'_>> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push(Step { command, says: Vec::new() }),
            (None, Some(step)) => step.says.push(line),
            (None, None) => panic!("{line} stands before any command"),
        }
    }
    steps
}

/// Runs the block; each command has to succeed.
///
/// # Panics
/// Something else is said.
pub fn run(block: &str, dir: &Path) {
    let program = Path::new(env!("CARGO_BIN_EXE_worker"));
    let path = std::env::join_paths(
        std::iter::once(program.parent().expect("a directory").to_owned())
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    )
    .expect("a path");
    for Step { command, says } in steps(block) {
        let output = Command::new("sh")
            .args(["-c", command])
            .current_dir(dir)
            .env_clear()
            .env("PATH", &path)
            .env("WORKER_LOG_LEVEL", "off")
            .output()
            .expect("a shell");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let wrong = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}: {said}{wrong}");
        let said: Vec<&str> = said.lines().collect();
        assert!(
            fits(&says, &said),
            "{command}\nis to say\n{}\nsaid\n{}",
            says.join("\n"),
            said.join("\n")
        );
    }
}

fn fits(says: &[&str], said: &[&str]) -> bool {
    match says.split_first() {
        None => said.is_empty(),
        Some((&"...", rest)) => (0..=said.len()).any(|from| fits(rest, &said[from..])),
        Some((line, rest)) => said
            .split_first()
            .is_some_and(|(first, after)| line_fits(line, first) && fits(rest, after)),
    }
}

fn line_fits(says: &str, said: &str) -> bool {
    let mut parts = says.split("[..]");
    let Some(mut left) = said.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut is_open = false;
    for part in parts {
        is_open = part.is_empty();
        let Some(at) = left.find(part) else { return false };
        left = &left[at + part.len()..];
    }
    is_open || left.is_empty()
}
