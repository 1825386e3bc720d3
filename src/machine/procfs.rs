//! Reads and parses files of `/proc` and `/sys`, up to a limit, and without a panic for any
//! content.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::limits::machine::KERNEL_FILE_BYTES;

/// The text of a file without the line break at its end. `None` if the file does not exist.
pub(super) fn text(path: impl AsRef<Path>) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(KERNEL_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > KERNEL_FILE_BYTES {
        return Err(io::Error::other(format!("longer than {KERNEL_FILE_BYTES} bytes")));
    }
    Ok(Some(String::from_utf8_lossy(&bytes).trim_end().to_owned()))
}

/// The number that a file consists of. `None` if the file does not exist.
pub(super) fn number(path: impl AsRef<Path>) -> io::Result<Option<u64>> {
    let Some(text) = text(path)? else { return Ok(None) };
    text.parse().map(Some).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not a number"))
}

/// The major and minor version of a kernel release such as `6.1.0-13-amd64` (uname(2)).
pub(super) fn version(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split('.');
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next()?;
    let digits = minor.find(|character: char| !character.is_ascii_digit()).unwrap_or(minor.len());
    Some((major, minor[..digits].parse().ok()?))
}

/// The value of a `Name:` line of `/proc/PID/status` (proc_pid_status(5)).
pub(super) fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// The mount point of the first file system of this type in `/proc/self/mountinfo`
/// (proc_pid_mountinfo(5)).
pub(super) fn mount_point(mountinfo: &str, kind: &str) -> Option<String> {
    mountinfo.lines().find_map(|line| {
        let (mount, file_system) = line.split_once(" - ")?;
        (file_system.split(' ').next()? == kind).then(|| mount.split(' ').nth(4))?.map(unescape)
    })
}

/// Decodes blanks, tabs, line breaks and backslashes, which the kernel writes in octal.
fn unescape(text: &str) -> String {
    let mut plain = text.to_owned();
    for (escape, character) in [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")] {
        plain = plain.replace(escape, character);
    }
    plain
}
