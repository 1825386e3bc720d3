//! `plugin-verify lock`: the verbs on a lock file, and their common options. The library decides
//! which changes are allowed.

mod candidates;
mod change;
mod outcome;
mod verify;

use std::path::PathBuf;

use clap::Subcommand;
use cli_support::{Exit, OutputFormat};

/// Manage the lock file, which lists the approved plugins
///
/// A lock file records which bytes may run: for each plugin its version, a digest for each
/// platform, and the key that signed it. Keep it in version control. Only these commands change it;
/// no plugin is added because it was seen.
///
/// Example: plugin-verify lock add --key release.pub ./plugins/kv
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

/// The lock file, and the output format.
#[derive(Debug, clap::Args)]
struct LockOptions {
    /// Lock file
    #[arg(long, value_name = "FILE", default_value = "plugins.lock")]
    lock: PathBuf,

    #[command(flatten)]
    format: OutputFormat,
}
