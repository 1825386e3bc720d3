//! Why a lock stays as it is: a candidate is rejected, or a change of the lock is. Decides nothing.

use std::fmt;
use std::path::PathBuf;

use crate::Escaped;
use crate::authoring::{Difference, ManifestError};
use crate::verify::decision::explanation::{Explanation, explained};
use crate::verify::{Digest, LockFault, Platform, PluginName, PublicKey, SourceError, VerifyError, Version};

/// Why a lock was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LockRefusal {
    /// Another artifact is locked for the platform, or the same one with other facts.
    #[error(
        "{name} is already locked for {platform} with another digest, version or signer; an update replaces it\n  locked    {locked}\n  candidate {candidate}"
    )]
    #[non_exhaustive]
    Locked {
        /// The plugin.
        name: PluginName,
        /// The platform.
        platform: Platform,
        /// The locked digest.
        locked: Digest,
        /// The digest of the candidate.
        candidate: Digest,
    },
    /// The plugin has no artifact that could be replaced or removed.
    #[error("{name} is not locked{}", ShownPlatforms(platform.as_slice()))]
    #[non_exhaustive]
    NotLocked {
        /// The plugin.
        name: PluginName,
        /// The platform, if the change was about one.
        platform: Option<Platform>,
    },
    /// The other platforms of the plugin are locked in another version.
    #[error(
        "{name} is locked in {}, and the candidate is {}; an update changes the version of all platforms together",
        ShownVersion(locked),
        ShownVersion(candidate)
    )]
    #[non_exhaustive]
    OtherVersion {
        /// The plugin.
        name: PluginName,
        /// The locked version, if it is known.
        locked: Option<Version>,
        /// The version of the candidate, if it is known.
        candidate: Option<Version>,
    },
    /// The version of the candidate is unknown, or below the locked version or the minimum version.
    #[error("{name} would go back from version {locked} to {}", ShownVersion(candidate))]
    #[non_exhaustive]
    Downgrade {
        /// The plugin.
        name: PluginName,
        /// The locked version or the minimum version, whichever is higher.
        locked: Version,
        /// The version of the candidate, if it is known.
        candidate: Option<Version>,
    },
    /// The candidate is not signed by the key that signed the locked artifact.
    #[error("{name} is locked as signed by key {}, and the candidate is {}", ShownKeys(locked), ShownSigner(candidate))]
    #[non_exhaustive]
    OtherSigner {
        /// The plugin.
        name: PluginName,
        /// The locked keys, one of which must have signed the candidate.
        locked: Vec<PublicKey>,
        /// The key that signed the candidate, if one did.
        candidate: Option<PublicKey>,
    },
    /// The version changes, and a locked platform has no candidate.
    #[error("{name} changes its version, but there is no candidate{}", ShownPlatforms(platforms))]
    #[non_exhaustive]
    PlatformsLeft {
        /// The plugin.
        name: PluginName,
        /// The platforms without a candidate.
        platforms: Vec<Platform>,
    },
    /// Two candidates are for one platform.
    #[error("{name} has two candidates for {platform}")]
    #[non_exhaustive]
    Twice {
        /// The plugin.
        name: PluginName,
        /// The platform.
        platform: Platform,
    },
    /// The candidates of one update are of several plugins or versions.
    #[error("the candidates for {name} have several names or versions; update one plugin to one version at a time")]
    #[non_exhaustive]
    Mixed {
        /// The plugin of the first candidate.
        name: PluginName,
    },
    /// An update without candidates.
    #[error("an update needs at least one candidate")]
    Nothing,
    /// The last plugin cannot be removed.
    #[error("{name} is the last plugin, and a lock file names at least one; delete the file instead")]
    #[non_exhaustive]
    Last {
        /// The plugin.
        name: PluginName,
    },
    /// The changed lock would not be a valid lock file.
    #[error(transparent)]
    Malformed(#[from] LockFault),
}

