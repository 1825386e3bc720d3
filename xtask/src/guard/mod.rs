//! A guard against growing costs that does not depend on the machine: instructions of the host's
//! main works, held against what they were.

mod counts;
mod tools;

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::Value;

use self::counts::Counts;
use self::tools::Tools;
use crate::root;

/// What is known, in version control.
const BASELINE: &str = "benches/instructions.txt";

/// What runs beside the host has some part in how often it wakes up. The smallest of a few counts
/// is that of the fewest disturbances.
const RUNS: usize = 3;

/// How far a count may be above what is known, in percent; and how far if another compiler made the
/// code.
const TOLERANCE: f64 = 4.0;
const TOLERANCE_OF_OTHER_COMPILER: f64 = 15.0;

/// What becomes of the counts.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Take these counts for what is known from now on
    #[arg(long)]
    accept: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let tools = Tools::find()?;
    let compiler = compiler()?;
    let mut counts = Counts::new(compiler);
    for _ in 0..RUNS {
        count(&tools, &mut counts)?;
    }
    let path = root().join(BASELINE);
    if options.accept {
        return Ok(std::fs::write(path, counts.to_string())?);
    }
    let known: Counts = std::fs::read_to_string(&path).with_context(|| format!("cannot read {BASELINE}"))?.parse()?;
    let tolerance = tolerance(&known, &counts);
    let mut worse = 0;
    println!("{:<24} {:>14} {:>14} {:>9}", "instructions", "known", "now", "change");
    for (work, verdict) in counts.held_against(&known, tolerance) {
        println!("{work:<24} {verdict}");
        worse += usize::from(verdict.is_failure());
    }
    ensure!(
        worse == 0,
        "{worse} of these take over {tolerance} % more than {BASELINE} says, or are not the same works; with a reason: cargo bench-guard --accept"
    );
    Ok(())
}

fn tolerance(known: &Counts, counts: &Counts) -> f64 {
    if known.compiler == counts.compiler {
        return TOLERANCE;
    }
    eprintln!("WARNING: {BASELINE} was made with {}, this is {}:", known.compiler, counts.compiler);
    eprintln!(
        "WARNING: only what is over {TOLERANCE_OF_OTHER_COMPILER} % worse counts; make it anew with cargo bench-guard --accept"
    );
    TOLERANCE_OF_OTHER_COMPILER
}

fn compiler() -> Result<String> {
    let output = Command::new("rustc").arg("--version").current_dir(root()).output().context("cannot run rustc")?;
    Ok(String::from_utf8(output.stdout)?.trim().to_string())
}

fn count(tools: &Tools, counts: &mut Counts) -> Result<()> {
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["bench", "--quiet", "--locked", "--package", "bench", "--bench", "instructions", "--"])
        .args(["--output-format=json", "--nosummary=true"])
        .current_dir(root())
        .stderr(Stdio::inherit());
    tools.lend(&mut command);
    let output = command.output()?;
    ensure!(output.status.success(), "counting failed");
    for line in String::from_utf8(output.stdout)?.lines() {
        let (work, instructions) = summary(line).with_context(|| format!("not a count: {line}"))?;
        counts.add(work, instructions);
    }
    Ok(())
}

/// The work and its instructions from one line of gungraun's.
fn summary(line: &str) -> Option<(String, u64)> {
    let summary: Value = serde_json::from_str(line).ok()?;
    let values = &summary["profiles"][0]["data"]["total"]["metrics"]["Ir"]["values"];
    let work = format!("{}-{}", summary["function_name"].as_str()?, summary["id"].as_str()?);
    Some((work, values["new"].as_u64()?))
}
