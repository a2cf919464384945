//! Messages as files: whole or not at all, once, and for their owner's eyes.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use uuid::Uuid;
use worker::delivery::file::Folder;
use worker::delivery::outcome::Outcome;

use crate::support::mail::{MESSAGE, class, why};

const ID: Uuid = Uuid::from_u128(7);

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_message_becomes_a_file_that_only_its_owner_reads() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("new/outbox");
    let outcome = Folder::new(&path).write(ID, MESSAGE).await;
    let name = format!("{ID}.eml");
    assert_eq!(outcome, Outcome::Accepted { reference: Some(name.clone()) });
    assert_eq!(std::fs::read(path.join(&name)).unwrap(), MESSAGE);
    assert_eq!((mode(&path.join(&name)), mode(&path)), (0o600, 0o700));
    assert_eq!(std::fs::read_dir(&path).unwrap().count(), 1, "nothing else is left behind");
}

#[tokio::test]
async fn writing_it_again_changes_nothing_and_another_message_never_takes_its_place() {
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::new(place.path());
    assert_eq!(class(&folder.write(ID, MESSAGE).await), "accepted");
    assert_eq!(class(&folder.write(ID, MESSAGE).await), "accepted");
    assert_eq!(class(&folder.write(ID, b"another").await), "refused");
    assert_eq!(std::fs::read(place.path().join(format!("{ID}.eml"))).unwrap(), MESSAGE);
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_to_is_a_way_that_is_down() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    std::fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("below")] {
        let outcome = Folder::new(&path).write(ID, MESSAGE).await;
        assert_eq!(class(&outcome), "down", "{outcome:?}");
        assert!(why(&outcome).contains(&path.display().to_string()), "{outcome:?}");
    }
}
