//! Messages as files in a folder, for rehearsals: any mail program opens them.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::outcome::Outcome;

/// A folder that fills with `.eml` files. They hold addresses and links, so only their owner
/// can read them.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Writes a message under its prompt's id. The file is there whole or not at all, and
    /// writing it again changes nothing.
    pub async fn write(&self, id: Uuid, message: &[u8]) -> Outcome {
        let name = format!("{id}.eml");
        let (folder, message) = (self.path.clone(), message.to_vec());
        let file = folder.join(&name);
        let written = tokio::task::spawn_blocking(move || put(&folder, &file, &message)).await;
        let place = self.path.display();
        match written {
            Ok(Ok(true)) => Outcome::Accepted { reference: Some(name) },
            Ok(Ok(false)) => {
                Outcome::refused(format!("another message stands in {place} as {name}"))
            }
            Ok(Err(error)) => {
                Outcome::down(format!("{name} cannot be written to {place}: {error}"))
            }
            // The writing thread is gone, and with it what it did.
            Err(_) => Outcome::unknown(format!("{name} may or may not stand in {place}")),
        }
    }
}

/// Whether the file holds this message now; it does not when it held another before.
fn put(folder: &Path, file: &Path, message: &[u8]) -> io::Result<bool> {
    make(folder)?;
    let mut temporary = tempfile::Builder::new().prefix(".").suffix(".part").tempfile_in(folder)?;
    temporary.write_all(message)?;
    temporary.as_file().sync_all()?;
    match temporary.persist_noclobber(file) {
        Ok(_) => Ok(true),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            Ok(std::fs::read(file)? == message)
        }
        Err(error) => Err(error.error),
    }
}

fn make(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
