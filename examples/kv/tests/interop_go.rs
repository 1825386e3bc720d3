//! Real go-plugin peers in both directions: Go hosts with our plugin, Go plugins under our host.
//! `tests/interop/go/README.md` describes them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use portcullis::host::{KeyAlgorithm, ReflectionVersion, Services};
use portcullis::{Policy, Protocol};
use support::library::{self, Session, within_limit};
use support::{
    LIMIT, Place, Ran, digest, names, our_host, our_plugin, run, run_with_input, try_run, workspace, wrong_digest,
};

/// Larger than the default message limit of gRPC on either side.
const SEVERAL_MIB: usize = 6 * 1024 * 1024;

/// The time limit of the first build, including downloads.
const BUILD_LIMIT: Duration = Duration::from_secs(600);

/// The programs built from `tests/interop/go`.
struct Go(PathBuf);

impl Go {
    fn host(&self) -> PathBuf {
        self.0.join("kv-host")
    }

    fn plugin(&self) -> PathBuf {
        self.0.join("kv-plugin")
    }

    /// The programs of go-plugin's published example.
    fn example_host(&self) -> PathBuf {
        self.0.join("example-host")
    }

    fn example_plugin(&self) -> PathBuf {
        self.0.join("example-plugin")
    }

    /// Builds all four. The error says why this machine cannot build them.
    fn build() -> Result<Self, String> {
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("interop-go");
        fs::create_dir_all(&out).unwrap();
        // Tests may run in separate processes.
        let lock = File::create(out.join("lock")).unwrap();
        lock.lock().unwrap();

        go(&["version"]).map_err(|error| format!("there is no Go: {error}"))?;
        let directory = format!("{}/", out.display());
        let example = "github.com/hashicorp/go-plugin/examples/grpc";
        for (output, package) in [
            (directory.clone(), &["./kv-plugin", "./kv-host"][..]),
            (format!("{directory}example-host"), &[example]),
            (format!("{directory}example-plugin"), &[&format!("{example}/plugin-go-grpc")]),
        ] {
            let built = go(&[&["build", "-buildvcs=false", "-o", &output], package].concat()).unwrap();
            if !built.succeeded() {
                let modules = go(&["mod", "download"]).unwrap();
                assert!(!modules.succeeded(), "the Go peers do not build: {built}");
                return Err(format!("the Go modules cannot be downloaded: {}", modules.stderr));
            }
        }
        Ok(Self(out))
    }
}

fn go(arguments: &[&str]) -> std::io::Result<Ran> {
    let mut command = Command::new("go");
    try_run(command.current_dir(workspace().join("tests/interop/go")).args(arguments), b"", BUILD_LIMIT)
}

/// The Go programs, built once. `None` if the test must be skipped.
fn peers() -> Option<&'static Go> {
    static BUILT: OnceLock<Result<Go, String>> = OnceLock::new();
    let built = BUILT.get_or_init(Go::build);
    built.as_ref().map_err(|reason| support::skip(reason)).ok()
}

/// A Go host with our plugin.
fn go_host(go: &Go, place: &Place) -> Command {
    fs::create_dir_all(place.data()).unwrap();
    let mut host = Command::new(go.host());
    // The plugins of a Go host inherit its environment.
    host.env("TMPDIR", place.temporary()).arg("-plugin").arg(our_plugin());
    host.args(["-arg", "--data", "-arg"]).arg(place.data());
    host
}

/// The published Go host with our plugin. It runs the plugin through a shell.
fn example_host(go: &Go, place: &Place, switch: &str) -> Command {
    fs::create_dir_all(place.data()).unwrap();
    let plugin = format!("'{}' --data '{}' {switch}", our_plugin().display(), place.data().display());
    let mut host = Command::new(go.example_host());
    host.env("TMPDIR", place.temporary()).env("KV_PROTO", "grpc").env("KV_PLUGIN", plugin);
    host
}

/// Our host with a plugin and its correct digest.
fn host_of(place: &Place, plugin: &Path) -> Command {
    our_host(place, plugin, digest(plugin))
}

/// Launches the Go plugin with the given flags.
async fn launch(place: &Place, go: &Go, flags: &[&str]) -> Result<Session, portcullis::Error> {
    let verified = Policy::new().allow(digest(&go.plugin())).verify(go.plugin())?;
    let builder = library::builder(place, verified).arg("-data").arg(place.data()).args(flags.iter().copied());
    builder.launch().await.map(Session::of)
}

