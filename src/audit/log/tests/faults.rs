//! Injected disk failures.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::Errno;

/// The failures of a file, and how often it was synced.
#[derive(Debug, Default)]
pub(in crate::audit::log) struct Faults {
    pub(in crate::audit::log) plan: Mutex<Plan>,
    pub(in crate::audit::log) syncs: AtomicU64,
}

#[derive(Debug, Default, Clone, Copy)]
pub(in crate::audit::log) struct Plan {
    /// The error of a write, after this many bytes.
    pub(in crate::audit::log) write: Option<(usize, Errno)>,
    pub(in crate::audit::log) sync: Option<Errno>,
    pub(in crate::audit::log) cut: Option<Errno>,
    /// The longest file in bytes that the disk has space for.
    pub(in crate::audit::log) room: Option<u64>,
    /// The error of an allocation.
    pub(in crate::audit::log) reserve: Option<Errno>,
}

impl Faults {
    fn plan(&self) -> Plan {
        *self.plan.lock().unwrap()
    }

    pub(in crate::audit::log) fn write<'a>(&self, file: &File, bytes: &'a [u8], at: u64) -> io::Result<&'a [u8]> {
        let plan = self.plan();
        let full = plan.room.filter(|room| at + bytes.len() as u64 > *room);
        let full = full.map(|room| (room.saturating_sub(at) as usize, Errno::NOSPC));
        match plan.write.or(full) {
            None => Ok(bytes),
            Some((written, error)) => {
                file.write_all_at(&bytes[..written.min(bytes.len())], at)?;
                Err(error.into())
            }
        }
    }

    pub(in crate::audit::log) fn sync(&self) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.plan().sync.map_or(Ok(()), |error| Err(error.into()))
    }

    pub(in crate::audit::log) fn cut(&self) -> io::Result<()> {
        self.plan().cut.map_or(Ok(()), |error| Err(error.into()))
    }

    pub(in crate::audit::log) fn reserve(&self, end: u64) -> rustix::io::Result<()> {
        let plan = self.plan();
        let full = plan.room.filter(|room| end > *room).map(|_| Errno::NOSPC);
        plan.reserve.or(full).map_or(Ok(()), Err)
    }
}
