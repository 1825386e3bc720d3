//! The system calls that no safe wrapper offers: the only unsafe code of the crate. One call per
//! function; decides nothing.

use std::ffi::{CString, c_char, c_void};
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::NonNull;
#[cfg(feature = "_runtime")]
use std::sync::Arc;

use rustix::fs::SealFlags;
use rustix::process::Pid;
#[cfg(feature = "_runtime")]
use tokio::io::{Interest, unix::AsyncFd};

/// Argument and environment vectors in the form that execve(2) takes, built before the process is
/// started because nothing may be allocated there.
pub(crate) struct ExecVectors {
    argv: Vec<*const c_char>,
    envp: Vec<*const c_char>,
    /// Own what the pointers point to.
    _strings: [Vec<CString>; 2],
}

// SAFETY: the pointers lead into heap buffers that this value owns and never changes, so any thread
// may follow them.
unsafe impl Send for ExecVectors {}
// SAFETY: as above; shared access only reads.
unsafe impl Sync for ExecVectors {}

impl ExecVectors {
    pub(crate) fn new(argv: Vec<CString>, envp: Vec<CString>) -> Self {
        let pointers = |strings: &[CString]| {
            strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect::<Vec<_>>()
        };
        Self { argv: pointers(&argv), envp: pointers(&envp), _strings: [argv, envp] }
    }
}

/// Starts a process that runs `child` in this process's memory, on a stack of its own; returns when
/// it has executed a program or ended. This thread stands still meanwhile (clone(2): `CLONE_VM`,
/// `CLONE_VFORK`, `CLONE_PIDFD`).
///
/// As posix_spawn(3) does it: a fork would copy the page tables of all the memory that the host
/// has. To be called with all signals blocked, so that no handler runs twice in one memory. `child`
/// must do nothing but system calls: no allocation, no lock, no panic (vfork(2)). It returns only
/// when it has failed, and what it has written to its variables is there afterwards.
pub(crate) fn start_process(mut child: &mut dyn FnMut()) -> io::Result<(Pid, OwnedFd)> {
    /// Words of 16 bytes, for the alignment of a stack: 64 KiB.
    const STACK: usize = 4096;
    /// What the process exits with if it has executed nothing. Nobody looks at it.
    const FAILED: i32 = 127;
    extern "C" fn run(child: *mut c_void) -> i32 {
        // SAFETY: it is the variable of `start_process`, whose thread does not go on while this
        // runs.
        let child = unsafe { &mut *child.cast::<&mut dyn FnMut()>() };
        child();
        FAILED
    }
    let mut stack = vec![0_u128; STACK];
    let mut pidfd: RawFd = -1;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    let top = stack.as_mut_ptr_range().end.cast();
    // SAFETY: stack, argument and place for the pidfd outlive the call, and with `CLONE_VFORK` it
    // returns when the other process uses this memory no more.
    let pid = unsafe { libc::clone(run, top, flags, (&raw mut child).cast(), &raw mut pidfd) };
    // Here, in the thread that called, it is the number of the new process or negative.
    let Some(pid) = (if pid > 0 { Pid::from_raw(pid) } else { None }) else {
        return Err(io::Error::last_os_error());
    };
    // SAFETY: the kernel made this descriptor for us a moment ago, with close-on-exec set, and
    // nobody else knows it.
    Ok((pid, unsafe { OwnedFd::from_raw_fd(pidfd) }))
}

/// execveat(2) of the file that `program` refers to, which has no path and needs none. Returns only
/// on failure.
pub(crate) fn execute(program: RawFd, vectors: &ExecVectors) -> io::Error {
    // SAFETY: both vectors end with a null pointer and point to C strings that outlive the call;
    // the path is an empty C string.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            program,
            c"".as_ptr(),
            vectors.argv.as_ptr(),
            vectors.envp.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    io::Error::last_os_error()
}

/// execve(2) of `path`, for kernels that forbid execveat. Returns only on failure.
pub(crate) fn execute_path(path: &CString, vectors: &ExecVectors) -> io::Error {
    // SAFETY: as in `execute`; the path is a C string.
    unsafe { libc::execve(path.as_ptr(), vectors.argv.as_ptr(), vectors.envp.as_ptr()) };
    io::Error::last_os_error()
}

