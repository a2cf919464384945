//! A report that is put where others read it: whole, or as it was before.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("the report cannot be written to {}: {source}", path.display())]
pub struct PublishError {
    path: PathBuf,
    source: io::Error,
}

impl PublishError {
    /// The next step.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self.source.kind() {
            io::ErrorKind::NotFound => "make its folder, or name another file",
            io::ErrorKind::PermissionDenied => "the worker needs the right to write to its folder",
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "make room on the disk: the file is as it was before"
            }
            io::ErrorKind::IsADirectory => "name a file, not a folder",
            _ => "look at the path and its folder: the file is as it was before",
        }
    }
}

/// Tries whether a file could be put there, before anybody works at it for long.
///
/// # Errors
/// It cannot.
pub fn try_place(path: &Path) -> Result<(), PublishError> {
    beside(path).map(|_| ())
}

/// A new file beside the one that is meant; `None` for a device or a pipe, such as /dev/stdout,
/// which has no place beside it.
fn beside(path: &Path) -> Result<Option<NamedTempFile>, PublishError> {
    let failed = |source| PublishError { path: path.to_owned(), source };
    if path.is_dir() {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return Ok(None);
    }
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut file = tempfile::Builder::new();
    let file = file.prefix(".report-").permissions(permissions(path)).tempfile_in(folder);
    file.map(Some).map_err(failed)
}

/// Writes a file beside the one that is meant, and puts it in its place once it is on the disk.
///
/// # Errors
/// It cannot be written; then what was there before is there still, and nothing else.
pub fn publish(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), PublishError> {
    let failed = |source| PublishError { path: path.to_owned(), source };
    let Some(mut file) = beside(path)? else {
        let mut out = BufWriter::new(File::options().write(true).open(path).map_err(failed)?);
        return write(&mut out).and_then(|()| out.flush()).map_err(failed);
    };
    let mut out = BufWriter::new(&mut file);
    write(&mut out).and_then(|()| out.flush()).map_err(failed)?;
    drop(out);
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Those of the file that it replaces, else what a new file usually has: others are to read it.
fn permissions(path: &Path) -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path)
        .map(|there| there.permissions())
        .unwrap_or_else(|_| fs::Permissions::from_mode(0o644))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_report_takes_the_place_of_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report.html");
        for text in ["one", "two"] {
            publish(&path, |out| out.write_all(text.as_bytes())).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(names(dir.path()), ["report.html"]);
    }

    #[test]
    fn a_full_disk_leaves_what_was_there_and_nothing_half_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report.html");
        publish(&path, |out| out.write_all(b"before")).unwrap();
        let error = publish(&path, |out| {
            out.write_all(&[b'x'; 100_000])?;
            Err(io::ErrorKind::StorageFull.into())
        })
        .unwrap_err();
        assert!(error.remedy().contains("make room"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "before");
        assert_eq!(names(dir.path()), ["report.html"]);
    }

    #[test]
    fn a_missing_folder_or_a_folder_in_its_place_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let nothing = |_: &mut dyn Write| Ok(());
        let error = publish(&dir.path().join("no/report.html"), nothing).unwrap_err();
        assert!(error.to_string().contains("no/report.html"), "{error}");
        assert_eq!(error.remedy(), "make its folder, or name another file");
        let error = publish(dir.path(), nothing).unwrap_err();
        assert_eq!(error.remedy(), "name a file, not a folder");
    }
}
