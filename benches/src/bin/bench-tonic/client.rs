//! The host's end: starts the other process, exchanges certificates with it, and connects tonic's
//! channel.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use bench::proto::bench_client::BenchClient;
use bench::tls::{self, Identity};
use hyper_util::rt::TokioIo;
use portcullis::MESSAGE_LIMIT;
use rustls::pki_types::CertificateDer;
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

use crate::{CONNECTION_WINDOW, FRAME_SIZE, SERVE, STREAM_WINDOW};

/// The process at the other end.
pub(crate) struct Server {
    process: Child,
    /// Removed with the socket in it.
    directory: TempDir,
    identity: Identity,
    certificate: CertificateDer<'static>,
}

impl Server {
    pub(crate) fn start() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let mut process = Command::new(std::env::current_exe()?)
            .arg(SERVE)
            .arg(socket(&directory))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let identity = tls::identity()?;
        tls::write_certificate(process.stdin.as_mut().context("standard input is piped")?, &identity.0)?;
        // The server binds its socket before it writes.
        let certificate = tls::read_certificate(process.stdout.as_mut().context("standard output is piped")?)?;
        Ok(Self { process, directory, identity, certificate })
    }

    pub(crate) async fn connect(&self) -> Result<BenchClient<Channel>> {
        let (certificate, key) = (self.identity.0.clone(), self.identity.1.clone_key());
        let mut config = tls::client(self.certificate.clone(), Some((certificate, key)))?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        let (connector, path) = (TlsConnector::from(Arc::new(config)), socket(&self.directory));
        let connect = service_fn(move |_| {
            let (connector, path) = (connector.clone(), path.clone());
            async move {
                let stream = UnixStream::connect(path).await?;
                let name = tls::name().map_err(std::io::Error::other)?;
                connector.connect(name, stream).await.map(TokioIo::new)
            }
        });
        let channel = Endpoint::from_static("http://localhost")
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_frame_size(FRAME_SIZE)
            .connect_with_connector(connect)
            .await?;
        Ok(BenchClient::new(channel).max_decoding_message_size(MESSAGE_LIMIT))
    }

    /// Ends the process by closing its standard input.
    pub(crate) fn stop(mut self) -> Result<()> {
        drop(self.process.stdin.take());
        let status = self.process.wait()?;
        ensure!(status.success(), "the server failed with {status}");
        Ok(())
    }
}

fn socket(directory: &TempDir) -> PathBuf {
    directory.path().join("socket")
}
