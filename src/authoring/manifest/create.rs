//! Describes what lies on disk as a manifest: for publishers, before they sign it. Vouches for
//! nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File, FileType};
use std::io;
use std::path::{Path, PathBuf};

use crate::Escaped;
use crate::fs::{RegularFileError, Symlinks, kind_unless_regular, open_regular};
use crate::verify::decision::explanation::{Explanation, explained};
use crate::verify::sources::form::quoted;
use crate::verify::sources::manifest::FORMAT;
use crate::verify::{BundlePath, Interpreter, InterpreterProgram, Manifest, ManifestFile, SignedManifest, Version};
use crate::verify::{Digest, Expiry, Platform, PluginName, SourceError};

/// How many entries a directory and all below it may have. A person signs for each.
const ENTRIES: usize = 100_000;

/// What a publisher says of a plugin besides what lies on disk.
#[derive(Debug, Clone)]
pub struct Claims {
    name: PluginName,
    version: Version,
    platform: Platform,
    minimum: Option<Version>,
    expires: Option<Expiry>,
    program: Option<BundlePath>,
    interpreter: Option<Interpreter>,
}

impl Claims {
    /// Claims about a plugin for this machine's platform, which run by themselves and hold for
    /// ever.
    pub fn new(name: PluginName, version: Version) -> Self {
        Self {
            name,
            version,
            platform: Platform::current(),
            minimum: None,
            expires: None,
            program: None,
            interpreter: None,
        }
    }

    /// For another platform.
    pub fn with_platform(mut self, platform: Platform) -> Self {
        self.platform = platform;
        self
    }

    /// Versions below `minimum` are not to be run any more.
    pub fn with_minimum_version(mut self, minimum: Version) -> Self {
        self.minimum = Some(minimum);
        self
    }

    /// They no longer hold from then on.
    pub fn with_expiry(mut self, expires: Expiry) -> Self {
        self.expires = Some(expires);
        self
    }

    /// Which file is started. A plugin that is one file needs no such word.
    pub fn with_program(mut self, program: BundlePath) -> Self {
        self.program = Some(program);
        self
    }

    /// The program is run by the file `interpreter` of the plugin, with these arguments before the
    /// program.
    pub fn with_bundled_interpreter(mut self, interpreter: BundlePath, arguments: Vec<String>) -> Self {
        self.interpreter = Some(Interpreter { program: InterpreterProgram::Bundled(interpreter), arguments });
        self
    }

    /// The program is run by `interpreter`, a file of the machine, with these arguments before the
    /// program.
    ///
    /// # Errors
    ///
    /// When the interpreter cannot be read.
    pub fn with_installed_interpreter(
        mut self,
        interpreter: impl AsRef<Path>,
        arguments: Vec<String>,
    ) -> Result<Self, ManifestError> {
        let given = interpreter.as_ref();
        // The file itself, not a link to whatever will lie there: its digest is what counts.
        let path = given.canonicalize().map_err(ManifestError::io(given))?;
        let ManifestFile { digest, size, .. } = describe(&path)?;
        let program = InterpreterProgram::Installed { path, digest, size };
        self.interpreter = Some(Interpreter { program, arguments });
        Ok(self)
    }

    /// The manifest of the plugin at `path`, a file or a directory, as text. It was read back, so
    /// that it is one.
    ///
    /// In a directory everything is described but the manifest itself and its signature.
    ///
    /// # Errors
    ///
    /// When something cannot be read, is neither file nor directory, or has a name that a manifest
    /// cannot hold; and when the claims do not fit what lies there.
    pub fn describe(&self, path: impl AsRef<Path>) -> Result<String, ManifestError> {
        let path = path.as_ref();
        let is_directory = fs::metadata(path).map_err(ManifestError::io(path))?.is_dir();
        if !is_directory && self.interpreter.is_some() {
            return Err(ManifestError::InterpreterOfFile);
        }
        let files = if is_directory { all(path)? } else { single(path)? };
        let program = match (&self.program, files.len()) {
            (Some(program), _) => program.clone(),
            (None, 1) => files.keys().next().cloned().ok_or(ManifestError::ProgramNotNamed)?,
            (None, _) => return Err(ManifestError::ProgramNotNamed),
        };
        let text = self.write(&program, &files);
        Manifest::from_bytes(Manifest::INSIDE, text.as_bytes())?;
        Ok(text)
    }

