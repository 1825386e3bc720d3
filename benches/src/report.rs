//! The lines that the hosts print, and the line that they wait for. The formats are in
//! `bin/bench-host/main.rs`.

use std::io::{self, BufRead, Write};
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

/// Prints how long each repetition took.
///
/// # Errors
///
/// When standard output fails.
pub fn times(metric: &str, samples: &[Duration]) -> Result<()> {
    let samples: Vec<_> = samples.iter().map(|sample| sample.as_secs_f64() * 1e6).collect();
    print(&json!({ "metric": metric, "unit": "us", "samples": samples }))
}

/// Prints the rate of each repetition, per second.
///
/// # Errors
///
/// When standard output fails.
pub fn rates(metric: &str, samples: &[f64]) -> Result<()> {
    print(&json!({ "metric": metric, "unit": "per_second", "samples": samples }))
}

/// Prints that this host does not support the work.
///
/// # Errors
///
/// When standard output fails.
pub fn cannot(why: &str) -> Result<()> {
    print(&json!({ "cannot": why }))
}

/// Announces a state and blocks until the parent has measured it.
///
/// # Errors
///
/// When standard output fails, or standard input ends first.
pub fn show_state(state: &str, plugins: &[u32]) -> Result<()> {
    print(&json!({ "state": state, "pids": plugins }))?;
    let mut line = String::new();
    ensure!(io::stdin().lock().read_line(&mut line)? > 0, "standard input ended before the state was measured");
    Ok(())
}

fn print(line: &Value) -> Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{line}")?;
    Ok(output.flush()?)
}
