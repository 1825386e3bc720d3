//! Parses the headers of ELF files of every class, byte order and processor. Opens none of the
//! files that they name.

use std::fmt;

use object::Endianness;
use object::elf::{self, FileHeader64};
use object::read::ReadCache;
use object::read::ReadRef;
use object::read::elf::NoteIterator;

use super::{Architecture, GoBuild};
use crate::limits::inspect as limits;
use crate::verify::bytes::elf::{Damage, Data, ElfIdent, Headers, Section};
use crate::verify::bytes::format;
use crate::verify::bytes::linkage::{Linkage, Strings};
use crate::verify::bytes::view::ByteView;

/// The parsed headers of an ELF file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Executable {
    /// The word size in bits: 32 or 64.
    pub bits: u8,
    /// Whether the byte order is little endian.
    pub little_endian: bool,
    /// The processor that it is built for.
    pub machine: Architecture,
    /// Whether processor, word size and byte order are those of this machine.
    pub native: bool,
    /// The kind of ELF file.
    pub kind: ExecutableKind,
    /// The dynamic loader, libraries and search paths that it names.
    pub linkage: Linkage,
    /// Whether its stack is executable.
    pub stack: StackUse,
    /// How much of its relocated data is read-only after loading.
    pub relro: Relro,
    /// The build id that the linker wrote.
    pub build_id: Option<Vec<u8>>,
    /// Whether it has a symbol table, which `strip` removes.
    pub symbols: bool,
    /// Whether it has debug information.
    pub debug_information: bool,
    /// Whether its dynamic string table has the name of a function that loads libraries at run
    /// time: `dlopen` or `dlmopen`.
    pub names_dlopen: bool,
    /// The build information of a Go program.
    pub go: Option<GoBuild>,
    /// The parts that contradict the rest of the file. The fields above leave them out.
    pub damage: Vec<&'static str>,
}

/// The kind of an ELF file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExecutableKind {
    /// A program at a fixed address.
    Program,
    /// A position-independent program that a dynamic loader loads.
    PositionIndependentProgram,
    /// A position-independent program that relocates itself.
    StaticPie,
    /// A shared library.
    SharedLibrary,
    /// An object file: input of a linker.
    Object,
    /// A core dump.
    Core,
    /// A type that Linux does not define.
    Other(u16),
}

/// Whether a program's stack is executable (`PT_GNU_STACK`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StackUse {
    /// The stack is not executable.
    Data,
    /// The stack is executable: an attacker who can write there can run code.
    Executable,
    /// The file has no such header. On some machines the stack is then executable.
    Unstated,
}

/// How much of the relocated data is read-only after loading (`PT_GNU_RELRO`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Relro {
    /// None of it.
    #[default]
    None,
    /// All of it except the addresses of functions.
    Partial,
    /// All of it, because the loader resolves every function at start-up (`BIND_NOW`).
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

    /// Returns the value, or notes the damage and returns the default.
    fn sound<T: Default>(&mut self, found: Result<T, Damage>) -> T {
        found.unwrap_or_else(|Damage(what)| {
            if !self.damage.contains(&what) {
                self.damage.push(what);
            }
            T::default()
        })
    }

    /// Whether it has neither a symbol table nor debug information.
    pub fn is_stripped(&self) -> bool {
        !self.symbols && !self.debug_information
    }

    /// Whether it is a program, for this machine or another.
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
    // The kernel uses the last header of this type (binfmt_elf.c).
    match headers.segments.iter().rev().find(|segment| segment.kind == elf::PT_GNU_STACK) {
        Some(segment) if segment.flags.contains(elf::PF_X) => StackUse::Executable,
        Some(_) => StackUse::Data,
        None => StackUse::Unstated,
    }
}

fn relro(headers: &Headers<'_>) -> Result<Relro, Damage> {
    let bind_now = headers.dynamic()?.iter().any(|(tag, value)| match *tag {
        elf::DT_BIND_NOW => true,
        elf::DT_FLAGS => value & elf::DF_BIND_NOW.0 != 0,
        elf::DT_FLAGS_1 => value & elf::DF_1_NOW.0 != 0,
        _ => false,
    });
    Ok(match headers.has_segment(elf::PT_GNU_RELRO) {
        false => Relro::None,
        true if bind_now => Relro::Full,
        true => Relro::Partial,
    })
}

fn build_id(headers: &Headers<'_>, data: Data<'_>) -> Result<Option<Vec<u8>>, Damage> {
    const DAMAGED: Damage = Damage("its notes");
    let segments = headers.segments.iter().filter(|segment| segment.kind == elf::PT_NOTE);
    for segment in segments.take(limits::NOTE_SEGMENTS) {
        if segment.file_size > limits::NOTE_BYTES {
            // A core dump has notes of this size, and no build id.
            continue;
        }
        let endian = headers.identity.endian;
        let bytes = data.read_bytes_at(segment.offset, segment.file_size).map_err(|()| DAMAGED)?;
        // Notes have the same layout in both classes.
        let notes = NoteIterator::<FileHeader64<Endianness>>::new(endian, segment.align, bytes);
        for note in notes.map_err(|_| DAMAGED)? {
            let note = note.map_err(|_| DAMAGED)?;
            if note.name() == b"GNU" && note.n_type(endian) == elf::NT_GNU_BUILD_ID {
                return match note.desc() {
                    id if id.len() <= limits::BUILD_ID_BYTES => Ok(Some(id.to_vec())),
                    _ => Err(DAMAGED),
                };
            }
        }
    }
    Ok(None)
}

/// Searches the string table that the loader uses, not the section headers' symbol tables: a file
/// can show tools other symbols than it shows the loader.
fn names_dlopen(headers: &Headers<'_>, bytes: ByteView<'_>) -> Result<bool, Damage> {
    const DAMAGED: Damage = Damage("its dynamic strings");
    let Some(strings) = Strings::locate(headers, &headers.dynamic()?)? else {
        return Ok(false);
    };
    if strings.size > limits::SYMBOL_NAMES_BYTES {
        return Err(DAMAGED);
    }
    for name in [&b"dlopen\0"[..], b"dlmopen\0"] {
        if bytes.find(name, strings.offset, strings.size).map_err(|_| DAMAGED)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The facts that section names give.
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