    fn write(&self, program: &BundlePath, files: &BTreeMap<BundlePath, ManifestFile>) -> String {
        let mut text = String::new();
        let mut line = |key: &str, value: &dyn std::fmt::Display| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{key} = {value}");
        };
        line("format", &quoted(FORMAT));
        line("name", &quoted(self.name.as_str()));
        line("version", &quoted(&self.version.to_string()));
        line("platform", &quoted(&self.platform.to_string()));
        line("program", &quoted(program.as_str()));
        if let Some(minimum) = &self.minimum {
            line("minimum-version", &quoted(&minimum.to_string()));
        }
        if let Some(expires) = &self.expires {
            line("expires", expires);
        }
        if let Some(interpreter) = &self.interpreter {
            write_interpreter(&mut text, interpreter);
        }
        for (path, ManifestFile { digest, size, executable }) in files {
            let _ =
                write!(text, "\n[[file]]\npath = {}\nsha256 = \"{digest}\"\nsize = {size}\n", quoted(path.as_str()));
            if *executable {
                text.push_str("executable = true\n");
            }
        }
        text
    }
}

fn write_interpreter(text: &mut String, interpreter: &Interpreter) {
    let _ = match &interpreter.program {
        InterpreterProgram::Bundled(path) => write!(text, "\n[interpreter]\npath = {}\n", quoted(path.as_str())),
        InterpreterProgram::Installed { path, digest, size } => write!(
            text,
            "\n[interpreter]\npath = {}\nsha256 = \"{digest}\"\nsize = {size}\n",
            // What is not UTF-8 becomes another path, which the manifest's reader then refuses or
            // does not find.
            quoted(&path.to_string_lossy())
        ),
    };
    let arguments: Vec<_> = interpreter.arguments.iter().map(|argument| quoted(argument)).collect();
    if !arguments.is_empty() {
        let _ = writeln!(text, "arguments = [{}]", arguments.join(", "));
    }
}

fn single(path: &Path) -> Result<BTreeMap<BundlePath, ManifestFile>, ManifestError> {
    let name = path.file_name().and_then(std::ffi::OsStr::to_str).and_then(|name| name.parse().ok());
    let name: BundlePath = name.ok_or_else(|| ManifestError::Name { path: path.to_path_buf() })?;
    let file = ManifestFile { executable: true, ..describe(path)? };
    Ok(BTreeMap::from([(name, file)]))
}

fn describe(path: &Path) -> Result<ManifestFile, ManifestError> {
    let file = open_regular(path, Symlinks::Follow).map_err(|error| match error {
        RegularFileError::Io(error) => ManifestError::io(path)(error),
        RegularFileError::NotRegular { kind } => ManifestError::Kind { path: path.to_path_buf(), kind },
    })?;
    describe_open(&file).map_err(ManifestError::io(path))
}

fn describe_open(file: &File) -> io::Result<ManifestFile> {
    use std::os::unix::fs::MetadataExt;
    let (digest, size) = Digest::with_size(file)?;
    Ok(ManifestFile { digest, size, executable: file.metadata()?.mode() & 0o111 != 0 })
}

/// Every file below a directory but the manifest itself and its signature.
fn all(top: &Path) -> Result<BTreeMap<BundlePath, ManifestFile>, ManifestError> {
    let mut files = BTreeMap::new();
    walk(top, |path, kind| {
        let relative = path.strip_prefix(top).ok().and_then(Path::to_str).and_then(|text| text.parse().ok());
        let relative: BundlePath = relative.ok_or_else(|| ManifestError::Name { path: path.to_path_buf() })?;
        match kind_unless_regular(kind) {
            None if relative.as_str() == Manifest::INSIDE || relative.as_str() == SignedManifest::INSIDE => {}
            None => drop(files.insert(relative, describe(path)?)),
            Some(_) if kind.is_dir() => {}
            Some(kind) => return Err(ManifestError::Kind { path: path.to_path_buf(), kind }),
        }
        Ok(())
    })?;
    Ok(files)
}

