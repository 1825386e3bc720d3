//! What survives an execve(2) of how this process takes signals: those that it ignores, and those
//! that it blocks. Given up, and back.

use std::io;

use crate::sys;

/// Signals have numbers from 1 to 64 (signal(7)).
const SIGNALS: std::ops::RangeInclusive<i32> = 1..=64;

/// Every signal that was ignored has its default action and none is blocked, until this is dropped.
///
/// Handlers need no such care: they do not survive. Rust programs ignore SIGPIPE from their start,
/// which nobody asked for.
#[derive(Debug)]
pub(super) struct Defaults {
    ignored: Vec<i32>,
    blocked: u64,
}

impl Defaults {
    pub(super) fn set() -> io::Result<Self> {
        let mut ignored = Vec::new();
        for signal in SIGNALS {
            match sys::is_ignored(signal) {
                Ok(false) => {}
                Ok(true) => {
                    ignored.push(signal);
                    sys::default_action(signal);
                }
                // One of those that the C library keeps to itself; it may have been ignored by
                // whoever started this process.
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

impl Drop for Defaults {
    fn drop(&mut self) {
        self.ignored.iter().copied().for_each(sys::ignore);
        // It succeeded a moment ago, and there is nobody to tell.
        let _ = sys::block_signals(self.blocked);
    }
}
