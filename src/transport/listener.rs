//! The plugin's end of a connection: a socket that only its user may connect to, and an accept loop
//! that admits only the host. Serves no calls.

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use tempfile::NamedTempFile;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use super::retain_heap;
use super::socket::Socket;
use crate::limits::transport::PENDING_CONNECTIONS;
use crate::timing::transport::{ACCEPT_RETRY_PAUSE, TLS_ACCEPT_TIMEOUT};
use crate::tls::ALPN;

/// Who may connect.
#[derive(Debug, Clone)]
pub(crate) enum Security {
    /// The owner of the pinned certificate.
    MutualTls(Arc<ServerConfig>),
    /// Every process of this user, and root.
    Plaintext,
}

/// A Unix socket. Dropping it removes the socket.
#[derive(Debug)]
pub(crate) struct Listener(NamedTempFile<UnixListener>);

impl Listener {
    /// Listens at a new path in `directory`. Only this user may connect. Call it within a runtime.
    pub(crate) fn bind(directory: &Path) -> io::Result<Self> {
        let listener = tempfile::Builder::new().prefix("plugin").make_in(directory, |path| UnixListener::bind(path))?;
        // A host may name a directory that all users can enter. Connecting takes write permission
        // on the socket itself (unix(7)).
        fs::set_permissions(listener.path(), Permissions::from_mode(0o600))?;
        Ok(Self(listener))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Accepts connections, each secured in a task, until the receiver is dropped. Connections of
    /// the process `host` never wait for others.
    pub(crate) fn serve(self, security: Security, host: Option<u32>) -> mpsc::Receiver<Accepted> {
        retain_heap();
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(self.accept_all(security, host, sender));
        receiver
    }

    async fn accept_all(self, security: Security, host: Option<u32>, sender: mpsc::Sender<Accepted>) {
        let permits = Arc::new(Semaphore::new(PENDING_CONNECTIONS));
        loop {
            let stream = tokio::select! {
                () = sender.closed() => return,
                accepted = self.0.as_file().accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        // Often EMFILE: the connection stays in the queue, and accept(2) would fail
                        // again and again without a pause.
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(ACCEPT_RETRY_PAUSE).await;
                        continue;
                    }
                },
            };
            // Processes of the same user can connect and stay silent. They use up the permits,
            // which the host does not need.
            let permit = Arc::clone(&permits).try_acquire_owned().ok();
            if permit.is_none() && !is_process(&stream, host) {
                tracing::warn!(limit = PENDING_CONNECTIONS, "rejected a connection: too many pending handshakes");
                continue;
            }
            let (security, sender) = (security.clone(), sender.clone());
            tokio::spawn(async move {
                match admit(stream, security).await {
                    Ok(accepted) => drop(sender.send(accepted).await),
                    Err(error) => tracing::warn!(%error, "rejected a connection"),
                }
                drop(permit);
            });
        }
    }
}

/// Whether the process with this number connected. Decides only who waits: the certificate decides
/// who is admitted, so a reused number does no harm.
fn is_process(stream: &UnixStream, process: Option<u32>) -> bool {
    let peer = crate::sys::peer_credentials(stream.as_fd()).map(|peer| peer.pid.unsigned_abs());
    process.is_some() && peer.ok() == process
}

async fn admit(stream: UnixStream, security: Security) -> io::Result<Accepted> {
    reject_other_users(&stream)?;
    let socket = Socket::new(stream.into_std()?.into())?;
    let Security::MutualTls(config) = security else { return Ok(Either::Right(socket)) };
    let accept = TlsAcceptor::from(config).accept(socket);
    let stream = tokio::time::timeout(TLS_ACCEPT_TIMEOUT, accept).await.map_err(|_| io::ErrorKind::TimedOut)??;
    if stream.get_ref().1.alpn_protocol() != Some(ALPN) {
        return Err(io::Error::other("the peer does not speak HTTP/2 (ALPN h2)"));
    }
    Ok(Either::Left(Box::new(stream)))
}

fn reject_other_users(stream: &UnixStream) -> io::Result<()> {
    let (own, user) = (rustix::process::geteuid().as_raw(), crate::sys::peer_credentials(stream.as_fd())?.uid);
    match user == 0 || user == own {
        true => Ok(()),
        false => Err(io::Error::other(format!("the peer runs as user {user}, expected {own} or root"))),
    }
}

/// A connection that was admitted.
pub(super) type Accepted = Either<Box<TlsStream<Socket>>, Socket>;
