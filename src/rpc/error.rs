//! Why a plugin that is connected is not ready.
#![cfg(feature = "host")]

use tonic::{Code, Status};

use crate::Escaped;

/// The plugin is connected and not ready. It was killed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RpcError {
    /// The health service answered something else than `SERVING`.
    #[error("the plugin says of itself that it is not serving (health status {status})")]
    NotServing {
        /// The status, as in `grpc.health.v1`.
        status: i32,
    },
    /// The health service did not answer properly.
    #[error("the plugin's health could not be asked for: {code}: {}", Escaped::new(message))]
    Health {
        /// The gRPC status code.
        code: Code,
        /// What the plugin said, cut after 500 bytes.
        message: String,
    },
}

impl RpcError {
    pub(super) fn health(status: &Status) -> Self {
        let message = status.message().chars().take(500).collect();
        Self::Health { code: status.code(), message }
    }
}
