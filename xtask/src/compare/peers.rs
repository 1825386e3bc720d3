//! The programs that are compared: both pairs, built for release and stripped, and both plugins
//! once more with the size of a large one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use portcullis::Digest;

use super::row::{Metrics, Row, Unit};
use crate::{build_release, root};

/// The size of the large plugins.
pub(super) const LARGE: u64 = 20 * 1024 * 1024;

/// Whose program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Rust,
    Go,
}

impl Side {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::Go => "Go",
        }
    }
}

/// A host and the plugin that it launches.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pairing {
    pub(super) host: Side,
    pub(super) plugin: Side,
}

impl Pairing {
    pub(super) fn name(self) -> String {
        format!("{} host, {} plugin", self.host.name(), self.plugin.name())
    }
}

/// In the order of their columns.
pub(super) const PAIRINGS: [Pairing; 4] = [
    Pairing { host: Side::Rust, plugin: Side::Rust },
    Pairing { host: Side::Rust, plugin: Side::Go },
    Pairing { host: Side::Go, plugin: Side::Rust },
    Pairing { host: Side::Go, plugin: Side::Go },
];

/// The column of what everything is held against.
pub(super) const GO_WITH_GO: usize = 3;

/// A program, and what its file hashes to.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    pub(super) digest: Digest,
}

impl Program {
    fn at(path: PathBuf) -> Result<Self> {
        let digest = Digest::read(fs::File::open(&path)?)?;
        Ok(Self { path, digest })
    }
}

#[derive(Debug)]
struct Pair {
    host: Program,
    plugin: Program,
    large_plugin: Program,
}

impl Pair {
    fn at(directory: &Path) -> Result<Self> {
        let plugin = directory.join("bench-plugin");
        let large = directory.join("large-bench-plugin");
        bench::large::copy_padded(&plugin, &large, LARGE)?;
        Ok(Self {
            host: Program::at(directory.join("bench-host"))?,
            plugin: Program::at(plugin)?,
            large_plugin: Program::at(large)?,
        })
    }
}

/// Everything that is run.
#[derive(Debug)]
pub(super) struct Peers {
    rust: Pair,
    go: Pair,
    /// Measures what the machine allows.
    pub(super) floor: PathBuf,
}

impl Peers {
    /// Builds them below `place`.
    pub(super) fn build(place: &Path) -> Result<Self> {
        let (rust, go) = (place.join("rust"), place.join("go"));
        build_rust(&rust)?;
        build_go(&go)?;
        Ok(Self { rust: Pair::at(&rust)?, go: Pair::at(&go)?, floor: rust.join("bench-floor") })
    }

    fn pair(&self, side: Side) -> &Pair {
        match side {
            Side::Rust => &self.rust,
            Side::Go => &self.go,
        }
    }

    pub(super) fn host(&self, side: Side) -> &Path {
        &self.pair(side).host.path
    }

    pub(super) fn plugin(&self, side: Side, large: bool) -> &Program {
        let pair = self.pair(side);
        if large { &pair.large_plugin } else { &pair.plugin }
    }

    /// The sizes of the files. Nobody has to run for them.
    pub(super) fn sizes(&self) -> Result<Vec<Row>> {
        let mut host = Row::new("size", "host's file, stripped", Unit::Bytes, "host");
        let mut plugin = Row::new("size", "plugin's file, stripped", Unit::Bytes, "plugin");
        for (column, pairing) in PAIRINGS.into_iter().enumerate() {
            let size = |path: &Path| Ok::<_, anyhow::Error>(vec![fs::metadata(path)?.len() as f64]);
            let metrics = Metrics::from([
                ("host".into(), size(self.host(pairing.host))?),
                ("plugin".into(), size(&self.plugin(pairing.plugin, false).path)?),
            ]);
            host.add_round(column, &metrics)?;
            plugin.add_round(column, &metrics)?;
        }
        Ok(vec![host, plugin])
    }
}

fn build_rust(place: &Path) -> Result<()> {
    let directory = build_release("bench")?;
    fs::create_dir_all(place)?;
    for name in ["bench-host", "bench-plugin", "bench-floor"] {
        let stripped = place.join(name);
        let strip = Command::new("strip").arg("-o").arg(&stripped).arg(directory.join(name)).status();
        ensure!(strip.context("cannot run strip (binutils)")?.success(), "{name} cannot be stripped");
    }
    Ok(())
}

/// With the flags that Go programs are usually published with.
fn build_go(place: &Path) -> Result<()> {
    fs::create_dir_all(place)?;
    let built = Command::new("go")
        .args(["build", "-trimpath", "-ldflags=-s -w", "-o"])
        .arg(format!("{}/", place.display()))
        .args(["./bench-host", "./bench-plugin"])
        .current_dir(root().join("tests/interop/go"))
        .status()
        .context("cannot run go")?;
    ensure!(built.success(), "the Go pair does not build");
    Ok(())
}
