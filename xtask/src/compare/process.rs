//! Reads memory, descriptors, threads and sealed images of a running process from /proc (proc(5)).

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;

use anyhow::{Context, Result};

use super::row::Metrics;

/// The resources of a process.
#[derive(Debug, Clone, Copy, Default)]
struct Usage {
    pss: f64,
    rss: f64,
    descriptors: f64,
    threads: f64,
}

impl Usage {
    fn of(pid: u32) -> Result<Self> {
        let path = format!("/proc/{pid}/smaps_rollup");
        let memory = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        Ok(Self {
            pss: bytes(&memory, "Pss:")?,
            rss: bytes(&memory, "Rss:")?,
            descriptors: fs::read_dir(format!("/proc/{pid}/fd"))?.count() as f64,
            threads: fs::read_dir(format!("/proc/{pid}/task"))?.count() as f64,
        })
    }

    fn add(self, other: Self) -> Self {
        Self {
            pss: self.pss + other.pss,
            rss: self.rss + other.rss,
            descriptors: self.descriptors + other.descriptors,
            threads: self.threads + other.threads,
        }
    }

    fn metrics(self, of: &str) -> [(String, Vec<f64>); 4] {
        [("pss", self.pss), ("rss", self.rss), ("descriptors", self.descriptors), ("threads", self.threads)]
            .map(|(name, value)| (format!("{of}.{name}"), vec![value]))
    }
}

/// Returns the value of a line in kB, in bytes.
fn bytes(rollup: &str, name: &str) -> Result<f64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.trim().strip_suffix("kB")).with_context(|| format!("no {name} in kB"))?;
    Ok(number.trim().parse::<f64>()? * 1024.0)
}

/// The resources of a host and its plugins, under names that begin with their state.
pub(super) fn look(state: &str, host: u32, plugins: &[u32]) -> Result<Metrics> {
    let own = Usage::of(host)?;
    let theirs =
        plugins.iter().try_fold(Usage::default(), |sum, pid| Ok::<_, anyhow::Error>(sum.add(Usage::of(*pid)?)))?;
    let mut metrics = Metrics::from_iter(own.metrics(&format!("{state}.host")));
    metrics.extend(theirs.metrics(&format!("{state}.plugins")));
    metrics.extend(own.add(theirs).metrics(&format!("{state}.all")));
    metrics.insert(format!("{state}.host.images"), vec![images(host)?]);
    Ok(metrics)
}

/// The bytes of the memory files that a process has open. Pss does not include them unless they are
/// mapped.
fn images(pid: u32) -> Result<f64> {
    let mut images = BTreeMap::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd"))? {
        let path = entry?.path();
        // A descriptor may be closed between these two calls.
        let (Ok(target), Ok(file)) = (fs::read_link(&path), fs::metadata(&path)) else { continue };
        if target.to_string_lossy().starts_with("/memfd:") {
            images.insert(file.ino(), file.blocks() * 512);
        }
    }
    Ok(images.values().sum::<u64>() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_line_is_parsed_in_bytes() {
        let rollup =
            "00400000-7fff [rollup]\nRss:                1024 kB\nPss:                 512 kB\nPss_Dirty:  1 kB\n";
        assert_eq!(bytes(rollup, "Pss:").unwrap(), 512.0 * 1024.0);
        assert_eq!(bytes(rollup, "Rss:").unwrap(), 1024.0 * 1024.0);
        assert!(bytes(rollup, "Swap:").is_err());
    }

    #[test]
    fn image_counts_once_for_all_descriptors() {
        let own = std::process::id();
        let before = images(own).unwrap();
        let image = rustix::fs::memfd_create("image", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        let again = image.try_clone().unwrap();
        rustix::io::write(&image, &[7; 4096]).unwrap();
        assert_eq!(images(own).unwrap() - before, 4096.0);
        drop((image, again));
    }
}
