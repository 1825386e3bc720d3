//! Both ends of a gRPC service whose responses each test chooses.
#![cfg_attr(not(feature = "audit"), allow(dead_code, reason = "the tests of the log use most methods"))]

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use portcullis::host::Channel;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::server::{NamedService, StreamingService};
use tonic::{IntoRequest, Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;
use tower_service::Service;

type Codec = ProstCodec<String, String>;

/// A client that takes answers of any size.
pub async fn client(channel: Channel) -> tonic::client::Grpc<Channel> {
    let mut client = tonic::client::Grpc::new(channel).max_decoding_message_size(usize::MAX);
    client.ready().await.unwrap();
    client
}

fn path(method: &str) -> http::uri::PathAndQuery {
    format!("/test.Talk/{method}").parse().unwrap()
}

/// Calls with one message, and gets one.
pub async fn one(channel: Channel, method: &str, message: impl IntoRequest<String>) -> Result<String, Status> {
    let call = client(channel).await.unary(message.into_request(), path(method), Codec::default()).await;
    call.map(Response::into_inner)
}

/// Calls with one message, and gets many.
pub async fn many(channel: Channel, method: &str, message: &str) -> Result<Streaming<String>, Status> {
    let request = Request::new(message.to_owned());
    client(channel).await.server_streaming(request, path(method), Codec::default()).await.map(Response::into_inner)
}

/// Calls with many messages, the second of which is said when the first has gone, and gets one.
pub async fn say(channel: Channel, method: &str, messages: &[&str]) -> Result<String, Status> {
    let (sender, receiver) = mpsc::channel(1);
    let messages: Vec<_> = messages.iter().map(ToString::to_string).collect();
    tokio::spawn(async move {
        for message in messages {
            drop(sender.send(message).await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let request = Request::new(ReceiverStream::new(receiver));
    client(channel).await.client_streaming(request, path(method), Codec::default()).await.map(Response::into_inner)
}

/// The service.
#[derive(Clone)]
pub struct TalkServer;

impl NamedService for TalkServer {
    const NAME: &'static str = "test.Talk";
}

impl Service<http::Request<Body>> for TalkServer {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let talk = Talk { method: request.uri().path().rsplit('/').next().unwrap().to_owned() };
        Box::pin(async move { Ok(tonic::server::Grpc::new(Codec::default()).streaming(talk, request).await) })
    }
}

struct Talk {
    method: String,
}

impl StreamingService<String> for Talk {
    type Response = String;
    type ResponseStream = ReceiverStream<Result<String, Status>>;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Self::ResponseStream>, Status>> + Send>>;

    fn call(&mut self, request: Request<Streaming<String>>) -> Self::Future {
        let method = self.method.clone();
        Box::pin(async move {
            let mut said = Vec::new();
            let mut messages = request.into_inner();
            while let Some(message) = messages.message().await? {
                said.push(message);
            }
            let (sender, receiver) = mpsc::channel(1);
            match method.as_str() {
                "Hang" => std::future::pending().await,
                "Fail" => return Err(Status::failed_precondition("no")),
                _ => tokio::spawn(answer(method, said, sender)),
            };
            Ok(Response::new(ReceiverStream::new(receiver)))
        })
    }
}

async fn answer(method: String, said: Vec<String>, sender: mpsc::Sender<Result<String, Status>>) {
    match method.as_str() {
        "Echo" => drop(sender.send(Ok(format!("echo {}", said.join("+")))).await),
        "Large" => drop(sender.send(Ok("x".repeat(said[0].parse().unwrap()))).await),
        "Count" => {
            for number in 1..=said[0].parse::<u32>().unwrap() {
                drop(sender.send(Ok(number.to_string())).await);
                // Longer than the library waits for the end of a response.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        "Watch" => {
            drop(sender.send(Ok("seen".into())).await);
            sender.closed().await;
        }
        other => panic!("no such method: {other}"),
    }
}
