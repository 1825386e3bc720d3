//! The names of the files of a log: the current segment has the name of the log, a full segment
//! adds the index of its first record. Opens no file.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use crate::fs::directory_of;

/// The width of the index in a file name: as wide as the largest index, so that names sort like
/// numbers.
const DIGITS: usize = 20;

/// The path of the full segment whose first record has the index `first`.
pub(crate) fn segment_path(log: &Path, first: u64) -> PathBuf {
    beside(log, &format!(".{first:0DIGITS$}"))
}

/// The full segments of a log, each with the index of its first record, in ascending order.
pub(crate) fn full_segments(log: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let Some(name) = log.file_name() else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory_of(log))? {
        let entry = entry?.file_name();
        if let Some(first) = first_index(name.as_bytes(), &entry) {
            found.push((first, log.with_file_name(&entry)));
        }
    }
    found.sort();
    Ok(found)
}

fn first_index(log: &[u8], entry: &OsString) -> Option<u64> {
    let digits = entry.as_bytes().strip_prefix(log)?.strip_prefix(b".")?;
    let fine = digits.len() == DIGITS && digits.iter().all(u8::is_ascii_digit);
    fine.then(|| OsString::from_vec(digits.to_vec()).into_string().ok()?.parse().ok()).flatten()
}

/// The path of a file beside the log: the name of the log followed by `suffix`.
pub(crate) fn beside(log: &Path, suffix: &str) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_files_are_found_in_record_order() {
        let place = tempfile::tempdir().unwrap();
        let log = place.path().join("log");
        for first in [0, 7, 1000, u64::MAX] {
            std::fs::write(segment_path(&log, first), "").unwrap();
        }
        for other in [
            "log",
            "log.lock",
            "log.0007",
            "log.0000000000000000000x",
            "log.99999999999999999999",
            "log2.00000000000000000007",
        ] {
            std::fs::write(place.path().join(other), "").unwrap();
        }
        let found = full_segments(&log).unwrap();
        assert_eq!(found, [0, 7, 1000, u64::MAX].map(|first| (first, segment_path(&log, first))));
    }
}
