//! Private directories on a real disk: who may enter, and what is removed and when.

use std::fs::{self, Permissions};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::*;
use crate::fs::removal::empty;
use crate::fs::sweep::sweep;
use crate::limits::fs::REMOVAL_DEPTH as DEPTH;

/// A sticky, world-writable directory like `/tmp`.
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
fn drop_removes_the_directory_with_its_socket() {
    let place = place();
    let directory = PrivateDirectory::create(place.path()).unwrap();
    assert_eq!(fs::metadata(directory.path()).unwrap().mode() & 0o7777, 0o700);
    let _socket = UnixListener::bind(directory.path().join("plugin.sock")).unwrap();
    drop(directory);
    assert_eq!(entries(place.path()), 0);
}

#[test]
fn removal_opens_closed_directories_and_follows_no_link() {
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
fn drop_removes_announced_entries_before_it_returns() {
    let place = place();
    for (files, more) in [(20, 0), (20, 100)] {
        let directory = PrivateDirectory::create(place.path()).unwrap().removed_on_drop(files + 1);
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
fn endless_nesting_is_left_on_disk() {
    let place = place();
    let directory = PrivateDirectory::create(place.path()).unwrap();
    let deep = vec!["d"; DEPTH as usize + 8].join("/");
    fs::create_dir_all(directory.path().join(deep)).unwrap();
    let handle = open_directory(CWD, directory.path()).unwrap();
    assert!(empty(handle, DEPTH, &mut 1000).is_err());
}

#[test]
fn too_many_files_are_left_on_disk() {
    let place = place();
    let directory = PrivateDirectory::create(place.path()).unwrap();
    (0..20).for_each(|number| fs::write(directory.path().join(number.to_string()), "").unwrap());
    assert!(empty(open_directory(CWD, directory.path()).unwrap(), DEPTH, &mut 10).is_err());
    assert!(entries(directory.path()) >= 10);
}

#[test]
fn sweep_removes_only_directories_of_killed_hosts() {
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
        make("another-program", true, 0o700),
    ];
    // `create` sweeps too, in another thread: either of the two removes them.
    let live = PrivateDirectory::create(place.path()).unwrap();
    sweep(place.path()).unwrap();
    eventually(|| stale.iter().all(|path| !path.exists()));
    assert!(others.iter().all(|path| path.join("file").exists()), "something else was removed");
    assert!(live.path().exists());
}

#[test]
fn socket_path_must_fit_handshake_and_address() {
    // 107 bytes (unix(7)) without `/portcullis-`, twelve random characters, and 28 bytes that peers
    // append.
    let limit = 55;
    let parent = |length: usize| PathBuf::from("/".to_owned() + &"p".repeat(length - 1));
    assert_eq!(check_socket_directory(&parent(limit)), Ok(()));
    assert_eq!(check_socket_directory(&parent(limit + 1)), Err(SocketPathError::TooLong { limit }));
    for name in ["/a|b", "/a\nb", "/a\rb"] {
        assert_eq!(check_socket_directory(Path::new(name)), Err(SocketPathError::Separator), "{name:?}");
    }
}
