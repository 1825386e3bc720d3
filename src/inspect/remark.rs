//! Warnings about a file: everything that its digest does not cover, users who can change the file,
//! and unusual properties. Reads no file.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::{
    Architecture, Content, Executable, ExecutableKind, Exposure, ExternalFile, FileCapabilities, Inspection,
    SearchEntry, StackUse,
};
use crate::Escaped;
use crate::limits::inspect as limits;
use crate::verify::Policy;

/// One warning about a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Remark {
    /// The file is too large to be hashed.
    #[error("it is larger than {limit} bytes and was not hashed")]
    NotHashed {
        /// The limit in bytes.
        limit: u64,
    },
    /// The path is a symbolic link.
    #[error("the path is a symbolic link to {}, which can be changed to lead to another file", Escaped::path(target))]
    Link {
        /// The target of the link.
        target: PathBuf,
    },
    /// Another user can change or replace the file.
    #[error("others can change or replace the file: {0}")]
    Writable(Exposure),
    /// The file has a set-user-ID or set-group-ID bit.
    #[error("it runs with the rights of its {whose}: its mode is {mode:04o}", whose = if mode & 0o4000 != 0 { "owner" } else { "group" })]
    SetId {
        /// The permission bits.
        mode: u32,
    },
    /// The file has capabilities.
    #[error("it runs with more rights than its caller: {0}")]
    Capabilities(FileCapabilities),
    /// The file is built for another machine.
    #[error("it is built for another machine: {machine}, {bits} bits, {} endian", if *little_endian { "little" } else { "big" })]
    OtherMachine {
        /// The processor.
        machine: Architecture,
        /// The word size in bits.
        bits: u8,
        /// Whether the byte order is little endian.
        little_endian: bool,
    },
    /// A part of the ELF file contradicts the rest.
    #[error("a damaged ELF file: {what}")]
    Damaged {
        /// The part.
        what: &'static str,
    },
    /// The file is a script, whose interpreter is another file.
    #[error("the digest does not cover the program that runs this script, {}", shown(interpreter))]
    ScriptInterpreter {
        /// The program.
        interpreter: OsString,
    },
    /// A dynamic loader, and perhaps libraries, are loaded into the program.
    #[error("the digest does not cover the loader and libraries that start with it: {}{}", shown(interpreter), counted(*libraries))]
    LoadedAtStart {
        /// The dynamic loader.
        interpreter: OsString,
        /// The number of libraries that it names. They may need others.
        libraries: usize,
    },
    /// The file is a library that needs other libraries.
    #[error("the digest does not cover the {libraries} libraries that it needs")]
    NeededByLibrary {
        /// The number of libraries that it names.
        libraries: usize,
    },
    /// The program may load libraries while it runs.
    #[error("it can load libraries while it runs (it names dlopen or dlmopen), and the digest does not cover them")]
    LoadedLater,
    /// The file names a library that audits or filters others (`DT_AUDIT`, `DT_FILTER`).
    #[error("it loads a library that audits or filters others: {}", shown(library))]
    Auxiliary {
        /// The library.
        library: OsString,
    },
    /// The file names a library by a relative path.
    #[error("it names a library by a relative path, which depends on the working directory: {}", shown(library))]
    RelativeLibrary {
        /// The library.
        library: OsString,
    },
    /// The file names its interpreter by a relative path.
    #[error(
        "it names its interpreter by a relative path, which depends on the working directory: {}",
        shown(interpreter)
    )]
    RelativeInterpreter {
        /// The interpreter.
        interpreter: OsString,
    },
    /// The interpreter does not exist.
    #[error("its interpreter does not exist on this machine: {}", Escaped::path(path))]
    MissingInterpreter {
        /// The interpreter.
        path: PathBuf,
    },
    /// Others can change or replace the interpreter.
    #[error("others can change or replace its interpreter: {0}")]
    InterpreterWritable(Exposure),
    /// Others can put libraries into a directory of the search path.
    #[error("others can put libraries into its search path {}: {exposure}", shown(entry))]
    SearchWritable {
        /// The entry of the search path.
        entry: OsString,
        /// The directory that they can write.
        exposure: Exposure,
    },
    /// A directory of the search path is relative.
    #[error("its library search path \"{}\" is relative, which depends on the working directory", shown(entry))]
    SearchRelative {
        /// The entry of the search path. An empty one means the working directory.
        entry: OsString,
    },
    /// A directory of the search path is relative to the file's own directory.
    #[error(
        "its library search path {} is relative to its own directory, and a copy in memory or on disk is elsewhere",
        shown(entry)
    )]
    SearchOrigin {
        /// The entry of the search path.
        entry: OsString,
    },
    /// A directory of the search path, or its owner, cannot be determined.
    #[error("its library search path {} could not be examined", shown(entry))]
    SearchUnknown {
        /// The entry of the search path.
        entry: OsString,
    },
    /// The search path has more directories than an inspection examines.
    #[error("its library search path has {limit} directories or more; only {limit} were examined")]
    SearchCut {
        /// The limit.
        limit: usize,
    },
    /// The program asks for an executable stack.
    #[error("it asks for an executable stack, from which an attacker can run code")]
    ExecutableStack,
    /// The file does not say whether its stack is executable.
    #[error("it does not ask for a non-executable stack, and on some machines its stack is then executable")]
    UnstatedStack,
}

fn shown(text: &OsStr) -> Escaped<'_> {
    Escaped::new(text.as_bytes())
}

fn counted(libraries: usize) -> String {
    match libraries {
        0 => String::new(),
        1 => " and 1 library".to_owned(),
        more => format!(" and {more} libraries"),
    }
}

