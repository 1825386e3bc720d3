//! A stream socket in the runtime. Reads ahead in large pieces while much arrives, because TLS
//! reads in small ones. Does not know the protocol above it.

use std::io::{self, IoSlice};
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};

use crate::limits::transport::{READ_AHEAD_BYTES, READ_AHEAD_FROM_BYTES};
use crate::sys;

/// The most slices that sendmsg(2) takes (`UIO_MAXIOV`; more fail with EMSGSIZE).
const MAX_SLICES: usize = 1024;

/// A connected, non-blocking socket.
#[derive(Debug)]
pub(crate) struct Socket {
    descriptor: AsyncFd<Arc<OwnedFd>>,
    ahead: ReadAhead,
}

/// Bytes that were read from the kernel and not yet by the caller.
#[derive(Debug, Default)]
struct ReadAhead {
    buffer: Vec<u8>,
    /// How many bytes of `buffer` the caller has read.
    consumed: usize,
    /// Whether the last read returned so much that more is probably there.
    expects_more: bool,
}

impl Socket {
    /// Takes a connected, non-blocking socket. Call it within a runtime.
    pub(super) fn new(socket: OwnedFd) -> io::Result<Self> {
        // One registration for both directions also wakes the task each time the peer has read
        // something. Measured, that costs nothing: the processor is awake when the answer comes.
        let descriptor = sys::watch(Arc::new(socket), Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self { descriptor, ahead: ReadAhead::default() })
    }

    /// The socket, shared: it stays open until the last owner drops it.
    pub(super) fn descriptor(&self) -> &Arc<OwnedFd> {
        self.descriptor.get_ref()
    }

    /// Calls `receive`, which has room for `capacity` bytes, when the socket is readable.
    fn poll_receive(
        &self,
        cx: &mut Context<'_>,
        capacity: usize,
        mut receive: impl FnMut(&OwnedFd) -> rustix::io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.descriptor.poll_read_ready(cx))?;
            match receive(self.descriptor()) {
                Ok(length) => {
                    // A short read has emptied the socket, so the next bytes raise a new edge
                    // (epoll(7), question 9). A length of 0 is the end, which stays readable.
                    if 0 < length && length < capacity {
                        guard.clear_ready();
                    }
                    return Poll::Ready(Ok(length));
                }
                Err(Errno::AGAIN) => guard.clear_ready(),
                Err(Errno::INTR) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }

    fn poll_read_directly(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let unfilled = buffer.initialize_unfilled();
        let capacity = unfilled.len();
        let receive = |socket: &OwnedFd| Ok(rustix::net::recv(socket, &mut *unfilled, RecvFlags::empty())?.1);
        let length = ready!(self.poll_receive(cx, capacity, receive))?;
        buffer.advance(length);
        self.ahead.expects_more = length == capacity;
        Poll::Ready(Ok(()))
    }

    fn poll_read_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut buffer = std::mem::take(&mut self.ahead.buffer);
        buffer.reserve_exact(READ_AHEAD_BYTES);
        let receive =
            |socket: &OwnedFd| Ok(rustix::net::recv(socket, spare_capacity(&mut buffer), RecvFlags::empty())?.1);
        // While nothing arrives the buffer is dropped here: an idle connection holds no memory.
        ready!(self.poll_receive(cx, READ_AHEAD_BYTES, receive))?;
        self.ahead.expects_more = buffer.len() > READ_AHEAD_FROM_BYTES;
        self.ahead.buffer = buffer;
        Poll::Ready(Ok(()))
    }

    /// Sends as much as the kernel takes, when the socket is writable.
    fn poll_send(&self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.descriptor.poll_write_ready(cx))?;
            match send(self.descriptor(), slices) {
                Ok(length) => return Poll::Ready(Ok(length)),
                Err(Errno::AGAIN) => guard.clear_ready(),
                Err(Errno::INTR) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }
}

/// Fails with EPIPE if the peer is gone. Without `MSG_NOSIGNAL` SIGPIPE could end the process.
fn send(socket: &OwnedFd, slices: &[IoSlice<'_>]) -> rustix::io::Result<usize> {
    let slices = &slices[..slices.len().min(MAX_SLICES)];
    rustix::net::sendmsg(socket, slices, &mut SendAncillaryBuffer::default(), SendFlags::NOSIGNAL)
}

impl ReadAhead {
    /// Copies as much as fits into `target`.
    fn copy_to(&mut self, target: &mut ReadBuf<'_>) {
        let rest = &self.buffer[self.consumed..];
        let length = rest.len().min(target.remaining());
        target.put_slice(&rest[..length]);
        self.consumed += length;
        if self.consumed == self.buffer.len() {
            self.consumed = 0;
            self.buffer.clear();
            if !self.expects_more {
                self.buffer = Vec::new();
            }
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.ahead.buffer.is_empty() {
            // Reading ahead costs a copy, which pays only when it saves system calls.
            if !self.ahead.expects_more || buffer.remaining() >= READ_AHEAD_BYTES {
                return self.poll_read_directly(cx, buffer);
            }
            ready!(self.poll_read_ahead(cx))?;
        }
        self.ahead.copy_to(buffer);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_send(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match rustix::net::shutdown(self.descriptor(), Shutdown::Write) {
            // The peer has closed the connection already.
            Ok(()) | Err(Errno::NOTCONN) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(error.into())),
        }
    }
}

#[cfg(test)]
mod tests;
