//! The same calls over tonic's own channel and server instead of this library's transport, so that
//! the difference is a figure. Accepts the arguments of `bench-host` and prints the same lines; of
//! the plugin it takes nothing, because tonic launches nothing.
//!
//! Two processes, a Unix socket, TLS 1.3 with a certificate on either side and ALPN `h2`: as in a
//! launch. tonic itself refuses TLS on Unix sockets, so both ends wrap tokio-rustls. What remains
//! different besides the HTTP/2 code: the certificates are roots of trust here, not pins.

mod client;
mod server;

use anyhow::Result;
use bench::arguments::{Arguments, Work};
use bench::{calls, report};
use clap::Parser;

/// Starts the server instead of the client. The parent passes the path of the socket after it.
const SERVE: &str = "--serve";

/// HTTP/2 settings of this library (`src/transport`): tonic's defaults have smaller frames and
/// windows, and would lose to them by more.
const FRAME_SIZE: u32 = 4 * 16 * 1024 - 9;
const STREAM_WINDOW: u32 = 2 * 1024 * 1024;
const CONNECTION_WINDOW: u32 = 5 * 1024 * 1024;

fn main() -> Result<()> {
    // Both ends of the library's pair use this runtime too.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == SERVE) {
        return runtime.block_on(server::run(arguments.next()));
    }
    let arguments = Arguments::parse();
    match arguments.work {
        _ if arguments.plaintext => report::cannot("measured over mutual TLS only"),
        Work::Unary | Work::Stream => runtime.block_on(measure(&arguments)),
        Work::Launch | Work::Log | Work::Fleet => report::cannot("tonic launches nothing"),
    }
}

async fn measure(arguments: &Arguments) -> Result<()> {
    let server = client::Server::start()?;
    let mut client = server.connect().await?;
    match arguments.work {
        Work::Stream => calls::stream(&mut client, arguments).await?,
        _ => calls::unary(&client, arguments).await?,
    }
    drop(client);
    server.stop()
}
