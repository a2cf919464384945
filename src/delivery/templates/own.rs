//! The operator's own templates: files of a folder, and of a folder below it for each
//! language.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::problem::TemplateProblem;
use crate::domain::language::tag;

/// How every template's file name ends.
pub const ENDING: &str = ".j2";
/// Larger than any template: somebody's dump must not be read as one.
const MAX_BYTES: u64 = 1 << 20;

/// A file that was read.
#[derive(Clone, Debug)]
pub struct File {
    pub path: PathBuf,
    pub text: String,
}

/// Files by their names.
pub type Files = BTreeMap<String, File>;

/// What a folder holds.
#[derive(Debug, Default)]
pub struct Own {
    /// At its top.
    pub top: Files,
    /// In the folders below it, by language.
    pub languages: BTreeMap<String, Files>,
}

impl Own {
    /// Reads all of a folder; what cannot be read is a problem each.
    pub fn read(folder: &Path) -> Result<Self, Vec<TemplateProblem>> {
        let mut own = Self::default();
        let mut problems = Vec::new();
        for path in entries(folder, &mut problems) {
            if !path.is_dir() {
                file(&path, &mut own.top, &mut problems);
                continue;
            }
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let Some(language) = tag(name) else {
                if !name.starts_with('.') {
                    problems.push(TemplateProblem::of_file(
                        &path,
                        "the folder's name is no language".to_owned(),
                        "name it by a language tag such as de or de-AT, or take it out",
                    ));
                }
                continue;
            };
            let files = own.languages.entry(language).or_default();
            for path in entries(&path, &mut problems) {
                file(&path, files, &mut problems);
            }
        }
        if problems.is_empty() { Ok(own) } else { Err(problems) }
    }
}

/// In the order of their names.
fn entries(folder: &Path, problems: &mut Vec<TemplateProblem>) -> Vec<PathBuf> {
    let read = || -> io::Result<Vec<PathBuf>> {
        let mut paths: Vec<PathBuf> =
            fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
        paths.sort();
        Ok(paths)
    };
    read().unwrap_or_else(|error| {
        problems.push(TemplateProblem::of_file(
            folder,
            format!("the folder cannot be read: {error}"),
            "correct `templates` in [messages], or let the worker's user read it",
        ));
        Vec::new()
    })
}

fn file(path: &Path, files: &mut Files, problems: &mut Vec<TemplateProblem>) {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return };
    if !name.ends_with(ENDING) || name.starts_with('.') {
        return;
    }
    match read(path) {
        Ok(text) => {
            files.insert(name.to_owned(), File { path: path.to_owned(), text });
        }
        Err(error) => problems.push(TemplateProblem::of_file(
            path,
            format!("the file cannot be read: {error}"),
            "make it a text in UTF-8 of at most 1 MiB that the worker's user can read",
        )),
    }
}

fn read(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > MAX_BYTES {
        return Err(io::Error::other("it is longer than 1 MiB"));
    }
    fs::read_to_string(path)
}
