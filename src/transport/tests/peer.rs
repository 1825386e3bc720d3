//! The plugin of these tests: an HTTP/2 server that the test controls, and a connection that
//! records what the host writes.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tonic::Status;
use tonic::body::Body;

use super::super::channel::Http2Channel;
use super::settle;

/// More bytes than any test leaves unread.
const PIPE_BYTES: usize = 16 * 1024 * 1024;

/// A call at the plugin's end.
pub(super) type Call = (Request<RecvStream>, SendResponse<Bytes>);

/// The plugin's end.
pub(super) struct Peer {
    calls: UnboundedReceiver<Call>,
    task: JoinHandle<()>,
    pub(super) wire: Wire,
}

impl Peer {
    pub(super) async fn call(&mut self) -> Call {
        self.calls.recv().await.expect("the connection is gone")
    }

    /// Drops the connection, as when the process ends.
    pub(super) async fn die(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }

    /// Waits until the host has closed the connection.
    pub(super) async fn closed(self) {
        self.task.await.unwrap();
    }
}

/// A channel to a plugin, after both ends have exchanged their SETTINGS.
pub(super) async fn connected() -> (Http2Channel, Peer) {
    connected_to(Builder::new()).await
}

pub(super) async fn connected_to(plugin: Builder) -> (Http2Channel, Peer) {
    let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
    let wire = Wire::default();
    let watched = Watched { bytes: ours, wire: wire.clone() };
    let (channel, connection) = tokio::join!(Http2Channel::over(watched), plugin.handshake(theirs));
    let mut connection = connection.unwrap();
    let (sender, calls) = unbounded_channel();
    let task = tokio::spawn(async move {
        while let Some(Ok(call)) = connection.accept().await {
            let _ = sender.send(call);
        }
    });
    settle().await;
    wire.take();
    (channel.unwrap(), Peer { calls, task, wire })
}

/// The bytes that the host has written.
#[derive(Clone, Default)]
pub(super) struct Wire(Arc<Mutex<Vec<Vec<u8>>>>);

/// The part of a frame that tests compare.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Headers,
    Data(usize),
    /// With the end of the stream.
    LastData(usize),
    Reset(u32),
}

impl Wire {
    /// The writes since the last call.
    pub(super) fn take(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// The frames of streams since the last call. Omits frames about windows and the connection.
    pub(super) fn frames(&self) -> Vec<Sent> {
        frames(&self.take().concat())
    }
}

pub(super) fn frames(mut bytes: &[u8]) -> Vec<Sent> {
    let mut frames = Vec::new();
    while let Some((head, rest)) = bytes.split_at_checked(9) {
        let (payload, rest) = rest.split_at(u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize);
        bytes = rest;
        // RFC 9113, section 6.
        match (head[3], head[4] & 1) {
            (0, 0) => frames.push(Sent::Data(payload.len())),
            (0, _) => frames.push(Sent::LastData(payload.len())),
            (1, _) => frames.push(Sent::Headers),
            (3, _) => frames.push(Sent::Reset(u32::from_be_bytes(payload.try_into().unwrap()))),
            _ => {}
        }
    }
    assert!(bytes.is_empty(), "half a frame");
    frames
}

struct Watched {
    bytes: DuplexStream,
    wire: Wire,
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let length = ready!(Pin::new(&mut self.bytes).poll_write(cx, bytes))?;
        self.wire.0.lock().unwrap().push(bytes[..length].to_vec());
        Poll::Ready(Ok(length))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write(cx, &slices.iter().flat_map(|slice| slice.iter().copied()).collect::<Vec<_>>())
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_shutdown(cx)
    }
}

type Piece = Result<Frame<Bytes>, Status>;

/// A body that the test writes while it is sent.
struct Pipe {
    pieces: UnboundedReceiver<Piece>,
    taken: Arc<AtomicUsize>,
}

impl http_body::Body for Pipe {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Piece>> {
        let piece = ready!(self.pieces.poll_recv(cx));
        self.taken.fetch_add(usize::from(piece.is_some()), Ordering::Relaxed);
        Poll::Ready(piece)
    }
}

/// The other end of a body.
pub(super) struct Says {
    pieces: UnboundedSender<Piece>,
    taken: Arc<AtomicUsize>,
}

impl Says {
    pub(super) fn data(&self, bytes: impl Into<Bytes>) -> &Self {
        self.pieces.send(Ok(Frame::data(bytes.into()))).unwrap();
        self
    }

    pub(super) fn trailers(&self, trailers: HeaderMap) -> &Self {
        self.pieces.send(Ok(Frame::trailers(trailers))).unwrap();
        self
    }

    pub(super) fn error(&self, status: Status) -> &Self {
        self.pieces.send(Err(status)).unwrap();
        self
    }

    /// The number of pieces that were read from the body.
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Waits until the body was dropped.
    pub(super) async fn given_up(&self) {
        self.pieces.closed().await;
    }
}

/// A body that ends when the other end is dropped.
pub(super) fn pipe() -> (Body, Says) {
    let (sender, pieces) = unbounded_channel();
    let taken = Arc::new(AtomicUsize::new(0));
    (Body::new(Pipe { pieces, taken: Arc::clone(&taken) }), Says { pieces: sender, taken })
}

/// A body whose bytes are all available.
pub(super) fn whole(bytes: impl Into<Bytes>) -> Body {
    let (body, says) = pipe();
    says.data(bytes);
    body
}

pub(super) fn request(body: Body) -> Request<Body> {
    Request::post("/test.Kv/Get").body(body).unwrap()
}

pub(super) fn with_timeout(timeout: &str) -> Request<Body> {
    let mut request = request(whole("request"));
    request.headers_mut().insert("grpc-timeout", timeout.parse().unwrap());
    request
}

pub(super) fn response() -> Response<()> {
    Response::new(())
}

/// Responds with headers and the first bytes of a body.
pub(super) fn begin((_request, mut respond): Call) -> SendStream<Bytes> {
    let mut stream = respond.send_response(response(), false).unwrap();
    stream.send_data("begun".into(), false).unwrap();
    stream
}
