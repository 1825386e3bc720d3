//! The main job on real input, in plain words: verify, launch, call, relaunch, refuse, shut down. Uses only what every host has.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use kv::proto::kv_client::KvClient;
use kv::proto::{GetRequest, PutRequest};
use portcullis::host::{Environment, Plugin};
use portcullis::verify::VerifiedPlugin;
use portcullis::{Digest, MESSAGE_LIMIT, Policy, Protocol};

use crate::root;

pub(crate) fn run() -> Result<()> {
    let built = build()?;
    let place = tempfile::tempdir()?;
    let file = place.path().join("kv-plugin");
    fs::copy(built.join("kv-plugin"), &file)?;
    let data = place.path().join("data");
    fs::create_dir(&data)?;

    println!("1. The plugin is a file. What may run is its SHA-256, as an operator would note it down:\n");
    let digest = digest(&built.join("plugin-verify"), &file)?;

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let policy = Policy::new().allow(digest);

    println!("\n2. The host verifies the file, launches exactly those bytes, and calls the plugin:\n");
    let started = Instant::now();
    let verified = policy.verify(&file)?;
    let checked = started.elapsed();
    runtime.block_on(first_launch(verified, &data, checked))?;

    println!("\n3. The file is deleted. A second launch runs the verified bytes from the cache:\n");
    fs::remove_file(&file)?;
    runtime.block_on(second_launch(&policy, &file, &data))?;

    println!("\n4. Somebody put another file in its place, changed in one byte:\n");
    tampered_copy(&built.join("kv-plugin"), &file)?;
    refused(&built.join("plugin-verify"), &file, digest)?;

    let left: Vec<_> = fs::read_dir(place.path())?.filter_map(Result::ok).map(|entry| entry.file_name()).collect();
    ensure!(left.len() == 2, "more is left than the file and the data: {left:?}");
    println!("\nDone. No process, socket or directory of a plugin is left.");
    Ok(())
}

/// Builds the programs of the example, and returns where they are.
fn build() -> Result<PathBuf> {
    println!("Building the example (the first time takes a few minutes) …");
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "kv", "--package", "plugin-verify"])
        .current_dir(root())
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "the example does not build");
    // This program lies where they lie.
    let own = std::env::current_exe()?;
    Ok(own.parent().context("a program lies in a directory")?.to_path_buf())
}

fn digest(plugin_verify: &Path, file: &Path) -> Result<Digest> {
    let output = Command::new(plugin_verify).arg("digest").arg(file).output()?;
    let text = String::from_utf8(output.stdout)?;
    show(&format!("$ plugin-verify digest {}\n{text}", file.display()));
    Ok(text.split(' ').next().unwrap_or_default().parse()?)
}

async fn launch(verified: VerifiedPlugin, data: &Path) -> Result<Plugin> {
    let plugin = Plugin::builder(verified)
        .with_protocol(Protocol::new("BASIC_PLUGIN", "hello", 1))
        .with_environment(Environment::empty())
        // Beside the data, so that it can be seen that nothing stays.
        .with_runtime_directory(data.parent().context("the data lie in a directory")?)
        .args(["--data".into(), data.as_os_str().to_os_string()])
        .launch()
        .await?;
    Ok(plugin)
}

async fn first_launch(verified: VerifiedPlugin, data: &Path, checked: Duration) -> Result<()> {
    let size = verified.size() / (1024 * 1024);
    let started = Instant::now();
    let plugin = launch(verified, data).await?;
    let ready = started.elapsed();
    show(&plugin.report().to_string());
    show(&format!("\n{size} MiB copied, sealed and hashed in {checked:.1?}; ready to be called {ready:.1?} later."));
    let mut client = KvClient::new(plugin.channel()).max_decoding_message_size(MESSAGE_LIMIT);
    client.put(PutRequest { key: "greeting".into(), value: "hello from the demo".into() }).await?;
    show("put greeting \"hello from the demo\"");
    shut_down(plugin).await
}

async fn second_launch(policy: &Policy, file: &Path, data: &Path) -> Result<()> {
    let started = Instant::now();
    let verified = policy.verify(file)?;
    ensure!(verified.was_cached(), "the image was not in the cache");
    let plugin = launch(verified, data).await?;
    show(&format!("Verified from the cache, launched and ready in {:.1?}.", started.elapsed()));
    let mut client = KvClient::new(plugin.channel()).max_decoding_message_size(MESSAGE_LIMIT);
    let value = client.get(GetRequest { key: "greeting".into() }).await?.into_inner().value;
    show(&format!("get greeting -> {:?}", String::from_utf8_lossy(&value)));
    ensure!(value == "hello from the demo", "the value is not what was put");
    shut_down(plugin).await
}

async fn shut_down(plugin: Plugin) -> Result<()> {
    let shutdown = plugin.shutdown(Duration::from_secs(2)).await;
    let exit = shutdown.exit.context("the plugin does not end")?;
    show(&format!("Asked to exit: it ended with {exit}."));
    ensure!(exit.success(), "the plugin did not end cleanly");
    ensure!(!Path::new(&format!("/proc/{}", plugin.pid())).exists(), "the plugin's process is still there");
    Ok(())
}

fn tampered_copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to)?;
    let file = OpenOptions::new().read(true).write(true).open(to)?;
    let middle = file.metadata()?.len() / 2;
    let mut byte = [0];
    file.read_exact_at(&mut byte, middle)?;
    file.write_all_at(&[byte[0] ^ 1], middle)?;
    Ok(())
}

fn refused(plugin_verify: &Path, file: &Path, digest: Digest) -> Result<()> {
    match Policy::new().allow(digest).verify(file) {
        Err(error) => show(&format!("The host refuses it, and nothing was executed:\n{error}")),
        Ok(_) => bail!("a tampered plugin was accepted"),
    }
    let sha256 = digest.to_string();
    let status = Command::new(plugin_verify).args(["check", "--sha256", &sha256]).arg(file).output()?.status;
    show(&format!("plugin-verify check says the same: exit status {}.", status.code().unwrap_or(-1)));
    ensure!(status.code() == Some(1), "plugin-verify did not refuse it");
    Ok(())
}

/// Prints what happened, set off from what is said about it.
fn show(text: &str) {
    for line in text.lines() {
        println!("   {line}");
    }
}
