//! The plugin of these tests, a channel with scripted responses; and a recorder in memory.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as _, Frame};
use prost::Message as _;
use ring::hmac;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;
use tower_layer::Layer;
use tower_service::Service;

use crate::event::{
    Acknowledgement, CallEnded, CallIntent, Event, KeyedHash, LaunchId, MessagesReceived, RecordError, Recorder,
    Recording, ValueHasher,
};
use crate::host::calls::{CallLayer, RecordedCalls};

type Piece = Result<Frame<Bytes>, Status>;

/// The plugin's end.
#[derive(Clone)]
pub(super) struct Scripted {
    /// The response to the first call.
    response: Arc<Mutex<Option<io::Result<http::Response<Body>>>>>,
    /// The request, after the call.
    pub(super) asked: Arc<Mutex<Option<http::Request<Body>>>>,
    /// The recorded events at the moment of the call.
    pub(super) known: Arc<Mutex<Vec<Event>>>,
    bench: Arc<Bench>,
}

impl Scripted {
    /// Puts this among the headers of the answer.
    pub(super) fn with_header(&self, name: &'static str, value: &'static str) {
        if let Some(Ok(response)) = &mut *self.response.lock().unwrap() {
            response.headers_mut().insert(name, http::HeaderValue::from_static(value));
        }
    }
}

impl Service<http::Request<Body>> for Scripted {
    type Response = http::Response<Body>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<http::Response<Body>>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        *self.known.lock().unwrap() = self.bench.events();
        *self.asked.lock().unwrap() = Some(request);
        let response = self.response.lock().unwrap().take();
        Box::pin(async move {
            match response {
                Some(response) => response,
                None => std::future::pending().await,
            }
        })
    }
}

/// A body that is written while it is read.
struct Pipe(UnboundedReceiver<Piece>);

impl http_body::Body for Pipe {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Piece>> {
        self.0.poll_recv(cx)
    }
}

/// A whole message, and then the beginning of another that does not end, as fast as it is taken.
pub(super) struct Flood(pub(super) Arc<AtomicUsize>);

impl http_body::Body for Flood {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<Piece>> {
        let taken = self.0.fetch_add(1, Ordering::Relaxed);
        let piece =
            if taken == 0 { [&framed("one")[..], &[0, 3, 0xff, 0xff, 0xff]].concat() } else { vec![b'x'; 64 * 1024] };
        Poll::Ready(Some(Ok(Frame::data(piece.into()))))
    }
}

/// Sends the pieces of a response.
pub(super) struct Says(UnboundedSender<Piece>);

impl Says {
    pub(super) fn bytes(&self, bytes: &[u8]) -> &Self {
        self.0.send(Ok(Frame::data(Bytes::copy_from_slice(bytes)))).unwrap();
        self
    }

    /// These messages, in one piece.
    pub(super) fn messages(&self, texts: &[&str]) -> &Self {
        self.bytes(&texts.iter().flat_map(|text| framed(text)).collect::<Vec<_>>())
    }

    pub(super) fn status(&self, status: &Status) -> &Self {
        let mut trailers = HeaderMap::new();
        status.add_header(&mut trailers).unwrap();
        self.trailers(trailers)
    }

    pub(super) fn trailers(&self, trailers: HeaderMap) -> &Self {
        self.0.send(Ok(Frame::trailers(trailers))).unwrap();
        self
    }

    pub(super) fn ok(&self) -> &Self {
        self.status(&Status::new(tonic::Code::Ok, ""))
    }

    pub(super) fn error(&self, status: Status) {
        self.0.send(Err(status)).unwrap();
    }

    /// Whether somebody listens.
    pub(super) fn is_heard(&self) -> bool {
        !self.0.is_closed()
    }
}

/// The message that says `text`, as it is hashed.
pub(super) fn encoded(text: &str) -> Vec<u8> {
    text.to_owned().encode_to_vec()
}

pub(super) fn framed(text: &str) -> Vec<u8> {
    let message = encoded(text);
    [&[0], &(message.len() as u32).to_be_bytes()[..], &message].concat()
}

/// Keeps the events of a test in memory, until it is closed.
#[derive(Debug)]
pub(in crate::host::calls) struct Memory {
    events: Mutex<Vec<Event>>,
    /// Events that are not durable yet, while the recorder holds them back.
    held: Mutex<Option<Vec<(Event, Acknowledgement)>>>,
    is_closed: AtomicBool,
    is_required: bool,
}

impl Memory {
    /// Holds back every event from here on, as a disk does that does not answer.
    pub(super) fn hold(&self) {
        *self.held.lock().unwrap() = Some(Vec::new());
    }

