//! Clients over a channel that notes the arguments of each request and fails every call.

use std::sync::{Arc, Mutex};

use portcullis::host::Arguments;
use tonic::Code;
use tonic::body::Body;

use super::*;

/// The called methods and the names of their arguments, which `Debug` shows without values.
type Noted = Arc<Mutex<Vec<(String, String)>>>;

/// A channel of neither the library nor tonic.
fn channel(noted: &Noted) -> impl GrpcChannel {
    let noted = Arc::clone(noted);
    tower::service_fn(move |request: http::Request<Body>| {
        let arguments = request.extensions().get::<Arguments>().expect("a request without arguments");
        noted.lock().unwrap().push((request.uri().path().to_owned(), format!("{arguments:?}")));
        let unavailable = Status::unavailable("no server").into_http::<Body>();
        std::future::ready(Ok::<_, std::convert::Infallible>(unavailable))
    })
}

fn is_unavailable<T>(result: Result<T, CallError>) -> bool {
    matches!(result, Err(CallError::Status(status)) if status.code() == Code::Unavailable)
}

#[tokio::test]
async fn every_request_names_its_arguments() {
    let noted = Noted::default();
    let client = Client::to_host(channel(&noted));
    let value = || Bytes::from_static(b"1");
    let first = |expected_version| Announcement { key: "k".into(), size: 0, expected_version };
    assert!(is_unavailable(client.get("k".into()).await));
    assert!(is_unavailable(client.put("k".into(), value()).await));
    assert!(is_unavailable(client.compare_and_swap("k".into(), 0, value()).await));
    assert!(is_unavailable(client.write(first(None), tokio_stream::empty()).await));
    assert!(is_unavailable(client.write(first(Some(0)), tokio_stream::empty()).await));
    assert!(is_unavailable(client.delete("k".into()).await));
    assert!(is_unavailable(client.list("p".into(), 0).await));
    assert!(is_unavailable(client.watch("p".into()).await));
    let old = Client::new(channel(&noted), 1, Peer::Plugin);
    assert!(is_unavailable(old.get("k".into()).await));
    assert!(is_unavailable(old.put("k".into(), value()).await));

    let (key, both, prefix) = (r#"{"key"}"#, r#"{"key", "value"}"#, r#"{"prefix"}"#);
    let expected = [
        ("/portcullis.kv.v1.Store/Get", key),
        ("/portcullis.kv.v1.Store/Put", both),
        ("/portcullis.kv.v1.Store/CompareAndSwap", both),
        ("/portcullis.kv.v1.Store/Put", key),
        ("/portcullis.kv.v1.Store/CompareAndSwap", key),
        ("/portcullis.kv.v1.Store/Delete", key),
        ("/portcullis.kv.v1.Store/List", prefix),
        ("/portcullis.kv.v1.Store/Watch", prefix),
        ("/proto.KV/Get", key),
        ("/proto.KV/Put", both),
    ];
    let expected: Vec<_> = expected.into_iter().map(|(path, about)| (path.to_owned(), about.to_owned())).collect();
    assert_eq!(*noted.lock().unwrap(), expected);
}

#[tokio::test]
async fn version_1_has_only_get_and_put() {
    let noted = Noted::default();
    let client = Client::new(channel(&noted), 1, Peer::Plugin);
    let errors = [
        client.delete("k".into()).await.map(drop).unwrap_err(),
        client.list("p".into(), 0).await.map(drop).unwrap_err(),
        client.watch("p".into()).await.map(drop).unwrap_err(),
        client.compare_and_swap("k".into(), 0, Bytes::new()).await.map(drop).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.to_string(), "the plugin speaks protocol version 1, which has only get and put");
    }
    assert!(noted.lock().unwrap().is_empty());
}
