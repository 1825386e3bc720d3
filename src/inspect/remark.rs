//! What there is to be warned of about a file: what its digest does not cover, who else may change
//! it, what is out of the ordinary.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::external_files::ENTRIES_LIMIT;
use super::{
    Architecture, Content, Executable, ExecutableKind, Exposure, ExternalFile, FileCapabilities, Inspection,
    SearchEntry, StackUse,
};
use crate::Escaped;
use crate::verify::Policy;

/// One thing to be warned of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Remark {
    /// It is too large to be hashed.
    #[error("it is larger than {limit} bytes, and was not hashed")]
    NotHashed {
        /// The limit in bytes.
        limit: u64,
    },
    /// The path is a symbolic link.
    #[error(
        "the path is a symbolic link to {}: what it leads to can change while the file does not",
        Escaped::path(target)
    )]
    Link {
        /// What the link says.
        target: PathBuf,
    },
    /// Somebody else may change the file or put another one in its place.
    #[error("others may change the file or put another one in its place: {0}")]
    Writable(Exposure),
    /// It runs with somebody else's rights.
    #[error("it runs with the rights of its {whose}: its mode is {mode:04o}", whose = if mode & 0o4000 != 0 { "owner" } else { "group" })]
    SetId {
        /// The permission bits.
        mode: u32,
    },
    /// It runs with more rights than its caller.
    #[error("it runs with more rights than its caller: {0}")]
    Capabilities(FileCapabilities),
    /// It is for another machine.
    #[error("it is built for another machine than this one: {machine}, {bits} bits, {} endian", if *little_endian { "little" } else { "big" })]
    OtherMachine {
        /// The processor.
        machine: Architecture,
        /// The size of its words.
        bits: u8,
        /// Whether the least significant byte comes first.
        little_endian: bool,
    },
    /// Its headers contradict the file.
    #[error("a damaged ELF file: {what}")]
    Damaged {
        /// What does not fit.
        what: &'static str,
    },
    /// A script's interpreter is another file.
    #[error("the digest does not cover the program that runs this script, {}", shown(interpreter))]
    ScriptInterpreter {
        /// The program.
        interpreter: OsString,
    },
    /// A dynamic loader and libraries become part of the program.
    #[error("the digest does not cover what is loaded when it starts: {}{}", shown(interpreter), counted(*libraries))]
    LoadedAtStart {
        /// The dynamic loader.
        interpreter: OsString,
        /// How many libraries it names, which may need others.
        libraries: usize,
    },
    /// A library's libraries are other files.
    #[error("the digest does not cover the libraries that it needs: {libraries}")]
    NeededByLibrary {
        /// How many it names.
        libraries: usize,
    },
    /// It may load more while it runs.
    #[error(
        "the digest does not cover what is loaded while it runs, and it names a function that loads libraries (dlopen)"
    )]
    LoadedLater,
    /// It is loaded together with libraries that intercept others.
    #[error("it has a library loaded that audits or filters others, {}", shown(library))]
    Auxiliary {
        /// The library.
        library: OsString,
    },
    /// A library is named by a path that depends on where the program is started.
    #[error(
        "it needs a library by a relative path, {}: which one that is depends on the directory in which it is started",
        shown(library)
    )]
    RelativeLibrary {
        /// The library.
        library: OsString,
    },
    /// The interpreter is named by a path that depends on where the program is started.
    #[error(
        "it names its interpreter by a relative path, {}: which one that is depends on the directory in which it is started",
        shown(interpreter)
    )]
    RelativeInterpreter {
        /// The interpreter.
        interpreter: OsString,
    },
    /// The interpreter is not there.
    #[error("its interpreter does not exist on this machine: {}", Escaped::path(path))]
    MissingInterpreter {
        /// The interpreter.
        path: PathBuf,
    },
    /// Others may change the interpreter.
    #[error("others may change its interpreter: {0}")]
    InterpreterWritable(Exposure),
    /// Others may put libraries where they are searched.
    #[error("others may put libraries where it searches them, {}: {exposure}", shown(entry))]
    SearchWritable {
        /// The entry of the search path.
        entry: OsString,
        /// What they may write.
        exposure: Exposure,
    },
    /// Libraries are searched where the program is started.
    #[error(
        "it searches libraries by a relative path, \"{}\": where that is depends on the directory in which it is started",
        shown(entry)
    )]
    SearchRelative {
        /// The entry of the search path; an empty one is that directory itself.
        entry: OsString,
    },
    /// Libraries are searched where the program lies.
    #[error(
        "it searches libraries where it lies, {}: a copy of it, in memory or on disk, lies elsewhere",
        shown(entry)
    )]
    SearchOrigin {
        /// The entry of the search path.
        entry: OsString,
    },
    /// It is not known where libraries are searched, or by whom that can be changed.
    #[error("where it searches libraries could not be looked at: {}", shown(entry))]
    SearchUnknown {
        /// The entry of the search path.
        entry: OsString,
    },
    /// There are more search paths than are looked at.
    #[error("it searches libraries in {limit} directories or more, and only so many were looked at")]
    SearchCut {
        /// The limit.
        limit: usize,
    },
    /// What is on its stack can be executed.
    #[error("it asks for an executable stack, on which code can be brought in")]
    ExecutableStack,
    /// What is on its stack can perhaps be executed.
    #[error("it does not say that its stack is not to be executed, and on some machines it then is")]
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

/// All that there is to be said about a file.
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
    if of.search.len() == ENTRIES_LIMIT {
        remarks.push(Remark::SearchCut { limit: ENTRIES_LIMIT });
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

/// A name without a slash is searched for; one with a slash is a path.
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
