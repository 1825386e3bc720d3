//! `plugin-verify audit check-proof`: a proof, held against the public key of the log that it is
//! about. Needs no log.

use std::path::PathBuf;

use cli_support::{Exit, OutputFormat};
use portcullis::Escaped;
use portcullis::audit::NoteVerifier;
use portcullis::audit::proof::{ConsistencyProof, InclusionProof, ProofError};
use serde_json::{Value, json};

use super::{small_text, text};
use crate::OUTPUT;

/// Check a proof of `audit prove`
///
/// Needs the public key of the log and nothing else, and believes nothing else.
///
/// Exit status: 0 proven, 1 not proven, 2 could not be read.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
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

pub(crate) fn run(arguments: &Arguments) -> Exit {
    let Arguments { format, .. } = arguments;
    let record = arguments.record.as_ref().map(|path| small_text(path)).transpose();
    let (proof, record) = match (small_text(&arguments.proof), record) {
        (Ok(proof), Ok(record)) => (proof, record),
        (Err(reason), _) | (_, Err(reason)) => return OUTPUT.failed("audit check-proof", *format, reason),
    };
    match check(arguments, &proof, record.as_deref()) {
        Ok((_, facts)) if format.json => OUTPUT.json("audit check-proof", Exit::Success, [("proven", facts)]),
        Ok((words, _)) => OUTPUT.print(words, Exit::Success),
        Err(error) => {
            let reason = format!("{}: it proves nothing: {error}", Escaped::path(&arguments.proof));
            OUTPUT.refused("audit check-proof", *format, reason)
        }
    }
}

/// What was proven, for people and for programs.
fn check(arguments: &Arguments, proof: &str, record: Option<&str>) -> Result<(String, Value), ProofError> {
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
        record.seq(),
        text::line(record)
    );
    let facts = json!({"origin": shown.to_string(), "size": size, "seq": record.seq(), "record": text::value(record)});
    Ok((words, facts))
}
