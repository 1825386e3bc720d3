//! Recognises the format of a file by its first bytes. Parses only ELF files and scripts further.

use std::fmt;
use std::fs::File;
use std::io;

use object::read::ReadCache;

use super::{Executable, Script};
use crate::verify::bytes::elf::ElfIdent;
use crate::verify::bytes::view::ByteView;

/// The number of bytes at the start of a file that decide whether it is text.
const START: usize = 4096;

/// The format of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// The file is empty.
    Empty,
    /// An ELF file: a program, library, object file or core dump.
    Elf(Box<Executable>),
    /// A file with the ELF magic and an invalid class or byte order, or one that is too short.
    BrokenElf,
    /// A script whose first line names its interpreter.
    Script(Script),
    /// A program or library for macOS.
    MachO,
    /// A program or library for Windows.
    Pe,
    /// A WebAssembly module.
    WebAssembly,
    /// A Java class.
    JavaClass,
    /// A ZIP archive, for example a jar.
    Zip,
    /// UTF-8 text.
    Text,
    /// Any other format.
    Data,
}

impl Content {
    /// Recognises bytes in memory. Accepts any bytes: contradictions in them are listed in the
    /// result.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        // Reading from memory cannot fail.
        Self::read(ByteView::of_memory(bytes)).unwrap_or(Self::Data)
    }

    /// Recognises an open file. Neither uses nor moves the file's cursor. Reads headers and names,
    /// not the whole file.
    ///
    /// # Errors
    ///
    /// The file cannot be read. A contradiction in the file is not an error; the result lists it.
    pub fn of_file(file: &File) -> io::Result<Self> {
        Self::read(ByteView::of_file(file)?)
    }

    /// Its name for programs, in kebab-case. Stable between releases.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Elf(_) => "elf",
            Self::BrokenElf => "broken-elf",
            Self::Script(_) => "script",
            Self::MachO => "mach-o",
            Self::Pe => "pe",
            Self::WebAssembly => "webassembly",
            Self::JavaClass => "java-class",
            Self::Zip => "zip",
            Self::Text => "text",
            Self::Data => "data",
        }
    }

    /// The parsed headers, if it is an ELF file.
    pub fn executable(&self) -> Option<&Executable> {
        match self {
            Self::Elf(executable) => Some(executable),
            _ => None,
        }
    }

    fn read(bytes: ByteView<'_>) -> io::Result<Self> {
        let start = bytes.start(START)?;
        if let Some(script) = Script::read(&start) {
            return Ok(Self::Script(script));
        }
        Ok(match start.as_slice() {
            [] => Self::Empty,
            [0x7f, b'E', b'L', b'F', ..] => match ElfIdent::read(&ReadCache::new(bytes.cursor())) {
                Some(identity) => Self::Elf(Box::new(Executable::read(identity, bytes))),
                None => Self::BrokenElf,
            },
            [0xfe, 0xed, 0xfa, 0xce | 0xcf, ..] | [0xce | 0xcf, 0xfa, 0xed, 0xfe, ..] => Self::MachO,
            // Both formats have this magic. A fat Mach-O file continues with the number of its
            // architectures, a Java class with a version of at least 45.
            [0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 0..=30, ..] => Self::MachO,
            [0xca, 0xfe, 0xba, 0xbe, _, _, _, _, ..] => Self::JavaClass,
            [0, b'a', b's', b'm', ..] => Self::WebAssembly,
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Self::Zip,
            [b'M', b'Z', ..] if is_pe(&start) => Self::Pe,
            text if is_text(text, bytes.length()) => Self::Text,
            _ => Self::Data,
        })
    }
}

fn is_pe(start: &[u8]) -> bool {
    let Some(&[a, b, c, d]) = start.get(0x3c..0x40) else {
        return false;
    };
    let at = u32::from_le_bytes([a, b, c, d]) as usize;
    start.get(at..).is_some_and(|header| header.starts_with(b"PE\0\0"))
}

fn is_text(start: &[u8], length: u64) -> bool {
    let text = match str::from_utf8(start) {
        Ok(text) => text,
        // The last character of the piece that was read may be incomplete.
        Err(error) if error.error_len().is_none() && length > start.len() as u64 => {
            str::from_utf8(&start[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.chars().any(|character| character.is_control() && !matches!(character, '\t' | '\n' | '\r' | '\x0c' | '\x1b'))
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Elf(executable) => return executable.fmt(f),
            Self::Empty => "empty",
            Self::BrokenElf => "a broken ELF file: invalid class or byte order",
            Self::Script(_) => "a script",
            Self::MachO => "a Mach-O file (macOS)",
            Self::Pe => "a PE file (Windows)",
            Self::WebAssembly => "a WebAssembly module",
            Self::JavaClass => "a Java class",
            Self::Zip => "a ZIP archive",
            Self::Text => "text",
            Self::Data => "data",
        })
    }
}
