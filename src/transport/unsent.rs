//! Bytes on their way to the other end. What was handed over before there was room for it is
//! counted until it is sent or dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Buf, Bytes};

/// How many bytes of one connection may wait for room that were handed over before there was any.
/// HTTP/2 keeps them, also those of calls that were given up, for as long as the other end takes
/// nothing. What is more waits with its sender.
const LIMIT: usize = 16 * 1024 * 1024;

/// The bytes of one connection that went ahead of their room. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Unsent(Arc<AtomicUsize>);

impl Unsent {
    /// Whether more may go ahead.
    pub(super) fn has_room(&self) -> bool {
        self.0.load(Ordering::Relaxed) < LIMIT
    }

    /// Counts `bytes` for as long as they are there.
    pub(super) fn ahead(&self, bytes: Bytes) -> Piece {
        let ahead = Ahead { length: bytes.len(), unsent: self.clone() };
        self.0.fetch_add(ahead.length, Ordering::Relaxed);
        Piece { bytes, ahead: Some(ahead) }
    }
}

/// Some bytes of a body.
#[derive(Debug)]
pub(super) struct Piece {
    bytes: Bytes,
    #[expect(dead_code, reason = "counts until it is dropped")]
    ahead: Option<Ahead>,
}

#[derive(Debug)]
struct Ahead {
    length: usize,
    unsent: Unsent,
}

impl From<Bytes> for Piece {
    fn from(bytes: Bytes) -> Self {
        Self { bytes, ahead: None }
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.unsent.0.fetch_sub(self.length, Ordering::Relaxed);
    }
}
