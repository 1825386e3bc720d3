//! `plugin-verify audit`: the verbs on the audit log of a host, and their common options. The
//! library verifies.

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

/// Verify the audit log of a host, and prove what is in it
///
/// A log records which plugins a host ran and which calls it made. Each record holds the hash of
/// the record before it, and the host signs checkpoints over all records so far. Verification finds
/// records that were changed, removed, inserted or moved, and names the first of them. Only a
/// checkpoint kept elsewhere reveals that records were cut off at the end.
///
/// Example: plugin-verify audit verify --key "$LOG_KEY" /var/lib/myapp/audit/log
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

/// A log, and the trusted facts about it.
#[derive(Debug, clap::Args)]
pub(crate) struct LogArguments {
    /// Current file of the log; its full segments are found beside it
    #[arg(value_name = "LOG")]
    pub(crate) log: PathBuf,

    /// Trusted public key of the log's checkpoints: NAME+ID+KEY. May be repeated
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Vec<NoteVerifier>,

    /// Trusted checkpoint, kept outside the log. May be repeated
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint: Vec<PathBuf>,
}

impl LogArguments {
    /// The trusted facts.
    ///
    /// # Errors
    ///
    /// The checkpoint that cannot be read.
    pub(crate) fn trust(&self) -> Result<TrustAnchors, Problem> {
        let mut trust = self.key.iter().cloned().fold(TrustAnchors::none(), TrustAnchors::key);
        for path in &self.checkpoint {
            trust = trust.checkpoint(Escaped::path(path).to_string(), small_text(path)?);
        }
        Ok(trust)
    }
}

/// The text of a file of at most [`AUDIT_TEXT_BYTES`]; `-` is standard input. Untrusted.
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
