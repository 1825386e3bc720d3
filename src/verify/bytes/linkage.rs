//! The files that the dynamic loader would load for a program, from the dynamic section. Loads
//! nothing.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::ffi::OsStringExt;

use object::elf;
use object::read::ReadCache;

use crate::limits::verify as limits;
use crate::verify::Refusal;
use crate::verify::bytes::elf::{Damage, Headers};
use crate::verify::bytes::format;
use crate::verify::bytes::view::ByteView;
use crate::verify::decision::error::ExamineError;

/// How a program is linked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Linkage {
    /// The dynamic loader (`PT_INTERP`), which the kernel starts instead of the program. `None` for
    /// a static program.
    pub interpreter: Option<OsString>,
    /// The required libraries (`DT_NEEDED`): names, or paths if they contain a slash.
    pub needed: Vec<OsString>,
    /// Auditors and filters, which are also loaded (`DT_AUDIT`, `DT_DEPAUDIT`, `DT_FILTER`,
    /// `DT_AUXILIARY`).
    pub auxiliary: Vec<OsString>,
    /// The name of a library for its users (`DT_SONAME`).
    pub soname: Option<OsString>,
    /// The search paths, verbatim.
    pub search_paths: Vec<SearchPath>,
}

/// Directories that the loader searches for libraries before the system's.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SearchPath {
    /// Its kind, which decides the order.
    pub kind: SearchPathKind,
    /// The directories, verbatim, separated by colons.
    pub text: OsString,
}

/// The two kinds of search paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SearchPathKind {
    /// `DT_RPATH`: searched before `LD_LIBRARY_PATH`, also for the libraries of libraries.
    Rpath,
    /// `DT_RUNPATH`: searched after `LD_LIBRARY_PATH`. If it exists, `DT_RPATH` is ignored.
    Runpath,
}

impl Linkage {
    /// Whether the kernel starts it without a dynamic loader.
    pub fn is_static(&self) -> bool {
        self.interpreter.is_none()
    }

    pub(crate) fn read(headers: &Headers<'_>) -> Result<Self, Damage> {
        let interpreter = headers.interpreter()?.map(owned);
        let mut linkage = Self { interpreter, ..Self::default() };
        let entries = headers.dynamic()?;
        let strings = Strings::locate(headers, &entries)?;
        for (tag, value) in entries {
            let name = || strings.and_then(|strings| strings.get(headers, value)).ok_or(Damage("its dynamic strings"));
            match tag {
                elf::DT_NEEDED => linkage.needed.push(name()?),
                elf::DT_AUDIT | elf::DT_DEPAUDIT | elf::DT_FILTER | elf::DT_AUXILIARY => {
                    linkage.auxiliary.push(name()?)
                }
                elf::DT_SONAME => linkage.soname = Some(name()?),
                elf::DT_RPATH => {
                    linkage.search_paths.push(SearchPath { kind: SearchPathKind::Rpath, text: name()? });
                }
                elf::DT_RUNPATH => {
                    linkage.search_paths.push(SearchPath { kind: SearchPathKind::Runpath, text: name()? });
                }
                _ => {}
            }
            if linkage.needed.len() + linkage.auxiliary.len() + linkage.search_paths.len() > limits::LIBRARIES {
                return Err(Damage("it names too many libraries"));
            }
        }
        Ok(linkage)
    }
}

/// The string table of a dynamic section.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Strings {
    pub(crate) offset: u64,
    pub(crate) size: u64,
}

impl Strings {
    /// `None` if the file has no dynamic section.
    pub(crate) fn locate(headers: &Headers<'_>, entries: &[(elf::DynamicTag, u64)]) -> Result<Option<Self>, Damage> {
        // The loader uses the last of several entries.
        let last = |wanted| entries.iter().rev().find(|(tag, _)| *tag == wanted).map(|(_, value)| *value);
        match (last(elf::DT_STRTAB), last(elf::DT_STRSZ)) {
            (None, _) => Ok(None),
            (Some(address), size) => {
                let offset = headers.offset_of(address).ok_or(Damage("its dynamic strings"))?;
                Ok(Some(Self { offset, size: size.ok_or(Damage("its dynamic strings"))? }))
            }
        }
    }

    fn get(self, headers: &Headers<'_>, position: u64) -> Option<OsString> {
        let end = self.offset.checked_add(self.size)?;
        headers.string(self.offset.checked_add(position)?, end).map(owned)
    }
}

fn owned(bytes: &[u8]) -> OsString {
    OsString::from_vec(bytes.to_vec())
}

/// The linkage of a program for this machine. Refuses any other file.
pub(crate) fn linkage(file: &File) -> Result<Linkage, ExamineError> {
    format::check(file)?;
    let bytes = ByteView::of_file(file).map_err(ExamineError::io("looking at it"))?;
    let data = ReadCache::new(bytes.cursor());
    let headers = format::native(&data).and_then(|headers| Ok(Linkage::read(&headers)?));
    headers.map_err(|format| Refusal::Format(format).into())
}
