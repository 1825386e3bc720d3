//! `check`: its verdicts on real programs, and on files that are there to do harm.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use super::{Fixture, directory, plugin_verify, skipped, stderr, stdout};

fn assert_verdict(output: &Output, exit: i32, expected: &str) {
    assert_eq!((stdout(output), output.status.code()), (expected, Some(exit)), "{}", stderr(output));
}

#[test]
fn program_verifies_with_digest_of_sha256sum() {
    let fixture = Fixture::new();
    let output = fixture.check().arg("plugin").output().unwrap();
    let size = fs::metadata(&fixture.plugin).unwrap().len();
    let by = "by     the policy, which names its digest";
    let verdict = format!("plugin: OK\n  sha256 {}\n  size   {size} bytes\n  image  sealed\n  {by}\n", fixture.sha256);
    assert_verdict(&output, 0, &verdict);
    assert_eq!(stderr(&output), "");
}

#[test]
fn program_with_one_flipped_bit_is_refused() {
    let fixture = Fixture::new();
    let mut bytes = fs::read(&fixture.plugin).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&fixture.plugin, bytes).unwrap();
    let (expected, actual) = (&fixture.sha256, super::sha256(&fixture.plugin));
    let verdict = format!("plugin: REFUSED\n  SHA-256 mismatch\n  expected {expected}\n  actual   {actual}\n");
    assert_verdict(&fixture.check().arg("plugin").output().unwrap(), 1, &verdict);
}

#[test]
fn private_copy_is_reported_and_removed() {
    let fixture = Fixture::new();
    let copies = directory();
    let output = fixture.check().arg("--private-copy").arg(copies.path()).arg("plugin").output().unwrap();
    assert!(stdout(&output).contains("\n  image  private copy\n"), "{output:?}");
    assert_eq!(fs::read_dir(copies.path()).unwrap().count(), 0);
}

#[test]
fn refused_private_copy_is_removed() {
    let fixture = Fixture::new();
    fs::write(&fixture.plugin, "tampered").unwrap();
    let copies = directory();
    let output = fixture.check().arg("--private-copy").arg(copies.path()).arg("plugin").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(fs::read_dir(copies.path()).unwrap().count(), 0);
}

#[test]
fn non_utf8_names_are_found_and_escaped() {
    let name = OsStr::from_bytes(b"pl\xffgin");
    let fixture = Fixture::named(name);
    let copies = fixture.path().join(OsStr::from_bytes(b"c\xffpies"));
    fs::create_dir(&copies).unwrap();
    let output = fixture.check().arg(name).arg("--private-copy").arg(copies).output().unwrap();
    assert_eq!((stdout(&output).lines().next(), output.status.code()), (Some(r"pl\xffgin: OK"), Some(0)), "{output:?}");
}

#[test]
fn displayed_name_cannot_forge_terminal_output() {
    let name = "\u{1b}[2J\nplugin: OK\n";
    let escaped = r"\u{1b}[2J\nplugin: OK\n";
    let fixture = Fixture::named(name);
    let verified = fixture.check().arg(name).output().unwrap();
    assert_eq!(stdout(&verified).lines().next(), Some(format!("{escaped}: OK").as_str()));

    fs::write(&fixture.plugin, "tampered").unwrap();
    let refused = fixture.check().arg(name).output().unwrap();
    assert_eq!(stdout(&refused).lines().next(), Some(format!("{escaped}: REFUSED").as_str()));

    fs::remove_file(&fixture.plugin).unwrap();
    let missing = fixture.check().arg(name).output().unwrap();
    assert_eq!(
        stderr(&missing),
        format!(
            "plugin-verify: {escaped} could not be checked: opening it failed: No such file or directory (os error 2)\n"
        )
    );
}

