//! What is wrong with a template: where, what, and what to do about it.

use std::fmt;
use std::path::Path;

use minijinja::ErrorKind;

/// One problem of one template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateProblem {
    /// The file, or the name of an embedded one.
    pub file: String,
    /// From 1, where it is known.
    pub line: Option<usize>,
    pub what: String,
    pub remedy: String,
}

impl std::error::Error for TemplateProblem {}

impl fmt::Display for TemplateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.what)
    }
}

impl TemplateProblem {
    pub(super) fn of_file(path: &Path, what: String, remedy: &str) -> Self {
        Self { file: path.display().to_string(), line: None, what, remedy: remedy.to_owned() }
    }

    /// What the template engine says; `file` finds the file behind a template's name. The
    /// values of a message are left out: it goes into a log.
    pub(super) fn of_error(
        error: &minijinja::Error,
        entry: &str,
        file: impl Fn(&str) -> String,
    ) -> Self {
        // The engine wraps an error in one for each include and block on the way out; the
        // innermost has the place.
        let mut innermost = error;
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            if let Some(cause) = cause.downcast_ref::<minijinja::Error>() {
                innermost = cause;
            }
            source = cause.source();
        }
        let name = innermost.name().or(error.name()).unwrap_or(entry);
        let (what, remedy) = words(innermost);
        Self { file: file(name), line: innermost.line().or(error.line()), what, remedy }
    }
}

fn words(error: &minijinja::Error) -> (String, String) {
    let detail = error.detail().unwrap_or_default();
    let (what, remedy) = match error.kind() {
        ErrorKind::SyntaxError => {
            return (
                format!("not a template: {detail}"),
                "correct the line; docs/messages.md shows how templates are written".to_owned(),
            );
        }
        ErrorKind::UndefinedError => (
            "it uses something that is not there",
            "use the names of docs/messages.md, and `{% if … %}` for what may be missing",
        ),
        ErrorKind::TemplateNotFound => {
            return (
                format!("it includes a template that is not there: {detail}"),
                "write that file, or take the include out".to_owned(),
            );
        }
        ErrorKind::UnknownFilter
        | ErrorKind::UnknownTest
        | ErrorKind::UnknownFunction
        | ErrorKind::UnknownMethod => {
            return (
                format!("it uses something that templates do not have: {detail}"),
                "use the filters and tests of MiniJinja".to_owned(),
            );
        }
        _ => ("it fails with this message's data", "try it with `worker preview`"),
    };
    (what.to_owned(), remedy.to_owned())
}
