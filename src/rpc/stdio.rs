//! What a plugin's own code prints after it has started (`plugin.GRPCStdio`): taken off its hands,
//! so that printing never blocks it.

use super::generated::stdio::grpc_stdio_client::GrpcStdioClient;
use crate::Escaped;
use crate::transport::Http2Channel;

/// go-plugin sends pieces of 1 KiB.
const LIMIT: usize = 1024 * 1024;

/// How much of a piece is shown.
const SHOWN: usize = 1024;

/// Reads until the plugin ends the stream or the connection is lost. Plugins without the service
/// end it at once.
///
/// Must run in a task of its own: some plugins answer the call only when they have something to
/// say.
pub(crate) async fn drain_stdio(channel: Http2Channel) {
    let Ok(answer) = GrpcStdioClient::new(channel).max_decoding_message_size(LIMIT).stream_stdio(()).await else {
        return;
    };
    let mut pieces = answer.into_inner();
    while let Ok(Some(piece)) = pieces.message().await {
        let text = &piece.data[..piece.data.len().min(SHOWN)];
        tracing::debug!(target: "portcullis::plugin", channel = piece.channel, text = ?Escaped::new(text), "printed");
    }
}
