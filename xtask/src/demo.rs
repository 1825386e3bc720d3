//! The main job on real files: locks a plugin, launches and calls it, refuses a tampered copy,
//! revokes it, and shows the audit log. Uses only the public API, and leaves nothing behind but the
//! report.

mod trail;

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use kv::proto::kv_client::KvClient;
use kv::proto::{GetRequest, PutRequest};
use portcullis::audit::Log;
use portcullis::host::Arguments;
use portcullis::host::{self, Environment, Plugin};
use portcullis::verify::{Lock, VerifiedPlugin};
use portcullis::{Digest, MESSAGE_LIMIT, Policy, Protocol};

use crate::root;
use trail::Trail;

pub(crate) fn run() -> Result<()> {
    let built = build()?;
    let place = tempfile::tempdir()?;
    let stage = Stage::set(&built, place.path())?;
    // The log records everything from here on.
    let trail = Trail::begin(&stage.directory)?;
    let log = trail.log();

    println!("1. The plugin is a file. The SHA-256 of its bytes identifies it:\n");
    let digest = stage.digest()?;

    println!(
        "\n2. The operator adds it to the lock file, which belongs into version control, where others review it:\n"
    );
    stage.agree()?;

    println!(
        "\n3. The host verifies the file against the lock file, launches exactly those bytes, and calls the plugin:\n"
    );
    let policy = Policy::new().with_lock(Lock::read(&stage.lock)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(first_launch(&policy, &stage, log))?;

    println!("\n4. The file is deleted. A second launch runs the verified bytes from the cache:\n");
    fs::remove_file(&stage.plugin)?;
    runtime.block_on(second_launch(&policy, &stage, log))?;

    println!("\n5. An attacker replaces the file with a copy that differs in one byte. A new host refuses it:\n");
    stage.put_tampered_copy()?;
    let policy = Policy::new().with_lock(Lock::read(&stage.lock)?);
    stage.is_refused_by(&policy, ["--lock".as_ref(), stage.lock.as_ref()], log)?;

    println!(
        "\n6. The original file is restored, and the host would run it again. Then the release turns out to be bad, and the"
    );
    println!("   operator revokes it: the policy denies the digest, whichever source accepts it.\n");
    stage.put_original()?;
    Policy::new().with_lock(Lock::read(&stage.lock)?).verify(&stage.plugin)?;
    stage.revoke(digest)?;
    stage.is_refused_by(&Policy::read(&stage.policy)?, ["--policy".as_ref(), stage.policy.as_ref()], log)?;

    trail.show(&stage)?;

    stage.holds_nothing_else()?;
    println!("\nDone. No process, socket or directory of the plugin is left.");
    Ok(())
}

/// Builds the programs of the example, and returns their directory.
fn build() -> Result<PathBuf> {
    println!("Building the example (the first time takes a few minutes) …");
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "kv", "--package", "plugin-verify"])
        .current_dir(root())
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "the example does not build");
    // This program is in the same directory.
    let own = std::env::current_exe()?;
    Ok(own.parent().context("this program has no parent directory")?.to_path_buf())
}

/// The files of the demo, below one directory.
struct Stage {
    directory: PathBuf,
    plugin: PathBuf,
    data: PathBuf,
    lock: PathBuf,
    policy: PathBuf,
    built: PathBuf,
}

impl Stage {
    fn set(built: &Path, directory: &Path) -> Result<Self> {
        // A policy refuses a plugin directory behind a symbolic link.
        let directory = directory.canonicalize()?;
        let file = |name: &str| directory.join(name);
        let stage = Self {
            plugin: file("plugins/kv-plugin"),
            data: file("data"),
            lock: file("plugins.lock"),
            policy: file("policy.toml"),
            built: built.to_path_buf(),
            directory,
        };
        for made in [&stage.data, &stage.plugins()] {
            fs::create_dir(made)?;
            fs::set_permissions(made, Permissions::from_mode(0o700))?;
        }
        stage.put_original()?;
        Ok(stage)
    }

    fn plugins(&self) -> PathBuf {
        self.directory.join("plugins")
    }

    fn put_original(&self) -> Result<()> {
        fs::copy(self.built.join("kv-plugin"), &self.plugin)?;
        Ok(fs::set_permissions(&self.plugin, Permissions::from_mode(0o755))?)
    }

    fn put_tampered_copy(&self) -> Result<()> {
        self.put_original()?;
        let file = OpenOptions::new().read(true).write(true).open(&self.plugin)?;
        let middle = file.metadata()?.len() / 2;
        let mut byte = [0];
        file.read_exact_at(&mut byte, middle)?;
        file.write_all_at(&[byte[0] ^ 1], middle)?;
        Ok(())
    }

    fn plugin_verify(&self, verb: &str) -> Command {
        let mut command = Command::new(self.built.join("plugin-verify"));
        command.arg(verb).current_dir(&self.directory);
        command
    }

    fn digest(&self) -> Result<Digest> {
        let output = self.plugin_verify("digest").arg(&self.plugin).output()?;
        let text = String::from_utf8(output.stdout)?;
        show(&format!("$ plugin-verify digest {}\n{text}", self.plugin.display()));
        Ok(text.split(' ').next().unwrap_or_default().parse()?)
    }

