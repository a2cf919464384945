//! Language tags, as people's systems write them: `de`, `de-AT` (BCP 47).

/// `de_AT.UTF-8`, `de-at` and `DE-AT` are one; `None` for what is no tag.
#[must_use]
pub fn tag(text: &str) -> Option<String> {
    let text = text.trim().split(['.', '@']).next()?.replace('_', "-").to_ascii_lowercase();
    let is_part = |part: &str| {
        (1..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric())
    };
    let mut parts = text.split('-');
    let language = parts.next()?;
    let is_language = (2..=3).contains(&language.len())
        && language.chars().all(|c| c.is_ascii_lowercase())
        && parts.all(is_part);
    is_language.then_some(text)
}

/// A tag and its shorter forms: `de-at`, `de`.
pub fn shorter(tag: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(tag), |tag| tag.rsplit_once('-').map(|(before, _)| before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_language_are_one_tag() {
        for text in ["de-AT", "de_at", " DE_AT.UTF-8 ", "de-AT@euro"] {
            assert_eq!(tag(text).as_deref(), Some("de-at"), "{text}");
        }
        for text in ["", "C", "../de", "de/AT", "deutsch", "de-", "x-klingon", "日本"] {
            assert_eq!(tag(text), None, "{text}");
        }
        assert_eq!(shorter("zh-hant-tw").collect::<Vec<_>>(), ["zh-hant-tw", "zh-hant", "zh"]);
    }
}
