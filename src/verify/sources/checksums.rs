//! Lists of SHA-256 digests in the formats of sha256sum(1), shasum(1) and BSD's sha256(1): the
//! expected digest of each file. Reads and writes lists; opens none of the files that they name.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use crate::Escaped;
use crate::limits::sources::{CHECKSUM_FILE_BYTES, CHECKSUM_LINE_BYTES, PATH_BYTES};
use crate::verify::sources::document::Document;
use crate::verify::{Digest, SourceError, SourceFault};

/// The length of a digest in hexadecimal.
const DIGITS: usize = 2 * Digest::LENGTH;

/// A checksum file that was read: names, and the expected digest of each.
///
/// A file with two digests for one name or with an unknown line is rejected as a whole, because a
/// list that is read in part proves nothing.
#[derive(Debug, Clone)]
pub struct Checksums {
    path: PathBuf,
    /// By name, without `./`, doubled and trailing slashes.
    entries: HashMap<Box<[u8]>, ChecksumEntry>,
}

#[derive(Debug, Clone, Copy)]
struct ChecksumEntry {
    digest: Digest,
    line: usize,
}

impl Checksums {
    /// Reads a checksum file: lines of sha256sum(1) in text and binary mode, of `shasum -a 256`,
    /// and of BSD's format (`--tag`). Comments (`#`), blank lines, a byte order mark and lines that
    /// end in CR LF are allowed.
    ///
    /// # Errors
    ///
    /// With the line if it is anything else ([`ChecksumFault`]), if the file has more than 128 MiB
    /// or a line more than 16 KiB, or if no line names a file.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, SourceError> {
        Self::parse(&Document::read(path.as_ref(), CHECKSUM_FILE_BYTES)?)
    }

    /// Reads a checksum file from memory. Errors name it `path`.
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
            if line.len() > CHECKSUM_LINE_BYTES {
                return Err(at(ChecksumFault::LongLine { limit: CHECKSUM_LINE_BYTES }));
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

    /// The digest in the list for `file`.
    ///
    /// An entry matches if its name is the path or a suffix of it, component by component: the
    /// entry `bin/kv` matches `/opt/example/bin/kv`, but not `kv`. A name with `..` must be the
    /// whole path. Reads nothing from disk.
    ///
    /// # Errors
    ///
    /// [`ChecksumFault::NotListed`], and [`ChecksumFault::Ambiguous`] if several entries match and
    /// differ.
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

    /// A line as sha256sum(1) writes it, with its line feed. The name is written byte for byte, and
    /// escaped if it contains a line break or a backslash.
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

/// A path without `./`, doubled and trailing slashes.
fn plain(path: &Path) -> Vec<u8> {
    let components = path.components().filter(|component| *component != Component::CurDir);
    components.collect::<PathBuf>().into_os_string().into_vec()
}

/// The suffixes of a plain path, component by component, up to the first `..`; then the whole path.
fn ends(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = path.iter().enumerate().rev().filter(|(_, byte)| **byte == b'/').map(|(at, _)| &path[at + 1..]);
    let no_parent = |end: &&[u8]| *end != b".." && !end.starts_with(b"../") && end.len() <= PATH_BYTES;
    slashes.take_while(no_parent).chain([path])
}

/// Parses one line.
fn entry(line: &[u8]) -> Result<(Digest, Vec<u8>), ChecksumFault> {
    let (escaped, line) = line.strip_prefix(b"\\").map_or((false, line), |rest| (true, rest));
    let (digest, name) = match tagged(line) {
        Some(parts) => parts?,
        None => untagged(line)?,
    };
    let name = if escaped { unescape(name).ok_or(ChecksumFault::Escape)? } else { name.to_vec() };
    Ok((digest, name))
}

/// Parses a line in BSD's format, `SHA256 (name) = digest`. `None` if it has another format. The
/// name may contain `) = ` too, so the last one counts.
fn tagged(line: &[u8]) -> Option<Result<(Digest, &[u8]), ChecksumFault>> {
    /// Names of algorithms are shorter, and a digest is longer.
    const ALGORITHM_BYTES: usize = 32;
    const OPEN: &[u8] = b" (";
    const CLOSE: &[u8] = b") = ";
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-/_.".contains(byte);
    let length = line.iter().take(ALGORITHM_BYTES).take_while(|byte| is_name(byte)).count();
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

/// Parses a line of sha256sum(1): the digest, a space, the mode in which the file was read, the
/// name.
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
        // In these modes of shasum(1) the digest is not that of the bytes of the file.
        [b' ', mode @ (b'U' | b'^'), ..] => Err(ChecksumFault::Mode { mode: char::from(*mode) }),
        _ => Err(ChecksumFault::Malformed),
    }
}

fn hex(text: &[u8]) -> Option<Digest> {
    str::from_utf8(text).ok()?.parse().ok()
}

/// The name as GNU coreutils escape it on a line that starts with a backslash.
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

/// The name without its escapes. `None` if there are other escapes than those of [`escape`].
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

/// Why a checksum file is invalid, or has no digest for a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChecksumFault {
    /// A line is too long.
    #[error("the line is longer than {limit} bytes")]
    LongLine {
        /// The limit in bytes.
        limit: usize,
    },
    /// A line has an unknown format.
    #[error("unknown line format, expected '<SHA-256>  <name>', '<SHA-256> *<name>' or 'SHA256 (<name>) = <SHA-256>'")]
    Malformed,
    /// A digest has no file name.
    #[error("the digest names no file")]
    Bare,
    /// The digest has another length, and so is of another algorithm.
    #[error("expected a SHA-256 of {DIGITS} digits, found {digits}")]
    OtherLength {
        /// How many digits there are.
        digits: usize,
    },
    /// The line names another algorithm.
    #[error("expected the algorithm SHA256, found {}", Escaped::new(algorithm))]
    OtherAlgorithm {
        /// The name of the algorithm.
        algorithm: String,
    },
    /// The digest was computed in a mode of shasum(1) that does not hash the bytes of the file.
    #[error("mode '{mode}' of shasum does not hash the bytes of the file")]
    Mode {
        /// `U` or `^`.
        mode: char,
    },
    /// A name contains an unknown escape.
    #[error(r"the name contains an escape other than \\, \n and \r")]
    Escape,
    /// A name is empty.
    #[error("the line names no file")]
    NoName,
    /// A name contains NUL, which no file name does.
    #[error("the name contains a NUL")]
    Nul,
    /// Two lines have different digests for one name.
    #[error("{} has another digest here than on line {first}", Escaped::path(name))]
    Conflict {
        /// The name.
        name: PathBuf,
        /// The earlier line, counted from one.
        first: usize,
    },
    /// No entry matches a file.
    #[error("no entry for {}", Escaped::path(file))]
    NotListed {
        /// The file.
        file: PathBuf,
    },
    /// Several entries match a file, and they differ.
    #[error("lines {} have different digests for {}", LineList(lines), Escaped::path(file))]
    Ambiguous {
        /// The file.
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
