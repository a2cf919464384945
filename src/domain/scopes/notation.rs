//! The notations that lists of scopes are stored in: JSON and the array text of PostgreSQL.

use serde_json::Value;

/// What a text holds when it is a JSON array, a JSON string or a PostgreSQL array: the
/// texts inside, one layer down. `None` when it is none of them, and so plain words.
pub(super) fn parts(text: &str) -> Option<Vec<String>> {
    match text.as_bytes().first()? {
        b'[' => {
            let mut parts = Vec::new();
            strings(serde_json::from_str(text).ok()?, &mut parts)?;
            Some(parts)
        }
        b'"' => Some(vec![serde_json::from_str(text).ok()?]),
        b'{' => postgres_array(text),
        _ => None,
    }
}

/// Collects the strings of nested arrays. A number or truth value is a word like any other
/// (an unknown one); an object is no list of scopes, nor is what contains one.
fn strings(value: Value, into: &mut Vec<String>) -> Option<()> {
    match value {
        Value::Null => {}
        Value::String(text) => into.push(text),
        Value::Array(items) => {
            for item in items {
                strings(item, into)?;
            }
        }
        Value::Object(_) => return None,
        other => into.push(other.to_string()),
    }
    Some(())
}

/// `{a,"b c",{d}}`, as PostgreSQL writes `text[]`: an element is quoted when it has to be,
/// with a backslash before what would end it. `NULL` without quotes is no element.
/// A JSON object is refused, for after its quotes comes a colon.
fn postgres_array(text: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut depth = 0_usize;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '{' if plain.trim().is_empty() => depth += 1,
            '}' => {
                close(&mut plain, &mut parts);
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return chars.all(char::is_whitespace).then_some(parts);
                }
            }
            ',' => close(&mut plain, &mut parts),
            '"' if plain.trim().is_empty() => {
                parts.push(quoted(&mut chars)?);
                while chars.next_if(|c| c.is_whitespace()).is_some() {}
                if !matches!(chars.peek(), Some(',' | '}')) {
                    return None;
                }
            }
            '"' | '{' => return None,
            _ => plain.push(c),
        }
    }
    None
}

/// Ends an unquoted element.
fn close(plain: &mut String, parts: &mut Vec<String>) {
    let element = std::mem::take(plain);
    if !element.trim().is_empty() && !element.trim().eq_ignore_ascii_case("null") {
        parts.push(element);
    }
}

/// The rest of a quoted element, up to and with its closing quote.
fn quoted(chars: &mut impl Iterator<Item = char>) -> Option<String> {
    let mut element = String::new();
    loop {
        match chars.next()? {
            '"' => return Some(element),
            '\\' => element.push(chars.next()?),
            c => element.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Vec<String>> {
        parts(text)
    }

    #[test]
    fn lists_are_taken_apart_and_plain_texts_are_left_alone() {
        for (text, inside) in [
            (r#"["a", "b c"]"#, Some(vec!["a", "b c"])),
            (r#"[["a"], [["b"], []], null]"#, Some(vec!["a", "b"])),
            (r#"[1, true, "a"]"#, Some(vec!["1", "true", "a"])),
            (r#""a b""#, Some(vec!["a b"])),
            (r#""[\"a\"]""#, Some(vec![r#"["a"]"#])),
            ("{}", Some(vec![])),
            ("{a,b}", Some(vec!["a", "b"])),
            ("{{a},{b}}", Some(vec!["a", "b"])),
            (r#"{ "a b" ,NULL,"NULL"}"#, Some(vec!["a b", "NULL"])),
            (r#"{"a\"b\\c"}"#, Some(vec![r#"a"b\c"#])),
            ("", None),
            ("a b", None),
            ("[a, b]", None),
            (r#"["a""#, None),
            (r#"[{"scope":"a"}]"#, None),
            (r#"{"scope":"a"}"#, None),
            (r#"{a"b"}"#, None),
            (r#"{"a"b}"#, None),
            (r#"{"a}"#, None),
            ("{a{b}}", None),
            ("{a}}", None),
            ("{a} b", None),
            ("{a", None),
            (r#""a" "b""#, None),
        ] {
            let inside = inside.map(|words| words.into_iter().map(str::to_owned).collect());
            assert_eq!(read(text), inside, "{text}");
        }
    }

    #[test]
    fn nesting_without_end_is_no_notation_and_no_overflow() {
        assert_eq!(read(&"[".repeat(1 << 20)), None);
        assert_eq!(read(&"{".repeat(1 << 20)), None);
        assert_eq!(read(&format!("{}{}", "[".repeat(200), "]".repeat(200))), None);
    }
}
