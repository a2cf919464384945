//! The proof of the promises (docs/decisions.md): short stories drawn from seeds, in which
//! everything goes wrong, and a judge who sees all that reaches the world and holds it against
//! what was promised, after every step. A story that breaks a promise is made as short as it
//! can be and still break it.

mod ending;
mod judge;
mod perform;
mod replanned;
mod scene;
mod story;
mod trouble;

pub use super::storm::Crash;
pub use judge::Broken;
pub use story::{Story, Trouble, What};

use crate::jobs::Failure;

/// How a story ended.
#[derive(Debug)]
pub struct Told {
    pub broken: Option<Broken>,
    /// What happened, in order, line by line.
    pub timeline: Vec<String>,
    /// Messages that were taken, and connections that were removed.
    pub messages: usize,
    pub removals: usize,
    pub crashes: usize,
    pub runs: u64,
}

/// Tells one story, up to its end or to the first promise that is broken. To be called in a
/// runtime of one thread.
///
/// # Errors
/// The database or a temporary file cannot be used.
pub async fn tell(story: &Story) -> Result<Told, Failure> {
    perform::perform(story).await
}

/// The shortest story found that breaks a promise as this one does.
///
/// # Errors
/// As [`tell`].
pub async fn shrink(story: Story, promise: &str) -> Result<Story, Failure> {
    let mut shortest = story;
    let mut tries = 0;
    'again: loop {
        for shorter in shortest.shorter() {
            tries += 1;
            if tries > MOST_TRIES {
                return Ok(shortest);
            }
            let told = tell(&shorter).await?;
            if told.broken.is_some_and(|broken| broken.promise == promise) {
                shortest = shorter;
                continue 'again;
            }
        }
        return Ok(shortest);
    }
}

/// Stories that are told to shorten one.
const MOST_TRIES: usize = 60;
