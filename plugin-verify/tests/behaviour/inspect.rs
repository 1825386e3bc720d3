//! `inspect`: its output for real programs, as text and as JSON, and of files that are there to do
//! harm.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use serde_json::Value;

use super::{Fixture, directory, plugin_verify, stderr, stdout};

fn inspect(fixture: &Fixture, arguments: &[&str]) -> Output {
    plugin_verify(fixture.path(), "inspect").args(arguments).output().unwrap()
}

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

fn warnings(file: &Value) -> Vec<&str> {
    file["warnings"].as_array().unwrap().iter().map(|warning| warning["name"].as_str().unwrap()).collect()
}

#[test]
fn program_is_described_under_its_name() {
    let fixture = Fixture::new();
    let output = inspect(&fixture, &["plugin"]);
    assert_eq!((stderr(&output), output.status.code()), ("", Some(0)));
    let text = stdout(&output);
    assert!(text.starts_with("plugin:\n  location     /"), "{text}");
    assert!(text.contains(&format!("\n  digest       sha256 {}\n", fixture.sha256)), "{text}");
    assert!(text.contains("\n  kind         position-independent program, dynamic\n  interpreter  /"), "{text}");
    assert!(text.contains("\n  policy       runs it if the digest is allowed\n  warning: "), "{text}");
    assert!(text.ends_with('\n') && !text.contains("\n\n"), "{text}");
}

#[test]
fn several_files_make_one_document() {
    let fixture = Fixture::new();
    fs::write(fixture.path().join("notes"), "text").unwrap();
    let output = inspect(&fixture, &["--json", "plugin", "notes", "missing"]);
    assert_eq!((stderr(&output), output.status.code()), ("", Some(2)));
    let document = document(&output);
    assert_eq!((&document["verb"], &document["outcome"]), (&"inspect".into(), &"failed".into()));
    let [plugin, notes, missing] = &document["files"].as_array().unwrap()[..] else {
        panic!("{document}");
    };
    assert_eq!(plugin["sha256"], fixture.sha256.as_str());
    assert_eq!(plugin["elf"]["kind"], "pie");
    assert_eq!(plugin["elf"]["native"], true);
    assert_eq!(plugin["elf"]["interpreter"], plugin["interpreter"]["path"]);
    assert!(
        plugin["elf"]["needed"].as_array().unwrap().iter().any(|name| name.as_str().unwrap().starts_with("libc.so"))
    );
    assert!(warnings(plugin).contains(&"loaded-at-start"));
    assert_eq!((&notes["format"], &notes["elf"]), (&"text".into(), &Value::Null));
    assert!(missing["error"].as_str().unwrap().starts_with("cannot inspect missing"), "{missing}");
}

#[test]
fn text_and_json_warn_of_the_same() {
    let fixture = Fixture::new();
    fs::set_permissions(&fixture.plugin, Permissions::from_mode(0o4777)).unwrap();
    std::os::unix::fs::symlink("plugin", fixture.path().join("link")).unwrap();
    let document = document(&inspect(&fixture, &["--json", "link"]));
    let file = &document["files"][0];
    for name in ["link", "writable", "set-id"] {
        assert!(warnings(file).contains(&name), "{file}");
    }
    let text = inspect(&fixture, &["link"]);
    let told: Vec<_> = stdout(&text).lines().filter_map(|line| line.strip_prefix("  warning: ")).collect();
    let texts = file["warnings"].as_array().unwrap().iter().map(|warning| warning["text"].as_str().unwrap());
    assert_eq!(told, texts.collect::<Vec<_>>());
}

#[test]
fn fifo_does_not_block_other_files() {
    let fixture = Fixture::new();
    assert!(Command::new("mkfifo").arg(fixture.path().join("fifo")).status().unwrap().success());
    let output = inspect(&fixture, &["fifo", "plugin"]);
    assert_eq!(
        (stderr(&output), output.status.code()),
        ("plugin-verify: fifo is a FIFO, not a regular file\n", Some(2))
    );
    assert!(stdout(&output).starts_with("plugin:\n"));
}

#[test]
fn names_are_shown_escaped_in_both_forms() {
    let fixture = Fixture::named(OsStr::from_bytes(b"pl\xff\x1b[2J\nugin"));
    for arguments in [&[][..], &["--json"]] {
        let name = fixture.plugin.file_name().unwrap();
        let output = plugin_verify(fixture.path(), "inspect").args(arguments).arg(name).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert!(!output.stdout.contains(&0x1b) && !output.stdout.contains(&0xff));
        let shown = if arguments.is_empty() { r"pl\xff\u{1b}[2J\nugin" } else { r"pl\\xff\\u{1b}[2J\\nugin" };
        assert!(stdout(&output).contains(shown), "{}", stdout(&output));
    }
}

#[test]
fn huge_file_is_inspected_quickly() {
    let place = directory();
    fs::File::create(place.path().join("huge")).unwrap().set_len(1 << 42).unwrap();
    let output = plugin_verify(place.path(), "inspect").args(["--json", "huge"]).output().unwrap();
    let document = document(&output);
    assert_eq!((&document["files"][0]["sha256"], output.status.code()), (&Value::Null, Some(0)));
    assert_eq!(warnings(&document["files"][0])[0], "not-hashed");
}
