//! How a call begins, and how it and its connection end when they are dropped.

use std::future::poll_fn;

use bytes::Bytes;
use h2::Reason;
use http::Request;
use http::header::USER_AGENT;
use tonic::body::Body;
use tower_service::Service as _;

use super::super::channel::Http2Channel;
use super::peer::{Sent, connected, pipe, request, response, whole};
use super::{next, run, settle};

#[test]
fn request_uri_is_completed() {
    run(async {
        let (mut channel, mut peer) = connected().await;
        for (path, uri) in [
            ("/test.Kv/Get", "http://localhost/test.Kv/Get"),
            ("https://elsewhere:1/test.Kv/Get", "http://localhost/test.Kv/Get"),
            ("elsewhere", "http://localhost/"),
        ] {
            let _answer = channel.call(Request::post(path).body(Body::empty()).unwrap());
            let (request, _respond) = peer.call().await;
            assert_eq!(request.uri(), uri, "{path}");
        }
    });
}

#[test]
fn user_agent_is_set_if_missing() {
    run(async {
        let (mut channel, mut peer) = connected().await;
        let _answer = channel.call(request(whole("request")));
        let (ours, _respond) = peer.call().await;
        assert_eq!(ours.headers()[USER_AGENT], concat!("portcullis/", env!("CARGO_PKG_VERSION")));
        let mut named = request(whole("request"));
        named.headers_mut().insert(USER_AGENT, "tonic".parse().unwrap());
        let _answer = channel.call(named);
        let (theirs, _respond) = peer.call().await;
        assert_eq!(theirs.headers().get_all(USER_AGENT).iter().collect::<Vec<_>>(), ["tonic"]);
    });
}

#[test]
fn connection_headers_are_stripped_from_requests() {
    run(async {
        let (mut channel, mut peer) = connected().await;
        let mut odd = request(whole("request"));
        for name in ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te"] {
            odd.headers_mut().insert(name, "x-kept".parse().unwrap());
        }
        odd.headers_mut().insert("x-kept", "kept".parse().unwrap());
        let _answer = channel.call(odd);
        let (request, _respond) = peer.call().await;
        let mut names: Vec<_> = request.headers().keys().map(http::HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["user-agent", "x-kept"]);
    });
}

#[test]
fn te_trailers_is_kept() {
    run(async {
        let (mut channel, mut peer) = connected().await;
        let mut usual = request(whole("request"));
        usual.headers_mut().insert("te", "trailers".parse().unwrap());
        let _answer = channel.call(usual);
        assert_eq!(peer.call().await.0.headers()["te"], "trailers");
    });
}

#[test]
fn dropped_call_is_cancelled() {
    run(async {
        let (mut channel, mut peer) = connected().await;
        let answer = channel.call(request(whole("request")));
        let (_request, mut respond) = peer.call().await;
        settle().await;
        drop(answer);
        assert_eq!(poll_fn(|cx| respond.poll_reset(cx)).await.unwrap(), Reason::CANCEL);
    });
}

#[test]
fn dropped_call_stops_the_request_body() {
    run(async {
        let (mut channel, mut peer) = connected().await;
        let (body, says) = pipe();
        says.data("one");
        let answer = channel.call(request(body));
        let (mut request, _respond) = peer.call().await;
        drop(answer);
        says.given_up().await;
        assert_eq!(request.body_mut().data().await.unwrap().unwrap(), "one");
        assert_eq!(request.body_mut().data().await.unwrap().unwrap_err().reason(), Some(Reason::CANCEL));
    });
}

#[test]
fn dropped_response_stops_the_request_body() {
    run(async {
        let (mut channel, mut peer) = connected().await;
        let (body, says) = pipe();
        says.data("one");
        let answer = channel.call(request(body));
        let (_request, mut respond) = peer.call().await;
        let mut stream = respond.send_response(response(), false).unwrap();
        stream.send_data("answer".into(), false).unwrap();
        let mut body = answer.await.unwrap().into_body();
        next(&mut body).await.unwrap().unwrap();
        settle().await;
        assert_eq!(peer.wire.frames(), [Sent::Headers, Sent::Data(3)], "nothing is taken back yet");
        drop(body);
        says.given_up().await;
        assert_eq!(poll_fn(|cx| stream.poll_reset(cx)).await.unwrap(), Reason::CANCEL);
    });
}

#[test]
fn complete_response_cancels_nothing() {
    run(async {
        let (mut channel, mut peer) = connected().await;
        let answer = channel.call(request(whole("request")));
        let (mut request, mut respond) = peer.call().await;
        while request.body_mut().data().await.is_some() {}
        let mut stream = respond.send_response(response(), false).unwrap();
        stream.send_trailers(http::HeaderMap::new()).unwrap();
        let mut body = answer.await.unwrap().into_body();
        while next(&mut body).await.is_some() {}
        drop(body);
        settle().await;
        assert_eq!(peer.wire.frames(), [Sent::Headers, Sent::LastData(7)]);
    });
}

#[test]
fn reset_without_error_stops_the_request_body() {
    run(async {
        let (mut channel, mut peer) = connected().await;
        let (body, says) = pipe();
        says.data("one");
        let answer = channel.call(request(body));
        let (_request, mut respond) = peer.call().await;
        respond.send_response(response(), true).unwrap();
        let mut body = answer.await.unwrap().into_body();
        respond.send_reset(Reason::NO_ERROR);
        says.given_up().await;
        assert!(next(&mut body).await.is_none(), "an answer that was whole stays so");
    });
}

#[test]
fn connection_closes_after_last_channel_and_call() {
    run(async {
        let (channel, mut peer) = connected().await;
        let answer = channel.clone().call(request(whole("request")));
        let (request, mut respond) = peer.call().await;
        drop(channel);
        settle().await;
        respond.send_response(response(), true).unwrap();
        drop((answer.await.unwrap(), request, respond));
        peer.closed().await;
    });
}

#[test]
fn calls_before_settings_are_not_refused() {
    run(async {
        let mut few = h2::server::Builder::new();
        few.max_concurrent_streams(100);
        let (ours, theirs) = tokio::io::duplex(1024 * 1024);
        let mut channel = Http2Channel::over(ours).await.unwrap();
        // Before the plugin's SETTINGS were read.
        let answers: Vec<_> = (0..150).map(|_| channel.call(request(whole("request")))).collect();
        let mut connection = few.handshake::<_, Bytes>(theirs).await.unwrap();
        tokio::spawn(async move {
            while let Some(Ok((_request, mut respond))) = connection.accept().await {
                respond.send_response(response(), true).unwrap();
            }
        });
        for answer in answers {
            assert!(answer.await.is_ok());
        }
    });
}
