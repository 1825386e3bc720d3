//! The headers of an ELF file of any class and byte order, read within bounds and in the way that
//! the kernel and the dynamic loader read them. Judges nothing.

use object::Endianness;
use object::elf;
use object::read::elf::{Dyn, FileHeader, ProgramHeader, SectionHeader};
use object::read::{ReadCache, ReadRef};

use crate::limits::verify as limits;
use crate::verify::bytes::view::Cursor;

/// The granularity of segment mappings on every supported machine.
const PAGE: u64 = 4096;

pub(crate) type Data<'a> = &'a ReadCache<Cursor<'a>>;

/// The part of the file that is inconsistent, as the end of "a damaged ELF file: {0}".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Damage(pub(crate) &'static str);

/// The identification and type from the ELF header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ElfIdent {
    /// 64 bits, not 32.
    pub(crate) wide: bool,
    pub(crate) endian: Endianness,
    pub(crate) machine: elf::Machine,
    pub(crate) kind: elf::FileType,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment {
    pub(crate) kind: elf::ProgramType,
    pub(crate) flags: elf::ProgramFlags,
    pub(crate) offset: u64,
    pub(crate) address: u64,
    pub(crate) file_size: u64,
    memory_size: u64,
    pub(crate) align: u64,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Section {
    /// The offset of its name in the string table.
    pub(crate) name: u32,
    pub(crate) kind: elf::SectionType,
    pub(crate) offset: u64,
    pub(crate) size: u64,
}

/// An ELF file with its segments.
pub(crate) struct Headers<'a> {
    pub(crate) identity: ElfIdent,
    pub(crate) segments: Vec<Segment>,
    data: Data<'a>,
}

impl ElfIdent {
    /// `None` if this is not an ELF file, or has an undefined class or byte order.
    pub(crate) fn read(data: Data<'_>) -> Option<Self> {
        fn read<H: FileHeader<Endian = Endianness>>(data: Data<'_>, wide: bool) -> Option<ElfIdent> {
            let header = H::parse(data).ok()?;
            let endian = header.endian().ok()?;
            Some(ElfIdent { wide, endian, machine: header.e_machine(endian), kind: header.e_type(endian) })
        }
        read::<elf::FileHeader64<Endianness>>(data, true).or_else(|| read::<elf::FileHeader32<Endianness>>(data, false))
    }
}

impl<'a> Headers<'a> {
    pub(crate) fn read(identity: ElfIdent, data: Data<'a>) -> Result<Self, Damage> {
        let segments = match identity.wide {
            true => segments::<elf::FileHeader64<Endianness>>(identity.endian, data),
            false => segments::<elf::FileHeader32<Endianness>>(identity.endian, data),
        };
        Ok(Self { identity, segments: segments.ok_or(Damage("its program headers"))?, data })
    }

    /// The sections, and the offset of their names. A program needs none to run.
    pub(crate) fn sections(&self) -> Result<(Vec<Section>, u64), Damage> {
        let sections = match self.identity.wide {
            true => sections::<elf::FileHeader64<Endianness>>(self.identity.endian, self.data),
            false => sections::<elf::FileHeader32<Endianness>>(self.identity.endian, self.data),
        };
        sections.ok_or(Damage("its section headers"))
    }

    pub(crate) fn has_segment(&self, kind: elf::ProgramType) -> bool {
        self.segments.iter().any(|segment| segment.kind == kind)
    }

