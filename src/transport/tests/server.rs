//! What the plugin's end does with calls: answers them, gives them up, ends with the last of them.

use std::sync::atomic::Ordering;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic::{Code, Status};

use super::super::STREAM_WINDOW;
use super::harness::{Served, flood};
use super::run;

#[test]
fn a_call_is_answered() {
    run(async {
        let served = Served::new();
        let (one, other) = (served.host().await, served.host().await);
        assert_eq!(one.echo("one").await, "one");
        assert_eq!(other.echo("other").await, "other");
    });
}

#[test]
fn the_first_of_many_calls_is_answered_before_the_last_begins() {
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
fn a_call_that_the_host_takes_back_is_dropped() {
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
fn a_call_whose_host_is_gone_is_dropped() {
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
fn an_answer_that_the_host_takes_back_is_dropped() {
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
fn a_service_that_panics_ends_its_call_only() {
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
fn a_call_that_takes_too_long_is_answered_with_that() {
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
fn headers_and_trailers_that_http2_forbids_are_left_out_of_an_answer() {
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
fn a_request_that_the_plugin_does_not_read_stops_at_its_window() {
    run(async {
        let served = Served::new();
        let host = served.host().await;
        // The host knows the plugin's window when it has heard of it.
        host.echo("hello").await;
        let (_answer, mut stream) = host.call("Wait", None);
        flood(&mut stream, STREAM_WINDOW as usize).await;
        stream.reserve_capacity(1);
        host.echo("and back").await;
        assert_eq!(stream.capacity(), 0);
    });
}

#[test]
fn a_host_is_told_how_many_calls_are_answered_at_once() {
    run(async {
        let served = Served::new();
        let host = served.host().await;
        host.echo("hello").await;
        assert_eq!(host.requests.current_max_send_streams(), 4096);
    });
}

#[test]
fn a_shutdown_waits_for_the_calls_that_were_begun() {
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
fn after_a_shutdown_nobody_is_let_in() {
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
fn a_shutdown_ends_connections_that_have_nothing_to_do() {
    run(async {
        let served = Served::new();
        let host = served.host().await;
        host.echo("hello").await;
        served.shut_down().await;
        host.connection.await.unwrap();
    });
}

#[test]
fn who_never_speaks_does_not_hold_up_a_shutdown() {
    run(async {
        let served = Served::new();
        let (_silent, mut hesitating) = (served.connect().await, served.connect().await);
        hesitating.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap();
        served.host().await.echo("hello").await;
        served.shut_down().await;
    });
}

#[test]
fn who_does_not_speak_http2_is_hung_up_on_and_nobody_else() {
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
fn the_service_ends_when_nobody_can_come_any_more() {
    run(async {
        let Served { hosts, task, .. } = Served::new();
        drop(hosts);
        task.await.unwrap();
    });
}
