//! The plugin's end: tonic's server on a Unix socket, for the one client whose certificate the
//! parent wrote to standard input.

use std::ffi::OsString;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use anyhow::{Context, Result};
use bench::tls;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::transport::server::Connected;

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

async fn accept(listener: UnixListener, acceptor: TlsAcceptor, secured: mpsc::Sender<io::Result<Secured>>) {
    while let Ok((stream, _)) = listener.accept().await {
        if secured.send(acceptor.accept(stream).await.map(Secured)).await.is_err() {
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

/// A TLS stream that tonic's server takes. tonic has its own implementation behind a feature that
/// would turn on TLS 1.2 in the rustls of every build of this workspace.
struct Secured(TlsStream<UnixStream>);

impl Connected for Secured {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Secured {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
