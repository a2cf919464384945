//! From where a source is read to where its rows are used: a short channel of batches. The
//! end is a message of its own, so that a reader that dies is never taken for one that is
//! done.

use tokio::sync::mpsc;

use super::error::Error;
use super::filling::Filling;
use super::raw::Batch;

/// Batches on their way; with one being filled and one in use it bounds the room's memory.
const IN_FLIGHT: usize = 2;

#[derive(Debug)]
pub(super) enum Message {
    /// The source is open and has the columns it needs.
    Open {
        total: Option<u64>,
    },
    Batch(Batch),
    Failed(Error),
    End,
}

/// Why reading stops before the end.
pub(super) enum Halt {
    /// Nobody wants the rows any more.
    Dropped,
    Failed(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// The reading end's side of the channel.
pub(super) struct Feed {
    messages: mpsc::Sender<Message>,
    spare: mpsc::Receiver<Batch>,
}

/// The using end's side.
#[derive(Debug)]
pub(super) struct Outlet {
    pub(super) messages: mpsc::Receiver<Message>,
    pub(super) spare: mpsc::Sender<Batch>,
}

pub(super) fn channel() -> (Feed, Outlet) {
    let (to_outlet, messages) = mpsc::channel(IN_FLIGHT);
    let (to_feed, spare) = mpsc::channel(IN_FLIGHT);
    (Feed { messages: to_outlet, spare }, Outlet { messages, spare: to_feed })
}

impl Feed {
    /// An empty batch, in memory that came back if there is any.
    pub(super) fn filling(&mut self) -> Filling {
        self.spare.try_recv().map(Filling::reuse).unwrap_or_default()
    }

    pub(super) async fn send(&self, message: Message) -> Result<(), Halt> {
        self.messages.send(message).await.map_err(|_| Halt::Dropped)
    }

    /// The same on a thread that may wait.
    pub(super) fn send_blocking(&self, message: Message) -> Result<(), Halt> {
        self.messages.blocking_send(message).map_err(|_| Halt::Dropped)
    }
}

/// How a reading ended, as its last message; none where nobody listens.
pub(super) fn last(outcome: Result<(), Halt>) -> Option<Message> {
    match outcome {
        Ok(()) => Some(Message::End),
        Err(Halt::Failed(error)) => Some(Message::Failed(error)),
        Err(Halt::Dropped) => None,
    }
}
