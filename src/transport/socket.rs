//! A stream socket within the runtime, which takes out of the kernel in large pieces what comes in
//! large pieces. Knows nothing of what is read and written.

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

use crate::sys;

/// How much is taken out of the kernel at once when much comes. TLS asks for 4 KiB each time, a
/// quarter of a record.
const PIECE: usize = 64 * 1024;

/// After a piece that was no longer than this there is nothing to be read ahead.
const SMALL: usize = 4 * 1024;

/// How many slices the kernel takes at once (sendmsg(2), `EMSGSIZE`; `UIO_MAXIOV`).
const SLICES: usize = 1024;

/// A connected socket.
#[derive(Debug)]
pub(crate) struct Socket {
    descriptor: AsyncFd<Arc<OwnedFd>>,
    ahead: ReadAhead,
}

/// Bytes that were read and that nobody has asked for yet.
#[derive(Debug, Default)]
struct ReadAhead {
    piece: Vec<u8>,
    taken: usize,
    /// Whether the last read brought so much that there is probably more.
    more: bool,
}

impl Socket {
    /// A connected, non-blocking socket. To be called within a runtime.
    pub(super) fn new(socket: OwnedFd) -> io::Result<Self> {
        // For both at once, which also wakes its task whenever the peer has read something. That is
        // no loss: it finds the processor awake when the answer comes.
        let descriptor = sys::watch(Arc::new(socket), Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self { descriptor, ahead: ReadAhead::default() })
    }

    /// The socket, for as long as somebody wants it.
    pub(super) fn descriptor(&self) -> &Arc<OwnedFd> {
        self.descriptor.get_ref()
    }

    /// Receives with `receive` into that much room, once there is something.
    fn poll_receive(
        &self,
        cx: &mut Context<'_>,
        room: usize,
        mut receive: impl FnMut(&OwnedFd) -> rustix::io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.descriptor.poll_read_ready(cx))?;
            match receive(self.descriptor()) {
                Ok(length) => {
                    // Less than there was room for: what comes next is a new event (epoll(7)).
                    if 0 < length && length < room {
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
        let room = unfilled.len();
        let receive = |socket: &OwnedFd| Ok(rustix::net::recv(socket, &mut *unfilled, RecvFlags::empty())?.1);
        let length = ready!(self.poll_receive(cx, room, receive))?;
        buffer.advance(length);
        self.ahead.more = length == room;
        Poll::Ready(Ok(()))
    }

    fn poll_read_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut piece = std::mem::take(&mut self.ahead.piece);
        piece.reserve_exact(PIECE);
        let receive =
            |socket: &OwnedFd| Ok(rustix::net::recv(socket, spare_capacity(&mut piece), RecvFlags::empty())?.1);
        // While nothing comes there is no piece: an idle connection takes no memory for it.
        ready!(self.poll_receive(cx, PIECE, receive))?;
        self.ahead.more = piece.len() > SMALL;
        self.ahead.piece = piece;
        Poll::Ready(Ok(()))
    }

    /// Sends what the kernel has room for, once it has some.
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

/// A peer that is gone is an error here and no signal, whatever the program does about signals.
fn send(socket: &OwnedFd, slices: &[IoSlice<'_>]) -> rustix::io::Result<usize> {
    let slices = &slices[..slices.len().min(SLICES)];
    rustix::net::sendmsg(socket, slices, &mut SendAncillaryBuffer::default(), SendFlags::NOSIGNAL)
}

impl ReadAhead {
    /// Hands over what there is room for.
    fn hand_over(&mut self, buffer: &mut ReadBuf<'_>) {
        let rest = &self.piece[self.taken..];
        let length = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..length]);
        self.taken += length;
        if self.taken == self.piece.len() {
            self.taken = 0;
            self.piece.clear();
            if !self.more {
                self.piece = Vec::new();
            }
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.ahead.piece.is_empty() {
            if !self.ahead.more || buffer.remaining() >= PIECE {
                return self.poll_read_directly(cx, buffer);
            }
            ready!(self.poll_read_ahead(cx))?;
        }
        self.ahead.hand_over(buffer);
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
            // That the other end was faster is no error.
            Ok(()) | Err(Errno::NOTCONN) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(error.into())),
        }
    }
}

#[cfg(test)]
mod tests;