    /// Keeps the events that were held back, and acknowledges them.
    pub(super) fn release(&self) {
        let held = self.held.lock().unwrap().take();
        for (event, acknowledgement) in held.into_iter().flatten() {
            acknowledgement.report(self.keep(event));
        }
    }

    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
    }

    /// A closed recorder refuses events, as a closed log does.
    fn keep(&self, event: Event) -> Result<(), RecordError> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(RecordError::new("the log is closed"));
        }
        self.events.lock().unwrap().push(event);
        Ok(())
    }
}

impl Recorder for Memory {
    fn record(&self, event: Event) -> Recording {
        if let Some(held) = &mut *self.held.lock().unwrap() {
            let (acknowledgement, recording) = Recording::pending();
            held.push((event, acknowledgement));
            return recording;
        }
        let outcome = self.keep(event);
        Recording::done(if self.is_required { outcome } else { Ok(()) })
    }

    fn value_hasher(&self) -> Option<Box<dyn ValueHasher>> {
        Some(hasher())
    }

    fn is_required(&self) -> bool {
        self.is_required
    }
}

struct Hasher(hmac::Context);

impl ValueHasher for Hasher {
    fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    fn hash(&self) -> KeyedHash {
        KeyedHash::from_hmac(self.0.clone().sign().as_ref().try_into().unwrap())
    }
}

pub(in crate::host::calls) fn hasher() -> Box<dyn ValueHasher> {
    Box::new(Hasher(hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, b"key"))))
}

/// The keyed hash of a value, as the tests record it.
pub(in crate::host::calls) fn keyed_hash(value: &[u8]) -> KeyedHash {
    let mut hasher = hasher();
    hasher.update(value);
    hasher.hash()
}

/// A recorder, and plugins whose calls it records.
pub(in crate::host::calls) struct Bench {
    pub(in crate::host::calls) log: Arc<Memory>,
}

impl Bench {
    pub(in crate::host::calls) fn new() -> Arc<Self> {
        Self::with(true)
    }

    pub(super) fn best_effort() -> Arc<Self> {
        Self::with(false)
    }

    fn with(is_required: bool) -> Arc<Self> {
        let log =
            Memory { events: Mutex::default(), held: Mutex::default(), is_closed: AtomicBool::new(false), is_required };
        Arc::new(Self { log: Arc::new(log) })
    }

    /// The events that are recorded so far.
    pub(super) fn events(&self) -> Vec<Event> {
        self.log.events.lock().unwrap().clone()
    }

    pub(super) fn kinds(&self) -> Vec<&'static str> {
        self.events().iter().map(Event::kind).collect()
    }

    pub(super) fn call(&self) -> CallIntent {
        self.events()
            .into_iter()
            .find_map(|event| if let Event::Call(call) = event { Some(call) } else { None })
            .unwrap()
    }

    pub(super) fn returned(&self) -> CallEnded {
        let returned = |event| if let Event::Returned(returned) = event { Some(returned) } else { None };
        self.events().into_iter().find_map(returned).unwrap()
    }

    pub(super) fn messages(&self) -> Vec<MessagesReceived> {
        let messages = |event| if let Event::Messages(messages) = event { Some(messages) } else { None };
        self.events().into_iter().filter_map(messages).collect()
    }

    /// A plugin that answers with this.
    pub(super) fn answering(self: &Arc<Self>, response: Option<io::Result<http::Response<Body>>>) -> Scripted {
        let response = Arc::new(Mutex::new(response));
        Scripted { response, asked: Arc::default(), known: Arc::default(), bench: Arc::clone(self) }
    }

    /// A plugin that answers piece by piece.
    pub(super) fn talking(self: &Arc<Self>) -> (Scripted, Says) {
        let (sender, receiver) = unbounded_channel();
        let response = http::Response::new(Body::new(Pipe(receiver)));
        (self.answering(Some(Ok(response))), Says(sender))
    }

    pub(super) fn layer(&self) -> CallLayer {
        CallLayer::new(self.log.clone(), LaunchId::new(7))
    }

    pub(super) fn client(&self, plugin: &Scripted) -> Grpc<RecordedCalls<Scripted>> {
        Grpc::new(self.layer().layer(plugin.clone()))
    }
}

pub(super) async fn unary(
    client: &mut Grpc<RecordedCalls<Scripted>>,
    request: Request<String>,
) -> Result<String, Status> {
    let codec = ProstCodec::<String, String>::default();
    client.unary(request, "/test.Kv/Get".parse().unwrap(), codec).await.map(Response::into_inner)
}

pub(super) async fn stream(client: &mut Grpc<RecordedCalls<Scripted>>) -> Result<Streaming<String>, Status> {
    let codec = ProstCodec::<String, String>::default();
    let request = Request::new("watch".to_owned());
    client.server_streaming(request, "/test.Kv/Watch".parse().unwrap(), codec).await.map(Response::into_inner)
}

/// The rest of a request's body.
pub(super) async fn read(body: &mut Body) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
        bytes.extend_from_slice(&frame.unwrap().into_data().unwrap());
    }
    bytes
}
