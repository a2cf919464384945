//! A pooler between the worker and PostgreSQL that gives out sessions for a transaction at a time
//! (pgbouncer). sqlx prepares a statement and executes it in two steps, and names it; both go
//! wrong where each step may meet another session. So behind a pooler each use of a connection is
//! one transaction, which begins by forgetting whatever names others have left there.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, Executor, PgConnection};

use super::open::session_with;

/// What a use of a connection begins with. Our own transactions begin in it once more, which
/// the server would warn of. No plan is kept from one to the next.
const BEGIN: &str =
    "BEGIN; SET LOCAL client_min_messages = error; SET LOCAL jit = off; DEALLOCATE ALL";
/// And ends with, whether or not a transaction is open by then.
const END: &str = "BEGIN; COMMIT";

/// How long a session may take that the other one might be holding up.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often it is looked at: a session of the server's own never changes.
const ROUNDS: usize = 12;

/// Whether sessions are changed from one transaction to the next: one that was just given
/// back is given to another client.
///
/// # Errors
/// The server cannot be reached.
pub(super) async fn is_there(options: &PgConnectOptions) -> Result<bool, sqlx::Error> {
    let mut first = session_with(options).await?;
    let mut second = session_with(options).await?;
    let mut before = None;
    // Others may take the session that was given back: so more than once.
    for round in 0..ROUNDS {
        let held = match round % 2 {
            0 => {
                first.execute("BEGIN").await?;
                Some(session(&mut first).await?)
            }
            _ => {
                first.execute("COMMIT").await?;
                None
            }
        };
        // A pool of one session keeps it waiting.
        let Ok(now) = tokio::time::timeout(PATIENCE, session(&mut second)).await else {
            return Ok(true);
        };
        let now = now?;
        if held == Some(now) || before.is_some_and(|before| before != now) {
            return Ok(true);
        }
        before = Some(now);
    }
    first.close().await?;
    second.close().await?;
    Ok(false)
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
