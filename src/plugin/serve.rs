//! Runs a plugin: environment, certificate, services, socket, handshake line, calls, exit. Each
//! step needs the value of the one before.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use super::ServeError;
use super::builder::{ServeBuilder, Setup};
use super::host::{HostProcess, HostSettings};
use crate::fs::PrivateDirectory;
use crate::handshake::{HANDSHAKE_VERSION, HandshakeLine, Network};
use crate::launch;
use crate::rpc::{HEALTH_SERVICE, controller_service};
use crate::tls::{self, Identity, Pin};
use crate::transport::{self, Listener, Security};

pub(super) async fn run(builder: ServeBuilder) -> Result<(), ServeError> {
    let ServeBuilder { output, parent, mut versions, allow_plaintext, drain } = builder;
    let mut output = output?;
    let served = versions.keys().copied().collect();
    let settings = HostSettings::read(|name| std::env::var_os(name), &served, allow_plaintext)?;
    let signals = TerminationSignals::catch()?;
    let host = HostProcess::open(parent).map_err(ServeError::system("finding the host's process"))?;
    let (security, certificate) = secure(settings.host.as_ref())?;
    let routes = set_up(versions.remove(&settings.version)).await?;
    let directory = SocketDirectory::choose(settings.directory)?;
    let listener = directory.listen()?;

    let line = HandshakeLine {
        core: HANDSHAKE_VERSION,
        version: settings.version,
        network: Network::Unix,
        address: listener.path().as_os_str().as_bytes().to_vec(),
        protocol: b"grpc".to_vec(),
        certificate: certificate.map(Ok),
        // This crate does not multiplex. A host that asks expects the field.
        multiplexing: settings.asks_multiplexing.then_some(false),
    };
    // Last: the host connects as soon as it has read the line.
    output.write(&line.write()).map_err(ServeError::system("writing the handshake line"))?;
    tracing::debug!(version = settings.version, path = ?crate::Escaped::path(listener.path()), "serving");
    serve(listener, security, routes, drain, signals, host).await;
    Ok(())
}

/// How the plugin authenticates the host, and the certificate for its handshake line.
fn secure(host: Option<&Pin>) -> Result<(Security, Option<Vec<u8>>), ServeError> {
    let Some(pin) = host else { return Ok((Security::Plaintext, None)) };
    let identity = Identity::generate().map_err(ServeError::Identity)?;
    let config = tls::server(&identity, pin).map_err(ServeError::Identity)?;
    Ok((Security::MutualTls(config), Some(identity.certificate().to_vec())))
}

async fn set_up(setup: Option<Setup>) -> Result<Routes, ServeError> {
    // Cannot fail: the version was chosen from the keys of this map.
    let setup = setup.ok_or(ServeError::Misconfigured { what: "services for the version" })?;
    setup().await.map_err(ServeError::Services)
}

/// The directory of the socket: the one that the host names, or a private one, removed on exit.
enum SocketDirectory {
    Host(PathBuf),
    Own(PrivateDirectory),
}

impl SocketDirectory {
    fn choose(directory: Option<PathBuf>) -> Result<Self, ServeError> {
        match directory {
            Some(path) => Ok(Self::Host(path)),
            None => {
                launch::create_socket_directory(&std::env::temp_dir()).map(Self::Own).map_err(ServeError::Directory)
            }
        }
    }

    fn listen(&self) -> Result<Listener, ServeError> {
        let path = match self {
            Self::Host(path) => path,
            Self::Own(directory) => directory.path(),
        };
        if path.as_os_str().as_bytes().iter().any(|byte| matches!(byte, b'|' | b'\n')) {
            return Err(ServeError::DirectoryName { path: path.to_path_buf() });
        }
        Listener::bind(path).map_err(|source| ServeError::Listen { path: path.to_path_buf(), source })
    }
}

struct TerminationSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl TerminationSignals {
    fn catch() -> Result<Self, ServeError> {
        let catch = |kind| signal(kind).map_err(ServeError::system("handling signals"));
        Ok(Self { interrupt: catch(SignalKind::interrupt())?, terminate: catch(SignalKind::terminate())? })
    }

    async fn terminated(&mut self) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => tracing::debug!("ignoring SIGINT: the host decides when to exit"),
                _ = self.terminate.recv() => return,
            }
        }
    }
}

async fn serve(
    listener: Listener,
    security: Security,
    routes: Routes,
    drain: Duration,
    mut signals: TerminationSignals,
    host: HostProcess,
) {
    let shutdown = CancellationToken::new();
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_service_status(HEALTH_SERVICE, tonic_health::ServingStatus::Serving).await;
    let routes = routes.add_service(health_service).add_service(controller_service(shutdown.clone()));
    let server = transport::serve(listener.serve(security, host.pid()), routes, shutdown.clone());
    // The server ends when its calls have; this ends it after the drain time if they have not.
    let drained = async {
        tokio::select! {
            () = signals.terminated() => shutdown.cancel(),
            () = shutdown.cancelled() => {}
        }
        tokio::time::sleep(drain).await;
    };
    tokio::select! {
        () = server => {}
        () = drained => {}
        () = host.ended() => {}
    }
}
