//! The audit log of kv-host: its records, and the effect of a log that cannot be written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use portcullis::audit::LogKey;
use portcullis::audit::verifier::{TrustAnchors, VerificationReport, verify_lines};
use portcullis::event::{Event, VerificationVerdict};
use support::serving::Serving;
use support::{Place, digest, our_host, our_plugin, run, wrong_digest};

/// A value that must not occur in the log.
const CANARY: &str = "a confidential value";

fn host(place: &Place) -> Command {
    our_host(place, our_plugin(), digest(our_plugin()))
}

fn log(place: &Place) -> PathBuf {
    place.path().join("data-audit/log")
}

/// `kv-host audit` on the log of this test.
fn audit(place: &Place) -> Command {
    let mut host = Command::new(env!("CARGO_BIN_EXE_kv-host"));
    host.current_dir(place.path()).arg("--data").arg(place.data()).arg("audit");
    host
}

fn key(place: &Place) -> LogKey {
    LogKey::read(place.path().join("data-audit/log.key")).unwrap()
}

fn events(place: &Place) -> (VerificationReport, Vec<Event>) {
    let mut events = Vec::new();
    let trust = TrustAnchors::none().key(key(place).verifier().clone());
    let found = verify_lines(log(place), &trust, |_, record| events.extend(record.and_then(|record| record.event())));
    (found.unwrap(), events)
}

#[test]
fn log_records_every_step_without_values() {
    let place = Place::new();
    run(host(&place).args(["put", "greeting", CANARY])).exits_with(0);
    let (found, events) = events(&place);
    assert!(found.is_intact(), "{found:?}");
    let kinds: Vec<_> = events.iter().map(Event::kind).collect();
    let expected = ["opened", "verification", "launch", "handshake", "connection", "ready", "call", "returned"];
    assert_eq!(kinds[..expected.len()], expected);
    let end = &kinds[expected.len()..];
    assert!(end.contains(&"exit") && end.contains(&"shutdown") && end.ends_with(&["closed", "checkpoint"]), "{end:?}");
    let key = key(&place);
    let called = events.iter().find_map(|event| match event {
        Event::Call(call) => Some(call),
        _ => None,
    });
    let arguments = &called.unwrap().arguments;
    assert_eq!(arguments["key"], key.keyed_hash(b"greeting"));
    assert_eq!(arguments["value"], key.keyed_hash(CANARY.as_bytes()));
    let returned = events.iter().any(|event| matches!(event, Event::Returned(returned) if returned.outcome == "OK"));
    assert!(returned);
    let text = fs::read_to_string(log(&place)).unwrap();
    assert!(!text.contains(CANARY) && !text.contains("greeting"));
    assert_eq!((found.totals.open_calls().count(), found.totals.open_launches().count()), (0, 0));
}

#[test]
fn refusal_is_recorded_with_its_reason() {
    let place = Place::new();
    run(our_host(&place, our_plugin(), wrong_digest()).args(["get", "a"])).exits_with(1);
    let (_, events) = events(&place);
    let refused = events.iter().find_map(|event| match event {
        Event::Verification(verification) => Some(verification),
        _ => None,
    });
    let refused = refused.unwrap();
    assert_eq!(refused.verdict, VerificationVerdict::Refused);
    assert!(refused.reason.as_ref().unwrap().contains(&wrong_digest().to_string()));
    assert!(!events.iter().any(|event| event.kind() == "launch"));
}

#[test]
fn audit_show_finds_calls_about_a_key() {
    let place = Place::new();
    run(host(&place).args(["put", "a", "1"])).exits_with(0);
    run(host(&place).args(["put", "b", "2"])).exits_with(0);
    run(host(&place).args(["get", "a"])).exits_with(0);
    run(audit(&place).arg("verify")).exits_with(0);
    let shown = |arguments: &[&str]| {
        String::from_utf8(run(audit(&place).arg("show").args(arguments)).exits_with(0).stdout).unwrap()
    };
    assert_eq!(shown(&[]).lines().count(), 6);
    let about = shown(&["--of", "a"]);
    assert_eq!(about.lines().count(), 4, "{about}");
    assert!(about.contains("Store/Put") && about.contains("Store/Get") && about.contains("OK"), "{about}");
    assert_eq!(shown(&["--of", "c"]), "");
}

#[test]
fn changed_or_truncated_log_exits_with_1() {
    let place = Place::new();
    run(host(&place).args(["put", "a", "1"])).exits_with(0);
    let text = fs::read_to_string(log(&place)).unwrap();
    fs::write(log(&place), text.replacen("\"outcome\":\"OK\"", "\"outcome\":\"NO\"", 1)).unwrap();
    run(audit(&place).arg("verify")).exits_with(1).explains(&["damaged at record 7"]);
    run(host(&place).args(["get", "a"])).exits_with(2).explains(&["the record was changed"]);
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    fs::write(log(&place), lines[..lines.len() - 2].concat()).unwrap();
    run(audit(&place).arg("verify")).exits_with(1).explains(&["the log was truncated"]);
    fs::remove_file(log(&place)).unwrap();
    run(audit(&place).arg("verify")).exits_with(2);
}

