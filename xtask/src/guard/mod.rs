//! Guards against growing costs, independent of the machine: compares the instruction counts of the
//! host's main work with those in version control.

mod counts;
mod tools;

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::Value;

use self::counts::Counts;
use self::tools::Tools;
use crate::root;

/// The known counts, in version control.
const BASELINE: &str = "benches/instructions.txt";

/// Other processes influence how often the host wakes up. The smallest of a few counts has the
/// fewest disturbances.
const RUNS: usize = 3;

/// How much larger than the known count a count may be, in percent; and how much if another
/// compiler made the code.
const TOLERANCE: f64 = 4.0;
const TOLERANCE_OF_OTHER_COMPILER: f64 = 15.0;

/// The options of a run.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Write these counts as the new known ones
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
    for (work, verdict) in counts.compared_with(&known, tolerance) {
        println!("{work:<24} {verdict}");
        worse += usize::from(verdict.is_failure());
    }
    ensure!(
        worse == 0,
        "{worse} counts are more than {tolerance} % above {BASELINE}, or in one of the lists only; if there is a reason, run cargo bench-guard --accept"
    );
    Ok(())
}

fn tolerance(known: &Counts, counts: &Counts) -> f64 {
    if known.compiler == counts.compiler {
        return TOLERANCE;
    }
    eprintln!("WARNING: {BASELINE} was written with {}, this is {}:", known.compiler, counts.compiler);
    eprintln!(
        "WARNING: only counts over {TOLERANCE_OF_OTHER_COMPILER} % worse fail; update it with cargo bench-guard --accept"
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

/// Parses the name and the count from one line of gungraun's output.
fn summary(line: &str) -> Option<(String, u64)> {
    let summary: Value = serde_json::from_str(line).ok()?;
    let values = &summary["profiles"][0]["data"]["total"]["metrics"]["Ir"]["values"];
    let work = format!("{}-{}", summary["function_name"].as_str()?, summary["id"].as_str()?);
    Some((work, values["new"].as_u64()?))
}