/// Shows everything below a directory to `visit`, directories before what is in them, and follows
/// no link.
pub(super) fn walk(
    top: &Path,
    mut visit: impl FnMut(&Path, FileType) -> Result<(), ManifestError>,
) -> Result<(), ManifestError> {
    walk_within(top, ENTRIES, &mut visit)
}

fn walk_within(
    top: &Path,
    limit: usize,
    visit: &mut impl FnMut(&Path, FileType) -> Result<(), ManifestError>,
) -> Result<(), ManifestError> {
    let mut directories = vec![top.to_path_buf()];
    let mut seen = 0;
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).map_err(ManifestError::io(&directory))? {
            let entry = entry.map_err(ManifestError::io(&directory))?;
            seen += 1;
            if seen > limit {
                return Err(ManifestError::TooMany { limit });
            }
            let path = entry.path();
            let kind = entry.file_type().map_err(ManifestError::io(&path))?;
            visit(&path, kind)?;
            if kind.is_dir() {
                directories.push(path);
            }
        }
    }
    Ok(())
}

/// No manifest could be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Something could not be read.
    #[error("{} could not be read", Escaped::path(path))]
    #[non_exhaustive]
    Io {
        /// What it was.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Something is neither a regular file nor a directory.
    #[error("{} is {kind}; a plugin consists of regular files and directories", Escaped::path(path))]
    #[non_exhaustive]
    Kind {
        /// What it was.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// A name cannot stand in a manifest.
    #[error(
        "{} has a name that a manifest cannot hold: it is not UTF-8, too long or too deep, or holds control characters",
        Escaped::path(path)
    )]
    #[non_exhaustive]
    Name {
        /// What has it.
        path: PathBuf,
    },
    /// There are too many files.
    #[error("there are more than {limit} files and directories")]
    #[non_exhaustive]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// A plugin of several files, and nobody said which is to be started.
    #[error("there is not exactly one file, and which one is the program was not said")]
    ProgramNotNamed,
    /// What an interpreter runs has to be brought to it, and a plugin that is one file is not.
    #[error("a plugin that an interpreter runs is a directory with the manifest in it, not a file")]
    InterpreterOfFile,
    /// The claims do not fit together, or not with what lies there.
    #[error(transparent)]
    Claims(#[from] SourceError),
}

impl ManifestError {
    pub(crate) fn explanation(&self) -> Explanation {
        let of = Explanation::new;
        match self {
            Self::Io { .. } => of("manifest-io"),
            Self::Kind { kind, .. } => of("manifest-kind").expected("a regular file or directory").actual(kind),
            Self::Name { .. } => of("manifest-name"),
            Self::TooMany { limit } => of("manifest-too-many").expected(format_args!("at most {limit}")),
            Self::ProgramNotNamed => of("manifest-program-not-named"),
            Self::InterpreterOfFile => of("manifest-interpreter-of-file"),
            Self::Claims(error) => error.explanation(),
        }
    }
}

explained!(ManifestError);

impl ManifestError {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { path, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_entries_are_gone_through_than_the_limit() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("lib")).unwrap();
        ["kv", "lib/a", "lib/b"].iter().for_each(|name| fs::write(place.path().join(name), "").unwrap());
        let mut seen = 0;
        let mut visit = |_: &Path, _| {
            seen += 1;
            Ok(())
        };
        assert!(walk_within(place.path(), 4, &mut visit).is_ok());
        assert!(matches!(walk_within(place.path(), 3, &mut visit), Err(ManifestError::TooMany { limit: 3 })));
        assert_eq!(seen, 4 + 3);
    }
}
