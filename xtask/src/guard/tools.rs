//! The programs that count: a valgrind that knows the system calls of a launch, and gungraun's
//! runner of the version that the benchmark has.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::root;

/// The first valgrind that knows pidfd_open(2), without which nothing is launched.
const VALGRIND: (u32, u32) = (3, 21);

/// Where they are, if not installed for everybody. `benches/setup-valgrind` puts one there.
const TOOLS: &str = "target/tools";

pub(super) struct Tools {
    runner: PathBuf,
    /// Where a valgrind that is not installed for everybody was unpacked.
    valgrind: Option<PathBuf>,
}

impl Tools {
    /// Finds them. The runner is installed below `target/` if it is not there.
    pub(super) fn find() -> Result<Self> {
        let tools = root().join(TOOLS);
        Ok(Self { valgrind: valgrind(&tools)?, runner: runner(&tools)? })
    }

    /// Lets a command find them.
    pub(super) fn lend(&self, command: &mut Command) {
        command.env("GUNGRAUN_RUNNER", &self.runner);
        if let Some(valgrind) = &self.valgrind {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let mut directories = vec![valgrind.join("usr/bin")];
            directories.extend(std::env::split_paths(&path));
            command.env("VALGRIND_LIB", valgrind.join("usr/libexec/valgrind"));
            // What PATH had before can be joined again.
            command.env("PATH", std::env::join_paths(directories).unwrap_or(path));
        }
    }
}

/// The unpacked one, or `None` if that of the machine will do.
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

/// The runner and the library must have one version, which the lock file has.
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
