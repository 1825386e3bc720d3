//! Header fields that must not pass: those that HTTP/2 forbids, when sending, and those that make
//! tonic panic, when receiving. Leaves all others as they are.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use http::HeaderMap;
use http::header::{CONNECTION, HeaderName, TE, TRANSFER_ENCODING, UPGRADE};

/// Fields about a connection of HTTP/1.1. A message with one of them is malformed in HTTP/2
/// (RFC 9113, section 8.2.2), and h2 does not send it.
const CONNECTION_HEADERS: [HeaderName; 5] = [
    CONNECTION,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

const STATUS_DETAILS: &str = "grpc-status-details-bin";

/// Base64 as tonic decodes it: with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Removes from headers or trailers every field that HTTP/2 forbids.
pub(super) fn strip_connection_headers(headers: &mut HeaderMap) {
    for name in &CONNECTION_HEADERS {
        remove(headers, name);
    }
    // The one value that HTTP/2 allows; gRPC requires it in requests.
    if headers.get_all(TE).iter().any(|value| value != "trailers") {
        remove(headers, &TE);
    }
}

fn remove(headers: &mut HeaderMap, name: &HeaderName) {
    if headers.remove(name).is_some() {
        tracing::warn!(%name, "dropped metadata with a name that HTTP/2 forbids");
    }
}

/// Removes status details that are not base64 from received headers or trailers. tonic panics when
/// it reads them. Code and message of the status stay.
pub(super) fn sanitize_status_details(headers: &mut HeaderMap) {
    let malformed = headers.get_all(STATUS_DETAILS).iter().any(|details| BASE64.decode(details).is_err());
    if malformed {
        tracing::warn!("dropped the details of a plugin's status: they are not base64");
        headers.remove(STATUS_DETAILS);
    }
}

#[cfg(test)]
mod tests {
    use tonic::Status;

    use super::*;

    fn headers(details: &'static str) -> HeaderMap {
        let status = [("grpc-status", "5"), ("grpc-message", "gone"), (STATUS_DETAILS, details)];
        status.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn malformed_status_details_are_dropped() {
        for details in ["!", "a", "ab=c", "\u{7f}"] {
            let Ok(value) = http::HeaderValue::from_bytes(details.as_bytes()) else { continue };
            let mut headers = headers("");
            headers.insert(STATUS_DETAILS, value);
            sanitize_status_details(&mut headers);
            let status = Status::from_header_map(&headers).unwrap();
            assert_eq!((status.code(), status.message(), status.details()), (tonic::Code::NotFound, "gone", &[][..]));
        }
    }

    #[test]
    fn valid_status_details_are_kept() {
        for (text, details) in [("", &b""[..]), ("aGk", b"hi"), ("aGk=", b"hi"), ("+/8=", &[0xfb, 0xff])] {
            let mut headers = headers(text);
            sanitize_status_details(&mut headers);
            assert_eq!(Status::from_header_map(&headers).unwrap().details(), details, "{text:?}");
        }
    }
}
