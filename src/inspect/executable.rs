//! What the headers of an ELF file say about it, for every class, byte order and processor. Follows
//! no name to another file.

use std::fmt;

use object::Endianness;
use object::elf::{self, FileHeader64};
use object::read::ReadCache;
use object::read::ReadRef;
use object::read::elf::NoteIterator;

use super::{Architecture, GoBuild};
use crate::verify::bytes::elf::{Damage, Data, ElfIdent, Headers, Section};
use crate::verify::bytes::format;
use crate::verify::bytes::linkage::{Linkage, Strings};
use crate::verify::bytes::view::ByteView;

/// Notes are some dozen bytes each.
const NOTES_LIMIT: u64 = 64 * 1024;
const NOTE_SEGMENTS_LIMIT: usize = 16;
/// The longest build id that a linker makes is that of SHA-1 or of a UUID; longer ones can be given
/// to it.
const BUILD_ID_LIMIT: usize = 64;
/// The names of all the dynamic symbols of the largest libraries are less than this.
const STRINGS_LIMIT: u64 = 64 * 1024 * 1024;

/// What is known of an ELF file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Executable {
    /// 32 or 64: the size of its words.
    pub bits: u8,
    /// Whether the least significant byte comes first.
    pub little_endian: bool,
    /// The processor that it is for.
    pub machine: Architecture,
    /// Whether it is for this machine's processor, word size and byte order.
    pub native: bool,
    /// What it is meant for.
    pub kind: ExecutableKind,
    /// What it is linked with.
    pub linkage: Linkage,
    /// Whether its stack may be executed.
    pub stack: StackUse,
    /// Whether what the dynamic loader has filled in is read-only afterwards.
    pub relro: Relro,
    /// What the linker calls this very build.
    pub build_id: Option<Vec<u8>>,
    /// Whether it has the names of its functions; `strip` takes them away.
    pub symbols: bool,
    /// Whether it has debug information.
    pub debug_information: bool,
    /// Whether its dynamic strings hold the name of a function that loads libraries at run time,
    /// such as `dlopen`.
    pub names_dlopen: bool,
    /// How it was built, if by Go.
    pub go: Option<GoBuild>,
    /// What in it contradicts the rest, and so is left out above.
    pub damage: Vec<&'static str>,
}

/// What an ELF file is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExecutableKind {
    /// A program with fixed addresses.
    Program,
    /// A program for any address, which a dynamic loader loads.
    PositionIndependentProgram,
    /// A program for any address that loads itself.
    StaticPie,
    /// A library for programs to load.
    SharedLibrary,
    /// What a compiler makes for a linker.
    Object,
    /// The memory of a program that crashed.
    Core,
    /// A type without a meaning on Linux.
    Other(u16),
}

/// Whether a program's stack may be executed (`PT_GNU_STACK`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StackUse {
    /// It must not be.
    Data,
    /// It shall be: who can write there can bring in code.
    Executable,
    /// The file does not say, and on some machines that means that it is.
    Unstated,
}

/// How much of what the dynamic loader has filled in is read-only afterwards (`PT_GNU_RELRO`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Relro {
    /// Nothing.
    #[default]
    None,
    /// All but the addresses of functions.
    Partial,
    /// All, because every function is looked up at the start (`BIND_NOW`).
    Full,
}

impl Executable {
    pub(super) fn read(identity: ElfIdent, bytes: ByteView<'_>) -> Self {
        let mut executable = Self::identified(&identity);
        let data = ReadCache::new(bytes.cursor());
        match Headers::read(identity, &data) {
            Ok(headers) => executable.look_at(&headers, &data, bytes),
            Err(Damage(what)) => executable.damage.push(what),
        }
        executable
    }

    fn identified(identity: &ElfIdent) -> Self {
        Self {
            bits: if identity.wide { 64 } else { 32 },
            little_endian: matches!(identity.endian, Endianness::Little),
            machine: Architecture(identity.machine.0),
            native: format::is_native(identity),
            kind: ExecutableKind::of(identity.kind, false, false),
            linkage: Linkage::default(),
            stack: StackUse::Unstated,
            relro: Relro::None,
            build_id: None,
            symbols: false,
            debug_information: false,
            names_dlopen: false,
            go: None,
            damage: Vec::new(),
        }
    }

    fn look_at(&mut self, headers: &Headers<'_>, data: Data<'_>, bytes: ByteView<'_>) {
        self.linkage = self.sound(Linkage::read(headers));
        let claims_program = self.sound(format::says_it_is_a_program(headers));
        self.kind = ExecutableKind::of(headers.identity.kind, headers.has_segment(elf::PT_INTERP), claims_program);
        self.stack = stack(headers);
        self.relro = self.sound(relro(headers));
        self.build_id = self.sound(build_id(headers, data));
        self.names_dlopen = self.sound(names_dlopen(headers, bytes));
        let sections = self.sound(headers.sections().and_then(|(sections, names)| Named::of(&sections, names, bytes)));
        (self.symbols, self.debug_information) = (sections.symbols, sections.debug_information);
        self.go = self.sound(GoBuild::read(bytes, headers, sections.go));
    }

    /// What was found, or nothing and a note of the damage.
    fn sound<T: Default>(&mut self, found: Result<T, Damage>) -> T {
        found.unwrap_or_else(|Damage(what)| {
            if !self.damage.contains(&what) {
                self.damage.push(what);
            }
            T::default()
        })
    }

