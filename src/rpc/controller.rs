//! The host's request that the plugin exit (`plugin.GRPCController`), for both ends.

#[cfg(feature = "host")]
pub(crate) use self::host::{ExitRequest, request_exit};
#[cfg(feature = "plugin")]
pub(crate) use self::plugin::service;

#[cfg(feature = "host")]
mod host {
    use tonic::Code;

    use super::super::generated::controller::Empty;
    use super::super::generated::controller::grpc_controller_client::GrpcControllerClient;
    use crate::transport::Http2Channel;

    /// The result of a request to exit.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) enum ExitRequest {
        /// The plugin has received the request, or may have.
        Delivered,
        /// The plugin has no controller.
        Unimplemented,
    }

    /// Asks the plugin to exit. Sets no deadline.
    ///
    /// Some plugins close the connection before they respond. A failure therefore counts as
    /// delivered, except UNIMPLEMENTED.
    pub(crate) async fn request_exit(channel: Http2Channel) -> ExitRequest {
        match GrpcControllerClient::new(channel).shutdown(Empty {}).await {
            Err(status) if status.code() == Code::Unimplemented => ExitRequest::Unimplemented,
            _ => ExitRequest::Delivered,
        }
    }
}

#[cfg(feature = "plugin")]
mod plugin {
    use tokio_util::sync::CancellationToken;
    use tonic::{Request, Response, Status};

    use super::super::generated::controller::Empty;
    use super::super::generated::controller::grpc_controller_server::{GrpcController, GrpcControllerServer};

    /// The controller. Cancels `shutdown` when the host calls it.
    pub(crate) fn service(shutdown: CancellationToken) -> GrpcControllerServer<impl GrpcController> {
        GrpcControllerServer::new(Controller { shutdown })
    }

    struct Controller {
        shutdown: CancellationToken,
    }

    #[tonic::async_trait]
    impl GrpcController for Controller {
        async fn shutdown(&self, _request: Request<Empty>) -> Result<Response<Empty>, Status> {
            self.shutdown.cancel();
            Ok(Response::new(Empty {}))
        }
    }
}
