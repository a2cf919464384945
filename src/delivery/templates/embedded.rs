//! The templates that are part of the program, in English.

/// The language they are in.
pub const LANGUAGE: &str = "en";

macro_rules! embedded {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("en/", $name)))),*]
    };
}

/// Names and sources.
pub const FILES: &[(&str, &str)] = embedded! {
    "closing.html.j2"
    "closing.txt.j2"
    "connections.html.j2"
    "connections.txt.j2"
    "correction.html.j2"
    "correction.subject.txt.j2"
    "correction.txt.j2"
    "crossed.html.j2"
    "crossed.subject.txt.j2"
    "crossed.txt.j2"
    "final-notice.html.j2"
    "final-notice.subject.txt.j2"
    "final-notice.txt.j2"
    "good-to-know.html.j2"
    "good-to-know.txt.j2"
    "invitation.html.j2"
    "invitation.subject.txt.j2"
    "invitation.txt.j2"
    "layout.html.j2"
    "reminder.html.j2"
    "reminder.subject.txt.j2"
    "reminder.txt.j2"
    "removed-last.html.j2"
    "removed-last.subject.txt.j2"
    "removed-last.txt.j2"
    "removed-reminder.html.j2"
    "removed-reminder.subject.txt.j2"
    "removed-reminder.txt.j2"
    "removed.html.j2"
    "removed.subject.txt.j2"
    "removed.txt.j2"
    "stopped.html.j2"
    "stopped.subject.txt.j2"
    "stopped.txt.j2"
    "why.txt.j2"
    "words.j2"
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_file_in_the_folder_is_embedded() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/delivery/templates/en");
        let there: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(there, FILES.iter().map(|(name, _)| (*name).to_owned()).collect());
    }
}
