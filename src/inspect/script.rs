//! Parses the first line of a script as the kernel does (binfmt_script.c). Knows no shell syntax.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// As much of the first line as the kernel looks at (`BINPRM_BUF_SIZE`).
const LINE_LIMIT: usize = 256;

/// A file that begins with `#!`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Script {
    /// The program that runs it. Empty if the line names none.
    pub interpreter: OsString,
    /// The argument that the kernel passes to the interpreter before the path of the script.
    pub argument: Option<OsString>,
    /// Whether the line is longer than the 256 bytes that the kernel reads, and so is cut.
    pub cut: bool,
}

impl Script {
    /// Parses the first bytes of a file. `None` if they are not a script's.
    pub(super) fn read(start: &[u8]) -> Option<Self> {
        let rest = &start[..start.len().min(LINE_LIMIT)].strip_prefix(b"#!")?;
        let line = rest.split(|byte| matches!(byte, b'\n' | 0)).next().unwrap_or_default();
        let cut = start.len() >= LINE_LIMIT && line.len() == rest.len();
        let line = trim(line);
        let (interpreter, argument) = match line.iter().position(|byte| is_blank(*byte)) {
            Some(end) => (&line[..end], Some(trim(&line[end..])).filter(|argument| !argument.is_empty())),
            None => (line, None),
        };
        let owned = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        Some(Self { interpreter: owned(interpreter), argument: argument.map(owned), cut })
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn trim(mut line: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = line
        && is_blank(*first)
    {
        line = rest;
    }
    while let [rest @ .., last] = line
        && is_blank(*last)
    {
        line = rest;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_line_is_read_as_by_the_kernel() {
        for (start, interpreter, argument) in [
            (&b"#!/bin/sh\nexit"[..], "/bin/sh", None),
            (b"#! \t/bin/sh -e  x \n", "/bin/sh", Some("-e  x")),
            (b"#!/usr/bin/env\tpython3", "/usr/bin/env", Some("python3")),
            (b"#!", "", None),
            (b"#!  \n/bin/sh", "", None),
            (b"#!/bin/sh\r\n", "/bin/sh\r", None),
        ] {
            let script = Script::read(start).unwrap();
            assert_eq!(
                (script.interpreter.to_str(), script.argument.as_deref()),
                (Some(interpreter), argument.map(str::as_ref))
            );
            assert!(!script.cut);
        }
        assert_eq!(Script::read(b"# !/bin/sh"), None);
        let long = [b"#!/".as_slice(), &[b'a'; 400]].concat();
        let script = Script::read(&long).unwrap();
        assert!(script.cut && script.interpreter.len() == 254);
    }
}
