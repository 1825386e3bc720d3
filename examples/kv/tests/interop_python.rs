//! A real grpcio plugin under our host: it serves over mutual TLS only, so each answer proves that both certificates were accepted.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use portcullis::Policy;
use portcullis::host::{Ending, PeerCheck, Presence, Services};
use support::library::{self, Session, within_limit};
use support::{LIMIT, Place, digest, try_run, workspace};

/// An interpreter with grpcio.
struct Python {
    /// As it calls itself: in a virtual environment the link, by which it finds its packages.
    name: PathBuf,
    /// The program behind the link.
    program: PathBuf,
}

impl Python {
    /// The interpreter that `PORTCULLIS_PYTHON` names, else that of `tests/interop/setup-python`, else the one on the `PATH`.
    fn find() -> Result<Self, String> {
        let set_up = workspace().join("target/interop/python/bin/python3");
        match std::env::var_os("PORTCULLIS_PYTHON") {
            Some(named) => Self::with_grpcio(Path::new(&named)),
            None if set_up.exists() => Self::with_grpcio(&set_up),
            None => Self::with_grpcio(Path::new("python3")),
        }
        .map_err(|error| format!("there is no Python with grpcio (tests/interop/setup-python makes one): {error}"))
    }

    fn with_grpcio(command: &Path) -> Result<Self, String> {
        // What is on the PATH may be a script that starts the interpreter.
        let script = "import grpc, grpc_health, cryptography, sys; print(sys.executable, end='')";
        let asked = try_run(Command::new(command).args(["-c", script]), b"", LIMIT);
        let asked = asked.map_err(|error| format!("{}: {error}", command.display()))?;
        if !asked.succeeded() {
            return Err(asked.stderr);
        }
        let name = PathBuf::from(String::from_utf8(asked.stdout).unwrap());
        let program = name.canonicalize().unwrap();
        Ok(Self { name, program })
    }

    /// Launches the plugin.
    ///
    /// Sealed, as ever: an interpreter finds its library by an absolute path, if it needs one, and its packages by its name. One whose
    /// libraries are to be found relative to its file (`$ORIGIN`) cannot run so. The script is an argument, which nobody verifies.
    async fn launch(&self, place: &Place) -> Session {
        let policy = Policy::new().allow(digest(&self.program));
        let builder = library::builder(place, policy.verify(&self.program).unwrap());
        let script = workspace().join("tests/interop/python/kv_plugin.py");
        let builder = builder.with_name(&self.name).arg(script).arg("--data").arg(place.data());
        Session::of(builder.launch().await.unwrap_or_else(|error| panic!("{error}")))
    }
}

/// The interpreter. `None` if there is none here and the test is to be skipped.
fn peer() -> Option<&'static Python> {
    static FOUND: OnceLock<Result<Python, String>> = OnceLock::new();
    let found = FOUND.get_or_init(Python::find);
    found.as_ref().map_err(|reason| support::skip(reason)).ok()
}

#[test]
fn our_host_drives_a_python_plugin() {
    let Some(python) = peer() else { return };
    let place = Place::new();
    let value = support::binary(1000);
    within_limit(async {
        let mut first = python.launch(&place).await;
        first.put("hello", &value).await;
        first.shutdown().await;
        let mut second = python.launch(&place).await;
        assert_eq!(second.get("hello").await, value);
        second.shutdown().await;
    });
}

#[test]
fn our_host_and_a_python_plugin_exchange_several_mib() {
    let Some(python) = peer() else { return };
    let place = Place::new();
    let value = support::binary(6 * 1024 * 1024);
    within_limit(async {
        let mut session = python.launch(&place).await;
        session.put("large", &value).await;
        assert!(session.get("large").await == value, "another value came back");
        session.shutdown().await;
    });
}

#[test]
fn the_interpreter_is_what_was_verified_and_what_answers() {
    let Some(python) = peer() else { return };
    let place = Place::new();
    let report = within_limit(async { python.launch(&place).await.plugin.report().clone() });
    assert_eq!(report.digest, digest(&python.program));
    assert_ne!(report.peer_check, PeerCheck::CertificateOnly);
}

/// It has no reflection, and C-core does not say whether it is the service or the method that it does not know.
#[test]
fn a_python_plugin_does_not_list_its_services() {
    let Some(python) = peer() else { return };
    let place = Place::new();
    let services = within_limit(async {
        let session = python.launch(&place).await;
        let services = session.plugin.services(LIMIT).await.unwrap();
        session.shutdown().await;
        services
    });
    let Services::Unlisted { wire, .. } = services else { panic!("{services:?}") };
    assert_eq!(wire.iter().filter(|service| service.presence == Presence::Offered).count(), 1, "{wire:?}");
    assert!(wire.iter().all(|service| service.presence != Presence::Missing), "{wire:?}");
}

#[test]
fn a_python_plugin_exits_when_it_is_asked_and_leaves_nothing() {
    let Some(python) = peer() else { return };
    let place = Place::new();
    let shutdown = within_limit(async { python.launch(&place).await.shutdown().await });
    assert_eq!(shutdown.ending, Ending::Asked, "{shutdown:?}");
    place.assert_nothing_is_left();
}

#[test]
fn a_python_plugin_whose_host_lets_go_of_it_leaves_nothing() {
    let Some(python) = peer() else { return };
    let place = Place::new();
    within_limit(async { drop(python.launch(&place).await) });
    place.assert_nothing_is_left();
}
