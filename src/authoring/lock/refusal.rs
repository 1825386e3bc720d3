//! Why a lock file stays as it is: something may not be agreed to, or not in this way. Decides
//! nothing.

use std::fmt;
use std::path::PathBuf;

use crate::Escaped;
use crate::authoring::{Difference, ManifestError};
use crate::verify::decision::explanation::{Explanation, explained};
use crate::verify::{Digest, LockFault, Platform, PluginName, PublicKey, SourceError, VerifyError, Version};

/// Why something is not agreed to. The lock is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LockRefusal {
    /// Something was agreed to under this name already.
    #[error(
        "{name} is locked for {platform} already, with other bytes or in another version or on another word; replacing that is an update\n  locked  {locked}\n  offered {offered}"
    )]
    #[non_exhaustive]
    Locked {
        /// The plugin.
        name: PluginName,
        /// The platform.
        platform: Platform,
        /// The digest that was agreed to.
        locked: Digest,
        /// The digest that is offered.
        offered: Digest,
    },
    /// Nothing was agreed to under this name, so that nothing can be replaced or ended.
    #[error("{name} is not locked{}", Platforms(platform.as_slice()))]
    #[non_exhaustive]
    NotLocked {
        /// The plugin.
        name: PluginName,
        /// The platform, if one was meant.
        platform: Option<Platform>,
    },
    /// All artifacts of a plugin are of one version.
    #[error(
        "{name} is locked in {}, and this is {}; all its platforms change together, in an update",
        Known(locked),
        Known(offered)
    )]
    #[non_exhaustive]
    OtherVersion {
        /// The plugin.
        name: PluginName,
        /// The version that was agreed to.
        locked: Option<Version>,
        /// The version that is offered.
        offered: Option<Version>,
    },
    /// The version is below the one that was agreed to, or below the minimum.
    #[error("{name} would go back to {}, from version {locked}", Known(offered))]
    #[non_exhaustive]
    Downgrade {
        /// The plugin.
        name: PluginName,
        /// The version that was agreed to, or the minimum version if that is all that is known.
        locked: Version,
        /// The version that is offered, where it is known.
        offered: Option<Version>,
    },
    /// The key that vouched so far does not vouch for it.
    #[error("{name} was vouched for by key {}, and this is {}", Keys(locked), Signer(offered))]
    #[non_exhaustive]
    OtherSigner {
        /// The plugin.
        name: PluginName,
        /// The keys that vouched so far.
        locked: Vec<PublicKey>,
        /// The key that vouches for what is offered.
        offered: Option<PublicKey>,
    },
    /// The version changes, and nothing is offered for a platform that is locked.
    #[error("{name} changes its version, and nothing is offered{}", Platforms(platforms))]
    #[non_exhaustive]
    PlatformsLeft {
        /// The plugin.
        name: PluginName,
        /// The platforms.
        platforms: Vec<Platform>,
    },
    /// Two artifacts are offered for one platform.
    #[error("{name} is offered twice for {platform}")]
    #[non_exhaustive]
    Twice {
        /// The plugin.
        name: PluginName,
        /// The platform.
        platform: Platform,
    },
    /// Artifacts of several plugins or versions are offered as one update.
    #[error("{name} is offered in several versions, or together with another plugin")]
    #[non_exhaustive]
    Mixed {
        /// The plugin that was offered first.
        name: PluginName,
    },
    /// Nothing is offered.
    #[error("nothing is offered")]
    Nothing,
    /// A lock file names at least one plugin.
    #[error("{name} is the last plugin, and a lock file that names nothing is none; remove the file instead")]
    #[non_exhaustive]
    Last {
        /// The plugin.
        name: PluginName,
    },
    /// The outcome would be no lock file.
    #[error(transparent)]
    Malformed(#[from] LockFault),
}

impl LockRefusal {
    pub(crate) fn explanation(&self) -> Explanation {
        let of = Explanation::new;
        match self {
            Self::Locked { locked, offered, .. } => of("locked")
                .hint("if the new bytes are meant to replace the old ones, use plugin-verify lock update")
                .expected(locked)
                .actual(offered),
            Self::NotLocked { .. } => of("not-locked").hint("add the plugin first: plugin-verify lock add"),
            Self::OtherVersion { locked, offered, .. } => of("other-version")
                .hint("use plugin-verify lock update with the files for all platforms")
                .expected(Known(locked))
                .actual(Known(offered)),
            Self::Downgrade { locked, offered, .. } => of("downgrade")
                .hint("name a newer version, or accept the older one with --dangerous-downgrade")
                .expected(locked)
                .actual(Known(offered)),
            Self::OtherSigner { locked, offered, .. } => of("other-signer")
                .hint("ask the publisher whether the key has changed; --dangerous-other-signer accepts the new key")
                .expected(Keys(locked))
                .actual(Signer(offered)),
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

/// Why something cannot be agreed to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OfferError {
    /// It may not run, or it could not be found out whether it may.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// What should say what it is cannot be used.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Its files could not be gone through.
    #[error(transparent)]
    Files(#[from] ManifestError),
    /// It is not what its manifest says.
    #[error("{} is not what its manifest says: {difference}", Escaped::path(path))]
    #[non_exhaustive]
    Differs {
        /// The file or directory.
        path: PathBuf,
        /// The first difference.
        difference: Difference,
    },
    /// Its manifest says something else of it than whoever wants to agree to it.
    #[error("the {what} in the manifest of {} is {found}, not {given}", Escaped::path(path))]
    #[non_exhaustive]
    Disagreement {
        /// The file or directory.
        path: PathBuf,
        /// What it is about.
        what: &'static str,
        /// What was given.
        given: String,
        /// What the manifest says.
        found: String,
    },
    /// It is a program for this machine, and was said to be for another.
    #[error("{} is a program for this machine, not for {platform}", Escaped::path(path))]
    #[non_exhaustive]
    OtherPlatform {
        /// The file.
        path: PathBuf,
        /// What it was said to be for.
        platform: Platform,
    },
}

impl OfferError {
    pub(crate) fn explanation(&self) -> Explanation {
        let of = Explanation::new;
        match self {
            Self::Verify(error) => error.explanation(),
            Self::Source(error) => error.explanation(),
            Self::Files(error) => error.explanation(),
            Self::Differs { difference, .. } => difference.explanation(),
            Self::Disagreement { given, found, .. } => of("disagreement").expected(given).actual(found),
            Self::OtherPlatform { platform, .. } => of("other-platform").expected(platform),
        }
    }
}

explained!(OfferError);

impl OfferError {
    /// Whether it was refused for what it is or for what is said of it: as against a machine that
    /// could not look.
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

struct Known<'a>(&'a Option<Version>);

impl fmt::Display for Known<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(version) => write!(f, "version {version}"),
            None => f.write_str("a version that nobody knows"),
        }
    }
}

struct Signer<'a>(&'a Option<PublicKey>);

impl fmt::Display for Signer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(key) => write!(f, "vouched for by key {}", key.id()),
            None => f.write_str("vouched for by nobody"),
        }
    }
}

struct Keys<'a>(&'a [PublicKey]);

impl fmt::Display for Keys<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.0.iter().map(|key| key.id().to_string()).collect();
        f.write_str(&ids.join(" or "))
    }
}

struct Platforms<'a>(&'a [Platform]);

impl fmt::Display for Platforms<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, platform) in self.0.iter().enumerate() {
            write!(f, "{}{platform}", if index == 0 { " for " } else { ", " })?;
        }
        Ok(())
    }
}
