//! What the last complete scan read, in eight bytes a row: enough to tell an unchanged row
//! without parsing it, and to tell afterwards which rows are missing.

use crate::domain::row::Warnings;

/// A row as it was read. The low three bits hold its warnings, so that unchanged rows can
/// be counted with theirs; the rest is a keyed hash of the fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Print(pub u64);

const WARNINGS: u64 = 0b111;

impl Print {
    pub(super) fn new(hash: u64, warnings: Warnings) -> Self {
        let bits = u64::from(warnings.address)
            | u64::from(warnings.time_zone) << 1
            | u64::from(warnings.date) << 2;
        Self(hash & !WARNINGS | bits)
    }

    pub(super) fn warnings(self) -> Warnings {
        Warnings { address: self.0 & 1 != 0, time_zone: self.0 & 2 != 0, date: self.0 & 4 != 0 }
    }
}

/// The rows of the last complete scan, and which of them were seen again.
#[derive(Debug)]
pub(super) struct Known {
    prints: Vec<u64>,
    /// Where the prints of each leading 16 bits begin: hashes are spread evenly, so a few
    /// are left to search.
    starts: Vec<u32>,
    seen: Vec<u64>,
    unseen: usize,
}

impl Known {
    pub(super) fn new(mut prints: Vec<u64>) -> Self {
        prints.sort_unstable();
        prints.dedup();
        prints.shrink_to_fit();
        let mut starts = Vec::with_capacity((1 << 16) + 1);
        let mut at = 0;
        for lead in 0..=1u64 << 16 {
            while at < prints.len() && prints[at] >> 48 < lead {
                at += 1;
            }
            starts.push(u32::try_from(at).unwrap_or(u32::MAX));
        }
        let unseen = prints.len();
        Self { seen: vec![0; prints.len().div_ceil(64)], starts, prints, unseen }
    }

    fn position(&self, hash: u64) -> Option<usize> {
        let lead = usize::try_from(hash >> 48).ok()?;
        let (from, to) = (self.starts[lead] as usize, self.starts[lead + 1] as usize);
        let wanted = hash & !WARNINGS;
        let offset = self.prints[from..to].partition_point(|print| print & !WARNINGS < wanted);
        let position = from + offset;
        (position < to && self.prints[position] & !WARNINGS == wanted).then_some(position)
    }

    /// Marks a row as seen; gives its print when it was known.
    pub(super) fn see(&mut self, hash: u64) -> Option<Print> {
        let position = self.position(hash)?;
        let (word, bit) = (position / 64, 1 << (position % 64));
        if self.seen[word] & bit == 0 {
            self.seen[word] |= bit;
            self.unseen -= 1;
        }
        Some(Print(self.prints[position]))
    }

    pub(super) fn is_seen(&self, hash: u64) -> bool {
        self.position(hash).is_some_and(|at| self.seen[at / 64] & 1 << (at % 64) != 0)
    }

    /// Known rows that were not seen again.
    pub(super) fn unseen(&self) -> usize {
        self.unseen
    }

    pub(super) fn is_empty(&self) -> bool {
        self.prints.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_row_is_known_exactly_when_it_was_read_before(
            hashes in proptest::collection::btree_set(any::<u64>(), 0..300),
            others in proptest::collection::vec(any::<u64>(), 0..50),
        ) {
            let warnings = Warnings { time_zone: true, ..Warnings::default() };
            let mut known = Known::new(hashes.iter().map(|hash| Print::new(*hash, warnings).0).collect());
            let distinct: std::collections::BTreeSet<u64> = hashes.iter().map(|hash| hash & !WARNINGS).collect();
            prop_assert_eq!(known.unseen(), distinct.len());
            for hash in &hashes {
                prop_assert_eq!(known.see(*hash).map(Print::warnings), Some(warnings));
                prop_assert!(known.is_seen(*hash));
            }
            prop_assert_eq!(known.unseen(), 0);
            for other in others {
                prop_assert_eq!(known.see(other).is_some(), distinct.contains(&(other & !WARNINGS)));
            }
        }
    }
}
