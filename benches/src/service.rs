//! The service that is measured: answers, streams and writes lines as requested. Keeps nothing.
//! Both servers, the plugin's and tonic's own, run it.

use std::io::{self, Write};

use bytes::Bytes;
use portcullis::MESSAGE_LIMIT;
use tonic::{Request, Response, Status};

use crate::proto::bench_server::{Bench, BenchServer};
use crate::proto::{LogReply, LogRequest, Payload, StreamRequest};

/// The service, which accepts the same messages on every transport.
#[must_use]
pub fn server() -> BenchServer<Service> {
    BenchServer::new(Service).max_decoding_message_size(MESSAGE_LIMIT)
}

/// Implements the service.
#[derive(Debug)]
pub struct Service;

/// One message, repeated.
type Repeated = std::iter::Map<std::iter::RepeatN<Bytes>, fn(Bytes) -> Result<Payload, Status>>;

fn message(data: Bytes) -> Result<Payload, Status> {
    Ok(Payload { data })
}

#[tonic::async_trait]
impl Bench for Service {
    type StreamStream = tokio_stream::Iter<Repeated>;

    async fn echo(&self, request: Request<Payload>) -> Result<Response<Payload>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    async fn stream(&self, request: Request<StreamRequest>) -> Result<Response<Self::StreamStream>, Status> {
        let StreamRequest { messages, bytes } = request.into_inner();
        let length = usize::try_from(bytes).ok().filter(|length| *length < MESSAGE_LIMIT);
        let length = length.ok_or_else(|| Status::invalid_argument("messages of that size are not supported"))?;
        let data = Bytes::from(vec![b'x'; length]);
        Ok(Response::new(tokio_stream::iter(std::iter::repeat_n(data, messages as usize).map(message as fn(_) -> _))))
    }

    async fn log(&self, request: Request<LogRequest>) -> Result<Response<LogReply>, Status> {
        let lines = request.into_inner().lines;
        // On a thread of its own, so that a host that reads slowly does not block other calls.
        let written = tokio::task::spawn_blocking(move || write_lines(lines)).await;
        written
            .map_err(|_| Status::internal("the writer panicked"))?
            .map_err(|error| Status::internal(error.to_string()))?;
        Ok(Response::new(LogReply {}))
    }
}

/// Writes each line with one system call, as loggers do.
fn write_lines(lines: u32) -> io::Result<()> {
    let mut output = io::stderr().lock();
    for number in 0..lines {
        let line = format!(
            "{{\"@level\":\"info\",\"@message\":\"a line\",\"@module\":\"bench\",\"@timestamp\":\"2026-01-01T00:00:00.000000Z\",\"number\":{number}}}\n"
        );
        output.write_all(line.as_bytes())?;
    }
    Ok(())
}
