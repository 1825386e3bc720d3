//! The lines that the host prints, and the line that it waits for.

use std::io::{self, BufRead, Write};
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

/// What one part of the work took, each time.
pub(crate) fn times(metric: &str, samples: &[Duration]) -> Result<()> {
    let samples: Vec<_> = samples.iter().map(|sample| sample.as_secs_f64() * 1e6).collect();
    print(&json!({ "metric": metric, "unit": "us", "samples": samples }))
}

/// How much was done in a second, each time.
pub(crate) fn rates(metric: &str, samples: &[f64]) -> Result<()> {
    print(&json!({ "metric": metric, "unit": "per_second", "samples": samples }))
}

pub(crate) fn cannot(why: &str) -> Result<()> {
    print(&json!({ "cannot": why }))
}

/// Shows a state to whoever started this program, and waits until it was looked at.
pub(crate) fn show_state(state: &str, plugins: &[u32]) -> Result<()> {
    print(&json!({ "state": state, "pids": plugins }))?;
    let mut line = String::new();
    ensure!(io::stdin().lock().read_line(&mut line)? > 0, "nobody looked at the state");
    Ok(())
}

fn print(line: &Value) -> Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{line}")?;
    Ok(output.flush()?)
}
