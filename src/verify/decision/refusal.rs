//! Why a plugin may not run: one variant for each reason, with the facts that a person needs.
//! Decides nothing.

use std::fmt;
use std::path::PathBuf;

use crate::Escaped;
use crate::verify::bytes::format::Format;
use crate::verify::decision::explanation::{Explanation, explained};
use crate::verify::{
    Attestation, BundlePath, Digest, Expiry, LinkageFault, MissingAttestation, Platform, PluginName, Version,
};

/// Why a policy refuses a plugin.
///
/// [`code`](Self::code) names the reason for programs, [`hint`](Self::hint) says what to do, and
/// [`expected`](Self::expected) and [`actual`](Self::actual) are the two values that differ.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The policy has no source, so it allows nothing.
    #[error("the policy has no source and allows nothing")]
    NothingAllowed,
    /// The policy does not allow these bytes.
    #[error("SHA-256 mismatch\n  expected {}\n  actual   {actual}", DigestList(expected))]
    #[non_exhaustive]
    DigestMismatch {
        /// The digests that the policy allows.
        expected: Vec<Digest>,
        /// The digest of the bytes that were read.
        actual: Digest,
    },
    /// A plugin's program is a regular file.
    #[error("it is {kind}, not a regular file")]
    NotRegular {
        /// The kind of file, such as `a directory`.
        kind: &'static str,
    },
    /// The file is larger than the policy's limit.
    #[error("it is larger than the limit of {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The mode of the file has no execute permission.
    #[error("no user may execute it: its mode is {mode:04o}")]
    NotExecutable {
        /// The permission bits.
        mode: u32,
    },
    /// The file has a set-user-ID or set-group-ID bit: it is meant to run with the rights of
    /// another user.
    #[error("its mode {mode:04o} has a set-user-ID or set-group-ID bit")]
    SetId {
        /// The permission bits.
        mode: u32,
    },
    /// The file has capabilities (capabilities(7)): it is meant to run with more rights than its
    /// caller.
    #[error("it has file capabilities")]
    FileCapabilities,
    /// The file is on a mount with the option `noexec`. Running a copy would circumvent that.
    #[error("it is on a mount with the option noexec")]
    NoexecMount,
    /// The file is a script. Its digest does not cover its interpreter.
    #[error(
        "it is a script for {:?}, and the digest does not cover that program; verify the interpreter and pass the script as an argument",
        Escaped::new(interpreter)
    )]
    Script {
        /// The first line after `#!`, cut after 80 bytes.
        interpreter: String,
    },
    /// The file is not a program for this machine.
    #[error("it is {0}")]
    Format(Format),
    /// The policy does not accept the way in which the program is linked.
    #[error(transparent)]
    Linkage(LinkageFault),
    /// This machine does not execute sealed memory.
    /// [`Policy::with_private_copy`](crate::verify::Policy::with_private_copy) is the alternative.
    #[error(
        "this machine does not execute memory (vm.memfd_noexec=2), and the policy has no directory for private copies"
    )]
    SealedExecUnavailable,
    /// The directory for private copies is on a mount with the option `noexec`.
    #[error("the directory for private copies, {}, is on a mount with the option noexec", Escaped::path(directory))]
    CopyNotExecutable {
        /// The directory.
        directory: PathBuf,
    },
    /// Other users could replace the private copy.
    #[error(
        "{} is not safe for private copies: others can rename files in it (owner {owner}, mode {mode:04o})",
        Escaped::path(directory)
    )]
    OpenDirectory {
        /// The configured directory, or one above it.
        directory: PathBuf,
        /// Its owner's user id.
        owner: u32,
        /// Its permission bits.
        mode: u32,
    },
    /// The policy denies the digest. No source overrides that.
    #[error("the policy denies {digest}")]
    Denied {
        /// The digest of the plugin or of one of its files.
        digest: Digest,
    },
    /// No source of the policy accepts it.
    #[error("no source of the policy accepts it{}", MissingList(missing))]
    NotAttested {
        /// The answer of each source.
        missing: Vec<MissingAttestation>,
    },
    /// A source that the policy requires does not accept it.
    #[error("the policy requires the source '{}', and {missing}", missing.kind())]
    RequiredSource {
        /// The answer of that source.
        missing: MissingAttestation,
    },
    /// Two sources name different digests for the same plugin.
    #[error("its sources contradict each other\n  {} says {one}\n  {} says {other}", attestations.0, attestations.1)]
    Contradiction {
        /// The two sources.
        attestations: Box<(Attestation, Attestation)>,
        /// The digest that the first names.
        one: Digest,
        /// The digest that the second names.
        other: Digest,
    },
    /// A source looks plugins up by name, and the file name is not a valid plugin name.
    #[error("its file name is not a valid plugin name; the lock file and manifests need one")]
    Unnamed,
    /// The manifest is about another plugin.
    #[error("its manifest is about the plugin {found}, not {expected}")]
    OtherPlugin {
        /// The plugin that was asked for.
        expected: PluginName,
        /// The plugin that the manifest is about.
        found: PluginName,
    },
    /// The manifest is about another platform.
    #[error("its manifest is for {found}; this machine is {expected}")]
    OtherPlatform {
        /// This machine.
        expected: Platform,
        /// The platform that the manifest is about.
        found: Platform,
    },
    /// The manifest has expired.
    #[error("its manifest expired on {expires}")]
    Expired {
        /// The date of expiry.
        expires: Expiry,
    },
    /// The version is below the minimum version.
    #[error("its version {version} is below the minimum version {minimum}")]
    Rollback {
        /// The version.
        version: Version,
        /// The minimum version.
        minimum: Version,
    },
    /// There is a minimum version, and no source states the plugin's version.
    #[error("its version is unknown, and the minimum version is {minimum}")]
    VersionUnknown {
        /// The minimum version.
        minimum: Version,
    },
    /// The manifest has no signature.
    #[error("its manifest is not signed: there is no signature {}", Escaped::path(signature))]
    Unsigned {
        /// The expected path of the signature.
        signature: PathBuf,
    },
    /// The lock file pins a manifest, and the plugin has none.
    #[error("the lock file pins its manifest, and there is no {}", Escaped::path(path))]
    NoManifest {
        /// The expected path of the manifest.
        path: PathBuf,
    },
    /// The manifest is not the one in the lock file.
    #[error("SHA-256 mismatch of its manifest\n  expected {expected}\n  actual   {actual}")]
    ManifestMismatch {
        /// The digest in the lock file.
        expected: Digest,
        /// The digest of the manifest that was read.
        actual: Digest,
    },
    /// The plugin is one file, and the manifest is about a directory or about another file.
    #[error("its manifest is not about a single file of that name")]
    ManifestOfDirectory,
    /// A file that the manifest names is missing.
    #[error("its file {path}, which its manifest names, is missing")]
    FileMissing {
        /// The file.
        path: BundlePath,
    },
    /// The size differs from the size in the manifest.
    #[error("it is {actual} bytes long, expected {expected}")]
    #[non_exhaustive]
    Size {
        /// The size in the manifest, in bytes.
        expected: u64,
        /// The size of the file, in bytes.
        actual: u64,
    },
    /// The size of a file differs from the size in the manifest.
    #[error("the size of its file {path} differs from the expected {expected} bytes")]
    FileSize {
        /// The file.
        path: BundlePath,
        /// The size in the manifest, in bytes.
        expected: u64,
    },
    /// The digest of a file differs from the digest in the manifest.
    #[error("SHA-256 mismatch of its file {path}\n  expected {expected}\n  actual   {actual}")]
    FileDigest {
        /// The file.
        path: BundlePath,
        /// The digest in the manifest.
        expected: Digest,
        /// The digest of the bytes that were read.
        actual: Digest,
    },
    /// A file of the plugin is refused.
    #[error("its file {path}: {reason}")]
    File {
        /// The file.
        path: BundlePath,
        /// Why.
        reason: Box<Refusal>,
    },
    /// The manifest or its signature is refused.
    #[error("{}: {reason}", Escaped::path(path))]
    Document {
        /// The manifest or signature.
        path: PathBuf,
        /// Why.
        reason: Box<Refusal>,
    },
    /// The interpreter is refused.
    #[error("its interpreter {}: {reason}", Escaped::path(path))]
    Interpreter {
        /// The interpreter.
        path: PathBuf,
        /// Why.
        reason: Box<Refusal>,
    },
    /// A plugin that is a directory cannot run in place.
    #[error("it is a directory, which runs from verified copies only")]
    PinnedDirectory,
    /// The plugin directory is not given as an absolute path.
    #[error("the plugin directory {} is not an absolute path without `..`", Escaped::path(directory))]
    DirectoryNotAbsolute {
        /// The directory as the caller named it.
        directory: PathBuf,
    },
    /// The plugin is not beneath the plugin directory.
    #[error("it is not beneath the plugin directory {}", Escaped::path(directory))]
    OutsideDirectory {
        /// The plugin directory.
        directory: PathBuf,
    },
    /// A component of its path is a symbolic link.
    #[error("{} is a symbolic link", Escaped::path(path))]
    Symlink {
        /// The link.
        path: PathBuf,
    },
    /// A user whom the policy does not trust owns a component of its path or may write it.
    #[error("{} has the owner {owner} and the mode {mode:04o}, which the policy does not allow", Escaped::path(path))]
    UntrustedOwner {
        /// The file or directory.
        path: PathBuf,
        /// Its owner's user id.
        owner: u32,
        /// Its permission bits.
        mode: u32,
    },
    /// The file was to run in place, and users other than root and the host's user may write it.
    #[error("others may write it while it runs: its owner is {owner} and its mode is {mode:04o}")]
    WritableByOthers {
        /// The permission bits.
        mode: u32,
        /// The owner's user id.
        owner: u32,
    },
}

