//! Does the kernel execute this file directly on this machine? Reads a few headers of an ELF file;
//! loads and runs nothing.

use std::fs::File;

use object::Endianness;
use object::elf;
use object::read::ReadCache;

use crate::verify::Refusal;
use crate::verify::bytes::elf::{Damage, Data, ElfIdent, Headers};
use crate::verify::bytes::view::ByteView;
use crate::verify::decision::error::ExamineError;
use crate::verify::decision::explanation::{Explanation, explained};
use crate::verify::decision::refusal::hints;

/// The architecture of this program, and so the only one whose programs it launches.
const NATIVE: elf::Machine = if cfg!(target_arch = "x86_64") {
    elf::EM_X86_64
} else if cfg!(target_arch = "aarch64") {
    elf::EM_AARCH64
} else if cfg!(target_arch = "riscv64") {
    elf::EM_RISCV
} else if cfg!(target_arch = "x86") {
    elf::EM_386
} else if cfg!(target_arch = "arm") {
    elf::EM_ARM
} else {
    // No program has this value, so on other architectures every file is refused.
    elf::EM_NONE
};

/// Why a file is not a program for this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Format {
    /// No bytes at all.
    #[error("empty")]
    Empty,
    /// Not an ELF file.
    #[error("not an ELF program")]
    NotElf,
    /// ELF for another word size or byte order.
    #[error("an ELF file of another word size or byte order than this machine's")]
    OtherClass,
    /// ELF for another processor.
    #[error("built for another processor (ELF machine {machine}, this one is {native})")]
    OtherMachine {
        /// `e_machine` of the file.
        machine: u16,
        /// `e_machine` of this machine's programs.
        native: u16,
    },
    /// A shared library, an object file or a core dump.
    #[error("{kind}, not a program")]
    NotAProgram {
        /// The kind of file.
        kind: &'static str,
    },
    /// Headers that contradict the file.
    #[error("a damaged ELF file: {what}")]
    Damaged {
        /// The inconsistent part.
        what: &'static str,
    },
}

impl Format {
    pub(crate) fn explanation(&self) -> Explanation {
        let of = Explanation::new;
        match self {
            Self::Empty => of("format-empty").hint(hints::OTHER_FORMAT),
            Self::NotElf => of("format-not-elf").hint(hints::OTHER_FORMAT),
            Self::OtherClass => of("format-other-class").hint(hints::THIS_MACHINE),
            Self::OtherMachine { machine, native } => {
                of("format-other-machine").hint(hints::THIS_MACHINE).expected(native).actual(machine)
            }
            Self::NotAProgram { kind } => of("format-not-a-program").hint(hints::OTHER_FORMAT).actual(kind),
            Self::Damaged { what } => of("format-damaged").hint(hints::OTHER_FORMAT).actual(what),
        }
    }
}

explained!(Format);

impl From<Damage> for Format {
    fn from(Damage(what): Damage) -> Self {
        Self::Damaged { what }
    }
}

/// Refuses files that the kernel does not execute directly on this machine: scripts, programs for
/// other machines, libraries, damaged files.
pub(crate) fn check(file: &File) -> Result<(), ExamineError> {
    let bytes = ByteView::of_file(file).map_err(ExamineError::io("looking at it"))?;
    let start = bytes.start(128).map_err(ExamineError::io("reading its first bytes"))?;
    if let Some(rest) = start.strip_prefix(b"#!") {
        return Err(Refusal::Script { interpreter: first_line(rest) }.into());
    }
    let checked = match start.as_slice() {
        [] => Err(Format::Empty),
        [0x7f, b'E', b'L', b'F', ..] => {
            native(&ReadCache::new(bytes.cursor())).and_then(|headers| check_kind(&headers))
        }
        _ => Err(Format::NotElf),
    };
    checked.map_err(|format| Refusal::Format(format).into())
}

fn first_line(text: &[u8]) -> String {
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    String::from_utf8_lossy(line[..line.len().min(80)].trim_ascii()).into_owned()
}

/// Whether this machine runs files of this class, byte order and architecture.
pub(crate) fn is_native(identity: &ElfIdent) -> bool {
    is_native_class(identity) && identity.machine == NATIVE
}

fn is_native_class(identity: &ElfIdent) -> bool {
    let little = matches!(identity.endian, Endianness::Little);
    identity.wide == cfg!(target_pointer_width = "64") && little == cfg!(target_endian = "little")
}

/// The headers of an ELF file for this machine.
pub(crate) fn native<'a>(data: Data<'a>) -> Result<Headers<'a>, Format> {
    let identity = ElfIdent::read(data).filter(is_native_class).ok_or(Format::OtherClass)?;
    if !is_native(&identity) {
        return Err(Format::OtherMachine { machine: identity.machine.0, native: NATIVE.0 });
    }
    Ok(Headers::read(identity, data)?)
}

