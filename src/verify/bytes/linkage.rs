//! What the dynamic loader would bring into the process of a program besides its own bytes, read
//! from the place that the loader goes by.

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
    /// The dynamic loader (`PT_INTERP`), which the kernel runs in the program's place. Without one
    /// nothing is loaded: the program is static.
    pub interpreter: Option<OsString>,
    /// The libraries without which it does not start (`DT_NEEDED`): names, or paths when there is a
    /// slash in them.
    pub needed: Vec<OsString>,
    /// Libraries that are loaded as well: auditors of the loading and filters (`DT_AUDIT`,
    /// `DT_DEPAUDIT`, `DT_FILTER`, `DT_AUXILIARY`).
    pub auxiliary: Vec<OsString>,
    /// By what name others need it, if it is a library (`DT_SONAME`).
    pub soname: Option<OsString>,
    /// The search paths as they are written: directories with colons between them.
    pub search_paths: Vec<SearchPath>,
}

/// Directories in which libraries are looked for before those of the system.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SearchPath {
    /// Which of the two it is.
    pub kind: SearchPathKind,
    /// The directories as they are written, with colons between them.
    pub text: OsString,
}

/// The two kinds of search paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SearchPathKind {
    /// `DT_RPATH`: searched before those of `LD_LIBRARY_PATH`, for the libraries of libraries, too.
    Rpath,
    /// `DT_RUNPATH`: searched after those of `LD_LIBRARY_PATH`. Where there is one, `DT_RPATH` is
    /// ignored.
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

/// The strings that a dynamic section refers to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Strings {
    pub(crate) offset: u64,
    pub(crate) size: u64,
}

impl Strings {
    /// Nothing if the file has no dynamic section.
    pub(crate) fn locate(headers: &Headers<'_>, entries: &[(elf::DynamicTag, u64)]) -> Result<Option<Self>, Damage> {
        // The loader keeps the last of several.
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

/// The linkage of a program for this machine. Everything else is refused.
pub(crate) fn linkage(file: &File) -> Result<Linkage, ExamineError> {
    format::check(file)?;
    let bytes = ByteView::of_file(file).map_err(ExamineError::io("looking at it"))?;
    let data = ReadCache::new(bytes.cursor());
    let headers = format::native(&data).and_then(|headers| Ok(Linkage::read(&headers)?));
    headers.map_err(|format| Refusal::Format(format).into())
}
