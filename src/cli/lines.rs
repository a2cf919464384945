//! Lines of files that may be anything: logs, lists, exports.

use std::io::{self, BufRead, Read};

/// Bytes of a line that are read; memory must not grow with one that does not end.
pub(super) const LONGEST_LINE: usize = 1 << 20;

/// The next line without its end, cut where it is too long, or `None` after the last. Bytes
/// that are no text are replaced.
pub(super) fn next_line(input: &mut dyn BufRead) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    let mut within = Read::take(&mut *input, LONGEST_LINE as u64);
    if within.read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    if bytes.len() == LONGEST_LINE && !bytes.ends_with(b"\n") {
        input.skip_until(b'\n')?;
    }
    while bytes.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        bytes.pop();
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(mut input: &[u8]) -> Vec<String> {
        std::iter::from_fn(|| next_line(&mut input).unwrap()).collect()
    }

    #[test]
    fn a_line_ends_where_it_ends_and_a_long_one_is_cut() {
        assert_eq!(lines(b"a\r\n\nb\xff"), ["a", "", "b\u{fffd}"]);
        assert_eq!(lines(b""), Vec::<String>::new());
        let long = "x".repeat(LONGEST_LINE + 3);
        let read = lines(format!("{long}\nafter\n").as_bytes());
        assert_eq!((read[0].len(), read[1].as_str()), (LONGEST_LINE, "after"));
        let fits = "x".repeat(LONGEST_LINE);
        assert_eq!(lines(format!("{fits}\nafter").as_bytes())[1], "after");
    }
}
