//! A database that may only be read is enough for a dry run.

use worker::store::{Database, PrivateCopy};

#[tokio::test]
async fn the_private_copy_of_a_read_only_file_can_be_written() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("worker.db");
    let database = Database::Sqlite(path.clone());
    let store = database.open().await.unwrap();
    store.migrate().await.unwrap();
    store.close().await;
    let mut permissions = std::fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&path, permissions).unwrap();

    let copy = PrivateCopy::of(&database).await.unwrap();
    // Root writes to read-only files too, so what is looked at is the permission.
    assert!(!std::fs::metadata(&copy.path).unwrap().permissions().readonly());
    assert!(!copy.fresh);
}
