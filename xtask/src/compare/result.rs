//! Writes the comparison as JSON, with every sample.

use serde_json::{Map, Value, json};

use super::Comparison;
use super::peers::PAIRINGS;
use super::row::{Cell, Row};

pub(super) fn json(comparison: &Comparison) -> Value {
    let machine: Map<_, _> =
        comparison.machine.facts.iter().map(|(name, fact)| ((*name).into(), json!(fact))).collect();
    json!({
        "format": "portcullis-bench/1",
        "machine": machine,
        "rounds": comparison.rounds,
        "pairings": PAIRINGS.map(|pairing| pairing.name()),
        "rows": comparison.rows.iter().map(row).collect::<Vec<_>>(),
    })
}

fn row(row: &Row) -> Value {
    let cells = row.cells.iter().enumerate().map(|(column, cell)| match cell {
        Cell::Cannot(why) => json!({ "cannot": why }),
        Cell::Measured(series) => json!({
            "median": row.median(column),
            "p99": row.p99(column),
            "spread": series.spread(),
            "times_better": row.times_better(column),
            "rounds": series.rounds(),
        }),
    });
    json!({
        "work": row.work,
        "label": row.label,
        "unit": row.unit.name(),
        "more_is_better": row.unit.more_is_better(),
        "note": row.note,
        "gain_over_tonic": row.gain_over_tonic(),
        "cells": cells.collect::<Vec<_>>(),
    })
}
