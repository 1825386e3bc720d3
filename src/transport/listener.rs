//! The plugin's end of the connection: a private socket, and an accept loop that lets only the host
//! in.

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tempfile::NamedTempFile;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use super::memory;
use super::socket::Socket;
use crate::tls::ALPN;

/// How long a peer may take for the TLS handshake, and how many others than the host's own process
/// may be at it at once.
const ACCEPT_WAIT: Duration = Duration::from_secs(10);
const ACCEPTS: usize = 64;

/// How long the accept loop rests when the process has run out of descriptors or the like.
const REST: Duration = Duration::from_millis(50);

/// Who is let in.
#[derive(Debug, Clone)]
pub(crate) enum Security {
    /// The owner of the pinned certificate.
    MutualTls(Arc<ServerConfig>),
    /// Every process of this user, and root.
    Plaintext,
}

/// A Unix socket that is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Listener(NamedTempFile<UnixListener>);

impl Listener {
    /// Listens at a new path in `directory`, where only this user may connect. To be called within
    /// a runtime.
    pub(crate) fn bind(directory: &Path) -> io::Result<Self> {
        let listener = tempfile::Builder::new().prefix("plugin").make_in(directory, |path| UnixListener::bind(path))?;
        // The directory keeps others out, or should; this holds also where a host names a directory
        // that everybody may enter.
        fs::set_permissions(listener.path(), Permissions::from_mode(0o600))?;
        Ok(Self(listener))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Accepts connections, each secured in a task of its own, for as long as somebody takes them.
    /// Those of the process `host` never wait for others.
    pub(crate) fn serve(self, security: Security, host: Option<u32>) -> mpsc::Receiver<Accepted> {
        memory::keep();
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(self.accept_all(security, host, sender));
        receiver
    }

    async fn accept_all(self, security: Security, host: Option<u32>, sender: mpsc::Sender<Accepted>) {
        let places = Arc::new(Semaphore::new(ACCEPTS));
        loop {
            let stream = tokio::select! {
                () = sender.closed() => return,
                accepted = self.0.as_file().accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(REST).await;
                        continue;
                    }
                },
            };
            let place = Arc::clone(&places).try_acquire_owned().ok();
            if place.is_none() && !is_process(&stream, host) {
                tracing::warn!("too many connections at once; one was refused");
                continue;
            }
            let (security, sender) = (security.clone(), sender.clone());
            tokio::spawn(async move {
                match admit(stream, security).await {
                    Ok(accepted) => drop(sender.send(accepted).await),
                    Err(error) => tracing::warn!(%error, "a connection was refused"),
                }
                drop(place);
            });
        }
    }
}

/// Whether the process with this number is at the other end. It only decides who waits: who is let
/// in is decided by the certificate.
fn is_process(stream: &UnixStream, process: Option<u32>) -> bool {
    let peer = crate::sys::peer_credentials(stream.as_fd()).map(|peer| peer.pid.unsigned_abs());
    process.is_some() && peer.ok() == process
}

async fn admit(stream: UnixStream, security: Security) -> io::Result<Accepted> {
    refuse_other_users(&stream)?;
    let socket = Socket::new(stream.into_std()?.into())?;
    let Security::MutualTls(config) = security else { return Ok(Either::Right(socket)) };
    let accept = TlsAcceptor::from(config).accept(socket);
    let stream = tokio::time::timeout(ACCEPT_WAIT, accept).await.map_err(|_| io::ErrorKind::TimedOut)??;
    if stream.get_ref().1.alpn_protocol() != Some(ALPN) {
        return Err(io::Error::other("the peer does not speak HTTP/2 (ALPN h2)"));
    }
    Ok(Either::Left(Box::new(stream)))
}

fn refuse_other_users(stream: &UnixStream) -> io::Result<()> {
    let user = crate::sys::peer_credentials(stream.as_fd())?.uid;
    match user == 0 || user == rustix::process::geteuid().as_raw() {
        true => Ok(()),
        false => Err(io::Error::other(format!("the peer runs as another user, {user}"))),
    }
}

/// A connection that was let in.
pub(super) type Accepted = Either<Box<TlsStream<Socket>>, Socket>;
