//! A transaction in the hands of a task that only executes: while the database works on some
//! statements, the next ones are made ready.

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::bulk::Statement;
use super::{Error, Tx};

/// Batches of statements that wait for the database.
const WAITING: usize = 1;

/// The way to the task.
pub(super) struct Pipe {
    statements: mpsc::Sender<Vec<Statement>>,
    task: JoinHandle<Result<Tx, Error>>,
}

impl Pipe {
    pub(super) fn into(mut tx: Tx) -> Self {
        let (statements, mut received) = mpsc::channel::<Vec<Statement>>(WAITING);
        let task = tokio::spawn(async move {
            while let Some(batch) = received.recv().await {
                for statement in batch {
                    statement.run(&mut tx).await?;
                }
            }
            Ok(tx)
        });
        Self { statements, task }
    }

    /// Waits for room. False after a statement failed; [`Pipe::end`] tells why.
    pub(super) async fn send(&self, batch: Vec<Statement>) -> bool {
        self.statements.send(batch).await.is_ok()
    }

    /// The transaction, once all is executed.
    pub(super) async fn end(self) -> Result<Tx, Error> {
        drop(self.statements);
        self.task.await.map_err(|_| Error::Database(sqlx::Error::WorkerCrashed))?
    }
}
