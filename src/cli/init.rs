//! `worker init`: a first configuration, by a few questions on a terminal or by options
//! elsewhere. It writes over nothing.

use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use crate::config::{Choice, Config, Kind, Origin, draft};
use crate::delivery::templates::{FILES, LANGUAGE};
use crate::jobs::exit::Exit;

use super::context::Trouble;

const EXAMPLES: &str = "\
Examples:
  worker init                                         asks, on a terminal
  worker init deploy/xero --inventory sql --channel email --channel webhook --name \"Acme Books\"";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Where to; it is made if it is missing
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// The app as customers know it
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// The app's client id, from developer.xero.com
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// Where the connections are stored
    #[arg(long, value_enum)]
    inventory: Option<KindArgument>,
    /// How people are told; may be repeated
    #[arg(long, value_enum)]
    channel: Vec<ChannelArgument>,
    /// Write no templates: the embedded ones are used
    #[arg(long)]
    no_templates: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum KindArgument {
    /// An export, to begin with
    Csv,
    /// One JSON object a line
    Jsonl,
    /// Your own database, read only
    Sql,
    /// A table in the worker's database, which you write
    Table,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum ChannelArgument {
    Email,
    /// Your own product, to show a banner
    Webhook,
    /// .eml files, to look at
    File,
}

const NAME: &str = "Acme Books";
const CLIENT_ID: &str = "0123456789ABCDEF0123456789ABCDEF";

pub(super) fn run(arguments: Arguments) -> Result<Exit, Trouble> {
    let asks = io::stdin().is_terminal() && io::stdout().is_terminal();
    let choice = choice(&arguments, asks)?;
    let dir = &arguments.dir;
    let text = draft(&choice);
    let file = dir.join("jobs.toml");
    Config::parse(&text, &Origin::file(&file)).map_err(Trouble::Config)?;
    let cannot = |path: &Path, error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => Trouble::Usage(
            format!("{} is there already, and nothing is written over", path.display()),
            "name another directory, or move it away".to_owned(),
        ),
        _ => Trouble::CannotRun(
            format!("{} cannot be written: {error}", path.display()),
            "may this user write there?".to_owned(),
        ),
    };
    let templates = dir.join("templates").join(LANGUAGE);
    if choice.templates && templates.exists() {
        return Err(cannot(&templates, io::ErrorKind::AlreadyExists.into()));
    }
    fs::create_dir_all(dir).map_err(|error| cannot(dir, error))?;
    write_new(&file, &text).map_err(|error| cannot(&file, error))?;
    let mut out = io::stdout().lock();
    writeln!(out, "Wrote {}", file.display())?;
    if choice.templates {
        fs::create_dir_all(&templates).map_err(|error| cannot(&templates, error))?;
        for (name, text) in FILES {
            let path = templates.join(name);
            write_new(&path, text).map_err(|error| cannot(&path, error))?;
        }
        writeln!(out, "Wrote {} templates to {}", FILES.len(), templates.display())?;
    }
    let config = match dir == Path::new(".") {
        true => String::new(),
        false => format!(" --config {}", file.display()),
    };
    writeln!(
        out,
        "Nothing is sent or removed until you write that it should be. What comes next:"
    )?;
    let inventory = match choice.inventory {
        Kind::Csv => {
            "put your export beside it as connections.csv (docs/inventory.md, \"Columns\")"
        }
        Kind::Jsonl => {
            "put your export beside it as connections.jsonl (docs/inventory.md, \"Columns\")"
        }
        Kind::Sql => "write your query, and set BOOKS_DATABASE_URL",
        Kind::Table => "make the table `inventory` (docs/inventory.md, \"Where it is\")",
    };
    writeln!(out, "  1. {inventory}")?;
    writeln!(out, "  2. worker{config} check --offline")?;
    writeln!(out, "  3. worker{config} run-once --dry-run")?;
    writeln!(out, "  4. worker{config} preview invitation")?;
    Ok(Exit::Done)
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())
}