impl Refusal {
    /// One arm for each reason. A refused file, manifest or interpreter has the code of the reason
    /// inside.
    pub(crate) fn explanation(&self) -> Explanation {
        let of = Explanation::new;
        match self {
            Self::NothingAllowed => of("nothing-allowed").hint(hints::NOTHING_ALLOWED),
            // Not "allow the actual digest": that would approve any file that is in this place.
            Self::DigestMismatch { expected, actual } => {
                let explanation = of("digest-mismatch").hint(hints::DIGEST_MISMATCH).actual(actual);
                match expected.as_slice() {
                    [expected] => explanation.expected(expected),
                    several => explanation.expected(joined(several)),
                }
            }
            Self::NotRegular { kind } => {
                of("not-regular").hint(hints::NAME_PROGRAM).expected("a regular file").actual(kind)
            }
            Self::TooLarge { limit } => {
                of("too-large").hint(hints::NAME_PROGRAM).expected(format_args!("at most {limit} bytes"))
            }
            Self::NotExecutable { mode } => {
                of("not-executable").hint(hints::NOT_EXECUTABLE).actual(format_args!("{mode:04o}"))
            }
            Self::SetId { mode } => of("set-id").hint(hints::SET_ID).actual(format_args!("{mode:04o}")),
            Self::FileCapabilities => of("file-capabilities").hint(hints::FILE_CAPABILITIES),
            Self::NoexecMount => of("noexec-mount").hint(hints::NOEXEC_MOUNT),
            Self::Script { interpreter } => of("script").hint(hints::SCRIPT).actual(Escaped::new(interpreter)),
            Self::Format(format) => format.explanation(),
            Self::Linkage(fault) => fault.explanation(),
            Self::SealedExecUnavailable => of("sealed-exec-unavailable").hint(hints::SEALED_EXEC_UNAVAILABLE),
            Self::CopyNotExecutable { .. } => of("copy-not-executable").hint(hints::COPY_NOT_EXECUTABLE),
            Self::OpenDirectory { owner, mode, .. } => {
                of("open-directory").hint(hints::RESTRICT_WRITING).actual(ownership(*owner, *mode))
            }
            Self::Denied { digest } => of("denied").hint(hints::DENIED).actual(digest),
            Self::NotAttested { .. } => of("not-attested").hint(hints::NOT_ATTESTED),
            Self::RequiredSource { missing } => {
                of("required-source").hint(hints::NOT_ATTESTED).expected(missing.kind())
            }
            Self::Contradiction { one, other, .. } => {
                of("contradiction").hint(hints::CONTRADICTION).expected(one).actual(other)
            }
            Self::Unnamed => of("unnamed").hint(hints::NAME_PLUGIN),
            Self::OtherPlugin { expected, found } => {
                of("other-plugin").hint(hints::NAME_PLUGIN).expected(expected).actual(found)
            }
            Self::OtherPlatform { expected, found } => {
                of("other-platform").hint(hints::THIS_MACHINE).expected(expected).actual(found)
            }
            Self::Expired { expires } => of("expired").hint(hints::EXPIRED).expected(expires),
            Self::Rollback { version, minimum } => {
                of("rollback").hint(hints::ROLLBACK).expected(minimum).actual(version)
            }
            Self::VersionUnknown { minimum } => of("version-unknown").hint(hints::ROLLBACK).expected(minimum),
            Self::Unsigned { .. } => of("unsigned").hint(hints::UNSIGNED),
            Self::NoManifest { .. } => of("no-manifest").hint(hints::NO_MANIFEST),
            Self::ManifestMismatch { expected, actual } => {
                of("manifest-mismatch").hint(hints::NOT_AS_AGREED).expected(expected).actual(actual)
            }
            Self::ManifestOfDirectory => of("manifest-of-directory").hint(hints::NAME_DIRECTORY),
            Self::FileMissing { .. } => of("file-missing").hint(hints::NOT_AS_AGREED),
            Self::Size { expected, actual } => of("size").hint(hints::NOT_AS_AGREED).expected(expected).actual(actual),
            Self::FileSize { expected, .. } => of("file-size").hint(hints::NOT_AS_AGREED).expected(expected),
            Self::FileDigest { expected, actual, .. } => {
                of("file-digest").hint(hints::NOT_AS_AGREED).expected(expected).actual(actual)
            }
            Self::File { reason, .. } | Self::Interpreter { reason, .. } => reason.explanation(),
            Self::Document { reason, .. } => reason.explanation().without_hint(),
            Self::PinnedDirectory => of("pinned-directory").hint(hints::PINNED_DIRECTORY),
            Self::DirectoryNotAbsolute { .. } => of("directory-not-absolute").hint(hints::ABSOLUTE_DIRECTORY),
            Self::OutsideDirectory { directory } => {
                of("outside-directory").hint(hints::ABSOLUTE_DIRECTORY).expected(Escaped::path(directory))
            }
            Self::Symlink { .. } => of("symlink").hint(hints::SYMLINK),
            Self::UntrustedOwner { owner, mode, .. } => {
                of("untrusted-owner").hint(hints::RESTRICT_WRITING).actual(ownership(*owner, *mode))
            }
            Self::WritableByOthers { owner, mode } => {
                of("writable-by-others").hint(hints::RESTRICT_WRITING).actual(ownership(*owner, *mode))
            }
        }
    }
}

