//! How a process that stays up is doing, for those who ask it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

/// Something that keeps the process from working.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    Starting,
    Database,
    Schema,
    Clock,
    Schedule,
    Stopping,
}

impl Trouble {
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Database => "database_away",
            Self::Schema => "schema_differs",
            Self::Clock => "clock_differs",
            Self::Schedule => "schedule_meets_nobody",
            Self::Stopping => "stopping",
        }
    }
}

/// What the scheduler knows, shared with those who answer for it.
#[derive(Debug, Default)]
pub struct Health {
    troubles: Mutex<BTreeMap<Trouble, String>>,
    next: Mutex<BTreeMap<String, DateTime<Utc>>>,
    stopping: CancellationToken,
}

impl Health {
    /// A process that has just begun, until it is asked to stop.
    #[must_use]
    pub fn starting(stopping: CancellationToken) -> Self {
        let health = Self { stopping, ..Self::default() };
        health.note(Trouble::Starting, Some("the database has not been opened yet".to_owned()));
        health
    }

    /// Notes a trouble, or its end.
    pub fn note(&self, trouble: Trouble, text: Option<String>) {
        let mut troubles = lock(&self.troubles);
        match text {
            Some(text) => {
                if troubles.insert(trouble, text.clone()).as_ref() != Some(&text) {
                    tracing::warn!(code = trouble.code(), "not ready: {text}");
                }
            }
            None => {
                if troubles.remove(&trouble).is_some() {
                    tracing::info!(code = trouble.code(), "ready again");
                }
            }
        }
    }

    #[must_use]
    pub fn troubles(&self) -> BTreeMap<Trouble, String> {
        let mut troubles = lock(&self.troubles).clone();
        if self.stopping.is_cancelled() {
            troubles.insert(Trouble::Stopping, "the process was asked to stop".to_owned());
        }
        troubles
    }

    /// When a job fires next.
    pub fn note_next(&self, job: &str, at: Option<DateTime<Utc>>) {
        let mut next = lock(&self.next);
        match at {
            Some(at) => next.insert(job.to_owned(), at),
            None => next.remove(job),
        };
    }

    #[must_use]
    pub fn next(&self) -> BTreeMap<String, DateTime<Utc>> {
        lock(&self.next).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
