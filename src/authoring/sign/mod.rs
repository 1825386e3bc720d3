//! Signing what others will verify: secret keys and signatures in the form of minisign(1). Beside
//! the stages: nothing that runs plugins uses it.
//!
//! ```no_run
//! use portcullis::authoring::sign::{KeyFile, KeyPair, Password};
//!
//! let password = Password::new("correct horse battery staple")?;
//! KeyPair::generate(&password)?.write_new("release.key", "release.pub")?;
//!
//! let key = KeyFile::read("release.key")?.open(Some(&password))?;
//! let signature = key.sign(&b"the bytes"[..], "file:kv", "signature of the release key")?;
//! # Ok::<(), portcullis::authoring::sign::SignError>(())
//! ```
//!
//! # Security
//!
//! Our copies of keys and passwords are wiped when they are dropped. Those that the crate
//! `minisign` makes while it derives, signs and generates are not: sign in a process that ends
//! afterwards.
#![forbid(unsafe_code)]

mod error;
mod key_file;
mod pair;
mod password;
mod secret_key;

pub use error::SignError;
pub use key_file::KeyFile;
pub use pair::KeyPair;
pub use password::Password;
pub use secret_key::SecretKey;

#[cfg(test)]
mod tests;
