//! Header fields that belong to a connection of HTTP/1.1, taken out of what is sent: nothing that
//! has one can be sent over HTTP/2 (RFC 9113, section 8.2.2).

use http::HeaderMap;
use http::header::{CONNECTION, HeaderName, TE, TRANSFER_ENCODING, UPGRADE};

const FORBIDDEN: [HeaderName; 5] = [
    CONNECTION,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Leaves headers or trailers that may be sent.
pub(super) fn strip(headers: &mut HeaderMap) {
    for name in &FORBIDDEN {
        drop_field(headers, name);
    }
    if headers.get_all(TE).iter().any(|value| value != "trailers") {
        drop_field(headers, &TE);
    }
}

fn drop_field(headers: &mut HeaderMap, name: &HeaderName) {
    if headers.remove(name).is_some() {
        tracing::warn!(%name, "metadata with a name that HTTP/2 forbids was dropped");
    }
}
