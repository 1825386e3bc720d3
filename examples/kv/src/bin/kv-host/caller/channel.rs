//! What a caller asks of a channel. tonic's own has it, and so has whatever is put before one.

use bytes::Bytes;
use http_body::Body;
use tonic::client::GrpcService;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A channel: something that generated clients can call, from any task.
pub(crate) trait Calls:
    GrpcService<
        tonic::body::Body,
        ResponseBody: Body<Data = Bytes, Error: Into<BoxError> + Send> + Send + 'static,
        Future: Send,
        Error: Send,
    > + Clone
    + Send
    + Sync
    + 'static
{
}

impl<C> Calls for C where
    C: GrpcService<
            tonic::body::Body,
            ResponseBody: Body<Data = Bytes, Error: Into<BoxError> + Send> + Send + 'static,
            Future: Send,
            Error: Send,
        > + Clone
        + Send
        + Sync
        + 'static
{
}
