//! CSV and JSON Lines as they really are: every line end, every broken byte, files that are
//! none, files that are cut off, and lines of any length.

use std::io::Write;
use std::os::fd::AsRawFd;

use worker::domain::ids::ConnectionId;
use worker::inventory::{
    Column, Columns, ErrorKind, FingerprintKey, Place, Progress, Reader, Source,
};

use crate::support::inventory::{OneFile, bad_rows, id, read, read_csv, read_jsonl, read_with};

fn line(number: usize) -> String {
    format!("{},{}", id("a", number), id("c", number))
}

const HEADER: &str = "tenant_id,connection_id";

async fn error_of(source: Source) -> worker::inventory::Error {
    read(source).await.expect_err("no inventory")
}

#[tokio::test]
async fn line_ends_marks_and_blank_lines_do_not_matter() {
    for end in ["\n", "\r\n", "\r"] {
        let lines =
            ["", HEADER, "", &line(1), "  ", &line(2), "", "", &format!("{},x", id("a", 3)), ""];
        for mark in ["", "\u{feff}"] {
            let parsed = read_csv(format!("{mark}{}", lines.join(end))).await.unwrap();
            let (bad, good) = bad_rows(&parsed);
            assert_eq!(good, 2, "{end:?} {mark:?}");
            assert_eq!(bad, [("line 9".to_owned(), "broken_id")], "{end:?} {mark:?}");
        }
    }
}

#[tokio::test]
async fn a_record_is_named_by_the_line_on_which_it_begins() {
    let content = format!(
        "name,tenant_id\r\n\"two\r\nlines\",{}\r\n\r\n\"three\n\nlines\",x\n,y\n",
        id("a", 1)
    );
    let parsed = read_csv(content).await.unwrap();
    assert_eq!(parsed[0].as_ref().unwrap().0.person.name.as_deref(), Some("two\r\nlines"));
    let (bad, _) = bad_rows(&parsed);
    let expected = [("line 5".to_owned(), "broken_id"), ("line 8".to_owned(), "broken_id")];
    assert_eq!(bad, expected);
}

#[tokio::test]
async fn quoted_names_after_a_mark_and_mapped_names_are_found() {
    let content = format!("\u{feff}\"Tenant_ID \",Mail\n{},jo@example.com\n", id("a", 1));
    let columns = Columns::new([("email", "mail")]).unwrap();
    let parsed = read_with(OneFile::new(content).csv(), columns).await.unwrap();
    let (row, _) = parsed[0].as_ref().unwrap();
    assert_eq!(row.person.email.as_ref().unwrap().key(), "jo@example.com");
}

#[tokio::test]
async fn null_and_empty_are_not_given() {
    let header = "tenant_id,connection_id,email,name,flow";
    let content = format!("{header}\n{0},NULL,\\N,\"\",   \n{0},,null,Null,\n", id("a", 1));
    let parsed = read_csv(content).await.unwrap();
    let (row, warnings) = parsed[0].as_ref().unwrap();
    assert_eq!((row.connection, &row.person.name, row.flow), (None, &None, None));
    assert!(!warnings.address);
    let (row, warnings) = parsed[1].as_ref().unwrap();
    assert_eq!(row.person.name.as_deref(), Some("Null"), "people are called that");
    assert!(warnings.address);
}

#[tokio::test]
async fn broken_bytes_spoil_their_own_row_only_and_leave_its_ids_readable() {
    let mut content = format!("{HEADER},name,note\n").into_bytes();
    for (number, name, note) in [
        (1, &b"fine"[..], &b"\xff in a column that nobody reads"[..]),
        (2, b"L\xc3", b"\xa9on"),
        (3, b"nul\0", b""),
        (4, "Zoë".as_bytes(), b"\0"),
        (5, b"\xe9", b""),
    ] {
        content.extend([line(number).as_bytes(), b",", name, b",", note, b"\n"].concat());
    }
    let parsed = read_csv(content).await.unwrap();
    let (bad, good) = bad_rows(&parsed);
    assert_eq!(good, 2);
    let expected = [("line 3", "broken_utf8"), ("line 4", "nul_byte"), ("line 6", "broken_utf8")];
    assert_eq!(bad, expected.map(|(place, code)| (place.to_owned(), code)));
    let broken = parsed[1].as_ref().unwrap_err();
    assert_eq!(broken.column, Some(Column::Name));
    assert_eq!(broken.connection, id("c", 2).parse().ok());
    assert_eq!(broken.to_string(), "line 3, name: not valid UTF-8");
}

