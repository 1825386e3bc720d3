//! What is said of one file that was held against a policy, as text and as JSON. Decides nothing.

use std::fmt;
use std::path::Path;

use portcullis::verify::{SourceError, Subject, VerifiedPlugin, VerifyError, Voucher};
use portcullis::{Chain, Escaped};
use serde_json::{Map, Value, json};

use crate::exit::Exit;
use crate::{hint, output};

/// What is said of one file.
#[derive(Debug)]
pub(crate) enum Verdict {
    Verified(VerifiedPlugin),
    /// The reason, and what a person can do about it.
    Refused(String, Option<&'static str>),
    Unchecked(String),
}

impl From<Result<VerifiedPlugin, VerifyError>> for Verdict {
    fn from(outcome: Result<VerifiedPlugin, VerifyError>) -> Self {
        match outcome {
            Ok(plugin) => Self::Verified(plugin),
            Err(VerifyError::Refused { reason, .. }) => Self::Refused(reason.to_string(), hint::what_to_do(&reason)),
            Err(VerifyError::Source { source, .. }) if !source.is_unreadable() => {
                Self::Refused(source.to_string(), None)
            }
            Err(error) => Self::Unchecked(Chain::of(&error).to_string()),
        }
    }
}

impl Verdict {
    /// Of a file when a source of truth cannot be used: one that cannot be read says nothing; one
    /// that is wrong does not vouch for it.
    pub(crate) fn without_source(error: &SourceError, file: &Path) -> Self {
        match error.is_unreadable() {
            true => Self::Unchecked(format!("{} could not be checked: {}", Escaped::path(file), Chain::of(error))),
            false => Self::Refused(error.to_string(), None),
        }
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Verified(_) => Exit::Success,
            Self::Refused(..) => Exit::Refused,
            Self::Unchecked(_) => Exit::Failed,
        }
    }

    /// Says it on standard output, and how that went.
    pub(crate) fn pronounce(&self, file: &Path) -> Exit {
        let name = Escaped::path(file);
        let text = match self {
            Self::Verified(plugin) => format!("{name}: OK\n{}", Facts(plugin)),
            Self::Refused(reason, _) => format!("{name}: REFUSED\n  {reason}\n"),
            Self::Unchecked(reason) => {
                output::complain(reason);
                return Exit::Failed;
            }
        };
        let written = output::write(text.as_bytes());
        if let Self::Refused(_, Some(advice)) = self {
            output::complain(format_args!("hint: {advice}"));
        }
        Exit::Success.after(written)
    }

    pub(crate) fn entry(&self, file: &Path) -> Map<String, Value> {
        let mut entry = Map::new();
        entry.insert("file".into(), Escaped::path(file).to_string().into());
        entry.insert("outcome".into(), self.exit().word().into());
        match self {
            Self::Verified(plugin) => entry.extend(facts(plugin)),
            Self::Refused(reason, advice) => {
                entry.insert("reason".into(), reason.as_str().into());
                entry.insert("hint".into(), json!(advice));
            }
            Self::Unchecked(error) => {
                entry.insert("error".into(), error.as_str().into());
            }
        }
        entry
    }
}

/// What is known of a verified plugin, one fact to a line.
struct Facts<'a>(&'a VerifiedPlugin);

impl fmt::Display for Facts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  sha256 {}", self.0.digest())?;
        writeln!(f, "  size   {} bytes", self.0.size())?;
        writeln!(f, "  image  {}", self.0.mode())?;
        // Relative to it, and not to the working directory, is the name above.
        if let Some(directory) = self.0.directory() {
            writeln!(f, "  in     {}", Escaped::path(directory))?;
        }
        if let Subject::Manifest(digest) = self.0.subject() {
            writeln!(f, "  bundle manifest sha256 {digest}")?;
        }
        self.0.vouchers().iter().try_for_each(|voucher| writeln!(f, "  by     {voucher}"))
    }
}

fn facts(plugin: &VerifiedPlugin) -> Map<String, Value> {
    let manifest = match plugin.subject() {
        Subject::Manifest(digest) => Some(digest.to_string()),
        _ => None,
    };
    let vouchers: Vec<_> = plugin.vouchers().iter().map(voucher).collect();
    let directory = plugin.directory().map(|directory| Escaped::path(directory).to_string());
    let facts = json!({
        "sha256": plugin.digest().to_string(), "size": plugin.size(), "image": plugin.mode().to_string(),
        "manifest": manifest, "directory": directory, "vouchers": vouchers,
    });
    facts.as_object().cloned().unwrap_or_default()
}

pub(crate) fn voucher(voucher: &Voucher) -> Value {
    let kind = voucher.kind().to_string();
    match voucher {
        Voucher::Checksums { path, .. } => json!({"kind": kind, "path": Escaped::path(path).to_string()}),
        Voucher::Lock { path, vouched_by, .. } => json!({
            "kind": kind, "path": Escaped::path(path).to_string(), "vouched_by": vouched_by.map(|key| key.to_string()),
        }),
        Voucher::Manifest { path, version, key, .. } => json!({
            "kind": kind, "path": Escaped::path(path).to_string(), "version": version.to_string(), "key": key.to_string(),
        }),
        _ => json!({"kind": kind}),
    }
}
