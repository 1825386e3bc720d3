//! Full disks: a file system of 2 MiB, and a file that may not grow.

use std::fs::{File, remove_file};
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use portcullis::audit::{Log, LogError};
use portcullis::event::{Recorder, Reservation};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::support::*;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Writes to a file until not one more byte fits.
fn occupy(path: &Path) {
    let mut file = File::create(path).unwrap();
    for size in [4096, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}

/// Appends events until one is rejected. Returns the names of the accepted ones.
fn append_until_refused(log: &Log, prefix: &str) -> (Vec<String>, std::io::ErrorKind) {
    let mut names = Vec::new();
    loop {
        let name = format!("{prefix} {}", names.len());
        match log.append(event(&name)) {
            Ok(()) => names.push(name),
            Err(LogError::Write(error)) => return (names, error.kind()),
            Err(error) => panic!("unexpected error: {error}"),
        }
    }
}

/// Begins 40 actions, fills the disk, records their outcomes, frees space and continues.
pub fn fill(place: &Path) {
    let log = builder(place).rotate_at(16 * 1024).open().unwrap();
    assert!(log.status().preallocates, "this file system supports reservations");
    let recorder: Arc<dyn Recorder> = Arc::new(log.clone());
    let reserve = |name: &str| block_on(Reservation::new(&recorder, event(name), None));
    let mut reservations = Vec::new();
    for number in 0..40 {
        reservations.push(reserve(&format!("intent {number}")).unwrap());
    }
    occupy(&place.join("occupied"));
    let (mut names, kind) = append_until_refused(&log, "plain");
    assert_eq!(kind, std::io::ErrorKind::StorageFull);
    // Rejected records must not use up the reserved space.
    for _ in 0..200 {
        assert!(log.append(event("refused")).is_err());
        assert!(reserve("refused").is_err());
    }
    // Three pages: enough to begin another file of the log, but not to continue it. The log must
    // stay in the full file.
    let occupied = File::options().write(true).open(place.join("occupied")).unwrap();
    occupied.set_len(occupied.metadata().unwrap().len() - 3 * 4096).unwrap();
    for (number, reservation) in reservations.into_iter().enumerate() {
        if number == 35 {
            (0..200).for_each(|_| log.note(event("note")));
        }
        block_on(reservation.redeem(event(&format!("outcome {number}")))).unwrap();
        names.extend([format!("intent {number}"), format!("outcome {number}")]);
    }
    remove_file(place.join("occupied")).unwrap();
    names.extend(append_after(&log));
    log.close().unwrap();
    println!("{}", names.join("\n"));
}

/// Appends after space was freed.
fn append_after(log: &Log) -> Vec<String> {
    let names: Vec<_> = (0..100).map(|number| format!("after {number}")).collect();
    names.iter().for_each(|name| log.append(event(name)).unwrap());
    names
}

pub fn full_disk_still_records_reserved_outcomes() {
    let place = place();
    let mount = place.path().join("mount");
    std::fs::create_dir(&mount).unwrap();
    // In a user namespace without root's id, `/` belongs to an unmapped user, and the log refuses
    // every directory below it.
    let script = r#"[ "$(stat -c %u /)" = 0 ] && mount -t tmpfs -o size=2m,mode=700 none "$2" && cp -p "$1/key" "$2/" || { echo cannot-mount; exit 0; }
        "$0" play=full "$2" && mkdir "$1/after" && cp -p "$2"/log* "$1/after/""#;
    let program = std::env::current_exe().unwrap();
    let output = std::process::Command::new("unshare")
        .args(["--mount", "--user", "--map-root-user", "sh", "-c", script])
        .args([&program, place.path(), &mount])
        .stderr(Stdio::piped())
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) => return eprintln!("SKIPPED: cannot run unshare: {error}"),
    };
    let (told, said) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    if told.contains("cannot-mount") || said.contains("unshare:") {
        return eprintln!("SKIPPED: cannot mount a file system here: {said}");
    }
    assert!(output.status.success(), "{said}");
    let log = place.path().join("after/log");
    let (examination, names) = {
        let mut names = std::collections::BTreeMap::<String, u32>::new();
        let trust = portcullis::audit::verifier::TrustAnchors::none().key(key(place.path()).verifier().clone());
        let examination = portcullis::audit::verifier::verify_lines(&log, &trust, |_, record| {
            if let Some(name) = record.and_then(name) {
                *names.entry(name).or_default() += 1;
            }
        });
        (examination.unwrap(), names)
    };
    assert!(examination.is_intact(), "{examination:?}");
    assert_eq!(examination.totals.lost, 0);
    assert_eq!(names.get("note"), Some(&200), "notes are recorded once space is free");
    let told: std::collections::BTreeSet<_> = told.lines().collect();
    let recorded: std::collections::BTreeSet<_> = names.keys().map(String::as_str).filter(|it| *it != "note").collect();
    assert_eq!(recorded, told, "exactly the acknowledged events are recorded");
}

/// Writes until the file size limit, then continues without the limit.
pub fn outgrow(place: &Path) {
    let log = builder(place).open().unwrap();
    let (mut names, kind) = append_until_refused(&log, "plain");
    assert_eq!(kind, std::io::ErrorKind::FileTooLarge);
    assert!(names.len() > 10);
    let before = std::fs::metadata(place.join("log")).unwrap().len();
    assert!(log.append(event("refused")).is_err());
    assert_eq!(std::fs::metadata(place.join("log")).unwrap().len(), before, "a rejected record left bytes");
    let maximum = getrlimit(Resource::Fsize).maximum;
    setrlimit(Resource::Fsize, Rlimit { current: maximum, maximum }).unwrap();
    names.extend(append_after(&log));
    log.close().unwrap();
    println!("{}", names.join("\n"));
}

pub fn file_size_limit_leaves_no_partial_record() {
    let place = place();
    // The limit counts blocks of 512 bytes. SIGXFSZ is ignored, so that write(2) fails instead.
    let script = r#"trap "" XFSZ; ulimit -S -f 40; exec "$0" play=limit "$1""#;
    let output = std::process::Command::new("sh")
        .args(["-c", script])
        .args([&std::env::current_exe().unwrap(), place.path()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (examination, names) = examined(place.path(), &log(place.path()));
    assert!(examination.is_intact(), "{examination:?}");
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(names, told.lines().map(str::to_owned).collect());
}
