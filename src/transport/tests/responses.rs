//! The response that a caller gets: from a plugin that answers, that resets the call, or that is
//! gone.

use bytes::Bytes;
use h2::Reason;
use http::HeaderMap;
use http_body::Body as _;
use tonic::body::Body;
use tonic::{Code, Status};
use tower_service::Service as _;

use super::super::channel::Http2Channel;
use super::peer::{begin, connected, request, response, whole, with_timeout};
use super::{next, read, run, settle};
use crate::limits::transport::STREAM_WINDOW_BYTES;

/// The error codes of HTTP/2 (RFC 9113, section 7), and their status codes ("gRPC over HTTP/2",
/// section "Errors").
const REASONS: [(Reason, Code); 14] = [
    (Reason::NO_ERROR, Code::Internal),
    (Reason::PROTOCOL_ERROR, Code::Internal),
    (Reason::INTERNAL_ERROR, Code::Internal),
    (Reason::FLOW_CONTROL_ERROR, Code::Internal),
    (Reason::SETTINGS_TIMEOUT, Code::Internal),
    (Reason::STREAM_CLOSED, Code::Internal),
    (Reason::FRAME_SIZE_ERROR, Code::Internal),
    (Reason::REFUSED_STREAM, Code::Unavailable),
    (Reason::CANCEL, Code::Cancelled),
    (Reason::COMPRESSION_ERROR, Code::Internal),
    (Reason::CONNECT_ERROR, Code::Internal),
    (Reason::ENHANCE_YOUR_CALM, Code::ResourceExhausted),
    (Reason::INADEQUATE_SECURITY, Code::PermissionDenied),
    (Reason::HTTP_1_1_REQUIRED, Code::Internal),
];

async fn begun(body: &mut Body) {
    assert_eq!(next(body).await.unwrap().unwrap().into_data().unwrap(), "begun");
}

#[test]
fn response_arrives_with_headers_and_trailers() {
    run(async {
        let (mut channel, mut peer) = connected().await;
        let answer = channel.call(request(whole("request")));
        let (_request, mut respond) = peer.call().await;
        let head = http::Response::builder().header("x-head", "said").body(()).unwrap();
        let mut stream = respond.send_response(head, false).unwrap();
        stream.send_data("answer".into(), false).unwrap();
        stream.send_trailers([("x-end".parse().unwrap(), "said".parse().unwrap())].into_iter().collect()).unwrap();
        let answer = answer.await.unwrap();
        assert_eq!(answer.headers()["x-head"], "said");
        let mut body = answer.into_body();
        assert_eq!(next(&mut body).await.unwrap().unwrap().into_data().unwrap(), "answer");
        assert_eq!(next(&mut body).await.unwrap().unwrap().into_trailers().unwrap()["x-end"], "said");
        assert!(next(&mut body).await.is_none() && body.is_end_stream());
    });
}

#[test]
fn reset_before_response_maps_its_reason() {
    run(async {
        let (mut channel, mut peer) = connected().await;
        for (reason, code) in REASONS {
            let answer = channel.call(request(whole("request")));
            let (_request, mut respond) = peer.call().await;
            respond.send_reset(reason);
            assert_eq!(answer.await.unwrap_err().code(), code, "{reason:?}");
        }
    });
}

#[test]
fn reset_within_response_maps_its_reason() {
    run(async {
        let (mut channel, mut peer) = connected().await;
        for (reason, code) in REASONS {
            let answer = channel.call(request(whole("request")));
            let mut stream = begin(peer.call().await);
            let mut body = answer.await.unwrap().into_body();
            begun(&mut body).await;
            stream.send_reset(reason);
            assert_eq!(read(&mut body).await.unwrap_err().code(), code, "{reason:?}");
        }
    });
}

#[test]
fn connection_lost_before_response_is_unavailable() {
    run(async {
        let (mut channel, mut peer) = connected().await;
        let answer = channel.call(request(whole("request")));
        let _call = peer.call().await;
        peer.die().await;
        assert_eq!(answer.await.unwrap_err().code(), Code::Unavailable);
    });
}

#[test]
fn connection_lost_within_response_is_unavailable() {
    run(async {
        let (mut channel, mut peer) = connected().await;
        let answer = channel.call(request(whole("request")));
        let _stream = begin(peer.call().await);
        let mut body = answer.await.unwrap().into_body();
        begun(&mut body).await;
        peer.die().await;
        assert_eq!(read(&mut body).await.unwrap_err().code(), Code::Unavailable);
    });
}

#[test]
fn call_on_lost_connection_is_unavailable() {
    run(async {
        let (mut channel, peer) = connected().await;
        peer.die().await;
        let noticed_by_the_call = channel.call(request(whole("request"))).await.unwrap_err();
        settle().await;
        let known_before = channel.call(request(whole("request"))).await.unwrap_err();
        assert_eq!((noticed_by_the_call.code(), known_before.code()), (Code::Unavailable, Code::Unavailable));
    });
}

