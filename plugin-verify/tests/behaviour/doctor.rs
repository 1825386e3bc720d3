//! `doctor`: this machine, and machines that lack something.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use serde_json::Value;

use super::machine::Machine;
use super::{Fixture, directory, plugin_verify, stderr, stdout};

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

fn finding(output: &Output, name: &str) -> Value {
    let document = document(output);
    let findings = document["findings"].as_array().unwrap();
    findings.iter().find(|finding| finding["name"] == name).unwrap().clone()
}

#[test]
fn document_has_a_stable_shape() {
    let place = directory();
    let output = plugin_verify(place.path(), "doctor").args(["--json", "--directory", "."]).output().unwrap();
    let document = document(&output);
    assert_eq!(
        [&document["schema"], &document["verb"], &document["outcome"]],
        [&2.into(), &Value::from("doctor"), &"ok".into()]
    );
    let findings = document["findings"].as_array().unwrap();
    let summary: Vec<_> = findings
        .iter()
        .map(|finding| (finding["name"].as_str().unwrap(), finding["required"].as_bool().unwrap()))
        .collect();
    assert_eq!(
        summary,
        [
            ("kernel", true),
            ("sealed-image", true),
            ("sealed-mode", false),
            ("exec-by-descriptor", true),
            ("closed-descriptors", true),
            ("process-handle", true),
            ("no-new-privileges", true),
            ("peer-identity", false),
            ("private-directory", true),
            ("private-copy", false),
            ("ordinary-user", false),
            ("restricted-tracing", false),
            ("landlock", false),
            ("seccomp", false),
            ("user-namespaces", false),
            ("control-groups", false),
            ("file-integrity", false),
            ("plugin-mount", true),
            ("plugin-directory", false),
        ]
    );
    for finding in findings {
        let members: Vec<_> = finding.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["advice", "evidence", "name", "purpose", "required", "state"]);
        assert!(["given", "partly", "missing", "unknown"].contains(&finding["state"].as_str().unwrap()), "{finding}");
        assert_eq!(finding["advice"].is_null(), finding["state"] == "given", "{finding}");
    }
}

#[test]
fn table_matches_findings_and_has_a_verdict() {
    let place = directory();
    let output = plugin_verify(place.path(), "doctor").output().unwrap();
    let table = stdout(&output);
    assert!(table.starts_with("given    required  kernel              Linux "), "{table}");
    assert!(table.contains("\n                   for  the bytes that were hashed are the bytes that run\n"), "{table}");
    assert!(table.ends_with("\nthis machine gives every required guarantee\n"), "{table}");
    assert_eq!((stderr(&output), output.status.code()), ("", Some(0)));
}

#[test]
fn machine_without_memory_execution_lacks_a_guarantee() {
    let fixture = Fixture::new();
    let Some(machine) = Machine::without_executable_memory(&fixture) else { return };
    let output = machine.run(r#"exec "$PLUGIN_VERIFY" doctor --json"#);
    let finding = finding(&output, "sealed-image");
    assert_eq!(
        [&finding["state"], &finding["evidence"]],
        ["missing", "vm.memfd_noexec is 2; executable memory is forbidden"]
    );
    assert_eq!((&document(&output)["outcome"], output.status.code()), (&"refused".into(), Some(1)));
}

#[test]
fn plugin_directory_on_noexec_mount_is_reported() {
    let fixture = Fixture::new();
    let Some(machine) = Machine::with_noexec_mount(&fixture) else { return };
    let output = machine.run(r#"exec "$PLUGIN_VERIFY" doctor --directory mount --json"#);
    let finding = finding(&output, "plugin-mount");
    assert_eq!([&finding["state"], &finding["evidence"]], ["missing", "the mount of mount has the option noexec"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn noexec_matters_only_for_required_private_copies() {
    let fixture = Fixture::new();
    let Some(machine) = Machine::with_noexec_mount(&fixture) else { return };
    let examined = |options: &str| {
        let output = machine.run(&format!(r#"TMPDIR="$PWD/mount" exec "$PLUGIN_VERIFY" doctor --json {options}"#));
        let finding = finding(&output, "private-copy");
        (finding["state"].clone(), finding["required"].clone(), output.status.code())
    };
    let (state, required, _) = examined("");
    assert_eq!((state, required), ("missing".into(), false.into()));
    assert_eq!(examined("--require private-copy"), ("missing".into(), true.into(), Some(1)));
}

#[test]
fn doctor_names_directory_writable_by_others() {
    let place = directory();
    fs::set_permissions(place.path(), Permissions::from_mode(0o770)).unwrap();
    let run = |options: &[&str]| {
        plugin_verify(place.path(), "doctor").args(["--directory", "."]).args(options).output().unwrap()
    };
    let found = finding(&run(&["--json"]), "plugin-directory");
    assert_eq!(found["state"], "missing");
    let named = format!("owns {} and its mode is 0770", place.path().canonicalize().unwrap().display());
    assert!(found["evidence"].as_str().unwrap().contains(&named), "{found}");

    let optional = run(&[]);
    assert!(stdout(&optional).contains(&named) && stdout(&optional).contains("chmod go-w"), "{optional:?}");
    assert_eq!(optional.status.code(), Some(0));
    assert_eq!(run(&["--require", "plugin-directory"]).status.code(), Some(1));
}

#[test]
fn undetermined_guarantee_is_no_verdict() {
    let place = directory();
    let output = plugin_verify(place.path(), "doctor").args(["--json", "--directory", "\u{1b}[2J"]).output().unwrap();
    let found = finding(&output, "plugin-mount");
    assert_eq!((&found["state"], output.status.code()), (&"unknown".into(), Some(2)));
    assert_eq!(found["evidence"], r"\u{1b}[2J: No such file or directory (os error 2)");
}