impl Remark {
    /// Its name for programs, in kebab-case. Stable between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotHashed { .. } => "not-hashed",
            Self::Link { .. } => "link",
            Self::Writable(_) => "writable",
            Self::SetId { .. } => "set-id",
            Self::Capabilities(_) => "capabilities",
            Self::OtherMachine { .. } => "other-machine",
            Self::Damaged { .. } => "damaged",
            Self::ScriptInterpreter { .. } => "script-interpreter",
            Self::LoadedAtStart { .. } => "loaded-at-start",
            Self::NeededByLibrary { .. } => "needed-by-library",
            Self::LoadedLater => "loaded-later",
            Self::Auxiliary { .. } => "auxiliary-library",
            Self::RelativeLibrary { .. } => "relative-library",
            Self::RelativeInterpreter { .. } => "relative-interpreter",
            Self::MissingInterpreter { .. } => "missing-interpreter",
            Self::InterpreterWritable(_) => "interpreter-writable",
            Self::SearchWritable { .. } => "search-writable",
            Self::SearchRelative { .. } => "search-relative",
            Self::SearchOrigin { .. } => "search-origin",
            Self::SearchUnknown { .. } => "search-unknown",
            Self::SearchCut { .. } => "search-cut",
            Self::ExecutableStack => "executable-stack",
            Self::UnstatedStack => "unstated-stack",
        }
    }
}

/// Returns every warning about a file.
pub(super) fn all(of: &Inspection) -> Vec<Remark> {
    let mut remarks = Vec::new();
    if of.digest.is_none() {
        remarks.push(Remark::NotHashed { limit: Policy::DEFAULT_SIZE_LIMIT });
    }
    remarks.extend(of.link.clone().map(|target| Remark::Link { target }));
    remarks.extend(of.exposure.clone().map(Remark::Writable));
    if of.mode & 0o6000 != 0 {
        remarks.push(Remark::SetId { mode: of.mode });
    }
    remarks.extend(of.capabilities.clone().map(Remark::Capabilities));
    match &of.content {
        Content::Elf(executable) => about(executable, &mut remarks),
        Content::BrokenElf => remarks.push(Remark::Damaged { what: "its first bytes" }),
        Content::Script(script) => {
            remarks.push(Remark::ScriptInterpreter { interpreter: script.interpreter.clone() });
        }
        _ => {}
    }
    about_interpreter(of, &mut remarks);
    of.search.iter().for_each(|entry| about_search(entry, &mut remarks));
    if of.search.len() == limits::SEARCH_DIRECTORIES {
        remarks.push(Remark::SearchCut { limit: limits::SEARCH_DIRECTORIES });
    }
    remarks
}

fn about(executable: &Executable, remarks: &mut Vec<Remark>) {
    let linkage = &executable.linkage;
    remarks.extend(executable.damage.iter().map(|what| Remark::Damaged { what }));
    if !executable.native {
        let Executable { machine, bits, little_endian, .. } = *executable;
        remarks.push(Remark::OtherMachine { machine, bits, little_endian });
    }
    let libraries = linkage.needed.len();
    match &linkage.interpreter {
        Some(interpreter) => remarks.push(Remark::LoadedAtStart { interpreter: interpreter.clone(), libraries }),
        None if libraries > 0 => remarks.push(Remark::NeededByLibrary { libraries }),
        None => {}
    }
    remarks.extend(linkage.auxiliary.iter().map(|library| Remark::Auxiliary { library: library.clone() }));
    let relative = linkage.needed.iter().filter(|name| is_relative_path(name));
    remarks.extend(relative.map(|library| Remark::RelativeLibrary { library: library.clone() }));
    if executable.names_dlopen {
        remarks.push(Remark::LoadedLater);
    }
    let runs = executable.is_program() || executable.kind == ExecutableKind::SharedLibrary;
    match executable.stack {
        StackUse::Executable => remarks.push(Remark::ExecutableStack),
        StackUse::Unstated if runs => remarks.push(Remark::UnstatedStack),
        _ => {}
    }
}

/// The loader searches for a name without a slash. A name with a slash is a path.
fn is_relative_path(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name.contains(&b'/') && !matches!(name, [b'/' | b'$', ..])
}

fn about_interpreter(of: &Inspection, remarks: &mut Vec<Remark>) {
    match (of.content.interpreter(), &of.interpreter) {
        (Some(interpreter), None) => {
            remarks.push(Remark::RelativeInterpreter { interpreter: interpreter.to_owned() });
        }
        (_, Some(ExternalFile { path, exists: Some(false), .. })) => {
            remarks.push(Remark::MissingInterpreter { path: path.clone() });
        }
        (_, Some(ExternalFile { exposure: Some(exposure), .. })) => {
            remarks.push(Remark::InterpreterWritable(exposure.clone()));
        }
        _ => {}
    }
}

fn about_search(entry: &SearchEntry, remarks: &mut Vec<Remark>) {
    let text = entry.text.clone();
    if entry.origin {
        remarks.push(Remark::SearchOrigin { entry: text.clone() });
    }
    match &entry.place {
        None if entry.is_relative() => remarks.push(Remark::SearchRelative { entry: text }),
        None | Some(ExternalFile { exists: None, .. }) => remarks.push(Remark::SearchUnknown { entry: text }),
        Some(ExternalFile { exposure: Some(exposure), .. }) => {
            remarks.push(Remark::SearchWritable { entry: text, exposure: exposure.clone() });
        }
        Some(_) => {}
    }
}
