//! The rules for displayed foreign text: one printable line of bounded length; an error names an
//! existing line.

use std::fmt::Display;
use std::path::Path;

use portcullis::Chain;
use portcullis::verify::SourceError;

/// The longest text in bytes: more than the longest quoted name with every byte escaped.
const TEXT_BYTES: usize = 256 * 1024;

/// Whether a character moves a cursor, breaks a line, or changes the order of those around it.
fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The text is one printable line.
pub(super) fn one_line(shown: &dyn Display) {
    let text = shown.to_string();
    assert!(text.len() <= TEXT_BYTES, "{} bytes are displayed", text.len());
    assert!(!text.chars().any(is_harmful), "displayed unescaped: {text:?}");
}

/// The text has several lines, each of which is printable.
pub(super) fn lines(shown: &dyn Display) {
    shown.to_string().split('\n').for_each(|line| one_line(&line));
}

/// The error names the file and one of its lines, and is printable.
pub(super) fn error(error: &SourceError, name: &str, bytes: &[u8]) {
    one_line(error);
    one_line(&Chain::of(error));
    assert_eq!(error.path, Path::new(name));
    assert!(!error.is_unreadable(), "bytes in memory are always readable");
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count() + 1;
    assert!(error.line.is_none_or(|line| (1..=lines).contains(&line)), "{error} names a line after line {lines}");
}

/// The accepted document, or `None` after checking the error.
pub(super) fn accepted<T>(result: Result<T, SourceError>, name: &str, bytes: &[u8]) -> Option<T> {
    match result {
        Ok(accepted) => Some(accepted),
        Err(fault) => {
            error(&fault, name, bytes);
            None
        }
    }
}

/// The document with one more line.
pub(super) fn extended(bytes: &[u8], line: &str) -> Vec<u8> {
    [bytes, b"\n", line.as_bytes(), b"\n"].concat()
}
