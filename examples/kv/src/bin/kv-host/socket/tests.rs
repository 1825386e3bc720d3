//! Sockets in real directories: which directories are accepted, and which existing files.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};

use tempfile::TempDir;

use super::*;

fn private_directory() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o700)).unwrap();
    let path = directory.path().join("socket");
    (directory, path)
}

fn refusal(path: &Path) -> String {
    format!("{:#}", ServingSocket::bind(path).err().expect("it was bound"))
}

#[tokio::test]
async fn socket_is_private_and_removed_on_drop() {
    let (_directory, path) = private_directory();
    let socket = ServingSocket::bind(&path).unwrap();
    let found = fs::symlink_metadata(&path).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.mode() & 0o7777, 0o600);
    drop(socket);
    assert!(!path.exists());
}

#[tokio::test]
async fn directory_open_to_others_is_rejected() {
    for mode in [0o755, 0o710, 0o701, 0o720, 0o1777] {
        let (directory, path) = private_directory();
        fs::set_permissions(directory.path(), Permissions::from_mode(mode)).unwrap();
        let refusal = refusal(&path);
        assert!(refusal.contains(&format!("mode {mode:04o}, expected your user and mode 0700")), "{refusal}");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn directory_below_a_writable_one_is_rejected() {
    let (outer, _) = private_directory();
    let inner = outer.path().join("inner");
    fs::create_dir(&inner).unwrap();
    fs::set_permissions(&inner, Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(outer.path(), Permissions::from_mode(0o777)).unwrap();
    let refusal = refusal(&inner.join("socket"));
    assert!(refusal.contains("mode 0777, expected your user or root, not writable by others"), "{refusal}");
    // With the sticky bit they cannot rename it.
    fs::set_permissions(outer.path(), Permissions::from_mode(0o1777)).unwrap();
    ServingSocket::bind(&inner.join("socket")).unwrap();
}

#[tokio::test]
async fn socket_in_use_is_kept() {
    let (_directory, path) = private_directory();
    let first = ServingSocket::bind(&path).unwrap();
    assert!(refusal(&path).contains("another host serves on it"));
    std::os::unix::net::UnixStream::connect(&path).unwrap();
    drop(first);
}

#[tokio::test]
async fn stale_socket_is_replaced() {
    let (_directory, path) = private_directory();
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let _socket = ServingSocket::bind(&path).unwrap();
    std::os::unix::net::UnixStream::connect(&path).unwrap();
}

#[tokio::test]
async fn other_file_is_never_replaced() {
    let (directory, path) = private_directory();
    fs::write(&path, "a file").unwrap();
    assert!(refusal(&path).contains("not a socket of yours"));
    assert_eq!(fs::read(&path).unwrap(), b"a file");
    fs::remove_file(&path).unwrap();
    // Nor a symlink, even to a stale socket.
    let stale = directory.path().join("stale");
    drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
    symlink(&stale, &path).unwrap();
    assert!(refusal(&path).contains("not a socket of yours"));
    assert!(stale.exists());
}

#[tokio::test]
async fn replaced_socket_file_is_not_removed() {
    let (_directory, path) = private_directory();
    let socket = ServingSocket::bind(&path).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, "a file").unwrap();
    drop(socket);
    assert_eq!(fs::read(&path).unwrap(), b"a file");
}

#[tokio::test]
async fn impossible_socket_path_is_rejected() {
    let (directory, _) = private_directory();
    for path in [Path::new("/"), Path::new("/nonexistent/socket"), &directory.path().join("s".repeat(108))] {
        assert!(ServingSocket::bind(path).is_err(), "{}", path.display());
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}
