//! The Unix socket of a serving host: created where only this user can reach it, and the check of
//! the user at its other end. Connections are accepted in `serve`.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use kv::limits::LISTEN_BACKLOG;
use portcullis::Escaped;
use portcullis::fs::{Ownership, directory_of};
use rustix::fs::Mode;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::process::geteuid;
use tokio::net::unix::UCred;
use tokio::net::{UnixListener, UnixStream};

use crate::OUTPUT;

/// A listening socket. Dropping it removes the file.
pub(crate) struct ServingSocket {
    path: PathBuf,
    /// Device and inode, to recognize the file when it is removed.
    file: (u64, u64),
    listener: Arc<UnixListener>,
}

impl ServingSocket {
    /// Listens on `path`. Replaces an existing file only if it is a socket of this user that no
    /// process listens on. Must be called in a tokio runtime.
    pub(crate) fn bind(path: &Path) -> Result<Self> {
        let shown = Escaped::path(path).to_string();
        let name =
            path.file_name().with_context(|| format!("cannot create a socket at {shown}: it has no file name"))?;
        let directory = check_directory(directory_of(path))?;
        let path = directory.join(name);
        // Two hosts that start together must not both find the same stale socket: the second would
        // remove the new socket of the first.
        let _lock = lock(&directory)?;
        remove_stale(&path).with_context(|| format!("cannot serve on {shown}"))?;
        let listener = listen(&path).with_context(|| format!("cannot listen on {shown}"))?;
        let found =
            fs::symlink_metadata(&path).with_context(|| format!("{shown} was removed while the host started"))?;
        Ok(Self { path, file: identity(&found), listener: Arc::new(listener) })
    }

    /// The listener, which stays open while any clone of it exists.
    pub(crate) fn listener(&self) -> Arc<UnixListener> {
        Arc::clone(&self.listener)
    }

    /// The canonical path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ServingSocket {
    /// Removes the file while the listener is open: a host that starts now finds a socket in use,
    /// not a stale one that it would remove too.
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|found| identity(&found) == self.file)
            && let Err(error) = fs::remove_file(&self.path)
        {
            OUTPUT.warn(format_args!("cannot remove {}: {error}", Escaped::path(&self.path)));
        }
    }
}

fn identity(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

/// Returns the canonical path of a directory that only this user can enter and no other user can
/// replace: each ancestor belongs to this user or root, and others cannot rename its entries.
fn check_directory(directory: &Path) -> Result<PathBuf> {
    let shown = Escaped::path(directory).to_string();
    let directory = directory.canonicalize().with_context(|| format!("cannot create a socket in {shown}"))?;
    for (depth, ancestor) in directory.ancestors().enumerate() {
        let found = fs::metadata(ancestor).with_context(|| format!("cannot create a socket in {shown}"))?;
        let found = Ownership::of(&found);
        let is_safe = match depth {
            0 => found.is_own() && !found.is_open_to_others(),
            _ => !found.others_can_rename_entries(),
        };
        if !is_safe {
            let Ownership { owner, mode, .. } = found;
            let wanted =
                if depth == 0 { "your user and mode 0700" } else { "your user or root, not writable by others" };
            let ancestor = Escaped::path(ancestor);
            bail!(
                "cannot create a socket in {shown}: {ancestor} has owner {owner} and mode {mode:04o}, expected {wanted}"
            );
        }
    }
    Ok(directory)
}

/// Locks the directory itself, so that no lock file is left in it.
fn lock(directory: &Path) -> Result<File> {
    let lock = || {
        let opened = File::open(directory)?;
        opened.lock()?;
        Ok::<_, io::Error>(opened)
    };
    lock().with_context(|| format!("cannot lock {}", Escaped::path(directory)))
}

/// Removes the socket of a host that was killed. Fails if a host listens on it, or if the file is
/// anything but a socket of this user.
fn remove_stale(path: &Path) -> Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if !found.file_type().is_socket() || found.uid() != geteuid().as_raw() {
        bail!("the file exists and is not a socket of yours");
    }
    if is_in_use(path)? {
        bail!("another host serves on it");
    }
    fs::remove_file(path).context("cannot remove the stale socket")
}

fn is_in_use(path: &Path) -> io::Result<bool> {
    match rustix::net::connect(&socket()?, &SocketAddrUnix::new(path)?) {
        // EAGAIN: the listener exists, but its queue is full (connect(2)).
        Ok(()) | Err(rustix::io::Errno::AGAIN) => Ok(true),
        Err(rustix::io::Errno::CONNREFUSED) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Creates the socket file with mode 0600 from the start: bind(2) copies the mode of the socket, so
/// the umask, which all threads share, stays as it is.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let socket = socket()?;
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    rustix::net::listen(&socket, LISTEN_BACKLOG)?;
    UnixListener::from_std(socket.into())
}

/// A non-blocking socket: neither connect(2) to a full queue nor accept(2) may block the thread.
fn socket() -> rustix::io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

/// Connects to the host that serves on `socket`. Fails if it belongs to another user.
pub(crate) async fn connect(socket: &Path) -> io::Result<UnixStream> {
    let stream = UnixStream::connect(socket).await?;
    check_peer(&stream)?;
    Ok(stream)
}

/// Returns the credentials of the peer. Fails unless it runs as this user or as root. The kernel
/// took them when the connection was made (unix(7), SO_PEERCRED), so the peer cannot fake them.
pub(crate) fn check_peer(stream: &UnixStream) -> io::Result<UCred> {
    let peer = stream.peer_cred()?;
    let (user, own) = (peer.uid(), geteuid().as_raw());
    match user == 0 || user == own {
        true => Ok(peer),
        false => Err(io::Error::other(format!("the peer runs as user {user}, expected {own} or root"))),
    }
}

#[cfg(test)]
mod tests;
