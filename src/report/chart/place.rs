//! Places for labels, so that none covers another.

/// A label that would like to be somewhere on a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wish {
    /// Where its middle would like to be.
    pub at: f64,
    /// How much room it takes.
    pub room: f64,
}

/// Moves labels apart as little as needed, all within `from` and `to`. Gives the middles, in the
/// order of the wishes. Where there is too little room they share what there is.
#[must_use]
pub fn apart(wishes: &[Wish], from: f64, to: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wishes.len()).collect();
    order.sort_by(|one, other| wishes[*one].at.total_cmp(&wishes[*other].at));
    let mut places = vec![0.0; wishes.len()];
    let mut end = from;
    for index in &order {
        let Wish { at, room } = wishes[*index];
        places[*index] = at.max(end + room / 2.0);
        end = places[*index] + room / 2.0;
    }
    let mut start = to;
    for index in order.iter().rev() {
        let Wish { room, .. } = wishes[*index];
        places[*index] = places[*index].min(start - room / 2.0);
        start = places[*index] - room / 2.0;
    }
    places
}

/// The row of each label where one line has no room for all: the first in which it covers no
/// other. `rows` is the most.
#[must_use]
pub fn rows(spans: &[(f64, f64)], rows: usize) -> Vec<usize> {
    const GAP: f64 = 6.0;
    let mut ends = vec![f64::NEG_INFINITY; rows.max(1)];
    spans
        .iter()
        .map(|(from, to)| {
            let free = ends.iter().position(|end| *end + GAP <= *from).unwrap_or_else(|| {
                let least = ends.iter().enumerate().min_by(|one, other| one.1.total_cmp(other.1));
                least.map_or(0, |(row, _)| row)
            });
            ends[free] = ends[free].max(*to);
            free
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_would_cover_each_other_move_apart_and_stay_inside() {
        let wish = |at| Wish { at, room: 10.0 };
        assert_eq!(apart(&[wish(20.0), wish(60.0)], 0.0, 100.0), [20.0, 60.0]);
        let places = apart(&[wish(98.0), wish(97.0), wish(1.0)], 0.0, 100.0);
        assert_eq!(places, [95.0, 85.0, 5.0]);
    }

    #[test]
    fn long_labels_take_turns_in_rows() {
        let spans = [(0.0, 50.0), (40.0, 90.0), (60.0, 120.0), (100.0, 150.0)];
        assert_eq!(rows(&spans, 2), [0, 1, 0, 1]);
        assert_eq!(rows(&[], 2), Vec::<usize>::new());
    }
}
