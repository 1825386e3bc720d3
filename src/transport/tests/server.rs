//! The plugin's end: answers calls, drops cancelled ones, and ends after the last one.

use std::sync::atomic::Ordering;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic::{Code, Status};

use super::harness::{Served, flood};
use super::run;
use crate::limits::transport::STREAM_WINDOW_BYTES;

#[test]
fn call_is_answered() {
    run(async {
        let served = Served::new();
        let (one, other) = (served.host().await, served.host().await);
        assert_eq!(one.echo("one").await, "one");
        assert_eq!(other.echo("other").await, "other");
    });
}

#[test]
fn first_response_leaves_before_last_call_begins() {
    const CALLS: usize = 400;
    run(async {
        let served = Served::new();
        let host = served.host().await;
        assert_eq!(host.echo("hello").await, "hello");
        let mut calls: Vec<_> = (0..CALLS).map(|_| host.call("Count", None)).collect();
        let (answer, _stream) = calls.remove(0);
        assert_eq!(answer.await.unwrap().status(), 200);
        let begun = served.plugin.counted.load(Ordering::Relaxed);
        assert!(0 < begun && begun < CALLS, "{begun} of {CALLS} had begun");
    });
}

#[test]
fn cancelled_call_is_dropped() {
    run(async {
        let served = Served::new();
        let host = served.host().await;
        let call = host.call("Wait", None);
        served.plugin.begun.notified().await;
        drop(call);
        served.plugin.dropped.notified().await;
    });
}

#[test]
fn call_of_lost_host_is_dropped() {
    run(async {
        let served = Served::new();
        let host = served.host().await;
        let _call = host.call("Wait", None);
        served.plugin.begun.notified().await;
        host.connection.abort();
        served.plugin.dropped.notified().await;
    });
}

#[test]
fn cancelled_response_is_dropped() {
    run(async {
        let served = Served::new();
        let host = served.host().await;
        let (answer, stream) = host.call("Endless", None);
        let mut body = answer.await.unwrap().into_body();
        assert_eq!(body.data().await.unwrap().unwrap(), "begun");
        drop((body, stream));
        served.plugin.dropped.notified().await;
    });
}

#[test]
fn panicking_service_fails_only_its_call() {
    run(async {
        let served = Served::new();
        let host = served.host().await;
        let (waits, _stream) = host.call("Wait", None);
        served.plugin.begun.notified().await;
        let (answer, _stream) = host.call("Panic", None);
        assert!(answer.await.unwrap_err().is_reset());
        assert_eq!(host.echo("still there").await, "still there");
        served.plugin.go_on.notify_one();
        assert!(waits.await.is_ok());
    });
}

#[test]
fn slow_call_is_answered_with_deadline_exceeded() {
    run(async {
        let served = Served::new();
        let host = served.host().await;
        let (answer, _stream) = host.call("Wait", Some("1m"));
        let answer = answer.await.unwrap();
        assert_eq!(Status::from_header_map(answer.headers()).unwrap().code(), Code::DeadlineExceeded);
        served.plugin.dropped.notified().await;
    });
}

#[test]
fn connection_headers_are_stripped_from_responses() {
    run(async {
        let served = Served::new();
        let host = served.host().await;
        let (answer, _stream) = host.call("Odd", None);
        let answer = answer.await.unwrap();
        assert!(!answer.headers().contains_key("connection"));
        let mut body = answer.into_body();
        assert_eq!(body.data().await.unwrap().unwrap(), "odd");
        let trailers = body.trailers().await.unwrap().unwrap();
        assert!(!trailers.contains_key("connection"));
        assert_eq!(Status::from_header_map(&trailers).unwrap().code(), Code::NotFound);
    });
}

#[test]
fn unread_request_stops_at_its_window() {
    run(async {
        let served = Served::new();
        let host = served.host().await;
        // The host knows the plugin's window once it has received SETTINGS.
        host.echo("hello").await;
        let (_answer, mut stream) = host.call("Wait", None);
        flood(&mut stream, STREAM_WINDOW_BYTES as usize).await;
        stream.reserve_capacity(1);
        host.echo("and back").await;
        assert_eq!(stream.capacity(), 0);
    });
}

#[test]
fn plugin_announces_its_concurrent_calls() {
    run(async {
        let served = Served::new();
        let host = served.host().await;
        host.echo("hello").await;
        assert_eq!(host.requests.current_max_send_streams(), 4096);
    });
}

#[test]
fn shutdown_waits_for_running_calls() {
    run(async {
        let served = Served::new();
        let host = served.host().await;
        let (answer, _stream) = host.call("Wait", None);
        served.plugin.begun.notified().await;
        served.shutdown.cancel();
        host.refused().await;
        assert!(!served.task.is_finished());
        served.plugin.go_on.notify_one();
        assert!(answer.await.is_ok());
        served.task.await.unwrap();
    });
}

#[test]
fn shutdown_closes_the_listener() {
    run(async {
        let served = Served::new();
        let host = served.host().await;
        let _call = host.call("Wait", None);
        served.plugin.begun.notified().await;
        served.shutdown.cancel();
        served.hosts.closed().await;
        assert!(!served.task.is_finished());
    });
}

#[test]
fn shutdown_closes_idle_connections() {
    run(async {
        let served = Served::new();
        let host = served.host().await;
        host.echo("hello").await;
        served.shut_down().await;
        host.connection.await.unwrap();
    });
}

#[test]
fn silent_peer_does_not_delay_shutdown() {
    run(async {
        let served = Served::new();
        let (_silent, mut hesitating) = (served.connect().await, served.connect().await);
        hesitating.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap();
        served.host().await.echo("hello").await;
        served.shut_down().await;
    });
}

#[test]
fn other_protocol_closes_only_its_connection() {
    run(async {
        let served = Served::new();
        let host = served.host().await;
        let mut other = served.connect().await;
        other.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        let _ = other.read_to_end(&mut Vec::new()).await;
        assert_eq!(host.echo("hello").await, "hello");
    });
}

#[test]
fn server_ends_with_its_listener() {
    run(async {
        let Served { hosts, task, .. } = Served::new();
        drop(hosts);
        task.await.unwrap();
    });
}
