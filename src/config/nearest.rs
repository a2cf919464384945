//! What a misspelt word was probably meant to be.

/// The likeliest of some words, if one is like it at all: at most a third of it, and at
/// least one letter, may be added, left out, swapped or another.
pub(super) fn nearest<'w>(word: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let word = word.to_lowercase();
    let allowed = (word.chars().count() / 3).max(1);
    words
        .map(|known| (strsim::osa_distance(&word, &known.to_lowercase()), known))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let words = ["max_per_run", "max_per_day", "ramp"];
        assert_eq!(nearest("max_per_dya", words.into_iter()), Some("max_per_day"));
        assert_eq!(nearest("Ramp", words.into_iter()), Some("ramp"));
        assert_eq!(nearest("approvers", words.into_iter()), None);
    }
}
