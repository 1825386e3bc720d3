//! Lists of SHA-256 digests, as sha256sum(1), shasum(1) and BSD's sha256(1) write them: which
//! digest a file should have. Reads and writes such lists; opens none of the files that they name.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use crate::Escaped;
use crate::verify::sources::document::Document;
use crate::verify::{Digest, SourceError, SourceFault};

/// The largest list that is read in bytes: well over a million lines.
const LIMIT: u64 = 128 * 1024 * 1024;

/// The longest line in bytes: a path of the longest length that Linux resolves, every byte of it
/// escaped, and more.
const LINE_LIMIT: usize = 16 * 1024;

/// Linux resolves no longer path (PATH_MAX in limits.h), so no longer end of one is looked for.
const PATH_LIMIT: usize = 4096;

/// The length of a digest in hexadecimal.
const DIGITS: usize = 2 * Digest::LENGTH;

/// A checksum file that was read: names, and the digest that each of them should have.
///
/// A file that says two things of one name is refused as a whole, and so is one with a line that
/// cannot be understood: a list of which half is guessed vouches for nothing.
#[derive(Debug, Clone)]
pub struct Checksums {
    path: PathBuf,
    /// By the name without what does not distinguish it: `./`, doubled and trailing slashes.
    entries: HashMap<Box<[u8]>, ChecksumEntry>,
}

#[derive(Debug, Clone, Copy)]
struct ChecksumEntry {
    digest: Digest,
    line: usize,
}

impl Checksums {
    /// Reads a checksum file: lines of sha256sum(1) in text and binary mode, of `shasum -a 256`,
    /// and of BSD's form (`--tag`); with comments (`#`), blank lines, a byte order mark, and lines
    /// that end in CR LF.
    ///
    /// # Errors
    ///
    /// [`SourceError`] with the line when there is anything else ([`ChecksumFault`]), when the file
    /// has more than 128 MiB or a line more than 16 KiB, and when it names nothing.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, SourceError> {
        Self::parse(&Document::read(path.as_ref(), LIMIT)?)
    }

    /// Reads a checksum file from `bytes`; `path` is what it is called where something is wrong
    /// with it.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn from_bytes(path: impl Into<PathBuf>, bytes: impl Into<Vec<u8>>) -> Result<Self, SourceError> {
        Self::parse(&Document::new(path, bytes))
    }

    pub(crate) fn parse(document: &Document) -> Result<Self, SourceError> {
        let mut entries = HashMap::new();
        for (number, line) in (1..).zip(document.content().split(|byte| *byte == b'\n')) {
            let at = |fault: ChecksumFault| document.fault(Some(number), fault);
            if line.len() > LINE_LIMIT {
                return Err(at(ChecksumFault::LongLine { limit: LINE_LIMIT }));
            }
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.starts_with(b"#") || line.trim_ascii().is_empty() {
                continue;
            }
            let (digest, name) = entry(line).map_err(at)?;
            insert(&mut entries, name, ChecksumEntry { digest, line: number }).map_err(at)?;
        }
        if entries.is_empty() {
            return Err(document.fault(None, SourceFault::Empty));
        }
        Ok(Self { path: document.path().to_path_buf(), entries })
    }

    /// The digest that the list gives for `file`.
    ///
    /// An entry is about `file` when its name is the path as it was given here, or when the path
    /// ends in it, component by component: an entry `bin/kv` is about `/opt/example/bin/kv`, and
    /// not about `kv`. Names with `..` are compared as a whole only. Nothing is looked up on disk.
    ///
    /// # Errors
    ///
    /// [`ChecksumFault::NotListed`], and [`ChecksumFault::Ambiguous`] when several entries are
    /// about the file and differ.
    pub fn digest_for(&self, file: impl AsRef<Path>) -> Result<Digest, SourceError> {
        let file = file.as_ref();
        let name = plain(file);
        let mut found: Vec<ChecksumEntry> = ends(&name).filter_map(|end| self.entries.get(end).copied()).collect();
        found.sort_by_key(|entry| entry.line);
        let fault = match found[..] {
            [] => ChecksumFault::NotListed { file: file.to_path_buf() },
            [first, ref others @ ..] if others.iter().all(|other| other.digest == first.digest) => {
                return Ok(first.digest);
            }
            _ => ChecksumFault::Ambiguous {
                file: file.to_path_buf(),
                lines: found.iter().map(|entry| entry.line).collect(),
            },
        };
        Err(SourceError::new(&self.path, None, fault.into()))
    }

    /// The file as the caller named it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// One line of sha256sum(1) with its line break: the name as it is, byte for byte, unless it
    /// would not stay on its line.
    pub fn line(digest: &Digest, name: &[u8]) -> Vec<u8> {
        let escaped = escape(name);
        let mark = if escaped == name { "" } else { "\\" };
        let mut line = format!("{mark}{digest}  ").into_bytes();
        line.extend(escaped);
        line.push(b'\n');
        line
    }
}

