//! What a thousand plugins of one host would take, on paper: straight lines through what fleets of
//! a few sizes took.

use super::peers::PAIRINGS;
use super::row::{Row, Unit};
use super::work::{FLEETS, fleet_name};

/// The fleet that is estimated.
pub(super) const FLEET: f64 = 1000.0;

/// A line through what was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Line {
    /// With no plugin.
    pub(super) base: f64,
    /// For each plugin.
    pub(super) slope: f64,
}

impl Line {
    /// The line of least squares; `None` for fewer than two different places.
    fn through(points: &[(f64, f64)]) -> Option<Self> {
        let count = points.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
        let (x, y) = (mean(|point| point.0), mean(|point| point.1));
        let squares: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
        let products: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
        let slope = products / squares;
        slope.is_finite().then_some(Self { base: y - slope * x, slope })
    }

    pub(super) fn at(self, x: f64) -> f64 {
        self.base + self.slope * x
    }
}

/// What is said of a thousand plugins, by pairing.
#[derive(Debug)]
pub(super) struct Estimate {
    pub(super) label: &'static str,
    pub(super) unit: Unit,
    pub(super) lines: [Option<Line>; PAIRINGS.len()],
}

/// How the labels of the rows end that estimates rest on.
const ESTIMATED: [(&str, &str, Unit); 6] = [
    ("idle: host's memory (Pss)", "host's memory (Pss)", Unit::Bytes),
    ("idle: plugins' memory (Pss)", "plugins' memory (Pss)", Unit::Bytes),
    ("idle: images that the host holds", "images that the host holds", Unit::Bytes),
    ("idle: host's descriptors", "host's descriptors", Unit::Pieces),
    ("idle: host's threads", "host's threads", Unit::Pieces),
    ("until all answered", "launched 8 at once, until all answered", Unit::Microseconds),
];

/// Nothing, unless fleets of at least two sizes were measured.
pub(super) fn estimates(rows: &[Row]) -> Vec<Estimate> {
    let estimates = ESTIMATED.map(|(ending, label, unit)| {
        let lines = std::array::from_fn(|column| {
            let points = FLEETS.into_iter().filter_map(|plugins| {
                let of_fleet = |row: &&Row| row.work == fleet_name(plugins) && row.label.ends_with(ending);
                Some((plugins as f64, rows.iter().find(of_fleet)?.median(column)?))
            });
            Line::through(&points.collect::<Vec<_>>())
        });
        Estimate { label, unit, lines }
    });
    estimates.into_iter().filter(|estimate| estimate.lines.iter().any(Option::is_some)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_through_points_that_lie_on_one() {
        let line = Line::through(&[(1.0, 5.0), (10.0, 23.0), (100.0, 203.0)]).unwrap();
        assert!((line.base - 3.0).abs() < 1e-9 && (line.slope - 2.0).abs() < 1e-9, "{line:?}");
        assert!((line.at(1000.0) - 2003.0).abs() < 1e-6);
        assert_eq!(Line::through(&[(1.0, 5.0)]), None);
        assert_eq!(Line::through(&[]), None);
    }

    #[test]
    fn what_is_estimated_is_what_fleets_measure() {
        let mut rows: Vec<_> = super::super::work::all(&super::super::work::Depth::new(true))
            .iter()
            .flat_map(|work| work.rows())
            .collect();
        assert!(estimates(&rows).is_empty());
        for row in &mut rows {
            let Some(plugins) = row.work.strip_prefix("fleet-").map(|number| number.parse::<f64>().unwrap()) else {
                continue;
            };
            let super::super::row::Cell::Measured(series) = &mut row.cells[0] else {
                panic!("nothing was measured yet")
            };
            series.add_round(vec![7.0 + 3.0 * plugins]);
        }
        let estimates = estimates(&rows);
        assert_eq!(estimates.len(), ESTIMATED.len());
        for estimate in estimates {
            assert!((estimate.lines[0].unwrap().at(FLEET) - 3007.0).abs() < 1e-6, "{}", estimate.label);
            assert_eq!(estimate.lines[1], None);
        }
    }
}
