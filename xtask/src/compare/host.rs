//! One run of a host: starts it, reads its lines, and measures its processes when it asks for that.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::peers::{Pairing, Peers, Side};
use super::process;
use super::row::Metrics;
use super::work::Work;

/// How long processes rest before they are measured.
const SETTLE: Duration = Duration::from_millis(300);

/// The result of a run.
pub(super) enum Outcome {
    Measured(Metrics),
    Cannot(String),
}

pub(super) fn run(peers: &Peers, pairing: Pairing, work: &Work) -> Result<Outcome> {
    let mut child = command(peers, pairing, work).spawn().context("cannot start a bench host")?;
    let outcome = listen(&mut child);
    if outcome.is_err() {
        // It may be waiting for a line from us. Its plugins end with it.
        child.kill()?;
    }
    let status = child.wait()?;
    let outcome = outcome.with_context(|| format!("{}, {}", work.name, pairing.name()))?;
    ensure!(status.success(), "{}, {}: the host failed with {status}", work.name, pairing.name());
    Ok(outcome)
}

fn command(peers: &Peers, pairing: Pairing, work: &Work) -> Command {
    let plugin = peers.plugin(pairing.plugin, work.large);
    let mut command = Command::new(peers.host(pairing.host));
    command.arg("--plugin").arg(&plugin.path).arg("--sha256").arg(plugin.digest.to_string());
    if work.plaintext {
        command.arg("--plaintext");
        if pairing.plugin == Side::Rust {
            command.args(["--arg", "--dangerous-allow-plaintext"]);
        }
    }
    command.args(&work.arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    // go-plugin passes its environment on to plugins. A small one, the same for every host.
    command.env_clear().env("PATH", "/usr/bin:/bin");
    command
}

fn listen(child: &mut Child) -> Result<Outcome> {
    let mut input = child.stdin.take().context("standard input is piped")?;
    let output = child.stdout.take().context("standard output is piped")?;
    let (mut metrics, mut shut) = (Metrics::new(), false);
    for line in BufReader::new(output).lines() {
        let line: Value = serde_json::from_str(&line?)?;
        if let Some(why) = line["cannot"].as_str() {
            return Ok(Outcome::Cannot(why.into()));
        }
        if let Some(state) = line["state"].as_str() {
            std::thread::sleep(SETTLE);
            match process::look(state, child.id(), &pids(&line["pids"])?) {
                Ok(found) => metrics.extend(found),
                Err(error) if is_denied(&error) => shut = true,
                Err(error) => return Err(error),
            }
            input.write_all(b"\n")?;
        } else if let (Some(metric), Some(samples)) = (line["metric"].as_str(), line["samples"].as_array()) {
            metrics.insert(metric.into(), samples.iter().filter_map(Value::as_f64).collect());
        } else {
            bail!("unexpected line from the host: {line}");
        }
    }
    match shut {
        true => Ok(Outcome::Cannot("only root may read its memory: its image is execute-only".into())),
        false => Ok(Outcome::Measured(metrics)),
    }
}

/// Whether the kernel denied this user the measurement, as execute-only images intend.
fn is_denied(error: &anyhow::Error) -> bool {
    let denied = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
    error.chain().filter_map(|cause| cause.downcast_ref()).any(denied)
}

fn pids(list: &Value) -> Result<Vec<u32>> {
    Ok(serde_json::from_value(list.clone())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permission_errors_are_distinguished() {
        let error = |kind| anyhow::Error::from(io::Error::from(kind)).context("cannot read /proc/1/smaps_rollup");
        assert!(is_denied(&error(io::ErrorKind::PermissionDenied)));
        assert!(!is_denied(&error(io::ErrorKind::NotFound)));
        assert!(!is_denied(&anyhow::anyhow!("no Pss: in kB")));
    }
}
