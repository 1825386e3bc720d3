//! What may be shown of foreign text: one line, printable, of a bounded length, about a line that
//! exists.

use std::fmt::Display;
use std::path::Path;

use portcullis::Chain;
use portcullis::verify::SourceError;

/// More than the longest name that is quoted has with every byte of it escaped.
const LONGEST: usize = 256 * 1024;

/// Whether a character moves a cursor, breaks a line, or changes the order of those around it.
fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// What is shown on one line is one line.
pub(super) fn one_line(shown: &dyn Display) {
    let text = shown.to_string();
    assert!(text.len() <= LONGEST, "{} bytes are shown", text.len());
    assert!(!text.chars().any(is_harmful), "it is shown unescaped: {text:?}");
}

/// What is shown in a layout of our own has lines, and each of them is one.
pub(super) fn lines(shown: &dyn Display) {
    shown.to_string().split('\n').for_each(|line| one_line(&line));
}

/// An error names the file and one of its lines, and can be shown.
pub(super) fn error(error: &SourceError, name: &str, bytes: &[u8]) {
    one_line(error);
    one_line(&Chain::of(error));
    assert_eq!(error.path, Path::new(name));
    assert!(!error.is_unreadable(), "bytes in memory can be read");
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count() + 1;
    assert!(error.line.is_none_or(|line| (1..=lines).contains(&line)), "{error} is beyond the {lines} lines");
}

/// A refused document is refused again, for the same reason.
pub(super) fn refused<T>(result: Result<T, SourceError>, name: &str, bytes: &[u8]) -> Option<T> {
    match result {
        Ok(accepted) => Some(accepted),
        Err(fault) => {
            error(&fault, name, bytes);
            None
        }
    }
}

/// The document with one more line at its end.
pub(super) fn extended(bytes: &[u8], line: &str) -> Vec<u8> {
    [bytes, b"\n", line.as_bytes(), b"\n"].concat()
}
