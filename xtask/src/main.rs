//! What a developer would otherwise type by hand, reached through the aliases in
//! `.cargo/config.toml`.

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
#[command(about = "What a developer would otherwise type by hand")]
enum Command {
    /// Shows the main job on real files and processes
    Demo,
    /// Measures our pair and go-plugin's side by side (needs Go)
    BenchCompare(compare::Options),
    /// Counts the instructions of the host's main works, and fails when there are more than before
    /// (needs valgrind)
    BenchGuard(guard::Options),
    /// Measures hashing beside openssl and sha256sum
    BenchHash,
    /// Measures what the audit log costs
    BenchAudit,
    /// Writes the Rust, and with Go the Go, that comes from the .proto files
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

/// The top of the tree that this program was built from.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Builds programs of a package as they are released, and returns the directory that they lie in:
/// this program lies there too.
pub(crate) fn build_release(package: &str) -> Result<PathBuf> {
    let arguments = ["build", "--quiet", "--release", "--package", package];
    let built = process::Command::new(env!("CARGO")).args(arguments).current_dir(root()).status()?;
    ensure!(built.success(), "{package} does not build");
    let own = std::env::current_exe()?;
    Ok(own.parent().context("a program lies in a directory")?.to_path_buf())
}

/// The value below which so large a part of a sample lies, from 0 to 1, between two values if need
/// be; not a number without values.
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
        eprintln!("SKIPPED: there is no Go to generate its messages with");
        return Ok(());
    }
    let (path, text) = go_codegen::generate(root())?;
    Ok(std::fs::write(root().join(path), text)?)
}
