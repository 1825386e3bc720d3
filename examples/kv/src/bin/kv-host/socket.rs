//! The socket that a host serves on: a file of this user alone, in a directory of this user alone.
//! Accepts nobody; see `serve`.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use portcullis::Escaped;
use rustix::fs::Mode;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::process::geteuid;
use tokio::net::UnixListener;

use crate::OUTPUT;

/// How many callers may wait to be accepted.
const BACKLOG: i32 = 128;

/// A socket that is listened on, removed when this is dropped.
pub(crate) struct Socket {
    path: PathBuf,
    /// By which the file is known again.
    file: (u64, u64),
    listener: Arc<UnixListener>,
}

impl Socket {
    /// Listens at `path`. What is there already is replaced only if it is a socket of this user on
    /// which nobody listens. To be called within a runtime.
    pub(crate) fn bind(path: &Path) -> Result<Self> {
        let shown = Escaped::path(path).to_string();
        let place = match path.parent() {
            Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
            Some(parent) => parent,
            None => bail!("{shown} cannot be a socket"),
        };
        let name = path.file_name().with_context(|| format!("{shown} has no name"))?;
        let place = private(place)?;
        let path = place.join(name);
        // Two hosts that start at once must not both find the same dead socket.
        let _starting = lock(&place)?;
        remove_dead(&path).with_context(|| format!("cannot serve on {shown}"))?;
        let listener = listen(&path).with_context(|| format!("cannot listen on {shown}"))?;
        let found = fs::symlink_metadata(&path).with_context(|| format!("{shown} is gone already"))?;
        Ok(Self { path, file: identity(&found), listener: Arc::new(listener) })
    }

    /// Open as long as anybody holds it.
    pub(crate) fn listener(&self) -> Arc<UnixListener> {
        Arc::clone(&self.listener)
    }

    /// Where it is, in full.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Socket {
    /// It is listened on until it is gone, so that nobody takes it for a dead one meanwhile.
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

/// The full path of a directory that only this user may enter, and above which nobody else can put
/// another in its place.
fn private(directory: &Path) -> Result<PathBuf> {
    let shown = Escaped::path(directory).to_string();
    let directory = directory.canonicalize().with_context(|| format!("cannot use {shown} for a socket"))?;
    for (above, ancestor) in directory.ancestors().enumerate() {
        let found = fs::metadata(ancestor).with_context(|| format!("cannot use {shown} for a socket"))?;
        let (owner, mode) = (found.uid(), found.mode() & 0o7777);
        let is_own = owner == geteuid().as_raw();
        // In a sticky directory only the owner of a file can rename it (unlink(2), EPERM), as in
        // /tmp.
        let is_open = mode & 0o022 != 0 && mode & 0o1000 == 0;
        let fine = if above == 0 { is_own && mode & 0o077 == 0 } else { (is_own || owner == 0) && !is_open };
        if !fine {
            let wanted = if above == 0 { "yours with mode 0700" } else { "one in which others can rename nothing" };
            let ancestor = Escaped::path(ancestor);
            bail!("{shown} is no place for a socket: {ancestor} (owner {owner}, mode {mode:04o}) is not {wanted}");
        }
    }
    Ok(directory)
}

fn lock(directory: &Path) -> Result<File> {
    let lock = || {
        let opened = File::open(directory)?;
        opened.lock()?;
        Ok::<_, io::Error>(opened)
    };
    lock().with_context(|| format!("cannot lock {}", Escaped::path(directory)))
}

fn remove_dead(path: &Path) -> Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if !found.file_type().is_socket() || found.uid() != geteuid().as_raw() {
        bail!("something else is there, which is no socket of yours");
    }
    if is_listened_on(path)? {
        bail!("another host serves there");
    }
    fs::remove_file(path).context("a dead socket is there that cannot be removed")
}

fn is_listened_on(path: &Path) -> io::Result<bool> {
    match rustix::net::connect(&socket()?, &SocketAddrUnix::new(path)?) {
        Ok(()) | Err(rustix::io::Errno::AGAIN) => Ok(true),
        Err(rustix::io::Errno::CONNREFUSED) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The file has its mode from its first moment on: bind(2) takes it from the socket's own, and
/// there is no need to change the umask, which all threads share.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let socket = socket()?;
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    rustix::net::listen(&socket, BACKLOG)?;
    UnixListener::from_std(socket.into())
}

/// Does not wait, neither where connect(2) does because too many are waiting already, nor in
/// accept(2).
fn socket() -> rustix::io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

#[cfg(test)]
mod tests;
