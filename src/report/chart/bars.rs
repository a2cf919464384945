//! Bars, one below the other, each of parts that add up.

use std::fmt::Write as _;

use super::{begin, text, unit, width};

/// One bar.
#[derive(Clone, Debug)]
pub struct Bar {
    pub name: String,
    /// Written at its end.
    pub value: String,
    /// Class and size of each part.
    pub parts: Vec<(&'static str, u64)>,
}

/// A chart of bars.
#[derive(Clone, Debug)]
pub struct Bars {
    pub title: String,
    /// What it shows, in a sentence.
    pub description: String,
    pub bars: Vec<Bar>,
}

const FONT: f64 = 12.0;
const HEIGHT: f64 = 16.0;
const GAP: f64 = 10.0;

impl Bars {
    /// Draws it `across` units wide and as high as it needs to be: names stand before the bars
    /// where there is room, else above them.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    pub fn svg(&self, id: &str, across: f64) -> String {
        let is_wide = across > 500.0;
        let widest = |of: &dyn Fn(&Bar) -> f64| self.bars.iter().map(of).fold(0.0, f64::max);
        let names = widest(&|bar| width(&bar.name, FONT)).min(across * 0.35);
        let values = widest(&|bar| width(&bar.value, FONT)) + 8.0;
        let left = if is_wide { names + 10.0 } else { 0.0 };
        let above = if is_wide { 0.0 } else { 17.0 };
        let room = (across - left - if is_wide { values } else { 2.0 }).max(20.0);
        let whole = |bar: &Bar| bar.parts.iter().map(|(_, size)| *size).sum::<u64>();
        let most = self.bars.iter().map(whole).max().unwrap_or_default().max(1) as f64;
        let each = HEIGHT + GAP + above;
        let down = each * self.bars.len().max(1) as f64;
        let mut svg = begin(id, (across, down), &self.title, &self.description);
        for (place, bar) in self.bars.iter().enumerate() {
            let top = each * place as f64 + GAP / 2.0 + above;
            let mut x = left;
            for (class, size) in &bar.parts {
                let long = room * *size as f64 / most;
                if long > 0.0 {
                    let _ = write!(
                        svg,
                        "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" \
                         height=\"{HEIGHT}\"/>",
                        unit(x),
                        unit(top),
                        unit(long.max(0.5))
                    );
                }
                x += long;
            }
            if is_wide {
                text(&mut svg, "name", (left - 8.0, top + 12.0), "end", &fitting(&bar.name, names));
                text(&mut svg, "value", (x + 6.0, top + 12.0), "start", &bar.value);
            } else {
                let name = fitting(&bar.name, across - values - 8.0);
                text(&mut svg, "name", (0.0, top - 5.0), "start", &name);
                text(&mut svg, "value", (across - 2.0, top - 5.0), "end", &bar.value);
            }
        }
        svg.push_str("</svg>");
        svg
    }
}

/// As much of a name as there is room for.
fn fitting(name: &str, room: f64) -> String {
    if width(name, FONT) <= room + 0.5 {
        return name.to_owned();
    }
    let mut short = String::new();
    for c in name.chars() {
        if width(&short, FONT) + width("…m", FONT) > room {
            break;
        }
        short.push(c);
    }
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bars(name: &str) -> Bars {
        let bar = |name: &str, ready| Bar {
            name: name.into(),
            value: format!("{ready} of 100"),
            parts: vec![("ready", ready), ("awaiting", 100 - ready)],
        };
        Bars {
            title: "Stages".into(),
            description: "Two of them.".into(),
            bars: vec![bar(name, 20), bar("reminder", 0)],
        }
    }

    #[test]
    fn a_part_of_nothing_is_not_drawn_and_names_stand_above_on_a_phone() {
        let svg = bars("invitation").svg("bars", 760.0);
        assert_eq!(svg.matches("<rect").count(), 3);
        let narrow = bars("invitation").svg("bars", 360.0);
        assert!(narrow.contains("<text class=\"name\" x=\"0\""), "{narrow}");
    }

    #[test]
    fn a_long_name_is_cut_and_none_is_no_trouble() {
        let svg = bars(&"very ".repeat(60)).svg("bars", 360.0);
        assert!(svg.contains('…') && !svg.contains(&"very ".repeat(20)), "{svg}");
        let none = Bars { bars: Vec::new(), ..bars("x") }.svg("bars", 360.0);
        assert!(!none.contains("NaN"), "{none}");
    }
}
