//! The process that answers: it must be the launched one, with the announced certificate.

use std::fs;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use portcullis::host::{HandshakeError, PeerCheck, RpcError, StartFault, StartPhase, TlsError, TransportError};
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::raw_server::Certificate;
use crate::support::{Place, eventually, fixture, number_in, run};

fn tls(fault: StartFault) -> TlsError {
    match fault {
        StartFault::Tls(error) => error,
        other => panic!("{other:?}"),
    }
}

/// Another process answers at the address, with the announced certificate. Only the check of the
/// process id reveals it.
pub fn other_process_is_refused_before_any_byte() {
    let place = Place::new();
    let fault = place.fault(&["wrap", "serve"]);
    assert!(
        matches!(fault, StartFault::Transport(TransportError::UnexpectedPeer { expected, found }) if expected != found && found != 0)
    );

    let file = place.file("bytes");
    let fault = place.fault(&["wrap", "count-bytes", file.to_str().unwrap()]);
    assert!(matches!(fault, StartFault::Transport(TransportError::UnexpectedPeer { .. })));
    assert_eq!(number_in(&file), 0);
}

pub fn symlink_out_of_the_directory_is_refused() {
    let place = Place::new();
    let target = place.file("elsewhere");
    let elsewhere = UnixListener::bind(&target).unwrap();
    let fault = place.fault(&["link", target.to_str().unwrap()]);
    assert!(matches!(fault, StartFault::Transport(TransportError::InvalidSocket { .. })));
    elsewhere.set_nonblocking(true).unwrap();
    assert!(elsewhere.accept().is_err(), "the host connected");
}

pub fn symlinked_directory_is_refused() {
    let place = Place::new();
    let target = place.file("elsewhere");
    let elsewhere = UnixListener::bind(&target).unwrap();
    let fault = place.fault(&["link-directory", target.to_str().unwrap()]);
    assert!(matches!(fault, StartFault::Handshake(HandshakeError::Address { .. })), "{fault:?}");
    elsewhere.set_nonblocking(true).unwrap();
    assert!(elsewhere.accept().is_err(), "the host connected");
}

pub fn non_socket_is_refused() {
    let place = Place::new();
    for fixture in [&["regular-file"][..], &["line", "1|1|unix|{DIR}/missing|grpc|{CERT}"]] {
        assert!(matches!(place.fault(fixture), StartFault::Transport(TransportError::InvalidSocket { .. })));
    }
}

pub fn listener_without_tls_is_refused() {
    assert!(matches!(tls(Place::new().fault(&["raw", "plaintext"])), TlsError::NotTls));
}

pub fn other_certificate_than_announced_is_refused() {
    let error = tls(Place::new().fault(&["raw", "other-certificate"]));
    assert!(matches!(error, TlsError::PinMismatch { expected, presented } if expected != presented));
}

pub fn announced_certificate_without_key_is_refused() {
    assert!(matches!(tls(Place::new().fault(&["raw", "no-key"])), TlsError::NoProof));
}

pub fn listener_without_http2_is_refused() {
    assert!(matches!(tls(Place::new().fault(&["raw", "no-alpn"])), TlsError::NoHttp2));
}

pub fn rejection_by_the_plugin_is_reported() {
    let error = tls(Place::new().fault(&["raw", "refuse-host"]));
    assert!(matches!(&error, TlsError::Rejected { alert } if alert == "UnknownCA"), "{error:?}");
}

pub fn silent_listener_hits_the_deadline() {
    let place = Place::new();
    let error = place.refused(place.fixture(&["raw", "mute"]).with_start_timeout(Duration::from_secs(3)));
    assert!(matches!(error.fault, StartFault::Timeout { waiting_for: StartPhase::Tls }));
}

pub fn disconnecting_listener_is_a_named_error() {
    assert!(matches!(tls(Place::new().fault(&["raw", "hang-up"])), TlsError::Closed | TlsError::Failed(_)));
}

pub fn plugin_without_health_service_is_not_ready() {
    let fault = Place::new().fault(&["raw", "no-health"]);
    assert!(matches!(fault, StartFault::Rpc(RpcError::Health { code: Code::Unimplemented, .. })));
}

pub fn not_serving_plugin_is_not_ready() {
    let fault = Place::new().fault(&["raw", "not-serving"]);
    assert!(matches!(fault, StartFault::Rpc(RpcError::NotServing { status: 2 })));
}

