//! Prints an inspection as text: one fact a line, the warnings last. Collects no facts itself.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;

use super::{Content, Executable, ExecutableKind, ExternalFile, GoBuild, GoModule, Inspection, SearchEntry};
use crate::Escaped;
use crate::verify::SearchPathKind;

fn shown(text: &OsStr) -> Escaped<'_> {
    Escaped::new(text.as_bytes())
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "location     {}", Escaped::path(&self.location))?;
        if let Some(target) = &self.link {
            writeln!(f, "link         to {}", Escaped::path(target))?;
        }
        writeln!(f, "size         {} bytes", self.size)?;
        if let Some(digest) = self.digest {
            writeln!(f, "digest       sha256 {digest}")?;
        }
        writeln!(f, "mode         {:04o}, owner {}, group {}", self.mode, self.owner, self.group)?;
        if let Some(capabilities) = &self.capabilities {
            writeln!(f, "capabilities {capabilities}")?;
        }
        writeln!(f, "format       {}", self.content)?;
        match &self.content {
            Content::Elf(executable) => self.executable(f, executable)?,
            Content::Script(script) => {
                writeln!(f, "interpreter  {}", shown(&script.interpreter))?;
                if let Some(argument) = &script.argument {
                    writeln!(f, "argument     {}", shown(argument))?;
                }
            }
            _ => {}
        }
        match &self.refusal {
            Some(refusal) => write!(f, "policy       refuses it, even with an allowed digest: {refusal}")?,
            None => write!(f, "policy       runs it if the digest is allowed")?,
        }
        self.remarks.iter().try_for_each(|remark| write!(f, "\nwarning: {remark}"))
    }
}

impl Inspection {
    fn executable(&self, f: &mut fmt::Formatter<'_>, executable: &Executable) -> fmt::Result {
        let linkage = &executable.linkage;
        write!(f, "kind         {}", executable.kind)?;
        if executable.is_program() && executable.kind != ExecutableKind::StaticPie {
            f.write_str(if linkage.is_static() { ", static" } else { ", dynamic" })?;
        }
        writeln!(f)?;
        if let Some(interpreter) = &linkage.interpreter {
            writeln!(f, "interpreter  {}", shown(interpreter))?;
        }
        linkage.needed.iter().try_for_each(|library| writeln!(f, "needed       {}", shown(library)))?;
        linkage.auxiliary.iter().try_for_each(|library| writeln!(f, "auxiliary    {}", shown(library)))?;
        if let Some(soname) = &linkage.soname {
            writeln!(f, "soname       {}", shown(soname))?;
        }
        self.search.iter().try_for_each(|entry| writeln!(f, "{entry}"))?;
        writeln!(f, "stack        {}", executable.stack)?;
        writeln!(f, "relro        {}", executable.relro)?;
        if let Some(id) = &executable.build_id {
            write!(f, "build id     ")?;
            id.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
            writeln!(f)?;
        }
        let symbols = match (executable.symbols, executable.debug_information) {
            (true, true) => "symbols and debug information",
            (true, false) => "symbols, no debug information",
            (false, true) => "debug information, no symbols",
            (false, false) => "stripped",
        };
        writeln!(f, "symbols      {symbols}")?;
        executable.go.iter().try_for_each(|go| write!(f, "{go}"))
    }
}

impl fmt::Display for SearchEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.kind {
            SearchPathKind::Rpath => "rpath  ",
            SearchPathKind::Runpath => "runpath",
        };
        match self.text.as_bytes() {
            [] => write!(f, "{name}      (empty)")?,
            text => write!(f, "{name}      {}", Escaped::new(text))?,
        }
        let Some(ExternalFile { path, exists, exposure }) = &self.place else {
            return f.write_str(if self.is_relative() { ", relative" } else { ", unknown" });
        };
        if self.origin {
            write!(f, " = {}", Escaped::path(path))?;
        }
        f.write_str(match exists {
            Some(true) => ", exists",
            Some(false) => ", does not exist",
            None => ", could not be examined",
        })?;
        if exposure.is_some() { f.write_str(", writable by others") } else { Ok(()) }
    }
}

impl fmt::Display for GoBuild {
    /// Writes whole lines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "go           {}", Escaped::new(&self.version))?;
        if let Some(path) = &self.path {
            writeln!(f, "go path      {}", Escaped::new(path))?;
        }
        self.main.iter().try_for_each(|module| writeln!(f, "go module    {module}"))?;
        self.dependencies.iter().try_for_each(|module| writeln!(f, "go needs     {module}"))?;
        self.settings.iter().try_for_each(|setting| writeln!(f, "go setting   {}", Escaped::new(setting)))
    }
}

impl fmt::Display for GoModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", Escaped::new(&self.path), Escaped::new(&self.version))?;
        match &self.replacement {
            Some(replacement) => write!(f, " => {replacement}"),
            None => Ok(()),
        }
    }
}
