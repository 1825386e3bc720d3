//! The verdict on one file, as text and as JSON. Decides nothing.

use std::fmt;
use std::path::Path;

use cli_support::{Exit, Problem};
use portcullis::Escaped;
use portcullis::verify::{Attestation, SourceError, Subject, VerifiedPlugin, VerifyError};
use serde_json::{Map, Value, json};

use crate::OUTPUT;

/// The verdict on one file.
#[derive(Debug)]
pub(crate) enum Verdict {
    Verified(VerifiedPlugin),
    Refused(Problem),
    Unchecked(Problem),
}

impl From<Result<VerifiedPlugin, VerifyError>> for Verdict {
    fn from(outcome: Result<VerifiedPlugin, VerifyError>) -> Self {
        match outcome {
            Ok(plugin) => Self::Verified(plugin),
            Err(VerifyError::Refused { reason, .. }) => Self::Refused(Problem::refusal(&reason)),
            Err(VerifyError::Source { source, .. }) if !source.is_unreadable() => {
                Self::Refused(Problem::refusal(&source))
            }
            Err(error) => Self::Unchecked(Problem::of(&error)),
        }
    }
}

impl Verdict {
    /// The verdict on a file when a trust source cannot be used: an unreadable source leaves the
    /// file unchecked, a source with a fault refuses it.
    pub(crate) fn without_source(error: &SourceError, file: &Path) -> Self {
        match error.is_unreadable() {
            true => Self::Unchecked(Problem::of(error).within(format_args!("cannot check {}", Escaped::path(file)))),
            false => Self::Refused(Problem::refusal(error)),
        }
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Verified(_) => Exit::Success,
            Self::Refused(_) => Exit::Refused,
            Self::Unchecked(_) => Exit::Failed,
        }
    }

    /// Prints the verdict. The returned exit is about the printing alone, apart from an unchecked
    /// file, which is [`Exit::Failed`].
    pub(crate) fn print(&self, file: &Path) -> Exit {
        let name = Escaped::path(file);
        let text = match self {
            Self::Verified(plugin) => format!("{name}: OK\n{}", PluginFacts(plugin)),
            Self::Refused(problem) => format!("{name}: REFUSED\n  {problem}\n"),
            Self::Unchecked(problem) => {
                OUTPUT.warn(problem);
                return Exit::Failed;
            }
        };
        let written = OUTPUT.write(text);
        if let Self::Refused(problem) = self
            && let Some(hint) = problem.hint()
        {
            OUTPUT.hint(hint);
        }
        OUTPUT.finish(Exit::Success, written)
    }

    pub(crate) fn entry(&self, file: &Path) -> Map<String, Value> {
        let mut entry = Map::new();
        entry.insert("file".into(), Escaped::path(file).to_string().into());
        entry.insert("outcome".into(), self.exit().word().into());
        match self {
            Self::Verified(plugin) => entry.extend(facts(plugin)),
            Self::Refused(problem) | Self::Unchecked(problem) => {
                entry.extend(problem.object(self.exit()));
            }
        }
        entry
    }
}

/// The properties of a verified plugin, one to a line.
struct PluginFacts<'a>(&'a VerifiedPlugin);

impl fmt::Display for PluginFacts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  sha256 {}", self.0.digest())?;
        writeln!(f, "  size   {} bytes", self.0.size())?;
        writeln!(f, "  image  {}", self.0.mode())?;
        // The name above is relative to this directory, not to the working directory.
        if let Some(directory) = self.0.directory() {
            writeln!(f, "  in     {}", Escaped::path(directory))?;
        }
        if let Subject::Manifest(digest) = self.0.subject() {
            writeln!(f, "  bundle manifest sha256 {digest}")?;
        }
        self.0.attestations().iter().try_for_each(|attestation| writeln!(f, "  by     {attestation}"))
    }
}

fn facts(plugin: &VerifiedPlugin) -> Map<String, Value> {
    let manifest = match plugin.subject() {
        Subject::Manifest(digest) => Some(digest.to_string()),
        _ => None,
    };
    let attestations: Vec<_> = plugin.attestations().iter().map(attestation).collect();
    let directory = plugin.directory().map(|directory| Escaped::path(directory).to_string());
    let facts = json!({
        "sha256": plugin.digest().to_string(), "size": plugin.size(), "image": plugin.mode().to_string(),
        "manifest": manifest, "directory": directory, "attestations": attestations,
    });
    facts.as_object().cloned().unwrap_or_default()
}

pub(crate) fn attestation(attestation: &Attestation) -> Value {
    let kind = attestation.kind().to_string();
    match attestation {
        Attestation::Checksums { path, .. } => json!({"kind": kind, "path": Escaped::path(path).to_string()}),
        Attestation::Lock { path, signed_by, .. } => json!({
            "kind": kind, "path": Escaped::path(path).to_string(), "signed_by": signed_by.map(|key| key.to_string()),
        }),
        Attestation::Manifest { path, version, key, .. } => json!({
            "kind": kind, "path": Escaped::path(path).to_string(), "version": version.to_string(), "key": key.to_string(),
        }),
        _ => json!({"kind": kind}),
    }
}
