//! Our host with our plugin, both as programs: values, exit statuses, and leftovers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use kv::limits::VALUE_BYTES;
use support::{Place, Ran, digest, names, our_host, our_plugin, run, run_with_input, wrong_digest};

/// Our host with our plugin and its correct digest.
fn host(place: &Place) -> Command {
    our_host(place, our_plugin(), digest(our_plugin()))
}

#[track_caller]
fn put(place: &Place, key: &str, value: &[u8]) -> Ran {
    run_with_input(host(place).args(["put", key, "-"]), value)
}

#[track_caller]
fn get(place: &Place, key: &str) -> Ran {
    run(host(place).args(["get", key]))
}

#[test]
fn values_survive_across_launches() {
    let place = Place::new();
    for (key, value) in [("a", "first"), ("b", "other"), ("a", "second")] {
        run(host(&place).args(["put", key, value])).exits_with(0).prints("");
    }
    get(&place, "a").exits_with(0).prints("second");
    get(&place, "b").exits_with(0).prints("other");
}

#[test]
fn value_may_hold_any_bytes() {
    let place = Place::new();
    let value: Vec<u8> = (0..=255).chain(*b"\r\n\0\n").collect();
    put(&place, "binary", &value).exits_with(0);
    get(&place, "binary").exits_with(0).prints(&value);
}

#[test]
fn empty_value_is_stored() {
    let place = Place::new();
    put(&place, "empty", b"").exits_with(0);
    get(&place, "empty").exits_with(0).prints("");
}

#[test]
fn largest_value_is_stored_and_returned() {
    let place = Place::new();
    let value = support::binary(VALUE_BYTES);
    put(&place, "large", &value).exits_with(0);
    get(&place, "large").exits_with(0).prints(&value);
}

#[test]
fn oversized_value_is_rejected_before_launch() {
    let place = Place::new();
    put(&place, "large", &vec![0; VALUE_BYTES + 1])
        .exits_with(2)
        .explains(&[&format!("longer than {VALUE_BYTES} bytes")]);
    assert!(!place.has_a_store());
}

#[test]
fn help_lists_exit_statuses() {
    let help = run(Command::new(env!("CARGO_BIN_EXE_kv-host")).arg("--help")).exits_with(0);
    let text = String::from_utf8(help.stdout).unwrap();
    assert!(text.contains("Exit status: 0 success, 1 refused or not found, 2 failed"), "{text}");
}

#[test]
fn key_without_value_exits_with_1() {
    get(&Place::new(), "nothing").exits_with(1).prints("").explains(&["NotFound"]);
}

#[test]
fn wrong_digest_exits_with_1_without_a_launch() {
    let place = Place::new();
    let ran = run(our_host(&place, our_plugin(), wrong_digest()).args(["get", "a"]));
    ran.exits_with(1)
        .explains(&[&format!("expected {}", wrong_digest()), &format!("actual   {}", digest(our_plugin()))]);
    assert!(!place.has_a_store());
}

#[test]
fn tampered_copy_exits_with_1_without_a_launch() {
    let place = Place::new();
    let copy = place.path().join("kv-plugin");
    fs::copy(our_plugin(), &copy).unwrap();
    // Bytes after the end of an ELF file do not change how it runs.
    OpenOptions::new().append(true).open(&copy).unwrap().write_all(b"\0").unwrap();
    run(our_host(&place, &copy, digest(our_plugin())).args(["get", "a"])).exits_with(1);
    assert!(!place.has_a_store());
    run(our_host(&place, &copy, digest(&copy)).args(["put", "a", "it runs"])).exits_with(0);
}

