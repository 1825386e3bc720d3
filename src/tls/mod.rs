//! Stage 4: both ends prove who they are. Each has an [`Identity`] for one launch, and a [`Pin`] on
//! the certificate of the other.
//!
//! TLS 1.3 only, `h2` only, client certificates required, no resumption, no tickets, no key log.
//! Roots, names and dates are not checked: exactly one certificate is accepted, and the peer must
//! prove that it owns its key (RFC 8446, section 4.4.3).
#![forbid(unsafe_code)]

mod config;
mod error;
mod identity;
mod key;
mod pin;

pub(crate) use config::{ALPN, client, server};
pub use error::TlsError;
pub(crate) use identity::Identity;
pub use key::KeyAlgorithm;
pub(crate) use pin::Pin;

#[cfg(test)]
mod tests;
