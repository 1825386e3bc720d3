//! `plugin-verify lock`: the verbs on a lock file, and what they have in common. What may be agreed
//! to is decided in the library.

mod candidates;
mod change;
mod outcome;
mod verify;

use std::path::PathBuf;

use clap::Subcommand;
use cli_support::{Exit, OutputFormat};

/// Agree to plugins in a lock file, and check them against it
///
/// A lock file says which bytes people agreed to run: for each plugin a digest for each platform,
/// its version, and the key that vouched for it. It is made for version control, and changes
/// through these commands only: nothing is added because it was seen.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Add(change::AddArguments),
    Update(change::UpdateArguments),
    Remove(change::RemoveArguments),
    Verify(verify::Arguments),
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    match &arguments.verb {
        Verb::Add(arguments) => change::run_add(arguments),
        Verb::Update(arguments) => change::run_update(arguments),
        Verb::Remove(arguments) => change::run_remove(arguments),
        Verb::Verify(arguments) => verify::run(arguments),
    }
}

/// Which lock file, and how results are printed.
#[derive(Debug, clap::Args)]
struct LockOptions {
    /// The lock file
    #[arg(long, value_name = "FILE", default_value = "plugins.lock")]
    lock: PathBuf,

    #[command(flatten)]
    format: OutputFormat,
}
