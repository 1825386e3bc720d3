//! The machine and the versions that the numbers were measured with.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::root;

/// The machine and the versions, as text.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) facts: Vec<(&'static str, String)>,
    load: f64,
    cores: usize,
}

impl Machine {
    pub(super) fn look() -> Result<Self> {
        let cores = std::thread::available_parallelism()?.get();
        let loadavg = fs::read_to_string("/proc/loadavg")?;
        let load = loadavg.split(' ').next().unwrap_or_default().parse()?;
        let facts = vec![
            ("processor", format!("{}, {cores} cores", processor()?)),
            ("kernel", fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_string()),
            ("load before the run", format!("{load:.2}")),
            ("rustc", said("rustc", &["--version"])?),
            ("go", said("go", &["version"])?),
            ("go-plugin", version_of("github.com/hashicorp/go-plugin")?),
            ("grpc-go", version_of("google.golang.org/grpc")?),
            ("commit", said("git", &["rev-parse", "--short", "HEAD"])?),
            ("command", std::env::args().skip(1).collect::<Vec<_>>().join(" ")),
        ];
        Ok(Self { facts, load, cores })
    }

    /// Warns before a long run whose numbers other load would distort.
    pub(super) fn warn_if_busy(&self) {
        if self.load > 0.5 * self.cores as f64 {
            eprintln!(
                "WARNING: this machine is busy (load {:.2}): trust only the ratios, and those with care",
                self.load
            );
        }
    }
}

fn processor() -> Result<String> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo")?;
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"));
    Ok(line.and_then(|line| line.split(": ").nth(1)).unwrap_or(std::env::consts::ARCH).to_string())
}

fn said(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).current_dir(root()).output();
    let output = output.with_context(|| format!("cannot run {program}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_string())
}

/// The version of a module that the Go peers are built with.
fn version_of(module: &str) -> Result<String> {
    let directory = root().join("tests/interop/go");
    let output =
        Command::new("go").args(["list", "-m", "-f", "{{.Version}}", module]).current_dir(directory).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_string())
}