    /// Whether it has neither the names of its functions nor debug information.
    pub fn is_stripped(&self) -> bool {
        !self.symbols && !self.debug_information
    }

    /// Whether it is a program, of whatever machine.
    pub fn is_program(&self) -> bool {
        use ExecutableKind::{PositionIndependentProgram, Program, StaticPie};
        matches!(self.kind, Program | PositionIndependentProgram | StaticPie)
    }
}

impl ExecutableKind {
    fn of(kind: elf::FileType, interpreted: bool, claims_program: bool) -> Self {
        match kind {
            elf::ET_EXEC => Self::Program,
            elf::ET_DYN if interpreted => Self::PositionIndependentProgram,
            elf::ET_DYN if claims_program => Self::StaticPie,
            elf::ET_DYN => Self::SharedLibrary,
            elf::ET_REL => Self::Object,
            elf::ET_CORE => Self::Core,
            other => Self::Other(other.0),
        }
    }
}

fn stack(headers: &Headers<'_>) -> StackUse {
    // The kernel goes by the last one (binfmt_elf.c).
    match headers.segments.iter().rev().find(|segment| segment.kind == elf::PT_GNU_STACK) {
        Some(segment) if segment.flags.contains(elf::PF_X) => StackUse::Executable,
        Some(_) => StackUse::Data,
        None => StackUse::Unstated,
    }
}

fn relro(headers: &Headers<'_>) -> Result<Relro, Damage> {
    let at_once = headers.dynamic()?.iter().any(|(tag, value)| match *tag {
        elf::DT_BIND_NOW => true,
        elf::DT_FLAGS => value & elf::DF_BIND_NOW.0 != 0,
        elf::DT_FLAGS_1 => value & elf::DF_1_NOW.0 != 0,
        _ => false,
    });
    Ok(match headers.has_segment(elf::PT_GNU_RELRO) {
        false => Relro::None,
        true if at_once => Relro::Full,
        true => Relro::Partial,
    })
}

fn build_id(headers: &Headers<'_>, data: Data<'_>) -> Result<Option<Vec<u8>>, Damage> {
    const DAMAGED: Damage = Damage("its notes");
    let segments = headers.segments.iter().filter(|segment| segment.kind == elf::PT_NOTE);
    for segment in segments.take(NOTE_SEGMENTS_LIMIT) {
        if segment.file_size > NOTES_LIMIT {
            // Those of a core dump, which hold no build id.
            continue;
        }
        let endian = headers.identity.endian;
        let bytes = data.read_bytes_at(segment.offset, segment.file_size).map_err(|()| DAMAGED)?;
        // The notes of both classes look the same.
        let notes = NoteIterator::<FileHeader64<Endianness>>::new(endian, segment.align, bytes);
        for note in notes.map_err(|_| DAMAGED)? {
            let note = note.map_err(|_| DAMAGED)?;
            if note.name() == b"GNU" && note.n_type(endian) == elf::NT_GNU_BUILD_ID {
                return match note.desc() {
                    id if id.len() <= BUILD_ID_LIMIT => Ok(Some(id.to_vec())),
                    _ => Err(DAMAGED),
                };
            }
        }
    }
    Ok(None)
}

/// Looks for the names among the strings that the loader goes by, not among the symbols, of which a
/// file can show others to its readers.
fn names_dlopen(headers: &Headers<'_>, bytes: ByteView<'_>) -> Result<bool, Damage> {
    const DAMAGED: Damage = Damage("its dynamic strings");
    let Some(strings) = Strings::locate(headers, &headers.dynamic()?)? else {
        return Ok(false);
    };
    if strings.size > STRINGS_LIMIT {
        return Err(DAMAGED);
    }
    for name in [&b"dlopen\0"[..], b"dlmopen\0"] {
        if bytes.find(name, strings.offset, strings.size).map_err(|_| DAMAGED)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The sections that something is to be said about.
#[derive(Default)]
struct Named {
    symbols: bool,
    debug_information: bool,
    go: Option<Section>,
}

impl Named {
    fn of(sections: &[Section], names: u64, bytes: ByteView<'_>) -> Result<Self, Damage> {
        let mut named = Self::default();
        for section in sections {
            named.symbols |= section.kind == elf::SHT_SYMTAB;
            let name = bytes.piece(names.saturating_add(section.name.into()), 16);
            let name = name.map_err(|_| Damage("the names of its sections"))?;
            named.debug_information |= name.starts_with(b".debug_info\0") || name.starts_with(b".zdebug_info\0");
            if name.starts_with(b".go.buildinfo\0") {
                named.go = Some(*section);
            }
        }
        Ok(named)
    }
}

impl fmt::Display for Executable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order = if self.little_endian { "little" } else { "big" };
        write!(f, "ELF, {} bits, {order} endian, {}", self.bits, self.machine)
    }
}

impl fmt::Display for ExecutableKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Program => "program",
            Self::PositionIndependentProgram => "position-independent program",
            Self::StaticPie => "static position-independent program",
            Self::SharedLibrary => "shared library",
            Self::Object => "object file",
            Self::Core => "core dump",
            Self::Other(number) => return write!(f, "ELF type {number}"),
        })
    }
}

impl fmt::Display for StackUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Data => "not executable",
            Self::Executable => "executable",
            Self::Unstated => "unstated",
        })
    }
}

impl fmt::Display for Relro {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Partial => "partial",
            Self::Full => "full",
        })
    }
}
