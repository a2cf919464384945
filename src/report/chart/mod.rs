//! Charts as inline SVG: drawn here and nowhere else. Colours and fonts come from the page's
//! style, so that a chart is right on paper and in the dark; every chart says in words what it
//! shows.

mod axis;
mod bars;
mod lines;
mod place;

pub use axis::{date_ticks, ticks};
pub use bars::{Bar, Bars};
pub use lines::{Band, Line, LineChart, Mark};

use std::fmt::Write as _;

/// Something to be written into SVG as text.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c if (c.is_control() && c != '\n') || c == '\u{fffe}' || c == '\u{ffff}' => {}
            c => escaped.push(c),
        }
    }
    escaped
}

/// The width of a text in the charts' font, near enough: in units of the drawing.
#[expect(clippy::cast_precision_loss, reason = "labels are short")]
fn width(text: &str, size: f64) -> f64 {
    0.56 * size * text.chars().count() as f64
}

/// A number as people write it, with its thousands apart.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Where the drawing begins: with its size, and its name and description for whoever cannot
/// see it.
fn begin(id: &str, (across, down): (f64, f64), title: &str, description: &str) -> String {
    let mut svg = String::new();
    let _ = write!(
        svg,
        "<svg class=\"chart {id}\" viewBox=\"0 0 {across} {down}\" role=\"img\" \
         aria-labelledby=\"{id}-title {id}-text\"><title id=\"{id}-title\">{}</title>\
         <desc id=\"{id}-text\">{}</desc>",
        escaped(title),
        escaped(description)
    );
    svg
}

/// A coordinate: a tenth of a unit is finer than anybody sees.
fn unit(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

fn text(svg: &mut String, class: &str, (x, y): (f64, f64), anchor: &str, words: &str) {
    let _ = write!(
        svg,
        "<text class=\"{class}\" x=\"{}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
        unit(x),
        unit(y),
        escaped(words)
    );
}

fn line(svg: &mut String, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
    let _ = write!(
        svg,
        "<line class=\"{class}\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>",
        unit(x1),
        unit(y1),
        unit(x2),
        unit(y2)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        let said = [0, 999, 1000, 1_234_567].map(grouped);
        assert_eq!(said, ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn no_text_ends_an_element_or_an_attribute() {
        assert_eq!(escaped("a<b>\"&\u{0}c"), "a&lt;b&gt;&quot;&amp;c");
    }
}