#[test]
fn script_exits_with_1_despite_matching_digest() {
    let place = Place::new();
    let script = place.path().join("script");
    fs::write(&script, "#!/bin/sh\ntouch it-ran\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    run(our_host(&place, &script, digest(&script)).args(["get", "a"])).exits_with(1).explains(&["script"]);
    assert_eq!(names(&place.data()), [""; 0]);
}

#[test]
fn plugin_of_another_version_exits_with_1() {
    let ran = run(host(&Place::new()).args(["--protocol", "3", "get", "a"]));
    ran.exits_with(1).explains(&["the plugin serves version 1", "this host speaks 3"]);
}

#[test]
fn missing_file_exits_with_2() {
    let place = Place::new();
    let missing = Path::new("/nonexistent/kv-plugin");
    let ran = run(our_host(&place, missing, wrong_digest()).args(["get", "a"]));
    ran.exits_with(2).explains(&["/nonexistent/kv-plugin", "No such file"]);
}

#[test]
fn wrong_cookie_exits_with_2_quoting_the_plugin() {
    for cookie in ["BASIC_PLUGIN=wrong", "OTHER_PLUGIN=hello"] {
        let ran = run(host(&Place::new()).args(["--cookie", cookie, "get", "a"]));
        ran.exits_with(2).explains(&["exit status 1", "This program is a plugin"]);
    }
}

#[test]
fn usage_error_exits_with_2() {
    let place = Place::new();
    let wrong: [&[&str]; 5] = [&[], &["get"], &["drop", "a"], &["--cookie", "a", "get", "a"], &["--sha256", "00"]];
    for arguments in wrong {
        run(host(&place).args(arguments)).exits_with(2).prints("");
    }
    assert!(!place.data().exists(), "the host created its data directory");
}

#[test]
fn other_status_than_not_found_exits_with_2() {
    get(&Place::new(), "").exits_with(2).explains(&["the key is empty", "InvalidArgument"]);
}

#[test]
fn report_states_the_guarantees() {
    let place = Place::new();
    put(&place, "a", b"1");
    let ran = run(host(&place).args(["--report", "get", "a"])).exits_with(0).prints("1");
    ran.explains(&[&digest(our_plugin()).to_string(), "sealed", "checked by", "TLS 1.3"]);
}

#[test]
fn plugin_inherits_no_environment() {
    let ran = run(host(&Place::new()).env("KV_SECRET", "1").args(["--report", "put", "a", "1"])).exits_with(0);
    let names = ran.stderr.lines().find_map(|line| line.strip_prefix("environment")).unwrap();
    for name in names.split(',').map(str::trim) {
        assert!(name == "BASIC_PLUGIN" || name.starts_with("PLUGIN_"), "the plugin inherits {name}");
    }
}

#[test]
fn data_is_private_to_the_user() {
    let place = Place::new();
    put(&place, "a", b"1").exits_with(0);
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
    assert_eq!([mode(&place.data()), mode(&place.data().join("kv.redb"))], [0o700, 0o600]);
}

#[test]
fn success_leaves_nothing_behind() {
    let place = Place::new();
    put(&place, "a", b"1").exits_with(0);
    place.assert_nothing_is_left();
}

#[test]
fn failure_leaves_nothing_behind() {
    let place = Place::new();
    for (arguments, status) in [
        (&["get", "nothing"][..], 1),
        (&["--protocol", "3", "get", "a"], 1),
        (&["--cookie", "BASIC_PLUGIN=wrong", "get", "a"], 2),
    ] {
        run(host(&place).args(arguments)).exits_with(status);
        place.assert_nothing_is_left();
    }
}

#[test]
fn concurrent_hosts_do_not_interfere() {
    // One TMPDIR, as hosts of one user share it.
    let shared = Place::new();
    thread::scope(|scope| {
        for number in 0..4 {
            let shared = &shared;
            scope.spawn(move || {
                let place = Place::new();
                let value = format!("value of host {number}");
                for _ in 0..3 {
                    let run_host =
                        |arguments: &[&str]| run(host(&place).env("TMPDIR", shared.temporary()).args(arguments));
                    run_host(&["put", "same key", &value]).exits_with(0);
                    run_host(&["get", "same key"]).exits_with(0).prints(&value);
                }
            });
        }
    });
    shared.assert_nothing_is_left();
}

#[test]
fn plugin_started_by_hand_explains_itself() {
    for arguments in [&[][..], &["--data", "/nonexistent"], &["--help"], &["nonsense"]] {
        let ran = run(Command::new(our_plugin()).args(arguments)).exits_with(1).prints("");
        ran.explains(&["This program is a plugin", "configure it in its host"]);
    }
}

/// A host takes the end of standard output for the end of the plugin. go-plugin hosts then kill it,
/// so the message must be written before.
#[test]
fn plugin_reports_failure_before_closing_stdout() {
    let place = Place::new();
    let mut plugin = Command::new(our_plugin());
    plugin.env("BASIC_PLUGIN", "hello").arg("--data").arg(place.data()).stdin(Stdio::null());
    let mut child = plugin.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    child.stdout.take().unwrap().read_to_string(&mut line).unwrap();
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("the host sent no certificate"), "{line:?} on stdout, {stderr:?} on stderr");
}
