//! Whether a plugin that lists no services has one of the wire's own: asked with a method that no
//! service has, so that nothing happens.

use std::fmt;

use http::uri::PathAndQuery;
use tonic::client::Grpc;
use tonic::{Code, Request};
use tonic_prost::ProstCodec;

use crate::transport::Http2Channel;

/// A method that none of the services has. Calling one that they have could end the plugin
/// (`Shutdown`) or take something away.
const METHOD: &str = "IsThisServiceThere";

/// An answer holds nothing.
const LIMIT: usize = 1024;

/// Whether a plugin has a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServicePresence {
    /// It has.
    Offered,
    /// It has not.
    Missing,
    /// It does not tell: gRPC has one answer for a service and for a method that is not there.
    Unknown,
}

impl ServicePresence {
    /// Servers written in Go are the ones that say which of the two it is.
    fn told(service: &str, message: &str) -> Self {
        if message == format!("unknown method {METHOD} for service {service}") {
            Self::Offered
        } else if message == format!("unknown service {service}") {
            Self::Missing
        } else {
            Self::Unknown
        }
    }
}

impl fmt::Display for ServicePresence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Offered => "offered",
            Self::Missing => "not offered",
            Self::Unknown => "not known",
        })
    }
}

/// Asks for a service by its full name. Has no deadline of its own.
pub(crate) async fn probe_service(channel: Http2Channel, service: &str) -> ServicePresence {
    let Ok(path) = PathAndQuery::try_from(format!("/{service}/{METHOD}")) else { return ServicePresence::Unknown };
    let mut client = Grpc::new(channel).max_decoding_message_size(LIMIT);
    if client.ready().await.is_err() {
        return ServicePresence::Unknown;
    }
    match client.unary(Request::new(()), path, ProstCodec::<(), ()>::default()).await {
        Err(status) if status.code() == Code::Unimplemented => ServicePresence::told(service, status.message()),
        _ => ServicePresence::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unambiguous_messages_decide_presence() {
        for (message, expected) in [
            ("unknown method IsThisServiceThere for service a.B", ServicePresence::Offered),
            ("unknown service a.B", ServicePresence::Missing),
            ("unknown service a.Bc", ServicePresence::Unknown),
            ("unknown method Other for service a.B", ServicePresence::Unknown),
            ("Method not found!", ServicePresence::Unknown),
            ("", ServicePresence::Unknown),
        ] {
            assert_eq!(ServicePresence::told("a.B", message), expected, "{message:?}");
        }
    }
}
