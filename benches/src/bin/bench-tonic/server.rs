//! The plugin's end: tonic's server on a Unix socket, for the one client whose certificate the
//! parent wrote to standard input.

use std::ffi::OsString;
use std::io;
use std::sync::Arc;

use anyhow::{Context, Result};
use bench::tls;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;

use crate::{CONNECTION_WINDOW, FRAME_SIZE, STREAM_WINDOW};

/// Connections that wait for tonic to take them. The client opens one.
const BACKLOG: usize = 16;

pub(crate) async fn run(socket: Option<OsString>) -> Result<()> {
    let client = tls::read_certificate(&mut io::stdin().lock())?;
    let identity = tls::identity()?;
    let certificate = identity.0.clone();
    let mut config = tls::server(identity, Some(client))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    let listener = UnixListener::bind(socket.context("no path for the socket")?)?;
    // Only now, because the client connects when it has read this.
    tls::write_certificate(&mut io::stdout().lock(), &certificate)?;
    exit_with_parent();
    let (sender, secured) = mpsc::channel(BACKLOG);
    tokio::spawn(accept(listener, TlsAcceptor::from(Arc::new(config)), sender));
    Server::builder()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME_SIZE)
        .add_service(bench::service::server())
        .serve_with_incoming(ReceiverStream::new(secured))
        .await?;
    Ok(())
}

async fn accept(
    listener: UnixListener,
    acceptor: TlsAcceptor,
    secured: mpsc::Sender<io::Result<TlsStream<UnixStream>>>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        if secured.send(acceptor.accept(stream).await).await.is_err() {
            return;
        }
    }
}

/// Exits when the parent closes standard input, or ends.
fn exit_with_parent() {
    std::thread::spawn(|| {
        let ended = io::copy(&mut io::stdin().lock(), &mut io::sink());
        std::process::exit(i32::from(ended.is_err()));
    });
}
