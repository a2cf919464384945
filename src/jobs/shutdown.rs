//! Being asked to stop. The first signal ends the work in order, within a grace; the second ends
//! the process at once, and what was in flight is settled as after a crash.

use chrono::TimeDelta;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How long work in flight may take to end in order. Kubernetes kills after thirty seconds
/// unless it is told otherwise.
pub const GRACE: TimeDelta = TimeDelta::seconds(25);

/// The signals of this process.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    /// Take nothing new.
    pub asked: CancellationToken,
    /// Leave now.
    pub at_once: CancellationToken,
}

impl Shutdown {
    /// Listens for SIGTERM and SIGINT. A process that is the first of its container is given
    /// them only because it listens.
    #[must_use]
    pub fn listening() -> Self {
        let shutdown = Self::default();
        let signals = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
        let [Ok(mut term), Ok(mut int)] = signals else {
            tracing::warn!("signals cannot be listened for");
            return shutdown;
        };
        let Self { asked, at_once } = shutdown.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = term.recv() => {}
                    _ = int.recv() => {}
                }
                if asked.is_cancelled() {
                    tracing::warn!("asked to stop a second time: leaving at once");
                    at_once.cancel();
                } else {
                    asked.cancel();
                    tracing::warn!("asked to stop: finishing in order");
                }
            }
        });
        shutdown
    }
}
