//! `manifest`: that it says what other tools say of the same bytes, and that nothing it does not
//! say goes unnoticed.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use super::{directory, plugin_verify, skipped, stderr, stdout};

fn manifest(place: &Path, arguments: &[&str]) -> Output {
    plugin_verify(place, "manifest").args(arguments).output().unwrap()
}

fn exit(output: &Output) -> Option<i32> {
    output.status.code()
}

/// A directory with a plugin `kv` of three files, and its manifest in it.
fn described() -> TempDir {
    let place = directory();
    fs::create_dir_all(place.path().join("kv/lib")).unwrap();
    for name in ["run", "lib/a b.py", "lib/ž"] {
        fs::write(place.path().join("kv").join(name), name).unwrap();
    }
    let output = manifest(place.path(), &["create", "--version", "1.0.0", "--program", "run", "kv"]);
    assert_eq!((stdout(&output), exit(&output)), ("kv: described in kv/manifest.toml\n", Some(0)), "{output:?}");
    place
}

fn keygen(place: &Path) {
    let made = plugin_verify(place, "keygen").args(["--out", "r", "--dangerous-unencrypted"]).output().unwrap();
    assert_eq!(exit(&made), Some(0), "{made:?}");
}

#[test]
fn its_digests_are_those_of_sha256sum() {
    let place = described();
    let manifest = portcullis::verify::Manifest::read(place.path().join("kv/manifest.toml")).unwrap();
    let ours: Vec<String> =
        manifest.files().map(|(path, file)| format!("{}  {}", file.digest, path.as_str())).collect();
    let names: Vec<&str> = manifest.files().map(|(path, _)| path.as_str()).collect();
    let theirs = Command::new("sha256sum").args(&names).current_dir(place.path().join("kv")).output().unwrap();
    assert_eq!(names, ["lib/a b.py", "lib/ž", "run"]);
    assert_eq!(stdout(&theirs).lines().collect::<Vec<_>>(), ours);
}

#[test]
fn minisign_signatures_verify_in_both_directions() {
    let place = described();
    keygen(place.path());
    let manifest_file = "kv/manifest.toml";
    let verified = || manifest(place.path(), &["verify", "--key", "r.pub", "kv"]);
    let minisign = |arguments: &[&str]| {
        Command::new("minisign").args(arguments).current_dir(place.path()).stdin(std::process::Stdio::null()).output()
    };
    let sign = plugin_verify(place.path(), "sign").args(["--key", "r.key", manifest_file]).output().unwrap();
    assert_eq!(exit(&sign), Some(0), "{sign:?}");
    assert_eq!(exit(&verified()), Some(0));
    let key = portcullis::verify::PublicKey::read(place.path().join("r.pub")).unwrap().to_string();
    let Ok(theirs) = minisign(&["-Vm", manifest_file, "-P", &key]) else {
        assert!(std::env::var_os("PORTCULLIS_REQUIRE_INTEROP").is_none(), "minisign is not here");
        return skipped("minisign is not here");
    };
    assert_eq!(exit(&theirs), Some(0), "{theirs:?}");
    fs::remove_file(place.path().join("kv/manifest.toml.minisig")).unwrap();
    assert_eq!(exit(&verified()), Some(2), "the signature is gone");
    let signed = minisign(&["-S", "-s", "r.key", "-m", manifest_file]).unwrap();
    assert_eq!(exit(&signed), Some(0), "{signed:?}");
    assert_eq!(exit(&verified()), Some(0));
}

#[test]
fn every_difference_is_named() {
    let place = described();
    let plugin = place.path().join("kv");
    fs::write(plugin.join("run"), "RUN").unwrap();
    fs::remove_file(plugin.join("lib/ž")).unwrap();
    fs::write(plugin.join("lib/more\n"), "").unwrap();
    let output = manifest(place.path(), &["verify", "--unsigned", "kv"]);
    assert_eq!(exit(&output), Some(1), "{output:?}");
    for line in [
        "kv: REFUSED",
        "  by     no key",
        "  its file lib/ž is missing",
        "  SHA-256 mismatch of its file run",
        r"  lib/more\n is not in the manifest",
    ] {
        assert!(stdout(&output).lines().any(|found| found == line), "{line}: {}", stdout(&output));
    }
}

