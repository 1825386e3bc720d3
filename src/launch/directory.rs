//! The private directory for the sockets of a launch, at a path that fits into their addresses.
//! Creates no socket.

use std::path::Path;

use super::LaunchError;
use crate::fs::{LocationError, PrivateDirectory, SocketPathError, check_socket_directory, trusted_directory};

/// Creates a private directory in `parent`. Fails if another user could rename or remove it there.
pub(crate) fn create_socket_directory(parent: &Path) -> Result<PrivateDirectory, LaunchError> {
    let failed = |source| LaunchError::Directory { path: parent.to_path_buf(), source };
    let fault = |fault| match fault {
        LocationError::WritableByOthers { directory, owner, mode } => {
            LaunchError::UnsafeDirectory { path: directory, owner, mode }
        }
        LocationError::Io(error) => failed(error),
    };
    let parent = trusted_directory(parent).map_err(fault)?;
    check_socket_directory(&parent).map_err(|fault| match fault {
        SocketPathError::Separator => LaunchError::PathCharacters { path: parent.clone() },
        SocketPathError::TooLong { limit } => LaunchError::PathTooLong { path: parent.clone(), limit },
    })?;
    PrivateDirectory::create(&parent).map_err(fault)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn directory_writable_by_others_is_refused() {
        let place = tempfile::tempdir().unwrap();
        fs::set_permissions(place.path(), Permissions::from_mode(0o777)).unwrap();
        let error = create_socket_directory(place.path()).unwrap_err();
        assert!(matches!(error, LaunchError::UnsafeDirectory { mode: 0o777, .. }), "{error:?}");
    }

    #[test]
    fn path_that_cannot_be_an_address_is_refused() {
        let place = tempfile::tempdir().unwrap();
        for (name, too_long) in [("x".repeat(80), true), ("with|bar".into(), false), ("with\nfeed".into(), false)] {
            let path = place.path().join(name);
            fs::create_dir(&path).unwrap();
            match create_socket_directory(&path).unwrap_err() {
                LaunchError::PathTooLong { .. } => assert!(too_long),
                LaunchError::PathCharacters { .. } => assert!(!too_long),
                other => panic!("{other:?}"),
            }
            assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
        }
    }
}
