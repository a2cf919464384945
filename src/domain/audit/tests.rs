//! Any change to a record is found, at the entry where it begins.

use chrono::DateTime;
use proptest::prelude::*;

use super::*;

const KEY: [u8; 32] = [7; 32];

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 123_456_000).expect("a time")
}

fn record(length: i64) -> (Vec<Entry>, Head) {
    let mut head = Head::NONE;
    let entries = (1..=length)
        .map(|number| {
            let act = Act::new(Kind::PromptSent, at(number)).about(Uuid::from_u128(9)).by("a");
            head.follow(&act.with("n", number), Some(&KEY))
        })
        .collect();
    (entries, head)
}

fn verify(entries: &[Entry], head: Head, logged: Option<Hash>) -> Result<Head, Fault> {
    let mut check = Check::new(logged);
    for entry in entries {
        check.follow(entry)?;
    }
    check.end(head)
}

#[test]
fn a_whole_record_is_whole_and_an_empty_one_too() {
    let (entries, head) = record(5);
    assert_eq!(verify(&entries, head, None), Ok(head));
    assert_eq!(verify(&[], Head::NONE, None), Ok(Head::NONE));
    for entry in &entries {
        let logged = entry.hash.parse().expect("a hash");
        assert_eq!(verify(&entries, head, Some(logged)), Ok(head));
    }
}

#[test]
fn the_hash_is_the_one_that_the_page_tells_how_to_make() {
    // The same in Python: hashlib.sha256(bytes(32) + json.dumps([1, "2027-01-15T08:00:01.123456Z",
    // None, "paused", None, "p-…", "a", "{\"reason\":\"ü\"}"], ensure_ascii=False,
    // separators=(",", ":")).encode())
    let mut head = Head::NONE;
    let act = Act::new(Kind::Paused, at(1)).person("jo@books.example").by("a").with("reason", "ü");
    let entry = head.follow(&act, Some(&KEY));
    let person = pseudonym(&KEY, "jo@books.example");
    let canonical = format!(
        "[1,\"2027-01-15T08:00:01.123456Z\",null,\"paused\",null,{person:?},\"a\",\
         \"{{\\\"reason\\\":\\\"ü\\\"}}\"]"
    );
    let expected = Sha256::new().chain_update([0; 32]).chain_update(canonical).finalize();
    assert_eq!(entry.hash, Hash(expected.into()).to_string());
}

#[test]
fn no_address_gets_into_an_entry_wherever_it_stands() {
    let act = Act::new(Kind::ExemptionAdded, at(1))
        .about("Jo@books.example")
        .person("jo@books.example")
        .by("ann@books.example")
        .with("reason", "jo@books.example asked")
        .with("list", vec!["<jo@books.example>"]);
    for key in [Some(&KEY), None] {
        let entry = Head::NONE.clone().follow(&act, key);
        assert!(!format!("{entry:?}").contains('@'), "{entry:?}");
        assert_eq!(entry.person.is_some(), key.is_some());
    }
    let entry = Head::NONE.clone().follow(&act, Some(&KEY));
    assert_eq!(entry.subject, entry.person, "one person has one name");
}

#[test]
fn what_was_cut_off_rewritten_or_added_is_found() {
    let (entries, head) = record(5);
    let cut = Fault { number: 4, found: Found::CutOff };
    assert_eq!(verify(&entries[..3], head, None), Err(cut));
    // With the note of the end taken along, only a hash that was logged elsewhere tells.
    let third = Head { number: 3, hash: entries[2].hash.parse().expect("a hash") };
    assert_eq!(verify(&entries[..3], third, None), Ok(third));
    let not_in_it = Fault { number: 3, found: Found::NotInIt };
    assert_eq!(verify(&entries[..3], third, Some(head.hash)), Err(not_in_it));
    let appended = Fault { number: 4, found: Found::Appended };
    assert_eq!(verify(&entries, third, None), Err(appended));
}

proptest! {
    #[test]
    fn whatever_is_changed_is_found_where_it_begins(
        place in 0usize..8,
        other in 0usize..8,
        what in 0usize..9,
    ) {
        let (mut entries, head) = record(8);
        let number = entries[place].number;
        let expected = match what {
            0 => { entries.remove(place); (number, if number == 8 { Found::CutOff } else { Found::Missing }) }
            1 => {
                prop_assume!(place != other);
                // Two change places, and each takes the other's number.
                entries.swap(place, other);
                for (entry, number) in entries.iter_mut().zip(1..) { entry.number = number; }
                (number.min(other as i64 + 1), Found::Altered)
            }
            _ => {
                let entry = &mut entries[place];
                match what {
                    2 => entry.at += chrono::TimeDelta::microseconds(1),
                    3 => entry.run = Some(Uuid::nil()),
                    4 => entry.kind = "prompt_refused".to_owned(),
                    5 => entry.subject = None,
                    6 => entry.person = Some("p-0".to_owned()),
                    7 => entry.by = Some("b".to_owned()),
                    _ => entry.detail.push(' '),
                }
                (number, Found::Altered)
            }
        };
        let fault = Fault { number: expected.0, found: expected.1 };
        prop_assert_eq!(verify(&entries, head, None), Err(fault));
    }

    #[test]
    fn a_hash_survives_its_text(bytes in any::<[u8; 32]>()) {
        prop_assert_eq!(Hash(bytes).to_string().parse(), Ok(Hash(bytes)));
    }
}
