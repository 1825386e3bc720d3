//! A caller on a channel of the test's own, which notes what each request carries and answers
//! nothing.

use std::sync::{Arc, Mutex};

use portcullis::host::Arguments;
use tonic::Code;
use tonic::body::Body;

use super::*;

/// The methods that were called, and the names of their arguments: values are for logs only.
type Noted = Arc<Mutex<Vec<(String, String)>>>;

/// A channel that is not tonic's: what is put before one is called in the same way.
fn channel(noted: &Noted) -> impl Calls {
    let noted = Arc::clone(noted);
    tower::service_fn(move |request: http::Request<Body>| {
        let arguments = request.extensions().get::<Arguments>().expect("a request says nothing");
        noted.lock().unwrap().push((request.uri().path().to_owned(), format!("{arguments:?}")));
        let unavailable = Status::unavailable("nobody is there").into_http::<Body>();
        std::future::ready(Ok::<_, std::convert::Infallible>(unavailable))
    })
}

fn is_unavailable<T>(result: Result<T, CallError>) -> bool {
    matches!(result, Err(CallError::Answered(status)) if status.code() == Code::Unavailable)
}

#[tokio::test]
async fn every_request_names_its_arguments() {
    let noted = Noted::default();
    let caller = Caller::to_host(channel(&noted));
    let value = || Bytes::from_static(b"1");
    let first = |expected_version| Announcement { key: "k".into(), size: 0, expected_version };
    assert!(is_unavailable(caller.get("k".into()).await));
    assert!(is_unavailable(caller.put("k".into(), value()).await));
    assert!(is_unavailable(caller.compare_and_swap("k".into(), 0, value()).await));
    assert!(is_unavailable(caller.write(first(None), tokio_stream::empty()).await));
    assert!(is_unavailable(caller.write(first(Some(0)), tokio_stream::empty()).await));
    assert!(is_unavailable(caller.delete("k".into()).await));
    assert!(is_unavailable(caller.list("p".into(), 0).await));
    assert!(is_unavailable(caller.watch("p".into()).await));
    let old = Caller::new(channel(&noted), 1, Peer::Plugin);
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
    let caller = Caller::new(channel(&noted), 1, Peer::Plugin);
    let errors = [
        caller.delete("k".into()).await.map(drop).unwrap_err(),
        caller.list("p".into(), 0).await.map(drop).unwrap_err(),
        caller.watch("p".into()).await.map(drop).unwrap_err(),
        caller.compare_and_swap("k".into(), 0, Bytes::new()).await.map(drop).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.to_string(), "this plugin speaks version 1, which has only get and put");
    }
    assert!(noted.lock().unwrap().is_empty());
}
