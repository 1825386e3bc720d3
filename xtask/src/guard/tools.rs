//! Finds the programs that count: a valgrind that supports the system calls of a launch, and the
//! gungraun runner of the benchmark's version.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::root;

/// The first valgrind that supports pidfd_open(2), which every launch needs.
const VALGRIND: (u32, u32) = (3, 21);

/// The directory of tools that are not installed on the machine. `benches/setup-valgrind` writes
/// there.
const TOOLS: &str = "target/tools";

pub(super) struct Tools {
    runner: PathBuf,
    /// The directory of an unpacked valgrind, unless the installed one is new enough.
    valgrind: Option<PathBuf>,
}

impl Tools {
    /// Finds the tools, and installs the runner below `target/` if it is missing.
    pub(super) fn find() -> Result<Self> {
        let tools = root().join(TOOLS);
        Ok(Self { valgrind: valgrind(&tools)?, runner: runner(&tools)? })
    }

    /// Sets the environment in which a command finds the tools.
    pub(super) fn lend(&self, command: &mut Command) {
        command.env("GUNGRAUN_RUNNER", &self.runner);
        if let Some(valgrind) = &self.valgrind {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let mut directories = vec![valgrind.join("usr/bin")];
            directories.extend(std::env::split_paths(&path));
            command.env("VALGRIND_LIB", valgrind.join("usr/libexec/valgrind"));
            // Every entry comes from PATH or is a plain path, so joining cannot fail.
            command.env("PATH", std::env::join_paths(directories).unwrap_or(path));
        }
    }
}

/// The unpacked valgrind, or `None` if the installed one is new enough.
fn valgrind(tools: &Path) -> Result<Option<PathBuf>> {
    let unpacked = tools.join("valgrind");
    if unpacked.exists() {
        return Ok(Some(unpacked));
    }
    let output = Command::new("valgrind").arg("--version").output().context("cannot run valgrind")?;
    let said = String::from_utf8_lossy(&output.stdout);
    if is_new_enough(said.trim()) {
        return Ok(None);
    }
    let (major, minor) = VALGRIND;
    bail!("{} is older than {major}.{minor}; benches/setup-valgrind brings a newer one", said.trim())
}

fn is_new_enough(said: &str) -> bool {
    let mut numbers = said.trim_start_matches("valgrind-").split('.').map(str::parse);
    matches!((numbers.next(), numbers.next()), (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= VALGRIND)
}

/// The gungraun runner. It must have the version of the library, which the lock file has.
fn runner(tools: &Path) -> Result<PathBuf> {
    let version = locked_version(&std::fs::read_to_string(root().join("Cargo.lock"))?, "gungraun-runner")?;
    let place = tools.join(format!("gungraun-runner-{version}"));
    let runner = place.join("bin/gungraun-runner");
    if !runner.exists() {
        eprintln!("Installing gungraun-runner {version} in {} …", place.display());
        let installed = Command::new(env!("CARGO"))
            .args(["install", "--quiet", "--locked", "--root"])
            .arg(&place)
            .arg(format!("gungraun-runner@{version}"))
            .status()?;
        ensure!(installed.success(), "gungraun-runner cannot be installed");
    }
    Ok(runner)
}

fn locked_version(lock: &str, package: &str) -> Result<String> {
    let mut lines = lock.lines().skip_while(|line| *line != format!("name = \"{package}\""));
    let version = lines.nth(1).and_then(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
    Ok(version.with_context(|| format!("Cargo.lock has no {package}"))?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        for (said, expected) in [
            ("valgrind-3.19.0", false),
            ("valgrind-3.21.0", true),
            ("valgrind-3.100.0", true),
            ("valgrind-4.0.0", true),
            ("valgrind-3.26.0.GIT", true),
            ("", false),
            ("something else", false),
        ] {
            assert_eq!(is_new_enough(said), expected, "{said}");
        }
    }

    #[test]
    fn version_belongs_to_package_of_exact_name() {
        let lock = "[[package]]\nname = \"gungraun\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"gungraun-runner\"\nversion = \"2.0.0\"\n";
        assert_eq!(locked_version(lock, "gungraun-runner").unwrap(), "2.0.0");
        assert!(locked_version(lock, "runner").is_err());
    }
}
