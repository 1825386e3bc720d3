//! What became of one plugin in a lock file, old and new, for whoever reviews it. Changes nothing.

use std::fmt;

use crate::Escaped;
use crate::verify::{LockedPlugin, PluginName, Subject};

/// What became of one plugin. Its `Display` is the name and, as a diff has them, the lines that are
/// gone and those that are new.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a change that nobody sees is not reviewed"]
pub struct Change {
    name: PluginName,
    before: Option<LockedPlugin>,
    after: Option<LockedPlugin>,
}

impl Change {
    pub(super) fn new(name: PluginName, before: Option<LockedPlugin>, after: Option<LockedPlugin>) -> Self {
        Self { name, before, after }
    }

    /// The plugin.
    pub fn name(&self) -> &PluginName {
        &self.name
    }

    /// What was agreed to before, if anything was.
    pub fn before(&self) -> Option<&LockedPlugin> {
        self.before.as_ref()
    }

    /// What is agreed to now, if anything is.
    pub fn after(&self) -> Option<&LockedPlugin> {
        self.after.as_ref()
    }

    /// Whether everything is as it was.
    pub fn is_empty(&self) -> bool {
        self.before == self.after
    }

    fn word(&self) -> &'static str {
        match (&self.before, &self.after) {
            _ if self.is_empty() => "unchanged",
            (None, _) => "new",
            (Some(_), None) => "removed",
            (Some(_), Some(_)) => "changed",
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.word())?;
        let (before, after) = (facts(self.before()), facts(self.after()));
        for fact in before.iter().filter(|fact| !after.contains(fact)) {
            write!(f, "\n- {fact}")?;
        }
        for fact in after.iter().filter(|fact| !before.contains(fact)) {
            write!(f, "\n+ {fact}")?;
        }
        Ok(())
    }
}

/// A line for everything that is agreed to.
fn facts(plugin: Option<&LockedPlugin>) -> Vec<String> {
    let Some(LockedPlugin { version, minimum_version, note, artifacts }) = plugin else { return Vec::new() };
    let mut facts: Vec<String> = version.iter().map(|version| format!("version {version}")).collect();
    facts.extend(minimum_version.iter().map(|minimum| format!("minimum version {minimum}")));
    facts.extend(note.iter().map(|note| format!("note {:?}", Escaped::new(note))));
    for (platform, artifact) in artifacts {
        let subject = match artifact.subject {
            Subject::File(digest) => format!("sha256 {digest}"),
            Subject::Manifest(digest) => format!("manifest {digest}"),
        };
        let signer = artifact.vouched_by.map(|key| format!(", vouched for by key {}", key.id()));
        facts.push(format!("{platform} {subject}{}", signer.unwrap_or_default()));
    }
    facts
}
