//! Executes a verified image by its descriptor: the last step of a launch and of a replacement.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

use crate::limits::launch::BUSY_RETRIES;
use crate::sys::{self, ExecVectors};
use crate::timing::launch::BUSY_RETRY_PAUSE;
use crate::verify::ExecMode;

/// The descriptor of an image, prepared so that executing it allocates nothing.
pub(crate) struct Executable<F> {
    image: F,
    /// The same file as a path, for kernels and filters that forbid execveat(2).
    path: CString,
}

impl<F: AsFd> Executable<F> {
    pub(crate) fn new(image: F) -> Self {
        let path = format!("/proc/self/fd/{}", image.as_fd().as_raw_fd());
        // Digits and slashes contain no NUL byte.
        Self { image, path: CString::new(path).unwrap_or_default() }
    }

    /// Replaces the calling process. Returns only on failure. Makes system calls and nothing else,
    /// so a process that shares its parent's memory may call it (vfork(2)).
    pub(crate) fn execute(&self, vectors: &ExecVectors) -> io::Error {
        let error = sys::execute(self.image.as_fd().as_raw_fd(), vectors);
        match error.raw_os_error() {
            Some(libc::ENOSYS) => sys::execute_path(&self.path, vectors),
            _ => error,
        }
    }
}

/// Repeats `attempt` while it fails because the image is busy (ETXTBSY), for about a second.
///
/// A private copy can be busy for a moment: if another thread forks while the copy is written, its
/// child inherits the descriptor that the copy is written through, and the kernel executes no file
/// that is open for writing (execve(2)). The child closes it by executing something. Sealed images
/// and pinned files have no such descriptor, so for them there is one attempt.
pub(crate) fn retry_while_busy<T, E>(
    mode: ExecMode,
    is_busy: impl Fn(&E) -> bool,
    mut attempt: impl FnMut() -> Result<T, E>,
) -> Result<T, E> {
    let mut retries = if mode == ExecMode::PrivateCopy { BUSY_RETRIES } else { 0 };
    loop {
        match attempt() {
            Err(error) if retries > 0 && is_busy(&error) => {
                retries -= 1;
                std::thread::sleep(BUSY_RETRY_PAUSE);
            }
            result => return result,
        }
    }
}
