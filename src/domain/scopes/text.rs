//! Reading a scope text, in whatever notation a host has stored it (docs/classes.md,
//! "Scope texts"). One text and its notations read alike, so the order of words, their case
//! and the wrapping around them never turn up in a result.

use super::catalogue::{Scope, catalogue};
use super::notation;
use super::set::ScopeSet;

/// How many notations may lie around each other, as in a JSON string that holds a JSON
/// array. What lies deeper is read as plain words.
const MAX_LAYERS: u8 = 8;

/// A scope text, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeText {
    /// The known scopes in it. Empty: the text is no evidence.
    pub set: ScopeSet,
    /// Unknown words in lower case, sorted, once each.
    pub unknown: Vec<String>,
    /// Words (known or not) that occur more than once, sorted, once each.
    pub repeated: Vec<String>,
}

impl ScopeText {
    /// Reads a text in any notation; never fails.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut words = Words::default();
        words.take(text, MAX_LAYERS);
        words.sorted()
    }
}

/// The words of a text as they come.
#[derive(Default)]
struct Words {
    known: ScopeSet,
    known_again: ScopeSet,
    unknown: Vec<String>,
}

impl Words {
    fn take(&mut self, text: &str, layers: u8) {
        let text = text.trim_matches(is_separator);
        if layers > 0
            && let Some(parts) = notation::parts(text)
        {
            for part in parts {
                self.take(&part, layers - 1);
            }
            return;
        }
        for chunk in text.split(is_separator) {
            for word in chunk.split("%20").filter(|word| !word.is_empty()) {
                self.add(word);
            }
        }
    }

    fn add(&mut self, word: &str) {
        match known(word) {
            Some(scope) if self.known.contains(scope) => self.known_again.insert(scope),
            Some(scope) => self.known.insert(scope),
            None => self.unknown.push(word.to_ascii_lowercase()),
        }
    }

    fn sorted(mut self) -> ScopeText {
        let mut repeated: Vec<String> =
            self.known_again.iter().map(|scope| scope.name().to_owned()).collect();
        self.unknown.sort_unstable();
        repeated.extend(
            self.unknown
                .chunk_by(|a, b| a == b)
                .filter(|run| run.len() > 1)
                .map(|run| run[0].clone()),
        );
        repeated.sort_unstable();
        self.unknown.dedup();
        ScopeText { set: self.known, unknown: self.unknown, repeated }
    }
}

/// The scope that a word names, whatever its ASCII case.
fn known(word: &str) -> Option<Scope> {
    if !word.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return catalogue().find(word);
    }
    catalogue().find(&word.to_ascii_lowercase())
}