pub fn malformed_health_status_is_a_named_error() {
    let fault = Place::new().fault(&["raw", "bad-status"]);
    let StartFault::Rpc(RpcError::Health { code: Code::PermissionDenied, message }) = &fault else {
        panic!("{fault:?}")
    };
    assert_eq!(message, "no");
}

pub fn server_that_waits_for_client_is_reached() {
    let place = Place::new();
    run(async { place.fixture(&["raw", "polite"]).launch().await.unwrap() });
}

pub fn lost_connection_is_not_replaced() {
    let place = Place::new();
    run(async {
        let plugin = place.fixture(&["raw", "lose-connection"]).launch().await.unwrap();
        let directory = fs::read_dir(place.path()).unwrap().next().unwrap().unwrap().path();
        let ask = || async {
            HealthClient::new(plugin.channel()).check(HealthCheckRequest { service: "plugin".into() }).await
        };
        ask().await.unwrap();
        fs::write(directory.join("plugin.lose"), "").unwrap();
        while !directory.join("plugin.lost").exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for _ in 0..5 {
            ask().await.unwrap_err();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(!directory.join("plugin.again").exists(), "the host connected again");
    });
}

pub fn tcp_needs_the_switch() {
    let place = Place::new();
    let fault = place.fault(&["raw", "tcp"]);
    assert!(matches!(fault, StartFault::Handshake(HandshakeError::Address { .. })));
    run(async {
        let plugin = place.fixture(&["raw", "tcp"]).allow_tcp_loopback().launch().await.unwrap();
        assert_eq!(plugin.report().peer_check, PeerCheck::CertificateOnly);
    });
}

/// A plugin with the SDK, started by hand: its socket and its certificate.
struct Served {
    process: std::process::Child,
    socket: PathBuf,
    certificate: Vec<u8>,
}

impl Served {
    fn start(place: &Place, host: &Certificate) -> Self {
        use base64::Engine;
        // A careless host: its umask makes the files of its plugins writable for everyone.
        let mut process = Command::new("sh")
            .args(["-c", "umask 0; exec \"$0\" \"$@\"", crate::support::OWN_PATH.to_str().unwrap()])
            .args(fixture(&["serve"]))
            .env("BASIC_PLUGIN", "hello")
            .env("PLUGIN_CLIENT_CERT", host.pem())
            .env("PLUGIN_PROTOCOL_VERSIONS", "1")
            .env("PLUGIN_UNIX_SOCKET_DIR", place.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = process.stdout.as_mut().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
        let fields: Vec<&str> = line.trim_end().split('|').collect();
        assert_eq!((fields.len(), fields[..3].join("|")), (6, "1|1|unix".to_string()), "{line:?}");
        let certificate = base64::engine::general_purpose::STANDARD_NO_PAD.decode(fields[5]).unwrap();
        Self { process, socket: fields[3].into(), certificate }
    }

    /// Whether a client receives a frame, which the plugin sends only to accepted clients.
    async fn accepts(&self, identity: Option<&Certificate>) -> bool {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.certificate.clone().into()).unwrap();
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match identity {
            Some(identity) => config.with_client_auth_cert(vec![identity.der.clone()], identity.key()).unwrap(),
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        let stream = tokio::net::UnixStream::connect(&self.socket).await.unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let Ok(mut stream) = connector.connect("localhost".try_into().unwrap(), stream).await else { return false };
        let mut frame = [0; 9];
        tokio::io::AsyncReadExt::read_exact(&mut stream, &mut frame).await.is_ok()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub fn plugin_refuses_clients_without_the_certificate() {
    let place = Place::new();
    let (host, stranger) = (Certificate::new(), Certificate::new());
    let served = Served::start(&place, &host);
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&served.socket).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    run(async {
        assert!(!served.accepts(None).await, "without a certificate");
        assert!(!served.accepts(Some(&stranger)).await, "with another certificate");
        assert!(served.accepts(Some(&host)).await, "with the right certificate");
        // Idle connections of strangers do not keep the host out.
        let idle: Vec<_> = (0..200).map(|_| UnixStream::connect(&served.socket).unwrap()).collect();
        assert!(served.accepts(Some(&host)).await, "while others idle");
        drop(idle);
    });
    let socket = served.socket.clone();
    crate::support::kill(served.process.id(), rustix::process::Signal::TERM);
    eventually("the socket is removed", || !socket.exists());
}
