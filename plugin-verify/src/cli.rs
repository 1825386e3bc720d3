//! The command line: which verbs there are, and what is wrong with one that has none of them. Does
//! nothing that a verb does.

use clap::{Command, CommandFactory, Parser, Subcommand};
use cli_support::Exit;

use crate::OUTPUT;
#[cfg(feature = "probe")]
use crate::probe;
use crate::{audit, check, completions, digest, doctor, exec, inspect, keygen, lock, man, manifest, sign};

/// Digests, agreements and verdicts for plugin files
///
/// Answers whether a file may run as a plugin, and keeps what the answer rests on: digests, lock
/// files, signed manifests, keys.
///
/// Results go to standard output, everything else to standard error.
///
/// Exit status: 0 when all is well, 1 when a file was refused, 2 when something could not be found
/// out or the command line is wrong.
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

/// The whole command line, for what is made from it.
pub(crate) fn command() -> Command {
    Cli::command()
}

/// Parses the command line. When there is no verb to run, prints why and returns the exit.
pub(crate) fn parse() -> Result<Verb, Exit> {
    OUTPUT.parse::<Cli>().map(|cli| cli.verb)
}
