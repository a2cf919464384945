//! `worker scopes`: the catalogue, and what scope texts mean.

use std::io::{self, BufRead, BufWriter, Write};

use super::context::{Context, Trouble};
use super::format::Format;
use super::lines::LONGEST_LINE;
use crate::domain::scopes::{Explained, Scope, ScopeSet, catalogue};
use crate::jobs::exit::Exit;

mod advise;
mod diagnose;
mod text;

const LINE_TOO_LONG: &str = "longer than 1 MiB, not read";

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// The catalogue: every scope, what becomes of it, and what it covers
    List {
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// What a scope text means: its class, what is missing, and what was probably meant
    Explain {
        /// The text, as one argument or several; `-` reads one text a line from standard input
        #[arg(required = true, value_name = "SCOPE")]
        scopes: Vec<String>,
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// The least set that an app needs, and why: by its calls, its use case, or what it replaces
    Advise(advise::Arguments),
    /// What an HTTP answer of Xero's means, and whether consenting again helps
    Diagnose(diagnose::Arguments),
}

/// `worker scopes`
pub(super) async fn run(context: &Context, command: Command) -> Result<Exit, Trouble> {
    let mut out = io::stdout();
    match command {
        Command::List { format } => list(format, &mut out)?,
        Command::Explain { scopes, format } => {
            let configured = context.configured_if_any()?;
            let required = configured.map(|configured| configured.config.campaign.required);
            if scopes == ["-"] {
                explain_lines(&mut io::stdin().lock(), required, format, &mut out)?;
            } else {
                explain_words(&scopes, required, format, &mut out)?;
            }
        }
        Command::Advise(arguments) => return advise::run(context, arguments).await,
        Command::Diagnose(arguments) => return diagnose::run(context, arguments).await,
    }
    Ok(Exit::Done)
}

/// Prints the catalogue.
///
/// # Errors
/// When `out` cannot be written.
pub fn list(format: Format, out: &mut dyn Write) -> io::Result<()> {
    let entries = catalogue().scopes().map(Scope::entry);
    match format {
        Format::Json => json_line(&entries.collect::<Vec<_>>(), out),
        Format::Text => writeln!(out, "{}", text::table(entries).trim_fmt()),
    }
}

/// Explains one text, given as one or more arguments.
///
/// # Errors
/// When `out` cannot be written.
pub fn explain_words(
    words: &[String],
    required: Option<ScopeSet>,
    format: Format,
    out: &mut dyn Write,
) -> io::Result<()> {
    print(&Explained::of(&words.join(" "), required), format, out)
}

/// Explains one text per line as the lines come in, in constant memory. What is explained
/// is handed on whenever the next line may take a while, so that a program may ask and wait.
///
/// # Errors
/// When `input` cannot be read or `out` cannot be written.
pub fn explain_lines(
    input: &mut dyn BufRead,
    required: Option<ScopeSet>,
    format: Format,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    let mut line = Line::default();
    let mut number = 0_u64;
    loop {
        let chunk = match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            chunk => chunk?,
        };
        let at_end = chunk.is_empty();
        let newline = memchr::memchr(b'\n', chunk);
        let taken = newline.map_or(chunk.len(), |at| at + 1);
        line.push(&chunk[..newline.unwrap_or(taken)]);
        let may_wait = taken == chunk.len();
        input.consume(taken);
        if newline.is_some() || (at_end && !line.is_empty()) {
            number += 1;
            if format == Format::Text {
                write!(out, "line {number}: ")?;
            }
            print(&line.explained(required), format, &mut out)?;
            line.clear();
        }
        if may_wait {
            out.flush()?;
        }
        if at_end {
            return Ok(());
        }
    }
}

/// A line as far as it is kept.
#[derive(Default)]
struct Line {
    bytes: Vec<u8>,
    too_long: bool,
}

impl Line {
    fn push(&mut self, bytes: &[u8]) {
        let room = LONGEST_LINE - self.bytes.len();
        self.too_long |= bytes.len() > room;
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.too_long = false;
    }

    fn explained(&self, required: Option<ScopeSet>) -> Explained {
        if self.too_long {
            return Explained::unread(LINE_TOO_LONG, required);
        }
        Explained::of(&String::from_utf8_lossy(&self.bytes), required)
    }
}

