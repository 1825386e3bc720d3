//! Parses a manifest, and rejects one that contradicts itself. Reads no file of the plugin.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use super::{BundlePath, Interpreter, InterpreterProgram, Manifest, ManifestFile, Version};
use crate::limits::sources::{INTERPRETER_ARGUMENT_BYTES, INTERPRETER_ARGUMENTS};
use crate::verify::sources::document::Document;
use crate::verify::sources::toml_document::{self, RawVersion};
use crate::verify::{Digest, Expiry, Platform, PluginName, SourceError, SourceFault};

pub(crate) const FORMAT: &str = "portcullis-manifest/1";

/// Why a manifest contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestFault {
    /// Two entries have the same path.
    #[error("{path} appears twice")]
    Duplicate {
        /// The file.
        path: BundlePath,
    },
    /// A path is both a file and a directory.
    #[error("{path} is a file, but other files are in it")]
    FileAndDirectory {
        /// The path.
        path: BundlePath,
    },
    /// A file has the name of the manifest itself.
    #[error("{} is the name of the manifest itself", Manifest::INSIDE)]
    NamesItself,
    /// The program is not among the files.
    #[error("the program {path} is not among the files")]
    NoProgram {
        /// The program.
        path: BundlePath,
    },
    /// The interpreter is not among the files.
    #[error("the interpreter {path} is not among the files")]
    NoInterpreter {
        /// The interpreter.
        path: BundlePath,
    },
    /// The path of the interpreter is neither absolute nor a path in the bundle.
    #[error("the path of the interpreter must be absolute and plain, or that of a file of the plugin")]
    InterpreterPath,
    /// An installed interpreter has no digest or size.
    #[error("an interpreter with an absolute path needs `sha256` and `size`")]
    InterpreterUnpinned,
    /// A bundled interpreter has a second digest or size.
    #[error("an interpreter among the files of the plugin has `sha256` and `size` there, not here")]
    InterpreterTwice,
    /// The interpreter has too many arguments, or one is too long or contains NUL.
    #[error(
        "an interpreter accepts at most {INTERPRETER_ARGUMENTS} arguments of at most {INTERPRETER_ARGUMENT_BYTES} bytes, without NUL"
    )]
    Arguments,
    /// The version of the manifest is below its own minimum version.
    #[error("the minimum version {minimum} is above the version of the manifest")]
    Minimum {
        /// The minimum version.
        minimum: Version,
    },
}

