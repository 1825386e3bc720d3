//! What the kernel says in files: read within a bound, and taken apart without a panic whatever is
//! there. Means nothing by itself.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The largest file that is read: a list of mounts can be long.
const LIMIT: u64 = 1024 * 1024;

/// The text of a file, without the line break at its end; or nothing where there is no such file.
pub(super) fn text(path: impl AsRef<Path>) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(LIMIT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LIMIT {
        return Err(io::Error::other(format!("it is larger than {LIMIT} bytes")));
    }
    Ok(Some(String::from_utf8_lossy(&bytes).trim_end().to_owned()))
}

/// A number that a file consists of; or nothing where there is no such file.
pub(super) fn number(path: impl AsRef<Path>) -> io::Result<Option<u64>> {
    let Some(text) = text(path)? else { return Ok(None) };
    text.parse().map(Some).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it holds no number"))
}

/// Major and minor version of a kernel, from a release such as `6.1.0-13-amd64` (uname(2)).
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

/// Where a file system of this kind is mounted, by the first line that names it in
/// `/proc/self/mountinfo` (proc_pid_mountinfo(5)).
pub(super) fn mount_point(mountinfo: &str, kind: &str) -> Option<String> {
    mountinfo.lines().find_map(|line| {
        let (mount, file_system) = line.split_once(" - ")?;
        (file_system.split(' ').next()? == kind).then(|| mount.split(' ').nth(4))?.map(unescape)
    })
}

/// The kernel writes blanks, line breaks and backslashes as three octal digits.
fn unescape(text: &str) -> String {
    let mut plain = text.to_owned();
    for (escape, character) in [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")] {
        plain = plain.replace(escape, character);
    }
    plain
}
