//! Whether the record is whole: read from its first entry to its head, once.

use super::{Entry, Hash, Head};

/// Where the record is not as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The first entry that is not right.
    pub number: i64,
    pub found: Found,
}

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is not there, and later ones are.
    Missing,
    /// Its content is not what was hashed, or it stands in another's place.
    Altered,
    /// From here on there is nothing, although more was written.
    CutOff,
    /// There is more than the head knows of.
    Appended,
    /// A hash that was logged is nowhere in the record.
    NotInIt,
}

impl Found {
    /// The word in results.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Altered => "altered",
            Self::CutOff => "cut_off",
            Self::Appended => "appended",
            Self::NotInIt => "not_in_it",
        }
    }

    /// In words, after the entry's number.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Missing => "is missing",
            Self::Altered => "was altered, or stands in another's place",
            Self::CutOff => "was cut off, with all that followed",
            Self::Appended => "was added past the end that the record has noted",
            Self::NotInIt => "is the last, and none before it has the hash that was logged",
        }
    }
}

/// Follows the record entry by entry, in bounded memory.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    at: Head,
    logged: Option<Hash>,
    is_met: bool,
}

impl Check {
    /// `logged` is a head of which a log knows: it has to be somewhere.
    #[must_use]
    pub fn new(logged: Option<Hash>) -> Self {
        Self { at: Head::NONE, logged, is_met: false }
    }

    /// The next entry, in order of their numbers.
    ///
    /// # Errors
    /// It is not the one that was written there.
    pub fn follow(&mut self, entry: &Entry) -> Result<(), Fault> {
        let number = self.at.number + 1;
        if entry.number > number {
            return Err(Fault { number, found: Found::Missing });
        }
        let hash = entry.hash_after(self.at.hash);
        if entry.number != number || entry.hash != hash.to_string() {
            return Err(Fault { number: entry.number, found: Found::Altered });
        }
        self.at = Head { number, hash };
        self.is_met |= self.logged == Some(hash);
        Ok(())
    }

    /// After the last entry: gives the head when all is whole.
    ///
    /// # Errors
    /// The record goes on beyond, ended before, or is another than was logged.
    pub fn end(self, noted: Head) -> Result<Head, Fault> {
        let number = self.at.number + 1;
        if noted.number >= number {
            return Err(Fault { number, found: Found::CutOff });
        }
        if noted.number < self.at.number {
            return Err(Fault { number: noted.number + 1, found: Found::Appended });
        }
        if noted.hash != self.at.hash {
            return Err(Fault { number: self.at.number, found: Found::Altered });
        }
        if self.logged.is_some() && !self.is_met {
            return Err(Fault { number: self.at.number, found: Found::NotInIt });
        }
        Ok(self.at)
    }
}
