//! `keygen` and `sign`: the files they write, where passwords come from, and that minisign(1)
//! and the library agree with them.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use portcullis::verify::{PublicKey, Signature, TrustedComment};
use tempfile::TempDir;

use super::{directory, plugin_verify, skipped, stderr, stdout};

const MESSAGE: &str = "the bytes that may run";

fn succeeded(output: &Output) -> &Output {
    assert!(output.status.success(), "{output:?}");
    output
}

/// Runs a program in `place` with `input`, if it is there.
fn run(place: &Path, program: &str, arguments: &[&str], input: &str) -> Option<Output> {
    let mut command = Command::new("timeout");
    command.args(["60", program]).args(arguments).current_dir(place);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Whoever asks for nothing closes its end.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    if output.status.code() != Some(127) {
        return Some(output);
    }
    assert!(std::env::var_os("PORTCULLIS_REQUIRE_INTEROP").is_none(), "{program} is not here");
    skipped(format_args!("{program} is not here"));
    None
}

fn minisign(place: &Path, arguments: &[&str], input: &str) -> Option<Output> {
    run(place, "minisign", arguments, input)
}

/// A directory with a message in it, and a key of ours.
fn with_key(options: &[&str]) -> TempDir {
    let place = directory();
    fs::write(place.path().join("m"), MESSAGE).unwrap();
    fs::write(place.path().join("password"), "pässword\n").unwrap();
    let output = plugin_verify(place.path(), "keygen").args(["--out", "r"]).args(options).output().unwrap();
    succeeded(&output);
    place
}

fn unencrypted() -> TempDir {
    with_key(&["--dangerous-unencrypted"])
}

fn verified(place: &Path, public: &str, signature: &str) -> TrustedComment {
    let key = PublicKey::read(place.join(public)).unwrap();
    key.verify_file(place.join("m"), &Signature::read(place.join(signature)).unwrap()).unwrap()
}

#[test]
fn new_key_is_private_and_never_overwritten() {
    let place = unencrypted();
    let mode = |name: &str| fs::metadata(place.path().join(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("r.key"), mode("r.pub")), (0o600, 0o644));
    let before = fs::read(place.path().join("r.key")).unwrap();
    let output =
        plugin_verify(place.path(), "keygen").args(["--out", "r", "--dangerous-unencrypted"]).output().unwrap();
    assert_eq!(stderr(&output), "plugin-verify: cannot write r.key: File exists (os error 17)\n");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(fs::read(place.path().join("r.key")).unwrap(), before);
}

#[test]
fn minisign_verifies_what_is_signed() {
    for (options, password) in
        [(["--dangerous-unencrypted"].as_slice(), ""), (&["--password-file", "password"], "pässword")]
    {
        let place = with_key(options);
        let options = if password.is_empty() { &[][..] } else { &["--password-file", "-"] };
        let arguments = [&["sign", "--key", "r.key", "m"], options].concat();
        succeeded(&run(place.path(), env!("CARGO_BIN_EXE_plugin-verify"), &arguments, password).unwrap());
        let ours = verified(place.path(), "r.pub", "m.minisig");
        assert!(ours.as_str().ends_with("\tfile:m\thashed"), "{ours}");
        let Some(output) = minisign(place.path(), &["-V", "-p", "r.pub", "-m", "m", "-Q"], "") else { return };
        assert_eq!(stdout(succeeded(&output)).trim_end(), ours.as_str());
    }
}

#[test]
fn minisign_signs_with_a_key_of_ours() {
    for (options, password) in
        [(["--dangerous-unencrypted"].as_slice(), ""), (&["--password-file", "password"], "pässword\n")]
    {
        let place = with_key(options);
        let Some(output) = minisign(place.path(), &["-S", "-s", "r.key", "-m", "m", "-t", "theirs"], password) else {
            return;
        };
        succeeded(&output);
        assert_eq!(verified(place.path(), "r.pub", "m.minisig").as_str(), "theirs");
    }
}

#[test]
fn minisign_keys_and_signatures_interoperate() {
    for (option, password) in [(&["-W"][..], ""), (&[], "pässword\npässword\n")] {
        let place = directory();
        fs::write(place.path().join("m"), MESSAGE).unwrap();
        let arguments = [&["-G", "-p", "t.pub", "-s", "t.key"], option].concat();
        let Some(output) = minisign(place.path(), &arguments, password) else { return };
        succeeded(&output);

        succeeded(&minisign(place.path(), &["-S", "-s", "t.key", "-m", "m", "-t", "theirs"], password).unwrap());
        assert_eq!(verified(place.path(), "t.pub", "m.minisig").as_str(), "theirs");

        let password_from = if password.is_empty() { &[][..] } else { &["--password-file", "-"] };
        let arguments =
            [&["sign", "--force", "--trusted-comment", "ours", "--key", "t.key", "m"], password_from].concat();
        let password = password.lines().next().unwrap_or_default();
        succeeded(&run(place.path(), env!("CARGO_BIN_EXE_plugin-verify"), &arguments, password).unwrap());
        assert_eq!(verified(place.path(), "t.pub", "m.minisig").as_str(), "ours");
        succeeded(&minisign(place.path(), &["-V", "-p", "t.pub", "-m", "m"], "").unwrap());
    }
}

#[test]
fn legacy_minisign_signature_is_refused() {
    let place = unencrypted();
    let Some(output) = minisign(place.path(), &["-S", "-l", "-s", "r.key", "-m", "m"], "") else { return };
    succeeded(&output);
    let error = Signature::read(place.path().join("m.minisig")).unwrap_err().to_string();
    assert!(error.contains("m.minisig:2: legacy signature"), "{error}");
}

