//! Disks that are really full: a file system of two mebibytes, and a file that may not grow.

use std::fs::{File, remove_file};
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use portcullis::audit::{Log, LogError};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::support::*;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Writes to a file until there is no room for another byte.
fn occupy(path: &Path) {
    let mut file = File::create(path).unwrap();
    for size in [4096, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}

/// Appends events until one is refused, and returns the names of those that were not.
fn append_until_refused(log: &Log, prefix: &str) -> (Vec<String>, std::io::ErrorKind) {
    let mut names = Vec::new();
    loop {
        let name = format!("{prefix} {}", names.len());
        match log.append(event(&name)) {
            Ok(()) => names.push(name),
            Err(LogError::Write(error)) => return (names, error.kind()),
            Err(error) => panic!("another refusal: {error}"),
        }
    }
}

/// Begins 40 things, lets the disk run full, ends them, makes room again, and goes on.
pub fn fill(place: &Path) {
    let log = builder(place).rotate_at(16 * 1024).open().unwrap();
    assert!(log.status().reserves, "this file system can keep room");
    let mut owed = Vec::new();
    for number in 0..40 {
        owed.push(block_on(log.intend(event(&format!("intent {number}")))).unwrap());
    }
    occupy(&place.join("occupied"));
    let (mut names, kind) = append_until_refused(&log, "plain");
    assert_eq!(kind, std::io::ErrorKind::StorageFull);
    // Whatever else came or was refused since.
    for _ in 0..200 {
        assert!(log.append(event("refused")).is_err());
        assert!(block_on(log.intend(event("refused"))).is_err());
    }
    // Three pages, in which another file of the log could begin and not go on: the full one is
    // kept.
    let occupied = File::options().write(true).open(place.join("occupied")).unwrap();
    occupied.set_len(occupied.metadata().unwrap().len() - 3 * 4096).unwrap();
    for (number, owed) in owed.into_iter().enumerate() {
        if number == 35 {
            (0..200).for_each(|_| log.note(event("note")));
        }
        block_on(owed.settle(event(&format!("outcome {number}")))).unwrap();
        names.extend([format!("intent {number}"), format!("outcome {number}")]);
    }
    remove_file(place.join("occupied")).unwrap();
    names.extend(append_after(&log));
    log.close().unwrap();
    println!("{}", names.join("\n"));
}

/// Appends when there is room again.
fn append_after(log: &Log) -> Vec<String> {
    let names: Vec<_> = (0..100).map(|number| format!("after {number}")).collect();
    names.iter().for_each(|name| log.append(event(name)).unwrap());
    names
}

pub fn full_disk_still_records_reserved_outcomes() {
    let place = place();
    let mount = place.path().join("mount");
    std::fs::create_dir(&mount).unwrap();
    // Where root's directories are nobody's, every directory is one where somebody else may rename.
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
        Err(error) => return eprintln!("SKIPPED: unshare cannot be run: {error}"),
    };
    let (told, said) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    if told.contains("cannot-mount") || said.contains("unshare:") {
        return eprintln!("SKIPPED: no file system of its own can be mounted here: {said}");
    }
    assert!(output.status.success(), "{said}");
    let log = place.path().join("after/log");
    let (examination, names) = {
        let mut names = std::collections::BTreeMap::<String, u32>::new();
        let trust = portcullis::audit::verifier::Trust::nothing().key(key(place.path()).verifier().clone());
        let examination = portcullis::audit::verifier::examine_with(&log, &trust, |_, record| {
            if let Some(name) = record.and_then(name) {
                *names.entry(name).or_default() += 1;
            }
        });
        (examination.unwrap(), names)
    };
    assert!(examination.is_intact(), "{examination:?}");
    assert_eq!(examination.account.lost, 0);
    assert_eq!(names.get("note"), Some(&200), "what has happened is recorded when there is room");
    let told: std::collections::BTreeSet<_> = told.lines().collect();
    let recorded: std::collections::BTreeSet<_> = names.keys().map(String::as_str).filter(|it| *it != "note").collect();
    assert_eq!(recorded, told, "no more and no less than was told");
}

/// Writes until its files may not grow, and goes on when they may.
pub fn outgrow(place: &Path) {
    let log = builder(place).open().unwrap();
    let (mut names, kind) = append_until_refused(&log, "plain");
    assert_eq!(kind, std::io::ErrorKind::FileTooLarge);
    assert!(names.len() > 10);
    let before = std::fs::metadata(place.join("log")).unwrap().len();
    assert!(log.append(event("refused")).is_err());
    assert_eq!(std::fs::metadata(place.join("log")).unwrap().len(), before, "nothing of it is there");
    let maximum = getrlimit(Resource::Fsize).maximum;
    setrlimit(Resource::Fsize, Rlimit { current: maximum, maximum }).unwrap();
    names.extend(append_after(&log));
    log.close().unwrap();
    println!("{}", names.join("\n"));
}

pub fn file_size_limit_leaves_no_partial_record() {
    let place = place();
    // In blocks of 512 bytes. The signal would end the process instead of telling it.
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
