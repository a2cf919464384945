//! How a value becomes a part of HTML: as its text, whatever characters it has.

use minijinja::value::ValueKind;
use minijinja::{AutoEscape, Error, Output, State, Value};

/// As the engine's own, which also replaces `/`: link checkers and filters between here and
/// the reader look for addresses in the source and know them by their slashes.
pub fn format(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let is_text = value.kind() == ValueKind::String && !value.is_safe();
    match value.as_str().filter(|_| is_text && *state.auto_escape() == AutoEscape::Html) {
        Some(text) => out.write_str(&escaped(text)).map_err(Error::from),
        None => minijinja::escape_formatter(out, state, value),
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#x27;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_end_a_text_or_an_attribute_is_replaced_and_addresses_stay_whole() {
        assert_eq!(escaped("</a> \"x\" 'y' & z"), "&lt;/a&gt; &quot;x&quot; &#x27;y&#x27; &amp; z");
        assert_eq!(escaped("https://books.example/a?b=c"), "https://books.example/a?b=c");
    }
}