#[test]
fn unaccepted_manifest_is_never_plainly_ok() {
    let place = described();
    let output = manifest(place.path(), &["verify", "--unsigned", "kv"]);
    assert_eq!(stdout(&output).lines().next(), Some("kv: UNSIGNED, files match"));
    assert!(stderr(&output).contains("the manifest is not signed"), "{output:?}");
    keygen(place.path());
    let unsigned = manifest(place.path(), &["verify", "--key", "r.pub", "kv"]);
    assert_eq!(exit(&unsigned), Some(2), "{unsigned:?}");
    fs::write(place.path().join("kv/manifest.toml.minisig"), "no signature").unwrap();
    let forged = manifest(place.path(), &["verify", "--key", "r.pub", "kv"]);
    assert_eq!((exit(&forged), stdout(&forged)), (Some(1), ""), "{forged:?}");
}

#[test]
fn manifest_holds_for_platform_name_and_time() {
    let place = directory();
    fs::write(place.path().join("kv"), "abc").unwrap();
    let create = ["create", "--force", "--version", "1.0.0", "kv"];
    let verify = ["verify", "--unsigned", "kv"];
    for (created, verified, reason) in [
        (&["--expires", "2020-01-31T12:00:00Z"][..], &[][..], Some("its manifest expired on 2020-01-31")),
        (&["--expires", "90d"], &[], None),
        (&["--platform", "plan9-vax"], &[], Some("its manifest is for plan9-vax")),
        (&["--platform", "plan9-vax"], &["--platform", "plan9-vax"], None),
        (&["--name", "zip"], &["--as", "kv"], Some("its manifest is about the plugin zip")),
        (&["--name", "zip"], &["--as", "zip"], None),
    ] {
        let made = manifest(place.path(), &[&create, created].concat());
        assert_eq!(exit(&made), Some(0), "{made:?}");
        let output = manifest(place.path(), &[&verify, verified].concat());
        assert_eq!(exit(&output), Some(i32::from(reason.is_some())), "{output:?}");
        assert!(stdout(&output).contains(reason.unwrap_or("files match")), "{output:?}");
    }
}

#[test]
fn one_that_exists_is_replaced_by_force_only() {
    let place = described();
    let file = place.path().join("kv/manifest.toml");
    fs::write(&file, "not to be lost").unwrap();
    let create = ["create", "--version", "1.0.0", "--program", "run", "kv"];
    let output = manifest(place.path(), &create);
    assert_eq!(exit(&output), Some(2), "{output:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "not to be lost");
    assert_eq!(exit(&manifest(place.path(), &[&create[..], &["--force"]].concat())), Some(0));
    assert!(portcullis::verify::Manifest::read(&file).is_ok());
}

#[test]
fn interpreter_is_part_of_the_manifest() {
    let place = described();
    let interpreter = place.path().canonicalize().unwrap().join("interpreter");
    fs::write(&interpreter, "abc").unwrap();
    let create = ["create", "--force", "--version", "1.0.0", "--program", "run"];
    let absolute = ["--interpreter", interpreter.to_str().unwrap(), "--interpreter-arg", "-I", "kv"];
    let made = manifest(place.path(), &[&create[..], &absolute].concat());
    assert_eq!(exit(&made), Some(0), "{made:?}");
    let read = portcullis::verify::Manifest::read(place.path().join("kv/manifest.toml")).unwrap();
    assert_eq!(read.interpreter().unwrap().arguments, ["-I"]);
    fs::write(&interpreter, "abd").unwrap();
    assert_eq!(exit(&manifest(place.path(), &["verify", "--unsigned", "kv"])), Some(1));
    let bundled = manifest(place.path(), &[&create[..], &["--interpreter", "lib/ž", "kv"]].concat());
    assert_eq!(exit(&bundled), Some(0), "{bundled:?}");
    let nowhere = manifest(place.path(), &[&create[..], &["--interpreter", "../x", "kv"]].concat());
    assert_eq!(exit(&nowhere), Some(2), "{nowhere:?}");
}
