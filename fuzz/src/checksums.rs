//! Checksum lists: every returned digest is in the list, every plain line is found, and a line
//! written for a result parses back.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use portcullis::verify::{ChecksumFault, Checksums, Digest, SourceError, SourceFault};

use super::display;

const NAME: &str = "SUMS";

/// The number of lines that are checked.
const LINES: usize = 64;

/// Whether `bytes` are a checksum list.
pub fn check(bytes: &[u8]) -> bool {
    let Some(list) = display::accepted(Checksums::from_bytes(NAME, bytes), NAME, bytes) else {
        return false;
    };
    assert_eq!(list.path(), Path::new(NAME));
    let written = written(bytes);
    let content = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    for line in content.split(|byte| *byte == b'\n').take(LINES) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        names(line).into_iter().for_each(|name| is_written(&list, &written, name));
        if let Some((digest, name)) = plain(line) {
            is_found(&list, digest, name);
        }
    }
    true
}

/// Every run of digits in the list that could be a digest.
fn written(bytes: &[u8]) -> HashSet<String> {
    let runs = bytes.split(|byte| !byte.is_ascii_hexdigit()).filter(|run| run.len() == 2 * Digest::LENGTH);
    runs.map(|run| String::from_utf8_lossy(run).to_ascii_lowercase()).collect()
}

/// The names that a line could hold.
fn names(line: &[u8]) -> Vec<&[u8]> {
    let tagged = line.iter().position(|byte| *byte == b'(').and_then(|open| {
        let close = line.windows(4).rposition(|part| part == b") = ")?;
        line.get(open + 1..close)
    });
    [line.get(66..), line.get(67..), tagged, Some(line)].into_iter().flatten().collect()
}

/// The digest and the name in a line of the default form.
fn plain(line: &[u8]) -> Option<(Digest, &[u8])> {
    let (digest, rest) = line.split_at_checked(2 * Digest::LENGTH)?;
    let digest = str::from_utf8(digest).ok()?.parse().ok()?;
    match rest {
        [b' ', b' ' | b'*', name @ ..] => Some((digest, name)),
        _ => None,
    }
}

fn find(list: &Checksums, name: &[u8]) -> Result<Digest, SourceError> {
    list.digest_for(OsStr::from_bytes(name))
}

/// The digest of a name is in the list. The line for both parses back.
fn is_written(list: &Checksums, written: &HashSet<String>, name: &[u8]) {
    match find(list, name) {
        Ok(digest) => {
            assert!(written.contains(&digest.to_string()), "{digest} is not in the list");
            let line = Checksums::line(&digest, name);
            // Longer names, and names with a NUL byte, cannot be those of a file.
            if line.len() <= 16 * 1024 && !name.contains(&0) {
                let alone = Checksums::from_bytes(NAME, line).expect("our own line parses");
                assert_eq!(find(&alone, name).expect("the line has that name"), digest);
            }
        }
        Err(error) => {
            display::one_line(&error);
            let SourceFault::Checksums(fault) = error.fault else { panic!("unexpected fault: {error}") };
            assert!(matches!(fault, ChecksumFault::NotListed { .. } | ChecksumFault::Ambiguous { .. }), "{fault}");
        }
    }
}

/// The longest path (`PATH_MAX`): a longer name cannot be that of a file in a directory.
const PATH_BYTES: usize = 4096;

/// The digest of a plain line is found, for its name and for paths that end in it, unless another
/// line contradicts it.
fn is_found(list: &Checksums, digest: Digest, name: &[u8]) {
    let is_relative = !matches!(name, [b'/', ..]) && !name.split(|byte| *byte == b'/').any(|part| part == b"..");
    let deeper = (is_relative && name.len() <= PATH_BYTES).then(|| [b"/somewhere/else/", name].concat());
    for name in [Some(name.to_vec()), deeper].into_iter().flatten() {
        match find(list, &name) {
            Ok(found) => assert_eq!(found, digest),
            Err(error) => {
                let ambiguous = matches!(error.fault, SourceFault::Checksums(ChecksumFault::Ambiguous { .. }));
                assert!(ambiguous, "the digest of a line is not found: {error}");
            }
        }
    }
}
