//! The changes of a lock: an artifact is added, updated or removed, and a change that weakens the
//! lock needs its own override. Reads no plugin and writes no file.

use std::collections::BTreeSet;
use std::fmt;

use super::{Candidate, LockRefusal};
use crate::Escaped;
use crate::verify::sources::lock::fault;
use crate::verify::{Artifact, Lock, LockedPlugin, Platform, PluginName, PublicKey, Subject, Version};

/// Which weakening changes of a lock are allowed. None by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Overrides {
    downgrade: bool,
    other_signer: bool,
    drop_platforms: bool,
}

impl Overrides {
    /// Allows no change that weakens the lock.
    pub fn none() -> Self {
        Self::default()
    }

    /// Allows a version below the locked one, or an unknown version. A minimum version above the
    /// new version is lowered to it.
    pub fn dangerous_downgrade(mut self) -> Self {
        self.downgrade = true;
        self
    }

    /// Allows an artifact that is unsigned, or signed by another key than the locked one.
    pub fn dangerous_other_signer(mut self) -> Self {
        self.other_signer = true;
        self
    }

    /// Allows an update to drop the platforms that the new version has no build for.
    pub fn drop_platforms(mut self) -> Self {
        self.drop_platforms = true;
        self
    }
}

impl Lock {
    /// Adds an artifact for a platform that the plugin has none for. Adding an artifact that is
    /// locked already changes nothing.
    ///
    /// # Errors
    ///
    /// If another artifact is locked for that platform, if the other platforms of the plugin are
    /// locked in another version, or if their artifacts are signed by keys that did not sign this
    /// one, unless `overrides` allow that.
    pub fn add(&mut self, candidate: &Candidate, overrides: Overrides) -> Result<Change, LockRefusal> {
        let name = &candidate.name;
        let Some(before) = self.plugins.get(name) else {
            let new = LockedPlugin {
                version: candidate.version.clone(),
                minimum_version: candidate.minimum_version.clone(),
                note: candidate.note.clone(),
                artifacts: [(candidate.platform.clone(), candidate.artifact())].into(),
            };
            return self.apply(name, Some(new));
        };
        if let Some(locked) = before.artifacts.get(&candidate.platform) {
            return match is_part_of(candidate, before, locked) {
                true => Ok(Change::new(name.clone(), Some(before.clone()), Some(before.clone()))),
                false => Err(LockRefusal::Locked {
                    name: name.clone(),
                    platform: candidate.platform.clone(),
                    locked: locked.subject.digest(),
                    candidate: candidate.subject.digest(),
                }),
            };
        }
        if before.version != candidate.version {
            let (locked, candidate) = (before.version.clone(), candidate.version.clone());
            return Err(LockRefusal::OtherVersion { name: name.clone(), locked, candidate });
        }
        refuse_other_signer(before, candidate, overrides)?;
        let after = with(before.clone(), candidate);
        self.apply(name, Some(after))
    }

    /// Replaces locked artifacts of one plugin: one candidate for each platform, all of one
    /// version. The minimum version rises to that of the new manifests, and never falls without an
    /// override.
    ///
    /// An update to another version must have a candidate for each locked platform: no artifact of
    /// the old version is kept under the new one.
    ///
    /// # Errors
    ///
    /// If a candidate replaces nothing, or if one of them weakens the lock and `overrides` do not
    /// allow it: a lower or unknown version, another signer or none, a platform without the new
    /// version.
    pub fn update(&mut self, candidates: &[Candidate], overrides: Overrides) -> Result<Change, LockRefusal> {
        let Some(Candidate { name, version, .. }) = candidates.first() else { return Err(LockRefusal::Nothing) };
        let not_locked = |platform| LockRefusal::NotLocked { name: name.clone(), platform };
        let before = self.plugins.get(name).ok_or_else(|| not_locked(None))?;
        if candidates.iter().any(|candidate| candidate.name != *name || candidate.version != *version) {
            return Err(LockRefusal::Mixed { name: name.clone() });
        }
        let mut platforms = BTreeSet::new();
        for candidate in candidates {
            if !before.artifacts.contains_key(&candidate.platform) && before.version == *version {
                return Err(not_locked(Some(candidate.platform.clone())));
            }
            if !platforms.insert(&candidate.platform) {
                return Err(LockRefusal::Twice { name: name.clone(), platform: candidate.platform.clone() });
            }
            refuse_other_signer(before, candidate, overrides)?;
        }
        let mut after = before.clone();
        after.minimum_version = minimum_version(name, before, version.as_ref(), overrides)?;
        if before.version != *version {
            let left = before.artifacts.keys().filter(|platform| !platforms.contains(platform));
            let left: Vec<Platform> = left.cloned().collect();
            if !left.is_empty() && !overrides.drop_platforms {
                return Err(LockRefusal::PlatformsLeft { name: name.clone(), platforms: left });
            }
            after.artifacts.retain(|platform, _| platforms.contains(platform));
        }
        after.version = version.clone();
        let after = candidates.iter().fold(after, with);
        self.apply(name, Some(after))
    }