/// Marks every descriptor from `first` on close-on-exec (close_range(2), Linux 5.11).
pub(crate) fn close_on_exec_from(first: u32) -> io::Result<()> {
    // SAFETY: passes no pointer.
    match unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Gives `signal` its default action (rt_sigaction(2)); also to those that the C library keeps to
/// itself and would not touch.
pub(crate) fn default_action(signal: i32) {
    /// All zeros is `SIG_DFL` without flags, in the kernel's own form of the structure, which is
    /// shorter than this everywhere.
    const DEFAULT: [u64; 8] = [0; 8];
    /// The size of the kernel's signal set, 64 signals.
    const SET: usize = 8;
    // SAFETY: the kernel reads a structure of at most the size of `DEFAULT` and writes none,
    // because the other pointer is null.
    unsafe {
        libc::syscall(libc::SYS_rt_sigaction, signal, DEFAULT.as_ptr(), std::ptr::null::<u64>(), SET);
    }
}

/// Whether this process ignores `signal` (sigaction(2)).
pub(crate) fn is_ignored(signal: i32) -> io::Result<bool> {
    Ok(action(signal)?.sa_sigaction == libc::SIG_IGN)
}

/// Ignores `signal` (signal(2)). What cannot be ignored stays as it is.
pub(crate) fn ignore(signal: i32) {
    // SAFETY: installs no handler, so no code of ours runs on a signal.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

/// Blocks exactly the signals in `mask`, bit 0 for signal 1, and returns what was blocked before
/// (rt_sigprocmask(2)).
pub(crate) fn block_signals(mask: u64) -> io::Result<u64> {
    let mut before = 0_u64;
    // SAFETY: the kernel reads one set of 64 signals and writes another, each of the size that is
    // stated.
    let result = unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const mask, &raw mut before, size_of::<u64>())
    };
    match result {
        0 => Ok(before),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Whether the kernel reaps the children of this process by itself, without telling (sigaction(2):
/// `SIG_IGN` and `SA_NOCLDWAIT`).
pub(crate) fn ignores_children() -> io::Result<bool> {
    let action = action(libc::SIGCHLD)?;
    Ok(action.sa_sigaction == libc::SIG_IGN || action.sa_flags & libc::SA_NOCLDWAIT != 0)
}

/// What this process does on `signal` (sigaction(2)).
fn action(signal: i32) -> io::Result<libc::sigaction> {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: the first pointer is null, so nothing changes; the second is to a structure that the
    // call fills.
    if unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so it filled the structure.
    Ok(unsafe { action.assume_init() })
}

/// Readiness of a descriptor, for the runtime that this is called in.
#[cfg(feature = "_runtime")]
pub(crate) fn watch(descriptor: Arc<OwnedFd>, interest: Interest) -> io::Result<AsyncFd<Arc<OwnedFd>>> {
    // SAFETY: an `OwnedFd` stays open and the same until it is dropped, and the `AsyncFd` keeps
    // this one from being dropped.
    Ok(unsafe { AsyncFd::register_with_interest(descriptor, interest) }?)
}

/// The bytes of a file in memory that can change and shrink no more, where they are: nothing is
/// copied.
pub(crate) struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

impl Mapping {
    /// Maps a whole file for reading (mmap(2)), if it is sealed.
    ///
    /// # Errors
    ///
    /// When it is not sealed or empty, and the system's own.
    pub(crate) fn of_sealed(file: &File) -> io::Result<Self> {
        let sealed = rustix::fs::fcntl_get_seals(file)?.contains(SealFlags::WRITE | SealFlags::SHRINK);
        let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        if !sealed || length == 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let (protection, flags) = (libc::PROT_READ, libc::MAP_SHARED | libc::MAP_POPULATE);
        // SAFETY: a new mapping at an address that the kernel chooses touches no memory of this
        // program.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), length, protection, flags, file.as_raw_fd(), 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start =
            NonNull::new(start.cast()).ok_or_else(|| io::Error::other("the kernel mapped a file at address 0"))?;
        Ok(Self { start, length })
    }
}

impl AsRef<[u8]> for Mapping {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: so many bytes are mapped there for as long as this value lives, and the seals
        // keep everybody from changing them and from making the file shorter.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: it was mapped by `of_sealed`, and no reference into it outlives this value.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
    }
}

/// A pidfd of the process that made the other end of `socket`, by listen(2) or socketpair(2)
/// (`SO_PEERPIDFD`, Linux 6.5).
pub(crate) fn peer_pidfd(socket: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    /// From `asm-generic/socket.h`; the libc crate has it only for some targets.
    const SO_PEERPIDFD: i32 = 77;
    let descriptor: RawFd = socket_option(socket, SO_PEERPIDFD, -1)?;
    // SAFETY: the kernel made this descriptor for us a moment ago, with close-on-exec set, and
    // nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// The file system of pidfds since Linux 6.9, where each process has an inode of its own
/// (`linux/magic.h`). Before, all pidfds shared one.
pub(crate) const PIDFS_MAGIC: rustix::fs::FsWord = 0x5049_4446;

/// Process, user and group of the other end of `socket` at the time of listen(2) or socketpair(2)
/// (`SO_PEERCRED`, unix(7)).
///
/// The process number is 0 where that process has no number in this pid namespace, which is why
/// rustix's type does not fit.
pub(crate) fn peer_credentials(socket: BorrowedFd<'_>) -> io::Result<libc::ucred> {
    socket_option(socket, libc::SO_PEERCRED, libc::ucred { pid: 0, uid: libc::uid_t::MAX, gid: libc::gid_t::MAX })
}

/// The version of Landlock that the kernel offers (landlock_create_ruleset(2)
/// `LANDLOCK_CREATE_RULESET_VERSION`). Makes nothing.
pub(crate) fn landlock_version() -> io::Result<i64> {
    /// From `linux/landlock.h`.
    const CREATE_RULESET_VERSION: u32 = 1;
    // SAFETY: the pointer is null and its length zero, as this flag demands.
    let version = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0_usize, CREATE_RULESET_VERSION)
    };
    match version {
        ..0 => Err(io::Error::last_os_error()),
        version => Ok(version),
    }
}

/// getsockopt(2) at the level of sockets, for the plain C types that this file asks for.
fn socket_option<T: Copy>(socket: BorrowedFd<'_>, option: i32, mut value: T) -> io::Result<T> {
    let mut length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes, the size of `value`, and any bytes are a
    // valid `RawFd` or `ucred`.
    let result = unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, option, (&raw mut value).cast(), &raw mut length)
    };
    match result {
        0 => Ok(value),
        _ => Err(io::Error::last_os_error()),
    }
}
