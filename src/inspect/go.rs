//! Reads the build information that the Go toolchain writes into programs
//! (`runtime/debug.BuildInfo`). Trusts none of it: no decision depends on it.

use object::elf;

use crate::limits::inspect as limits;
use crate::verify::bytes::elf::{Damage, Headers, Section, Segment};
use crate::verify::bytes::view::ByteView;

const MAGIC: &[u8] = b"\xff Go buildinf:";
/// The length of the header: the magic, the size of a pointer, flags, and room for two pointers
/// that only Go before 1.18 used.
const HEADER: usize = 32;
/// The flag of Go 1.18 and later: the strings follow the header.
const INLINE: u8 = 2;

const DAMAGED: Damage = Damage("its Go build information");

/// The build information of a Go program, as the program states it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GoBuild {
    /// The version of Go, such as `go1.24.1`.
    pub version: String,
    /// The path of the main package.
    pub path: Option<String>,
    /// The module that the main package is part of.
    pub main: Option<GoModule>,
    /// The modules that it depends on.
    pub dependencies: Vec<GoModule>,
    /// The settings of the build, such as `-trimpath=true` or `vcs.revision=...`, as the file has
    /// them: names and values with blanks are quoted.
    pub settings: Vec<String>,
}

/// A Go module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GoModule {
    /// Its path, such as `golang.org/x/sys`.
    pub path: String,
    /// Its version, such as `v1.2.3`, or `(devel)`.
    pub version: String,
    /// The checksum of its source (go.sum), if the file has one.
    pub sum: Option<String>,
    /// The module that replaces it (`replace` in go.mod).
    pub replacement: Option<Box<GoModule>>,
}

impl GoBuild {
    /// Reads the build information. `None` if Go did not build the program, or Go before 1.13 did.
    pub(super) fn read(
        bytes: ByteView<'_>,
        headers: &Headers<'_>,
        section: Option<Section>,
    ) -> Result<Option<Self>, Damage> {
        let found = match section {
            Some(section) => Some((section.offset, section.size)),
            None => headers.segments.iter().find(|segment| is_data(segment)).map(|it| (it.offset, it.file_size)),
        };
        let Some((offset, size)) = found else {
            return Ok(None);
        };
        let searched = bytes.find(MAGIC, offset, size.min(limits::GO_SEARCH_BYTES)).map_err(|_| DAMAGED)?;
        match searched {
            // The toolchain aligns the magic to 16 bytes. At any other address it is only data.
            Some(at) if at.wrapping_sub(offset) % 16 == 0 => Self::read_at(bytes, at).map(Some),
            _ if section.is_some() => Err(DAMAGED),
            _ => Ok(None),
        }
    }

    fn read_at(bytes: ByteView<'_>, at: u64) -> Result<Self, Damage> {
        let header = bytes.piece(at, HEADER).map_err(|_| DAMAGED)?;
        match header.get(15) {
            Some(flags) if flags & INLINE != 0 => {}
            Some(_) => {
                return Err(Damage(
                    "its Go build information is from Go before 1.18, which this version does not read",
                ));
            }
            None => return Err(DAMAGED),
        }
        let (version, end) = string(bytes, at.saturating_add(HEADER as u64), limits::GO_VERSION_BYTES)?;
        let (modules, _) = string(bytes, end, limits::GO_MODULES_BYTES)?;
        let version = String::from_utf8(version).map_err(|_| DAMAGED)?;
        // The toolchain puts a marker of 16 bytes before and after the text.
        let modules = match modules.as_slice() {
            framed if framed.len() >= 33 && framed[framed.len() - 17] == b'\n' => &framed[16..framed.len() - 16],
            _ => b"",
        };
        let modules = str::from_utf8(modules).map_err(|_| DAMAGED)?;
        Self { version, ..Self::default() }.with_lines(modules)
    }

    fn with_lines(mut self, text: &str) -> Result<Self, Damage> {
        // The module that a following `=>` line replaces.
        let mut last: Option<GoModule> = None;
        let mut is_main = false;
        for (number, line) in text.lines().enumerate() {
            let (word, rest) = line.split_once('\t').unwrap_or((line, ""));
            if number >= limits::GO_LINES {
                return Err(Damage("its Go build information is too long"));
            }
            match (word, last.as_mut()) {
                ("=>", Some(module)) if module.replacement.is_none() => {
                    module.replacement = Some(Box::new(GoModule::read(rest)?));
                    continue;
                }
                ("=>", _) => return Err(DAMAGED),
                _ => self.keep(last.take(), is_main),
            }
            match word {
                "path" => self.path = Some(rest.to_owned()),
                "mod" | "dep" => (last, is_main) = (Some(GoModule::read(rest)?), word == "mod"),
                "build" => self.settings.push(rest.to_owned()),
                // An empty line, or a kind of line that a newer Go added.
                _ => {}
            }
        }
        self.keep(last, is_main);
        Ok(self)
    }

    fn keep(&mut self, module: Option<GoModule>, is_main: bool) {
        match module {
            Some(module) if is_main => self.main = Some(module),
            Some(module) => self.dependencies.push(module),
            None => {}
        }
    }
}

impl GoModule {
    fn read(columns: &str) -> Result<Self, Damage> {
        let mut columns = columns.split('\t').map(str::to_owned);
        match (columns.next(), columns.next(), columns.next(), columns.next()) {
            (Some(path), Some(version), sum, None) => {
                Ok(Self { path, version, sum: sum.filter(|sum| !sum.is_empty()), replacement: None })
            }
            _ => Err(DAMAGED),
        }
    }
}

fn is_data(segment: &Segment) -> bool {
    segment.kind == elf::PT_LOAD && segment.flags.contains(elf::PF_W) && !segment.flags.contains(elf::PF_X)
}

/// Reads a string that is preceded by its length (`encoding/binary.Uvarint`). Returns it and the
/// position of its end.
fn string(bytes: ByteView<'_>, at: u64, limit: u64) -> Result<(Vec<u8>, u64), Damage> {
    let head = bytes.piece(at, 10).map_err(|_| DAMAGED)?;
    let used = head.iter().position(|byte| byte & 0x80 == 0).ok_or(DAMAGED)? + 1;
    // Five groups of seven bits exceed every limit.
    let groups = head.get(..used).filter(|groups| groups.len() <= 5).ok_or(DAMAGED)?;
    let length = groups.iter().rev().fold(0_u64, |value, group| value << 7 | u64::from(group & 0x7f));
    let start = at.saturating_add(used as u64);
    if length > limit {
        return Err(Damage("its Go build information is too long"));
    }
    let text = bytes.piece(start, length as usize).map_err(|_| DAMAGED)?;
    if text.len() as u64 != length {
        return Err(DAMAGED);
    }
    Ok((text, start.saturating_add(length)))
}
