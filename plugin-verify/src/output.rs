//! The two streams: results go to standard output, complaints to standard error. Neither can make the program panic.

use std::fmt;
use std::io::{self, Write};

/// Writes a result, whole lines of it, at once.
pub(crate) fn write(lines: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(lines)?;
    stdout.flush()
}

/// Tells a person what went wrong. Whatever is foreign in `message` must have been escaped.
pub(crate) fn complain(message: impl fmt::Display) {
    // Whoever closed standard error does not want to know.
    let _ = writeln!(io::stderr(), "plugin-verify: {message}");
}
