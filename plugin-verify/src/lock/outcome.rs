//! The outcome of a verb on a lock file: the changes that were written, or why nothing was written.
//! Changes nothing.

use std::path::Path;

use cli_support::{Exit, OutputFormat, Problem};
use portcullis::Escaped;
use portcullis::authoring::{Candidate, CandidateError, Change, LockRefusal, LockWriteError};
use portcullis::verify::{LockedPlugin, SourceError, Subject};
use serde_json::{Value, json};

use super::LockOptions;
use crate::OUTPUT;

/// Prints the changes of the lock file, and warns about plugins for other platforms, which were not
/// examined.
pub(super) fn changes(verb: &str, options: &LockOptions, changes: &[Change], offers: &[Candidate]) -> Exit {
    let unexamined: Vec<String> = offers.iter().filter(|offer| !offer.runs_here()).map(unexamined).collect();
    if options.format.json {
        let changes: Vec<Value> = changes.iter().map(document).collect();
        let body = [("lock", escaped(&options.lock)), ("changes", changes.into()), ("unexamined", unexamined.into())];
        return OUTPUT.json(verb, Exit::Success, body);
    }
    for plugin in unexamined {
        OUTPUT.warn(format_args!("{plugin} cannot run here: it was locked by its bytes alone, without further checks"));
    }
    let text: String = changes.iter().map(|change| format!("{change}\n")).collect();
    OUTPUT.print(text, Exit::Success)
}

fn unexamined(offer: &Candidate) -> String {
    format!("{} for {}", offer.name(), offer.platform())
}

fn escaped(path: &Path) -> Value {
    Escaped::path(path).to_string().into()
}

fn document(change: &Change) -> Value {
    json!({
        "name": change.name().to_string(), "changed": !change.is_empty(),
        "before": change.before().map(plugin), "after": change.after().map(plugin),
    })
}

fn plugin(plugin: &LockedPlugin) -> Value {
    let artifacts = plugin.artifacts.iter().map(|(platform, artifact)| {
        let kind = match artifact.subject {
            Subject::Manifest(_) => "manifest",
            _ => "sha256",
        };
        json!({
            "platform": platform.to_string(), kind: artifact.subject.digest().to_string(),
            "signed_by": artifact.signed_by.map(|key| key.to_string()),
        })
    });
    json!({
        "version": plugin.version.as_ref().map(ToString::to_string),
        "minimum_version": plugin.minimum_version.as_ref().map(ToString::to_string),
        "note": plugin.note.as_ref().map(|note| Escaped::new(note).to_string()),
        "artifacts": artifacts.collect::<Vec<_>>(),
    })
}

/// Why the lock file was not written.
#[derive(Debug)]
pub(super) enum NotWritten {
    Refused(Problem),
    Failed(Problem),
}

impl NotWritten {
    pub(super) fn report(self, verb: &str, format: OutputFormat) -> Exit {
        match self {
            Self::Refused(problem) => OUTPUT.refused(verb, format, &problem),
            Self::Failed(problem) => OUTPUT.failed(verb, format, &problem),
        }
    }
}

impl From<SourceError> for NotWritten {
    fn from(error: SourceError) -> Self {
        match error.is_unreadable() {
            true => Self::Failed(Problem::of(&error)),
            false => Self::Refused(Problem::refusal(&error)),
        }
    }
}

impl From<CandidateError> for NotWritten {
    fn from(error: CandidateError) -> Self {
        let advice = match &error {
            CandidateError::Disagreement { .. } => {
                Some("leave out the option that contradicts the manifest, or name the right manifest with --manifest")
            }
            CandidateError::OtherPlatform { .. } => Some("name the platform of the build with --platform"),
            _ => None,
        };
        match error.is_refusal() {
            // Its text includes those of its causes.
            true => Self::Refused(Problem::refusal(&error).with_hint(advice)),
            false => Self::Failed(Problem::of(&error)),
        }
    }
}

impl From<LockRefusal> for NotWritten {
    fn from(refusal: LockRefusal) -> Self {
        Self::Refused(Problem::refusal(&refusal))
    }
}

impl From<LockWriteError> for NotWritten {
    fn from(error: LockWriteError) -> Self {
        Self::Failed(Problem::of(&error))
    }
}
