//! A manifest whose signature was verified with a trusted key. An unsigned manifest accepts no
//! plugin on its own.

use std::path::{Path, PathBuf};

use super::Manifest;
use crate::verify::sources::document::Document;
use crate::verify::{PublicKey, Signature, SignatureFault, SourceError};

/// A manifest, and the key that signed exactly its bytes.
///
/// Only [`SignedManifest::read`] makes one. It verifies the signature before it parses the
/// manifest:
///
/// ```compile_fail
/// # fn forge(manifest: portcullis::verify::Manifest, key: portcullis::verify::PublicKey) {
/// let forged = portcullis::verify::SignedManifest { manifest, key };
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedManifest {
    manifest: Manifest,
    key: PublicKey,
}

impl SignedManifest {
    /// The suffix that the name of a manifest gets for the name of its signature.
    pub const SUFFIX: &str = ".minisig";

    /// The name of the signature in a plugin that is a directory.
    pub const INSIDE: &str = "manifest.toml.minisig";

    /// Reads the manifest at `path`, and verifies the signature beside it
    /// ([`SUFFIX`](Self::SUFFIX)) with `keys`.
    ///
    /// # Errors
    ///
    /// If one of the two files cannot be read or is malformed, or if no key verifies the signature.
    pub fn read(path: impl AsRef<Path>, keys: &[PublicKey]) -> Result<Self, SourceError> {
        let manifest = Document::read(path.as_ref(), Manifest::LIMIT)?;
        let signature = Signature::read(Self::beside(path.as_ref()))?;
        Self::verify(&manifest, &signature, keys)
    }

    /// The path of the signature of the manifest at `path`.
    pub fn beside(path: &Path) -> PathBuf {
        let mut name = path.as_os_str().to_os_string();
        name.push(Self::SUFFIX);
        name.into()
    }

    pub(in crate::verify) fn verify(
        document: &Document,
        signature: &Signature,
        keys: &[PublicKey],
    ) -> Result<Self, SourceError> {
        // The id only selects the keys to try. It proves nothing, and two publishers may have keys
        // with the same id.
        let mut fault = SignatureFault::Untrusted { found: signature.key_id() };
        for key in keys.iter().filter(|key| key.id() == signature.key_id()) {
            match key.verify(document.bytes(), signature) {
                Ok(_) => return Ok(Self { manifest: Manifest::parse(document)?, key: *key }),
                Err(found) => fault = found,
            }
        }
        Err(signature.fault(fault))
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The key that signed it.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }
}