    /// The dynamic loader that the kernel starts for this program. Most libraries name none.
    pub(crate) fn interpreter(&self) -> Result<Option<&'a [u8]>, Damage> {
        const DAMAGED: Damage = Damage("the name of its dynamic loader");
        // The kernel takes the first one (binfmt_elf.c), and so its bounds: at least one character
        // and the NUL, at most PATH_MAX.
        let Some(segment) = self.segments.iter().find(|segment| segment.kind == elf::PT_INTERP) else {
            return Ok(None);
        };
        if !(2..=limits::ELF_STRING_BYTES).contains(&segment.file_size) {
            return Err(DAMAGED);
        }
        match self.data.read_bytes_at(segment.offset, segment.file_size) {
            Ok(name @ [.., 0]) => Ok(name.split(|byte| *byte == 0).next()),
            _ => Err(DAMAGED),
        }
    }

    /// The entries of the dynamic section up to its end; empty without such a section.
    ///
    /// The dynamic loader finds it by its address. Where the header names another place in the
    /// file, readers of the file and the loader would see different things.
    pub(crate) fn dynamic(&self) -> Result<Vec<(elf::DynamicTag, u64)>, Damage> {
        const DAMAGED: Damage = Damage("its dynamic section");
        let mut found = self.segments.iter().filter(|segment| segment.kind == elf::PT_DYNAMIC);
        let Some(segment) = found.next() else {
            return Ok(Vec::new());
        };
        let elsewhere = self.offset_of(segment.address) != Some(segment.offset);
        if found.next().is_some() || segment.file_size > limits::DYNAMIC_SECTION_BYTES || elsewhere {
            return Err(DAMAGED);
        }
        let bytes = self.data.read_bytes_at(segment.offset, segment.file_size).map_err(|()| DAMAGED)?;
        Ok(match self.identity.wide {
            true => entries::<elf::Dyn64<Endianness>>(self.identity.endian, bytes),
            false => entries::<elf::Dyn32<Endianness>>(self.identity.endian, bytes),
        })
    }

    /// The offset in the file of the byte that is mapped at `address`. `None` if no segment has
    /// file bytes for it, or if two segments map the page.
    pub(crate) fn offset_of(&self, address: u64) -> Option<u64> {
        let mut claims = self.segments.iter().filter(|segment| {
            let end = segment.address.saturating_add(segment.memory_size.max(segment.file_size));
            segment.kind == elf::PT_LOAD && (segment.address / PAGE..end.div_ceil(PAGE)).contains(&(address / PAGE))
        });
        let (segment, None) = (claims.next()?, claims.next()) else {
            return None;
        };
        let within = address.checked_sub(segment.address).filter(|within| *within < segment.file_size)?;
        segment.offset.checked_add(within)
    }

    /// The text from `offset` to its NUL, which comes before `end`.
    pub(crate) fn string(&self, offset: u64, end: u64) -> Option<&'a [u8]> {
        let end = end.min(offset.checked_add(limits::ELF_STRING_BYTES)?).min(self.data.len().ok()?);
        if offset >= end {
            return None;
        }
        self.data.read_bytes_at_until(offset..end, 0).ok()
    }
}

fn segments<H: FileHeader<Endian = Endianness>>(endian: Endianness, data: Data<'_>) -> Option<Vec<Segment>> {
    let header = H::parse(data).ok()?;
    if usize::from(header.e_phnum(endian)) * size_of::<H::ProgramHeader>() > limits::PROGRAM_HEADER_BYTES {
        return None;
    }
    let headers = header.program_headers(endian, data).ok()?;
    let segment = |header: &H::ProgramHeader| Segment {
        kind: header.p_type(endian),
        flags: header.p_flags(endian),
        offset: header.p_offset(endian).into(),
        address: header.p_vaddr(endian).into(),
        file_size: header.p_filesz(endian).into(),
        memory_size: header.p_memsz(endian).into(),
        align: header.p_align(endian).into(),
    };
    Some(headers.iter().map(segment).collect())
}

/// The sections, and where in the file their names begin.
fn sections<H: FileHeader<Endian = Endianness>>(endian: Endianness, data: Data<'_>) -> Option<(Vec<Section>, u64)> {
    let header = H::parse(data).ok()?;
    if header.shnum(endian, data).ok()? > limits::SECTIONS {
        return None;
    }
    let headers = header.section_headers(endian, data).ok()?;
    let section = |header: &H::SectionHeader| Section {
        name: header.sh_name(endian),
        kind: header.sh_type(endian),
        offset: header.sh_offset(endian).into(),
        size: header.sh_size(endian).into(),
    };
    let sections: Vec<_> = headers.iter().map(section).collect();
    if sections.is_empty() {
        return Some((sections, 0));
    }
    let names = usize::try_from(header.shstrndx(endian, data).ok()?).ok()?;
    let names = sections.get(names)?.offset;
    Some((sections, names))
}

fn entries<D: Dyn<Endian = Endianness>>(endian: Endianness, bytes: &[u8]) -> Vec<(elf::DynamicTag, u64)> {
    let count = bytes.len() / size_of::<D>();
    let (entries, _) = object::pod::slice_from_bytes::<D>(bytes, count).unwrap_or_default();
    let pairs = entries.iter().map(|entry| (entry.tag(endian), entry.val(endian)));
    pairs.take_while(|(tag, _)| *tag != elf::DT_NULL).collect()
}
