//! What is wrong with a jobs.toml, shown where it stands and with what to write instead.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// Something wrong in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to write.
    pub help: String,
    span: Range<usize>,
}

/// Everything wrong with one jobs.toml, in the order of its lines.
#[derive(Clone, Debug)]
pub struct ConfigErrors {
    origin: String,
    /// The text read, with whatever may be secret blotted out.
    text: String,
    problems: Vec<Problem>,
}

impl std::error::Error for ConfigErrors {}

impl ConfigErrors {
    pub(super) fn new(
        origin: &str,
        text: &str,
        found: Vec<Found>,
        secrets: &[Range<usize>],
    ) -> Self {
        let mut problems: Vec<Problem> =
            believable(text, found).into_iter().map(|found| found.locate(text)).collect();
        problems.sort_by_key(|problem| (problem.span.start, problem.span.end));
        problems.dedup();
        Self { origin: origin.to_owned(), text: blot(text, secrets), problems }
    }

    /// The name under which the text was read.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let renderer = Renderer::plain();
        for problem in &self.problems {
            let place = Snippet::source(&self.text)
                .path(&self.origin)
                .annotation(AnnotationKind::Primary.span(problem.span.clone()));
            let report = [Level::ERROR
                .primary_title(&problem.message)
                .element(place)
                .element(Level::HELP.message(&problem.help))];
            writeln!(f, "{}\n", renderer.render(&report))?;
        }
        match self.problems.len() {
            1 => write!(f, "1 problem in {}", self.origin),
            count => write!(f, "{count} problems in {}", self.origin),
        }
    }
}

/// What is wrong with a value and what to write in its place, before it is known where.
#[derive(Clone, Debug)]
pub(super) struct Wrong {
    pub message: String,
    pub help: String,
}

impl Wrong {
    pub fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// No TOML.
    Syntax,
    /// Something that must be there is not.
    Absent,
    /// Something is there that must not be.
    Wrong,
}

/// A problem as the reading came upon it.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub span: Range<usize>,
    pub kind: Kind,
    pub wrong: Wrong,
}

impl Found {
    fn locate(self, text: &str) -> Problem {
        let start = floor(text, self.span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = text[start..].find(['\r', '\n']).map_or(text.len(), |end| start + end);
        // A marker across lines says no more than one on the first of them.
        let end = floor(text, self.span.end).clamp(start, line_end.max(start));
        Problem {
            line: text[..start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            message: self.wrong.message,
            help: self.wrong.help,
            span: start..end,
        }
    }
}

/// Where a text is no TOML, what follows may have been read as something else. So a broken
/// line is reported once and nothing is reported missing; after a broken table header only
/// syntax is reported, and after a bracket that is never closed nothing at all.
fn believable(text: &str, found: Vec<Found>) -> Vec<Found> {
    let line = |found: &Found| text[..floor(text, found.span.start)].matches('\n').count();
    let (mut broken, others): (Vec<Found>, Vec<Found>) =
        found.into_iter().partition(|found| found.kind == Kind::Syntax);
    if broken.is_empty() {
        return others;
    }
    broken.sort_by_key(|found| found.span.start);
    broken.dedup_by_key(|found| line(found));
    let first = |loses: &dyn Fn(&Found) -> bool| {
        broken.iter().find(|found| loses(found)).map_or(usize::MAX, line)
    };
    let header = first(&|found| {
        text.lines().nth(line(found)).is_some_and(|line| line.trim_start().starts_with('['))
    });
    let bracket = first(&|found| {
        let message = &found.wrong.message;
        ["array", "inline table", "comma"].iter().any(|inside| message.contains(inside))
    });
    let lines: BTreeSet<usize> = broken.iter().map(line).collect();
    broken.retain(|found| line(found) <= bracket);
    broken.extend(others.into_iter().filter(|found| {
        let at = line(found);
        found.kind == Kind::Wrong && at < header.min(bracket) && !lines.contains(&at)
    }));
    broken
}

fn floor(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at.min(text.len()))
}

/// Replaces spans, byte for byte, so that all others stay where they are.
fn blot(text: &str, spans: &[Range<usize>]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for span in spans {
        let (start, end) = (floor(text, span.start), floor(text, span.end));
        for byte in
            bytes[start..end.max(start)].iter_mut().filter(|byte| !matches!(byte, b'\n' | b'\r'))
        {
            *byte = b'*';
        }
    }
    // Only whole characters were replaced.
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use std::slice;

    use super::*;

    fn found(span: Range<usize>) -> Found {
        Found { span, kind: Kind::Wrong, wrong: Wrong::new("this is wrong", "write that") }
    }

    #[test]
    fn a_problem_shows_file_line_column_the_line_and_what_to_write() {
        let errors = ConfigErrors::new("jobs.toml", "a = 1\nb = x\n", vec![found(10..11)], &[]);
        let shown = errors.to_string();
        assert!(shown.contains("error: this is wrong"), "{shown}");
        assert!(shown.contains("jobs.toml:2:5"), "{shown}");
        assert!(shown.contains("2 | b = x\n  |     ^"), "{shown}");
        assert!(shown.contains("help: write that"), "{shown}");
        assert!(shown.ends_with("1 problem in jobs.toml"), "{shown}");
    }

    #[test]
    fn columns_count_characters_and_markers_end_with_their_line() {
        let text = "é = \"ü\" # [\nx";
        let errors = ConfigErrors::new("j", text, vec![found(9..text.len())], &[]);
        assert_eq!((errors.problems[0].line, errors.problems[0].column), (1, 8));
        assert_eq!(errors.problems[0].span.end, text.find('\n').unwrap());
        assert!(errors.to_string().contains("j:1:8"), "{errors}");
    }

    #[test]
    fn a_place_beyond_the_text_is_its_end() {
        for text in ["", "a", "a\n", "é"] {
            let errors = ConfigErrors::new("j", text, vec![found(7..9)], &[]);
            assert!(errors.to_string().contains("this is wrong"), "{text:?}");
        }
    }

    #[test]
    fn secrets_are_blotted_out_and_nothing_moves() {
        let text = "password = \"häns\" x\n";
        let errors = ConfigErrors::new("j", text, vec![found(19..20)], slice::from_ref(&(12..17)));
        let shown = errors.to_string();
        assert!(shown.contains("password = \"*****\" x"), "{shown}");
        assert!(!shown.contains("häns"), "{shown}");
    }
}
