//! The part of an examination that is about plugins which are directories: their files, and the
//! program that is executed for them.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use super::examine::Examination;
use super::testimony::Testimony;
use super::{Finding, Place, VerifiedPlugin};
use crate::verify::Refusal;
use crate::verify::bytes::bundle::Bundle;
use crate::verify::bytes::image::Image;
use crate::verify::bytes::source::Source;
use crate::verify::bytes::tree::Tree;
use crate::verify::decision::error::Obstacle;
use crate::verify::{BundlePath, Digest, InterpreterProgram, Manifest, Subject};

/// What is executed for a plugin that is a directory.
struct Program {
    image: Arc<Image>,
    cached: bool,
    name: OsString,
    arguments: Vec<OsString>,
}

impl Examination<'_> {
    /// The plugin in a directory, if `manifest` is vouched for and every file is what it says.
    pub(super) fn directory(
        &mut self,
        tree: &Tree,
        manifest: &Manifest,
        heard: &Testimony,
        agreed: Option<Digest>,
    ) -> Result<VerifiedPlugin, Obstacle> {
        if matches!(self.policy.place, Place::WhereTheyLie) {
            return Err(Refusal::PinnedDirectory.into());
        }
        if let Some(expected) = agreed.filter(|digest| *digest != manifest.digest()) {
            return Err(Refusal::ManifestMismatch { expected, actual: manifest.digest() }.into());
        }
        let vouchers = self.vouched(heard, manifest.digest())?;
        if vouchers.is_empty() {
            return Err(Refusal::NotVouched { silent: heard.silent.clone() }.into());
        }
        for (_, file) in manifest.files() {
            self.refuse_denied(file.digest)?;
        }
        if manifest.size() > self.policy.size_limit() {
            return Err(Refusal::TooLarge { limit: self.policy.size_limit() }.into());
        }
        let bundle = Bundle::materialise(tree, manifest, &self.policy.bundle_directory())?;
        self.findings.push(Finding::Bundle { files: manifest.files().len() });
        let Program { image, cached, name, arguments } = self.bundled_program(manifest, &bundle)?;
        self.note(&image, cached)?;
        Ok(VerifiedPlugin {
            path: self.asked.path.to_path_buf(),
            directory: self.policy.directory.clone(),
            name,
            arguments,
            subject: Subject::Manifest(manifest.digest()),
            image,
            vouchers,
            cached,
            bundle: Some(Arc::new(bundle)),
        })
    }

    fn bundled_program(&self, manifest: &Manifest, bundle: &Bundle) -> Result<Program, Obstacle> {
        let script = bundle.path().join(manifest.program());
        let Some(interpreter) = manifest.interpreter() else {
            let image = self.image_of(manifest, bundle, manifest.program())?.into();
            return Ok(Program { image, cached: false, name: script.into(), arguments: Vec::new() });
        };
        let ((image, cached), name) = match &interpreter.program {
            InterpreterProgram::Bundled(path) => {
                let image = self.image_of(manifest, bundle, path)?;
                ((image.into(), false), bundle.path().join(path).into_os_string())
            }
            InterpreterProgram::Installed { path, digest, size } => {
                let found = self.installed(path, *digest, *size).map_err(|obstacle| obstacle.of_interpreter(path))?;
                (found, path.clone().into_os_string())
            }
        };
        let arguments = interpreter.arguments.iter().map(OsString::from).chain([script.into_os_string()]).collect();
        Ok(Program { image, cached, name, arguments })
    }

    fn image_of(&self, manifest: &Manifest, bundle: &Bundle, path: &BundlePath) -> Result<Image, Obstacle> {
        let expected = manifest.file(path).map(|file| file.digest);
        // Opened once more, so that it is hashed once more.
        let source =
            Source::of(bundle.open(path)?, self.policy.size_limit()).map_err(|obstacle| obstacle.within(path))?;
        let image = match &self.policy.place {
            Place::Directory(_) => Image::copied(source, bundle.path())?,
            _ => Image::sealed(&source, path.as_ref())?,
        };
        match expected {
            Some(expected) if expected == image.digest => image.check_format().map(|()| image),
            expected => {
                let expected = expected.into_iter().collect();
                Err(Refusal::DigestMismatch { expected, actual: image.digest }.into())
            }
        }
    }

    /// The image of an interpreter: of the file, or from the cache, as many plugins share one.
    fn installed(&self, path: &Path, expected: Digest, size: u64) -> Result<(Arc<Image>, bool), Obstacle> {
        self.kept(expected, || {
            let image = self.image(Source::open(path, size.min(self.policy.size_limit()))?, path)?;
            if image.digest != expected {
                return Err(Refusal::DigestMismatch { expected: vec![expected], actual: image.digest }.into());
            }
            image.check_format()?;
            Ok(Arc::new(image))
        })
    }
}

#[cfg(test)]
mod tests;