    fn agree(&self) -> Result<()> {
        let output = self.plugin_verify("lock").arg("add").arg("--lock").arg(&self.lock).arg(&self.plugin).output()?;
        ensure!(output.status.success(), "cannot lock the plugin: {}", String::from_utf8_lossy(&output.stderr));
        show_file(&self.lock)
    }

    fn revoke(&self, digest: Digest) -> Result<()> {
        let policy = format!(
            "format = \"portcullis-policy/1\"\ndirectory = {:?}\nlock = \"plugins.lock\"\ndeny = [\"{digest}\"]\n",
            self.plugins()
        );
        fs::write(&self.policy, policy)?;
        fs::set_permissions(&self.policy, Permissions::from_mode(0o600))?;
        show_file(&self.policy)?;
        println!();
        Ok(())
    }

    fn is_refused_by(&self, policy: &Policy, arguments: [&OsStr; 2], log: &Log) -> Result<()> {
        let decision = policy.decide(&self.plugin);
        ensure!(!decision.is_allowed(), "the plugin was accepted: {decision}");
        ensure!(host::verify(policy, &self.plugin, log).is_err(), "the plugin was accepted");
        show(&format!("The host, before anything is executed:\n{decision}\n\n"));
        let output = self.plugin_verify("check").args(arguments).arg(&self.plugin).output()?;
        let [option, value] = arguments.map(OsStr::display);
        show(&format!("$ plugin-verify check {option} {value} {}", self.plugin.display()));
        show(&String::from_utf8_lossy(&output.stdout));
        show(&format!("exit status {}", output.status.code().unwrap_or(-1)));
        ensure!(output.status.code() == Some(1), "plugin-verify did not refuse it");
        Ok(())
    }

    /// Fails if a launch left anything in this directory, where it created its own.
    fn holds_nothing_else(&self) -> Result<()> {
        let entries = fs::read_dir(&self.directory)?.filter_map(Result::ok).map(|entry| entry.file_name());
        let found: BTreeSet<_> = entries.collect();
        let expected = BTreeSet::from(["audit", "data", "plugins", "plugins.lock", "policy.toml"].map(OsString::from));
        ensure!(found == expected, "a launch left files behind: {found:?}");
        Ok(())
    }
}

async fn launch(verified: VerifiedPlugin, stage: &Stage, log: &Log) -> Result<Plugin> {
    let plugin = Plugin::builder(verified)
        .with_protocol(Protocol::new("BASIC_PLUGIN", "hello", 1))
        .with_environment(Environment::empty())
        // Beside the data, so that the last step can check that nothing is left.
        .with_runtime_directory(&stage.directory)
        .with_recorder(Arc::new(log.clone()))
        .args(["--data".as_ref(), stage.data.as_os_str()])
        .launch()
        .await?;
    Ok(plugin)
}

async fn first_launch(policy: &Policy, stage: &Stage, log: &Log) -> Result<()> {
    let started = Instant::now();
    let verified = host::verify(policy, &stage.plugin, log)?;
    let checked = started.elapsed();
    let size = verified.size() / (1024 * 1024);
    let started = Instant::now();
    let plugin = launch(verified, stage, log).await?;
    let ready = started.elapsed();
    show(&plugin.report().to_string());
    show(&format!("\n{size} MiB copied, sealed and hashed in {checked:.1?}; ready to be called {ready:.1?} later."));
    let mut client = KvClient::new(plugin.channel()).max_decoding_message_size(MESSAGE_LIMIT);
    let put = PutRequest { key: "greeting".into(), value: "hello from the demo".into() };
    client.put(about(put, Arguments::new().with("key", "greeting")?)).await?;
    show("put greeting \"hello from the demo\"");
    shut_down(plugin).await
}

async fn second_launch(policy: &Policy, stage: &Stage, log: &Log) -> Result<()> {
    let started = Instant::now();
    let verified = host::verify(policy, &stage.plugin, log)?;
    ensure!(verified.was_cached(), "the image was not in the cache");
    let plugin = launch(verified, stage, log).await?;
    show(&format!("Verified from the cache, launched and ready in {:.1?}.", started.elapsed()));
    let mut client = KvClient::new(plugin.channel()).max_decoding_message_size(MESSAGE_LIMIT);
    let get = about(GetRequest { key: "greeting".into() }, Arguments::new().with("key", "greeting")?);
    let value = client.get(get).await?.into_inner().value;
    show(&format!("get greeting -> {:?}", String::from_utf8_lossy(&value)));
    ensure!(value == "hello from the demo", "the value differs from the stored one");
    shut_down(plugin).await
}

/// A request whose arguments the audit log records, as keyed hashes.
fn about<T>(message: T, arguments: Arguments) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.extensions_mut().insert(arguments);
    request
}

async fn shut_down(plugin: Plugin) -> Result<()> {
    let shutdown = plugin.shutdown(Duration::from_secs(2)).await;
    let exit = shutdown.exit.context("the plugin did not exit")?;
    show(&format!("Shutdown: the plugin exited with {exit}."));
    ensure!(exit.success(), "the plugin did not exit cleanly");
    ensure!(!Path::new(&format!("/proc/{}", plugin.pid())).exists(), "the plugin's process is still there");
    Ok(())
}

fn show_file(path: &Path) -> Result<()> {
    show(&format!("$ cat {}\n{}", path.display(), fs::read_to_string(path)?));
    Ok(())
}

/// Prints the output of a step, indented below its description.
fn show(text: &str) {
    for line in text.lines() {
        println!("   {line}");
    }
}