impl ManifestFault {
    /// Its name for programs, in kebab-case. Stable between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Duplicate { .. } => "manifest-duplicate",
            Self::FileAndDirectory { .. } => "manifest-file-and-directory",
            Self::NamesItself => "manifest-names-itself",
            Self::NoProgram { .. } => "manifest-no-program",
            Self::NoInterpreter { .. } => "manifest-no-interpreter",
            Self::InterpreterPath => "manifest-interpreter-path",
            Self::InterpreterUnpinned => "manifest-interpreter-unpinned",
            Self::InterpreterTwice => "manifest-interpreter-twice",
            Self::Arguments => "manifest-arguments",
            Self::Minimum { .. } => "manifest-minimum",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawManifest {
    #[serde(rename = "format")]
    _format: String,
    name: PluginName,
    #[serde(deserialize_with = "toml_document::from_text")]
    version: Version,
    platform: Platform,
    #[serde(default)]
    minimum_version: Option<Spanned<RawVersion>>,
    #[serde(default)]
    expires: Option<Expiry>,
    program: Spanned<BundlePath>,
    #[serde(default)]
    interpreter: Option<Spanned<RawInterpreter>>,
    #[serde(default, rename = "file")]
    files: Vec<Spanned<RawFile>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawInterpreter {
    path: String,
    sha256: Option<Digest>,
    size: Option<u64>,
    #[serde(default)]
    arguments: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    path: BundlePath,
    sha256: Digest,
    size: u64,
    #[serde(default)]
    executable: bool,
}

pub(super) fn read(document: &Document) -> Result<Manifest, SourceError> {
    let raw: RawManifest = toml_document::read(document, FORMAT)?;
    let files = files(document, raw.files)?;
    let at = |offset: usize, fault: ManifestFault| document.fault(Some(document.line_of(offset)), fault);
    let start = raw.program.span().start;
    let program = raw.program.into_inner();
    if !files.contains_key(&program) {
        return Err(at(start, ManifestFault::NoProgram { path: program }));
    }
    let interpreter = match raw.interpreter {
        None => None,
        Some(written) => {
            let start = written.span().start;
            Some(interpreter(written.into_inner(), &files).map_err(|fault| at(start, fault))?)
        }
    };
    if let Some(minimum) = raw.minimum_version.as_ref().filter(|minimum| minimum.get_ref().0 > raw.version) {
        let fault = ManifestFault::Minimum { minimum: minimum.get_ref().0.clone() };
        return Err(at(minimum.span().start, fault));
    }
    Ok(Manifest {
        path: document.path().to_path_buf(),
        digest: Digest::of(document.bytes()),
        name: raw.name,
        version: raw.version,
        platform: raw.platform,
        minimum: raw.minimum_version.map(|minimum| minimum.into_inner().0),
        expires: raw.expires,
        program,
        interpreter,
        files,
    })
}

fn files(
    document: &Document,
    written: Vec<Spanned<RawFile>>,
) -> Result<BTreeMap<BundlePath, ManifestFile>, SourceError> {
    // Finding a line scans the document, so it is done only for a fault.
    let at = |offset: usize, fault: ManifestFault| document.fault(Some(document.line_of(offset)), fault);
    let mut files = BTreeMap::new();
    let mut offsets = BTreeMap::new();
    for entry in written {
        let offset = entry.span().start;
        let RawFile { path, sha256, size, executable } = entry.into_inner();
        if path.as_str() == Manifest::INSIDE {
            return Err(at(offset, ManifestFault::NamesItself));
        }
        offsets.insert(path.clone(), offset);
        if files.insert(path.clone(), ManifestFile { digest: sha256, size, executable }).is_some() {
            return Err(at(offset, ManifestFault::Duplicate { path }));
        }
    }
    if files.is_empty() {
        return Err(document.fault(None, SourceFault::Empty));
    }
    let shared = files.keys().flat_map(BundlePath::directories).find_map(|above| offsets.get_key_value(above));
    match shared {
        None => Ok(files),
        Some((path, offset)) => Err(at(*offset, ManifestFault::FileAndDirectory { path: path.clone() })),
    }
}

fn interpreter(
    written: RawInterpreter,
    files: &BTreeMap<BundlePath, ManifestFile>,
) -> Result<Interpreter, ManifestFault> {
    let RawInterpreter { path, sha256, size, arguments } = written;
    if arguments.len() > INTERPRETER_ARGUMENTS
        || arguments.iter().any(|one| one.len() > INTERPRETER_ARGUMENT_BYTES || one.contains('\0'))
    {
        return Err(ManifestFault::Arguments);
    }
    let program = match (path.strip_prefix('/'), sha256, size) {
        // The path after the first slash follows the same rules as a path in the bundle.
        (Some(rest), Some(digest), Some(size)) => {
            rest.parse::<BundlePath>().map_err(|_| ManifestFault::InterpreterPath)?;
            InterpreterProgram::Installed { path: PathBuf::from(path), digest, size }
        }
        (Some(_), _, _) => return Err(ManifestFault::InterpreterUnpinned),
        (None, None, None) => {
            let path: BundlePath = path.parse().map_err(|_| ManifestFault::InterpreterPath)?;
            if !files.contains_key(&path) {
                return Err(ManifestFault::NoInterpreter { path });
            }
            InterpreterProgram::Bundled(path)
        }
        (None, _, _) => return Err(ManifestFault::InterpreterTwice),
    };
    Ok(Interpreter { program, arguments })
}