#[test]
fn key_id_is_printed_like_minisign() {
    let place = unencrypted();
    let id = PublicKey::read(place.path().join("r.pub")).unwrap().id();
    assert!(fs::read_to_string(place.path().join("r.pub")).unwrap().contains(&id.to_string()));
    let Some(output) = minisign(place.path(), &["-R", "-s", "r.key", "-p", "again.pub"], "") else { return };
    succeeded(&output);
    let theirs = fs::read_to_string(place.path().join("again.pub")).unwrap();
    // minisign leaves leading zeros out.
    let id = id.to_string();
    assert!(theirs.contains(&format!("minisign public key {}\n", id.trim_start_matches('0'))), "{theirs}");
}

#[test]
fn new_password_is_asked_for_twice() {
    let keygen = format!("{} keygen --out t", env!("CARGO_BIN_EXE_plugin-verify"));
    let place = directory();
    let typed = |input: &str| run(place.path(), "script", &["-qec", &keygen, "/dev/null"], input);
    let Some(differ) = typed("hunter2\nhunter3\n") else { return };
    assert!(stdout(&differ).contains("the passwords differ"), "{differ:?}");
    assert!(!place.path().join("t.key").exists());

    let made = typed("hunter2\nhunter2\n").unwrap();
    assert!(stdout(succeeded(&made)).contains("Repeat the password: "), "{made:?}");
    fs::write(place.path().join("m"), MESSAGE).unwrap();
    let arguments = ["sign", "--key", "t.key", "--password-file", "-", "m"];
    succeeded(&run(place.path(), env!("CARGO_BIN_EXE_plugin-verify"), &arguments, "hunter2\n").unwrap());
    verified(place.path(), "t.pub", "m.minisig");
}

#[test]
fn without_a_terminal_a_password_must_be_named() {
    let place = with_key(&["--password-file", "password"]);
    for arguments in [&["keygen", "--out", "q"][..], &["sign", "--key", "r.key", "m"]] {
        let output = Command::new("timeout")
            .args(["60", "setsid", "--wait", env!("CARGO_BIN_EXE_plugin-verify")])
            .args(arguments)
            .stdin(Stdio::null())
            .current_dir(place.path())
            .output()
            .unwrap();
        assert!(stderr(&output).contains("name a file with --password-file"), "{output:?}");
        assert_eq!(output.status.code(), Some(2));
    }
    assert!(!place.path().join("q.key").exists() && !place.path().join("m.minisig").exists());
}

#[test]
fn wrong_password_and_exposed_key_are_named() {
    let place = with_key(&["--password-file", "password"]);
    let sign = |input: &str| {
        let arguments = ["sign", "--key", "r.key", "--password-file", "-", "m"];
        run(place.path(), env!("CARGO_BIN_EXE_plugin-verify"), &arguments, input).unwrap()
    };
    let wrong = sign("password");
    assert_eq!(stderr(&wrong), "plugin-verify: cannot decrypt r.key: the password is wrong or the file is damaged\n");
    fs::set_permissions(place.path().join("r.key"), Permissions::from_mode(0o640)).unwrap();
    let exposed = sign("pässword");
    assert!(stderr(&exposed).starts_with("plugin-verify: r.key has mode 0640, expected 0600"), "{exposed:?}");
    assert_eq!((wrong.status.code(), exposed.status.code()), (Some(2), Some(2)));
    assert!(!place.path().join("m.minisig").exists());
}

#[test]
fn existing_signature_is_replaced_only_by_force() {
    let place = unencrypted();
    let target = place.path().join("m.minisig");
    fs::write(place.path().join("n"), "another").unwrap();
    fs::write(&target, "not to be lost").unwrap();
    let sign =
        |options: &[&str]| plugin_verify(place.path(), "sign").args(["--key", "r.key"]).args(options).output().unwrap();
    let refused = sign(&["m", "missing", "n"]);
    assert_eq!((stdout(&refused), refused.status.code()), ("n: signed in n.minisig\n", Some(2)));
    assert_eq!(stderr(&refused).lines().count(), 2, "{refused:?}");
    assert_eq!(fs::read_to_string(&target).unwrap(), "not to be lost");

    succeeded(&sign(&["--force", "m"]));
    verified(place.path(), "r.pub", "m.minisig");
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 7, "something else was left");
}

#[test]
fn signing_document_has_an_outcome_per_file() {
    let place = unencrypted();
    let hostile = "\u{1b}[2J\nm";
    let output = plugin_verify(place.path(), "sign").args(["--json", "--key", "r.key", "m", hostile]).output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((document["outcome"].as_str(), output.status.code()), (Some("failed"), Some(2)));
    assert_eq!(document["files"][0]["signature_file"], "m.minisig");
    assert_eq!(document["files"][1]["file"], r"\u{1b}[2J\nm");
    assert_eq!(document["files"][1]["outcome"], "failed");
    assert_eq!(stderr(&output), "");

    let none = plugin_verify(place.path(), "sign").args(["--json", "--key", "missing", "m"]).output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&none.stdout).unwrap();
    assert!(document["error"].as_str().unwrap().starts_with("cannot read missing"), "{document}");
    assert_eq!(none.status.code(), Some(2));
}

#[test]
fn trusted_comment_escapes_file_name() {
    let place = unencrypted();
    fs::rename(place.path().join("m"), place.path().join("a\nb")).unwrap();
    succeeded(&plugin_verify(place.path(), "sign").args(["--key", "r.key", "a\nb"]).output().unwrap());
    fs::rename(place.path().join("a\nb"), place.path().join("m")).unwrap();
    let comment = verified(place.path(), "r.pub", "a\nb.minisig");
    assert!(comment.as_str().ends_with("\tfile:a\\nb\thashed"), "{comment}");
}