/// White space as Unicode has it, the invisible characters of no width that copying from
/// web pages and spreadsheets leaves behind, and the separators of URLs and lists.
fn is_separator(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            ',' | '+' | '\u{200B}' | '\u{200C}' | '\u{200D}' | '\u{2060}' | '\u{FEFF}' | '\u{180E}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(text: &ScopeText) -> Vec<&'static str> {
        text.set.iter().map(Scope::name).collect()
    }

    #[test]
    fn one_list_reads_alike_in_every_notation() {
        let plain = ScopeText::read("accounting.settings openid balancesheets");
        assert_eq!(names(&plain), ["accounting.settings", "openid"]);
        assert_eq!(plain.unknown, ["balancesheets"]);
        for text in [
            "openid,accounting.settings,balancesheets",
            "openid+accounting.settings+balancesheets",
            "openid%20accounting.settings%20%20balancesheets",
            " \topenid\r\naccounting.settings\u{a0}balancesheets\u{3000}",
            "openid\u{200b}accounting.settings\u{2060}balancesheets\u{180e}",
            "openid\u{200c}\u{200d}accounting.settings\u{feff}balancesheets",
            "OpenID Accounting.Settings BALANCESHEETS",
            "\u{feff}[\"openid\", \"accounting.settings\", \"balancesheets\"]",
            "[\"openid accounting.settings\", [[\"balancesheets\"]], []]",
            "\"openid accounting.settings balancesheets\"",
            r#""[\"openid\",\"accounting.settings\",\"balancesheets\"]""#,
            r#""\"openid accounting.settings balancesheets\"""#,
            r#"["{openid,accounting.settings}","balancesheets"]"#,
            "{openid,accounting.settings,balancesheets}",
            "{\"openid\",\"accounting.settings balancesheets\"}",
            " {openid, accounting.settings, balancesheets}\n",
        ] {
            assert_eq!(ScopeText::read(text), plain, "{text:?}");
        }
    }

    #[test]
    fn a_word_that_is_not_to_the_letter_a_scope_counts_for_nothing() {
        for word in [
            "accounting.settings;openid",
            "accounting_settings",
            "accounting.settingsoffline_access",
            "'openid'",
            "open\u{ad}id",
            "offline_acce\u{17f}s",
            "{openid",
            "[openid]",
            "openid\0",
        ] {
            let text = ScopeText::read(word);
            assert!(text.set.is_empty(), "{word}");
            assert_eq!(text.unknown, [word]);
        }
    }

    #[test]
    fn a_text_without_words_is_empty_in_every_notation() {
        for text in
            ["", "  ", "\u{feff}", "[]", "[null]", "{}", "\"\"", "[\"\", []]", ",+%20", "{NULL}"]
        {
            assert_eq!(ScopeText::read(text), ScopeText::default(), "{text:?}");
        }
    }

    #[test]
    fn repeated_words_are_named_once_known_or_not() {
        let text = ScopeText::read("foo openid FOO files OPENID openid foo bar");
        assert_eq!(text.repeated, ["foo", "openid"]);
        assert_eq!(text.unknown, ["bar", "foo"]);
        assert_eq!(names(&text), ["files", "openid"]);
    }

    #[test]
    fn deep_wrapping_ends_in_words_and_never_in_an_overflow() {
        let mut text = "openid".to_owned();
        for _ in 0..7 {
            text = serde_json::to_string(&text).unwrap();
        }
        assert_eq!(names(&ScopeText::read(&text)), ["openid"]);
        text = serde_json::to_string(&serde_json::to_string(&text).unwrap()).unwrap();
        assert!(ScopeText::read(&text).set.is_empty());
    }

    /// Words as they come: scopes, and words that are none.
    fn words() -> impl Strategy<Value = Vec<String>> {
        let known: Vec<String> =
            catalogue().scopes().map(|scope| scope.name().to_owned()).collect();
        let word = prop_oneof![4 => proptest::sample::select(known), 1 => "[a-z_.:;'-]{1,12}"];
        proptest::collection::vec(word, 0..12)
    }

    #[derive(Clone, Copy, Debug)]
    enum Notation {
        Joined(&'static str),
        JsonArray,
        JsonString,
        JsonTwice,
        JsonPairs,
        Postgres,
        PostgresQuoted,
    }

    fn notation() -> impl Strategy<Value = Notation> {
        let joined = vec![" ", ",", "+", "%20", ", ", "\n", "\u{200b}", "\u{2003}", "\r\n", "%20+"];
        prop_oneof![
            proptest::sample::select(joined).prop_map(Notation::Joined),
            Just(Notation::JsonArray),
            Just(Notation::JsonString),
            Just(Notation::JsonTwice),
            Just(Notation::JsonPairs),
            Just(Notation::Postgres),
            Just(Notation::PostgresQuoted),
        ]
    }

    fn write(words: &[String], notation: Notation) -> String {
        let json = |value: &[String]| serde_json::to_string(value).unwrap();
        match notation {
            Notation::Joined(by) => words.join(by),
            Notation::JsonArray => json(words),
            Notation::JsonString => serde_json::to_string(&words.join(" ")).unwrap(),
            Notation::JsonTwice => serde_json::to_string(&json(words)).unwrap(),
            Notation::JsonPairs => {
                json(&words.chunks(2).map(|pair| pair.join(" ")).collect::<Vec<_>>())
            }
            Notation::Postgres => format!("{{{}}}", words.join(",")),
            Notation::PostgresQuoted => format!("{{\"{}\"}}", words.join("\",\"")),
        }
    }

    proptest! {
        #[test]
        fn order_case_and_notation_never_change_the_result(
            (words, shuffled) in words().prop_flat_map(|words| {
                (Just(words.clone()), Just(words).prop_shuffle())
            }),
            upper in proptest::collection::vec(any::<bool>(), 64),
            notation in notation(),
            bom in any::<bool>(),
        ) {
            let expected = ScopeText::read(&words.join(" "));
            let text = write(&shuffled, notation);
            prop_assert_eq!(&ScopeText::read(&text), &expected, "{}", &text);
                let cased: Vec<String> = shuffled
                .iter()
                .map(|word| {
                    let flip = |(c, up): (char, &bool)| if *up { c.to_ascii_uppercase() } else { c };
                    word.chars().zip(upper.iter().cycle()).map(flip).collect()
                })
                .collect();
            let text = format!("{}{}", if bom { "\u{feff}" } else { "" }, write(&cased, notation));
            prop_assert_eq!(&ScopeText::read(&text), &expected, "{}", &text);
        }

        #[test]
        fn whatever_the_text_reading_it_ends_and_its_lists_are_sorted_and_single(text in ".*") {
            let read = ScopeText::read(&text);
            prop_assert!(read.unknown.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(read.repeated.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(read.unknown.iter().all(|word| known(word).is_none()));
        }

        /// Brackets, quotes and escapes in any disorder.
        #[test]
        fn broken_notations_are_read_without_a_panic(text in r#"[\[\]{}",\\ a%20+nul:1-]{0,60}"#) {
            let read = ScopeText::read(&text);
            prop_assert!(read.set.is_empty());
        }
    }
}
