//! Stage 1: may these bytes run? [`Policy::verify`] turns a file into a [`VerifiedPlugin`], which holds the bytes themselves.
//!
//! Knows files, digests and policies; nothing of processes, TLS or an asynchronous runtime. Available with every feature switched
//! off but `verify`.
#![forbid(unsafe_code)]

mod cache;
mod digest;
mod document;
mod error;
mod format;
mod image;
mod key;
mod place;
mod policy;
mod signature;
mod source;
mod source_error;

pub use cache::ImageCache;
pub use digest::{Digest, DigestError};
pub use error::{Refusal, VerifyError};
pub use format::Format;
pub use image::ExecMode;
pub use key::{KeyFault, KeyId, PublicKey};
pub use policy::{Policy, VerifiedPlugin};
pub use signature::{Signature, SignatureFault, TrustedComment};
pub use source_error::{SourceError, SourceFault};

pub(crate) use place::{PlaceFault, trusted};

#[cfg(test)]
mod tests;
