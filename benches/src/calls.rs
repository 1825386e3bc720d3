//! The calls that are measured, over any client of the service: one after the other, many in
//! flight, and streams. The caller chooses the other end
//! and the connection to it.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bytes::Bytes;
use tokio::task::JoinSet;
use tonic::body::Body as RequestBody;
use tonic::client::GrpcService;
use tonic::codegen::{Body, StdError};
use tonic::{Response, Status, Streaming};

use crate::arguments::Arguments;
use crate::proto::bench_client::BenchClient;
use crate::proto::{Payload, StreamRequest};
use crate::report;

/// A client of the service, over any transport that tonic's generated clients accept.
pub trait Caller: Clone + Send + 'static {
    /// Sends a message and returns the answer.
    fn echo(&mut self, payload: Payload) -> impl Future<Output = Result<Response<Payload>, Status>> + Send;

    /// Asks for a stream of messages.
    fn stream(
        &mut self,
        request: StreamRequest,
    ) -> impl Future<Output = Result<Response<Streaming<Payload>>, Status>> + Send;
}

impl<T> Caller for BenchClient<T>
where
    T: GrpcService<RequestBody> + Clone + Send + 'static,
    T::Error: Into<StdError>,
    T::Future: Send,
    T::ResponseBody: Body<Data = Bytes> + Send + 'static,
    <T::ResponseBody as Body>::Error: Into<StdError> + Send,
{
    fn echo(&mut self, payload: Payload) -> impl Future<Output = Result<Response<Payload>, Status>> + Send {
        Self::echo(self, payload)
    }

    fn stream(
        &mut self,
        request: StreamRequest,
    ) -> impl Future<Output = Result<Response<Streaming<Payload>>, Status>> + Send {
        Self::stream(self, request)
    }
}

/// Measures unary calls and prints how long each took, and how many were answered in a second.
///
/// # Errors
///
/// When a call fails.
pub async fn unary(client: &impl Caller, arguments: &Arguments) -> Result<()> {
    in_flight(client, arguments, arguments.count / 5 + 1).await?;
    let (mut calls, mut rates) = (Vec::new(), Vec::new());
    for _ in 0..arguments.repeats {
        let started = Instant::now();
        let batch = in_flight(client, arguments, arguments.count).await?;
        rates.push(batch.len() as f64 / started.elapsed().as_secs_f64());
        calls.extend(batch);
    }
    report::times("call", &calls)?;
    report::rates("calls", &rates)
}

/// Makes at least `count` calls, `at_once` of them in flight, and returns how long each took.
async fn in_flight(client: &impl Caller, arguments: &Arguments, count: usize) -> Result<Vec<Duration>> {
    let each = count.div_ceil(arguments.at_once);
    let mut callers = JoinSet::new();
    for _ in 0..arguments.at_once {
        let (mut client, data) = (client.clone(), payload(arguments.bytes));
        callers.spawn(async move {
            let mut took = Vec::with_capacity(each);
            for _ in 0..each {
                let started = Instant::now();
                echo(&mut client, data.clone()).await?;
                took.push(started.elapsed());
            }
            Ok(took)
        });
    }
    let callers: Result<Vec<_>> = callers.join_all().await.into_iter().collect();
    Ok(callers?.concat())
}

/// A payload of `bytes` bytes.
#[must_use]
pub fn payload(bytes: usize) -> Bytes {
    Bytes::from(vec![b'x'; bytes])
}

/// Makes one call and checks the length of the answer.
///
/// # Errors
///
/// When the call fails, or the answer has another length.
pub async fn echo(client: &mut impl Caller, data: Bytes) -> Result<()> {
    let length = data.len();
    let answer = client.echo(Payload { data }).await?.into_inner();
    ensure!(answer.data.len() == length, "an answer of {} bytes, expected {length}", answer.data.len());
    Ok(())
}

/// Measures streams from the server and prints how many messages arrived in a second.
///
/// # Errors
///
/// When a stream fails, or has another number of messages than requested.
pub async fn stream(client: &mut impl Caller, arguments: &Arguments) -> Result<()> {
    one_stream(client, arguments, arguments.count / 5 + 1).await?;
    let mut rates = Vec::new();
    for _ in 0..arguments.repeats {
        let started = Instant::now();
        one_stream(client, arguments, arguments.count).await?;
        rates.push(arguments.count as f64 / started.elapsed().as_secs_f64());
    }
    report::rates("messages", &rates)
}

async fn one_stream(client: &mut impl Caller, arguments: &Arguments, messages: usize) -> Result<()> {
    let request = StreamRequest { messages: u32::try_from(messages)?, bytes: u32::try_from(arguments.bytes)? };
    let mut stream = client.stream(request).await?.into_inner();
    let mut received = 0;
    while let Some(payload) = stream.message().await? {
        let length = payload.data.len();
        ensure!(length == arguments.bytes, "a message of {length} bytes, expected {}", arguments.bytes);
        received += 1;
    }
    ensure!(received == messages, "{received} messages, expected {messages}");
    Ok(())
}