fn json_line(value: &impl serde::Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

fn print(explained: &Explained, format: Format, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Json => json_line(explained, out),
        Format::Text => text::paragraph(explained, out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::scopes::{Entry, ScopeText};

    fn lines(input: &[u8], format: Format) -> String {
        let mut out = Vec::new();
        explain_lines(&mut &input[..], None, format, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn classes(input: &[u8]) -> Vec<String> {
        lines(input, Format::Json)
            .lines()
            .map(|line| {
                let value: serde_json::Value = serde_json::from_str(line).unwrap();
                value["class"].as_str().unwrap().to_owned()
            })
            .collect()
    }

    #[test]
    fn every_line_is_a_text_blank_ones_too() {
        assert_eq!(
            classes(b"\xef\xbb\xbfaccounting.invoices\r\n\r\nfiles\n\nAccounting.Transactions"),
            ["granular", "unknown", "unaffected", "unknown", "broad_only"],
        );
        assert_eq!(classes(b""), Vec::<String>::new());
        assert_eq!(classes(b"\n"), ["unknown"]);
    }

    #[test]
    fn bytes_that_are_no_text_are_unknown_words_and_stop_nothing() {
        assert_eq!(
            classes(b"\xff\xfe\0 files\n\xc3\nemail\n"),
            ["unaffected", "unknown", "unaffected"]
        );
    }

    #[test]
    fn a_line_without_end_is_cut_off_and_is_no_evidence() {
        let fits = format!("files{}", " ".repeat(LONGEST_LINE - 5));
        let over = format!("{fits} ");
        let input = format!("{fits}\n{over}\nfiles\n{over}");
        assert_eq!(classes(input.as_bytes()), ["unaffected", "unknown", "unaffected", "unknown"]);
        let text = lines(over.as_bytes(), Format::Json);
        assert!(text.ends_with(",\"note\":\"longer than 1 MiB, not read\"}\n"), "{text}");
        let text = lines(over.as_bytes(), Format::Text);
        assert_eq!(text, "line 1: unknown: longer than 1 MiB, not read\n");
    }

    /// Asks, and looks for the answer before asking again.
    struct Dialogue<'a> {
        left: Vec<&'static [u8]>,
        answers: &'a std::cell::RefCell<Vec<u8>>,
        seen: Vec<usize>,
    }

    impl io::Read for Dialogue<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.seen.push(self.answers.borrow().iter().filter(|byte| **byte == b'\n').count());
            let Some(chunk) = self.left.pop() else { return Ok(0) };
            if chunk.is_empty() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            buffer[..chunk.len()].copy_from_slice(chunk);
            Ok(chunk.len())
        }
    }

    struct Answers<'a>(&'a std::cell::RefCell<Vec<u8>>);

    impl Write for Answers<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn answers_are_out_before_the_next_line_is_waited_for() {
        let answers = std::cell::RefCell::default();
        let left = vec![&b"ts\n"[..], b"", b"email\nprojec", b"files\n"];
        let mut input = io::BufReader::new(Dialogue { left, answers: &answers, seen: Vec::new() });
        explain_lines(&mut input, None, Format::Json, &mut Answers(&answers)).unwrap();
        assert_eq!(input.into_inner().seen, [0, 1, 2, 2, 3]);
    }

    #[test]
    fn all_arguments_are_one_text() {
        let words = ["[\"accounting.transactions\",", "\"balancesheets\"]"].map(str::to_owned);
        let mut out = Vec::new();
        let required = ScopeText::read("accounting.settings offline_access").set;
        explain_words(&words, Some(required), Format::Text, &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "broad_only: holds what Xero retires, and none of its replacements\n  \
             broad: accounting.transactions, replaced by accounting.invoices, \
             accounting.payments, accounting.banktransactions, accounting.manualjournals\n  \
             missing: accounting.settings\n  \
             unknown, counts for nothing: balancesheets (meant accounting.reports.balancesheet.read?)\n",
        );
    }

    #[test]
    fn the_catalogue_is_listed_whole_in_both_forms() {
        let mut text = Vec::new();
        list(Format::Text, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let mut json = Vec::new();
        list(Format::Json, &mut json).unwrap();
        let json: Vec<Entry> = serde_json::from_slice(&json).unwrap();
        assert_eq!(json.len(), catalogue().scopes().count());
        for entry in json {
            assert!(text.contains(&entry.name), "{}", entry.name);
        }
    }
}
