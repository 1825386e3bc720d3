//! `lock`: adds and updates plugins, never weakens an entry without a message, and verifies that
//! every entry has its file.

use std::fs;
use std::path::Path;
use std::process::Output;

use super::{Fixture, plugin_verify, sha256, stderr, stdout};

/// Runs one of the verbs of `lock`.
fn lock(place: &Path, arguments: &[&str]) -> Output {
    plugin_verify(place, "lock").args(arguments).output().unwrap()
}

fn succeeded(output: Output) -> Output {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    output
}

fn refused(output: &Output, because: &str) {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(stderr(output).contains(because), "{output:?}");
}

fn keys(place: &Path, names: &[&str]) {
    for name in names {
        let made = plugin_verify(place, "keygen").args(["--out", name, "--dangerous-unencrypted"]).output().unwrap();
        succeeded(made);
    }
}

/// Makes and signs a manifest of `plugin`.
fn publish(place: &Path, key: &str, options: &[&str]) {
    let mut create = plugin_verify(place, "manifest");
    succeeded(create.args(["create", "--force"]).args(options).arg("plugin").output().unwrap());
    let key = format!("{key}.key");
    let mut sign = plugin_verify(place, "sign");
    succeeded(sign.args(["--force", "--key", &key, "plugin.manifest.toml"]).output().unwrap());
}

/// Other bytes that are still a program.
fn rebuild(plugin: &Path) {
    use std::io::Write;
    fs::OpenOptions::new().append(true).open(plugin).unwrap().write_all(b"another build").unwrap();
}

#[test]
fn lock_check_and_sha256sum_agree() {
    let fixture = Fixture::new();
    let added = succeeded(lock(fixture.path(), &["add", "plugin"]));
    assert!(stdout(&added).contains(&format!(" sha256 {}\n", fixture.sha256)), "{added:?}");
    let check = || plugin_verify(fixture.path(), "check").args(["--lock", "plugins.lock", "plugin"]).output().unwrap();
    succeeded(check());
    rebuild(&fixture.plugin);
    assert_eq!(check().status.code(), Some(1));

    let before = fs::read(fixture.path().join("plugins.lock")).unwrap();
    refused(&lock(fixture.path(), &["add", "plugin"]), "hint: if the new bytes are meant to replace the old ones");
    assert_eq!(fs::read(fixture.path().join("plugins.lock")).unwrap(), before);
    let updated = succeeded(lock(fixture.path(), &["update", "plugin"]));
    let platform = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
    let (old, new) = (&fixture.sha256, sha256(&fixture.plugin));
    assert_eq!(stdout(&updated), format!("plugin: changed\n- {platform} sha256 {old}\n+ {platform} sha256 {new}\n"));
    succeeded(check());
}