fn insert(
    entries: &mut HashMap<Box<[u8]>, ChecksumEntry>,
    name: Vec<u8>,
    entry: ChecksumEntry,
) -> Result<(), ChecksumFault> {
    if name.contains(&0) {
        return Err(ChecksumFault::Nul);
    }
    let key = plain(Path::new(&OsString::from_vec(name)));
    if key.is_empty() {
        return Err(ChecksumFault::NoName);
    }
    match entries.entry(key.into()) {
        Slot::Vacant(slot) => {
            slot.insert(entry);
        }
        Slot::Occupied(first) if first.get().digest != entry.digest => {
            let name = OsString::from_vec(first.key().to_vec()).into();
            return Err(ChecksumFault::Conflict { name, first: first.get().line });
        }
        Slot::Occupied(_) => {}
    }
    Ok(())
}

/// A path without what does not distinguish it.
fn plain(path: &Path) -> Vec<u8> {
    let components = path.components().filter(|component| *component != Component::CurDir);
    components.collect::<PathBuf>().into_os_string().into_vec()
}

/// A plain path, and what it ends in, component by component, as far as no `..` is part of it.
fn ends(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = path.iter().enumerate().rev().filter(|(_, byte)| **byte == b'/').map(|(at, _)| &path[at + 1..]);
    let no_parent = |end: &&[u8]| *end != b".." && !end.starts_with(b"../") && end.len() <= PATH_LIMIT;
    slashes.take_while(no_parent).chain([path])
}

/// What one line says.
fn entry(line: &[u8]) -> Result<(Digest, Vec<u8>), ChecksumFault> {
    let (escaped, line) = line.strip_prefix(b"\\").map_or((false, line), |rest| (true, rest));
    let (digest, name) = match tagged(line) {
        Some(parts) => parts?,
        None => untagged(line)?,
    };
    let name = if escaped { unescape(name).ok_or(ChecksumFault::Escape)? } else { name.to_vec() };
    Ok((digest, name))
}

/// A line in BSD's form, `SHA256 (name) = digest`: nothing, where it is of another raw. The name
/// may hold what follows it.
fn tagged(line: &[u8]) -> Option<Result<(Digest, &[u8]), ChecksumFault>> {
    /// No name of an algorithm is as long, and a digest is longer.
    const ALGORITHM_LIMIT: usize = 32;
    const OPEN: &[u8] = b" (";
    const CLOSE: &[u8] = b") = ";
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-/_.".contains(byte);
    let length = line.iter().take(ALGORITHM_LIMIT).take_while(|byte| is_name(byte)).count();
    let (algorithm, rest) = line.split_at(length);
    let rest = rest.strip_prefix(OPEN).filter(|_| length > 0)?;
    let close = rest.windows(CLOSE.len()).rposition(|window| window == CLOSE)?;
    if algorithm != b"SHA256" {
        let algorithm = String::from_utf8_lossy(algorithm).into_owned();
        return Some(Err(ChecksumFault::OtherAlgorithm { algorithm }));
    }
    let digest = hex(&rest[close + CLOSE.len()..]).ok_or(ChecksumFault::Malformed);
    Some(digest.map(|digest| (digest, &rest[..close])))
}

/// A line of sha256sum(1): the digest, a space, how the file was read, the name.
fn untagged(line: &[u8]) -> Result<(Digest, &[u8]), ChecksumFault> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (digest, rest) = line.split_at(digits);
    match (digits, rest) {
        (DIGITS, []) => return Err(ChecksumFault::Bare),
        (32.., [] | [b' ', ..]) if digits != DIGITS => return Err(ChecksumFault::OtherLength { digits }),
        _ => {}
    }
    let digest = hex(digest).ok_or(ChecksumFault::Malformed)?;
    match rest {
        [b' ', b' ' | b'*', name @ ..] => Ok((digest, name)),
        // These digests are not of the bytes of the file.
        [b' ', mode @ (b'U' | b'^'), ..] => Err(ChecksumFault::Mode { mode: char::from(*mode) }),
        _ => Err(ChecksumFault::Malformed),
    }
}