#[test]
fn unrecordable_action_does_not_happen() {
    let place = Place::new();
    run(host(&place).args(["put", "a", "before"])).exits_with(0);
    // The host refuses a log that others may read.
    fs::set_permissions(log(&place), Permissions::from_mode(0o644)).unwrap();
    run(host(&place).args(["put", "a", "after"])).exits_with(2).explains(&["mode 0600"]);
    fs::set_permissions(log(&place), Permissions::from_mode(0o600)).unwrap();
    run(host(&place).args(["get", "a"])).exits_with(0).prints("before");
    // A file size limit acts like a full disk: kv-host cannot write one more byte.
    let length = fs::metadata(log(&place)).unwrap().len();
    let limited = |arguments: &[&str]| {
        let mut limited = Command::new("bash");
        let host = host(&place);
        // SIGXFSZ is ignored, so that write(2) fails as on a full disk.
        let script = format!("trap '' XFSZ; exec prlimit --fsize={length} \"$@\"");
        limited.args(["-c", &script, "bash"]).arg(host.get_program()).args(host.get_args()).args(arguments);
        limited.current_dir(place.path()).env("TMPDIR", place.temporary());
        run(&mut limited)
    };
    limited(&["put", "a", "after"]).exits_with(2).explains(&["cannot write the first record"]);
    run(host(&place).args(["get", "a"])).exits_with(0).prints("before");
    assert!(events(&place).0.is_intact());
}

#[test]
fn log_location_excludes_data_and_plugin_directories() {
    let place = Place::new();
    let other = place.path().join("elsewhere");
    run(host(&place).arg("--audit").arg(&other).args(["put", "a", "1"])).exits_with(0);
    assert!(other.exists() && place.path().join("elsewhere.key").exists() && !log(&place).exists());
    let inside = place.data().join("log");
    run(host(&place).arg("--audit").arg(&inside).args(["get", "a"])).exits_with(2).explains(&["must not be in"]);
    assert!(!inside.exists());
    let plugins = place.path().join("plugins");
    fs::create_dir(&plugins).unwrap();
    let copy = plugins.join("kv-plugin");
    fs::copy(our_plugin(), &copy).unwrap();
    let mut host = our_host(&place, &copy, digest(&copy));
    run(host.arg("--audit").arg(plugins.join("log")).args(["get", "a"])).exits_with(2).explains(&["must not be in"]);
}

#[test]
fn log_records_best_effort_mode() {
    let place = Place::new();
    run(host(&place).args(["--audit-best-effort", "put", "a", "1"])).exits_with(0);
    let (found, events) = events(&place);
    assert!(found.is_intact());
    assert!(matches!(&events[0], Event::Opened(opened) if opened.mode == "best effort"));
    assert!(events.iter().any(|event| event.kind() == "returned"));
}

#[test]
fn serving_host_records_callers_and_excludes_other_writers() {
    let place = Place::new();
    let serving = Serving::start(&place);
    serving.call(&["put", "a", "1"]).exits_with(0);
    serving.call(&["get", "a"]).exits_with(0).prints("1");
    serving.call(&["get", "none"]).exits_with(1);
    run(host(&place).args(["get", "a"])).exits_with(2).explains(&["another writer"]);
    run(audit(&place).arg("verify")).exits_with(0);
    serving.signal(rustix::process::Signal::TERM);
    assert_eq!(serving.ended().0, Some(0));
    let (found, events) = events(&place);
    assert!(found.is_intact());
    let count = |kind: &str| events.iter().filter(|event| event.kind() == kind).count();
    assert_eq!((count("application"), count("call"), count("returned")), (3, 3, 3));
    let user = rustix::process::geteuid().as_raw().to_string();
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::Application(it) if it.name == "kv.caller" && it.facts["user"] == user))
    );
}

#[test]
fn log_of_a_killed_host_continues() {
    let place = Place::new();
    let serving = Serving::start(&place);
    serving.call(&["put", "a", "1"]).exits_with(0);
    serving.signal(rustix::process::Signal::KILL);
    serving.ended();
    // As if the kill had hit in the middle of a record.
    OpenOptions::new().append(true).open(log(&place)).unwrap().write_all(b"{\"v\":1,\"seq\":").unwrap();
    run(audit(&place).arg("verify")).exits_with(0).explains(&["incomplete"]);
    run(host(&place).args(["get", "a"])).exits_with(0).prints("1");
    let (found, _) = events(&place);
    assert!(found.is_intact(), "{found:?}");
    assert_eq!((found.totals.torn, found.totals.open_launches().count()), (1, 1));
}
