//! Cargo does not notice new files in folders that a macro embeds; and the program knows its own
//! sources by a digest, so that what one build remembers means nothing to another.

use std::hash::{DefaultHasher, Hasher};
use std::path::Path;
use std::{fs, io};

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-changed=src");
    let mut digest = DefaultHasher::new();
    add(Path::new("src"), &mut digest)?;
    println!("cargo:rustc-env=SOURCES={:016x}", digest.finish());
    Ok(())
}

fn add(folder: &Path, digest: &mut DefaultHasher) -> io::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(folder)?.collect::<io::Result<_>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        if entry.file_type()?.is_dir() {
            add(&entry.path(), digest)?;
        } else {
            digest.write(entry.path().as_os_str().as_encoded_bytes());
            digest.write(&fs::read(entry.path())?);
        }
    }
    Ok(())
}
