//! `worker completions`: for shells, and the manual page.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::Shell;

use crate::jobs::exit::Exit;

use super::context::Trouble;

const EXAMPLES: &str = "\
Examples:
  worker completions bash > /etc/bash_completion.d/worker
  worker completions zsh > \"${fpath[1]}/_worker\"
  worker completions man | man -l -";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[arg(value_enum)]
    what: What,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum What {
    Bash,
    Elvish,
    Fish,
    #[value(name = "powershell")]
    PowerShell,
    Zsh,
    /// The manual page, in roff
    Man,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Trouble> {
    let mut command = super::Arguments::command();
    // Written at once: a reader who has seen enough closes the pipe.
    let mut text = Vec::new();
    let shell = match arguments.what {
        What::Bash => Some(Shell::Bash),
        What::Elvish => Some(Shell::Elvish),
        What::Fish => Some(Shell::Fish),
        What::PowerShell => Some(Shell::PowerShell),
        What::Zsh => Some(Shell::Zsh),
        What::Man => None,
    };
    match shell {
        Some(shell) => clap_complete::generate(shell, &mut command, "worker", &mut text),
        None => manual(command, &mut text)?,
    }
    io::stdout().lock().write_all(&text)?;
    Ok(Exit::Done)
}

/// One page: the command, then each of its commands as a section.
fn manual(command: clap::Command, out: &mut dyn Write) -> io::Result<()> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let page = clap_mangen::Man::new(command.clone());
    page.render_title(out)?;
    page.render_name_section(out)?;
    page.render_synopsis_section(out)?;
    page.render_description_section(out)?;
    page.render_options_section(out)?;
    for sub in command.get_subcommands() {
        section(sub, "worker", out)?;
    }
    page.render_version_section(out)
}

fn section(command: &clap::Command, above: &str, out: &mut dyn Write) -> io::Result<()> {
    let name = format!("{above} {}", command.get_name());
    if command.has_subcommands() {
        for sub in command.get_subcommands() {
            section(sub, &name, out)?;
        }
        return Ok(());
    }
    writeln!(out, ".SH \"{}\"", name.to_uppercase())?;
    let page = clap_mangen::Man::new(command.clone());
    page.render_synopsis_section(&mut Below(out))?;
    page.render_description_section(&mut Below(out))?;
    page.render_options_section(&mut Below(out))
}

/// Sections of a command as sections below its own.
struct Below<'a>(&'a mut dyn Write);

impl Write for Below<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes).replace(".SH ", ".SS ");
        self.0.write_all(text.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
