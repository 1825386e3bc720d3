//! The command line: the list of verbs. Runs none of them.

use clap::{Command, CommandFactory, Parser, Subcommand};
use cli_support::Exit;

use crate::OUTPUT;
#[cfg(feature = "probe")]
use crate::probe;
use crate::{audit, check, completions, digest, doctor, exec, inspect, keygen, lock, man, manifest, sign};

/// Verify plugin files, and manage the keys, lock files and manifests that say which may run
///
/// Results go to standard output, warnings and errors to standard error. With --json, each run
/// prints one JSON document instead.
///
/// Example: plugin-verify check --lock plugins.lock ./plugins/kv
///
/// Exit status: 0 success, 1 a file, record or proof was refused, 2 something could not be checked
/// or the command line is wrong.
#[derive(Debug, Parser)]
// Named here, because the name that the program was started by is foreign text.
#[command(version, bin_name = "plugin-verify")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Digest(digest::Arguments),
    Check(check::Arguments),
    Lock(lock::Arguments),
    Manifest(manifest::Arguments),
    Sign(sign::Arguments),
    Keygen(keygen::Arguments),
    Inspect(inspect::Arguments),
    Doctor(doctor::Arguments),
    #[cfg(feature = "probe")]
    Probe(probe::Arguments),
    Exec(exec::Arguments),
    Audit(audit::Arguments),
    Completions(completions::Arguments),
    Man(man::Arguments),
}

/// The whole command line, for manual pages and completions.
pub(crate) fn command() -> Command {
    Cli::command()
}

/// Parses the command line. When there is no verb to run, prints why and returns the exit.
pub(crate) fn parse() -> Result<Verb, Exit> {
    OUTPUT.parse::<Cli>().map(|cli| cli.verb)
}
