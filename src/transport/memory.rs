//! Memory for messages, kept by the process from one to the next. A hint to the C library's
//! allocator; other allocators ignore it.

use std::hint::black_box;
use std::sync::Once;

/// Twice as much may lie unused at the end of the heap before it is given back to the system.
const KEPT: usize = 8 * 1024 * 1024;

/// Lets the allocator keep the memory of a few large messages.
///
/// glibc's gives back the end of its heap when that is larger than twice the largest block that was
/// ever freed by itself (mallopt(3), `M_MMAP_THRESHOLD`). Messages of a megabyte lie just above
/// that: their memory would be given back after each and be taken, and filled with zeros by the
/// kernel, for the next. That took more than half of the time of a call.
pub(super) fn keep() {
    static ONCE: Once = Once::new();
    // Never written to, so that it costs address space and no memory.
    ONCE.call_once(|| drop(black_box(Vec::<u8>::with_capacity(KEPT))));
}
