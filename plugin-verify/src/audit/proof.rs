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
/// With --seq it prints the proof that this record is in the log, with the record itself, in the
/// form of c2sp.org/tlog-proof. With --from it prints the proof that the log has only grown since
/// that checkpoint. `audit check-proof` checks both with nothing but the public key of the log.
///
/// Exit status: 0 printed, 1 that is not so, 2 could not be found out.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["seq", "from"])))]
pub(crate) struct ProveArguments {
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
            let reason = trouble.map_or_else(|| error.to_string(), |trouble| format!("{error}; the log: {trouble}"));
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
        // The command line asks for one of them.
        (None, None) => Err(ProverError::NoRecord),
    }
}

/// Check a proof of `audit prove`
///
/// Needs the public key of the log and nothing else, and believes nothing else.
///
/// Exit status: 0 proven, 1 not proven, 2 could not be read.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArguments {
    /// The proof; - reads it from standard input
    #[arg(value_name = "FILE")]
    proof: PathBuf,

    /// The public key of the log: NAME+ID+KEY
    #[arg(long, value_name = "KEY")]
    key: NoteVerifier,

    /// The name of the log, if it is another than the key's
    #[arg(long, value_name = "NAME")]
    origin: Option<String>,

    /// The record, if it is not in the proof: a file with its line
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
            let reason = format!("{}: it proves nothing: {error}", Escaped::path(&arguments.proof));
            OUTPUT.refused("audit check-proof", *format, &Problem::new("not-proven", reason))
        }
    }
}

/// What was proven, for people and for programs.
fn check(arguments: &CheckArguments, proof: &str, record: Option<&str>) -> Result<(String, Value), ProofError> {
    let keys = std::slice::from_ref(&arguments.key);
    let origin = arguments.origin.as_deref().unwrap_or_else(|| arguments.key.name());
    let shown = Escaped::new(origin);
    if proof.starts_with("portcullis-consistency/") {
        let proven = proof.parse::<ConsistencyProof>()?.check(keys, origin)?;
        let (old, new) = (proven.old.size, proven.new.size);
        let words =
            format!("PROVEN: the log {shown} of {new} records begins with the {old} records that it had before\n");
        return Ok((words, json!({"origin": shown.to_string(), "old": old, "new": new})));
    }
    let record = record.map(|record| record.trim_end_matches('\n').as_bytes());
    let proven = proof.parse::<InclusionProof>()?.check(keys, origin, record)?;
    let (record, size) = (&proven.record, proven.checkpoint.size);
    let words = format!(
        "PROVEN: this is record {} of the log {shown}, which had {size} records when it was vouched for\n{}\n",
        record.index(),
        text::line(record)
    );
    let facts =
        json!({"origin": shown.to_string(), "size": size, "seq": record.index(), "record": text::value(record)});
    Ok((words, facts))
}
