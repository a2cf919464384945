//! What templates see of a prompt: its facts as people read them, with nothing in them that
//! could break out of its place (docs/messages.md, "What a template knows").

use chrono::{DateTime, Datelike, Timelike, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use super::render::Look;
use crate::domain::digest::{Digest, DigestConnection};

/// The data of one message.
#[derive(Serialize)]
pub(super) struct View<'a> {
    app: &'a str,
    company: &'a str,
    colour: &'a str,
    on_colour: &'static str,
    contact: &'a str,
    support_url: Option<&'a str>,
    language: &'a str,
    stage: &'a str,
    is_final: bool,
    name: Option<String>,
    deadline: Moment,
    deadline_before: Option<Moment>,
    removal_from: Option<Moment>,
    links_until: Moment,
    grants: Vec<GrantView>,
    /// Connections shown.
    shown: u64,
    not_shown: u64,
    /// Both.
    total: u64,
    reference: String,
}

/// One consent, and so one link.
#[derive(Serialize)]
struct GrantView {
    link: String,
    connections: Vec<ConnectionView>,
}

#[derive(Serialize)]
struct ConnectionView {
    name: Option<String>,
    account: Option<String>,
}

/// A point in time by the recipient's own calendar and clock.
#[derive(Serialize)]
struct Moment {
    year: i32,
    month: u32,
    day: u32,
    /// 1 is Monday.
    weekday: u32,
    hour: u32,
    minute: u32,
    /// `2027-09-13`
    date: String,
    /// `Pacific/Auckland`
    zone: &'static str,
}

impl Moment {
    fn of(at: DateTime<Utc>, zone: Tz) -> Self {
        let local = at.with_timezone(&zone);
        Self {
            year: local.year(),
            month: local.month(),
            day: local.day(),
            weekday: local.weekday().number_from_monday(),
            hour: local.hour(),
            minute: local.minute(),
            date: local.format("%Y-%m-%d").to_string(),
            zone: zone.name(),
        }
    }
}

impl<'a> View<'a> {
    /// `links` has one for each of the prompt's grants, in their order.
    pub(super) fn of(
        look: &'a Look,
        digest: &'a Digest,
        language: &'a str,
        links: Vec<String>,
    ) -> Self {
        let moment = |at| Moment::of(at, digest.zone);
        let shown = digest.connections().count() as u64;
        Self {
            app: &look.app,
            company: &look.company,
            colour: &look.colour,
            on_colour: legible_on(&look.colour),
            contact: look.reply_to.as_ref().unwrap_or(&look.from).address.given(),
            support_url: look.support_url.as_deref(),
            language,
            stage: &digest.stage,
            is_final: digest.is_final,
            name: digest.name.as_deref().and_then(|name| plain(name, MAX_PERSON)),
            deadline: moment(digest.deadline),
            deadline_before: digest.deadline_before.map(moment),
            removal_from: digest.removal_from.map(moment),
            links_until: moment(digest.links_until),
            grants: digest
                .grants
                .iter()
                .zip(links)
                .map(|(grant, link)| GrantView {
                    link,
                    connections: grant.connections.iter().map(ConnectionView::of).collect(),
                })
                .collect(),
            shown,
            not_shown: digest.not_shown,
            total: shown.saturating_add(digest.not_shown),
            reference: digest.reference(),
        }
    }
}

impl ConnectionView {
    fn of(connection: &DigestConnection) -> Self {
        let text = |text: &Option<String>| text.as_deref().and_then(|text| plain(text, MAX_NAME));
        Self { name: text(&connection.tenant_name), account: text(&connection.account) }
    }
}

/// Characters of a company's name: longer ones are cut, so that a line stays one.
const MAX_NAME: usize = 120;
/// Characters of a person's name.
const MAX_PERSON: usize = 80;

/// A name as one piece of a line: without control characters and line ends, without the
/// marks that turn the direction of what comes after it, and of bounded length. `None` when
/// nothing is left.
pub(super) fn plain(text: &str, longest: usize) -> Option<String> {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}');
    let invisible = |c: char| matches!(c, '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{ad}');
    let visible: String = text
        .chars()
        .filter(|c| !turns(*c) && !invisible(*c))
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let words: Vec<&str> = visible.split_whitespace().collect();
    let line = words.join(" ");
    if line.chars().count() <= longest {
        return Some(line).filter(|line| !line.is_empty());
    }
    let kept: String = line.chars().take(longest - 1).collect();
    Some(format!("{}…", kept.trim_end()))
}

/// Black or white, whichever can be read better on `#rrggbb`: by relative luminance, as in
/// WCAG 2.2, "contrast ratio".
fn legible_on(colour: &str) -> &'static str {
    let channel = |at: usize| {
        let value = colour.get(at..at + 2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let value = f64::from(value.unwrap_or_default()) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    let luminance = 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
    let (on_white, on_black) = (1.05 / (luminance + 0.05), (luminance + 0.05) / 0.05);
    if on_white >= on_black { "#ffffff" } else { "#000000" }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_one_piece_of_one_line() {
        assert_eq!(
            plain(" Jo \r\nBcc: x@y.example\t ", 80).as_deref(),
            Some("Jo Bcc: x@y.example")
        );
        assert_eq!(plain("\u{202e}live\u{202c} Ltd", 80).as_deref(), Some("live Ltd"));
        assert_eq!(plain("\u{200b}\n \u{feff}", 80), None);
        assert_eq!(plain(&"é".repeat(500), 120).map(|name| name.chars().count()), Some(120));
        // What joins emoji and letters of some scripts stays.
        assert_eq!(
            plain("👩\u{200d}🌾 می\u{200c}خواهم", 80).as_deref(),
            Some("👩\u{200d}🌾 می\u{200c}خواهم")
        );
    }

    #[test]
    fn letters_on_a_button_can_be_read() {
        assert_eq!(legible_on("#1f5fa8"), "#ffffff");
        assert_eq!(legible_on("#ffd400"), "#000000");
        assert_eq!(legible_on("nonsense"), "#ffffff");
    }

    #[test]
    fn midnight_in_auckland_is_the_day_before_in_london() {
        let deadline = "2027-09-12T12:00:00Z".parse().unwrap();
        let auckland = Moment::of(deadline, chrono_tz::Pacific::Auckland);
        assert_eq!((auckland.date.as_str(), auckland.weekday, auckland.hour), ("2027-09-13", 1, 0));
        let london = Moment::of(deadline, chrono_tz::Europe::London);
        assert_eq!((london.date.as_str(), london.weekday, london.hour), ("2027-09-12", 7, 13));
    }

    proptest! {
        #[test]
        fn no_name_is_longer_than_its_place_or_has_a_line_end(name in ".*", longest in 1_usize..200) {
            if let Some(name) = plain(&name, longest) {
                prop_assert!(!name.is_empty() && name.chars().count() <= longest);
                prop_assert!(!name.contains(char::is_control), "{:?}", name);
            }
        }
    }
}
