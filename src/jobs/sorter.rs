//! An external merge sort: records by a 128-bit key in bounded memory. What fits into one
//! run never touches the disk; the rest goes to unnamed temporary files that vanish with
//! the process.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};

/// Bytes of records kept in memory before a run is written out.
const RUN_BYTES: usize = 8 << 20;
/// Bytes of read-ahead for each run while merging.
const READ_AHEAD: usize = 32 << 10;

/// Takes records in any order.
pub struct Sorter {
    run_bytes: usize,
    bytes: Vec<u8>,
    /// Key, offset, length of each record in `bytes`.
    index: Vec<(u128, u32, u32)>,
    runs: Vec<File>,
}

impl Default for Sorter {
    fn default() -> Self {
        Self::with_run_bytes(RUN_BYTES)
    }
}

impl Sorter {
    fn with_run_bytes(run_bytes: usize) -> Self {
        Self { run_bytes, bytes: Vec::new(), index: Vec::new(), runs: Vec::new() }
    }

    /// Adds a record.
    ///
    /// # Errors
    /// The temporary directory (`TMPDIR`) cannot be written to.
    pub fn push(&mut self, key: u128, record: &[u8]) -> io::Result<()> {
        let full = self.bytes.len() + self.index.len() * size_of::<(u128, u32, u32)>();
        if !self.index.is_empty() && full + record.len() > self.run_bytes {
            self.write_run()?;
        }
        let too_long = |_| io::Error::new(io::ErrorKind::InvalidInput, "a record of over 4 GiB");
        let offset = u32::try_from(self.bytes.len()).map_err(too_long)?;
        let length = u32::try_from(record.len()).map_err(too_long)?;
        self.bytes.extend_from_slice(record);
        self.index.push((key, offset, length));
        Ok(())
    }

    /// Ends the input; records come out by key, equal keys in the order they came in.
    ///
    /// # Errors
    /// The temporary directory cannot be written to or read from.
    pub fn finish(mut self) -> io::Result<Sorted> {
        if self.runs.is_empty() {
            self.index.sort_unstable();
            return Ok(Sorted::Memory { bytes: self.bytes, index: self.index, next: 0 });
        }
        self.write_run()?;
        self.bytes = Vec::new();
        self.index = Vec::new();
        let mut runs = Vec::with_capacity(self.runs.len());
        let heads = BinaryHeap::with_capacity(self.runs.len());
        runs.extend(self.runs.into_iter().map(|file| BufReader::with_capacity(READ_AHEAD, file)));
        let mut sorted = Sorted::Runs { runs, heads };
        sorted.rewind()?;
        Ok(sorted)
    }

    fn write_run(&mut self) -> io::Result<()> {
        self.index.sort_unstable();
        let mut out = BufWriter::with_capacity(256 << 10, tempfile::tempfile()?);
        for (key, offset, length) in &self.index {
            let record = &self.bytes[*offset as usize..][..*length as usize];
            out.write_all(&key.to_le_bytes())?;
            out.write_all(&length.to_le_bytes())?;
            out.write_all(record)?;
        }
        self.runs.push(out.into_inner().map_err(io::IntoInnerError::into_error)?);
        self.bytes.clear();
        self.index.clear();
        Ok(())
    }
}

/// Records in order.
pub enum Sorted {
    Memory { bytes: Vec<u8>, index: Vec<(u128, u32, u32)>, next: usize },
    Runs { runs: Vec<BufReader<File>>, heads: BinaryHeap<Reverse<(u128, usize)>> },
}

impl Sorted {
    fn rewind(&mut self) -> io::Result<()> {
        match self {
            Self::Memory { next, .. } => *next = 0,
            Self::Runs { runs, heads } => {
                heads.clear();
                for (number, run) in runs.iter_mut().enumerate() {
                    run.rewind()?;
                    heads.extend(read_key(run)?.map(|key| Reverse((key, number))));
                }
            }
        }
        Ok(())
    }

