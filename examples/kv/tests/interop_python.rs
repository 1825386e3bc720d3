//! A real grpcio plugin under our host. It serves only over mutual TLS, so each response proves
//! that both certificates were accepted. First as an unverified script, then as a bundle whose
//! every file is verified.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use portcullis::Policy;
use portcullis::authoring::Claims;
use portcullis::host::{PeerCheck, ServicePresence, Services, ShutdownPath};
use portcullis::verify::Version;
use support::files::{change_a_byte, copy};
use support::library::{self, Session, within_limit};
use support::publisher::{Publisher, manifest_of};
use support::{LIMIT, Place, Ran, digest, our_host_of, run, try_run, workspace};

/// An interpreter with grpcio.
struct Python {
    /// Its own name. In a virtual environment this is a symlink, which leads it to its packages.
    name: PathBuf,
    /// The target of the symlink.
    program: PathBuf,
}

impl Python {
    /// The interpreter in `PORTCULLIS_PYTHON`, or else that of `tests/interop/setup-python`, or
    /// else the one on the `PATH`.
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
        // The program on the PATH may be a script that starts the interpreter.
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
    /// The interpreter is sealed. It finds its shared library by an absolute path and its packages
    /// by its name. An interpreter that needs `$ORIGIN` cannot run sealed. The script is an
    /// argument, which is not verified.
    async fn launch(&self, place: &Place) -> Session {
        let policy = Policy::new().allow(digest(&self.program));
        let builder = library::builder(place, policy.verify(&self.program).unwrap());
        let script = workspace().join("tests/interop/python/kv_plugin.py");
        let builder = builder.with_name(&self.name).arg(script).arg("--data").arg(place.data());
        Session::of(builder.launch().await.unwrap_or_else(|error| panic!("{error}")))
    }
}

/// The interpreter. `None` if the test must be skipped.
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
fn our_host_and_python_plugin_exchange_several_mib() {
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
fn verified_interpreter_is_the_process_that_answers() {
    let Some(python) = peer() else { return };
    let place = Place::new();
    let report = within_limit(async { python.launch(&place).await.plugin.report().clone() });
    assert_eq!(report.digest, digest(&python.program));
    assert_ne!(report.peer_check, PeerCheck::CertificateOnly);
}

/// The plugin has no reflection, and C-core does not tell a missing service from a missing method.
#[test]
fn python_plugin_does_not_list_its_services() {
    let Some(python) = peer() else { return };
    let place = Place::new();
    let services = within_limit(async {
        let session = python.launch(&place).await;
        let services = session.plugin.services(LIMIT).await.unwrap();
        session.shutdown().await;
        services
    });
    let Services::Unlisted { wire, .. } = services else { panic!("{services:?}") };
    assert_eq!(wire.iter().filter(|service| service.presence == ServicePresence::Offered).count(), 1, "{wire:?}");
    assert!(wire.iter().all(|service| service.presence != ServicePresence::Missing), "{wire:?}");
}

#[test]
fn python_plugin_exits_on_request_and_leaves_nothing() {
    let Some(python) = peer() else { return };
    let place = Place::new();
    let shutdown = within_limit(async { python.launch(&place).await.shutdown().await });
    assert_eq!(shutdown.path, ShutdownPath::Asked, "{shutdown:?}");
    place.assert_nothing_is_left();
}

#[test]
fn dropped_python_plugin_leaves_nothing() {
    let Some(python) = peer() else { return };
    let place = Place::new();
    within_limit(async { drop(python.launch(&place).await) });
    place.assert_nothing_is_left();
}

/// Prints the path of each module that the plugin needs besides the standard library, with its
/// place in a package directory.
const PACKAGES: &str = r#"
import importlib.util, os
for name in "grpc grpc_health google.protobuf google._upb cryptography _cffi_backend typing_extensions".split():
    spec = importlib.util.find_spec(name)
    if spec.submodule_search_locations:
        print(list(spec.submodule_search_locations)[0], name.replace(".", "/"), sep="\t")
    else:
        print(spec.origin, os.path.basename(spec.origin), sep="\t")
"#;

/// The plugin as a bundle with a signed manifest: the script, one module, and every package that it
/// imports. The manifest names the executable of the interpreter. The standard library and shared
/// libraries come from the machine.
struct Bundle<'a> {
    python: &'a Python,
    place: Place,
    publisher: Publisher,
}

impl<'a> Bundle<'a> {
    fn of(python: &'a Python) -> Self {
        let bundle = Self { python, place: Place::new(), publisher: Publisher::new() };
        let sources = workspace().join("tests/interop/python");
        for name in ["bundle_main.py", "kv_plugin.py", "words.py"] {
            copy(&sources.join(name), &bundle.file(name));
        }
        let packages = run(Command::new(&python.name).args(["-c", PACKAGES])).exits_with(0);
        for line in String::from_utf8(packages.stdout).unwrap().lines() {
            let (from, to) = line.split_once('\t').unwrap();
            copy(Path::new(from), &bundle.file("packages").join(to));
        }
        bundle.publish();
        bundle
    }

