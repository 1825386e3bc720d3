//! Stage 1: may these bytes run? [`Policy::verify`] turns a file into a [`VerifiedPlugin`], which
//! holds the bytes themselves.
//!
//! Knows files, digests and policies; nothing of processes, TLS or an asynchronous runtime.
//! Available with every feature switched off but `verify`.
#![forbid(unsafe_code)]

mod batch;
mod bundle;
mod bytes;
mod cache;
mod checksums;
mod digest;
mod document;
mod elf;
mod error;
mod expiry;
mod form;
mod format;
mod image;
mod inspect;
mod key;
mod linkage;
mod lock;
mod manifest;
mod name;
mod owners;
mod policy;
mod refusal;
mod signature;
mod source;
mod source_error;
mod tree;

pub use batch::{Input, digest_all};
pub use cache::ImageCache;
pub use checksums::{ChecksumFault, Checksums};
pub use digest::{Digest, DigestError};
pub use error::VerifyError;
pub use expiry::{Expiry, ExpiryError};
pub use format::Format;
pub use image::ExecMode;
pub use inspect::{
    Capabilities, Content, Executable, ExecutableKind, Exposure, FileCapabilities, GoBuild, GoModule, InspectError,
    Inspection, Machine, Outside, Relro, Remark, Script, SearchEntry, StackUse,
};
pub use key::{KeyFault, KeyId, PublicKey};
pub use linkage::{Linkage, SearchPath, SearchPathKind};
pub use lock::{
    Artifact, Candidate, Change, Consent, Inventory, Item, Lock, LockFault, LockHold, LockRefusal, LockWriteError,
    LockedPlugin, Offer, OfferError, Presence, Subject,
};
pub use manifest::{
    BundlePath, BundlePathError, Claims, Difference, Interpreter, InterpreterProgram, Manifest, ManifestError,
    ManifestFault, ManifestFile, SignedManifest, Version,
};
pub use name::{NameError, Platform, PlatformError, PluginName};
pub use owners::Owners;
pub use policy::{
    Decision, Finding, LinkageFault, LinkageRule, Policy, PolicyFault, Silence, SourceKind, SourceKindError,
    VerifiedPlugin, Voucher,
};
pub use refusal::Refusal;
pub use signature::{Signature, SignatureFault, TrustedComment};
pub use source_error::{SourceError, SourceFault};

#[cfg(any(feature = "audit", feature = "sign"))]
pub(crate) use document::open_regular;
#[cfg(feature = "audit")]
pub(crate) use document::other_than_regular;
pub(crate) use image::try_sealing;
pub(crate) use source::is_noexec;
#[cfg(feature = "sign")]
pub(crate) use {key::UNTRUSTED, signature::is_comment};

#[cfg(test)]
mod tests;
