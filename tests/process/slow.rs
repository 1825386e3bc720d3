//! Both ends of a gRPC service with one call that takes a second.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use portcullis::host::Channel;
use tonic::body::Body;
use tonic::server::{NamedService, UnaryService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower_service::Service;

const PATH: &str = "/test.Slow/Call";

/// Makes the call.
pub async fn call(channel: Channel) -> Result<(), Status> {
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.map_err(|error| Status::unknown(error.to_string()))?;
    let codec = ProstCodec::<(), ()>::default();
    client.unary(Request::new(()), PATH.parse().unwrap(), codec).await.map(Response::into_inner)
}

/// Serves the call.
#[derive(Clone)]
pub struct Slow;

impl NamedService for Slow {
    const NAME: &'static str = "test.Slow";
}

impl UnaryService<()> for Slow {
    type Response = ();
    type Future = Pin<Box<dyn Future<Output = Result<Response<()>, Status>> + Send>>;

    fn call(&mut self, _request: Request<()>) -> Self::Future {
        Box::pin(async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(Response::new(()))
        })
    }
}

/// The service that tonic routes to.
#[derive(Clone)]
pub struct SlowServer;

impl NamedService for SlowServer {
    const NAME: &'static str = Slow::NAME;
}

impl Service<http::Request<Body>> for SlowServer {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut server = tonic::server::Grpc::new(ProstCodec::<(), ()>::default());
            Ok(server.unary(Slow, request).await)
        })
    }
}
