//! System calls that have no safe wrapper: the only unsafe code of the crate. One call per
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

use crate::limits::launch::CHILD_STACK_BYTES;

/// Argument and environment vectors in the form of execve(2). Built before a process is started,
/// because the new process may not allocate.
pub(crate) struct ExecVectors {
    argv: Vec<*const c_char>,
    envp: Vec<*const c_char>,
    /// Own the strings that the pointers refer to.
    _strings: [Vec<CString>; 2],
}

// SAFETY: the pointers refer to heap buffers that this value owns and never changes. Moving the
// value to another thread moves neither the buffers nor their ownership.
unsafe impl Send for ExecVectors {}
// SAFETY: as above. A shared reference only reads the pointers and the buffers.
unsafe impl Sync for ExecVectors {}

impl ExecVectors {
    pub(crate) fn new(argv: Vec<CString>, envp: Vec<CString>) -> Self {
        let pointers = |strings: &[CString]| {
            strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect::<Vec<_>>()
        };
        Self { argv: pointers(&argv), envp: pointers(&envp), _strings: [argv, envp] }
    }
}

/// Starts a process that runs `child` in this process's memory, on a separate stack. Suspends the
/// calling thread until the new process has executed a program or ended (clone(2): `CLONE_VM`,
/// `CLONE_VFORK`, `CLONE_PIDFD`). The other threads run on.
///
/// posix_spawn(3) of glibc does the same. fork(2) would copy the page tables of the host's whole
/// memory.
///
/// Call it with all signals blocked, so that no handler of the host runs in the new process, which
/// shares its memory. `child` may only make system calls: no allocation, no lock, no panic
/// (vfork(2)). It returns only on failure. Its writes to captured variables are visible to the
/// caller.
pub(crate) fn start_process(mut child: &mut dyn FnMut()) -> io::Result<(Pid, OwnedFd)> {
    /// The exit status if no program was executed. The caller learns the reason from `child`.
    const FAILED: i32 = 127;
    extern "C" fn run(child: *mut c_void) -> i32 {
        // SAFETY: the pointer refers to the parameter of `start_process`. `CLONE_VM` keeps it valid
        // here, and `CLONE_VFORK` suspends the thread that owns it, so the reference is unique.
        let child = unsafe { &mut *child.cast::<&mut dyn FnMut()>() };
        child();
        FAILED
    }
    // In units of 16 bytes, the alignment that the ABIs of x86-64 and AArch64 require of a stack.
    let mut stack = vec![0_u128; CHILD_STACK_BYTES / size_of::<u128>()];
    let mut pidfd: RawFd = -1;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    let top = stack.as_mut_ptr_range().end.cast();
    // SAFETY: the stack, the argument and the variable for the pidfd are valid until the call
    // returns. With `CLONE_VFORK` it returns only after the new process has stopped using this
    // memory. `top` is the end of the stack, which grows down on every architecture that Rust
    // supports on Linux.
    let pid = unsafe { libc::clone(run, top, flags, (&raw mut child).cast(), &raw mut pidfd) };
    // In the calling thread, clone(2) returns the number of the new process, or -1.
    let Some(pid) = (if pid > 0 { Pid::from_raw(pid) } else { None }) else {
        return Err(io::Error::last_os_error());
    };
    // SAFETY: the kernel has just created this descriptor for this call (with close-on-exec set),
    // and no other code owns it.
    Ok((pid, unsafe { OwnedFd::from_raw_fd(pidfd) }))
}

