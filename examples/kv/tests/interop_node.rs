//! A real grpc-js plugin under our host, as a bundle whose every file is verified. It serves only
//! over mutual TLS, so each response proves that both certificates were accepted.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use portcullis::Policy;
use portcullis::authoring::Claims;
use portcullis::host::{PeerCheck, ShutdownPath};
use portcullis::verify::Version;
use support::files::{change_a_byte, copy};
use support::library::{self, Session, within_limit};
use support::publisher::{Publisher, manifest_of};
use support::{LIMIT, Place, Ran, digest, our_host_of, run, run_with_input, try_run, workspace};

/// An interpreter and its packages.
struct Node {
    program: PathBuf,
    /// The packages that `tests/interop/setup-node` installed.
    packages: PathBuf,
}

impl Node {
    /// The interpreter in `PORTCULLIS_NODE`, or else the one on the `PATH`.
    fn find() -> Result<Self, String> {
        let packages = workspace().join("target/interop/node/node_modules");
        if !packages.join("@grpc/grpc-js").is_dir() {
            return Err("there is no grpc-js (tests/interop/setup-node installs it)".into());
        }
        let command = std::env::var_os("PORTCULLIS_NODE").unwrap_or("node".into());
        // The program on the PATH may be a script that starts the interpreter.
        let asked = try_run(Command::new(&command).args(["-p", "process.execPath"]), b"", LIMIT);
        let asked = asked.map_err(|error| format!("there is no Node: {}: {error}", command.display()))?;
        if !asked.succeeded() {
            return Err(asked.stderr);
        }
        let program = Path::new(String::from_utf8(asked.stdout).unwrap().trim_end()).canonicalize().unwrap();
        Ok(Self { program, packages })
    }
}

/// The interpreter. `None` if the test must be skipped.
fn peer() -> Option<&'static Node> {
    static FOUND: OnceLock<Result<Node, String>> = OnceLock::new();
    let found = FOUND.get_or_init(Node::find);
    found.as_ref().map_err(|reason| support::skip(reason)).ok()
}

/// The plugin as a bundle with a signed manifest: the program, its modules, and every package. The
/// manifest names the executable of the interpreter. Shared libraries come from the machine.
struct Bundle<'a> {
    node: &'a Node,
    place: Place,
    publisher: Publisher,
}

impl<'a> Bundle<'a> {
    fn of(node: &'a Node) -> Self {
        let bundle = Self { node, place: Place::new(), publisher: Publisher::new() };
        let sources = workspace().join("tests/interop/node");
        for name in ["bundle_main.js", "certificate.js", "kv_plugin.js", "package.json", "words.js"] {
            copy(&sources.join(name), &bundle.file(name));
        }
        copy(&node.packages, &bundle.file("node_modules"));
        bundle.publish();
        bundle
    }

    fn directory(&self) -> PathBuf {
        self.place.path().join("node-kv")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory().join(name)
    }

    /// Signs every file of the bundle.
    fn publish(&self) {
        let claims = Claims::new("node-kv".parse().unwrap(), Version::new(1, 0, 0));
        let claims = claims.with_program("bundle_main.js".parse().unwrap());
        let arguments = vec!["--no-global-search-paths".into()];
        let claims = claims.with_installed_interpreter(&self.node.program, arguments).unwrap();
        self.publisher.publish(&self.directory(), &claims);
    }

    /// Our host with this bundle.
    fn host(&self, arguments: &[&str], input: &[u8]) -> Ran {
        let mut host = our_host_of(&self.place, &self.directory());
        host.arg("--key").arg(self.publisher.key().to_string()).arg("--report");
        run_with_input(host.args(arguments), input)
    }

    fn get(&self, key: &str) -> Ran {
        self.host(&["get", key], b"")
    }
}

#[test]
fn node_bundle_keeps_values_and_leaves_nothing() {
    let Some(node) = peer() else { return };
    let bundle = Bundle::of(node);
    let value = support::binary(6 * 1024 * 1024);
    bundle.host(&["put", "large", "-"], &value).exits_with(0);
    let ran = bundle.get("large").exits_with(0).prints(&value);
    ran.explains(&[
        &format!("digest       sha256 {}", digest(&node.program)),
        &format!("manifest     sha256 {}", digest(&manifest_of(&bundle.directory()))),
    ]);
    bundle.get("nothing").exits_with(1).explains(&["NotFound"]);
    bundle.place.assert_nothing_is_left();
}

#[test]
fn node_bundle_exits_on_request() {
    let Some(node) = peer() else { return };
    let bundle = Bundle::of(node);
    let policy = Policy::new().trust(bundle.publisher.key()).with_bundle_directory(bundle.place.temporary());
    let verified = policy.verify(bundle.directory()).unwrap();
    let (check, shutdown) = within_limit(async {
        let launched = library::builder(&bundle.place, verified).launch().await;
        let mut session = Session::of(launched.unwrap_or_else(|error| panic!("{error}")));
        assert_eq!(session.get("word").await, b"from the bundle");
        (session.plugin.report().peer_check, session.shutdown().await)
    });
    assert_ne!(check, PeerCheck::CertificateOnly);
    assert_eq!(shutdown.path, ShutdownPath::Asked, "{shutdown:?}");
    bundle.place.assert_nothing_is_left();
}

#[test]
fn node_bundle_with_changed_module_is_refused() {
    let Some(node) = peer() else { return };
    let bundle = Bundle::of(node);
    for name in ["words.js", "node_modules/@grpc/grpc-js/build/src/index.js"] {
        let kept = fs::read(bundle.file(name)).unwrap();
        change_a_byte(&bundle.file(name));
        bundle.get("word").exits_with(1).prints("").explains(&["SHA-256 mismatch of its file", name]);
        bundle.place.assert_nothing_is_left();
        fs::write(bundle.file(name), kept).unwrap();
    }
    bundle.get("word").exits_with(0).prints("from the bundle");
}

#[test]
fn node_bundle_ignores_files_added_later() {
    let Some(node) = peer() else { return };
    let bundle = Bundle::of(node);
    let stray = bundle.file("node_modules/stray.js");
    fs::write(&stray, "throw { code: 'put there' };\n").unwrap();
    bundle.get("stray").exits_with(0).prints("MODULE_NOT_FOUND");
    // A file that the publisher signed is part of the plugin.
    bundle.publish();
    bundle.get("stray").exits_with(0).prints("put there");
}

#[test]
fn node_bundle_ignores_packages_in_parent_directories() {
    let Some(node) = peer() else { return };
    let bundle = Bundle::of(node);
    // Above the signed directory, and above the copy that runs.
    for above in [bundle.place.path().to_path_buf(), bundle.place.temporary()] {
        fs::create_dir(above.join("node_modules")).unwrap();
        fs::write(above.join("node_modules/stray.js"), "throw { code: 'put there' };\n").unwrap();
    }
    // By default, Node finds them.
    let ask = "try { require('stray') } catch (error) { console.log(error.code) }";
    let ran = run(Command::new(&node.program).args(["-e", ask]).current_dir(bundle.directory()));
    ran.exits_with(0).prints("put there\n");
    bundle.get("stray").exits_with(0).prints("MODULE_NOT_FOUND");
}
