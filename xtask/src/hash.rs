//! Compares hashing with `openssl speed`, `openssl dgst` and `sha256sum` on this machine. Asserts
//! nothing.

use std::fs::{self, File};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use portcullis::Digest;
use portcullis::verify::{Input, digest_all};

use crate::{build_release, quantile};

const MB: usize = 1_000_000;

/// Some files, and how often to hash them. The report shows the median.
struct Work {
    name: &'static str,
    files: Vec<PathBuf>,
    bytes: usize,
    rounds: usize,
}

pub(crate) fn run() -> Result<()> {
    let plugin_verify = build_release("plugin-verify")?.join("plugin-verify");
    let place = tempfile::tempdir()?;
    println!("openssl speed -evp sha256, blocks of 16 KiB: {:.0} MB/s\n", openssl_speed()?);
    println!(
        "{:<24} {:>14} {:>14} {:>14} {:>14}",
        "MB/s, median", "library", "plugin-verify", "sha256sum", "openssl dgst"
    );
    for work in [
        Work::new("1 MB", place.path(), 1, MB, 101)?,
        Work::new("100 MB", place.path(), 1, 100 * MB, 7)?,
        Work::new("1,000 files of 10 kB", place.path(), 1000, 10_000, 31)?,
    ] {
        work.measure(&plugin_verify)?;
    }
    println!(
        "\nThe programs are timed from outside, with their start; the library is called in this process. All files are in the page cache."
    );
    Ok(())
}

/// The rate of OpenSSL's own benchmark, in memory, in MB/s.
pub(crate) fn openssl_speed() -> Result<f64> {
    let output = Command::new("openssl")
        .args(["speed", "-mr", "-seconds", "3", "-bytes", "16384", "-evp", "sha256"])
        .stderr(Stdio::null())
        .output()
        .context("cannot run openssl")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.starts_with("+F:")).context("openssl speed printed no result")?;
    let rate: f64 = line.rsplit(':').next().unwrap_or_default().trim().parse()?;
    Ok(rate / 1e6)
}

impl Work {
    fn new(name: &'static str, place: &Path, count: usize, size: usize, rounds: usize) -> Result<Self> {
        let directory = tempfile::Builder::new().tempdir_in(place)?.keep();
        let content: Vec<u8> = (0..size).map(|index| ((index * 7919) >> 3) as u8).collect();
        let mut files = Vec::new();
        for number in 0..count {
            let path = directory.join(format!("file-{number}"));
            let mut file = File::create(&path)?;
            file.write_all(&(number as u64).to_le_bytes())?;
            file.write_all(&content[8..])?;
            files.push(path);
        }
        Ok(Self { name, files, bytes: count * size, rounds })
    }

    /// Runs each contender once in every round, so that other load on the machine affects all of
    /// them.
    fn measure(&self, plugin_verify: &Path) -> Result<()> {
        let mut rates: [Vec<f64>; 4] = Default::default();
        for _ in 0..self.rounds {
            let programs: [(&Path, &[&str]); 3] = [
                (plugin_verify, &["digest"]),
                (Path::new("sha256sum"), &[]),
                (Path::new("openssl"), &["dgst", "-sha256"]),
            ];
            rates[0].push(self.timed(|| self.library())?);
            for (rates, (program, arguments)) in rates[1..].iter_mut().zip(programs) {
                rates.push(self.timed(|| self.program(program, arguments))?);
            }
        }
        let [library, own, coreutils, openssl] = rates.map(|mut rates| quantile(&mut rates, 0.5));
        println!("{:<24} {library:>14.0} {own:>14.0} {coreutils:>14.0} {openssl:>14.0}", self.name);
        Ok(())
    }

    fn timed(&self, run: impl FnOnce() -> Result<()>) -> Result<f64> {
        let started = Instant::now();
        run()?;
        Ok(self.bytes as f64 / 1e6 / started.elapsed().as_secs_f64())
    }

    fn library(&self) -> Result<()> {
        if let [file] = &self.files[..] {
            std::hint::black_box(Digest::read(File::open(file)?)?);
            return Ok(());
        }
        let inputs: Vec<_> = self.files.iter().cloned().map(Input::File).collect();
        let mut hashed = 0;
        digest_all(&inputs, &|_| {}, |_, digest| {
            hashed += usize::from(digest.is_ok());
            ControlFlow::Continue(())
        });
        ensure!(hashed == self.files.len(), "a file could not be hashed");
        Ok(())
    }

    fn program(&self, program: &Path, arguments: &[&str]) -> Result<()> {
        let status = Command::new(program).args(arguments).args(&self.files).stdout(Stdio::null()).status();
        let status = status.with_context(|| format!("cannot run {}", program.display()))?;
        ensure!(status.success(), "{} failed", program.display());
        Ok(())
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // 100 MB of it, before the next is made. The rest goes with the directory above.
        self.files.iter().for_each(|file| drop(fs::remove_file(file)));
    }
}