#[test]
fn go_host_drives_our_plugin() {
    let Some(go) = peers() else { return };
    let place = Place::new();
    run(go_host(go, &place).args(["put", "hello", "world"])).exits_with(0);
    run(go_host(go, &place).args(["get", "hello"])).exits_with(0).prints("world");
}

#[test]
fn go_host_gets_not_found() {
    let Some(go) = peers() else { return };
    run(go_host(go, &Place::new()).args(["get", "nothing"])).exits_with(1).explains(&["NotFound"]);
}

#[test]
fn go_host_finds_our_plugin_healthy() {
    let Some(go) = peers() else { return };
    run(go_host(go, &Place::new()).arg("ping")).exits_with(0);
}

#[test]
fn go_host_gets_a_value_of_several_mib() {
    let Some(go) = peers() else { return };
    let place = Place::new();
    let value = support::binary(SEVERAL_MIB);
    run_with_input(host_of(&place, our_plugin()).args(["put", "large", "-"]), &value).exits_with(0);
    run(go_host(go, &place).args(["get", "large"])).exits_with(0).prints(&value);
}

#[test]
fn go_host_with_matching_digest_drives_our_plugin() {
    let Some(go) = peers() else { return };
    let sha256 = digest(our_plugin()).to_string();
    run(go_host(go, &Place::new()).args(["-sha256", &sha256, "put", "a", "1"])).exits_with(0);
}

#[test]
fn go_host_with_other_digest_refuses_our_plugin() {
    let Some(go) = peers() else { return };
    let place = Place::new();
    let sha256 = wrong_digest().to_string();
    run(go_host(go, &place).args(["-sha256", &sha256, "put", "a", "1"])).exits_with(1).explains(&["checksum"]);
    assert!(!place.has_a_store());
}

#[test]
fn go_host_and_our_plugin_negotiate_common_version() {
    let Some(go) = peers() else { return };
    for (offered, agreed) in [("1", "1\n"), ("1,3", "1\n"), ("1,2", "2\n"), ("2,3", "2\n")] {
        run(go_host(go, &Place::new()).args(["-versions", offered, "version"])).exits_with(0).prints(agreed);
    }
}

#[test]
fn go_host_of_another_version_reports_both() {
    let Some(go) = peers() else { return };
    let ran = run(go_host(go, &Place::new()).args(["-versions", "3", "put", "a", "1"]));
    ran.exits_with(1).explains(&["Plugin version: 1, Client versions: [3]"]);
}

/// The Go host uses only the KV service, which version 2 also serves over the same values.
#[test]
fn go_host_drives_our_plugin_in_either_version() {
    let Some(go) = peers() else { return };
    let place = Place::new();
    run(go_host(go, &place).args(["-versions", "1", "put", "hello", "1"])).exits_with(0);
    run(go_host(go, &place).args(["-versions", "2", "get", "hello"])).exits_with(0).prints("1");
    run(go_host(go, &place).args(["-versions", "2", "put", "hello", "2"])).exits_with(0);
    run(go_host(go, &place).args(["-versions", "1", "get", "hello"])).exits_with(0).prints("2");
    run(host_of(&place, our_plugin()).arg("list")).exits_with(0).prints("2\t1\thello\n");
}

#[test]
fn our_host_names_calls_missing_in_version_1() {
    let Some(go) = peers() else { return };
    let place = Place::new();
    for command in [&["delete", "a"][..], &["list"], &["cas", "a", "--expect", "0", "1"], &["watch"]] {
        let ran = run(host_of(&place, &go.plugin()).args(command)).exits_with(2).prints("");
        ran.explains(&["the plugin speaks protocol version 1, which has only get and put"]);
    }
    place.assert_nothing_is_left();
}

#[test]
fn go_host_without_certificate_is_refused() {
    let Some(go) = peers() else { return };
    let ran = run(go_host(go, &Place::new()).args(["-v", "-automtls=false", "put", "a", "1"]));
    ran.exits_with(2).explains(&["the host sent no certificate", "dangerous_allow_plaintext"]);
}

#[test]
fn go_host_without_certificate_can_be_allowed() {
    let Some(go) = peers() else { return };
    let place = Place::new();
    let host = || {
        let mut host = go_host(go, &place);
        host.args(["-automtls=false", "-arg", "--dangerous-allow-plaintext"]);
        host
    };
    run(host().args(["put", "hello", "world"])).exits_with(0);
    run(host().args(["get", "hello"])).exits_with(0).prints("world");
}

