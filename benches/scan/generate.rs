//! Inventories that look like real ones, from a seed: the same size and edition give the
//! same bytes on every machine.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use uuid::Uuid;

/// Which state of the inventory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edition {
    First,
    /// One row in a hundred has new scopes and newer dates.
    OnePercentChanged,
}

/// Distinct scope texts.
const TEXTS: u64 = 300;

const BROAD: &[&str] =
    &["accounting.transactions", "accounting.transactions.read", "accounting.reports.read"];
const GRANULAR: &[&str] = &[
    "accounting.invoices",
    "accounting.invoices.read",
    "accounting.payments",
    "accounting.banktransactions",
    "accounting.manualjournals",
    "accounting.reports.balancesheet.read",
    "accounting.reports.profitandloss.read",
];
const OTHERS: &[&str] = &[
    "openid",
    "profile",
    "email",
    "offline_access",
    "accounting.settings",
    "accounting.contacts",
    "accounting.attachments",
    "accounting.journals.read",
];
const ZONES: &[(&str, &str, &str)] = &[
    ("Pacific/Auckland", "en-NZ", "NZ"),
    ("Australia/Sydney", "en-AU", "AU"),
    ("Australia/Perth", "en-AU", "AU"),
    ("Europe/London", "en-GB", "GB"),
    ("America/New_York", "en-US", "US"),
    ("Asia/Singapore", "en-SG", "SG"),
];
const FIRST: &[&str] = &["Aroha", "Ben", "Chloe", "Dev", "Emma", "Fetu", "Grace", "Hemi"];
const LAST: &[&str] = &["Patel", "Smith", "Ngata", "O'Brien", "Chen", "Walker", "Müller", "Silva"];
const TRADES: &[&str] = &["Roofing", "Bakery", "Dental", "Joinery", "Farms", "Cafe", "Motors"];

/// What is drawn for something: a stream of its own for each, so that nothing depends on
/// the order in which rows are written.
#[derive(Clone, Copy)]
enum Draw {
    Tenant,
    Connection,
    User,
    Event,
    Person,
    Text,
    Date,
}

/// SplitMix64 (Steele, Lea, Flood 2014) of a draw's name: enough for test data, and short.
fn mix(draw: Draw, number: u64) -> u64 {
    let mut state = (draw as u64 + 1) << 56 ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    state = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ state >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ state >> 31
}

fn id(draw: Draw, number: u64) -> Uuid {
    let high = mix(draw, number);
    let bits = u128::from(high) << 64 | u128::from(mix(draw, high ^ number));
    uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
}

fn pick<T>(from: &[T], number: u64) -> &T {
    &from[(number % from.len() as u64) as usize]
}

/// One in two broad only, the others mixed, granular or neither; offline access nearly always.
fn scope_text(number: u64) -> String {
    let bits = mix(Draw::Text, number);
    let (broad, granular) = match number % 8 {
        0..=3 => (true, false),
        4 | 5 => (true, true),
        6 => (false, true),
        _ => (false, false),
    };
    let mut words: Vec<&str> = Vec::new();
    let mut take = |from: &[&'static str], shift: u64| {
        let subset = bits >> shift | 1 << (number % from.len() as u64);
        words.extend((0..from.len()).filter(|at| subset >> at & 1 == 1).map(|at| from[at]));
    };
    take(OTHERS, 0);
    if broad {
        take(BROAD, 10);
    }
    if granular {
        take(GRANULAR, 20);
    }
    let turn = (bits >> 40) as usize % words.len();
    words.rotate_left(turn);
    words.join(" ")
}

/// A time in 2024 or 2025, as RFC 3339.
fn date(out: &mut impl Write, number: u64) -> io::Result<()> {
    let bits = mix(Draw::Date, number);
    write!(
        out,
        "{}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        2024 + bits % 2,
        1 + (bits >> 8) % 12,
        1 + (bits >> 16) % 28,
        (bits >> 24) % 24,
        (bits >> 32) % 60,
        (bits >> 40) % 60
    )
}

/// Writes `rows` connections: of seven people in ten rows, and nine organisations.
pub fn write(path: &Path, rows: u64, edition: Edition) -> io::Result<()> {
    let texts: Vec<String> = (0..TEXTS).map(scope_text).collect();
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    writeln!(
        out,
        "tenant_id,connection_id,tenant_name,tenant_type,xero_user_id,email,name,locale,time_zone,\
         country,account_id,scopes,evidence_at,auth_event_id,flow,connected_at,updated_at,last_used_at"
    )?;
    for row in 0..rows {
        let is_changed = edition == Edition::OnePercentChanged && row % 100 == 37;
        let tenant = mix(Draw::Tenant, row) % (rows * 9 / 10).max(1);
        let user = mix(Draw::User, row) % (rows * 7 / 10).max(1);
        let person = mix(Draw::Person, user);
        let (first, last) = (pick(FIRST, person), pick(LAST, person >> 8));
        let (zone, locale, country) = pick(ZONES, person >> 16);
        let text = pick(&texts, mix(Draw::Text, user) + u64::from(is_changed));
        write!(
            out,
            "{},{},{last} {} {tenant},ORGANISATION,{},user{user}@firm{}.example,{first} {last},\
             {locale},{zone},{country},AC-{tenant},{text},",
            id(Draw::Tenant, tenant),
            id(Draw::Connection, row),
            pick(TRADES, tenant),
            id(Draw::User, user),
            user % 1000,
        )?;
        match is_changed {
            true => out.write_all(b"2026-03-04T05:06:07Z")?,
            false => date(&mut out, user)?,
        }
        write!(out, ",{},web,", id(Draw::Event, user))?;
        date(&mut out, row)?;
        out.write_all(b",")?;
        match is_changed {
            true => out.write_all(b"2026-03-04T05:06:07Z")?,
            false => date(&mut out, row + 1)?,
        }
        out.write_all(b",")?;
        date(&mut out, row + 2)?;
        out.write_all(b"\n")?;
    }
    out.into_inner()?;
    Ok(())
}
