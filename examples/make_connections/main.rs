//! Writes the example inventory, `examples/connections.csv`: the stored connections of an
//! invented company as they would come out of its tables, mess and all.
//!
//! ```text
//! cargo run --example make_connections -- --out examples/connections.csv
//! ```
//!
//! The same seed gives the same bytes. What is inside, and why, says `examples/README.md`.

mod book;
mod broken;
mod consents;
mod customers;
mod draw;
mod evidence;
mod oddities;
mod people;
mod record;
mod regions;
mod sharing;
mod tokens;
mod words;

use std::fs::File;
use std::io::{BufWriter, Write, stdout};
use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;

use book::Book;
use record::Line;

/// The seed of the shipped file.
const SEED: u64 = 20_270_913;

#[derive(Parser)]
#[command(about = "Writes the example inventory")]
struct Args {
    /// Where to; standard output when left out
    #[arg(long)]
    out: Option<PathBuf>,
    /// Another seed gives other customers with the same troubles
    #[arg(long, default_value_t = SEED)]
    seed: u64,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let lines = lines(args.seed)?;
    match args.out {
        Some(path) => {
            let file =
                File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
            write(&lines, BufWriter::new(file))
        }
        None => write(&lines, stdout().lock()),
    }
}

/// The whole inventory, in no order: rows of one connection or grant do not stand together.
fn lines(seed: u64) -> anyhow::Result<Vec<Line>> {
    let mut book = Book::new(seed);
    customers::tell(&mut book)?;
    let clients = customers::accountants(&mut book)?;
    sharing::tell(&mut book, &clients)?;
    evidence::tell(&mut book)?;
    oddities::tell(&mut book)?;
    broken::tell(&mut book)?;
    book.draw.shuffle(&mut book.lines);
    Ok(book.lines)
}

fn write(lines: &[Line], to: impl Write) -> anyhow::Result<()> {
    let mut csv = csv::WriterBuilder::new().flexible(true).from_writer(to);
    for line in lines {
        match line {
            Line::Good(row) | Line::Bad(row) => csv.serialize(row)?,
            Line::CutOff(fields) => csv.write_record(fields)?,
        }
    }
    csv.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = include_str!("../connections.csv");

    fn text(seed: u64) -> String {
        let mut bytes = Vec::new();
        write(&lines(seed).unwrap(), &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_shipped_inventory_is_what_the_generator_prints() {
        assert!(
            text(SEED) == SHIPPED,
            "examples/connections.csv is out of date; write it anew with\n\
             cargo run --example make_connections -- --out examples/connections.csv"
        );
    }

    #[test]
    fn another_seed_gives_other_customers_with_the_same_troubles() {
        let (one, two) = (lines(1).unwrap(), lines(2).unwrap());
        let bad =
            |lines: &[Line]| lines.iter().filter(|line| !matches!(line, Line::Good(_))).count();
        assert_eq!(bad(&one), bad(&two));
        assert_ne!(text(1), text(2));
    }

    #[test]
    fn there_are_enough_good_rows_and_few_bad_ones() {
        let lines = lines(SEED).unwrap();
        let good = lines.iter().filter(|line| matches!(line, Line::Good(_))).count();
        assert!(good >= 1_050, "{good}");
        assert!(
            (lines.len() - good) * 100 < lines.len(),
            "{} of {}",
            lines.len() - good,
            lines.len()
        );
    }

    #[test]
    fn the_readme_counts_the_rows_as_they_are() {
        let lines = lines(SEED).unwrap();
        let good = lines.iter().filter(|line| matches!(line, Line::Good(_))).count();
        let sentence = format!("{good} good rows and {} bad ones", lines.len() - good);
        assert!(include_str!("../README.md").contains(&sentence), "{sentence}");
    }

    #[test]
    fn every_address_is_at_a_reserved_domain() {
        for line in lines(SEED).unwrap() {
            let (Line::Good(row) | Line::Bad(row)) = line else { continue };
            let Some((_, domain)) = row.email.trim().rsplit_once('@') else { continue };
            let domain = domain.to_lowercase();
            let reserved =
                ["example.com", "example.net", "example.org", ""].contains(&domain.as_str());
            assert!(reserved || domain.ends_with(".example"), "{}", row.email);
        }
    }

    #[test]
    fn nothing_in_it_is_a_secret() {
        assert!(!SHIPPED.contains("refresh_token"));
        // "signature-removed" in base64url, behind the last dot of each token.
        let tokens = SHIPPED.matches("eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.").count();
        let unsigned = SHIPPED.matches(".c2lnbmF0dXJlLXJlbW92ZWQ").count();
        assert_eq!(tokens, unsigned + 1, "all but the one that was cut short");
    }
}