impl LockRefusal {
    pub(crate) fn explanation(&self) -> Explanation {
        let of = Explanation::new;
        match self {
            Self::Locked { locked, candidate, .. } => of("locked")
                .hint("if the new bytes are meant to replace the old ones, use plugin-verify lock update")
                .expected(locked)
                .actual(candidate),
            Self::NotLocked { .. } => of("not-locked").hint("add the plugin first: plugin-verify lock add"),
            Self::OtherVersion { locked, candidate, .. } => of("other-version")
                .hint("use plugin-verify lock update with the files for all platforms")
                .expected(ShownVersion(locked))
                .actual(ShownVersion(candidate)),
            Self::Downgrade { locked, candidate, .. } => of("downgrade")
                .hint("name a newer version, or accept the older one with --dangerous-downgrade")
                .expected(locked)
                .actual(ShownVersion(candidate)),
            Self::OtherSigner { locked, candidate, .. } => of("other-signer")
                .hint("ask the publisher whether the key has changed; --dangerous-other-signer accepts the new key")
                .expected(ShownKeys(locked))
                .actual(ShownSigner(candidate)),
            Self::PlatformsLeft { .. } => of("platforms-left")
                .hint("name the files for all platforms together, or remove the other platforms with --drop-platforms"),
            Self::Twice { .. } => of("twice"),
            Self::Mixed { .. } => of("mixed"),
            Self::Nothing => of("nothing"),
            Self::Last { .. } => of("last"),
            Self::Malformed(fault) => of(fault.code()),
        }
    }
}

explained!(LockRefusal);

/// Why a file or directory cannot become a candidate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CandidateError {
    /// A policy would reject it, or it could not be checked.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// Its manifest or checksum list cannot be used.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Its files could not be listed or read.
    #[error(transparent)]
    Files(#[from] ManifestError),
    /// It differs from its manifest.
    #[error("{} differs from its manifest: {difference}", Escaped::path(path))]
    #[non_exhaustive]
    Differs {
        /// The file or directory.
        path: PathBuf,
        /// The first difference.
        difference: Difference,
    },
    /// The caller and the manifest disagree about a fact.
    #[error("the manifest of {} has the {fact} {manifest}, expected {given}", Escaped::path(path))]
    #[non_exhaustive]
    Disagreement {
        /// The file or directory.
        path: PathBuf,
        /// The fact: "name", "version" or "platform".
        fact: &'static str,
        /// The caller's value.
        given: String,
        /// The manifest's value.
        manifest: String,
    },
    /// It is a program for Linux on this machine, and was declared for another platform.
    #[error("{} is a program for this machine, expected one for {platform}", Escaped::path(path))]
    #[non_exhaustive]
    OtherPlatform {
        /// The file.
        path: PathBuf,
        /// The declared platform.
        platform: Platform,
    },
}

impl CandidateError {
    pub(crate) fn explanation(&self) -> Explanation {
        let of = Explanation::new;
        match self {
            Self::Verify(error) => error.explanation(),
            Self::Source(error) => error.explanation(),
            Self::Files(error) => error.explanation(),
            Self::Differs { difference, .. } => difference.explanation(),
            Self::Disagreement { given, manifest, .. } => of("disagreement").expected(given).actual(manifest),
            Self::OtherPlatform { platform, .. } => of("other-platform").expected(platform),
        }
    }
}

explained!(CandidateError);

impl CandidateError {
    /// Whether the candidate itself was rejected. False if it could not be read or checked.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Verify(error) => error.is_refusal(),
            Self::Source(error) => !error.is_unreadable(),
            Self::Files(error) => !matches!(error, ManifestError::Io { .. }),
            Self::Differs { difference, .. } => difference.is_refusal(),
            Self::Disagreement { .. } | Self::OtherPlatform { .. } => true,
        }
    }
}

struct ShownVersion<'a>(&'a Option<Version>);

impl fmt::Display for ShownVersion<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(version) => write!(f, "version {version}"),
            None => f.write_str("an unknown version"),
        }
    }
}

struct ShownSigner<'a>(&'a Option<PublicKey>);

impl fmt::Display for ShownSigner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(key) => write!(f, "signed by key {}", key.id()),
            None => f.write_str("unsigned"),
        }
    }
}

struct ShownKeys<'a>(&'a [PublicKey]);

impl fmt::Display for ShownKeys<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.0.iter().map(|key| key.id().to_string()).collect();
        f.write_str(&ids.join(" or "))
    }
}

struct ShownPlatforms<'a>(&'a [Platform]);

impl fmt::Display for ShownPlatforms<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, platform) in self.0.iter().enumerate() {
            write!(f, "{}{platform}", if index == 0 { " for " } else { ", " })?;
        }
        Ok(())
    }
}
