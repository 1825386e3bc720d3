//! Writes the manifest of the files of a plugin, for its publisher to sign. Signs nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File, FileType};
use std::io;
use std::path::{Path, PathBuf};

use crate::Escaped;
use crate::fs::{RegularFileError, Symlinks, kind_unless_regular, open_regular};
use crate::limits::authoring::PLUGIN_ENTRIES;
use crate::verify::decision::explanation::{Explanation, explained};
use crate::verify::sources::manifest::FORMAT;
use crate::verify::sources::toml_document::quoted;
use crate::verify::{BundlePath, Interpreter, InterpreterProgram, Manifest, ManifestFile, SignedManifest, Version};
use crate::verify::{Digest, Expiry, Platform, PluginName, SourceError};

/// The publisher's claims about a plugin, beside its files.
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
    /// Claims about a plugin for this platform, without an interpreter and an expiry.
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

    /// Sets the platform that the plugin is built for.
    pub fn with_platform(mut self, platform: Platform) -> Self {
        self.platform = platform;
        self
    }

    /// Blocks versions below `minimum` for hosts that accept this manifest.
    pub fn with_minimum_version(mut self, minimum: Version) -> Self {
        self.minimum = Some(minimum);
        self
    }

    /// Makes the manifest invalid from that moment on.
    pub fn with_expiry(mut self, expires: Expiry) -> Self {
        self.expires = Some(expires);
        self
    }

    /// Sets the file that is started. Not needed for a plugin of one file.
    pub fn with_program(mut self, program: BundlePath) -> Self {
        self.program = Some(program);
        self
    }

    /// Runs the program with `interpreter`, a file of the plugin. `arguments` precede the program.
    pub fn with_bundled_interpreter(mut self, interpreter: BundlePath, arguments: Vec<String>) -> Self {
        self.interpreter = Some(Interpreter { program: InterpreterProgram::Bundled(interpreter), arguments });
        self
    }

    /// Runs the program with `interpreter`, a file of the machine, pinned by its digest.
    /// `arguments` precede the program.
    ///
    /// # Errors
    ///
    /// If the interpreter cannot be read.
    pub fn with_installed_interpreter(
        mut self,
        interpreter: impl AsRef<Path>,
        arguments: Vec<String>,
    ) -> Result<Self, ManifestError> {
        let given = interpreter.as_ref();
        // The target of a symbolic link: the digest belongs to this file, and the link may change.
        let path = given.canonicalize().map_err(ManifestError::io(given))?;
        let ManifestFile { digest, size, .. } = describe(&path)?;
        let program = InterpreterProgram::Installed { path, digest, size };
        self.interpreter = Some(Interpreter { program, arguments });
        Ok(self)
    }

    /// Returns the text of the manifest of the plugin at `path`, a file or a directory. The text
    /// was read back, so it is a valid manifest.
    ///
    /// Of a directory it describes every file but the manifest itself and its signature.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, is neither a regular file nor a directory, or has a name that a
    /// manifest cannot hold; or if the claims do not match the files.
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
            // A path that is not UTF-8 becomes another one here. `describe` reads the text back,
            // and a host then does not find that interpreter.
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

/// Every file below `top` but the manifest itself and its signature.
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

/// Calls `visit` for every entry below `top`, each directory before its entries. Follows no
/// symbolic link.
pub(super) fn walk(
    top: &Path,
    mut visit: impl FnMut(&Path, FileType) -> Result<(), ManifestError>,
) -> Result<(), ManifestError> {
    walk_within(top, PLUGIN_ENTRIES, &mut visit)
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

/// Why no manifest was written or compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// A file or directory could not be read.
    #[error("cannot read {}", Escaped::path(path))]
    #[non_exhaustive]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file has another type.
    #[error("{} is {kind}, expected a regular file or a directory", Escaped::path(path))]
    #[non_exhaustive]
    Kind {
        /// The file.
        path: PathBuf,
        /// Its type, with an article.
        kind: &'static str,
    },
    /// A manifest cannot hold the name of a file.
    #[error(
        "a manifest cannot hold the name {}: it is not UTF-8, too long, nested too deeply, or contains control characters",
        Escaped::path(path)
    )]
    #[non_exhaustive]
    Name {
        /// The file.
        path: PathBuf,
    },
    /// The plugin has too many files.
    #[error("the plugin has more than {limit} files and directories")]
    #[non_exhaustive]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// The plugin has several files, and the claims name no program.
    #[error("the plugin does not have exactly one file; name the program among them")]
    ProgramNotNamed,
    /// An interpreter needs a plugin that is a directory: a single file has no path that the
    /// interpreter could open.
    #[error("a plugin with an interpreter must be a directory with the manifest in it, found a file")]
    InterpreterOfFile,
    /// The claims contradict each other or the files.
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
    fn walk_stops_at_the_entry_limit() {
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
