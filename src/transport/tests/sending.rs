//! How a body is sent: in as few frames as possible, and within the peer's windows.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::server::Builder;
use h2::{Reason, RecvStream};
use http::HeaderMap;
use http_body::Frame;
use tonic::Status;
use tonic::body::Body;
use tower_service::Service as _;

use super::peer::{Sent, connected, connected_to, frames, pipe, request, response, whole};
use super::{bytes, run, settle};

/// The initial window of HTTP/2 (RFC 9113, section 6.9.2).
const WINDOW: usize = 65_535;

/// Reads a body to its end, and releases capacity for the bytes that were read.
async fn read_all(body: &mut RecvStream) -> Result<Vec<u8>, h2::Error> {
    let mut all = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        all.extend_from_slice(&data);
    }
    Ok(all)
}

#[test]
fn request_leaves_in_one_write() {
    run(async {
        let (mut channel, peer) = connected().await;
        let _answer = channel.call(request(whole("request")));
        settle().await;
        let writes = peer.wire.take();
        assert_eq!(writes.len(), 1, "{writes:?}");
        assert_eq!(frames(&writes[0]), [Sent::Headers, Sent::LastData(7)]);
    });
}

#[test]
fn concurrent_requests_leave_in_one_write() {
    run(async {
        let (mut channel, peer) = connected().await;
        let _answers: Vec<_> = (0..20).map(|_| channel.call(request(whole("request")))).collect();
        settle().await;
        let writes = peer.wire.take();
        assert_eq!(writes.len(), 1, "{writes:?}");
        assert_eq!(frames(&writes[0]).len(), 40);
    });
}

#[test]
fn request_without_body_ends_with_headers() {
    run(async {
        let (mut channel, mut peer) = connected().await;
        let _answer = channel.call(request(Body::empty()));
        let (request, _respond) = peer.call().await;
        assert!(request.body().is_end_stream());
        assert_eq!(peer.wire.frames(), [Sent::Headers]);
    });
}

#[test]
fn last_data_frame_ends_the_stream() {
    run(async {
        let (mut channel, peer) = connected().await;
        let (body, says) = pipe();
        says.data("one").data("three");
        drop(says);
        let _answer = channel.call(request(body));
        settle().await;
        assert_eq!(peer.wire.frames(), [Sent::Headers, Sent::Data(3), Sent::LastData(5)]);
    });
}

#[test]
fn available_data_is_not_held_back() {
    run(async {
        let (mut channel, peer) = connected().await;
        let (body, says) = pipe();
        says.data("one");
        let _answer = channel.call(request(body));
        settle().await;
        assert_eq!(peer.wire.frames(), [Sent::Headers, Sent::Data(3)]);
        says.data("three");
        settle().await;
        assert_eq!(peer.wire.frames(), [Sent::Data(5)]);
    });
}

#[test]
fn late_end_of_body_is_sent() {
    run(async {
        let (mut channel, mut peer) = connected().await;
        let (body, says) = pipe();
        says.data("one");
        let _answer = channel.call(request(body));
        let (mut request, _respond) = peer.call().await;
        settle().await;
        drop(says);
        assert_eq!(read_all(request.body_mut()).await.unwrap(), b"one");
    });
}

#[test]
fn trailers_end_a_body() {
    run(async {
        let (mut channel, mut peer) = connected().await;
        let (body, says) = pipe();
        let trailers: HeaderMap = [("x-end".parse().unwrap(), "said".parse().unwrap())].into_iter().collect();
        says.data("one").trailers(trailers.clone());
        let _answer = channel.call(request(body));
        let (mut request, _respond) = peer.call().await;
        assert_eq!(read_all(request.body_mut()).await.unwrap(), b"one");
        assert_eq!(request.body_mut().trailers().await.unwrap(), Some(trailers));
    });
}

#[test]
fn failing_body_cancels_the_request() {
    run(async {
        let (mut channel, peer) = connected().await;
        let (body, says) = pipe();
        says.data("one");
        let _answer = channel.call(request(body));
        settle().await;
        says.error(Status::internal("no more"));
        settle().await;
        assert_eq!(peer.wire.frames(), [Sent::Headers, Sent::Data(3), Sent::Reset(Reason::CANCEL.into())]);
    });
}

#[test]
fn body_larger_than_the_window_arrives() {
    run(async {
        let (mut channel, mut peer) = connected().await;
        let all = bytes(10 * WINDOW);
        for piece in [all.len(), WINDOW + 1, WINDOW, 1000] {
            let (body, says) = pipe();
            for piece in all.chunks(piece) {
                says.data(Bytes::copy_from_slice(piece));
            }
            drop(says);
            let _answer = channel.call(request(body));
            let (mut request, _respond) = peer.call().await;
            assert!(read_all(request.body_mut()).await.unwrap() == all, "in pieces of {piece}");
        }
    });
}

