//! The end of the demo: the audit log, who can check it, and how two manipulations of it are
//! detected.

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
    /// Creates the log, in a directory of its own.
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

    /// Shows the log and a report about it, then edits and truncates it, and checks that both are
    /// detected.
    pub(super) fn show(&self, stage: &Stage) -> Result<()> {
        self.log.close()?;
        let key = self.log.verifier().to_string();
        println!(
            "\n7. The host's audit log has all of it: decisions, launches and calls. Values appear as keyed hashes only:\n"
        );
        ensure!(run(stage, &["show", "audit/log"])? == 0, "the log is not intact");
        println!(
            "\n   Each record carries the hash of the previous one; the host signed their number and their Merkle root. Its public key verifies that:\n"
        );
        let verify = ["verify", "audit/log", "--key", &key, "--checkpoint", "audit/checkpoint"];
        ensure!(run(stage, &verify)? == 0, "the log is not intact");
        let report = root().join("target/demo-audit-report.html");
        let shown = report.display().to_string();
        ensure!(run(stage, &["report", "audit/log", "--key", &key, "-o", &shown])? == 0, "no report was written");
        show(&format!("The same as an HTML page: {shown}"));

        println!("\n8. An attacker changes the refusal into an approval. Verification fails and names the record:\n");
        let path = self.log.path();
        let original = fs::read_to_string(path)?;
        rewrite(path, &original.replacen(r#""verdict":"refused""#, r#""verdict":"allowed""#, 1))?;
        ensure!(run(stage, &verify)? == 1, "the change was not detected");
        println!(
            "\n   Or the attacker cuts off the end. The rest is consistent, but not with the checkpoint that was kept:\n"
        );
        let lines: Vec<_> = original.split_inclusive('\n').collect();
        rewrite(path, &lines[..lines.len() - 4].concat())?;
        ensure!(run(stage, &verify)? == 1, "the cut was not detected");
        ensure!(self.checkpoint.exists(), "no checkpoint was written");
        Ok(())
    }
}

/// Runs `plugin-verify audit`, shows its output, and returns its exit status.
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

/// Overwrites the file, as an attacker with write access would.
fn rewrite(path: &Path, text: &str) -> Result<()> {
    OpenOptions::new().write(true).truncate(true).open(path)?.write_all(text.as_bytes())?;
    Ok(())
}
