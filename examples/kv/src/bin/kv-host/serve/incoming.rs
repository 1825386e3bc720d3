//! Who is let in: processes of this user and of root, so many at once, as soon as they speak
//! HTTP/2. Knows nothing of what they ask for.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use portcullis::audit::Log;
use portcullis::event::Event;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Connected;

use crate::OUTPUT;

/// How many connections there may be.
const CONNECTIONS: usize = 256;

/// The first bytes of every HTTP/2 connection (RFC 9113, section 3.4), and how long a caller may
/// take for them.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const PREFACE_WAIT: Duration = Duration::from_secs(10);

/// How long nothing is accepted when the process has run out of descriptors or the like.
const REST: Duration = Duration::from_millis(50);

/// Accepts connections until `stop`, each in a task of its own until it has said its first bytes.
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
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                OUTPUT.warn(format_args!("a connection could not be accepted: {error}"));
                tokio::time::sleep(REST).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            OUTPUT.warn(format_args!("a connection was refused: there are {CONNECTIONS} already"));
            continue;
        };
        let (sender, log) = (sender.clone(), log.clone());
        tokio::spawn(async move {
            match admit(stream, place, &log).await {
                // Nobody takes it if the end has come meanwhile.
                Ok(connection) => drop(sender.send(Ok(connection)).await),
                // Somebody only looked whether the socket is listened on.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
                Err(error) => OUTPUT.warn(format_args!("a connection was refused: {error}")),
            }
        });
    }
}

async fn admit(mut stream: UnixStream, place: OwnedSemaphorePermit, log: &Log) -> io::Result<Connection> {
    let peer = stream.peer_cred()?;
    let user = peer.uid();
    if user != 0 && user != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other(format!("it is another user's, {user}")));
    }
    let mut preface = [0; PREFACE.len()];
    let read = tokio::time::timeout(PREFACE_WAIT, stream.read_exact(&mut preface)).await;
    read.map_err(|_| io::Error::other("it said nothing"))??;
    if preface != *PREFACE {
        return Err(io::Error::other("it does not speak HTTP/2"));
    }
    let process = peer.pid().map_or_else(|| "unknown".into(), |pid| pid.to_string());
    let caller = Event::application("kv.caller", [("user", user.to_string()), ("process", process)]);
    log.record(caller).await.map_err(io::Error::other)?;
    Ok(Connection { preface: PREFACE, stream, _place: place })
}

/// A caller that was let in.
#[derive(Debug)]
pub(super) struct Connection {
    /// What was read already, and whoever speaks HTTP/2 here is still to read.
    preface: &'static [u8],
    stream: UnixStream,
    _place: OwnedSemaphorePermit,
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