    /// The next record is written over `record`; its key comes back, `None` at the end.
    ///
    /// # Errors
    /// A temporary file cannot be read.
    pub fn next(&mut self, record: &mut Vec<u8>) -> io::Result<Option<u128>> {
        record.clear();
        match self {
            Self::Memory { bytes, index, next } => {
                let Some((key, offset, length)) = index.get(*next) else { return Ok(None) };
                *next += 1;
                record.extend_from_slice(&bytes[*offset as usize..][..*length as usize]);
                Ok(Some(*key))
            }
            Self::Runs { runs, heads } => {
                let Some(Reverse((key, number))) = heads.pop() else { return Ok(None) };
                let run = &mut runs[number];
                let mut length = [0; 4];
                run.read_exact(&mut length)?;
                record.resize(u32::from_le_bytes(length) as usize, 0);
                run.read_exact(record)?;
                if let Some(following) = read_key(run)? {
                    heads.push(Reverse((following, number)));
                }
                Ok(Some(key))
            }
        }
    }
}

fn read_key(run: &mut BufReader<File>) -> io::Result<Option<u128>> {
    let mut key = [0; 16];
    match run.read_exact(&mut key) {
        Ok(()) => Ok(Some(u128::from_le_bytes(key))),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// Gathers neighbours of one key.
pub struct Groups {
    sorted: Sorted,
    ahead: Option<(u128, Vec<u8>)>,
}

impl Groups {
    /// # Errors
    /// A temporary file cannot be read.
    pub fn of(mut sorted: Sorted) -> io::Result<Self> {
        let mut record = Vec::new();
        let ahead = sorted.next(&mut record)?.map(|key| (key, record));
        Ok(Self { sorted, ahead })
    }

    /// Begins anew.
    ///
    /// # Errors
    /// A temporary file cannot be read.
    pub fn rewind(&mut self) -> io::Result<()> {
        self.sorted.rewind()?;
        let mut record = Vec::new();
        self.ahead = self.sorted.next(&mut record)?.map(|key| (key, record));
        Ok(())
    }

    /// All records of the next key.
    ///
    /// # Errors
    /// A temporary file cannot be read.
    pub fn next_group(&mut self) -> io::Result<Option<(u128, Vec<Vec<u8>>)>> {
        let Some((key, first)) = self.ahead.take() else { return Ok(None) };
        let mut records = vec![first];
        loop {
            let mut record = Vec::new();
            match self.sorted.next(&mut record)? {
                Some(same) if same == key => records.push(record),
                Some(other) => {
                    self.ahead = Some((other, record));
                    return Ok(Some((key, records)));
                }
                None => return Ok(Some((key, records))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn drain(sorter: Sorter) -> Vec<(u128, Vec<u8>)> {
        let mut sorted = sorter.finish().unwrap();
        let (mut all, mut record) = (Vec::new(), Vec::new());
        while let Some(key) = sorted.next(&mut record).unwrap() {
            all.push((key, record.clone()));
        }
        all
    }

    proptest! {
        #[test]
        fn what_spills_to_disk_comes_out_as_if_it_had_not(
            records in proptest::collection::vec((0u128..40, proptest::collection::vec(any::<u8>(), 0..30)), 0..200),
        ) {
            let mut expected = records.clone();
            expected.sort_by_key(|(key, _)| *key);
            for run_bytes in [1, 200, 1 << 20] {
                let mut sorter = Sorter::with_run_bytes(run_bytes);
                for (key, record) in &records {
                    sorter.push(*key, record).unwrap();
                }
                prop_assert_eq!(drain(sorter), expected.clone());
            }
        }
    }

    #[test]
    fn groups_hold_all_records_of_a_key() {
        let mut sorter = Sorter::with_run_bytes(64);
        for number in 0..30u8 {
            sorter.push(u128::from(number % 3), &[number]).unwrap();
        }
        let mut groups = Groups::of(sorter.finish().unwrap()).unwrap();
        for key in 0..3 {
            let (found, records) = groups.next_group().unwrap().unwrap();
            assert_eq!((found, records.len()), (key, 10));
        }
        assert!(groups.next_group().unwrap().is_none());
        groups.rewind().unwrap();
        let again = groups.next_group().unwrap().map(|(found, records)| (found, records.len()));
        assert_eq!(again, Some((0, 10)));
    }
}
