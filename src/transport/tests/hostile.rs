//! Plugins that break HTTP/2, frame by frame: they lose their connection, or a call, and nothing
//! hangs.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;
use tonic::Code;
use tower_service::Service as _;

use super::super::channel::Http2Channel;
use super::peer::{request, whole};
use super::{bytes, read, run, settle};
use crate::limits::transport::STREAM_WINDOW_BYTES;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH: u8 = 5;
const PING: u8 = 6;
const GOODBYE: u8 = 7;
const WINDOW: u8 = 8;
const MORE_HEADERS: u8 = 9;

/// The flags that say that a stream ends, and that a list of headers does.
const END: u8 = 1;
const ALL: u8 = 4;

/// `:status` is 200, and 103 (RFC 7541, appendix A and section 6.2.2).
const OK: &[u8] = &[0x88];
const HINTS: &[u8] = &[0x08, 3, b'1', b'0', b'3'];

/// The stream of the first call.
const CALL: u32 = 1;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

type CallResult = JoinHandle<Result<Vec<u8>, Code>>;

/// A call of a host, the plugin that has sent these frames in it, and the result of the call.
async fn respond_with(frames: &[u8]) -> (Http2Channel, DuplexStream, CallResult) {
    let (ours, mut theirs) = tokio::io::duplex(64 * 1024 * 1024);
    theirs.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    let mut channel = Http2Channel::over(ours).await.unwrap();
    let answer = channel.call(request(whole("request")));
    settle().await;
    let result = tokio::spawn(async move {
        let mut body = answer.await.map_err(|status| status.code())?.into_body();
        read(&mut body).await.map_err(|status| status.code())
    });
    theirs.write_all(frames).await.unwrap();
    (channel, theirs, result)
}

/// The result of a call when its connection has closed.
async fn result_at_close(frames: &[u8]) -> Result<Vec<u8>, Code> {
    let (_channel, mut plugin, result) = respond_with(frames).await;
    settle().await;
    plugin.shutdown().await.unwrap();
    result.await.unwrap()
}

