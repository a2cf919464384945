//! A second opinion: an independent program classifies the same files by the same written
//! rules (tests/oracle/classify.py), and the two must agree.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use csv::ByteRecord;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use worker::inventory::{Columns, Reader, Source};

use crate::support::inventory::OneFile;
use crate::support::world::{Conditions, World, both};

/// As in the shipped jobs.toml, and in the oracle.
const REQUIRED: &str = "offline_access accounting.settings accounting.invoices accounting.contacts";

type Counts = BTreeMap<String, u64>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn example() -> std::path::PathBuf {
    root().join("examples/connections.csv")
}

fn oracle(file: &Path) -> Counts {
    let output = Command::new("python3")
        .arg(root().join("tests/oracle/classify.py"))
        .arg(file)
        .output()
        .expect("python3 is not installed, and this test needs it: apt-get install python3");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", file.display());
    serde_json::from_slice(&output.stdout).expect("an object of counts")
}

async fn ours(world: &World, file: &Path) -> Counts {
    let source = Source::Csv { path: file.to_owned() };
    let reader = Reader::open(source, Columns::default()).await.expect("an inventory");
    let conditions = Conditions { required: REQUIRED, ..Conditions::default() };
    let summary = world.scan_reader(reader, conditions).await.expect("a scan");
    let tally = summary.tally;
    [
        ("connections", tally.connections),
        ("broad_only", tally.broad_only),
        ("mixed", tally.mixed),
        ("granular", tally.granular),
        ("unaffected", tally.unaffected),
        ("unknown", tally.unknown),
        ("ready", tally.ready),
        ("awaiting", tally.awaiting),
        ("covered", tally.covered),
        ("manual", tally.manual),
        ("unreachable", tally.unreachable),
        ("token_behind", tally.token_behind),
        ("bad_rows", summary.effect.bad_rows),
    ]
    .into_iter()
    .map(|(name, count)| (name.to_owned(), count))
    .collect()
}

#[tokio::test]
async fn the_oracle_and_the_worker_count_the_shipped_inventory_alike() {
    let expected = oracle(&example());
    assert!(expected["connections"] > 1_000 && expected.values().all(|count| *count > 0));
    both(async |world: World| assert_eq!(ours(&world, &example()).await, expected)).await;
}

/// Columns that are carried over from one row to another, or emptied.
const MOVED: [&str; 11] = [
    "tenant_id",
    "connection_id",
    "xero_user_id",
    "email",
    "scopes",
    "access_token",
    "token_response",
    "evidence_at",
    "flow",
    "required_scopes",
    "tenant_type",
];

/// The shipped inventory after somebody's unfortunate script.
fn spoilt(seed: u64) -> Vec<u8> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .from_path(example())
        .expect("the shipped inventory");
    let header = reader.byte_headers().expect("a header").clone();
    let mut rows: Vec<Vec<Vec<u8>>> = reader
        .byte_records()
        .map(|row| row.expect("a record").iter().map(<[u8]>::to_vec).collect())
        .collect();
    let position =
        |name: &str| header.iter().position(|column| column == name.as_bytes()).expect("a column");
    for _ in 0..150 {
        let column = position(MOVED.choose(&mut random).expect("there are some"));
        let from = random.random_range(0..rows.len());
        let to = random.random_range(0..rows.len());
        // One record of the shipped file is cut short.
        if rows[from].len().min(rows[to].len()) < header.len() {
            continue;
        }
        match random.random_range(0..10) {
            0..=4 => rows[to][column] = rows[from][column].clone(),
            5..=6 => rows[to][column].clear(),
            7 => rows[to][column].push(b'x'),
            8 => {
                let mut second = rows[from].clone();
                second[position("email")] = b"second@example.com".to_vec();
                rows.push(second);
            }
            _ => rows.push(rows[from].clone()),
        }
    }
    rows.shuffle(&mut random);
    rows.truncate(rows.len() - random.random_range(0..200));
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    writer.write_byte_record(&header).expect("memory takes it");
    for row in rows {
        writer.write_byte_record(&ByteRecord::from(row)).expect("memory takes it");
    }
    writer.into_inner().expect("memory takes it")
}

#[tokio::test]
async fn the_oracle_and_the_worker_count_spoilt_inventories_alike() {
    for seed in 0..20 {
        let file = OneFile::new(spoilt(seed));
        let world = World::fleeting().await;
        assert_eq!(ours(&world, &file.path()).await, oracle(&file.path()), "seed {seed}");
    }
}