#[test]
fn missing_copies_directory_is_displayed_escaped() {
    let fixture = Fixture::new();
    let output = fixture.check().args(["--private-copy", "\u{1b}[2J\nplugin: OK", "plugin"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(!stderr(&output).contains('\u{1b}'), "{output:?}");
    assert_eq!(stderr(&output).lines().count(), 1, "{output:?}");
}

#[test]
fn fifo_is_refused_without_blocking() {
    let fixture = Fixture::new();
    assert!(Command::new("mkfifo").args(["-m", "755", "fifo"]).current_dir(fixture.path()).status().unwrap().success());
    let output = fixture.check().arg("fifo").output().unwrap();
    assert_verdict(&output, 1, "fifo: REFUSED\n  it is a FIFO, not a regular file\n");
}

#[test]
fn sparse_tebibyte_file_is_refused_uncopied() {
    let fixture = Fixture::new();
    if let Err(error) = File::options().write(true).open(&fixture.plugin).unwrap().set_len(1 << 40) {
        return skipped(format_args!("this file system holds no file of 1 TiB: {error}"));
    }
    // Whoever writes one byte to a file, in memory or on disk, is killed.
    let output = Command::new("timeout")
        .args(["60", "sh", "-c", r#"ulimit -f 0 && exec "$0" check --sha256 "$1" plugin"#])
        .args([env!("CARGO_BIN_EXE_plugin-verify"), &fixture.sha256])
        .current_dir(fixture.path())
        .output()
        .unwrap();
    assert_verdict(&output, 1, "plugin: REFUSED\n  it is larger than the limit of 1073741824 bytes\n");
}

#[test]
fn refusal_prints_a_hint() {
    let fixture = Fixture::new();
    let hint = |digest: &str| {
        let output = plugin_verify(fixture.path(), "check").args(["--sha256", digest, "plugin"]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        stderr(&output).to_owned()
    };
    fs::set_permissions(&fixture.plugin, Permissions::from_mode(0o4755)).unwrap();
    assert!(hint(&fixture.sha256).contains("hint: a plugin runs with the rights of its host: remove the bits"));

    fs::set_permissions(&fixture.plugin, Permissions::from_mode(0o755)).unwrap();
    let mut other_word_size = fs::read(&fixture.plugin).unwrap();
    other_word_size[4] ^= 3;
    fs::write(&fixture.plugin, other_word_size).unwrap();
    assert!(hint(&super::sha256(&fixture.plugin)).contains("hint: get the build of the plugin for this machine"));
}

#[test]
fn non_text_digest_is_a_usage_error() {
    let digest = OsStr::from_bytes(b"\xff\x1b[2J");
    let output = plugin_verify(directory().path(), "check").arg("--sha256").arg(digest).arg("plugin").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).starts_with("error: invalid UTF-8 was detected"), "{output:?}");
}

#[test]
fn worst_verdict_is_the_exit_status() {
    let fixture = Fixture::new();
    let other = fixture.path().join("other");
    fs::copy(&fixture.plugin, &other).unwrap();
    let both = fixture.check().args(["plugin", "other"]).output().unwrap();
    assert_eq!((stdout(&both).matches(": OK\n").count(), both.status.code()), (2, Some(0)), "{both:?}");

    fs::write(&other, "tampered").unwrap();
    let refused = fixture.check().args(["other", "plugin"]).output().unwrap();
    assert!(
        stdout(&refused).starts_with("other: REFUSED\n") && stdout(&refused).contains("\nplugin: OK\n"),
        "{refused:?}"
    );
    assert_eq!(refused.status.code(), Some(1));
    // After a verdict on the right bytes, the next file is looked at all the same.
    let refused = fixture.check().args(["plugin", "other"]).output().unwrap();
    assert!(stdout(&refused).contains("\nother: REFUSED\n"), "{refused:?}");

    let failed = fixture.check().args(["missing", "other", "plugin"]).output().unwrap();
    assert_eq!(failed.status.code(), Some(2));
    assert!(stdout(&failed).contains("plugin: OK\n"), "{failed:?}");
}

#[test]
fn last_verdict_counts_despite_closed_pipe() {
    let fixture = Fixture::new();
    fs::write(fixture.path().join("other"), "tampered").unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = fixture.check().args(["plugin", "other"]).stdout(writer).status().unwrap();
    assert_eq!(status.code(), Some(1));
}

#[test]
fn sha256sum_list_gives_each_required_digest() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.path().join("bin")).unwrap();
    fs::copy(&fixture.plugin, fixture.path().join("bin/a\nb")).unwrap();
    let sums = Command::new("sha256sum").args(["plugin", "bin/a\nb"]).current_dir(fixture.path()).output().unwrap();
    fs::write(fixture.path().join("SUMS"), sums.stdout).unwrap();
    let check =
        |files: &[&str]| plugin_verify(fixture.path(), "check").args(["--sums", "SUMS"]).args(files).output().unwrap();
    let both = check(&["./plugin", "bin/a\nb"]);
    assert_eq!((stdout(&both).matches(": OK\n").count(), both.status.code()), (2, Some(0)), "{both:?}");

    fs::write(&fixture.plugin, "tampered").unwrap();
    let tampered = check(&["plugin"]);
    assert!(stdout(&tampered).starts_with("plugin: REFUSED\n  SHA-256 mismatch\n"), "{tampered:?}");
    let unlisted = check(&["other"]);
    assert_verdict(
        &unlisted,
        1,
        "other: REFUSED\n  no source of the policy accepts it\n  the checksum file SUMS does not list it\n",
    );
}

#[test]
fn check_document_has_an_entry_per_file() {
    let fixture = Fixture::new();
    fs::write(fixture.path().join("other"), "tampered").unwrap();
    fs::set_permissions(fixture.path().join("other"), Permissions::from_mode(0o755)).unwrap();
    let output = fixture.check().args(["--json", "plugin", "other", "mis\nsing"]).output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((document["outcome"].as_str(), output.status.code()), (Some("failed"), Some(2)));
    let files = &document["files"];
    assert_eq!(
        (files[0]["outcome"].as_str(), files[0]["sha256"].as_str()),
        (Some("ok"), Some(fixture.sha256.as_str()))
    );
    assert_eq!((files[0]["image"].as_str(), files[1]["outcome"].as_str()), (Some("sealed"), Some("refused")));
    assert!(files[1]["reason"].as_str().unwrap().contains(&fixture.sha256), "{document}");
    assert_eq!((files[2]["file"].as_str(), files[2]["outcome"].as_str()), (Some(r"mis\nsing"), Some("failed")));
    assert_eq!(stderr(&output), "");
}

#[test]
fn relative_name_is_displayed_with_plugin_directory() {
    let fixture = Fixture::new();
    let installed = fixture.path().canonicalize().unwrap().join("installed");
    fs::create_dir(&installed).unwrap();
    fs::copy(&fixture.plugin, installed.join("plugin")).unwrap();
    let text = format!(
        "format = \"portcullis-policy/1\"\ndirectory = \"{}\"\nallow = [\"{}\"]\n",
        installed.display(),
        fixture.sha256
    );
    fs::write(fixture.path().join("policy.toml"), text).unwrap();
    for (path, mode) in [("installed", 0o755), ("installed/plugin", 0o755), ("policy.toml", 0o644)] {
        fs::set_permissions(fixture.path().join(path), Permissions::from_mode(mode)).unwrap();
    }
    // The file of that name in the working directory is another one, and nothing is said of it.
    fs::write(&fixture.plugin, "tampered").unwrap();
    let check = |form: &[&str]| {
        let mut check = plugin_verify(fixture.path(), "check");
        check.args(["--policy", "policy.toml"]).args(form).arg("plugin").output().unwrap()
    };
    let output = check(&[]);
    assert!(stdout(&output).contains(&format!("\n  in     {}\n", installed.display())), "{output:?}");
    let document: serde_json::Value = serde_json::from_slice(&check(&["--json"]).stdout).unwrap();
    assert_eq!(document["files"][0]["directory"].as_str(), installed.to_str(), "{document}");
}
