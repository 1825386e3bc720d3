//! The command line: which verbs there are, and what is wrong with one that has none of them. Does
//! nothing that a verb does.

use clap::error::ContextValue;
use clap::{Command, CommandFactory, Parser, Subcommand};
use portcullis::Escaped;

use crate::exit::Exit;
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

/// The verb that was asked for; or how to end, when there is none and the person was told why.
pub(crate) fn parse() -> Result<Verb, Exit> {
    match Cli::try_parse() {
        Ok(cli) => Ok(cli.verb),
        Err(error) => Err(tell(error)),
    }
}

/// Prints the help that was asked for, or the usage error.
fn tell(error: clap::Error) -> Exit {
    let is_error = error.use_stderr();
    let written = escaped(error).print();
    if is_error { Exit::Failed } else { Exit::Success.after(written) }
}

/// The same error with what it quotes from the command line made safe to show: a name that begins
/// with a dash is quoted too.
fn escaped(mut error: clap::Error) -> clap::Error {
    let quoted: Vec<_> =
        error.context().filter_map(|(kind, value)| escaped_value(value).map(|safe| (kind, safe))).collect();
    for (kind, value) in quoted {
        error.insert(kind, value);
    }
    error
}

fn escaped_value(value: &ContextValue) -> Option<ContextValue> {
    match value {
        ContextValue::String(text) => Some(ContextValue::String(Escaped::new(text).to_string())),
        // Tips, which repeat what was given. The line breaks that they may hold are not clap's own.
        ContextValue::StyledStrs(tips) => {
            let safe = tips.iter().map(|tip| Escaped::new(&tip.to_string()).to_string().into());
            Some(ContextValue::StyledStrs(safe.collect()))
        }
        _ => None,
    }
}
