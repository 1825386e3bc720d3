//! Sockets on a real disk: where they may be, and what is there already.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};

use tempfile::TempDir;

use super::*;

fn place() -> (TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), Permissions::from_mode(0o700)).unwrap();
    let path = place.path().join("socket");
    (place, path)
}

fn refusal(path: &Path) -> String {
    format!("{:#}", Socket::bind(path).err().expect("it was bound"))
}

#[tokio::test]
async fn a_socket_is_for_this_user_alone_and_is_gone_afterwards() {
    let (_place, path) = place();
    let socket = Socket::bind(&path).unwrap();
    let found = fs::symlink_metadata(&path).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.mode() & 0o7777, 0o600);
    drop(socket);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_directory_that_others_may_enter_is_no_place() {
    for mode in [0o755, 0o710, 0o701, 0o720, 0o1777] {
        let (place, path) = place();
        fs::set_permissions(place.path(), Permissions::from_mode(mode)).unwrap();
        let refusal = refusal(&path);
        assert!(refusal.contains(&format!("mode {mode:04o}) is not yours with mode 0700")), "{refusal}");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn a_directory_below_one_in_which_others_can_rename_is_no_place() {
    let (outer, _) = place();
    let inner = outer.path().join("inner");
    fs::create_dir(&inner).unwrap();
    fs::set_permissions(&inner, Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(outer.path(), Permissions::from_mode(0o777)).unwrap();
    let refusal = refusal(&inner.join("socket"));
    assert!(refusal.contains("mode 0777) is not one in which others can rename nothing"), "{refusal}");
    // In a sticky one they cannot.
    fs::set_permissions(outer.path(), Permissions::from_mode(0o1777)).unwrap();
    Socket::bind(&inner.join("socket")).unwrap();
}

#[tokio::test]
async fn a_socket_that_is_listened_on_stays() {
    let (_place, path) = place();
    let first = Socket::bind(&path).unwrap();
    assert!(refusal(&path).contains("another host serves there"));
    std::os::unix::net::UnixStream::connect(&path).unwrap();
    drop(first);
}

#[tokio::test]
async fn a_dead_socket_is_replaced() {
    let (_place, path) = place();
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let _socket = Socket::bind(&path).unwrap();
    std::os::unix::net::UnixStream::connect(&path).unwrap();
}

#[tokio::test]
async fn what_is_no_socket_is_never_replaced() {
    let (place, path) = place();
    fs::write(&path, "a file").unwrap();
    assert!(refusal(&path).contains("no socket of yours"));
    assert_eq!(fs::read(&path).unwrap(), b"a file");
    fs::remove_file(&path).unwrap();
    // Nor a link, whatever it leads to.
    let dead = place.path().join("dead");
    drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
    symlink(&dead, &path).unwrap();
    assert!(refusal(&path).contains("no socket of yours"));
    assert!(dead.exists());
}

#[tokio::test]
async fn what_took_the_sockets_place_is_not_removed() {
    let (_place, path) = place();
    let socket = Socket::bind(&path).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, "a file").unwrap();
    drop(socket);
    assert_eq!(fs::read(&path).unwrap(), b"a file");
}

#[tokio::test]
async fn a_name_that_no_socket_can_have_is_refused() {
    let (place, _) = place();
    for path in [Path::new("/"), Path::new("/nonexistent/socket"), &place.path().join("s".repeat(108))] {
        assert!(Socket::bind(path).is_err(), "{}", path.display());
    }
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}
