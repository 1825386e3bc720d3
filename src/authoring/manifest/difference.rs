//! Lists every difference between a plugin on disk and its manifest. For publishers and
//! investigators: a policy rejects a plugin at the first difference, and decides what runs.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::ManifestError;
use crate::Escaped;
use crate::fs::{RegularFileError, Symlinks, open_regular};
use crate::verify::Refusal;
use crate::verify::bytes::tree::DirectoryTree;
use crate::verify::decision::error::ExamineError;
use crate::verify::decision::explanation::{Explanation, explained};
use crate::verify::{BundlePath, InterpreterProgram, Manifest, ManifestFile, SignedManifest};
use crate::verify::{Digest, Platform};

/// One difference between a plugin and its manifest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Difference {
    /// A file of the manifest is missing.
    #[error("its file {path} is missing")]
    #[non_exhaustive]
    Missing {
        /// The file.
        path: BundlePath,
    },
    /// A file of the manifest, or its interpreter, has another size or digest, or is not a
    /// regular file.
    #[error("{0}")]
    Differs(Refusal),
    /// The manifest does not name a file. A host neither runs it nor copies it to where the plugin
    /// could load it.
    #[error("{} is not in the manifest", Escaped::path(path))]
    #[non_exhaustive]
    Extra {
        /// Its path in the plugin.
        path: PathBuf,
    },
    /// A file could not be compared.
    #[error("cannot compare {}: {source}", Escaped::path(path))]
    #[non_exhaustive]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

impl Difference {
    pub(crate) fn explanation(&self) -> Explanation {
        match self {
            Self::Missing { .. } => Explanation::new("missing"),
            Self::Differs(refusal) => refusal.explanation(),
            Self::Extra { .. } => Explanation::new("extra"),
            Self::Unreadable { .. } => Explanation::new("unreadable"),
        }
    }
}

explained!(Difference);

impl Difference {
    /// Whether the plugin differs for certain. False if a file could not be read.
    pub fn is_refusal(&self) -> bool {
        !matches!(self, Self::Unreadable { .. })
    }

    fn of(path: &Path, about: impl FnOnce(Box<Refusal>) -> Refusal, error: ExamineError) -> Self {
        let path = path.to_path_buf();
        match error {
            ExamineError::Refusal(reason) => Self::Differs(about(Box::new(reason))),
            ExamineError::Io { source, .. } => Self::Unreadable { path, source },
            ExamineError::Source(error) => Self::Unreadable { path, source: io::Error::other(error) },
        }
    }
}

impl Manifest {
    /// Returns every difference between the plugin at `path`, a file or a directory, and this
    /// manifest. Compares the interpreter too if the manifest is for this platform.
    ///
    /// # Errors
    ///
    /// If `path` or a directory below it cannot be read.
    pub fn compare(&self, path: impl AsRef<Path>) -> Result<Vec<Difference>, ManifestError> {
        let path = path.as_ref();
        let mut differences = if fs::metadata(path).map_err(ManifestError::io(path))?.is_dir() {
            let mut differences = self.compare_files(path)?;
            differences.extend(self.extra_files(path)?);
            differences
        } else if self.is_single_file() {
            self.files().filter_map(|(name, file)| compare(name, *file, open_file(path)).err()).collect()
        } else {
            vec![Difference::Differs(Refusal::ManifestOfDirectory)]
        };
        if self.platform().runs_on(&Platform::current()) {
            differences.extend(self.compare_interpreter().err());
        }
        Ok(differences)
    }

    fn compare_files(&self, directory: &Path) -> Result<Vec<Difference>, ManifestError> {
        // Opened as a policy does, without following symbolic links.
        let tree = DirectoryTree::open_anywhere(directory).map_err(|error| match error {
            ExamineError::Io { source, .. } => ManifestError::io(directory)(source),
            other => ManifestError::io(directory)(io::Error::other(other.at(directory))),
        })?;
        let compared = self.files().map(|(path, file)| compare(path, *file, tree.file(path.as_ref())));
        Ok(compared.filter_map(Result::err).collect())
    }

