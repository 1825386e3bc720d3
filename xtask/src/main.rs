//! Developer tasks: the demo, code generation and measurements. The aliases in `.cargo/config.toml`
//! run them.

mod audit;
mod codegen;
mod compare;
mod demo;
mod go_codegen;
mod guard;
mod hash;

use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context, Result, anyhow, ensure};
use clap::Parser;

#[derive(Parser)]
#[command(about = "Developer tasks: the demo, code generation, measurements")]
enum Command {
    /// Show the main job on real files and processes
    Demo,
    /// Compare our pair, go-plugin's and tonic's transport (needs Go)
    BenchCompare(compare::Options),
    /// Count the host's instructions, and fail when there are more than before (needs valgrind)
    BenchGuard(guard::Options),
    /// Compare hashing with openssl and sha256sum
    BenchHash,
    /// Measure the cost of the audit log
    BenchAudit,
    /// Generate Rust from the .proto files, and Go where Go is installed
    Codegen,
}

fn main() -> Result<()> {
    match Command::parse() {
        Command::Demo => demo::run(),
        Command::BenchCompare(options) => compare::run(&options),
        Command::BenchGuard(options) => guard::run(&options),
        Command::BenchHash => hash::run(),
        Command::BenchAudit => audit::run(),
        Command::Codegen => write_generated(),
    }
}

/// The root of the source tree that this program was built from.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Builds the programs of a package for release, and returns their directory, which is also the
/// directory of this program.
pub(crate) fn build_release(package: &str) -> Result<PathBuf> {
    let arguments = ["build", "--quiet", "--release", "--package", package];
    let built = process::Command::new(env!("CARGO")).args(arguments).current_dir(root()).status()?;
    ensure!(built.success(), "{package} does not build");
    let own = std::env::current_exe()?;
    Ok(own.parent().context("a program lies in a directory")?.to_path_buf())
}

/// The quantile of a sample, for `part` from 0 to 1, interpolated between two values. NaN for an
/// empty sample.
pub(crate) fn quantile(sample: &mut [f64], part: f64) -> f64 {
    sample.sort_by(f64::total_cmp);
    let place = sample.len().saturating_sub(1) as f64 * part;
    match (sample.get(place.floor() as usize), sample.get(place.ceil() as usize)) {
        (Some(below), Some(above)) => below + (above - below) * place.fract(),
        _ => f64::NAN,
    }
}

fn write_generated() -> Result<()> {
    for (path, text) in codegen::generate(root()).map_err(|error| anyhow!("{error}"))? {
        std::fs::write(root().join(path), text)?;
    }
    if !go_codegen::is_possible() {
        eprintln!("SKIPPED: generating Go needs Go");
        return Ok(());
    }
    let (path, text) = go_codegen::generate(root())?;
    Ok(std::fs::write(root().join(path), text)?)
}
