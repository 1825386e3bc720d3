//! What the plugin's end does with connections that were let in: each request of each of them goes
//! to the routes, each answer back. Knows no service.

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

use super::deadline::Deadline;
use super::fields::strip;
use super::listener::Accepted;
use super::received::Received;
use super::sending::Sending;
use super::unsent::{Piece, Unsent};
use super::{CONNECTION_WINDOW, FRAME_SIZE, HEADER_LIST_SIZE, STREAM_WINDOW};

/// How many calls of one connection are answered at once. A host that makes more waits with the
/// others.
const CALLS: u32 = 4096;

/// How many calls are taken from a connection before what they are answered gets its turn.
const CALLS_AT_ONCE: usize = 4;

/// Serves until `shutdown`, and then until the calls that were made by then have ended.
pub(crate) async fn serve(mut accepted: Receiver<Accepted>, routes: Routes, shutdown: CancellationToken) {
    let routes = routes.prepare();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            connection = accepted.recv() => match connection {
                Some(connection) => drop(connections.spawn(serve_one(connection, routes.clone(), shutdown.clone()))),
                None => break,
            },
        }
    }
    drop(accepted);
    while connections.join_next().await.is_some() {}
}

async fn serve_one(accepted: Accepted, routes: Routes, shutdown: CancellationToken) {
    let started = h2::server::Builder::new()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME_SIZE)
        .max_header_list_size(HEADER_LIST_SIZE)
        .max_concurrent_streams(CALLS)
        .handshake(accepted);
    tokio::select! {
        started = started => match started {
            Ok(connection) => take_calls(connection, routes, shutdown).await,
            Err(error) => tracing::debug!(%error, "a peer does not speak HTTP/2"),
        },
        // Who has not begun loses nothing.
        () = shutdown.cancelled() => {}
    }
}

/// Returns when the connection is closed. It only moves while calls are taken from it, so that goes
/// on after `shutdown`.
async fn take_calls(mut connection: Connection<Accepted, Piece>, routes: Routes, shutdown: CancellationToken) {
    let mut leaving = false;
    let unsent = Unsent::default();
    for turn in 1_usize.. {
        // A host that made many calls at once gets the first answers while the others are worked
        // on: else the two would take turns, and never work at the same time.
        if turn % CALLS_AT_ONCE == 0 {
            tokio::task::yield_now().await;
        }
        tokio::select! {
            call = connection.accept() => match call {
                Some(Ok((request, respond))) => {
                    drop(tokio::spawn(answer(request, respond, routes.clone(), unsent.clone())));
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

async fn answer(request: Request<RecvStream>, mut respond: SendResponse<Piece>, routes: Routes, unsent: Unsent) {
    let Some(response) = response(request, &mut respond, routes).await else { return };
    let (mut head, body) = response.into_parts();
    strip(&mut head.headers);
    let ends = body.is_end_stream();
    // That the host is gone, or wants no answer any more, is nobody's business here.
    if let Ok(stream) = respond.send_response(Response::from_parts(head, ()), ends)
        && !ends
    {
        Sending::new(body, stream, unsent).await;
    }
}

/// What the routes say; or that it is too late; or nothing, to a host that has taken its request
/// back.
async fn response(
    request: Request<RecvStream>,
    respond: &mut SendResponse<Piece>,
    mut routes: Routes,
) -> Option<Response<Body>> {
    let mut deadline = Deadline::of(request.headers());
    let mut answering = pin!(routes.call(request.map(Received::new)));
    poll_fn(|cx| {
        if let Poll::Ready(answered) = answering.as_mut().poll(cx) {
            return Poll::Ready(Some(answered.unwrap_or_else(|never| match never {})));
        }
        if respond.poll_reset(cx).is_ready() {
            return Poll::Ready(None);
        }
        deadline.poll(cx).map(|late| Some(late.into_http()))
    })
    .await
}
