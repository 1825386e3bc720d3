//! `plugin-verify audit prove` and `check-proof`: proofs for people who do not have the log. Proves
//! nothing about records that do not verify.

use std::path::PathBuf;

use cli_support::{Exit, OutputFormat, Problem};
use portcullis::Escaped;
use portcullis::audit::NoteVerifier;
use portcullis::audit::proof::{ConsistencyProof, InclusionProof, ProofError, Prover, ProverError};
use portcullis::audit::verifier::TrustAnchors;
use serde_json::{Value, json};

use super::{small_text, text, verify};
use crate::OUTPUT;

/// Prove that a record is in a log, or that a log only grew
///
/// With --seq, prints an inclusion proof of the record, with the record, in the format of
/// c2sp.org/tlog-proof. With --from, prints a consistency proof: the log has only grown since that
/// checkpoint. `audit check-proof` checks both with nothing but the public key of the log.
///
/// Example: plugin-verify audit prove --seq 42 log
///
/// Exit status: 0 printed, 1 it cannot be proven, 2 something could not be read.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["seq", "from"])))]
pub(crate) struct ProveArguments {
    /// Current file of the log; its full segments are found beside it
    #[arg(value_name = "LOG")]
    log: PathBuf,

    /// Index of the record
    #[arg(long, value_name = "N")]
    seq: Option<u64>,

    /// Older checkpoint to start from
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,

    /// Checkpoint to prove against, instead of the last one in the log
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,

    /// Trusted public key of the log's checkpoints: NAME+ID+KEY
    #[arg(long, value_name = "KEY")]
    key: Option<NoteVerifier>,

    #[command(flatten)]
    format: OutputFormat,
}

pub(crate) fn run_prove(arguments: &ProveArguments) -> Exit {
    let ProveArguments { log, seq, key, format, .. } = arguments;
    let (from, to) = match (optional_text(arguments.from.as_ref()), optional_text(arguments.to.as_ref())) {
        (Ok(from), Ok(to)) => (from, to),
        (Err(problem), _) | (_, Err(problem)) => return OUTPUT.failed("audit prove", *format, &problem),
    };
    let trust = key.iter().cloned().fold(TrustAnchors::none(), TrustAnchors::key);
    let prover = match Prover::read(log, &trust, seq.as_slice()) {
        Ok(prover) => prover,
        Err(error) => return OUTPUT.failed("audit prove", *format, &Problem::of(&error)),
    };
    match prove(&prover, *seq, from.as_deref(), to.as_deref()) {
        Ok(proof) if format.json => OUTPUT.json("audit prove", Exit::Success, [("proof", proof.into())]),
        Ok(proof) => OUTPUT.print(proof, Exit::Success),
        Err(error) => {
            let trouble = verify::trouble(prover.report());
            let reason = trouble
                .map_or_else(|| error.to_string(), |trouble| format!("{error}; the log is not intact: {trouble}"));
            OUTPUT.refused("audit prove", *format, &Problem::new("not-provable", reason))
        }
    }
}

fn optional_text(path: Option<&PathBuf>) -> Result<Option<String>, Problem> {
    path.map(|path| small_text(path)).transpose()
}

fn prove(prover: &Prover, seq: Option<u64>, from: Option<&str>, to: Option<&str>) -> Result<String, ProverError> {
    match (seq, from) {
        (Some(seq), _) => Ok(prover.inclusion(seq, to)?.to_string()),
        (None, Some(from)) => Ok(prover.consistency(from, to)?.to_string()),
        // clap requires one of the two.
        (None, None) => Err(ProverError::NoRecord),
    }
}

/// Check a proof from `audit prove`
///
/// Needs only the public key of the log, and trusts nothing else.
///
/// Example: plugin-verify audit check-proof --key "$LOG_KEY" record-42.proof
///
/// Exit status: 0 proven, 1 not proven, 2 something could not be read.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArguments {
    /// The proof; - reads it from standard input
    #[arg(value_name = "FILE")]
    proof: PathBuf,

    /// Public key of the log: NAME+ID+KEY
    #[arg(long, value_name = "KEY")]
    key: NoteVerifier,

    /// Name of the log, if it differs from the key's
    #[arg(long, value_name = "NAME")]
    origin: Option<String>,

    /// File with the line of the record, if the proof does not contain it
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,

    #[command(flatten)]
    format: OutputFormat,
}

pub(crate) fn run_check(arguments: &CheckArguments) -> Exit {
    let CheckArguments { format, .. } = arguments;
    let record = arguments.record.as_ref().map(|path| small_text(path)).transpose();
    let (proof, record) = match (small_text(&arguments.proof), record) {
        (Ok(proof), Ok(record)) => (proof, record),
        (Err(problem), _) | (_, Err(problem)) => return OUTPUT.failed("audit check-proof", *format, &problem),
    };
    match check(arguments, &proof, record.as_deref()) {
        Ok((_, facts)) if format.json => OUTPUT.json("audit check-proof", Exit::Success, [("proven", facts)]),
        Ok((words, _)) => OUTPUT.print(words, Exit::Success),
        Err(error) => {
            let reason = format!("{}: invalid proof: {error}", Escaped::path(&arguments.proof));
            OUTPUT.refused("audit check-proof", *format, &Problem::new("not-proven", reason))
        }
    }
}

/// The proven statement, for people and for programs.
fn check(arguments: &CheckArguments, proof: &str, record: Option<&str>) -> Result<(String, Value), ProofError> {
    let keys = std::slice::from_ref(&arguments.key);
    let origin = arguments.origin.as_deref().unwrap_or_else(|| arguments.key.name());
    let shown = Escaped::new(origin);
    if proof.starts_with("portcullis-consistency/") {
        let proven = proof.parse::<ConsistencyProof>()?.check(keys, origin)?;
        let (old, new) = (proven.old.size, proven.new.size);
        let words =
            format!("PROVEN: the log {shown} of {new} records starts with the {old} records that it had before\n");
        return Ok((words, json!({"origin": shown.to_string(), "old": old, "new": new})));
    }
    let record = record.map(|record| record.trim_end_matches('\n').as_bytes());
    let proven = proof.parse::<InclusionProof>()?.check(keys, origin, record)?;
    let (record, size) = (&proven.record, proven.checkpoint.size);
    let words = format!(
        "PROVEN: this is record {} of the log {shown}, by a checkpoint over {size} records\n{}\n",
        record.index(),
        text::line(record)
    );
    let facts =
        json!({"origin": shown.to_string(), "size": size, "index": record.index(), "record": text::value(record)});
    Ok((words, facts))
}
