//! Reads the output that a plugin sends over `plugin.GRPCStdio`, so that writing it never blocks
//! the plugin. Logs the output and keeps none.

use super::generated::stdio::grpc_stdio_client::GrpcStdioClient;
use crate::Escaped;
use crate::limits::rpc::{STDIO_LOGGED_BYTES, STDIO_MESSAGE_BYTES};
use crate::transport::Http2Channel;

/// Reads until the plugin ends the stream or the connection is lost. Plugins without the service
/// end it immediately.
///
/// Run it in a separate task: some plugins respond only when they have output.
pub(crate) async fn drain_stdio(channel: Http2Channel) {
    let Ok(answer) =
        GrpcStdioClient::new(channel).max_decoding_message_size(STDIO_MESSAGE_BYTES).stream_stdio(()).await
    else {
        return;
    };
    let mut pieces = answer.into_inner();
    while let Ok(Some(piece)) = pieces.message().await {
        let text = &piece.data[..piece.data.len().min(STDIO_LOGGED_BYTES)];
        tracing::debug!(target: "portcullis::plugin", channel = piece.channel, text = ?Escaped::new(text), "output");
    }
}
