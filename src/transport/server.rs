//! Serves the connections that the listener admitted: passes each request to the routes and sends
//! the response. Knows no service.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use h2::RecvStream;
use h2::server::{Connection, SendResponse};
use http::{Request, Response};
use http_body::Body as _;
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::service::Routes;
use tower_service::Service;

use super::body::{BodySender, ReceiveBody, SendBudget, SendBuffer};
use super::deadline::Deadline;
use super::headers::strip_connection_headers;
use super::listener::Accepted;
use crate::limits::transport::{
    CALLS_PER_TURN, CONCURRENT_CALLS, CONNECTION_WINDOW_BYTES, FRAME_BYTES, HEADER_LIST_BYTES, STREAM_WINDOW_BYTES,
};

/// Serves until `shutdown` is cancelled, then until the calls that had begun have ended.
pub(crate) async fn serve(mut accepted: Receiver<Accepted>, routes: Routes, shutdown: CancellationToken) {
    let routes = routes.prepare();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            connection = accepted.recv() => match connection {
                Some(connection) => {
                    drop(connections.spawn(serve_connection(connection, routes.clone(), shutdown.clone())));
                }
                None => break,
            },
        }
    }
    // Closes the listener before the last calls end: no new connection is admitted.
    drop(accepted);
    while connections.join_next().await.is_some() {}
}

async fn serve_connection(accepted: Accepted, routes: Routes, shutdown: CancellationToken) {
    let handshake = h2::server::Builder::new()
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES)
        .max_header_list_size(HEADER_LIST_BYTES)
        .max_concurrent_streams(CONCURRENT_CALLS)
        .handshake(accepted);
    tokio::select! {
        started = handshake => match started {
            Ok(connection) => accept_calls(connection, routes, shutdown).await,
            Err(error) => tracing::debug!(%error, "a peer does not speak HTTP/2"),
        },
        // A peer that has not sent its preface has no calls to lose.
        () = shutdown.cancelled() => {}
    }
}

/// Accepts calls until the connection closes, also after `shutdown`: h2 reads and writes only while
/// `accept` is polled. A graceful shutdown sends GOAWAY, so that the host begins no further calls
/// (RFC 9113, section 6.8).
async fn accept_calls(mut connection: Connection<Accepted, SendBuffer>, routes: Routes, shutdown: CancellationToken) {
    let mut leaving = false;
    let budget = SendBudget::default();
    for turn in 1_usize.. {
        // Lets the first responses of many calls leave while the others are still worked on.
        // Otherwise host and plugin take turns, and never work at the same time.
        if turn % CALLS_PER_TURN == 0 {
            tokio::task::yield_now().await;
        }
        tokio::select! {
            call = connection.accept() => match call {
                Some(Ok((request, respond))) => {
                    drop(tokio::spawn(serve_call(request, respond, routes.clone(), budget.clone())));
                }
                Some(Err(error)) => return tracing::debug!(%error, "the connection to the host ended"),
                None => return,
            },
            () = shutdown.cancelled(), if !leaving => {
                leaving = true;
                connection.graceful_shutdown();
            }
        }
    }
}

async fn serve_call(
    request: Request<RecvStream>,
    mut respond: SendResponse<SendBuffer>,
    routes: Routes,
    budget: SendBudget,
) {
    let Some(response) = route(request, &mut respond, routes).await else { return };
    let (mut head, body) = response.into_parts();
    strip_connection_headers(&mut head.headers);
    let ends = body.is_end_stream();
    // Fails if the host has cancelled the call or is gone. The call has no reader then.
    if let Ok(stream) = respond.send_response(Response::from_parts(head, ()), ends)
        && !ends
    {
        BodySender::new(body, stream, budget).await;
    }
}

/// The response of the routes, or DEADLINE_EXCEEDED after the caller's deadline. `None` if the host
/// has cancelled the call; the service's future is dropped then.
async fn route(
    request: Request<RecvStream>,
    respond: &mut SendResponse<SendBuffer>,
    mut routes: Routes,
) -> Option<Response<Body>> {
    let mut deadline = Deadline::of(request.headers());
    let mut response = pin!(routes.call(request.map(ReceiveBody::new)));
    poll_fn(|cx| {
        if let Poll::Ready(response) = response.as_mut().poll(cx) {
            return Poll::Ready(Some(response.unwrap_or_else(|never| match never {})));
        }
        if respond.poll_reset(cx).is_ready() {
            return Poll::Ready(None);
        }
        deadline.poll(cx).map(|late| Some(late.into_http()))
    })
    .await
}
