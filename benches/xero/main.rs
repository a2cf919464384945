//! How fast Xero is called. One command, everything made by itself:
//!
//! ```text
//! cargo bench --bench xero
//! ```
//!
//! First in virtual time: ten minutes of a client that always has something to ask, against a
//! model that takes so many calls in any minute. Then in real time: against a server that
//! takes 20 ms for each answer, five calls in flight, beside a bare HTTP client that does the
//! same: the client alone, and the whole act of a removal with all that is written down
//! (docs/speed.md).

mod act;
mod paced;
#[path = "../../tests/it/support/pg.rs"]
mod pg;
mod rate;
#[path = "../../tests/it/support/server.rs"]
mod server;
mod sink;

use std::io::{self, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    worker::web::install();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        runtime.block_on(async {
            paced::bench().await?;
            rate::bench().await?;
            act::bench().await
        })
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error:?}");
            ExitCode::FAILURE
        }
    }
}
