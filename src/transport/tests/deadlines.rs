//! Calls with a deadline.

use std::future::poll_fn;
use std::time::Duration;

use h2::Reason;
use tokio::time::Instant;
use tonic::Code;
use tower_service::Service as _;

use super::peer::{begin, connected, request, response, whole, with_timeout};
use super::{next, read, run_paused, settle};

/// The code and the duration of a call whose response never comes, or never ends.
fn late(timeout: &str, begins: bool) -> (Code, Duration) {
    run_paused(async {
        let (mut channel, mut peer) = connected().await;
        let begun_at = Instant::now();
        let answer = channel.call(with_timeout(timeout));
        let call = peer.call().await;
        let status = if begins {
            let _stream = begin(call);
            read(&mut answer.await.unwrap().into_body()).await.unwrap_err()
        } else {
            answer.await.unwrap_err()
        };
        (status.code(), begun_at.elapsed())
    })
}

/// The runtime's clock has a resolution of one millisecond.
fn is_about(took: Duration, expected: Duration) -> bool {
    (expected..=expected + Duration::from_millis(2)).contains(&took)
}

#[test]
fn missing_response_exceeds_its_deadline() {
    let (code, took) = late("1500m", false);
    assert_eq!(code, Code::DeadlineExceeded);
    assert!(is_about(took, Duration::from_millis(1500)), "{took:?}");
}

#[test]
fn unfinished_response_exceeds_its_deadline() {
    let (code, took) = late("1500m", true);
    assert_eq!(code, Code::DeadlineExceeded);
    assert!(is_about(took, Duration::from_millis(1500)), "{took:?}");
}

#[test]
fn late_call_is_cancelled() {
    run_paused(async {
        let (mut channel, mut peer) = connected().await;
        let mut answer = channel.call(with_timeout("1S"));
        let (_request, mut respond) = peer.call().await;
        (&mut answer).await.unwrap_err();
        assert_eq!(poll_fn(|cx| respond.poll_reset(cx)).await.unwrap(), Reason::CANCEL);
    });
}

#[test]
fn continuous_response_exceeds_its_deadline() {
    run_paused(async {
        let (mut channel, mut peer) = connected().await;
        let answer = channel.call(with_timeout("1S"));
        let mut stream = begin(peer.call().await);
        let mut body = answer.await.unwrap().into_body();
        // There is always more when the caller comes for it.
        let late = loop {
            stream.send_data("more".into(), false).unwrap();
            settle().await;
            match next(&mut body).await.unwrap() {
                Ok(_) => tokio::time::advance(Duration::from_millis(100)).await,
                Err(late) => break late,
            }
            assert!(Instant::now().elapsed() < Duration::from_secs(30));
        };
        assert_eq!(late.code(), Code::DeadlineExceeded);
    });
}

#[test]
fn call_without_timeout_has_no_deadline() {
    run_paused(async {
        let (mut channel, mut peer) = connected().await;
        let answer = channel.call(request(whole("request")));
        let (_request, mut respond) = peer.call().await;
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(30)).await;
            let mut stream = respond.send_response(response(), false).unwrap();
            tokio::time::sleep(Duration::from_secs(29)).await;
            stream.send_data("late".into(), true).unwrap();
        });
        assert_eq!(read(&mut answer.await.unwrap().into_body()).await.unwrap(), b"late");
    });
}

#[test]
fn call_outside_a_runtime_keeps_its_deadline() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let (mut channel, _peer) = runtime.block_on(connected());
    let answer = channel.call(with_timeout("1S"));
    assert_eq!(runtime.block_on(answer).unwrap_err().code(), Code::DeadlineExceeded);
}
