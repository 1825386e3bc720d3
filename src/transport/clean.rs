//! Takes off an answer what makes gRPC's client panic: details of a status that are not base64, in
//! headers or in trailers. Leaves everything else as it came.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use http::HeaderMap;

const DETAILS: &str = "grpc-status-details-bin";

/// What tonic takes for base64.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Leaves headers or trailers that tonic can read.
pub(super) fn clean(headers: &mut HeaderMap) {
    let bad = headers.get_all(DETAILS).iter().any(|details| BASE64.decode(details).is_err());
    if bad {
        tracing::warn!("a plugin sent details of a status that are not base64; they were dropped");
        headers.remove(DETAILS);
    }
}

#[cfg(test)]
mod tests {
    use tonic::Status;

    use super::*;

    fn headers(details: &'static str) -> HeaderMap {
        let status = [("grpc-status", "5"), ("grpc-message", "gone"), (DETAILS, details)];
        status.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn details_that_are_not_base64_are_dropped_and_the_status_is_kept() {
        for details in ["!", "a", "ab=c", "\u{7f}"] {
            let Ok(value) = http::HeaderValue::from_bytes(details.as_bytes()) else { continue };
            let mut headers = headers("");
            headers.insert(DETAILS, value);
            clean(&mut headers);
            let status = Status::from_header_map(&headers).unwrap();
            assert_eq!((status.code(), status.message(), status.details()), (tonic::Code::NotFound, "gone", &[][..]));
        }
    }

    #[test]
    fn details_that_tonic_can_read_are_kept() {
        for (text, details) in [("", &b""[..]), ("aGk", b"hi"), ("aGk=", b"hi"), ("+/8=", &[0xfb, 0xff])] {
            let mut headers = headers(text);
            clean(&mut headers);
            assert_eq!(Status::from_header_map(&headers).unwrap().details(), details, "{text:?}");
        }
    }
}
