//! The host's end of the connection: the right socket, the right process, the right certificate, in
//! this order.

use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{FileType, Mode, OFlags};
use rustls::pki_types::{DnsName, ServerName};
use rustls::{ClientConfig, ProtocolVersion};
use tokio::io::AsyncBufRead;
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::TransportError;
use super::socket::Socket;
use crate::Escaped;
use crate::handshake::Address;
use crate::launch::{Child, Peer, PeerCheck};
use crate::tls::{ALPN, TlsError};

/// How long the plugin's first bytes are waited for before anything is sent. All but a few servers
/// send theirs at once; those few wait for the client's, and then this costs its length once.
const FIRST_BYTES_WAIT: Duration = Duration::from_millis(250);

/// A connection whose other end is known to be the plugin's process, and through which nothing was
/// sent yet.
#[derive(Debug)]
pub(crate) struct CheckedConnection {
    socket: Socket,
    pub(crate) check: PeerCheck,
}

/// A connection whose other end has proven to own the pinned certificate, and has accepted ours.
#[derive(Debug)]
pub(crate) struct SecureConnection {
    pub(super) stream: TlsStream<Socket>,
    pub(crate) session: TlsSession,
}

/// What the two ends agreed on, for people.
#[derive(Debug, Clone)]
pub(crate) struct TlsSession {
    /// The version of TLS.
    pub(crate) version: String,
    /// The cipher suite.
    pub(crate) suite: String,
    /// The protocol inside.
    pub(crate) alpn: String,
}

impl CheckedConnection {
    /// Connects, and makes sure that it is `child` that listens.
    pub(crate) async fn open(address: &Address, child: &Child) -> Result<Self, TransportError> {
        match address {
            Address::Unix(path) => {
                let socket = open_socket(path)?;
                // Through the descriptor: what lies at the path may be something else by now.
                let path = format!("/proc/self/fd/{}", socket.as_raw_fd());
                let stream = UnixStream::connect(path).await.map_err(TransportError::Connect)?;
                let check = require_peer(&stream, child)?;
                Self::through(stream.into_std(), check)
            }
            Address::Tcp(address) => {
                let stream = TcpStream::connect(address).await.map_err(TransportError::Connect)?;
                // Without this each small message waits for the acknowledgement of the one before.
                stream.set_nodelay(true).map_err(TransportError::Connect)?;
                Self::through(stream.into_std(), PeerCheck::CertificateOnly)
            }
        }
    }

    fn through(stream: io::Result<impl Into<OwnedFd>>, check: PeerCheck) -> Result<Self, TransportError> {
        let socket = stream.and_then(|stream| Socket::new(stream.into())).map_err(TransportError::Connect)?;
        Ok(Self { socket, check })
    }

    /// A way to end the connection from outside, whoever uses it then.
    pub(crate) fn disconnect_handle(&self) -> DisconnectHandle {
        DisconnectHandle(Arc::clone(self.socket.descriptor()))
    }

    /// Secures the connection, and waits for what the plugin says first.
    ///
    /// In TLS 1.3 a client considers itself connected before the server has looked at its
    /// certificate. A refusal arrives afterwards, and if something is written first the refusal is
    /// lost in a broken pipe. Every HTTP/2 server begins with a frame of its own.
    pub(crate) async fn secure(self, config: Arc<ClientConfig>) -> Result<SecureConnection, TlsError> {
        let stream = TlsConnector::from(config).connect(server_name(), self.socket).await;
        let mut stream = stream.map_err(TlsError::from_stream)?;
        let session = stream.get_ref().1;
        if session.alpn_protocol() != Some(ALPN) {
            return Err(TlsError::NoHttp2);
        }
        let session = TlsSession::of(session);
        let first = poll_fn(|cx| Pin::new(&mut stream).poll_fill_buf(cx).map_ok(<[u8]>::is_empty));
        match tokio::time::timeout(FIRST_BYTES_WAIT, first).await {
            Ok(Ok(true)) => Err(TlsError::Closed),
            Ok(Err(error)) => Err(TlsError::from_stream(error)),
            Ok(Ok(false)) | Err(_) => Ok(SecureConnection { stream, session }),
        }
    }
}

impl TlsSession {
    fn of(session: &rustls::ClientConnection) -> Self {
        let version = match session.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLS 1.3".into(),
            other => other.map_or_else(String::new, |version| format!("{version:?}")),
        };
        let suite = session.negotiated_cipher_suite().map_or_else(String::new, |suite| format!("{:?}", suite.suite()));
        let alpn = session.alpn_protocol().map_or_else(String::new, |alpn| Escaped::new(alpn).to_string());
        Self { version, suite, alpn }
    }
}

/// The name that go-plugin peers expect to be asked for. It decides nothing here: the certificate
/// is pinned.
fn server_name() -> ServerName<'static> {
    const LOCALHOST: &str = "localhost";
    match DnsName::try_from(LOCALHOST) {
        Ok(name) => ServerName::DnsName(name),
        Err(_) => ServerName::IpAddress(std::net::Ipv4Addr::LOCALHOST.into()),
    }
}

/// Takes hold of what lies at a path, if it is a socket of this user.
fn open_socket(path: &Path) -> Result<OwnedFd, TransportError> {
    let invalid_socket = || TransportError::InvalidSocket { path: path.to_path_buf() };
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let found = rustix::fs::open(path, flags, Mode::empty()).map_err(|_| invalid_socket())?;
    let status = rustix::fs::fstat(&found).map_err(|_| invalid_socket())?;
    let own = status.st_uid == rustix::process::geteuid().as_raw();
    let socket = FileType::from_raw_mode(status.st_mode) == FileType::Socket;
    if own && socket { Ok(found) } else { Err(invalid_socket()) }
}

fn require_peer(stream: &UnixStream, child: &Child) -> Result<PeerCheck, TransportError> {
    match child.is_peer_of(stream.as_fd()).map_err(TransportError::UnknownPeer)? {
        Peer::Child(check) => Ok(check),
        Peer::Other(found) => Err(TransportError::UnexpectedPeer { expected: child.pid(), found }),
    }
}

/// Ends a connection, however many channels use it.
#[derive(Debug)]
pub(crate) struct DisconnectHandle(Arc<OwnedFd>);

impl DisconnectHandle {
    pub(crate) fn disconnect(&self) {
        // That the other end was faster is no error.
        let _ = rustix::net::shutdown(&self.0, rustix::net::Shutdown::Both);
    }
}
