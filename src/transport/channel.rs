//! A gRPC channel over one connection that is already there. It never connects again.

use std::future::{Ready, ready};
use std::io;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::rt::TokioIo;
use tonic::transport::{Channel, Endpoint};
use tower_service::Service;

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
        .map_err(|error| TransportError::Http2(error.into()))
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
