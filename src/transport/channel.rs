//! A gRPC channel over one connection that is already there. It never connects again.

use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::rt::TokioIo;
use tonic::body::Body;
use tonic::transport::{self, Endpoint};
use tower_service::Service;

use super::clean::clean;
use super::connect::Secured;
use super::{FRAME_SIZE, HEADER_LIST_SIZE, TransportError};

/// Starts HTTP/2 on a secured connection.
pub(crate) async fn channel(secured: Secured) -> Result<Channel, TransportError> {
    // The authority that go-plugin hosts send. Windows stay at hyper's defaults: smaller ones and adaptive ones are slower here.
    Endpoint::from_static("http://localhost")
        .max_frame_size(FRAME_SIZE)
        .http2_max_header_list_size(HEADER_LIST_SIZE)
        .connect_with_connector(Once(Some(secured)))
        .await
        .map(Channel)
        .map_err(|error| TransportError::Http2(error.into()))
}

/// A channel that answers with what tonic's clients can read.
#[derive(Debug, Clone)]
pub(crate) struct Channel(transport::Channel);

impl Service<http::Request<Body>> for Channel {
    type Response = http::Response<Body>;
    type Error = transport::Error;
    type Future = Answering;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), transport::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Answering {
        Answering(self.0.call(request))
    }
}

/// An answer to come.
pub(crate) struct Answering(transport::channel::ResponseFuture);

impl Future for Answering {
    type Output = Result<http::Response<Body>, transport::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map_ok(clean)
    }
}

/// Hands out its connection once. tonic asks again when a connection is lost; a plugin that is gone does not come back.
struct Once(Option<Secured>);

impl Service<Uri> for Once {
    type Response = TokioIo<tokio_rustls::client::TlsStream<super::connect::Socket>>;
    type Error = io::Error;
    type Future = Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _uri: Uri) -> Self::Future {
        ready(match self.0.take() {
            Some(secured) => Ok(TokioIo::new(secured.stream)),
            None => Err(io::Error::new(io::ErrorKind::NotConnected, "the connection to the plugin is gone")),
        })
    }
}