fn hex(text: &[u8]) -> Option<Digest> {
    str::from_utf8(text).ok()?.parse().ok()
}

/// The name as GNU coreutils write it on a line that starts with a backslash.
fn escape(name: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(name.len());
    for &byte in name {
        match byte {
            b'\\' => escaped.extend(b"\\\\"),
            b'\n' => escaped.extend(b"\\n"),
            b'\r' => escaped.extend(b"\\r"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// The name behind such a text: nothing, where it holds other escapes than those.
fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut name = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        name.push(match byte {
            b'\\' => match bytes.next()? {
                b'\\' => b'\\',
                b'n' => b'\n',
                b'r' => b'\r',
                _ => return None,
            },
            other => other,
        });
    }
    Some(name)
}

/// Why a checksum file gives no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChecksumFault {
    /// A line is too long.
    #[error("the line is longer than {limit} bytes")]
    LongLine {
        /// The limit in bytes.
        limit: usize,
    },
    /// A line is of no form that is known.
    #[error("the line is of no known form: '<SHA-256>  <name>', '<SHA-256> *<name>' or 'SHA256 (<name>) = <SHA-256>'")]
    Malformed,
    /// A digest stands alone, and so is about no file.
    #[error("the digest names no file, so it could be the digest of any")]
    Bare,
    /// The digest is of another length, and so of another algorithm.
    #[error("the digest has {digits} digits; a SHA-256 has {DIGITS}")]
    OtherLength {
        /// How many digits there are.
        digits: usize,
    },
    /// The line names another algorithm.
    #[error("the digest is of the algorithm {}; only SHA256 is accepted", Escaped::new(algorithm))]
    OtherAlgorithm {
        /// The name of the algorithm.
        algorithm: String,
    },
    /// The digest was computed in one of the modes of shasum(1) that do not hash the bytes of the
    /// file.
    #[error("the digest was computed in mode '{mode}' of shasum, and so is not of the bytes of the file")]
    Mode {
        /// `U` or `^`.
        mode: char,
    },
    /// A name holds an escape that does not exist.
    #[error(r"the name holds another escape than \\, \n and \r")]
    Escape,
    /// A name is empty.
    #[error("the line names no file")]
    NoName,
    /// A name, which no file can have, holds a NUL.
    #[error("the name holds a NUL")]
    Nul,
    /// Two lines give one name different digests.
    #[error("{} has another digest here than on line {first}", Escaped::path(name))]
    Conflict {
        /// The name.
        name: PathBuf,
        /// The line before, counted from one.
        first: usize,
    },
    /// There is no entry for a file.
    #[error("it has no entry for {}", Escaped::path(file))]
    NotListed {
        /// The file that was asked for.
        file: PathBuf,
    },
    /// Several entries are about a file, and they differ.
    #[error("its lines {} give different digests for {}", LineList(lines), Escaped::path(file))]
    Ambiguous {
        /// The file that was asked for.
        file: PathBuf,
        /// The lines, counted from one, in order.
        lines: Vec<usize>,
    },
}

impl ChecksumFault {
    /// Its name for programs, in kebab-case. Stable between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::LongLine { .. } => "checksums-long-line",
            Self::Malformed => "checksums-malformed",
            Self::Bare => "checksums-bare",
            Self::OtherLength { .. } => "checksums-other-length",
            Self::OtherAlgorithm { .. } => "checksums-other-algorithm",
            Self::Mode { .. } => "checksums-mode",
            Self::Escape => "checksums-escape",
            Self::NoName => "checksums-no-name",
            Self::Nul => "checksums-nul",
            Self::Conflict { .. } => "checksums-conflict",
            Self::NotListed { .. } => "checksums-not-listed",
            Self::Ambiguous { .. } => "checksums-ambiguous",
        }
    }
}

struct LineList<'a>(&'a [usize]);

impl std::fmt::Display for LineList<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, line) in self.0.iter().enumerate() {
            write!(f, "{}{line}", if index > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