#[test]
fn go_host_leaves_nothing_of_our_plugin() {
    let Some(go) = peers() else { return };
    let place = Place::new();
    for (arguments, status) in [
        (&["put", "a", "1"][..], 0),
        (&["get", "nothing"], 1),
        (&["-sha256", &wrong_digest().to_string(), "put", "a", "1"], 1),
        (&["-automtls=false", "put", "a", "1"], 2),
        (&["-automtls=false", "-arg", "--dangerous-allow-plaintext", "put", "a", "1"], 0),
    ] {
        run(go_host(go, &place).args(arguments)).exits_with(status);
        place.assert_nothing_is_left();
    }
}

/// A Go host without a common version sends SIGKILL, so the plugin cannot remove its socket. The
/// next plugin does.
#[test]
fn next_launch_cleans_up_after_go_host_kill() {
    let Some(go) = peers() else { return };
    let place = Place::new();
    run(go_host(go, &place).args(["-versions", "3", "put", "a", "1"])).exits_with(1);
    place.assert_no_process_is_left();
    run(go_host(go, &place).args(["put", "a", "1"])).exits_with(0);
    place.assert_nothing_is_left();
}

#[test]
fn published_go_host_needs_plaintext_allowed() {
    let Some(go) = peers() else { return };
    let place = Place::new();
    let host = || example_host(go, &place, "--dangerous-allow-plaintext");
    run(host().args(["put", "hello", "world"])).exits_with(0);
    run(host().args(["get", "hello"])).exits_with(0).prints("world\n");
    place.assert_nothing_is_left();
}

#[test]
fn published_go_host_is_refused_by_default() {
    let Some(go) = peers() else { return };
    let place = Place::new();
    let ran = run(example_host(go, &place, "").args(["put", "hello", "world"])).exits_with(1);
    ran.explains(&["the host sent no certificate", "dangerous_allow_plaintext"]);
    place.assert_nothing_is_left();
}

#[test]
fn our_host_drives_a_go_plugin() {
    let Some(go) = peers() else { return };
    let place = Place::new();
    let value = support::binary(1000);
    run_with_input(host_of(&place, &go.plugin()).args(["put", "hello", "-"]), &value).exits_with(0);
    run(host_of(&place, &go.plugin()).args(["get", "hello"])).exits_with(0).prints(&value);
    place.assert_nothing_is_left();
}

#[test]
fn our_host_gets_not_found_from_go_plugin() {
    let Some(go) = peers() else { return };
    run(host_of(&Place::new(), &go.plugin()).args(["get", "nothing"])).exits_with(1).explains(&["NotFound"]);
}

#[test]
fn our_host_and_go_plugin_exchange_several_mib() {
    let Some(go) = peers() else { return };
    let place = Place::new();
    let value = support::binary(SEVERAL_MIB);
    run_with_input(host_of(&place, &go.plugin()).args(["put", "large", "-"]), &value).exits_with(0);
    run(host_of(&place, &go.plugin()).args(["get", "large"])).exits_with(0).prints(&value);
}

#[test]
fn our_host_refuses_go_plugin_with_other_digest() {
    let Some(go) = peers() else { return };
    let place = Place::new();
    // A launch needs TMPDIR. Without it, the error would be another one.
    let mut host = our_host(&place, &go.plugin(), wrong_digest());
    let ran = run(host.env("TMPDIR", "/nonexistent").args(["put", "a", "1"])).exits_with(1);
    ran.explains(&["is refused: SHA-256 mismatch", &digest(&go.plugin()).to_string()]);
    assert_eq!(names(&place.data()), [""; 0]);
}

#[test]
fn our_host_reports_both_versions_on_mismatch() {
    let Some(go) = peers() else { return };
    let place = Place::new();
    let ran = run(host_of(&place, &go.plugin()).args(["--protocol", "2", "put", "a", "1"])).exits_with(1);
    ran.explains(&["the plugin serves version 1", "this host speaks 2"]);
    place.assert_nothing_is_left();
}

#[test]
fn go_plugin_of_a_later_version_is_refused() {
    let Some(go) = peers() else { return };
    let place = Place::new();
    let error = within_limit(launch(&place, go, &["-versions", "2"])).err().expect("it was launched");
    assert!(error.is_refusal(), "{error}");
    assert!(
        error.to_string().contains("serves version 2 of the application's protocol, this host speaks 1"),
        "{error}"
    );
}

