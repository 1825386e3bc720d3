//! Signals that this process ignores or blocks, which would stay so in the program (execve(2),
//! signal(7)). Resets them, and restores them if the replacement fails.

use std::io;

use crate::sys;

/// The numbers of all signals (signal(7)).
const SIGNALS: std::ops::RangeInclusive<i32> = 1..=64;

/// While this value lives, no signal is ignored or blocked. Dropping it restores both.
///
/// Handlers need no such care, because execve(2) resets them. Rust's runtime ignores SIGPIPE in
/// every program, so at least that one is reset.
#[derive(Debug)]
pub(super) struct DefaultSignals {
    ignored: Vec<i32>,
    blocked: u64,
}

impl DefaultSignals {
    pub(super) fn set() -> io::Result<Self> {
        let mut ignored = Vec::new();
        for signal in SIGNALS {
            match sys::is_ignored(signal) {
                Ok(false) => {}
                Ok(true) => {
                    ignored.push(signal);
                    sys::default_action(signal);
                }
                // A signal that glibc reserves (32 and 33). The parent of this process may have
                // ignored it, and the kernel's call resets it.
                Err(_) => sys::default_action(signal),
            }
        }
        match sys::block_signals(0) {
            Ok(blocked) => Ok(Self { ignored, blocked }),
            Err(error) => {
                ignored.into_iter().for_each(sys::ignore);
                Err(error)
            }
        }
    }
}

impl Drop for DefaultSignals {
    fn drop(&mut self) {
        self.ignored.iter().copied().for_each(sys::ignore);
        // Cannot fail: the same call succeeded before.
        let _ = sys::block_signals(self.blocked);
    }
}
