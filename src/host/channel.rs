//! The connection to a plugin for callers: any client that tonic generates can call through it, and
//! none can bypass the recorder.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use tonic::Status;
use tonic::body::Body;
use tower_service::Service;

use super::calls::{CallLayer, Calling, RecordedCalls};
use crate::transport;

/// The connection to a plugin, for any client that tonic generates: `KvClient<host::Channel>`.
/// Cheap to clone; never connects again when it is lost.
///
/// If the launch is recorded, so is every call; a call that cannot be recorded is not made.
#[derive(Clone)]
pub struct Channel(Inner);

#[derive(Clone)]
enum Inner {
    Direct(transport::Http2Channel),
    Recorded(Box<RecordedCalls<transport::Http2Channel>>),
}

impl Channel {
    pub(super) fn direct(channel: transport::Http2Channel) -> Self {
        Self(Inner::Direct(channel))
    }

    pub(super) fn recorded(channel: transport::Http2Channel, layer: &CallLayer) -> Self {
        Self(Inner::Recorded(Box::new(tower_layer::Layer::layer(layer, channel))))
    }
}

impl Service<http::Request<Body>> for Channel {
    type Response = http::Response<Body>;
    type Error = Status;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        match &mut self.0 {
            Inner::Direct(channel) => channel.poll_ready(cx),
            Inner::Recorded(channel) => channel.poll_ready(cx),
        }
    }

    fn call(&mut self, request: http::Request<Body>) -> ResponseFuture {
        ResponseFuture(match &mut self.0 {
            Inner::Direct(channel) => Call::Direct(channel.call(request)),
            Inner::Recorded(channel) => Call::Recorded(channel.call(request)),
        })
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").finish_non_exhaustive()
    }
}

/// The response to a call, to come.
#[must_use = "futures do nothing unless they are polled"]
pub struct ResponseFuture(Call);

enum Call {
    Direct(transport::CallFuture),
    Recorded(Calling<Status>),
}

impl Future for ResponseFuture {
    type Output = Result<http::Response<Body>, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Call::Direct(call) => Pin::new(call).poll(cx),
            Call::Recorded(call) => call.as_mut().poll(cx),
        }
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
