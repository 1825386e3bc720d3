//! Private directories on a real disk: who may enter, what is removed and when, and what is left
//! alone.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::CWD;
use tempfile::TempDir;

use super::private_directory::MARKER;
use super::removal::{DEPTH, empty, open_directory};
use super::sweep::sweep;
use super::*;

/// A place of our own: a sticky, world-writable directory like `/tmp`.
fn place() -> TempDir {
    let place = tempfile::Builder::new().prefix("p").tempdir().unwrap();
    fs::set_permissions(place.path(), Permissions::from_mode(0o1777)).unwrap();
    place
}

fn entries(path: &Path) -> usize {
    fs::read_dir(path).unwrap().count()
}

fn eventually(condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(30), "never happened");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn it_is_private_and_a_socket_in_it_is_gone_with_it_at_once() {
    let place = place();
    let directory = PrivateDirectory::create(place.path()).unwrap();
    assert_eq!(fs::metadata(directory.path()).unwrap().mode() & 0o7777, 0o700);
    let _socket = UnixListener::bind(directory.path().join("plugin.sock")).unwrap();
    drop(directory);
    assert_eq!(entries(place.path()), 0);
}

#[test]
fn whatever_a_plugin_left_in_it_is_removed_and_no_link_is_followed() {
    let place = place();
    let directory = PrivateDirectory::create(place.path()).unwrap();
    fs::create_dir_all(directory.path().join("a/b")).unwrap();
    fs::write(directory.path().join("a/b/file"), "x").unwrap();
    for closed in ["a/b", "a"] {
        fs::set_permissions(directory.path().join(closed), Permissions::from_mode(0o0)).unwrap();
    }
    let outside = place.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("keep"), "x").unwrap();
    std::os::unix::fs::symlink(&outside, directory.path().join("link")).unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o0)).unwrap();
    drop(directory);
    eventually(|| entries(place.path()) == 1);
    assert!(outside.join("keep").exists(), "a link was followed");
}

#[test]
fn files_of_our_own_are_gone_when_the_drop_is_over_and_more_than_those_a_little_later() {
    let place = place();
    for (files, more) in [(20, 0), (20, 100)] {
        let directory = PrivateDirectory::create(place.path()).unwrap().removed_at_once(files + 1);
        let own = directory.path().join("own");
        fs::create_dir(&own).unwrap();
        (0..files + more).for_each(|number| fs::write(own.join(number.to_string()), "").unwrap());
        fs::set_permissions(&own, Permissions::from_mode(0o500)).unwrap();
        drop(directory);
        if more == 0 {
            assert_eq!(entries(place.path()), 0);
        }
        eventually(|| entries(place.path()) == 0);
    }
}

#[test]
fn nesting_without_end_is_left_behind_and_does_no_harm() {
    let place = place();
    let directory = PrivateDirectory::create(place.path()).unwrap();
    let deep = vec!["d"; DEPTH as usize + 8].join("/");
    fs::create_dir_all(directory.path().join(deep)).unwrap();
    let handle = open_directory(CWD, directory.path()).unwrap();
    assert!(empty(handle, DEPTH, &mut 1000).is_err());
}

#[test]
fn files_without_end_are_left_behind() {
    let place = place();
    let directory = PrivateDirectory::create(place.path()).unwrap();
    (0..20).for_each(|number| fs::write(directory.path().join(number.to_string()), "").unwrap());
    assert!(empty(open_directory(CWD, directory.path()).unwrap(), DEPTH, &mut 10).is_err());
    assert!(entries(directory.path()) >= 10);
}

#[test]
fn what_a_killed_host_left_is_swept_and_nothing_else() {
    let place = place();
    let make = |name: &str, marked: bool, mode: u32| {
        let path = place.path().join(name);
        fs::create_dir(&path).unwrap();
        fs::write(path.join("file"), "").unwrap();
        if marked {
            fs::write(path.join(MARKER), "").unwrap();
        }
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    };
    let too_deep = make("portcullis-000000000000", true, 0o700);
    fs::create_dir_all(too_deep.join(vec!["d"; DEPTH as usize + 8].join("/"))).unwrap();
    let stale: Vec<_> =
        ["portcullis-aaaaaaaaaaaa", "portcullis-zzzzzzzzzzzz"].map(|name| make(name, true, 0o700)).into();
    let others = [
        make("portcullis-0.1.0", true, 0o700),
        make("portcullis-bbbbbbbbbbbb", false, 0o700),
        make("portcullis-cccccccccccc", true, 0o755),
        make("somebody-elses", true, 0o700),
    ];
    // Sweeps too, in a thread of its own: one of the two removes them.
    let live = PrivateDirectory::create(place.path()).unwrap();
    sweep(place.path()).unwrap();
    eventually(|| stale.iter().all(|path| !path.exists()));
    assert!(others.iter().all(|path| path.join("file").exists()), "something else was removed");
    assert!(live.path().exists());
}
