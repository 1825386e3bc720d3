//! Takes off an answer what makes gRPC's client panic: details of a status that are not base64, in headers or in trailers. Leaves everything else as it came.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;

const DETAILS: &str = "grpc-status-details-bin";

/// What tonic takes for base64.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// An answer that tonic can read.
pub(super) fn clean(response: http::Response<Body>) -> http::Response<Body> {
    let (mut parts, body) = response.into_parts();
    clean_headers(&mut parts.headers);
    http::Response::from_parts(parts, Body::new(Clean(body)))
}

fn clean_headers(headers: &mut HeaderMap) {
    let bad = headers.get_all(DETAILS).iter().any(|details| BASE64.decode(details).is_err());
    if bad {
        tracing::warn!("a plugin sent details of a status that are not base64; they were dropped");
        headers.remove(DETAILS);
    }
}

/// A body whose trailers are clean.
struct Clean(Body);

impl http_body::Body for Clean {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let mut frame = ready!(Pin::new(&mut self.0).poll_frame(cx));
        if let Some(trailers) = frame.as_mut().and_then(|frame| frame.as_mut().ok()).and_then(Frame::trailers_mut) {
            clean_headers(trailers);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body::Body as _;

    use super::*;

    fn headers(details: &'static str) -> HeaderMap {
        let status = [("grpc-status", "5"), ("grpc-message", "gone"), (DETAILS, details)];
        status.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    /// Some bytes, and then trailers.
    struct Ending(Vec<Frame<Bytes>>);

    impl http_body::Body for Ending {
        type Data = Bytes;
        type Error = Status;

        fn poll_frame(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
            Poll::Ready(self.0.pop().map(Ok))
        }
    }

    fn trailers_of(response: http::Response<Body>) -> HeaderMap {
        let mut body = response.into_body();
        let mut cx = Context::from_waker(std::task::Waker::noop());
        loop {
            let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut cx) else { panic!("no trailers") };
            match frame.into_trailers() {
                Ok(trailers) => return trailers,
                Err(data) => assert_eq!(data.into_data().unwrap(), "data"),
            }
        }
    }

    #[test]
    fn details_that_are_not_base64_are_dropped_and_the_status_is_kept() {
        for details in ["!", "a", "ab=c", "\u{7f}"] {
            let Ok(value) = http::HeaderValue::from_bytes(details.as_bytes()) else { continue };
            let mut dirty = headers("");
            dirty.insert(DETAILS, value);
            let ending = Ending(vec![Frame::trailers(dirty.clone()), Frame::data("data".into())]);
            let mut response = http::Response::new(Body::new(ending));
            *response.headers_mut() = dirty;
            let response = clean(response);
            let in_headers = Status::from_header_map(response.headers()).unwrap();
            let in_trailers = Status::from_header_map(&trailers_of(response)).unwrap();
            for status in [in_headers, in_trailers] {
                assert_eq!(
                    (status.code(), status.message(), status.details()),
                    (tonic::Code::NotFound, "gone", &[][..])
                );
            }
        }
    }

    #[test]
    fn details_that_tonic_can_read_are_kept() {
        for (text, details) in [("", &b""[..]), ("aGk", b"hi"), ("aGk=", b"hi"), ("+/8=", &[0xfb, 0xff])] {
            let mut headers = headers(text);
            clean_headers(&mut headers);
            assert_eq!(Status::from_header_map(&headers).unwrap().details(), details, "{text:?}");
        }
    }

    #[test]
    fn a_body_without_anything_stays_one() {
        assert!(clean(http::Response::new(Body::empty())).body().is_end_stream());
    }
}
