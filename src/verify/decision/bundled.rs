//! The examination of a plugin that is a directory: its files, and the program to execute.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use super::attestation::Attestations;
use super::examine::Examination;
use super::{Finding, ImageStorage, VerifiedPlugin};
use crate::verify::Refusal;
use crate::verify::bytes::bundle::Bundle;
use crate::verify::bytes::image::ProgramImage;
use crate::verify::bytes::plugin_file::PluginFile;
use crate::verify::bytes::tree::DirectoryTree;
use crate::verify::decision::error::ExamineError;
use crate::verify::{BundlePath, Digest, InterpreterProgram, Manifest, Subject};

/// The program to execute for a plugin that is a directory.
struct BundledProgram {
    image: Arc<ProgramImage>,
    cached: bool,
    name: OsString,
    arguments: Vec<OsString>,
}

impl Examination<'_> {
    /// Verifies the plugin in a directory: a source must accept `manifest`, and every file must
    /// have its digest.
    pub(super) fn directory(
        &mut self,
        tree: &DirectoryTree,
        manifest: &Manifest,
        collected: &Attestations,
        agreed: Option<Digest>,
    ) -> Result<VerifiedPlugin, ExamineError> {
        if matches!(self.policy.storage, ImageStorage::InPlace) {
            return Err(Refusal::PinnedDirectory.into());
        }
        if let Some(expected) = agreed.filter(|digest| *digest != manifest.digest()) {
            return Err(Refusal::ManifestMismatch { expected, actual: manifest.digest() }.into());
        }
        let attestations = self.accepted(collected, manifest.digest())?;
        if attestations.is_empty() {
            return Err(Refusal::NotAttested { missing: collected.missing.clone() }.into());
        }
        for (_, file) in manifest.files() {
            self.refuse_denied(file.digest)?;
        }
        if manifest.size() > self.policy.size_limit() {
            return Err(Refusal::TooLarge { limit: self.policy.size_limit() }.into());
        }
        let bundle = Bundle::materialise(tree, manifest, &self.policy.bundle_directory())?;
        self.findings.push(Finding::Bundle { files: manifest.files().len() });
        let BundledProgram { image, cached, name, arguments } = self.bundled_program(manifest, &bundle)?;
        self.note(&image, cached)?;
        Ok(VerifiedPlugin {
            path: self.request.path.to_path_buf(),
            directory: self.policy.directory.clone(),
            name,
            arguments,
            subject: Subject::Manifest(manifest.digest()),
            image,
            attestations,
            cached,
            bundle: Some(Arc::new(bundle)),
        })
    }

    fn bundled_program(&self, manifest: &Manifest, bundle: &Bundle) -> Result<BundledProgram, ExamineError> {
        let script = bundle.path().join(manifest.program());
        let Some(interpreter) = manifest.interpreter() else {
            let image = self.image_of(manifest, bundle, manifest.program())?.into();
            return Ok(BundledProgram { image, cached: false, name: script.into(), arguments: Vec::new() });
        };
        let ((image, cached), name) = match &interpreter.program {
            InterpreterProgram::Bundled(path) => {
                let image = self.image_of(manifest, bundle, path)?;
                ((image.into(), false), bundle.path().join(path).into_os_string())
            }
            InterpreterProgram::Installed { path, digest, size } => {
                let found = self.installed(path, *digest, *size).map_err(|error| error.of_interpreter(path))?;
                (found, path.clone().into_os_string())
            }
        };
        let arguments = interpreter.arguments.iter().map(OsString::from).chain([script.into_os_string()]).collect();
        Ok(BundledProgram { image, cached, name, arguments })
    }

    pub(super) fn image_of(
        &self,
        manifest: &Manifest,
        bundle: &Bundle,
        path: &BundlePath,
    ) -> Result<ProgramImage, ExamineError> {
        let expected = manifest.file(path).map(|file| file.digest);
        // The copy is hashed again while the image is made: another process of the same user could
        // have changed it in between.
        let source =
            PluginFile::of(bundle.open(path)?, self.policy.size_limit()).map_err(|error| error.within(path))?;
        let image = match &self.policy.storage {
            ImageStorage::Directory(_) => ProgramImage::copied(source, bundle.path())?,
            _ => ProgramImage::sealed(&source, path.as_ref())?,
        };
        match expected {
            Some(expected) if expected == image.digest => image.check_format().map(|()| image),
            expected => {
                let expected = expected.into_iter().collect();
                Err(Refusal::DigestMismatch { expected, actual: image.digest }.into())
            }
        }
    }

    /// The image of an installed interpreter. Plugins share it through the cache.
    fn installed(&self, path: &Path, expected: Digest, size: u64) -> Result<(Arc<ProgramImage>, bool), ExamineError> {
        self.cached_or_read(expected, || {
            let image = self.image(PluginFile::open(path, size.min(self.policy.size_limit()))?, path)?;
            if image.digest != expected {
                return Err(Refusal::DigestMismatch { expected: vec![expected], actual: image.digest }.into());
            }
            image.check_format()?;
            Ok(Arc::new(image))
        })
    }
}
