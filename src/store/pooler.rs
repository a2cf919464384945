//! A pooler between the worker and PostgreSQL that gives out sessions for a transaction at a time
//! (pgbouncer). sqlx prepares a statement and executes it in two steps, and names it; both go
//! wrong where each step may meet another session. So behind a pooler each use of a connection is
//! one transaction, which begins by forgetting whatever names others have left there.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, Executor, PgConnection};

/// What a use of a connection begins with. Our own transactions begin in it once more, which
/// the server would warn of.
const BEGIN: &str = "BEGIN; SET LOCAL client_min_messages = error; DEALLOCATE ALL";
/// And ends with, whether or not a transaction is open by then.
const END: &str = "BEGIN; COMMIT";

/// How long a session may take that the other one might be holding up.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether sessions are changed from one transaction to the next: one that was just given
/// back is given to another client.
///
/// # Errors
/// The server cannot be reached.
pub(super) async fn is_there(options: &PgConnectOptions) -> Result<bool, sqlx::Error> {
    let mut first = PgConnection::connect_with(options).await?;
    let mut second = PgConnection::connect_with(options).await?;
    first.execute("BEGIN").await?;
    let held = session(&mut first).await?;
    // A pool of one session keeps it waiting.
    let Ok(before) = tokio::time::timeout(PATIENCE, session(&mut second)).await else {
        return Ok(true);
    };
    let before = before?;
    first.execute("COMMIT").await?;
    let after = session(&mut second).await?;
    first.close().await?;
    second.close().await?;
    Ok(before != after || before == held)
}

/// The number of the server's process.
async fn session(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    sqlx::Row::try_get(&connection.fetch_one("SELECT pg_backend_pid()").await?, 0)
}

/// The options of a pool of connections that go through a pooler.
pub(super) fn each_use_a_transaction(pool: PgPoolOptions) -> PgPoolOptions {
    pool.after_connect(|connection, _| {
        Box::pin(async { connection.execute(BEGIN).await.map(|_| ()) })
    })
    .before_acquire(|connection, _| {
        Box::pin(async { connection.execute(BEGIN).await.map(|_| true) })
    })
    .after_release(|connection, _| Box::pin(async { connection.execute(END).await.map(|_| true) }))
}

/// The same for a transaction on a connection of its own, right after it began.
pub(super) async fn forget_names(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    connection.execute("DEALLOCATE ALL").await.map(|_| ())
}
