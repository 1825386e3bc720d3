//! Plots the ratios: one line for each row, one dot for each pairing with go-plugin. Farther right
//! is better.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::prelude::*;

use super::Comparison;
use super::peers::{GO_WITH_GO, PAIRINGS};
use super::row::{Row, Unit};

const WIDTH: u32 = 1200;
const ROW_HEIGHT: u32 = 22;
const LABELS: u32 = 400;

/// Empty rows below the others, for the legend.
const FREE: u32 = 4;

const COLORS: [RGBColor; GO_WITH_GO] = [RGBColor(178, 34, 34), RGBColor(218, 145, 0), RGBColor(46, 110, 180)];

pub(super) fn write(comparison: &Comparison, path: &Path) -> Result<()> {
    let rows: Vec<_> = comparison.rows.iter().filter(|row| is_drawn(row)).collect();
    // Limits of the machine have no ratio.
    if rows.is_empty() {
        return Ok(());
    }
    draw(&rows, path).map_err(|error| anyhow!("{} cannot draw: {error}", path.display()))
}

/// Whether a row has a ratio, and shows more than its neighbours.
fn is_drawn(row: &Row) -> bool {
    let compared = (0..GO_WITH_GO).any(|column| row.times_better(column).is_some());
    compared && row.unit != Unit::Pieces && !row.label.contains("(Rss)")
}

fn draw(rows: &[&Row], path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let count = u32::try_from(rows.len())? + FREE;
    let area = SVGBackend::new(path, (WIDTH, 130 + count * ROW_HEIGHT)).into_drawing_area();
    area.fill(&WHITE)?;
    let (low, high) = range(rows);
    let mut chart = ChartBuilder::on(&area)
        .caption(
            "Times better than a go-plugin host with a go-plugin plugin (medians, logarithmic)",
            ("sans-serif", 18),
        )
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(LABELS)
        .build_cartesian_2d((low..high).log_scale().with_key_points(ticks(low, high)), (0..count).into_segmented())?;
    let label = |place: &SegmentValue<u32>| match place {
        // From top to bottom.
        SegmentValue::CenterOf(place) => {
            let row = place.checked_sub(FREE).and_then(|place| rows.iter().rev().nth(place as usize));
            row.map_or_else(String::new, |row| row.label.clone())
        }
        _ => String::new(),
    };
    chart
        .configure_mesh()
        .y_labels(count as usize * 2 + 1)
        .y_label_formatter(&label)
        .x_label_formatter(&|ratio| format!("{}×", (ratio * 1000.0).round() / 1000.0))
        .x_labels(60)
        .label_style(("sans-serif", 13))
        .light_line_style(BLACK.mix(0.06))
        .draw()?;
    chart.draw_series(LineSeries::new(
        [(1.0, SegmentValue::Exact(0)), (1.0, SegmentValue::Exact(count))],
        BLACK.stroke_width(2),
    ))?;
    for (column, color) in COLORS.into_iter().enumerate() {
        let dots = rows.iter().rev().zip(FREE..).filter_map(|(row, place)| {
            Some(Circle::new((row.times_better(column)?, SegmentValue::CenterOf(place)), 5, color.filled()))
        });
        chart
            .draw_series(dots)?
            .label(PAIRINGS[column].name())
            .legend(move |(x, y)| Circle::new((x + 8, y), 5, color.filled()));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE)
        .border_style(BLACK.mix(0.3))
        .draw()?;
    Ok(area.present()?)
}

/// One, two and five of each power of ten.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let powers = low.log10().floor() as i32..=high.log10().ceil() as i32;
    let ticks = powers.flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(power)));
    ticks.filter(|tick| (low..=high).contains(tick)).collect()
}

/// The range of all ratios.
fn range(rows: &[&Row]) -> (f64, f64) {
    let ratios = rows.iter().flat_map(|row| (0..GO_WITH_GO).filter_map(|column| row.times_better(column)));
    let (low, high) = ratios.fold((0.5, 2.0), |(low, high), ratio| (f64::min(low, ratio), f64::max(high, ratio)));
    (low * 0.8, high * 1.25)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_numbers_in_range() {
        let shown: Vec<_> = ticks(0.15, 12.0).into_iter().map(|tick| format!("{tick:.1}")).collect();
        assert_eq!(shown, ["0.2", "0.5", "1.0", "2.0", "5.0", "10.0"]);
    }
}