fn choice(arguments: &Arguments, asks: bool) -> Result<Choice, Trouble> {
    let mut asking = Asking { asks, input: io::stdin().lock() };
    let app = asking.text(arguments.name.as_deref(), "The app as customers know it", NAME)?;
    let client_id =
        asking.text(arguments.client_id.as_deref(), "Its client id at Xero", CLIENT_ID)?;
    let inventory = match arguments.inventory {
        Some(kind) => kind,
        None => asking.word("Where the connections are: csv, jsonl, sql, table", "csv")?,
    };
    let channels = match arguments.channel.is_empty() {
        false => arguments.channel.clone(),
        true => asking.words("How people are told: email, webhook, file", "email")?,
    };
    let has = |channel| channels.contains(&channel);
    let (email, file) = (has(ChannelArgument::Email), has(ChannelArgument::File));
    Ok(Choice {
        app,
        client_id,
        inventory: match inventory {
            KindArgument::Csv => Kind::Csv,
            KindArgument::Jsonl => Kind::Jsonl,
            KindArgument::Sql => Kind::Sql,
            KindArgument::Table => Kind::Table,
        },
        email,
        webhook: has(ChannelArgument::Webhook),
        file,
        templates: (email || file) && !arguments.no_templates,
    })
}

/// Questions, where somebody is there to answer them.
struct Asking<R> {
    asks: bool,
    input: R,
}

impl<R: BufRead> Asking<R> {
    fn text(
        &mut self,
        given: Option<&str>,
        question: &str,
        default: &str,
    ) -> Result<String, Trouble> {
        let text = match given {
            Some(text) => text.trim().to_owned(),
            None => self.answer(question, default)?,
        };
        if text.is_empty() {
            return Err(Trouble::Usage(
                format!("{} is empty", question.to_lowercase()),
                format!("write something, such as {default}"),
            ));
        }
        Ok(text)
    }

    fn word<T: clap::ValueEnum>(&mut self, question: &str, default: &str) -> Result<T, Trouble> {
        let mut words = self.words(question, default)?;
        Ok(words.swap_remove(0))
    }

    /// At least one.
    fn words<T: clap::ValueEnum>(
        &mut self,
        question: &str,
        default: &str,
    ) -> Result<Vec<T>, Trouble> {
        let answer = self.answer(question, default)?;
        let read = |word: &str| {
            T::from_str(word, true).map_err(|_| {
                Trouble::Usage(format!("{word:?} is none of these"), question.to_owned())
            })
        };
        let words = answer.split([',', ' ']).filter(|word| !word.is_empty());
        let words = words.map(read).collect::<Result<Vec<T>, Trouble>>()?;
        match words.is_empty() {
            true => Err(Trouble::Usage("nothing was chosen".to_owned(), question.to_owned())),
            false => Ok(words),
        }
    }

    fn answer(&mut self, question: &str, default: &str) -> Result<String, Trouble> {
        if !self.asks {
            return Ok(default.to_owned());
        }
        let mut out = io::stdout().lock();
        write!(out, "{question} [{default}]: ")?;
        out.flush()?;
        let mut line = String::new();
        self.input.read_line(&mut line)?;
        let line = line.trim();
        Ok(if line.is_empty() { default } else { line }.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(text: &str) -> Asking<&[u8]> {
        Asking { asks: true, input: text.as_bytes() }
    }

    #[test]
    fn an_empty_answer_is_the_default_and_several_words_are_several_channels() {
        assert_eq!(asking("\n").text(None, "q", "d").unwrap(), "d");
        assert_eq!(asking(" Books \n").text(None, "q", "d").unwrap(), "Books");
        assert_eq!(asking("").text(Some("given"), "q", "d").unwrap(), "given");
        let channels: Vec<ChannelArgument> = asking("Email, file\n").words("q", "email").unwrap();
        assert_eq!(channels, [ChannelArgument::Email, ChannelArgument::File]);
        let none: Result<Vec<ChannelArgument>, Trouble> = asking("sms\n").words("q", "email");
        assert!(matches!(none, Err(Trouble::Usage(..))));
        let kind: KindArgument = asking("\n").word("q", "csv").unwrap();
        assert_eq!(kind, KindArgument::Csv);
    }
}
