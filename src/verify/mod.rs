//! Stage 1: may these bytes run? [`Policy::verify`] turns a file into a [`VerifiedPlugin`], which
//! holds the bytes that will run.
//!
//! `bytes` opens, copies and hashes files, `sources` reads checksum lists, manifests and lock
//! files, `decision` judges. Does not use processes, TLS or an asynchronous runtime. Needs only the
//! feature `verify`.
#![forbid(unsafe_code)]

pub(crate) mod bytes;
pub(crate) mod decision;
pub(crate) mod sources;

pub use bytes::batch::{Input, digest_all};
pub use bytes::cache::ImageCache;
pub use bytes::format::Format;
pub use bytes::image::ExecMode;
pub use bytes::linkage::{Linkage, SearchPath, SearchPathKind};
pub use bytes::owners::Owners;
pub use decision::error::VerifyError;
pub use decision::refusal::Refusal;
pub use decision::{
    Attestation, Decision, Finding, LinkageFault, LinkageRule, MissingAttestation, Policy, PolicyFault, SourceKind,
    SourceKindError, VerifiedPlugin,
};
pub use sources::checksums::{ChecksumFault, Checksums};
pub use sources::error::{SourceError, SourceFault};
pub use sources::expiry::{Expiry, ExpiryError};
pub use sources::key::{KeyFault, KeyId, PublicKey};
pub use sources::lock::{Artifact, Lock, LockFault, LockedPlugin, Subject};
pub use sources::manifest::{
    BundlePath, BundlePathError, Interpreter, InterpreterProgram, Manifest, ManifestFault, ManifestFile,
    SignedManifest, Version,
};
pub use sources::name::{NameError, Platform, PlatformError, PluginName};
pub use sources::signature::{Signature, SignatureFault, TrustedComment};

pub use crate::digest::{Digest, DigestError};

pub(crate) use bytes::image::try_sealing;
pub(crate) use bytes::plugin_file::is_noexec;
#[cfg(feature = "sign")]
pub(crate) use {sources::key::UNTRUSTED, sources::signature::is_comment};

#[cfg(test)]
mod tests;
