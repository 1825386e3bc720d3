//! The program's files: under any umask, on a full disk, and against keys that others may read.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::{certs_tooling, directory, stderr, stdout};

fn names(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn modes_do_not_depend_on_the_umask() {
    let place = directory();
    for umask in ["0000", "0077", "0777"] {
        let script = format!("umask {umask}; \"$0\" auto-mtls --out {umask}");
        fs::create_dir(place.path().join(umask)).unwrap();
        let program = env!("CARGO_BIN_EXE_certs-tooling");
        let output = Command::new("sh").args(["-c", &script, program]).current_dir(place.path()).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let mode = |name| fs::metadata(place.path().join(umask).join(name)).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode("auto-mtls-key.pem"), mode("auto-mtls.pem")), (0o600, 0o644), "umask {umask}");
    }
}

#[test]
fn full_disk_leaves_no_partial_file() {
    let place = directory();
    let run = |limit: &str| {
        // The limit on the size of a file is a disk that is full in the middle of one. Its signal
        // would kill before the error is seen.
        let arguments = ["--ignore-signal=XFSZ", "prlimit", limit, env!("CARGO_BIN_EXE_certs-tooling")];
        Command::new("env")
            .args(arguments)
            .args(["ca", "new", "--out", "pki"])
            .current_dir(place.path())
            .output()
            .unwrap()
    };
    // In the middle of the key, and after it in the middle of the certificate.
    for (limit, file) in [("--fsize=100", "pki/ca-key.pem"), ("--fsize=300", "pki/ca.pem")] {
        let output = run(limit);
        let expected = format!("certs-tooling: cannot write {file}: File too large (os error 27)\n");
        assert_eq!((stderr(&output), output.status.code()), (expected.as_str(), Some(2)));
        assert_eq!(names(place.path()), [""; 0]);
    }
    assert!(run("--fsize=100000").status.success());
    assert_eq!(names(&place.path().join("pki")), ["ca-key.pem", "ca.pem"]);
}

#[test]
fn ca_with_exposed_key_issues_nothing() {
    let place = directory();
    let made = certs_tooling(place.path()).args(["ca", "new", "--out", "pki"]).output().unwrap();
    assert!(made.status.success(), "{}", stderr(&made));
    let issue = || {
        let arguments = ["host", "issue", "--ca", "pki", "--out", "out", "--name", "host"];
        certs_tooling(place.path()).args(arguments).output().unwrap()
    };
    let key = place.path().join("pki/ca-key.pem");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let output = issue();
    let complaint = "certs-tooling: pki/ca-key.pem holds a key that other users may read \
                     (mode 0640, expected 0600); replace the key\n";
    assert_eq!((stderr(&output), stdout(&output), output.status.code()), (complaint, "", Some(2)));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(issue().status.success());
}

#[test]
fn json_failure_is_one_document() {
    let place = directory();
    let arguments = ["plugin", "issue", "--ca", "none\u{1b}[2J", "--out", "out", "--name", "kv", "--json"];
    let output = certs_tooling(place.path()).args(arguments).output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&document["verb"], &document["outcome"]), (&"plugin issue".into(), &"failed".into()));
    let error = document["error"].as_str().unwrap();
    assert!(error.starts_with(r"cannot read none\u{1b}[2J/ca.pem: "), "{error}");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(names(place.path()), [""; 0]);
}
