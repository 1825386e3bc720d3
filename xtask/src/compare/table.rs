//! Prints the comparison as text for a terminal.

use std::fmt::Write;

use super::Comparison;
use super::peers::{PAIRINGS, TONIC};
use super::row::{Cell, Row};

/// Printed once, below the numbers.
const LEGEND: &str = "\
\"better\" is how many times better than the Go host with the Go plugin, by the medians: 2.0 is half the time or memory, or twice the rate.
p99 is the sample that one in a hundred is worse than; with fewer than a hundred samples it is nearly the worst one.
\"rounds\" are the smallest and the largest of the rounds' medians.";

pub(super) fn text(comparison: &Comparison) -> String {
    let mut text = String::new();
    for (name, fact) in &comparison.machine.facts {
        line(&mut text, format_args!("{name:<20} {fact}"));
    }
    line(&mut text, format_args!("{:<20} {}", "rounds", comparison.rounds));
    line(
        &mut text,
        format_args!("\n{:<48} {:>12} {:>12} {:>25} {:>8} {:>8}", "", "median", "p99", "rounds", "samples", "better"),
    );
    let (limits, works): (Vec<_>, Vec<_>) = comparison.rows.iter().partition(|row| row.is_alone());
    for row in works {
        of_pairings(&mut text, row);
    }
    if !limits.is_empty() {
        line(&mut text, format_args!("Limits of the machine"));
        limits.into_iter().for_each(|row| cell(&mut text, &row.label, row, 0));
    }
    line(&mut text, format_args!("\n{LEGEND}"));
    text
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}

fn of_pairings(text: &mut String, row: &Row) {
    line(text, format_args!("{}", row.label));
    for (column, pairing) in PAIRINGS.into_iter().enumerate() {
        // tonic has rows for calls only. To print in each other row that it cannot adds nothing.
        if column != TONIC || row.median(column).is_some() {
            cell(text, &pairing.name(), row, column);
        }
    }
    if let Some(gain) = row.gain_over_tonic() {
        line(text, format_args!("  our pair is {gain:.2} times better than tonic's channel and server"));
    }
    if let Some(note) = row.note {
        line(text, format_args!("  ({note})"));
    }
}

fn cell(text: &mut String, name: &str, row: &Row, column: usize) {
    let series = match &row.cells[column] {
        Cell::Cannot(why) => return line(text, format_args!("  {name:<46} not possible: {why}")),
        Cell::Measured(series) => series,
    };
    let show = |value: Option<f64>| value.map_or_else(|| "-".into(), |value| row.unit.show(value));
    let spread = match series.spread() {
        Some((low, high)) if series.rounds().len() > 1 => format!("{} … {}", row.unit.show(low), row.unit.show(high)),
        _ => "-".into(),
    };
    let better = row.times_better(column).map_or_else(String::new, |ratio| format!("{ratio:.2}"));
    line(
        text,
        format_args!(
            "  {name:<46} {:>12} {:>12} {spread:>25} {:>8} {better:>8}",
            show(row.median(column)),
            show(row.p99(column)),
            series.count(),
        ),
    );
}
