//! What is wrong with a plugin that was examined: one variant for each reason, with the facts that
//! a person needs. Decides nothing.

use std::fmt;
use std::path::PathBuf;

use crate::Escaped;
use crate::verify::bytes::format::Format;
use crate::verify::decision::explanation::{Explanation, explained};
use crate::verify::{
    Attestation, BundlePath, Digest, Expiry, LinkageFault, MissingAttestation, Platform, PluginName, Version,
};

/// What is wrong with a file that was examined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The policy names no digest, so it allows nothing.
    #[error("the policy names no digest, and so allows nothing")]
    NothingAllowed,
    /// The bytes are not those that the policy names.
    #[error("its SHA-256 is not the expected one\n  expected {}\n  actual   {actual}", DigestList(expected))]
    #[non_exhaustive]
    DigestMismatch {
        /// The digests that the policy allows.
        expected: Vec<Digest>,
        /// The digest of the bytes that were read.
        actual: Digest,
    },
    /// Only a regular file can be a plugin.
    #[error("it is {kind}, not a regular file")]
    NotRegular {
        /// What it is instead.
        kind: &'static str,
    },
    /// The file is larger than the policy's limit.
    #[error("it is larger than the limit of {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// Nobody may execute the file.
    #[error("its mode {mode:04o} lets nobody execute it")]
    NotExecutable {
        /// The permission bits.
        mode: u32,
    },
    /// The file has a set-user-ID or set-group-ID bit: it is meant to run with somebody else's
    /// rights.
    #[error("its mode {mode:04o} has a set-user-ID or set-group-ID bit")]
    SetId {
        /// The permission bits.
        mode: u32,
    },
    /// The file carries capabilities (capabilities(7)): it is meant to run with more rights than
    /// its caller.
    #[error("it carries file capabilities")]
    FileCapabilities,
    /// The file lies on a mount from which nothing may be executed; running a copy would circumvent
    /// that.
    #[error("it lies on a mount with the option noexec")]
    NoexecMount,
    /// The file is a script, and the digest says nothing about its interpreter.
    #[error(
        "it is a script for {:?}, and the digest does not cover that program; verify the interpreter and pass the script as an argument",
        Escaped::new(interpreter)
    )]
    Script {
        /// The first line after `#!`, cut after 80 bytes.
        interpreter: String,
    },
    /// The file is no program for this machine.
    #[error("it is {0}")]
    Format(Format),
    /// It is linked as the policy does not accept it.
    #[error(transparent)]
    Linkage(LinkageFault),
    /// This machine does not execute sealed memory.
    /// [`Policy::with_private_copy`](crate::verify::Policy::with_private_copy) is another way.
    #[error(
        "this machine does not execute memory (vm.memfd_noexec=2), and another way than sealed memory was not asked for"
    )]
    SealedExecUnavailable,
    /// The directory for private copies is on a mount from which nothing may be executed.
    #[error("the directory for private copies, {}, is on a mount with the option noexec", Escaped::path(directory))]
    CopyNotExecutable {
        /// The directory.
        directory: PathBuf,
    },
    /// Others could put another file in the place of the private copy.
    #[error(
        "{} is no place for private copies: user {owner} owns it and its mode is {mode:04o}, so others can rename what is in it",
        Escaped::path(directory)
    )]
    OpenDirectory {
        /// The directory that was given, or one above it.
        directory: PathBuf,
        /// Its owner's user id.
        owner: u32,
        /// Its permission bits.
        mode: u32,
    },
    /// The policy denies the digest, whoever vouches for it.
    #[error("the policy denies {digest}")]
    Denied {
        /// The digest of the plugin or of one of its files.
        digest: Digest,
    },
    /// No source says that it may run.
    #[error("nobody vouches for it{}", MissingList(missing))]
    NotAttested {
        /// What each source of the policy has to say.
        missing: Vec<MissingAttestation>,
    },
    /// A source that the policy requires does not vouch for it.
    #[error("the policy requires '{}' to vouch for it, and {missing}", missing.kind())]
    RequiredSource {
        /// What that source has to say.
        missing: MissingAttestation,
    },
    /// Two sources say different things of the same plugin.
    #[error("its sources contradict each other\n  {} says {one}\n  {} says {other}", attestations.0, attestations.1)]
    Contradiction {
        /// The two.
        attestations: Box<(Attestation, Attestation)>,
        /// What the first says.
        one: Digest,
        /// What the second says.
        other: Digest,
    },
    /// The sources go by names, and the file's own is none.
    #[error("its file name is no name of a plugin, and no other was given; the lock file and manifests go by names")]
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
    /// The manifest holds no longer.
    #[error("its manifest has expired on {expires}")]
    Expired {
        /// When it did.
        expires: Expiry,
    },
    /// The version is one that must not be run any more.
    #[error("its version {version} is below the minimum version {minimum}")]
    Rollback {
        /// The version.
        version: Version,
        /// The lowest that may be run.
        minimum: Version,
    },
    /// There is a minimum version, and nobody says which version this is.
    #[error("nobody says which version it is, and the minimum version is {minimum}")]
    VersionUnknown {
        /// The lowest version that may be run.
        minimum: Version,
    },
    /// A manifest lies there that nobody signed.
    #[error("nobody signed its manifest: there is no signature {}", Escaped::path(signature))]
    Unsigned {
        /// Where the signature would be.
        signature: PathBuf,
    },
    /// The lock file agrees to a manifest, and there is none.
    #[error("the lock file agrees to its manifest, and there is no {}", Escaped::path(path))]
    NoManifest {
        /// Where it would be.
        path: PathBuf,
    },
    /// The manifest is not the one that was agreed to.
    #[error("the SHA-256 of its manifest is not the expected one\n  expected {expected}\n  actual   {actual}")]
    ManifestMismatch {
        /// The digest that was agreed to.
        expected: Digest,
        /// The digest of the manifest that lies there.
        actual: Digest,
    },
    /// The manifest is about a directory of files, or about another file than this one.
    #[error("its manifest is not about a single file of that name")]
    ManifestOfDirectory,
    /// A file that the manifest names is not there.
    #[error("its file {path}, which its manifest names, is not there")]
    FileMissing {
        /// The file.
        path: BundlePath,
    },
    /// It does not have the size that its manifest says.
    #[error("it has {actual} bytes, not {expected}")]
    #[non_exhaustive]
    Size {
        /// The size that the manifest says, in bytes.
        expected: u64,
        /// Its own.
        actual: u64,
    },
    /// A file of the plugin does not have the size that its manifest says.
    #[error("its file {path} has not the size of {expected} bytes")]
    FileSize {
        /// The file.
        path: BundlePath,
        /// The size that the manifest says, in bytes.
        expected: u64,
    },
    /// A file of the plugin is not the one that its manifest says.
    #[error("the SHA-256 of its file {path} is not the expected one\n  expected {expected}\n  actual   {actual}")]
    FileDigest {
        /// The file.
        path: BundlePath,
        /// The digest that the manifest says.
        expected: Digest,
        /// The digest of the bytes that were read.
        actual: Digest,
    },
    /// Something is wrong with a file of the plugin.
    #[error("its file {path}: {reason}")]
    File {
        /// The file.
        path: BundlePath,
        /// What is wrong with it.
        reason: Box<Refusal>,
    },
    /// Something is wrong with its manifest, or with the manifest's signature.
    #[error("{}: {reason}", Escaped::path(path))]
    Document {
        /// The manifest or signature.
        path: PathBuf,
        /// What is wrong with it.
        reason: Box<Refusal>,
    },
    /// The interpreter is not the one that the manifest says.
    #[error("its interpreter {}: {reason}", Escaped::path(path))]
    Interpreter {
        /// The interpreter.
        path: PathBuf,
        /// What is wrong with it.
        reason: Box<Refusal>,
    },
    /// A directory cannot be run where it lies.
    #[error("it is a directory, which is run from verified copies only")]
    PinnedDirectory,
    /// The plugin directory is not named by an absolute path.
    #[error("the plugin directory {} is not an absolute path without `..`", Escaped::path(directory))]
    DirectoryNotAbsolute {
        /// The directory as it was named.
        directory: PathBuf,
    },
    /// It does not lie beneath the plugin directory.
    #[error("it does not lie beneath the plugin directory {}", Escaped::path(directory))]
    OutsideDirectory {
        /// The plugin directory.
        directory: PathBuf,
    },
    /// There is a symbolic link on the way to it.
    #[error("{} is a symbolic link", Escaped::path(path))]
    Symlink {
        /// The link.
        path: PathBuf,
    },
    /// Somebody who is not trusted owns a step of the way to it, or may write it.
    #[error("user {owner} owns {} and its mode is {mode:04o}, which the policy does not allow", Escaped::path(path))]
    UnsafeOwner {
        /// The file or directory.
        path: PathBuf,
        /// Its owner's user id.
        owner: u32,
        /// Its permission bits.
        mode: u32,
    },
    /// Somebody other than root and this process's user may write the file, and it was to be run
    /// where it lies.
    #[error("user {owner} owns it and its mode is {mode:04o}: others may write it while it runs")]
    WritableByOthers {
        /// The permission bits.
        mode: u32,
        /// The owner's user id.
        owner: u32,
    },
}

impl Refusal {
    /// One row for each reason. A reason inside another one (a file's, a manifest's, an
    /// interpreter's) explains both.
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
            Self::UnsafeOwner { owner, mode, .. } => {
                of("unsafe-owner").hint(hints::RESTRICT_WRITING).actual(ownership(*owner, *mode))
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
