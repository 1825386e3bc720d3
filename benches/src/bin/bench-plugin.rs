//! The plugin that is measured: answers, streams and writes as it is told. Keeps nothing.

use std::io::{self, Write};
use std::process::ExitCode;

use bench::proto::bench_server::{Bench, BenchServer};
use bench::proto::{LogReply, LogRequest, Payload, StreamRequest};
use bytes::Bytes;
use portcullis::{MESSAGE_LIMIT, plugin};
use tonic::service::Routes;
use tonic::{Request, Response, Status};

/// The argument that lets hosts without a certificate in.
const PLAINTEXT: &str = "--dangerous-allow-plaintext";

fn main() -> ExitCode {
    // Before anything else: this is the floor that a launch is held against.
    if has_argument(bench::FIRST_LINE) {
        println!("first line");
        return ExitCode::SUCCESS;
    }
    let mut plugin = plugin::builder(bench::COOKIE_KEY, bench::COOKIE_VALUE);
    if has_argument(PLAINTEXT) {
        plugin = plugin.dangerous_allow_plaintext();
    }
    plugin.version(bench::VERSION, services).serve()
}

/// By hand: a parser of arguments would be part of every launch.
fn has_argument(wanted: &str) -> bool {
    std::env::args_os().skip(1).any(|argument| argument == wanted)
}

async fn services() -> io::Result<Routes> {
    Ok(Routes::new(BenchServer::new(Service).max_decoding_message_size(MESSAGE_LIMIT)))
}

struct Service;

/// The same message some times over.
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
        let length = length.ok_or_else(|| Status::invalid_argument("messages of that size are not taken"))?;
        let data = Bytes::from(vec![b'x'; length]);
        Ok(Response::new(tokio_stream::iter(std::iter::repeat_n(data, messages as usize).map(message as fn(_) -> _))))
    }

    async fn log(&self, request: Request<LogRequest>) -> Result<Response<LogReply>, Status> {
        let lines = request.into_inner().lines;
        // A host that reads slowly must not keep the rest of the plugin waiting.
        let written = tokio::task::spawn_blocking(move || write_lines(lines)).await;
        written
            .map_err(|_| Status::internal("the writer panicked"))?
            .map_err(|error| Status::internal(error.to_string()))?;
        Ok(Response::new(LogReply {}))
    }
}

/// One system call for each line, as loggers do it.
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