#[test]
fn lock_file_is_created_only_by_adding() {
    let fixture = Fixture::new();
    for arguments in [&["update", "plugin"][..], &["remove", "plugin"], &["verify", "plugin"]] {
        let output = lock(fixture.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
    // The second cannot be agreed to, so neither is.
    fs::write(fixture.path().join("text"), "text").unwrap();
    let output = lock(fixture.path(), &["add", "plugin", "text"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(!fixture.path().join("plugins.lock").exists());
}

#[test]
fn download_is_locked_only_with_published_digest() {
    let fixture = Fixture::new();
    fs::write(fixture.path().join("SUMS"), format!("{}  plugin\n", fixture.sha256)).unwrap();
    rebuild(&fixture.plugin);
    let add = ["add", "--sums", "SUMS", "plugin"];
    refused(&lock(fixture.path(), &add), "SHA-256 mismatch");
    let foreign = ["add", "--platform", "plan9-vax", "--sums", "SUMS", "plugin"];
    refused(&lock(fixture.path(), &foreign), "SHA-256 mismatch");
    fs::write(fixture.path().join("SUMS"), format!("{}  plugin\n", sha256(&fixture.plugin))).unwrap();
    succeeded(lock(fixture.path(), &add));
    let unlisted = ["add", "--platform", "plan9-vax", "--sums", "SUMS", "SUMS"];
    refused(&lock(fixture.path(), &unlisted), "SUMS: no entry for SUMS");
}

#[test]
fn signed_manifest_keeps_identity_and_signer() {
    let fixture = Fixture::new();
    let place = fixture.path();
    keys(place, &["ours", "other"]);
    publish(place, "ours", &["--version", "1.2.0", "--minimum-version", "1.1.0"]);
    refused(&lock(place, &["add", "--key", "other.pub", "plugin"]), "which is not trusted for this plugin");
    refused(
        &lock(place, &["add", "--key", "ours.pub", "--version", "1.3.0", "plugin"]),
        "has the version 1.2.0, expected 1.3.0",
    );
    let added = succeeded(lock(place, &["add", "--key", "ours.pub", "plugin"]));
    assert!(stdout(&added).contains("+ version 1.2.0\n+ minimum version 1.1.0\n"), "{added:?}");

    rebuild(&fixture.plugin);
    refused(&lock(place, &["update", "--key", "ours.pub", "plugin"]), "SHA-256 mismatch");
    refused(&lock(place, &["update", "--version", "1.3.0", "plugin"]), "the candidate is unsigned");
    publish(place, "other", &["--version", "1.3.0"]);
    let update = ["update", "--key", "other.pub", "plugin"];
    refused(&lock(place, &update), "ask the publisher whether the key has changed");
    publish(place, "ours", &["--version", "1.1.9"]);
    refused(&lock(place, &["update", "--key", "ours.pub", "plugin"]), "to version 1.1.9");
    succeeded(lock(place, &["update", "--key", "ours.pub", "--dangerous-downgrade", "plugin"]));
    publish(place, "other", &["--version", "1.3.0"]);
    succeeded(lock(place, &[&update[..], &["--dangerous-other-signer"]].concat()));
    let text = fs::read_to_string(place.join("plugins.lock")).unwrap();
    assert!(text.contains("version = \"1.3.0\"\nminimum-version = \"1.1.0\"\n"), "{text}");
}

#[test]
fn bundle_is_locked_after_every_file_matches() {
    let fixture = Fixture::new();
    let plugin = fixture.path().join("kv");
    fs::create_dir(&plugin).unwrap();
    fs::rename(&fixture.plugin, plugin.join("run")).unwrap();
    fs::write(plugin.join("data"), "data").unwrap();
    let create = |platform: &str| {
        plugin_verify(fixture.path(), "manifest")
            .args(["create", "--force", "--version", "1.0.0", "--program", "run", "--platform", platform, "kv"])
            .output()
            .unwrap()
    };
    for platform in ["any", "plan9-vax"] {
        succeeded(create(platform));
        fs::write(plugin.join("data"), "DATA").unwrap();
        let output = lock(fixture.path(), &["add", "--lock", platform, "kv"]);
        refused(&output, "SHA-256 mismatch of its file data");
        fs::write(plugin.join("data"), "data").unwrap();
        let added = succeeded(lock(fixture.path(), &["add", "--lock", platform, "kv"]));
        let manifest = sha256(&plugin.join("manifest.toml"));
        assert!(stdout(&added).contains(&format!("+ {platform} manifest {manifest}\n")), "{added:?}");
        assert_eq!(stderr(&added).contains("cannot run here"), platform != "any", "{added:?}");
    }
    succeeded(create("any"));
    succeeded(lock(fixture.path(), &["verify", "--lock", "any", "kv"]));
}

#[test]
fn program_is_locked_only_for_its_platform() {
    let fixture = Fixture::new();
    refused(&lock(fixture.path(), &["add", "--platform", "linux-vax", "plugin"]), "is a program for this machine");
    fs::write(&fixture.plugin, "").unwrap();
    refused(&lock(fixture.path(), &["add", "--platform", "linux-vax", "plugin"]), "it is empty");
}

#[test]
fn locked_plugins_must_match_exactly() {
    let fixture = Fixture::new();
    let plugins = fixture.path().join("plugins");
    fs::create_dir(&plugins).unwrap();
    fs::rename(&fixture.plugin, plugins.join("plugin")).unwrap();
    succeeded(lock(fixture.path(), &["add", "plugins/plugin"]));
    let verify = || lock(fixture.path(), &["verify", "--directory", "plugins"]);
    succeeded(verify());
    succeeded(lock(fixture.path(), &["verify", "plugins/plugin"]));

    let (mut extra, manifest) = (plugins.join("extra"), plugins.join("plugin.manifest.toml"));
    fs::write(&manifest, "belongs to it").unwrap();
    succeeded(verify());
    extra.set_file_name("ex\ntra");
    fs::write(&extra, "").unwrap();
    let unknown = verify();
    assert_eq!(unknown.status.code(), Some(1), "{unknown:?}");
    assert!(stdout(&unknown).contains("plugins/ex\\ntra: UNKNOWN\n"), "{unknown:?}");
    fs::remove_file(&extra).unwrap();

    rebuild(&plugins.join("plugin"));
    let changed = verify();
    assert!(stdout(&changed).starts_with("plugins/plugin: REFUSED\n"), "{changed:?}");
    fs::remove_file(plugins.join("plugin")).unwrap();
    let missing = verify();
    assert_eq!((missing.status.code(), stdout(&missing).lines().next()), (Some(1), Some("plugin: MISSING")));
}

#[test]
fn lock_file_without_this_platform_verifies_nothing() {
    let fixture = Fixture::new();
    fs::write(fixture.path().join("text"), "text").unwrap();
    succeeded(lock(fixture.path(), &["add", "--platform", "plan9-vax", "text"]));
    fs::create_dir(fixture.path().join("empty")).unwrap();
    let output = lock(fixture.path(), &["verify", "--directory", "empty"]);
    refused(&output, "plugins.lock lists no plugin for this machine");
}