/// execveat(2) of the file that `program` refers to, which may have no path. Returns only on
/// failure.
pub(crate) fn execute(program: RawFd, vectors: &ExecVectors) -> io::Error {
    // SAFETY: both vectors end with a null pointer, and their pointers refer to C strings that
    // outlive the call. The path is an empty C string.
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

/// execve(2) of `path`, for systems that forbid execveat(2). Returns only on failure.
pub(crate) fn execute_path(path: &CString, vectors: &ExecVectors) -> io::Error {
    // SAFETY: as in `execute`. The path is a C string.
    unsafe { libc::execve(path.as_ptr(), vectors.argv.as_ptr(), vectors.envp.as_ptr()) };
    io::Error::last_os_error()
}

/// Marks every descriptor from `first` on close-on-exec (close_range(2), Linux 5.11).
pub(crate) fn close_on_exec_from(first: u32) -> io::Result<()> {
    // SAFETY: the call takes no pointer and closes nothing.
    match unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Resets `signal` to its default action (rt_sigaction(2)). Uses the system call, because glibc
/// refuses to touch signals 32 and 33, which it reserves (signal(7)).
pub(crate) fn default_action(signal: i32) {
    /// `SIG_DFL` without flags: all zeros, and at least as long as the kernel's structure on every
    /// architecture.
    const DEFAULT: [u64; 8] = [0; 8];
    /// The size of the kernel's signal set in bytes: 64 signals.
    const SET: usize = 8;
    // SAFETY: the kernel reads a structure that is not longer than `DEFAULT`, and writes nothing,
    // because the second pointer is null. The default action runs no code of this process.
    unsafe {
        libc::syscall(libc::SYS_rt_sigaction, signal, DEFAULT.as_ptr(), std::ptr::null::<u64>(), SET);
    }
}

/// Whether this process ignores `signal` (sigaction(2)).
pub(crate) fn is_ignored(signal: i32) -> io::Result<bool> {
    Ok(action(signal)?.sa_sigaction == libc::SIG_IGN)
}

/// Ignores `signal` (signal(2)). Has no effect on SIGKILL and SIGSTOP.
pub(crate) fn ignore(signal: i32) {
    // SAFETY: installs no handler, so no code runs on the signal.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

/// Blocks exactly the signals in `mask` in this thread, with bit 0 for signal 1, and returns the
/// mask before (rt_sigprocmask(2)).
pub(crate) fn block_signals(mask: u64) -> io::Result<u64> {
    let mut before = 0_u64;
    // SAFETY: the kernel reads one set of 64 signals and writes another. Both have the size that is
    // passed.
    let result = unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const mask, &raw mut before, size_of::<u64>())
    };
    match result {
        0 => Ok(before),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Whether the kernel discards the exit status of this process's children (sigaction(2): `SIG_IGN`
/// and `SA_NOCLDWAIT`).
pub(crate) fn ignores_children() -> io::Result<bool> {
    let action = action(libc::SIGCHLD)?;
    Ok(action.sa_sigaction == libc::SIG_IGN || action.sa_flags & libc::SA_NOCLDWAIT != 0)
}

/// The action of this process for `signal` (sigaction(2)).
fn action(signal: i32) -> io::Result<libc::sigaction> {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: the first pointer is null, so no action changes. The second refers to a structure
    // that the call fills.
    if unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so it filled the structure.
    Ok(unsafe { action.assume_init() })
}

/// Registers a descriptor with the current runtime, for its readiness.
#[cfg(feature = "_runtime")]
pub(crate) fn watch(descriptor: Arc<OwnedFd>, interest: Interest) -> io::Result<AsyncFd<Arc<OwnedFd>>> {
    // SAFETY: an `OwnedFd` keeps its descriptor open until it is dropped, and the `AsyncFd` owns an
    // `Arc` of this one.
    Ok(unsafe { AsyncFd::register_with_interest(descriptor, interest) }?)
}

/// A read-only mapping of a sealed memory file. The seals keep it valid and unchanged, so it is
/// used without a copy.
pub(crate) struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

impl Mapping {
    /// Maps a sealed file (mmap(2)).
    ///
    /// # Errors
    ///
    /// If the file is empty, or not sealed against writing and shrinking, and on errors of the
    /// system.
    pub(crate) fn of_sealed(file: &File) -> io::Result<Self> {
        let sealed = rustix::fs::fcntl_get_seals(file)?.contains(SealFlags::WRITE | SealFlags::SHRINK);
        let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        if !sealed || length == 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let (protection, flags) = (libc::PROT_READ, libc::MAP_SHARED | libc::MAP_POPULATE);
        // SAFETY: the kernel chooses the address, so the mapping replaces no other memory.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), length, protection, flags, file.as_raw_fd(), 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start =
            NonNull::new(start.cast()).ok_or_else(|| io::Error::other("the kernel mapped the file at address 0"))?;
        Ok(Self { start, length })
    }
}

impl AsRef<[u8]> for Mapping {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: `length` bytes are mapped at `start` while this value lives. `F_SEAL_WRITE` and
        // `F_SEAL_SHRINK`, which cannot be removed (fcntl(2)), keep them unchanged and accessible.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: `of_sealed` mapped exactly this range, and no reference into it outlives this
        // value.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
    }
}

/// A pidfd of the process that created the other end of `socket`, by listen(2) or socketpair(2)
/// (`SO_PEERPIDFD`, Linux 6.5).
pub(crate) fn peer_pidfd(socket: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    /// From `asm-generic/socket.h`. The libc crate has it for some targets only.
    const SO_PEERPIDFD: i32 = 77;
    let descriptor: RawFd = socket_option(socket, SO_PEERPIDFD, -1)?;
    // SAFETY: the kernel has just created this descriptor for this call (with close-on-exec set),
    // and no other code owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// The magic number of pidfs (`linux/magic.h`), the file system of pidfds since Linux 6.9, where
/// each process has a unique inode. Before, all pidfds shared one inode.
pub(crate) const PIDFS_MAGIC: rustix::fs::FsWord = 0x5049_4446;

/// Process, user and group of the other end of `socket` at the time of listen(2) or socketpair(2)
/// (`SO_PEERCRED`, unix(7)).
///
/// The process number is 0 if the process has none in this pid namespace. The type of rustix cannot
/// hold 0.
pub(crate) fn peer_credentials(socket: BorrowedFd<'_>) -> io::Result<libc::ucred> {
    socket_option(socket, libc::SO_PEERCRED, libc::ucred { pid: 0, uid: libc::uid_t::MAX, gid: libc::gid_t::MAX })
}

/// The kernel's version of Landlock (landlock_create_ruleset(2) `LANDLOCK_CREATE_RULESET_VERSION`).
/// Creates no ruleset.
pub(crate) fn landlock_version() -> io::Result<i64> {
    /// From `linux/landlock.h`.
    const CREATE_RULESET_VERSION: u32 = 1;
    // SAFETY: the pointer is null and the size zero, as this flag requires.
    let version = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0_usize, CREATE_RULESET_VERSION)
    };
    match version {
        ..0 => Err(io::Error::last_os_error()),
        version => Ok(version),
    }
}

/// getsockopt(2) with `SOL_SOCKET`, for types of which every bit pattern is valid.
fn socket_option<T: Copy>(socket: BorrowedFd<'_>, option: i32, mut value: T) -> io::Result<T> {
    let mut length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes, the size of `value`. `T` is `RawFd` or
    // `ucred` in this file, and every bit pattern of them is valid.
    let result = unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, option, (&raw mut value).cast(), &raw mut length)
    };
    match result {
        0 => Ok(value),
        _ => Err(io::Error::last_os_error()),
    }
}
