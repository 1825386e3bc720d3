//! `plugin-verify audit`: the verbs on the log of a host, and what they have in common. What is
//! true of a log is found out in the library.

mod key;
mod proof;
mod show;
pub(crate) mod text;
pub(crate) mod verify;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use cli_support::{Exit, Problem};
use portcullis::Escaped;
use portcullis::audit::NoteVerifier;
use portcullis::audit::verifier::TrustAnchors;

use crate::limits::AUDIT_TEXT_BYTES;
#[cfg(feature = "report")]
use crate::report;

/// Examine the audit log of a host, and prove what is in it
///
/// A log says what a host ran and what was asked of it. Each record carries the hash of the one
/// before it, and checkpoints, which the host signs, stand for all records before them: what was
/// changed, dropped, put in or moved is found, and the first record that is not as it was is named.
/// What was cut off at the end is found by a checkpoint that was kept elsewhere.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Verify(verify::Arguments),
    Show(show::Arguments),
    #[cfg(feature = "report")]
    Report(report::Arguments),
    Prove(proof::ProveArguments),
    CheckProof(proof::CheckArguments),
    Keygen(key::GenerateArguments),
    Key(key::ShowArguments),
    Hash(key::HashArguments),
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    match &arguments.verb {
        Verb::Verify(arguments) => verify::run(arguments),
        Verb::Show(arguments) => show::run(arguments),
        #[cfg(feature = "report")]
        Verb::Report(arguments) => report::run(arguments),
        Verb::Prove(arguments) => proof::run_prove(arguments),
        Verb::CheckProof(arguments) => proof::run_check(arguments),
        Verb::Keygen(arguments) => key::generate(arguments),
        Verb::Key(arguments) => key::show(arguments),
        Verb::Hash(arguments) => key::hash(arguments),
    }
}

/// A log, and what is known of it from elsewhere.
#[derive(Debug, clap::Args)]
pub(crate) struct LogArguments {
    /// The current file of the log; the full ones beside it belong to it
    #[arg(value_name = "LOG")]
    pub(crate) log: PathBuf,

    /// The key that its checkpoints must be signed with: NAME+ID+KEY. Can be given several times
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Vec<NoteVerifier>,

    /// A checkpoint of the log that was kept elsewhere. Can be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint: Vec<PathBuf>,
}

impl LogArguments {
    /// What is known, or what could not be read.
    pub(crate) fn trust(&self) -> Result<TrustAnchors, Problem> {
        let mut trust = self.key.iter().cloned().fold(TrustAnchors::none(), TrustAnchors::key);
        for path in &self.checkpoint {
            trust = trust.checkpoint(Escaped::path(path).to_string(), small_text(path)?);
        }
        Ok(trust)
    }
}

/// A text that somebody else wrote, of at most a megabyte; `-` is standard input.
pub(crate) fn small_text(path: &Path) -> Result<String, Problem> {
    let name = Escaped::path(path);
    let failed = |error: io::Error| Problem::of(&error).within(name);
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        io::stdin().lock().take(AUDIT_TEXT_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    } else {
        File::open(path).map_err(failed)?.take(AUDIT_TEXT_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    }
    if bytes.len() as u64 > AUDIT_TEXT_BYTES {
        let message = format_args!("{name} is longer than {AUDIT_TEXT_BYTES} bytes").to_string();
        return Err(Problem::new("too-large", message));
    }
    String::from_utf8(bytes).map_err(|_| Problem::new("not-utf8", format_args!("{name} is not UTF-8")))
}