    fn extra_files(&self, directory: &Path) -> Result<Vec<Difference>, ManifestError> {
        let mut extra = Vec::new();
        super::claims::walk(directory, |entry, kind| {
            let path = entry.strip_prefix(directory).unwrap_or(entry);
            let known = path.to_str().is_some_and(|path| {
                path == Self::INSIDE || path == SignedManifest::INSIDE || self.files.contains_key(path)
            });
            if !kind.is_dir() && !known {
                extra.push(path.to_path_buf());
            }
            Ok(())
        })?;
        extra.sort_unstable();
        Ok(extra.into_iter().map(|path| Difference::Extra { path }).collect())
    }

    fn compare_interpreter(&self) -> Result<(), Difference> {
        let Some(InterpreterProgram::Installed { path, digest, size }) = self.interpreter().map(|it| &it.program)
        else {
            return Ok(());
        };
        let interpreter = |reason| Refusal::Interpreter { path: path.clone(), reason };
        let refuse = |reason: Refusal| Difference::Differs(interpreter(reason.into()));
        let found = open_file(path).and_then(|file| limited(&file, *size));
        match found.map_err(|error| Difference::of(path, interpreter, error))? {
            (Some(actual), _) if actual == *digest => Ok(()),
            (Some(actual), _) => Err(refuse(Refusal::DigestMismatch { expected: vec![*digest], actual })),
            (None, actual) => Err(refuse(Refusal::Size { expected: *size, actual })),
        }
    }
}

fn open_file(path: &Path) -> Result<File, ExamineError> {
    open_regular(path, Symlinks::Follow).map_err(|error| match error {
        RegularFileError::Io(error) => ExamineError::io("opening it")(error),
        RegularFileError::NotRegular { kind } => Refusal::NotRegular { kind }.into(),
    })
}

fn compare(path: &BundlePath, expected: ManifestFile, file: Result<File, ExamineError>) -> Result<(), Difference> {
    let within = |reason| Refusal::File { path: path.clone(), reason };
    let found = file.and_then(|file| limited(&file, expected.size));
    let actual = found.map_err(|error| match error {
        ExamineError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            Difference::Missing { path: path.clone() }
        }
        other => Difference::of(path.as_ref(), within, other),
    })?;
    match actual {
        (Some(actual), _) if actual == expected.digest => Ok(()),
        (Some(actual), _) => {
            let path = path.clone();
            Err(Difference::Differs(Refusal::FileDigest { path, expected: expected.digest, actual }))
        }
        (None, _) => Err(Difference::Differs(Refusal::FileSize { path: path.clone(), expected: expected.size })),
    }
}

