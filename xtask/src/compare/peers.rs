//! The programs that are compared: both pairs, built for release and stripped, both plugins again
//! with the size of a large one, and the program that makes the same calls over tonic's transport.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use portcullis::Digest;

use super::row::{Metrics, Row, Unit};
use crate::{build_release, root};

/// The size of the large plugins.
pub(super) const LARGE: u64 = 20 * 1024 * 1024;

/// The library that a program is built on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Rust,
    Go,
    /// tonic's own channel and server, without a launch: the alternative to our transport.
    Tonic,
}

impl Side {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::Go => "Go",
            Self::Tonic => "tonic",
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
        match self.host {
            Side::Tonic => "tonic's channel and server".into(),
            host => format!("{} host, {} plugin", host.name(), self.plugin.name()),
        }
    }
}

/// In the order of their columns.
pub(super) const PAIRINGS: [Pairing; 5] = [
    Pairing { host: Side::Rust, plugin: Side::Rust },
    Pairing { host: Side::Rust, plugin: Side::Go },
    Pairing { host: Side::Go, plugin: Side::Rust },
    Pairing { host: Side::Go, plugin: Side::Go },
    Pairing { host: Side::Tonic, plugin: Side::Tonic },
];

/// The column of our own pair.
pub(super) const RUST_WITH_RUST: usize = 0;

/// The column that all others are compared with.
pub(super) const GO_WITH_GO: usize = 3;

/// The column of tonic's transport.
pub(super) const TONIC: usize = 4;

/// A program and the digest of its file.
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

    fn plugin(&self, large: bool) -> &Program {
        if large { &self.large_plugin } else { &self.plugin }
    }
}

/// All programs of a comparison.
#[derive(Debug)]
pub(super) struct Peers {
    rust: Pair,
    go: Pair,
    tonic: Program,
    /// Measures the limits of the machine.
    pub(super) floor: PathBuf,
}

impl Peers {
    /// Builds them below `place`.
    pub(super) fn build(place: &Path) -> Result<Self> {
        let (rust, go) = (place.join("rust"), place.join("go"));
        build_rust(&rust)?;
        build_go(&go)?;
        Ok(Self {
            rust: Pair::at(&rust)?,
            go: Pair::at(&go)?,
            tonic: Program::at(rust.join("bench-tonic"))?,
            floor: rust.join("bench-floor"),
        })
    }

    pub(super) fn host(&self, side: Side) -> &Path {
        match side {
            Side::Rust => &self.rust.host.path,
            Side::Go => &self.go.host.path,
            Side::Tonic => &self.tonic.path,
        }
    }

    pub(super) fn plugin(&self, side: Side, large: bool) -> &Program {
        match side {
            Side::Rust => self.rust.plugin(large),
            Side::Go => self.go.plugin(large),
            Side::Tonic => &self.tonic,
        }
    }

    /// The sizes of the files, of hosts and plugins only.
    pub(super) fn sizes(&self) -> Result<Vec<Row>> {
        let mut host = Row::new("size", "host's file, stripped", Unit::Bytes, "host");
        let mut plugin = Row::new("size", "plugin's file, stripped", Unit::Bytes, "plugin");
        for (column, pairing) in PAIRINGS.into_iter().enumerate().take(TONIC) {
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
    for name in ["bench-host", "bench-plugin", "bench-floor", "bench-tonic"] {
        let stripped = place.join(name);
        let strip = Command::new("strip").arg("-o").arg(&stripped).arg(directory.join(name)).status();
        ensure!(strip.context("cannot run strip (binutils)")?.success(), "{name} cannot be stripped");
    }
    Ok(())
}

/// Builds with the flags that published Go programs usually have.
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
