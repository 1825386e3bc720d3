//! What a developer would otherwise type by hand, reached through the aliases in `.cargo/config.toml`.

mod audit;
mod bench;
mod codegen;
mod demo;
mod hash;

use std::path::Path;

use anyhow::{Result, anyhow};
use clap::Parser;

#[derive(Parser)]
#[command(about = "What a developer would otherwise type by hand")]
enum Command {
    /// Shows the main job on real files and processes
    Demo,
    /// Measures our pair and go-plugin's side by side (needs Go)
    BenchCompare,
    /// Measures hashing beside openssl and sha256sum
    BenchHash,
    /// Measures what the audit log costs
    BenchAudit,
    /// Writes the Rust that comes from the .proto files
    Codegen,
}

fn main() -> Result<()> {
    match Command::parse() {
        Command::Demo => demo::run(),
        Command::BenchCompare => bench::run(),
        Command::BenchHash => hash::run(),
        Command::BenchAudit => audit::run(),
        Command::Codegen => write_generated(),
    }
}

/// The top of the tree that this program was built from.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

fn write_generated() -> Result<()> {
    for (path, text) in codegen::generate(root()).map_err(|error| anyhow!("{error}"))? {
        std::fs::write(root().join(path), text)?;
    }
    Ok(())
}