fn check_kind(headers: &Headers<'_>) -> Result<(), Format> {
    let loads = headers.has_segment(elf::PT_LOAD);
    match headers.identity.kind {
        elf::ET_REL => Err(Format::NotAProgram { kind: "an object file" }),
        elf::ET_CORE => Err(Format::NotAProgram { kind: "a core dump" }),
        elf::ET_EXEC | elf::ET_DYN if !loads => Err(Format::Damaged { what: "it has no loadable segment" }),
        elf::ET_EXEC => names_interpreter(headers).map(|_| ()),
        elf::ET_DYN if names_interpreter(headers)? => Ok(()),
        elf::ET_DYN if says_it_is_a_program(headers)? => Ok(()),
        elf::ET_DYN => Err(Format::NotAProgram { kind: "a shared library" }),
        _ => Err(Format::Damaged { what: "its type" }),
    }
}

/// Whether the file names a dynamic loader, by a full path.
fn names_interpreter(headers: &Headers<'_>) -> Result<bool, Format> {
    match headers.interpreter()? {
        None => Ok(false),
        Some([b'/', ..]) => Ok(true),
        Some(_) => Err(Format::Damaged { what: "the name of its dynamic loader" }),
    }
}

/// Whether a position-independent file without a loader is marked as a program (`DF_1_PIE`).
pub(crate) fn says_it_is_a_program(headers: &Headers<'_>) -> Result<bool, Damage> {
    Ok(headers.dynamic()?.iter().any(|(tag, value)| *tag == elf::DT_FLAGS_1 && value & elf::DF_1_PIE.0 != 0))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn verdict(bytes: &[u8]) -> Result<(), String> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        check(&file).map_err(|error| match error {
            ExamineError::Refusal(refusal) => refusal.to_string(),
            ExamineError::Io { doing, source } => format!("{doing}: {source}"),
            ExamineError::Source(error) => error.to_string(),
        })
    }

    /// This test's own executable, changed at one place.
    fn own_program(offset: usize, bytes: &[u8]) -> Vec<u8> {
        let mut program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        program[offset..offset + bytes.len()].copy_from_slice(bytes);
        program
    }

    #[test]
    fn a_program_of_this_machine_passes() {
        assert_eq!(verdict(&own_program(0, b"\x7fELF")), Ok(()));
    }

    #[test]
    fn other_formats_are_refused_by_name() {
        let big_endian_order = own_program(5, &[2]);
        let other_machine = own_program(18, &[0xf3, 0x7f]);
        let no_headers = own_program(32, &[0xff; 8]);
        let cases: [(&[u8], &str); 13] = [
            (b"", "it is empty"),
            (b"hello", "it is not an ELF program"),
            (b"MZ\x90\0", "it is not an ELF program"),
            (b"\x7fEL", "it is not an ELF program"),
            (b"\x7fELF", "it is an ELF file of another word size or byte order than this machine's"),
            (&own_program(4, &[1]), "it is an ELF file of another word size or byte order than this machine's"),
            (&big_endian_order, "it is an ELF file of another word size or byte order than this machine's"),
            (&other_machine, "it is built for another processor (ELF machine 32755, this one is 62)"),
            (&own_program(16, &[1, 0]), "it is an object file, not a program"),
            (&own_program(16, &[4, 0]), "it is a core dump, not a program"),
            (&own_program(16, &[9, 9]), "it is a damaged ELF file: its type"),
            (&no_headers, "it is a damaged ELF file: its program headers"),
            (&own_program(56, &[0, 0]), "it is a damaged ELF file: it has no loadable segment"),
        ];
        for (bytes, expected) in cases {
            let expected = expected.replace("62)", &format!("{})", NATIVE.0));
            assert_eq!(verdict(bytes), Err(expected), "{:?}", &bytes[..bytes.len().min(24)]);
        }
    }

    #[test]
    fn script_is_refused_with_escaped_interpreter() {
        let refusal = verdict(b"#! /bin/sh -e\x1b[2J\necho hello").unwrap_err();
        assert!(refusal.starts_with(r#"it is a script for "/bin/sh -e\u{1b}[2J""#), "{refusal}");
        assert!(verdict(b"#!").unwrap_err().contains("script for \"\""));
    }

    #[test]
    fn a_shared_library_is_refused() {
        // Every glibc system has one of these, and neither names a loader.
        let library = ["/lib/x86_64-linux-gnu/libm.so.6", "/lib64/libm.so.6", "/lib/aarch64-linux-gnu/libm.so.6"]
            .into_iter()
            .find_map(|path| std::fs::read(path).ok());
        match library {
            Some(library) => assert_eq!(verdict(&library).unwrap_err(), "it is a shared library, not a program"),
            None => eprintln!("SKIPPED: no libm.so.6 found on this machine"),
        }
    }

    #[test]
    fn every_truncation_of_a_header_gets_a_verdict() {
        let program = own_program(0, b"\x7fELF");
        for length in 0..=1024 {
            let _ = verdict(&program[..length]);
        }
    }
}
