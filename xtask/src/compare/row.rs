//! One row of the comparison: a measurement with its unit, for each pairing, and its ratio to Go's.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use super::peers::{GO_WITH_GO, PAIRINGS, RUST_WITH_RUST, TONIC};
use super::series::Series;

/// Samples, by the name of the metric.
pub(super) type Metrics = BTreeMap<String, Vec<f64>>;

/// The unit of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Microseconds,
    PerSecond,
    BytesPerSecond,
    Bytes,
    Pieces,
}

impl Unit {
    pub(super) fn more_is_better(self) -> bool {
        matches!(self, Self::PerSecond | Self::BytesPerSecond)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Microseconds => "us",
            Self::PerSecond => "per_second",
            Self::BytesPerSecond => "bytes_per_second",
            Self::Bytes => "bytes",
            Self::Pieces => "pieces",
        }
    }

    /// Formats a number with three significant digits and its unit.
    pub(super) fn show(self, value: f64) -> String {
        let steps: &[(f64, &str)] = match self {
            Self::Microseconds => &[(1e6, "s"), (1e3, "ms"), (1.0, "µs")],
            Self::PerSecond => &[(1e6, "M/s"), (1e3, "k/s"), (1.0, "/s")],
            Self::BytesPerSecond => &[(1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s")],
            Self::Bytes => &[(1024.0 * 1024.0 * 1024.0, "GiB"), (1024.0 * 1024.0, "MiB"), (1024.0, "KiB")],
            Self::Pieces => &[(1.0, "")],
        };
        let last = steps.len() - 1;
        let (size, name) = steps.iter().find(|(size, _)| value >= *size).unwrap_or(&steps[last]);
        let value = value / size;
        let decimals = if self == Self::Pieces || value >= 100.0 {
            0
        } else if value >= 10.0 {
            1
        } else {
            2
        };
        format!("{value:.decimals$} {name}").trim_end().to_string()
    }
}

/// The measurements of one row and pairing.
#[derive(Debug, Clone)]
pub(super) enum Cell {
    Measured(Series),
    /// This pairing does not support the work.
    Cannot(String),
}

/// One row of the comparison, with a cell for each pairing; or a limit of the machine, with one
/// cell.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) work: String,
    pub(super) label: String,
    pub(super) unit: Unit,
    /// Printed below the row.
    pub(super) note: Option<&'static str>,
    pub(super) cells: Vec<Cell>,
    metric: &'static str,
    scale: f64,
}

impl Row {
    /// A row of `work` that collects the samples of `metric`.
    pub(super) fn new(work: &str, label: impl Into<String>, unit: Unit, metric: &'static str) -> Self {
        let cells = vec![Cell::Measured(Series::default()); PAIRINGS.len()];
        Self { work: work.into(), label: label.into(), unit, note: None, cells, metric, scale: 1.0 }
    }

    /// Multiplies each sample by `scale`.
    pub(super) fn scaled(mut self, scale: f64) -> Self {
        self.scale = scale;
        self
    }

    pub(super) fn with_note(mut self, note: &'static str) -> Self {
        self.note = Some(note);
        self
    }

    /// Makes it a limit of the machine, which belongs to no pairing.
    pub(super) fn alone(mut self) -> Self {
        self.cells.truncate(1);
        self
    }

    pub(super) fn is_alone(&self) -> bool {
        self.cells.len() == 1
    }

    pub(super) fn add_round(&mut self, column: usize, metrics: &Metrics) -> Result<()> {
        let samples = metrics.get(self.metric);
        let samples = samples.with_context(|| format!("{}: no samples of {}", self.work, self.metric))?;
        let samples = samples.iter().map(|sample| sample * self.scale).collect();
        if let Cell::Measured(series) = &mut self.cells[column] {
            series.add_round(samples);
        }
        Ok(())
    }

    pub(super) fn median(&self, column: usize) -> Option<f64> {
        match self.cells.get(column)? {
            Cell::Measured(series) => series.median(),
            Cell::Cannot(_) => None,
        }
    }

    /// The sample that one in a hundred is worse than.
    pub(super) fn p99(&self, column: usize) -> Option<f64> {
        match self.cells.get(column)? {
            Cell::Measured(series) => series.quantile(if self.unit.more_is_better() { 0.01 } else { 0.99 }),
            Cell::Cannot(_) => None,
        }
    }

    /// How many times better than the Go host with the Go plugin; below 1 it is worse.
    pub(super) fn times_better(&self, column: usize) -> Option<f64> {
        self.ratio(column, GO_WITH_GO)
    }

    /// How many times better our pair is than the same calls over tonic's transport.
    pub(super) fn gain_over_tonic(&self) -> Option<f64> {
        self.ratio(RUST_WITH_RUST, TONIC)
    }

    fn ratio(&self, column: usize, base: usize) -> Option<f64> {
        let (own, base) = (self.median(column)?, self.median(base)?);
        let ratio = if self.unit.more_is_better() { own / base } else { base / own };
        // A median of zero gives no ratio.
        (ratio.is_finite() && ratio > 0.0).then_some(ratio)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(unit: Unit, medians: [f64; PAIRINGS.len()]) -> Row {
        let mut row = Row::new("work", "label", unit, "metric").scaled(2.0);
        for (column, median) in medians.into_iter().enumerate() {
            row.add_round(column, &Metrics::from([("metric".into(), vec![median])])).unwrap();
        }
        row
    }

    #[test]
    fn better_is_less_time_or_more_per_second() {
        let medians = [1.0, 2.0, 4.0, 4.0, 3.0];
        let (times, rates) = (row(Unit::Microseconds, medians), row(Unit::PerSecond, medians));
        assert_eq!([0, 1, 3].map(|column| times.times_better(column)), [Some(4.0), Some(2.0), Some(1.0)]);
        assert_eq!([0, 1, 3].map(|column| rates.times_better(column)), [Some(0.25), Some(0.5), Some(1.0)]);
        assert_eq!((times.gain_over_tonic(), rates.gain_over_tonic()), (Some(3.0), Some(1.0 / 3.0)));
        assert_eq!(times.median(2), Some(8.0));
    }

    #[test]
    fn numbers_are_displayed_with_a_fitting_unit() {
        let shown = [
            Unit::Microseconds.show(4211.7),
            Unit::Microseconds.show(0.5),
            Unit::PerSecond.show(33_000.0),
            Unit::BytesPerSecond.show(940e6),
            Unit::Bytes.show(3.5 * 1024.0 * 1024.0),
            Unit::Pieces.show(12.0),
        ];
        assert_eq!(shown, ["4.21 ms", "0.50 µs", "33.0 k/s", "940 MB/s", "3.50 MiB", "12"]);
    }

    #[test]
    fn host_without_expected_metric_is_an_error() {
        let mut row = Row::new("work", "label", Unit::Pieces, "metric");
        assert!(row.add_round(0, &Metrics::new()).is_err());
    }
}
