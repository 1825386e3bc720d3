//! A manifest whose signature was verified with a key that somebody trusts: the only kind that
//! vouches for a plugin by itself.

use std::path::{Path, PathBuf};

use super::Manifest;
use crate::verify::sources::document::Document;
use crate::verify::{PublicKey, Signature, SignatureFault, SourceError};

/// A manifest, and the key that signed exactly its bytes.
///
/// Only [`SignedManifest::read`] makes one, and it verifies the signature before it looks at what
/// was signed:
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
    /// What is added to the name of a manifest for the name of its signature.
    pub const SUFFIX: &str = ".minisig";

    /// The name of the signature inside a plugin that is a directory.
    pub const INSIDE: &str = "manifest.toml.minisig";

    /// Reads the manifest at `path`, whose minisign signature lies beside it
    /// ([`SUFFIX`](Self::SUFFIX)) and was made with one of `keys`.
    ///
    /// # Errors
    ///
    /// When one of the two files cannot be read or is malformed, and when none of the keys made the
    /// signature.
    pub fn read(path: impl AsRef<Path>, keys: &[PublicKey]) -> Result<Self, SourceError> {
        let manifest = Document::read(path.as_ref(), Manifest::LIMIT)?;
        let signature = Signature::read(Self::beside(path.as_ref()))?;
        Self::verify(&manifest, &signature, keys)
    }

    /// Where the signature of the manifest at `path` lies.
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
        // The key id says which key it must be. It proves nothing, so that the key then has to
        // verify; and another publisher may have given a key the same id.
        let mut fault = SignatureFault::Untrusted { found: signature.key_id() };
        for key in keys.iter().filter(|key| key.id() == signature.key_id()) {
            match key.verify(document.bytes(), signature) {
                Ok(_) => return Ok(Self { manifest: Manifest::parse(document)?, key: *key }),
                Err(found) => fault = found,
            }
        }
        Err(signature.fault(fault))
    }

    /// What was signed.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Who signed it.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }
}