#[test]
fn call_after_runtime_shutdown_is_unavailable() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (mut channel, _peer) = runtime.block_on(connected());
    drop(runtime);
    let status = run(async { channel.call(with_timeout("1S")).await.unwrap_err() });
    assert_eq!(status.code(), Code::Unavailable);
}

#[test]
fn goaway_makes_calls_unavailable() {
    run(async {
        let (ours, theirs) = tokio::io::duplex(1024 * 1024);
        let (channel, connection) = tokio::join!(Http2Channel::over(ours), h2::server::handshake(theirs));
        let (mut channel, mut connection) = (channel.unwrap(), connection.unwrap());
        connection.abrupt_shutdown(Reason::NO_ERROR);
        assert!(connection.accept().await.is_none());
        settle().await;
        assert_eq!(channel.call(request(whole("request"))).await.unwrap_err().code(), Code::Unavailable);
    });
}

/// A status as a plugin sends it.
fn status(details: &'static str) -> HeaderMap {
    let status = [("grpc-status", "5"), ("grpc-message", "gone"), ("grpc-status-details-bin", details)];
    status.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

fn told(headers: &HeaderMap) -> (Code, String, Vec<u8>) {
    let status = Status::from_header_map(headers).unwrap();
    (status.code(), status.message().to_owned(), status.details().to_vec())
}

#[test]
fn malformed_details_are_dropped_from_headers() {
    run(async {
        let (mut channel, mut peer) = connected().await;
        for (details, read) in [("!", &b""[..]), ("aGk", b"hi")] {
            let answer = channel.call(request(whole("request")));
            let (_request, mut respond) = peer.call().await;
            let mut head = response();
            *head.headers_mut() = status(details);
            respond.send_response(head, true).unwrap();
            let answer = answer.await.unwrap();
            assert_eq!(told(answer.headers()), (Code::NotFound, "gone".into(), read.to_vec()));
        }
    });
}

#[test]
fn malformed_details_are_dropped_from_trailers() {
    run(async {
        let (mut channel, mut peer) = connected().await;
        for (details, read) in [("!", &b""[..]), ("aGk", b"hi")] {
            let answer = channel.call(request(whole("request")));
            let mut stream = begin(peer.call().await);
            stream.send_trailers(status(details)).unwrap();
            let mut body = answer.await.unwrap().into_body();
            begun(&mut body).await;
            let trailers = next(&mut body).await.unwrap().unwrap().into_trailers().unwrap();
            assert_eq!(told(&trailers), (Code::NotFound, "gone".into(), read.to_vec()));
        }
    });
}

#[test]
fn unread_response_stops_at_its_window() {
    run(async {
        let (mut channel, mut peer) = connected().await;
        let answer = channel.call(request(whole("request")));
        let (_request, mut respond) = peer.call().await;
        let mut stream = respond.send_response(response(), false).unwrap();
        let mut body = answer.await.unwrap().into_body();
        let window = STREAM_WINDOW_BYTES as usize;
        assert_eq!(flood(&mut stream).await, window);
        let mut read = 0;
        while read < window {
            read += next(&mut body).await.unwrap().unwrap().into_data().unwrap().len();
        }
        settle().await;
        assert_eq!(flood(&mut stream).await, window, "as much again");
    });
}

/// Sends as much as it may, and says how much that was.
async fn flood(stream: &mut h2::SendStream<Bytes>) -> usize {
    let mut sent = 0;
    loop {
        stream.reserve_capacity(64 * 1024);
        settle().await;
        let room = stream.capacity();
        if room == 0 {
            return sent;
        }
        stream.send_data(vec![b'x'; room].into(), false).unwrap();
        sent += room;
    }
}

#[test]
fn informational_responses_are_skipped() {
    run(async {
        let (mut channel, mut peer) = connected().await;
        let answer = tokio::spawn(channel.call(request(whole("request"))));
        let (_request, mut respond) = peer.call().await;
        for _ in 0..1000 {
            respond.send_informational(http::Response::builder().status(103).body(()).unwrap()).unwrap();
            tokio::task::yield_now().await;
        }
        respond.send_response(response(), true).unwrap();
        assert_eq!(answer.await.unwrap().unwrap().status(), 200);
    });
}

#[test]
fn oversized_headers_fail_only_their_call() {
    run(async {
        let (mut channel, mut peer) = connected().await;
        let answer = channel.call(request(whole("request")));
        let (_request, mut respond) = peer.call().await;
        let mut head = response();
        for at in 0..40 {
            let name: http::HeaderName = format!("x-{at}").parse().unwrap();
            head.headers_mut().insert(name, "x".repeat(2048).parse().unwrap());
        }
        respond.send_response(head, true).unwrap();
        assert_eq!(answer.await.unwrap_err().code(), Code::Internal);
        let next = channel.call(request(whole("request")));
        peer.call().await.1.send_response(response(), true).unwrap();
        assert!(next.await.is_ok());
    });
}