explained!(Refusal);

fn joined(digests: &[Digest]) -> String {
    digests.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

fn ownership(owner: u32, mode: u32) -> String {
    format!("owner {owner}, mode {mode:04o}")
}

/// The hints of [`Refusal`], those of several reasons written once. They never say that an unknown
/// digest can be approved.
pub(crate) mod hints {
    pub(crate) const NOTHING_ALLOWED: &str =
        "add a source to the policy: a digest, a checksum list, a lock file or a trusted key";
    pub(crate) const DIGEST_MISMATCH: &str = "get the file again from its publisher, compare its digest with the published one, and do not run it while they differ";
    pub(crate) const NAME_PROGRAM: &str = "name the plugin's program itself";
    pub(crate) const NOT_EXECUTABLE: &str = "if it is a program, make it executable: chmod +x";
    pub(crate) const SET_ID: &str = "a plugin runs with the rights of its host: remove the bits with chmod ug-s";
    pub(crate) const FILE_CAPABILITIES: &str =
        "a plugin runs with the rights of its host: remove the capabilities with setcap -r";
    pub(crate) const NOEXEC_MOUNT: &str = "install the plugin on a file system that is mounted without noexec";
    pub(crate) const SCRIPT: &str = "publish the script as a directory whose manifest names the interpreter: plugin-verify manifest create --interpreter";
    pub(crate) const SEALED_EXEC_UNAVAILABLE: &str =
        "name a directory for a private copy (--private-copy), on a file system that is mounted without noexec";
    pub(crate) const COPY_NOT_EXECUTABLE: &str =
        "name another directory for private copies (--private-copy), on a file system that is mounted without noexec";
    pub(crate) const RESTRICT_WRITING: &str =
        "make root or this user the owner and remove write access for others: chown, chmod go-w";
    pub(crate) const DENIED: &str = "do not run it: the policy revokes these bytes; get another version of the plugin";
    pub(crate) const NOT_ATTESTED: &str = "do not run it until a source accepts it: a manifest that its publisher signed, or a reviewed entry in the lock file";
    pub(crate) const CONTRADICTION: &str = "find out which source is right, and do not run the plugin before";
    pub(crate) const NAME_PLUGIN: &str = "name the plugin (--as)";
    pub(crate) const THIS_MACHINE: &str = "get the build of the plugin for this machine";
    pub(crate) const EXPIRED: &str = "get a newer manifest from the publisher, and check the clock of this machine";
    pub(crate) const ROLLBACK: &str =
        "get a version that is not below the minimum version, with the manifest that states the version";
    pub(crate) const UNSIGNED: &str =
        "get the signature from the publisher, who makes it with plugin-verify sign or minisign -S";
    pub(crate) const NO_MANIFEST: &str = "get the manifest from the publisher; the lock file pins its digest";
    pub(crate) const NOT_AS_AGREED: &str =
        "get the plugin again from its publisher, and do not run it while it differs from its manifest";
    pub(crate) const NAME_DIRECTORY: &str = "name the directory of the plugin, not a file in it";
    pub(crate) const PINNED_DIRECTORY: &str = "run a directory from sealed memory or from a private copy";
    pub(crate) const ABSOLUTE_DIRECTORY: &str =
        "name the plugin directory by its absolute path, and the plugin by its path in it, without `..`";
    pub(crate) const SYMLINK: &str = "replace the symbolic link by the file itself";
    pub(crate) const OTHER_FORMAT: &str = "get the file again from its publisher, and make sure that it is the program";
    pub(crate) const LINKAGE: &str = "get a build of the plugin that is linked as the policy requires";
}

struct MissingList<'a>(&'a [MissingAttestation]);

impl fmt::Display for MissingList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|missing| write!(f, "\n  {missing}"))
    }
}

struct DigestList<'a>(&'a [Digest]);

impl fmt::Display for DigestList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, digest) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n        or ")?;
            }
            write!(f, "{digest}")?;
        }
        Ok(())
    }
}
