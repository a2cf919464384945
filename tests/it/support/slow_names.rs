//! A resolver that takes its time over one name: a library that is preloaded, compiled with the
//! C compiler that the program itself needs.

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

static LIBRARY: LazyLock<(tempfile::TempDir, PathBuf)> = LazyLock::new(|| {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("slow_names.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/slow_names.c");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&path)
        .args([source, "-ldl"])
        .status()
        .expect("a C compiler");
    assert!(compiled.success(), "{compiled}");
    (dir, path)
});

/// Lets a program wait so many seconds for the address of a name, which is this machine then.
pub fn slow(command: &mut Command, name: &str, seconds: u32) {
    command
        .env("LD_PRELOAD", &LIBRARY.1)
        .env("SLOW_NAME", name)
        .env("SLOW_SECONDS", seconds.to_string());
}
