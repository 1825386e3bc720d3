//! Is the plugin ready? ExitRequest of `grpc.health.v1.Health`, the first call on every connection.

use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::{HEALTH_SERVICE, RpcError};
use crate::transport::Http2Channel;

/// A health answer is a few bytes.
const LIMIT: usize = 64 * 1024;

/// Succeeds when the plugin answers that it is serving. Has no deadline of its own.
pub(crate) async fn check_health(channel: Http2Channel) -> Result<(), RpcError> {
    let request = HealthCheckRequest { service: HEALTH_SERVICE.into() };
    let answer = HealthClient::new(channel).max_decoding_message_size(LIMIT).check(request).await;
    match answer.map_err(|status| RpcError::health(&status))?.into_inner().status {
        status if status == ServingStatus::Serving as i32 => Ok(()),
        status => Err(RpcError::NotServing { status }),
    }
}
