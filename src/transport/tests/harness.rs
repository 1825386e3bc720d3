//! A plugin for the tests of the server, and a host that is a plain `h2` client.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use tokio::net::UnixStream;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::Routes;
use tower_service::Service;

use super::super::listener::Accepted;
use super::super::server::serve;
use super::super::socket::Socket;
use super::peer::pipe;

/// A service with a method for each behaviour.
#[derive(Clone, Default)]
pub(super) struct Plugin {
    /// Notified when `Wait` begins.
    pub(super) begun: Arc<Notify>,
    /// Lets `Wait` respond.
    pub(super) go_on: Arc<Notify>,
    /// Notified when a call or its response is dropped.
    pub(super) dropped: Arc<Notify>,
    /// The number of `Count` calls that have begun.
    pub(super) counted: Arc<AtomicUsize>,
}

struct Dropped(Arc<Notify>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl NamedService for Plugin {
    const NAME: &'static str = "test.Plugin";
}

impl Service<Request<Body>> for Plugin {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let plugin = self.clone();
        Box::pin(async move { Ok(plugin.answer(request).await) })
    }
}

impl Plugin {
    async fn answer(self, request: Request<Body>) -> Response<Body> {
        match request.uri().path() {
            "/test.Plugin/Echo" => Response::new(request.into_body()),
            "/test.Plugin/Count" => {
                self.counted.fetch_add(1, Ordering::Relaxed);
                Response::new(Body::empty())
            }
            "/test.Plugin/Wait" => {
                let _dropped = Dropped(self.dropped);
                self.begun.notify_one();
                self.go_on.notified().await;
                Response::new(Body::empty())
            }
            "/test.Plugin/Endless" => {
                let (body, says) = pipe();
                says.data("begun");
                tokio::spawn(async move {
                    says.given_up().await;
                    self.dropped.notify_one();
                });
                Response::new(body)
            }
            "/test.Plugin/Odd" => {
                let (body, says) = pipe();
                let odd: HeaderMap = [("connection".parse().unwrap(), "close".parse().unwrap())].into_iter().collect();
                let mut trailers = odd.clone();
                Status::not_found("gone").add_header(&mut trailers).unwrap();
                says.data("odd").trailers(trailers);
                let mut response = Response::new(body);
                *response.headers_mut() = odd;
                response
            }
            _ => panic!("the method panics"),
        }
    }
}

/// A plugin that is being served, and the queue of its connections.
pub(super) struct Served {
    pub(super) plugin: Plugin,
    pub(super) hosts: mpsc::Sender<Accepted>,
    pub(super) shutdown: CancellationToken,
    pub(super) task: JoinHandle<()>,
}

impl Served {
    pub(super) fn new() -> Self {
        let (hosts, accepted) = mpsc::channel(1);
        let (plugin, shutdown) = (Plugin::default(), CancellationToken::new());
        let task = tokio::spawn(serve(accepted, Routes::new(plugin.clone()), shutdown.clone()));
        Self { plugin, hosts, shutdown, task }
    }

    /// A connection over which nothing was sent.
    pub(super) async fn connect(&self) -> UnixStream {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let socket = Socket::new(ours.into_std().unwrap().into()).unwrap();
        self.hosts.send(Either::Right(socket)).await.unwrap();
        theirs
    }

    pub(super) async fn host(&self) -> Host {
        let (requests, connection) = h2::client::handshake(self.connect().await).await.unwrap();
        Host { requests, connection: tokio::spawn(async move { drop(connection.await) }) }
    }

    /// Shuts the server down, and waits until it has ended.
    pub(super) async fn shut_down(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
    }
}

pub(super) struct Host {
    pub(super) requests: SendRequest<Bytes>,
    pub(super) connection: JoinHandle<()>,
}

impl Host {
    pub(super) fn call(&self, method: &str, timeout: Option<&str>) -> (ResponseFuture, SendStream<Bytes>) {
        let mut request = Request::post(format!("http://localhost/test.Plugin/{method}")).body(()).unwrap();
        if let Some(timeout) = timeout {
            request.headers_mut().insert("grpc-timeout", timeout.parse().unwrap());
        }
        self.requests.clone().send_request(request, false).unwrap()
    }

    /// A call whose response is its request.
    pub(super) async fn echo(&self, text: &'static str) -> String {
        let (answer, mut stream) = self.call("Echo", None);
        stream.send_data(text.into(), true).unwrap();
        let body = answer.await.unwrap().into_body();
        String::from_utf8(all(body).await.unwrap()).unwrap()
    }

    /// Waits until the plugin accepts no more calls (GOAWAY).
    pub(super) async fn refused(&self) {
        loop {
            let request = Request::post("http://localhost/test.Plugin/Echo").body(()).unwrap();
            if self.requests.clone().send_request(request, true).is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

async fn all(mut body: RecvStream) -> Result<Vec<u8>, h2::Error> {
    let mut all = Vec::new();
    while let Some(data) = body.data().await {
        all.extend_from_slice(&data?);
    }
    Ok(all)
}

/// Sends this many bytes, which the peer does not read.
pub(super) async fn flood(stream: &mut SendStream<Bytes>, length: usize) {
    let mut sent = 0;
    while sent < length {
        stream.reserve_capacity(64 * 1024);
        let capacity = poll_fn(|cx| stream.poll_capacity(cx)).await.unwrap().unwrap();
        stream.send_data(vec![b'x'; capacity].into(), false).unwrap();
        sent += capacity;
    }
    assert_eq!(sent, length);
}
