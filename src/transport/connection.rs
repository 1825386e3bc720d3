//! The host's end of a connection. Checks the socket, then the process, then the certificate, and
//! sends nothing before.

use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

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
use crate::timing::transport::FIRST_BYTES_WAIT;
use crate::tls::{ALPN, TlsError};

/// A connection to the plugin's process. Nothing was sent over it yet.
#[derive(Debug)]
pub(crate) struct CheckedConnection {
    socket: Socket,
    pub(crate) check: PeerCheck,
}

/// A connection to the owner of the pinned certificate, which has accepted the host's certificate.
#[derive(Debug)]
pub(crate) struct SecureConnection {
    pub(super) stream: TlsStream<Socket>,
    pub(crate) session: TlsSession,
}

/// The negotiated TLS parameters, as text for the launch report.
#[derive(Debug, Clone)]
pub(crate) struct TlsSession {
    /// The version of TLS.
    pub(crate) version: String,
    /// The cipher suite.
    pub(crate) suite: String,
    /// The ALPN protocol.
    pub(crate) alpn: String,
}

impl CheckedConnection {
    /// Connects, and checks that `child` listens at the address.
    pub(crate) async fn open(address: &Address, child: &Child) -> Result<Self, TransportError> {
        match address {
            Address::Unix(path) => {
                let socket = open_socket(path)?;
                // By descriptor: the plugin may have put another file at the path after the check.
                let path = format!("/proc/self/fd/{}", socket.as_raw_fd());
                let stream = UnixStream::connect(path).await.map_err(TransportError::Connect)?;
                let check = require_peer(&stream, child)?;
                Self::through(stream.into_std(), check)
            }
            Address::Tcp(address) => {
                let stream = TcpStream::connect(address).await.map_err(TransportError::Connect)?;
                // Nagle's algorithm would delay each small message until the one before is
                // acknowledged (tcp(7), TCP_NODELAY).
                stream.set_nodelay(true).map_err(TransportError::Connect)?;
                Self::through(stream.into_std(), PeerCheck::CertificateOnly)
            }
        }
    }

    fn through(stream: io::Result<impl Into<OwnedFd>>, check: PeerCheck) -> Result<Self, TransportError> {
        let socket = stream.and_then(|stream| Socket::new(stream.into())).map_err(TransportError::Connect)?;
        Ok(Self { socket, check })
    }

    /// A handle that ends the connection even after the stream has moved to another owner.
    pub(crate) fn disconnect_handle(&self) -> DisconnectHandle {
        DisconnectHandle(Arc::clone(self.socket.descriptor()))
    }

    /// Runs the TLS handshake, then waits for the first bytes of the plugin.
    ///
    /// A client of TLS 1.3 finishes its handshake before the server has checked the client's
    /// certificate (RFC 8446, section 2). The server's rejection arrives later. If the client has
    /// sent something by then, the connection may break before the alert is read, and its reason is
    /// lost. Every HTTP/2 server sends SETTINGS first (RFC 9113, section 3.4), so the host waits
    /// for these, or for the alert.
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
            // A few servers wait for the client's preface first. They are not rejecting anyone.
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

/// The server name that go-plugin peers expect (SNI). It decides nothing: the certificate is
/// pinned.
fn server_name() -> ServerName<'static> {
    const LOCALHOST: &str = "localhost";
    match DnsName::try_from(LOCALHOST) {
        Ok(name) => ServerName::DnsName(name),
        Err(_) => ServerName::IpAddress(std::net::Ipv4Addr::LOCALHOST.into()),
    }
}

/// Opens the file at `path` without following a link, and requires it to be a socket of this user.
/// `O_PATH` pins the inode, and opens nothing (open(2)).
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

/// Ends a connection in both directions, however many channels use it.
#[derive(Debug)]
pub(crate) struct DisconnectHandle(Arc<OwnedFd>);

impl DisconnectHandle {
    pub(crate) fn disconnect(&self) {
        // Fails only if the connection has ended already.
        let _ = rustix::net::shutdown(&self.0, rustix::net::Shutdown::Both);
    }
}
