//! The health of a plugin (`grpc.health.v1.Health`): the first call on every connection.

use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::HEALTH_SERVICE;
use crate::Escaped;
use crate::limits::rpc::{HEALTH_MESSAGE_BYTES, STATUS_MESSAGE_CHARACTERS};
use crate::transport::Http2Channel;

/// Succeeds if the plugin reports that it is serving. Sets no deadline.
pub(crate) async fn check_health(channel: Http2Channel) -> Result<(), RpcError> {
    let request = HealthCheckRequest { service: HEALTH_SERVICE.into() };
    let response = HealthClient::new(channel).max_decoding_message_size(HEALTH_MESSAGE_BYTES).check(request).await;
    match response.map_err(|status| RpcError::health(&status))?.into_inner().status {
        status if status == ServingStatus::Serving as i32 => Ok(()),
        status => Err(RpcError::NotServing { status }),
    }
}

/// The plugin is connected, and not ready. The host killed it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RpcError {
    /// The health service reports another status than `SERVING`.
    #[error("the plugin reports health status {status}, expected 1 (SERVING)")]
    NotServing {
        /// The status, as in `grpc.health.v1`.
        status: i32,
    },
    /// The call to the health service failed.
    #[error("the health check of the plugin failed: {code}: {}", Escaped::new(message))]
    Health {
        /// The gRPC status code.
        code: Code,
        /// The plugin's message, at most 500 characters of it.
        message: String,
    },
}

impl RpcError {
    /// The machine-readable name. Stable across versions.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotServing { .. } => "not-serving",
            Self::Health { .. } => "health-check-failed",
        }
    }

    /// The expected value, if the error compares two.
    pub fn expected(&self) -> Option<String> {
        matches!(self, Self::NotServing { .. }).then(|| (ServingStatus::Serving as i32).to_string())
    }

    /// The value that the plugin sent instead.
    pub fn actual(&self) -> Option<String> {
        match self {
            Self::NotServing { status } => Some(status.to_string()),
            Self::Health { .. } => None,
        }
    }

    fn health(status: &Status) -> Self {
        Self::Health {
            code: status.code(),
            message: status.message().chars().take(STATUS_MESSAGE_CHARACTERS).collect(),
        }
    }
}