    /// Removes a plugin, or its artifact for one platform.
    ///
    /// # Errors
    ///
    /// If it is not locked, or is the last plugin of the lock: a lock file names at least one.
    pub fn remove(&mut self, name: &PluginName, platform: Option<&Platform>) -> Result<Change, LockRefusal> {
        let not_locked = || LockRefusal::NotLocked { name: name.clone(), platform: platform.cloned() };
        let mut after = self.plugins.get(name).ok_or_else(not_locked)?.clone();
        match platform {
            None => after.artifacts.clear(),
            Some(platform) => {
                after.artifacts.remove(platform).ok_or_else(not_locked)?;
            }
        }
        if !after.artifacts.is_empty() {
            return self.apply(name, Some(after));
        }
        match self.plugins.len() {
            1 => Err(LockRefusal::Last { name: name.clone() }),
            _ => self.apply(name, None),
        }
    }

    fn apply(&mut self, name: &PluginName, after: Option<LockedPlugin>) -> Result<Change, LockRefusal> {
        if let Some(fault) = after.as_ref().and_then(|after| fault(name, after)) {
            return Err(fault.into());
        }
        let before = match &after {
            Some(after) => self.insert_plugin(name.clone(), after.clone()),
            None => self.remove_plugin(name),
        };
        Ok(Change::new(name.clone(), before, after))
    }
}

/// Whether the lock says everything already that a candidate says. A candidate that leaves a fact
/// open agrees with any locked one.
fn is_part_of(candidate: &Candidate, before: &LockedPlugin, locked: &Artifact) -> bool {
    fn agrees<T: PartialEq>(candidate: &Option<T>, locked: &Option<T>) -> bool {
        candidate.is_none() || candidate == locked
    }
    candidate.subject == locked.subject
        && agrees(&candidate.signed_by, &locked.signed_by)
        && agrees(&candidate.version, &before.version)
        && agrees(&candidate.minimum_version, &before.minimum_version)
        && agrees(&candidate.note, &before.note)
}

/// The plugin with the artifact of a candidate.
fn with(mut plugin: LockedPlugin, candidate: &Candidate) -> LockedPlugin {
    plugin.artifacts.insert(candidate.platform.clone(), candidate.artifact());
    plugin.minimum_version = plugin.minimum_version.max(candidate.minimum_version.clone());
    plugin.note = candidate.note.clone().or(plugin.note);
    plugin
}

/// The minimum version after an update to `candidate`.
fn minimum_version(
    name: &PluginName,
    before: &LockedPlugin,
    candidate: Option<&Version>,
    overrides: Overrides,
) -> Result<Option<Version>, LockRefusal> {
    let minimum = before.minimum_version.clone();
    let highest = before.version.as_ref().max(minimum.as_ref());
    let Some(locked) = highest.filter(|locked| candidate.is_none_or(|candidate| candidate < locked)) else {
        return Ok(minimum);
    };
    if overrides.downgrade {
        // An unknown version is never at least the minimum, so a minimum would block it.
        return Ok(minimum.zip(candidate).map(|(minimum, candidate)| minimum.min(candidate.clone())));
    }
    Err(LockRefusal::Downgrade { name: name.clone(), locked: locked.clone(), candidate: candidate.cloned() })
}

/// Requires the signer of the artifact that is replaced. Where there is none, any signer of the
/// plugin's other artifacts will do.
fn refuse_other_signer(before: &LockedPlugin, candidate: &Candidate, overrides: Overrides) -> Result<(), LockRefusal> {
    let of_platform = before.artifacts.get(&candidate.platform).and_then(|artifact| artifact.signed_by);
    let keys: BTreeSet<PublicKey> = match of_platform {
        Some(key) => [key].into(),
        None => before.artifacts.values().filter_map(|artifact: &Artifact| artifact.signed_by).collect(),
    };
    if keys.is_empty() || overrides.other_signer || candidate.signed_by.is_some_and(|key| keys.contains(&key)) {
        return Ok(());
    }
    let locked = keys.into_iter().collect();
    Err(LockRefusal::OtherSigner { name: candidate.name.clone(), locked, candidate: candidate.signed_by })
}

/// How one plugin of a lock changed. `Display` shows its name and a diff: a line with `-` for each
/// fact that was removed, with `+` for each that was added.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a change has to be shown to its reviewer"]
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

    /// The locked plugin before the change, if there was one.
    pub fn before(&self) -> Option<&LockedPlugin> {
        self.before.as_ref()
    }

    /// The locked plugin after the change, unless it was removed.
    pub fn after(&self) -> Option<&LockedPlugin> {
        self.after.as_ref()
    }

    /// Whether nothing changed.
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

/// One line for each locked fact.
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
        let signer = artifact.signed_by.map(|key| format!(", signed by key {}", key.id()));
        facts.push(format!("{platform} {subject}{}", signer.unwrap_or_default()));
    }
    facts
}
