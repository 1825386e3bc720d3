//! The files that say what may run: checksum lists, manifests, lock files, keys and signatures,
//! with the names, versions and expiry dates in them. Reads and checks them; does not look at
//! plugins.

pub(crate) mod checksums;
pub(crate) mod document;
pub(crate) mod error;
pub(crate) mod expiry;
pub(crate) mod key;
pub(crate) mod lock;
pub(crate) mod manifest;
pub(crate) mod name;
pub(crate) mod signature;
pub(crate) mod toml_document;
