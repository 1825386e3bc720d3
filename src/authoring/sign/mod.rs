//! Secret keys and signatures in the format of minisign(1), for publishers. A host that runs
//! plugins never uses this module.
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
//! The copies of keys and passwords that this module holds are wiped when they are dropped. Copies
//! that the crate `minisign` makes while it derives, signs and generates are not: sign in a process
//! that ends afterwards.
#![forbid(unsafe_code)]

mod error;
mod key_file;
mod key_pair;
mod password;
mod secret_key;

pub use error::SignError;
pub use key_file::KeyFile;
pub use key_pair::KeyPair;
pub use password::Password;
pub use secret_key::SecretKey;

#[cfg(test)]
mod tests;