/// Frames that close the connection, for every call.
fn breaches() -> Vec<(&'static str, Vec<u8>)> {
    let headers = frame(HEADERS, ALL, CALL, OK);
    vec![
        ("another protocol", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        ("a push", frame(PUSH, ALL, CALL, &[0, 0, 0, 2, 0x82, 0x84, 0x86])),
        ("an answer to a call that was not made", frame(HEADERS, ALL, 99, OK)),
        ("a response on a stream of the plugin", frame(HEADERS, ALL, 2, OK)),
        ("data of a call that was not made", frame(DATA, 0, 99, b"data")),
        ("a reset of a call that was not made", frame(RESET, 0, 99, &[0; 4])),
        ("a reset that is too short", frame(RESET, 0, CALL, &[0; 3])),
        ("settings that are cut", frame(SETTINGS, 0, 0, &[0; 5])),
        ("a frame size out of bounds", frame(SETTINGS, 0, 0, &[0, 5, 0xff, 0xff, 0xff, 0xff])),
        ("a window out of bounds", frame(SETTINGS, 0, 0, &[0, 4, 0xff, 0xff, 0xff, 0xff])),
        ("a window for all that is too large", frame(WINDOW, 0, 0, &[0x7f, 0xff, 0xff, 0xff])),
        ("a ping that is too long", frame(PING, 0, 0, &[0; 9])),
        ("a goodbye that is too short", frame(GOODBYE, 0, 0, &[0; 7])),
        ("headers that are not compressed as agreed", frame(HEADERS, ALL, CALL, &[0xff; 20])),
        (
            "headers that something else comes between",
            [frame(HEADERS, 0, CALL, OK), frame(PING, 0, 0, &[0; 8])].concat(),
        ),
        (
            "headers that never end",
            [frame(HEADERS, 0, CALL, OK), frame(MORE_HEADERS, 0, CALL, &[]).repeat(10_000)].concat(),
        ),
        ("a frame that is too long", frame(DATA, 0, CALL, &bytes(1024 * 1024))),
        ("empty data without end", [headers, frame(DATA, 0, CALL, &[]).repeat(10_000)].concat()),
    ]
}

#[test]
fn protocol_violation_closes_the_connection() {
    for (breach, frames) in breaches() {
        run(async {
            let (mut channel, mut plugin, result) = respond_with(&frames).await;
            plugin.read_to_end(&mut Vec::new()).await.unwrap();
            let result = result.await.unwrap();
            assert!(matches!(result, Err(Code::Unavailable | Code::Internal)), "{breach}: {result:?}");
            let after = channel.call(request(whole("request"))).await.unwrap_err();
            assert_eq!(after.code(), Code::Unavailable, "{breach}");
        });
    }
}

/// Frames that fail the call, and may close the connection.
fn malformed_responses() -> Vec<(&'static str, Vec<u8>)> {
    let headers = frame(HEADERS, ALL, CALL, OK);
    vec![
        ("nothing", Vec::new()),
        ("data before headers", frame(DATA, END, CALL, b"data")),
        ("headers without a status", frame(HEADERS, ALL | END, CALL, &[])),
        ("hints only", frame(HEADERS, ALL | END, CALL, HINTS)),
        ("hints without end", frame(HEADERS, ALL, CALL, HINTS).repeat(10_000)),
        ("headers without an end", headers.clone()),
        ("headers twice", headers.repeat(2)),
        ("trailers that do not end", [&headers[..], &frame(HEADERS, ALL, CALL, &[])].concat()),
        ("a window that is too large", frame(WINDOW, 0, CALL, &[0x7f, 0xff, 0xff, 0xff])),
        ("a window of nothing", frame(WINDOW, 0, CALL, &[0; 4])),
        ("a reset", frame(RESET, 0, CALL, &[0xff; 4])),
    ]
}

#[test]
fn malformed_response_fails_its_call() {
    for (breach, frames) in malformed_responses() {
        run(async {
            let result = result_at_close(&frames).await;
            assert!(matches!(result, Err(Code::Unavailable | Code::Internal)), "{breach}: {result:?}");
        });
    }
}

#[test]
fn superfluous_frames_do_not_harm_a_response() {
    let answer = [frame(HEADERS, ALL, CALL, OK), frame(DATA, END, CALL, b"answer")].concat();
    let odd = [
        ("pings", frame(PING, 0, 0, &[0; 8]).repeat(10_000)),
        ("settings", frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]).repeat(10_000)),
        ("unknown frames", frame(0x55, 0xff, 77, &[0; 100]).repeat(10_000)),
        ("hints", frame(HEADERS, ALL, CALL, HINTS).repeat(10_000)),
        ("windows", frame(WINDOW, 0, 0, &[0, 0, 0, 1]).repeat(10_000)),
    ];
    for (what, frames) in odd {
        run(async {
            let result = result_at_close(&[frames, answer.clone()].concat()).await;
            assert_eq!(result, Ok(b"answer".to_vec()), "{what}");
        });
    }
}

#[test]
fn frames_after_a_response_do_no_harm() {
    let answer = [frame(HEADERS, ALL, CALL, OK), frame(DATA, END, CALL, b"answer")].concat();
    for (what, frames) in [
        ("data", frame(DATA, 0, CALL, b"more")),
        ("trailers", frame(HEADERS, ALL | END, CALL, &[])),
        ("a reset", frame(RESET, 0, CALL, &[0; 4])),
        ("a goodbye", frame(GOODBYE, 0, 0, &[0; 8])),
    ] {
        run(async {
            let result = result_at_close(&[answer.clone(), frames].concat()).await;
            assert_eq!(result, Ok(b"answer".to_vec()), "{what}");
        });
    }
}

#[test]
fn exceeding_the_window_fails_the_call() {
    run(async {
        let (ours, mut plugin) = tokio::io::duplex(64 * 1024 * 1024);
        plugin.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
        let mut channel = Http2Channel::over(ours).await.unwrap();
        let unread = channel.call(request(whole("request")));
        settle().await;
        let flood = frame(DATA, 0, CALL, &[0; 16_384]).repeat(1 + STREAM_WINDOW_BYTES as usize / 16_384);
        plugin.write_all(&[frame(HEADERS, ALL, CALL, OK), flood].concat()).await.unwrap();
        settle().await;
        assert_eq!(read(unread.await.unwrap().body_mut()).await.unwrap_err().code(), Code::Internal);
    });
}