#[test]
fn our_host_and_go_plugin_negotiate_highest_version() {
    let Some(go) = peers() else { return };
    let place = Place::new();
    let version = within_limit(async {
        let verified = Policy::new().allow(digest(&go.plugin())).verify(go.plugin()).unwrap();
        let protocol = Protocol::new("BASIC_PLUGIN", "hello", 1).and_version(2).and_version(4);
        let builder = library::builder_of(&place, verified, protocol).args(["-versions", "1,2,3"]);
        builder.launch().await.unwrap().version()
    });
    assert_eq!(version, 2);
}

/// The output of a Go plugin travels over its own stream, and an unread stream blocks the plugin.
#[test]
fn go_plugin_that_prints_much_does_not_hang() {
    let Some(go) = peers() else { return };
    let place = Place::new();
    within_limit(async {
        let mut session = launch(&place, go, &["-print", "300000"]).await.unwrap();
        for value in [b"1", b"2", b"3"] {
            session.put("a", value).await;
        }
        assert_eq!(session.get("a").await, b"3");
        session.shutdown().await;
    });
}

#[test]
fn go_plugin_may_log_much_before_serving() {
    let Some(go) = peers() else { return };
    let place = Place::new();
    within_limit(async {
        let mut session = launch(&place, go, &["-log-lines", "5000"]).await.unwrap();
        session.put("a", b"1").await;
        session.shutdown().await;
    });
}

#[test]
fn go_plugin_exits_on_request() {
    let Some(go) = peers() else { return };
    let place = Place::new();
    let shutdown = within_limit(async { launch(&place, go, &[]).await.unwrap().shutdown().await });
    assert_eq!(shutdown.path, portcullis::host::ShutdownPath::Asked, "{shutdown:?}");
}

/// go-plugin registers reflection with every server.
#[test]
fn go_plugin_lists_its_services() {
    let Some(go) = peers() else { return };
    let place = Place::new();
    let services = within_limit(async {
        let session = launch(&place, go, &[]).await.unwrap();
        let services = session.plugin.services(LIMIT).await.unwrap();
        session.shutdown().await;
        services
    });
    let Services::Listed { names, reflection: ReflectionVersion::V1, .. } = services else { panic!("{services:?}") };
    for service in
        ["grpc.health.v1.Health", "plugin.GRPCBroker", "plugin.GRPCController", "plugin.GRPCStdio", "proto.KV"]
    {
        assert!(names.iter().any(|name| name == service), "no {service} in {names:?}");
    }
}

/// The library reads these messages to tell whether a plugin has a service.
#[test]
fn go_plugin_tells_missing_service_from_missing_method() {
    let Some(go) = peers() else { return };
    let place = Place::new();
    let said = within_limit(async {
        let session = launch(&place, go, &[]).await.unwrap();
        let mut said = Vec::new();
        for path in ["/plugin.GRPCBroker/IsThisServiceThere", "/plugin.Nothing/IsThisServiceThere"] {
            let mut client = tonic::client::Grpc::new(session.plugin.channel());
            client.ready().await.unwrap();
            let codec = tonic_prost::ProstCodec::<(), ()>::default();
            let status = client.unary(tonic::Request::new(()), path.parse().unwrap(), codec).await.unwrap_err();
            said.push((status.code(), status.message().to_owned()));
        }
        session.shutdown().await;
        said
    });
    let expected =
        ["unknown method IsThisServiceThere for service plugin.GRPCBroker", "unknown service plugin.Nothing"];
    assert_eq!(said, expected.map(|words| (tonic::Code::Unimplemented, words.to_owned())));
}

#[test]
fn report_names_the_key_of_a_go_plugin() {
    let Some(go) = peers() else { return };
    let place = Place::new();
    let report = within_limit(async { launch(&place, go, &[]).await.unwrap().plugin.report().clone() });
    assert_eq!(report.plugin_key, KeyAlgorithm::EcdsaP521);
    assert_eq!(report.handshake.protocol, b"grpc");
}

#[test]
fn our_host_drives_the_published_go_plugin() {
    let Some(go) = peers() else { return };
    let place = Place::new();
    run(host_of(&place, &go.example_plugin()).args(["put", "hello", "world"])).exits_with(0);
    let ran = run(host_of(&place, &go.example_plugin()).args(["get", "hello"])).exits_with(0);
    ran.prints("world\n\nWritten from plugin-go-grpc");
    assert_eq!(names(&place.data()), ["kv_hello"]);
    place.assert_nothing_is_left();
}

#[test]
fn published_go_plugin_reports_missing_key_as_error() {
    let Some(go) = peers() else { return };
    let ran = run(host_of(&Place::new(), &go.example_plugin()).args(["get", "nothing"])).exits_with(2);
    ran.explains(&["open kv_nothing: no such file or directory", "Unknown"]);
}
