//! Shows foreign text safely: on one line, printable, unambiguous. Decides nothing.

use std::error::Error;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Shows foreign bytes on one line. Control characters, bidirectional overrides, line separators,
/// backslashes and invalid UTF-8 appear as escapes, so that the text cannot move the cursor, forge
/// a line or look like other text.
///
/// This crate escapes all text from plugins, file names and environments before it shows or logs
/// it.
///
/// ```
/// use portcullis::Escaped;
/// assert_eq!(Escaped::new(b"red \x1b[31m\nkv: ok\xff").to_string(), r"red \u{1b}[31m\nkv: ok\xff");
/// ```
#[derive(Clone, Copy)]
pub struct Escaped<'a>(&'a [u8]);

impl<'a> Escaped<'a> {
    /// Shows any bytes.
    pub fn new<T: AsRef<[u8]> + ?Sized>(text: &'a T) -> Self {
        Self(text.as_ref())
    }

    /// Shows a path. On Unix it can contain any byte except NUL.
    pub fn path(path: &'a Path) -> Self {
        Self(path.as_os_str().as_bytes())
    }
}

impl fmt::Display for Escaped<'_> {
    /// Without quotes. Quotes in the text are not escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, false)
    }
}

impl fmt::Debug for Escaped<'_> {
    /// In double quotes. Those in the text are escaped, so that its end is unambiguous.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        self.write(f, true)?;
        f.write_str("\"")
    }
}

impl Escaped<'_> {
    fn write(&self, f: &mut fmt::Formatter<'_>, quoted: bool) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '"' if quoted => f.write_str("\\\"")?,
                    // `escape_debug` escapes quotes, which mark no end here. Text such as shell
                    // commands is easier to read without.
                    '"' | '\'' => write!(f, "{character}")?,
                    other => write!(f, "{}", other.escape_debug())?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// Shows an error and its sources, outermost first, separated by colons.
///
/// ```
/// use portcullis::Chain;
/// let error = portcullis::Policy::new().verify("/nonexistent").unwrap_err();
/// eprintln!("{}", Chain::of(&error));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Chain<'a>(&'a (dyn Error + 'a));

impl<'a> Chain<'a> {
    /// Shows `error` and its sources.
    pub fn of(error: &'a (dyn Error + 'a)) -> Self {
        Self(error)
    }
}

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_bidi_characters_are_escaped() {
        for (raw, shown) in [
            ("plain text, \"quoted\" 'twice'", r#"plain text, "quoted" 'twice'"#),
            ("two\nlines\r", r"two\nlines\r"),
            ("\u{1b}]52;c;AAAA\u{7}", r"\u{1b}]52;c;AAAA\u{7}"),
            ("a\u{202e}b\u{2028}c\u{200b}", r"a\u{202e}b\u{2028}c\u{200b}"),
            ("C1 \u{9b}31m", r"C1 \u{9b}31m"),
            (r"back\slash", r"back\\slash"),
            ("nul\0", r"nul\0"),
            ("žluťoučký", "žluťoučký"),
        ] {
            assert_eq!(Escaped::new(raw).to_string(), shown, "{raw:?}");
        }
    }

    #[test]
    fn debug_output_escapes_quotes() {
        assert_eq!(format!("{:?}", Escaped::new("it's \"fine\" \\\"")), r#""it's \"fine\" \\\"""#);
    }

    #[test]
    fn invalid_utf8_is_shown_byte_by_byte() {
        assert_eq!(Escaped::new(b"a\xff\xc3(").to_string(), r"a\xff\xc3(");
    }
}
