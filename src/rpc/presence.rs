//! Probes a plugin that has no reflection for a service of the wire, by calling a method that no
//! service has. The call has no effect.

use std::fmt;

use http::uri::PathAndQuery;
use tonic::client::Grpc;
use tonic::{Code, Request};
use tonic_prost::ProstCodec;

use crate::limits::rpc::PROBE_MESSAGE_BYTES;
use crate::transport::Http2Channel;

/// A method that no service of the wire has. Calling a real one could end the plugin (`Shutdown`)
/// or consume its output (`StreamStdio`).
const METHOD: &str = "IsThisServiceThere";

/// Whether a plugin has a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServicePresence {
    /// The plugin has the service.
    Offered,
    /// The plugin does not have it.
    Missing,
    /// The plugin's response does not tell. gRPC has one code, UNIMPLEMENTED, for a missing service
    /// and a missing method.
    Unknown,
}

impl ServicePresence {
    /// Reads the message of grpc-go, the only known server that distinguishes the two.
    fn from_message(service: &str, message: &str) -> Self {
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
            Self::Unknown => "unknown",
        })
    }
}

/// Probes for a service by its full name. Sets no deadline.
pub(crate) async fn probe_service(channel: Http2Channel, service: &str) -> ServicePresence {
    let Ok(path) = PathAndQuery::try_from(format!("/{service}/{METHOD}")) else { return ServicePresence::Unknown };
    let mut client = Grpc::new(channel).max_decoding_message_size(PROBE_MESSAGE_BYTES);
    if client.ready().await.is_err() {
        return ServicePresence::Unknown;
    }
    match client.unary(Request::new(()), path, ProstCodec::<(), ()>::default()).await {
        Err(status) if status.code() == Code::Unimplemented => ServicePresence::from_message(service, status.message()),
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
            assert_eq!(ServicePresence::from_message("a.B", message), expected, "{message:?}");
        }
    }
}
