//! `plugin-verify audit prove`: proofs for those who have not the log. Makes them only of what it
//! has examined.

use std::path::PathBuf;

use cli_support::{Exit, OutputFormat};
use portcullis::Chain;
use portcullis::audit::NoteVerifier;
use portcullis::audit::proof::{Evidence, EvidenceError};
use portcullis::audit::verifier::Trust;

use super::{small_text, verify};
use crate::OUTPUT;

/// Prove that a record is in a log, or that a log only grew
///
/// With --seq it prints the proof that this record is in the log, with the record itself, in the
/// form of c2sp.org/tlog-proof. With --from it prints the proof that the log has only grown since
/// that checkpoint. `audit check-proof` checks both with nothing but the public key of the log.
///
/// Exit status: 0 printed, 1 that is not so, 2 could not be found out.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["seq", "from"])))]
pub(crate) struct Arguments {
    /// The current file of the log; the full ones beside it belong to it
    #[arg(value_name = "LOG")]
    log: PathBuf,

    /// The number of the record
    #[arg(long, value_name = "N")]
    seq: Option<u64>,

    /// The older checkpoint
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,

    /// The checkpoint to prove it by, or up to which the log has grown, instead of the last one in
    /// the log
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,

    /// The key that its checkpoints must be signed with: NAME+ID+KEY
    #[arg(long, value_name = "KEY")]
    key: Option<NoteVerifier>,

    #[command(flatten)]
    format: OutputFormat,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    let Arguments { log, seq, key, format, .. } = arguments;
    let (from, to) = match (text(arguments.from.as_ref()), text(arguments.to.as_ref())) {
        (Ok(from), Ok(to)) => (from, to),
        (Err(reason), _) | (_, Err(reason)) => return OUTPUT.failed("audit prove", *format, reason),
    };
    let trust = key.iter().cloned().fold(Trust::nothing(), Trust::key);
    let evidence = match Evidence::collect(log, &trust, seq.as_slice()) {
        Ok(evidence) => evidence,
        Err(error) => return OUTPUT.failed("audit prove", *format, Chain::of(&error)),
    };
    match prove(&evidence, *seq, from.as_deref(), to.as_deref()) {
        Ok(proof) if format.json => OUTPUT.json("audit prove", Exit::Success, [("proof", proof.into())]),
        Ok(proof) => OUTPUT.print(proof, Exit::Success),
        Err(error) => {
            let trouble = verify::trouble(evidence.examination());
            let reason = trouble.map_or_else(|| error.to_string(), |trouble| format!("{error}; the log: {trouble}"));
            OUTPUT.refused("audit prove", *format, reason)
        }
    }
}

fn text(path: Option<&PathBuf>) -> Result<Option<String>, String> {
    path.map(|path| small_text(path)).transpose()
}

fn prove(evidence: &Evidence, seq: Option<u64>, from: Option<&str>, to: Option<&str>) -> Result<String, EvidenceError> {
    match (seq, from) {
        (Some(seq), _) => Ok(evidence.inclusion(seq, to)?.to_string()),
        (None, Some(from)) => Ok(evidence.consistency(from, to)?.to_string()),
        // The command line asks for one of them.
        (None, None) => Err(EvidenceError::NoRecord),
    }
}
