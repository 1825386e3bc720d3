//! Files and directories that other users may have prepared: opens regular files without side
//! effects, writes files whole or not at all, and says who may change a path. Knows neither plugins
//! nor file formats.
//!
//! ```
//! use portcullis::fs::{FileMode, Symlinks, create_file, open_regular};
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("release.key");
//! create_file(&path, FileMode::Exact(0o600), b"secret")?; // fails if the file exists
//! let file = open_regular(&path, Symlinks::Refuse)?; // fails for a FIFO, a device, a symlink
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod durable_file;
mod ownership;
mod private_directory;
mod regular_file;
mod removal;
mod sweep;
mod trusted_path;

pub use durable_file::{FileMode, create_file, directory_of, replace_file};
pub(crate) use durable_file::{create_file_with, sync_directory_of};
pub use ownership::Ownership;
pub(crate) use ownership::{OTHERS_WRITE, PERMISSION_BITS};
pub(crate) use private_directory::{PrivateDirectory, SocketPathError, check_socket_directory};
pub use regular_file::{RegularFileError, Symlinks, open_regular};
pub(crate) use regular_file::{kind_unless_regular, open_regular_as};
pub(crate) use trusted_path::{LocationError, Redirection, Resolution, resolve, trusted_directory};
