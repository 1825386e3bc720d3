//! How a host asks a plugin to exit (`plugin.GRPCController`), from both ends.

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

    /// Whether the plugin knows that it shall exit.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) enum ExitRequest {
        Delivered,
        /// It has no such service.
        Unimplemented,
    }

    /// Asks the plugin to exit. Has no deadline of its own.
    ///
    /// Some plugins close the connection before they answer, so every failure but one counts as
    /// having been heard.
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

    /// The service, which cancels `shutdown` when it is asked to.
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
