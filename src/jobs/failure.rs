//! Why a run could not do its work, and what to do about it.

use crate::config::InventoryUrlError;
use crate::inventory::{self, ErrorKind, UnknownColumn};
use crate::report::publish::PublishError;
use crate::store;

use super::exit::Exit;
use super::scan;

/// What stopped a run.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Scan(#[from] scan::Error),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Inventory(#[from] inventory::Error),
    #[error("the address of the inventory is not to be had: {0}")]
    InventoryUrl(#[from] InventoryUrlError),
    #[error("[inventory.columns] names an unknown column: {0}")]
    Column(#[from] UnknownColumn),
    #[error(transparent)]
    Report(#[from] PublishError),
    #[error("{0}")]
    Output(#[from] std::io::Error),
    #[error("the job {job} was not free within its time budget: {by} has it")]
    Held { job: String, by: String },
}

impl Failure {
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Inventory(error) | Self::Scan(scan::Error::Inventory(error)) => {
                match error.kind() {
                    ErrorKind::Unreadable => Exit::CouldNotRun,
                    ErrorKind::Configuration => Exit::Configuration,
                }
            }
            Self::InventoryUrl(_) | Self::Column(_) => Exit::Configuration,
            Self::Scan(_)
            | Self::Store(_)
            | Self::Report(_)
            | Self::Output(_)
            | Self::Held { .. } => Exit::CouldNotRun,
        }
    }

    /// Whether another try, a little later, may succeed with nothing changed.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Store(error) | Self::Scan(scan::Error::Store(error)) => error.may_pass(),
            _ => false,
        }
    }

    /// The user of the worker's database lacks a right.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        match self {
            Self::Store(error) | Self::Scan(scan::Error::Store(error)) => error.is_denied(),
            _ => false,
        }
    }

    /// The next step.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Inventory(error) | Self::Scan(scan::Error::Inventory(error)) => error.remedy(),
            Self::Store(error) | Self::Scan(scan::Error::Store(error)) => {
                error.remedy().to_string()
            }
            Self::Scan(scan::Error::Temporary(_)) => {
                "make room in the temporary directory, or name another with TMPDIR".to_owned()
            }
            Self::Scan(scan::Error::Interrupted) => {
                "nothing has changed: run again to start over".to_owned()
            }
            Self::InventoryUrl(error) => error.remedy(),
            Self::Report(error) => error.remedy().to_owned(),
            Self::Column(_) => "see docs/inventory.md for the names of the columns".to_owned(),
            Self::Held { .. } => {
                "one run of a job at a time: wait until that one has ended, or see whether it hangs"
                    .to_owned()
            }
            Self::Output(_) => "check where the output goes".to_owned(),
        }
    }
}