    fn directory(&self) -> PathBuf {
        self.place.path().join("python-kv")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory().join(name)
    }

    /// Signs every file of the bundle.
    fn publish(&self) {
        let claims = Claims::new("python-kv".parse().unwrap(), Version::new(1, 0, 0));
        let claims = claims.with_program("bundle_main.py".parse().unwrap());
        // Isolated mode, no packages of the machine, no bytecode files.
        let arguments = ["-I", "-S", "-B"].map(String::from).to_vec();
        let claims = claims.with_installed_interpreter(&self.python.program, arguments).unwrap();
        self.publisher.publish(&self.directory(), &claims);
    }

    fn get(&self, key: &str) -> Ran {
        let mut host = our_host_of(&self.place, &self.directory());
        run(host.arg("--key").arg(self.publisher.key().to_string()).args(["--report", "get", key]))
    }
}

#[test]
fn python_bundle_runs_from_its_verified_copy() {
    let Some(python) = peer() else { return };
    let bundle = Bundle::of(python);
    let ran = bundle.get("word").exits_with(0).prints("from the bundle");
    ran.explains(&[
        &format!("digest       sha256 {}", digest(&python.program)),
        &format!("manifest     sha256 {}", digest(&manifest_of(&bundle.directory()))),
    ]);
    bundle.place.assert_nothing_is_left();
}

#[test]
fn python_bundle_imports_only_itself_and_standard_library() {
    let Some(python) = peer() else { return };
    Bundle::of(python).get("elsewhere").exits_with(0).prints("");
}

#[test]
fn python_bundle_with_changed_module_is_refused() {
    let Some(python) = peer() else { return };
    let bundle = Bundle::of(python);
    for name in ["words.py", "packages/grpc/__init__.py"] {
        let kept = fs::read(bundle.file(name)).unwrap();
        change_a_byte(&bundle.file(name));
        bundle.get("word").exits_with(1).prints("").explains(&["SHA-256 mismatch of its file", name]);
        bundle.place.assert_nothing_is_left();
        fs::write(bundle.file(name), kept).unwrap();
    }
    bundle.get("word").exits_with(0);
}

#[test]
fn python_bundle_ignores_files_added_later() {
    let Some(python) = peer() else { return };
    let bundle = Bundle::of(python);
    // Python prefers a package to a module of the same name in the same directory.
    fs::create_dir(bundle.file("words")).unwrap();
    fs::write(bundle.file("words/__init__.py"), "WORD = b'shadowed'\n").unwrap();
    bundle.get("word").exits_with(0).prints("from the bundle");
    // A file that the publisher signed is part of the plugin.
    bundle.publish();
    bundle.get("word").exits_with(0).prints("shadowed");
}

#[test]
fn python_bundle_ignores_user_site_packages() {
    let Some(python) = peer() else { return };
    let bundle = Bundle::of(python);
    let hostile = "raise SystemExit('hostile')\n";
    for name in ["sitecustomize.py", "usercustomize.py", "grpc.py", "os.py"] {
        fs::write(bundle.file(name), hostile).unwrap();
    }
    // The working directory that kv-host gives the plugin.
    fs::create_dir(bundle.place.data()).unwrap();
    fs::write(bundle.place.data().join("grpc.py"), hostile).unwrap();
    bundle.get("word").exits_with(0).prints("from the bundle");
    // Without isolated mode, Python finds it.
    let ran = run(Command::new(&python.name).arg("-c").arg("import grpc").current_dir(bundle.place.data()));
    ran.exits_with(1).explains(&["hostile"]);
}

#[test]
fn python_bundle_ignores_unsigned_bytecode() {
    let Some(python) = peer() else { return };
    let bundle = Bundle::of(python);
    // Compiled from another source, in the mode that never compares the two (PEP 552).
    let forge = "import importlib.util as u, os, py_compile, sys; source, path = sys.argv[1:]\n\
                 os.makedirs(os.path.dirname(path := u.cache_from_source(path)))\n\
                 py_compile.compile(source, path, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)";
    let other = bundle.place.path().join("other.py");
    fs::write(&other, "WORD = b'forged'\n").unwrap();
    run(Command::new(&python.name).args(["-c", forge]).arg(&other).arg(bundle.file("words.py"))).exits_with(0);
    bundle.get("word").exits_with(0).prints("from the bundle");
    bundle.publish();
    bundle.get("word").exits_with(0).prints("forged");
}
