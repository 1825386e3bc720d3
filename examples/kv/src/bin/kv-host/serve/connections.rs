//! Connections to a serving host. Admits processes of this user and of root that speak HTTP/2, up
//! to a limit, and records each. Calls are in `proxy`.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use kv::limits::CONNECTIONS;
use kv::timing::{ACCEPT_RETRY_PAUSE, PREFACE_TIMEOUT};
use portcullis::audit::Log;
use portcullis::event::{Event, Recorder as _};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Connected;

use crate::OUTPUT;
use crate::socket::check_peer;

/// The first bytes of every HTTP/2 connection (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Accepts connections until `stop`. Each one is checked in its own task, so a caller that connects
/// and sends nothing does not delay the next.
pub(super) fn accept(
    listener: Arc<UnixListener>,
    log: Log,
    stop: CancellationToken,
) -> ReceiverStream<io::Result<Connection>> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move { stop.run_until_cancelled(accept_all(&listener, &log, sender)).await });
    ReceiverStream::new(receiver)
}

async fn accept_all(listener: &UnixListener, log: &Log, sender: mpsc::Sender<io::Result<Connection>>) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // EMFILE and its kin persist until something is closed; a loop without a pause
                // would use a whole core.
                OUTPUT.warn(format_args!("cannot accept a connection: {error}"));
                tokio::time::sleep(ACCEPT_RETRY_PAUSE).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else {
            OUTPUT.warn(format_args!("refused a connection: the limit of {CONNECTIONS} is reached"));
            continue;
        };
        let (sender, log) = (sender.clone(), log.clone());
        tokio::spawn(async move {
            match admit(stream, permit, &log).await {
                // Fails only if the host is shutting down.
                Ok(connection) => drop(sender.send(Ok(connection)).await),
                // Another host only checked whether this socket is in use.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
                Err(error) => OUTPUT.warn(format_args!("refused a connection: {error}")),
            }
        });
    }
}

/// Checks the peer before anything is read from it, and records it before it can make a call.
async fn admit(mut stream: UnixStream, permit: OwnedSemaphorePermit, log: &Log) -> io::Result<Connection> {
    let peer = check_peer(&stream)?;
    let mut preface = [0; PREFACE.len()];
    let read = tokio::time::timeout(PREFACE_TIMEOUT, stream.read_exact(&mut preface)).await;
    read.map_err(|_| io::Error::other(format!("no HTTP/2 preface arrived for {PREFACE_TIMEOUT:?}")))??;
    if preface != *PREFACE {
        return Err(io::Error::other("the caller does not speak HTTP/2"));
    }
    let process = peer.pid().map_or_else(|| "unknown".into(), |pid| pid.to_string());
    let event = Event::application("kv.caller", [("user", peer.uid().to_string()), ("process", process)]);
    log.record(event).await.map_err(io::Error::other)?;
    Ok(Connection { preface: PREFACE, stream, _permit: permit })
}

/// An admitted connection.
#[derive(Debug)]
pub(super) struct Connection {
    /// The rest of the preface, which `admit` took from the stream and the HTTP/2 server still
    /// expects.
    preface: &'static [u8],
    stream: UnixStream,
    _permit: OwnedSemaphorePermit,
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.preface.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let (now, later) = self.preface.split_at(self.preface.len().min(buffer.remaining()));
        buffer.put_slice(now);
        self.preface = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