/// The digest of a file if it has exactly `size` bytes, and its size.
fn limited(file: &File, size: u64) -> Result<(Option<Digest>, u64), ExamineError> {
    let length = file.metadata().map_err(ExamineError::io("looking at it"))?.len();
    if length != size {
        return Ok((None, length));
    }
    // The file may grow while it is read: one byte more than expected shows that.
    let mut source = file.take(size.saturating_add(1));
    let (digest, read) = Digest::stream(|buffer, _| source.read(buffer)).map_err(ExamineError::io("hashing it"))?;
    Ok(((read == size).then_some(digest), read))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::authoring::Claims;
    use crate::verify::Version;

    fn shown(manifest: &Manifest, path: &Path) -> Vec<String> {
        manifest.compare(path).unwrap().iter().map(ToString::to_string).collect()
    }

    fn described(claims: &Claims, path: &Path) -> Manifest {
        Manifest::from_bytes("m", claims.describe(path).unwrap()).unwrap()
    }

    fn claims() -> Claims {
        Claims::new("kv".parse().unwrap(), Version::new(1, 0, 0))
    }

    #[test]
    fn compare_lists_every_difference() {
        let place = tempfile::tempdir().unwrap();
        let top = place.path();
        fs::create_dir(top.join("lib")).unwrap();
        for name in ["run", "lib/changed", "lib/longer", "lib/missing", "lib/linked", "lib/same"] {
            fs::write(top.join(name), name).unwrap();
        }
        let manifest = described(&claims().with_program("run".parse().unwrap()), top);
        fs::write(top.join("manifest.toml"), "the manifest itself").unwrap();
        assert_eq!(shown(&manifest, top), [""; 0]);

        fs::write(top.join("lib/changed"), "lib/CHANGED").unwrap();
        fs::write(top.join("lib/longer"), "lib/longer!").unwrap();
        fs::remove_file(top.join("lib/missing")).unwrap();
        fs::rename(top.join("lib/linked"), top.join("lib/elsewhere")).unwrap();
        symlink("elsewhere", top.join("lib/linked")).unwrap();
        symlink("lib", top.join("extra\nlink")).unwrap();
        let (expected, actual) = (Digest::of("lib/changed"), Digest::of("lib/CHANGED"));
        assert_eq!(
            shown(&manifest, top),
            [
                format!("SHA-256 mismatch of its file lib/changed\n  expected {expected}\n  actual   {actual}"),
                format!("its file lib/linked: {} is a symbolic link", top.join("lib/linked").display()),
                "the size of its file lib/longer differs from the expected 10 bytes".to_owned(),
                "its file lib/missing is missing".to_owned(),
                r"extra\nlink is not in the manifest".to_owned(),
                "lib/elsewhere is not in the manifest".to_owned(),
            ]
        );
    }

    #[test]
    fn unreadable_file_is_not_a_refusal() {
        let place = tempfile::tempdir().unwrap();
        let lib = place.path().join("lib");
        fs::create_dir(&lib).unwrap();
        fs::write(lib.join("kv"), "").unwrap();
        let manifest = described(&claims(), place.path());
        let difference = || manifest.compare(place.path()).unwrap().remove(0);
        fs::remove_file(lib.join("kv")).unwrap();
        assert!(matches!(difference(), Difference::Missing { .. }) && difference().is_refusal());
        fs::remove_dir(&lib).unwrap();
        fs::write(&lib, "no directory").unwrap();
        assert!(matches!(difference(), Difference::Unreadable { .. }) && !difference().is_refusal());
    }

    #[test]
    fn single_file_may_have_another_name() {
        let place = tempfile::tempdir().unwrap();
        let (kv, other) = (place.path().join("kv"), place.path().join("other"));
        fs::write(&kv, "abc").unwrap();
        let manifest = described(&claims(), &kv);
        fs::rename(&kv, &other).unwrap();
        assert_eq!(shown(&manifest, &other), [""; 0]);
        fs::write(&other, "abd").unwrap();
        assert_eq!(shown(&manifest, &other).len(), 1);
        assert!(matches!(manifest.compare(&kv), Err(ManifestError::Io { .. })));
    }

    #[test]
    fn wrong_kind_and_missing_files_are_differences() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("a"), "a").unwrap();
        fs::write(place.path().join("b"), "b").unwrap();
        let manifest = described(&claims().with_program("a".parse().unwrap()), place.path());
        assert_eq!(shown(&manifest, &place.path().join("a")), ["its manifest is not about a single file of that name"]);
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(shown(&manifest, empty.path()), ["its file a is missing", "its file b is missing"]);
    }

    #[test]
    fn interpreter_of_this_platform_is_compared() {
        let place = tempfile::tempdir().unwrap();
        let (plugin, interpreter) = (place.path().join("kv"), place.path().join("interpreter"));
        fs::create_dir(&plugin).unwrap();
        fs::write(plugin.join("kv.py"), "pass").unwrap();
        fs::write(&interpreter, "abc").unwrap();
        let claims = claims().with_installed_interpreter(&interpreter, Vec::new()).unwrap();
        assert!(matches!(claims.describe(&interpreter), Err(ManifestError::InterpreterOfFile)));
        let manifest = described(&claims, &plugin);
        assert_eq!(shown(&manifest, &plugin), [""; 0]);
        for (content, expected) in [("abd", "SHA-256 mismatch"), ("abcd", "it is 4 bytes long, expected 3")] {
            fs::write(&interpreter, content).unwrap();
            let shown = shown(&manifest, &plugin);
            assert!(shown.len() == 1 && shown[0].contains(expected), "{shown:?}");
        }
        let foreign = described(&claims.with_platform("plan9-vax".parse().unwrap()), &plugin);
        fs::remove_file(&interpreter).unwrap();
        assert_eq!(shown(&foreign, &plugin), [""; 0]);
        assert!(matches!(manifest.compare(&plugin).unwrap()[..], [Difference::Unreadable { .. }]));
    }
}