#[test]
fn body_is_read_as_it_is_sent() {
    run(async {
        let (mut channel, mut peer) = connected().await;
        let (body, says) = pipe();
        for _ in 0..10 {
            says.data(bytes(WINDOW));
        }
        let _answer = channel.call(request(body));
        let (mut request, _respond) = peer.call().await;
        settle().await;
        assert_eq!(says.taken(), 2, "the one that is sent, and the one that waits");
        let mut read = 0;
        while read < WINDOW {
            let data = request.body_mut().data().await.unwrap().unwrap();
            request.body_mut().flow_control().release_capacity(data.len()).unwrap();
            read += data.len();
        }
        settle().await;
        assert_eq!(says.taken(), 3);
    });
}

#[test]
fn request_waits_for_a_free_stream() {
    run(async {
        let mut one_call = Builder::new();
        one_call.max_concurrent_streams(1);
        let (mut channel, mut peer) = connected_to(one_call).await;
        let first = channel.call(request(whole("first")));
        let (body, says) = pipe();
        says.data(bytes(WINDOW)).data("and more");
        drop(says);
        let _second = channel.call(request(body));
        let (_request, mut respond) = peer.call().await;
        settle().await;
        assert_eq!(peer.wire.frames(), [Sent::Headers, Sent::LastData(5)]);
        respond.send_response(response(), true).unwrap();
        drop(first.await.unwrap());
        let (mut request, _respond) = peer.call().await;
        assert_eq!(read_all(request.body_mut()).await.unwrap().len(), WINDOW + 8);
    });
}

#[test]
fn empty_data_is_not_sent() {
    run(async {
        let (mut channel, peer) = connected().await;
        let (body, says) = pipe();
        says.data("").data("one").data("").data("");
        let _answer = channel.call(request(body));
        settle().await;
        says.data("");
        settle().await;
        assert_eq!(peer.wire.frames(), [Sent::Headers, Sent::Data(3)]);
    });
}

/// Bytes whose owner is counted while they are in memory.
struct Counted(Vec<u8>, #[expect(dead_code, reason = "counted")] Arc<()>);

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[test]
fn cancelled_requests_do_not_accumulate() {
    const PIECE: usize = 64 * 1024;
    run(async {
        let mut no_call = Builder::new();
        no_call.max_concurrent_streams(0);
        let (mut channel, _peer) = connected_to(no_call).await;
        let held = Arc::new(());
        for _ in 0..1000 {
            let piece = Bytes::from_owner(Counted(bytes(PIECE), Arc::clone(&held)));
            drop(channel.call(request(whole(piece))));
            tokio::task::yield_now().await;
        }
        settle().await;
        let held = Arc::strong_count(&held) - 1;
        assert!(held * PIECE <= 16 * 1024 * 1024, "{held} pieces");
    });
}

#[test]
fn waiting_bodies_do_not_delay_others() {
    run(async {
        let mut slow = Builder::new();
        slow.initial_connection_window_size(1024 * 1024 * 1024);
        let (mut channel, mut peer) = connected_to(slow).await;
        let large = Bytes::from(bytes(1024 * 1024));
        let _waiting: Vec<_> = (0..40).map(|_| channel.call(request(whole(large.clone())))).collect();
        let mut unread = Vec::new();
        for _ in 0..40 {
            unread.push(peer.call().await);
        }
        let _answer = channel.call(request(whole("request")));
        assert_eq!(read_all(peer.call().await.0.body_mut()).await.unwrap(), b"request");
        for (mut request, _respond) in unread {
            assert!(read_all(request.body_mut()).await.unwrap() == large);
        }
    });
}

#[test]
fn sent_bytes_leave_the_budget() {
    run(async {
        let (mut channel, mut peer) = connected().await;
        let large = Bytes::from(bytes(1024 * 1024));
        for _ in 0..20 {
            let _answer = channel.call(request(whole(large.clone())));
            assert!(read_all(peer.call().await.0.body_mut()).await.unwrap() == large);
        }
        settle().await;
        peer.wire.take();
        let _answer = channel.call(request(whole("request")));
        settle().await;
        assert_eq!(peer.wire.take().len(), 1);
    });
}

/// A body that is always ready, and counts how often it is polled.
struct Endless(Arc<AtomicUsize>);

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data("x".into()))))
    }
}

#[test]
fn endless_body_yields_to_other_tasks() {
    run(async {
        let mut fast = Builder::new();
        fast.initial_window_size(1024 * 1024).initial_connection_window_size(1024 * 1024);
        let (mut channel, _peer) = connected_to(fast).await;
        let asked = Arc::default();
        let _answer = channel.call(request(Body::new(Endless(Arc::clone(&asked)))));
        let other = tokio::spawn(async move {
            let mut most = 0;
            for _ in 0..1000 {
                tokio::task::yield_now().await;
                most = most.max(asked.swap(0, Ordering::Relaxed));
            }
            most
        });
        let most = other.await.unwrap();
        assert!((1..10_000).contains(&most), "{most} times in one turn");
    });
}
