//! Inspects test files: made by hand, by a C compiler, by Go, and by damaging one of these.

mod compiled;
mod files;
mod go;
mod hostile;
mod made;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;

fn executable(bytes: &[u8]) -> Executable {
    match Content::of_bytes(bytes) {
        Content::Elf(executable) => *executable,
        other => panic!("{other:?}"),
    }
}

fn names(inspection: &Inspection) -> Vec<&'static str> {
    inspection.remarks.iter().map(Remark::code).collect()
}

/// Skips a test whose tool is missing, with a message, and fails it if the tools are required.
fn skip(reason: &str) {
    let required = std::env::var_os("PORTCULLIS_REQUIRE_INTEROP").is_some_and(|value| value == "1");
    assert!(!required, "PORTCULLIS_REQUIRE_INTEROP=1, and {reason}");
    // Not `eprint`: the test runner captures it and shows it only for failed tests.
    let _ = writeln!(io::stderr(), "SKIPPED: {reason}");
}

/// Returns a tool's output. `None` if the tool is missing or fails on this machine.
fn output(command: &mut Command) -> Option<String> {
    match command.output() {
        Ok(output) if output.status.success() => Some(String::from_utf8(output.stdout).unwrap()),
        Ok(output) => {
            skip(&format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)));
            None
        }
        Err(error) => {
            skip(&format!("{command:?}: {error}"));
            None
        }
    }
}

/// Compiles a C program.
fn compile(directory: &Path, name: &str, source: &str, options: &[&str]) -> Option<PathBuf> {
    let (program, text) = (directory.join(name), directory.join(format!("{name}.c")));
    std::fs::write(&text, source).unwrap();
    output(Command::new("cc").args(["-x", "c"]).arg(&text).args(options).arg("-o").arg(&program))?;
    Some(program)
}
