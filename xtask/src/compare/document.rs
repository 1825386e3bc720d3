//! Writes the comparison as a table into docs/performance.md, between two marks. The text around
//! them is written by people.

use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result};

use super::Comparison;
use super::peers::{PAIRINGS, TONIC};
use super::row::{Cell, Row};
use crate::root;

const FILE: &str = "docs/performance.md";
const BEGIN: &str = "<!-- measured: begin -->\n";
const END: &str = "<!-- measured: end -->";

pub(super) fn write(comparison: &Comparison) -> Result<()> {
    let path = root().join(FILE);
    let text = fs::read_to_string(&path)?;
    fs::write(&path, replaced(&text, &markdown(comparison))?)?;
    println!("Wrote the tables into {FILE}");
    Ok(())
}

/// Returns the text with `table` between its marks.
fn replaced(text: &str, table: &str) -> Result<String> {
    let (before, rest) =
        text.split_once(BEGIN).with_context(|| format!("{FILE} has no mark for the beginning of the tables"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("{FILE} has no mark for the end of the tables"))?;
    Ok(format!("{before}{BEGIN}{table}{END}{after}"))
}

fn markdown(comparison: &Comparison) -> String {
    let mut text = String::from("\n| | |\n|---|---|\n");
    for (name, fact) in &comparison.machine.facts {
        line(&mut text, &[(*name).into(), fact.clone()]);
    }
    line(&mut text, &["rounds".into(), comparison.rounds.to_string()]);
    text.push('\n');
    let names = PAIRINGS.map(|pairing| pairing.name());
    let gain = "Rust with Rust over tonic".to_string();
    line(&mut text, &[&["median (p99; times better)".to_string()], &names[..], &[gain]].concat());
    text.push_str("|---|--:|--:|--:|--:|--:|--:|\n");
    for row in comparison.rows.iter().filter(|row| !row.is_alone()) {
        let cells = (0..row.cells.len()).map(|column| cell(row, column));
        let gain = row.gain_over_tonic().map_or_else(String::new, |gain| format!("{gain:.2}×"));
        line(&mut text, &[row.label.clone()].into_iter().chain(cells).chain([gain]).collect::<Vec<_>>());
    }
    let limits: Vec<_> = comparison.rows.iter().filter(|row| row.is_alone()).collect();
    if !limits.is_empty() {
        text.push_str("\n| limit of the machine | median (p99) |\n|---|--:|\n");
        limits.into_iter().for_each(|row| line(&mut text, &[row.label.clone(), cell(row, 0)]));
    }
    text.push('\n');
    text
}

fn cell(row: &Row, column: usize) -> String {
    match &row.cells[column] {
        Cell::Measured(series) if column == TONIC && series.median().is_none() => return String::new(),
        Cell::Cannot(_) if column == TONIC => return String::new(),
        Cell::Cannot(why) => return format!("not possible: {why}"),
        Cell::Measured(_) => {}
    }
    let show = |value: Option<f64>| value.map_or_else(|| "-".into(), |value| row.unit.show(value));
    let better = row.times_better(column).map_or_else(String::new, |ratio| format!("; {ratio:.1}×"));
    format!("{} ({}{better})", show(row.median(column)), show(row.p99(column)))
}

fn line(text: &mut String, cells: &[String]) {
    let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', r"\|")).collect();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_between_the_marks_is_replaced() {
        let text = format!("before\n{BEGIN}old\n{END}\nafter\n");
        let once = replaced(&text, "new\n").unwrap();
        assert_eq!(once, format!("before\n{BEGIN}new\n{END}\nafter\n"));
        assert_eq!(replaced(&once, "new\n").unwrap(), once);
        assert!(replaced("no marks", "new\n").is_err());
    }

    #[test]
    fn document_has_the_marks() {
        replaced(&fs::read_to_string(root().join(FILE)).unwrap(), "").unwrap();
    }
}
