//! The end of the demo: what was recorded, who can check it, and what becomes of a log that
//! somebody edited.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use portcullis::audit::{Log, LogKey};

use super::{Stage, show};
use crate::root;

/// The audit log of the demo.
pub(super) struct Trail {
    log: Log,
    checkpoint: PathBuf,
}

impl Trail {
    /// Begins the log, beside everything else.
    pub(super) fn begin(stage: &Path) -> Result<Self> {
        let directory = stage.join("audit");
        fs::create_dir(&directory)?;
        fs::set_permissions(&directory, Permissions::from_mode(0o700))?;
        let checkpoint = directory.join("checkpoint");
        let key = LogKey::create(directory.join("log.key"), "example.com/demo")?;
        let log = Log::builder(directory.join("log"), key).checkpoint_file(&checkpoint).open()?;
        Ok(Self { log, checkpoint })
    }

    pub(super) fn log(&self) -> &Log {
        &self.log
    }

    /// Shows the log, a report of it, and two ways in which it does not lie.
    pub(super) fn show(&self, stage: &Stage) -> Result<()> {
        self.log.close()?;
        let key = self.log.verifier().to_string();
        println!(
            "\n7. All of that is in the host's audit log: who allowed what, what ran, what was asked of it. Values are keyed hashes only:\n"
        );
        ensure!(run(stage, &["show", "audit/log"])? == 0, "the log is not intact");
        println!(
            "\n   Each record carries the hash of the one before; the host signed how many there are. Whoever has its public key can check that:\n"
        );
        let verify = ["verify", "audit/log", "--key", &key, "--checkpoint", "audit/checkpoint"];
        ensure!(run(stage, &verify)? == 0, "the log is not intact");
        let report = root().join("target/demo-audit-report.html");
        let shown = report.display().to_string();
        ensure!(run(stage, &["report", "audit/log", "--key", &key, "-o", &shown])? == 0, "there is no report");
        show(&format!("The same as a page for a browser: {shown}"));

        println!(
            "\n8. Somebody makes the refusal look as if it had been allowed. The log is caught, and the record named:\n"
        );
        let path = self.log.path();
        let original = fs::read_to_string(path)?;
        rewrite(path, &original.replacen(r#""verdict":"refused""#, r#""verdict":"allowed""#, 1))?;
        ensure!(run(stage, &verify)? == 1, "the change was not found");
        println!(
            "\n   Or they cut off the end. What is left agrees with itself, and not with the checkpoint that was kept:\n"
        );
        let lines: Vec<_> = original.split_inclusive('\n').collect();
        rewrite(path, &lines[..lines.len() - 4].concat())?;
        ensure!(run(stage, &verify)? == 1, "the cut was not found");
        ensure!(self.checkpoint.exists(), "there is no checkpoint");
        Ok(())
    }
}

/// Runs `plugin-verify audit`, shows what it says, and returns its exit status.
fn run(stage: &Stage, arguments: &[&str]) -> Result<i32> {
    show(&format!("$ plugin-verify audit {}", arguments.join(" ")));
    let output = stage.plugin_verify("audit").args(arguments).output()?;
    show(&String::from_utf8_lossy(&output.stdout));
    show(&String::from_utf8_lossy(&output.stderr));
    let code = output.status.code().unwrap_or(-1);
    if code != 0 {
        show(&format!("exit status {code}"));
    }
    Ok(code)
}

/// As somebody would who may write the file.
fn rewrite(path: &Path, text: &str) -> Result<()> {
    OpenOptions::new().write(true).truncate(true).open(path)?.write_all(text.as_bytes())?;
    Ok(())
}
