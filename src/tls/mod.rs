//! Stage 4: who is at the other end. A one-time [`Identity`] of our own, and a [`Pin`] on the one
//! certificate that the peer must own.
//!
//! TLS 1.3 only, `h2` only, client certificates required, no resumption, no tickets, no key log.
//! There are no roots, no names and no dates to check: exactly one certificate is right, and its
//! owner must prove to have its key (RFC 8446, section 4.4.3).
#![forbid(unsafe_code)]

mod config;
mod error;
mod identity;
mod key;
mod pin;
mod provider;

pub(crate) use config::{ALPN, client, server};
pub use error::TlsError;
pub(crate) use identity::Identity;
pub use key::KeyAlgorithm;
pub(crate) use pin::Pin;

#[cfg(test)]
mod tests;