#[tokio::test]
async fn two_halves_of_a_character_in_neighbouring_fields_are_broken() {
    let mut content = b"tenant_id,name,country\n".to_vec();
    content.extend([id("a", 1).as_bytes(), b",L\xc3,\xa9\n"].concat());
    let (bad, _) = bad_rows(&read_csv(content).await.unwrap());
    assert_eq!(bad, [("line 2".to_owned(), "broken_utf8")]);
}

#[tokio::test]
async fn a_record_of_the_wrong_width_is_bad() {
    let content = format!("{HEADER},name\n{0}\n{0},a,b\n{0},a\n", line(1));
    let parsed = read_csv(content).await.unwrap();
    let (bad, good) = bad_rows(&parsed);
    assert_eq!(good, 1);
    let places: Vec<&str> = bad.iter().map(|(place, _)| place.as_str()).collect();
    assert_eq!(places, ["line 2", "line 3"]);
    let bad = parsed[1].as_ref().unwrap_err();
    assert_eq!(bad.to_string(), "line 3: 4 fields where the header has 3");
    assert_eq!(bad.connection, id("c", 1).parse().ok());
}

#[tokio::test]
async fn a_giant_record_is_one_bad_row_and_the_next_one_is_read() {
    let giant = "x".repeat(40 << 20);
    for quote in ["", "\""] {
        let content =
            format!("{HEADER},name\n{},{quote}{giant}{quote}\n{},fine\n", line(1), line(2));
        let parsed = read_csv(content).await.unwrap();
        let (bad, good) = bad_rows(&parsed);
        assert_eq!((bad, good), (vec![("line 2".to_owned(), "record_too_long")], 1));
        let bad = parsed[0].as_ref().unwrap_err();
        assert_eq!(bad.connection, id("c", 1).parse().ok(), "read before it was too long");
    }
    let object = |number: usize, name: &str| {
        format!(r#"{{"tenant_id":"{}","name":"{name}"}}"#, id("a", number))
    };
    let parsed =
        read_jsonl(format!("{}\r\n{}", object(1, &giant), object(2, "fine"))).await.unwrap();
    let (bad, good) = bad_rows(&parsed);
    assert_eq!((bad, good), (vec![("line 1".to_owned(), "record_too_long")], 1));
    assert_eq!(parsed[0].as_ref().unwrap_err().tenant, id("a", 1).parse().ok());
}

#[tokio::test]
async fn a_mebibyte_is_allowed_and_one_byte_more_is_not() {
    for (excess, codes) in [(0, vec![]), (1, vec!["record_too_long"])] {
        let room = worker::inventory::MAX_RECORD - id("a", 1).len() - 1 + excess;
        let content = format!("tenant_id,name\r\n{},{}\r\n", id("a", 1), "x".repeat(room));
        let (bad, _) = bad_rows(&read_csv(content).await.unwrap());
        assert_eq!(bad.iter().map(|(_, code)| *code).collect::<Vec<_>>(), codes);

        let frame = format!(r#"{{"tenant_id":"{}","name":""}}"#, id("a", 1));
        let room = worker::inventory::MAX_RECORD - frame.len() + excess;
        let content =
            format!("{}\r\n", frame.replace("\"\"", &format!("\"{}\"", "x".repeat(room))));
        let (bad, _) = bad_rows(&read_jsonl(content).await.unwrap());
        assert_eq!(bad.iter().map(|(_, code)| *code).collect::<Vec<_>>(), codes);
    }
}

#[tokio::test]
async fn a_file_that_ends_within_quotes_is_cut_off_and_no_inventory() {
    let long = "line\n".repeat(500_000);
    for (rest, open) in [("\"cut", 3), ("\"a\nb\",\"cut\n", 4), (&*format!("\"{long}"), 3)] {
        let content = format!("name,note,tenant_id\na,b,{}\n{rest}", id("a", 1));
        let error = error_of(OneFile::new(content).csv()).await;
        assert_eq!(error.kind(), ErrorKind::Unreadable);
        assert!(error.to_string().contains(&format!("line {open}")), "{error}");
    }
    let complete = format!("tenant_id,name\n{},\"whole\"", id("a", 1));
    assert_eq!(bad_rows(&read_csv(complete).await.unwrap()), (vec![], 1));
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_read_is_no_inventory() {
    let mut content = format!("{HEADER}\n");
    for number in 0..50_000 {
        content.push_str(&line(number));
        content.push('\n');
    }
    let file = OneFile::new(content);
    let mut reader = Reader::open(file.csv(), Columns::default()).await.unwrap();
    let mut open = std::fs::OpenOptions::new().append(true).open(file.path()).unwrap();
    writeln!(open, "{}", line(50_000)).unwrap();
    let error = loop {
        match reader.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("taken for complete"),
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("changed"), "{error}");
}

#[tokio::test]
async fn what_is_no_file_with_a_header_says_so() {
    let file = OneFile::new("");
    let missing = file.dir().join("missing.csv");
    for (source, part) in [
        (file.csv(), "empty"),
        (file.jsonl(), "empty"),
        (Source::Csv { path: file.dir().to_owned() }, "directory"),
        (Source::Jsonl { path: file.dir().to_owned() }, "directory"),
        (Source::Csv { path: missing }, "no such file"),
    ] {
        let error = error_of(source).await;
        assert_eq!(error.kind(), ErrorKind::Unreadable, "{error}");
        assert!(error.to_string().to_lowercase().contains(part), "{error}");
        assert!(!error.remedy().is_empty());
    }
    let blank = OneFile::new("\n\n");
    assert!(error_of(blank.csv()).await.to_string().contains("no header"));
}

#[tokio::test]
async fn a_header_alone_is_an_inventory_without_rows() {
    assert!(read_csv("tenant_id").await.unwrap().is_empty());
    assert!(read_jsonl("\n \n").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_file_without_tenants_is_a_matter_of_configuration() {
    for (content, hint) in
        [("org,email\n1,2\n", "org, email"), ("tenant_id;email\n1;2\n", "commas")]
    {
        let file = OneFile::new(content);
        let error = error_of(file.csv()).await;
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.remedy().contains(hint), "{}", error.remedy());
        assert!(error.remedy().contains("[inventory.columns]"));
    }
    let file = OneFile::new("{\"org\":1,\"email\":2}\n{\"org\":1}\n");
    let error = error_of(file.jsonl()).await;
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.remedy().contains("email, org"), "{}", error.remedy());
    let twice = OneFile::new("tenant_id,email,email\n");
    assert_eq!(error_of(twice.csv()).await.kind(), ErrorKind::Configuration);
}

#[tokio::test]
async fn utf_16_is_recognised() {
    let text = format!("{HEADER}\n{}\n", line(1));
    let units: Vec<u16> = text.encode_utf16().collect();
    let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    let marked = [b"\xff\xfe".to_vec(), little.clone()].concat();
    for content in [little, big, marked] {
        let file = OneFile::new(content);
        for source in [file.csv(), file.jsonl()] {
            let error = error_of(source).await;
            assert!(error.remedy().contains("UTF-16"), "{}", error.remedy());
        }
    }
}

#[tokio::test]
async fn json_lines_that_are_no_objects_are_bad_rows() {
    let good = format!(r#"{{"tenant_id":"{}"}}"#, id("a", 1));
    let ids = format!(r#""tenant_id":"{}","connection_id":"{}""#, id("a", 2), id("c", 2));
    let lines = [
        good.clone(),
        "[1]".to_owned(),
        "\"text\"".to_owned(),
        String::new(),
        format!("{good} {good}"),
        format!(r#"{{{ids},"name":"cut"#),
        format!(r#"{{{ids},"name":"a","name":"b"}}"#),
        format!(r#"{{{ids},"name":"a\u0000b"}}"#),
        format!(r#"{{{ids},"name":"\ud800"}}"#),
        format!("\t{good}\t"),
    ];
    let parsed = read_jsonl(format!("\u{feff}{}", lines.join("\r\n"))).await.unwrap();
    let (bad, good) = bad_rows(&parsed);
    assert_eq!(good, 2);
    let expected = [
        ("line 2", "not_an_object"),
        ("line 3", "not_an_object"),
        ("line 5", "invalid_json"),
        ("line 6", "invalid_json"),
        ("line 7", "repeated_key"),
        ("line 8", "nul_byte"),
        ("line 9", "broken_utf8"),
    ];
    assert_eq!(bad, expected.map(|(place, code)| (place.to_owned(), code)));
    let cut =
        parsed.iter().find_map(|row| row.as_ref().err().filter(|bad| bad.place == Place::Line(6)));
    assert_eq!(cut.unwrap().connection, id("c", 2).parse::<ConnectionId>().ok());
}

#[tokio::test]
async fn broken_utf_8_in_json_lines_leaves_the_ids_readable() {
    let ids = format!(r#"{{"tenant_id":"{}","connection_id":"{}","#, id("a", 2), id("c", 2));
    let name = [ids.as_bytes(), b"\"name\":\"\xff\"}\n"].concat();
    let note = [ids.as_bytes(), b"\"note\":\"\xff\"}\n"].concat();
    let parsed = read_jsonl([name, note].concat()).await.unwrap();
    let bad = parsed[0].as_ref().unwrap_err();
    assert_eq!((bad.reason.code(), bad.connection), ("broken_utf8", id("c", 2).parse().ok()));
    assert!(parsed[1].is_ok(), "a key that nobody reads");
}

#[tokio::test]
async fn progress_ends_at_the_size_of_the_file() {
    let content = format!("{HEADER}\n{}\n", line(1));
    let size = content.len() as u64;
    let file = OneFile::new(content);
    let mut reader = Reader::open(file.csv(), Columns::default()).await.unwrap();
    assert_eq!(reader.progress(), Progress::Bytes { read: 0, total: Some(size) });
    while reader.next().await.unwrap().is_some() {}
    assert_eq!(reader.progress(), Progress::Bytes { read: size, total: Some(size) });
}

#[tokio::test]
async fn a_fingerprint_changes_with_content_key_and_salt_and_with_nothing_else() {
    let one = format!("{HEADER},name,country\n{0},ab,\n{0},a,b\n", line(1));
    let two = format!(
        "country,connection_id,note,tenant_id,name\n,{1},?,{0},\"ab\"\n",
        id("a", 1),
        id("c", 1)
    );
    let mut prints = Vec::new();
    for content in [one, two] {
        let file = OneFile::new(content);
        let mut reader = Reader::open(file.csv(), Columns::default()).await.unwrap();
        while let Some(batch) = reader.next().await.unwrap() {
            for row in batch.rows() {
                prints.push(row.fingerprint(&FingerprintKey([1; 16]), 1));
                prints.push(row.fingerprint(&FingerprintKey([2; 16]), 1));
                prints.push(row.fingerprint(&FingerprintKey([1; 16]), 2));
            }
        }
    }
    assert_eq!(prints.len(), 9);
    assert_eq!(prints[0..3], prints[6..9], "the same fields in another order");
    prints.truncate(6);
    prints.sort_unstable();
    prints.dedup();
    assert_eq!(prints.len(), 6);
}

#[tokio::test]
async fn a_reader_that_is_dropped_ends_its_reading() {
    let (source, mut sink) = std::io::pipe().unwrap();
    let writer = std::thread::spawn(move || {
        let lines = format!("{}\n", line(1)).repeat(1000);
        sink.write_all(format!("{HEADER}\n").as_bytes())?;
        loop {
            sink.write_all(lines.as_bytes())?;
        }
        #[expect(unreachable_code, reason = "tells the closure's type")]
        std::io::Result::Ok(())
    });
    let path = format!("/dev/fd/{}", source.as_raw_fd()).into();
    let mut reader = Reader::open(Source::Csv { path }, Columns::default()).await.unwrap();
    drop(source);
    assert_eq!(reader.progress(), Progress::Bytes { read: 0, total: None });
    assert!(reader.next().await.unwrap().is_some());
    drop(reader);
    let ended = tokio::task::spawn_blocking(|| writer.join().unwrap()).await.unwrap();
    assert_eq!(ended.unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
}
