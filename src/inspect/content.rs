//! What some bytes are, by how they begin. Goes deeper into ELF files and scripts alone.

use std::fmt;
use std::fs::File;
use std::io;

use object::read::ReadCache;

use super::{Executable, Script};
use crate::verify::bytes::elf::ElfIdent;
use crate::verify::bytes::view::ByteView;

/// By what begins like text a file is called text.
const START: usize = 4096;

/// What the bytes of a file are.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// No bytes at all.
    Empty,
    /// A program, library, object file or core dump of Unix.
    Elf(Box<Executable>),
    /// Something that begins as an ELF file does, and then is of a class or byte order that does
    /// not exist, or too short.
    BrokenElf,
    /// A text that names the program that runs it.
    Script(Script),
    /// A program or library of macOS.
    MachO,
    /// A program or library of Windows.
    Pe,
    /// A module of WebAssembly.
    WebAssembly,
    /// A class of Java.
    JavaClass,
    /// A ZIP archive, as a jar is one.
    Zip,
    /// Text in UTF-8.
    Text,
    /// None of these.
    Data,
}

impl Content {
    /// What bytes in memory are. Takes any bytes: what contradicts itself in them becomes part of
    /// the answer.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        // Memory can always be read.
        Self::read(ByteView::of_memory(bytes)).unwrap_or(Self::Data)
    }

    /// What is in a file, wherever its cursor stands, which it leaves alone. Reads headers and
    /// names, not the whole of it.
    ///
    /// # Errors
    ///
    /// The file cannot be read. What contradicts itself in it is no error, but part of the answer.
    pub fn of_file(file: &File) -> io::Result<Self> {
        Self::read(ByteView::of_file(file)?)
    }

    /// One word for programs to read.
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

    /// What is known of it if it is an ELF file.
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
            // A number of architectures in one, a version of at least 45 in the other.
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
        // A character may be cut in two where the start ends.
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
            Self::BrokenElf => "a broken ELF file: its first bytes are not those of any class and byte order",
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
