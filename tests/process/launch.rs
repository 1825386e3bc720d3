//! Successful launches: what the plugin receives, and what the host reports.

use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::process::Command;

use portcullis::host::{
    Environment, EnvironmentFault, Hardening, KeyAlgorithm, LaunchError, Network, PeerCheck, Plugin, StartFault, Step,
};
use portcullis::machine::{Guarantee, GuaranteeStatus, Machine, Suitability};
use portcullis::verify::ExecMode;
use portcullis::{Digest, Error, Policy, Protocol};

use crate::support::{LONG, OWN_DIGEST, OWN_PATH, Place, eventually, fixture, is_alive, protocol, run, verified};

const VARIABLES: [&str; 6] = [
    "BASIC_PLUGIN",
    "PLUGIN_CLIENT_CERT",
    "PLUGIN_MAX_PORT",
    "PLUGIN_MIN_PORT",
    "PLUGIN_PROTOCOL_VERSIONS",
    "PLUGIN_UNIX_SOCKET_DIR",
];

pub fn ready_plugin_is_reported() {
    let place = Place::new();
    run(async {
        let called = std::time::Instant::now();
        let plugin = place.fixture(&["serve"]).launch().await.unwrap();
        let report = plugin.report();
        assert!(is_alive(report.pid));
        assert_eq!((report.digest, report.mode, report.version), (*OWN_DIGEST, ExecMode::Sealed, 1));
        assert_ne!(report.peer_check, PeerCheck::CertificateOnly);
        assert!(report.cipher_suite.starts_with("TLS13_"), "{}", report.cipher_suite);
        assert_eq!((report.tls_version.as_str(), report.alpn.as_str()), ("TLS 1.3", "h2"));
        assert_eq!(report.plugin_key, KeyAlgorithm::EcdsaP256);
        assert_eq!((report.handshake.core, report.handshake.version, report.handshake.network), (1, 1, Network::Unix));
        assert!(report.handshake.address.starts_with(place.path().as_os_str().as_encoded_bytes()));
        assert!(!report.timings.total().is_zero() && report.timings.total() <= called.elapsed());
        assert_ne!(report.host_certificate, report.plugin_certificate);
        assert_eq!(report.environment, VARIABLES);
        assert!(report.hardening.contains(&Hardening::DiesWithHost) && report.hardening.contains(&Hardening::NoInput));
        let shown = report.to_string();
        assert!(shown.lines().all(|line| line.as_bytes()[12] == b' ' && line.as_bytes()[13] != b' '), "{shown}");
        assert_eq!(plugin.exit(), None);
        let again = place.fixture(&["serve"]).launch().await.unwrap();
        assert_ne!(again.report().host_certificate, report.host_certificate);
        assert_ne!(again.report().plugin_certificate, report.plugin_certificate);
    });
}

/// The digest of the image that a process executes, or `None` if this user may not read it.
pub fn running_digest(pid: u32) -> Option<Digest> {
    match fs::File::open(format!("/proc/{pid}/exe")) {
        Ok(image) => Some(Digest::read(image).unwrap()),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => None,
        Err(error) => panic!("{error}"),
    }
}

/// The process id, private directory, cookie and certificate stay those of the launch, and so does
/// the shutdown.
pub fn exec_keeps_the_launched_process() {
    let place = Place::new();
    run(async {
        let arguments = ["serve-in-place", OWN_PATH.to_str().unwrap(), &OWN_DIGEST.to_string()];
        let plugin = place.fixture(&arguments).launch().await.unwrap();
        let arguments = fs::read(format!("/proc/{}/cmdline", plugin.pid())).unwrap();
        assert!(arguments.ends_with(b"\0fixture:serve\0"), "{:?}", portcullis::Escaped::new(&arguments));
        let pid = plugin.pid();
        plugin.shutdown(LONG).await;
        assert!(!is_alive(pid));
    });
}

/// The machine report promises exactly what the launch report states.
pub fn machine_report_matches_reality() {
    let place = Place::new();
    let assessed = Machine::new().with_runtime_directory(place.path()).assess();
    let given = |guarantee: Guarantee| {
        let assessment = assessed.assessments().iter().find(|assessment| assessment.guarantee == guarantee).unwrap();
        assessment.status == GuaranteeStatus::Given
    };
    assert_eq!(assessed.suitability(), Suitability::Sufficient);
    run(async {
        let plugin = place.fixture(&["serve"]).launch().await.unwrap();
        let report = plugin.report();
        assert_eq!(given(Guarantee::PeerIdentity), report.peer_check == PeerCheck::PidFd);
        assert_eq!(given(Guarantee::OrdinaryUser), report.hardening.contains(&Hardening::NotTraceable));
    });
}

pub fn running_image_has_the_verified_digest() {
    let place = Place::new();
    run(async {
        let plugin = place.fixture(&["serve"]).launch().await.unwrap();
        match running_digest(plugin.pid()) {
            Some(digest) => assert_eq!(digest, *OWN_DIGEST),
            None => {
                // This user cannot read the image, which the report must state.
                assert!(plugin.report().hardening.contains(&Hardening::NotTraceable));
                eprintln!("SKIPPED: only root may read the image of an execute-only plugin");
            }
        }
    });
}

/// A pipe could be reopened through `/proc` by every process of the same user, which could then
/// write in the plugin's name. A socket cannot (proc(5)).
pub fn plugin_output_cannot_be_reopened() {
    let place = Place::new();
    run(async {
        let plugin = place.fixture(&["serve"]).launch().await.unwrap();
        for descriptor in [1, 2] {
            let path = format!("/proc/{}/fd/{descriptor}", plugin.pid());
            assert!(fs::OpenOptions::new().write(true).open(path).is_err());
        }
    });
}

pub fn same_user_cannot_inspect_a_plugin() {
    if rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: root may inspect every process; run these tests as another user too");
        return;
    }
    let place = Place::new();
    run(async {
        let plugin = place.fixture(&["serve"]).launch().await.unwrap();
        assert!(plugin.report().hardening.contains(&Hardening::NotTraceable));
        for name in ["environ", "mem", "maps", "exe", "fd/0"] {
            let path = format!("/proc/{}/{name}", plugin.pid());
            assert_eq!(fs::File::open(path).unwrap_err().kind(), std::io::ErrorKind::PermissionDenied, "{name}");
        }
    });
}

pub fn any_start_timeout_is_accepted() {
    let place = Place::new();
    run(place.fixture(&["serve"]).with_start_timeout(std::time::Duration::MAX).launch()).unwrap();
    let result = run(place.fixture(&["serve"]).with_start_timeout(std::time::Duration::ZERO).launch());
    let timeout = match &result {
        Err(Error::Launch(error)) => matches!(error, LaunchError::Timeout),
        Err(Error::Start(error)) => matches!(error.fault, StartFault::Timeout { .. }),
        _ => false,
    };
    assert!(timeout, "{result:?}");
}

pub fn plugin_cannot_open_later_images() {
    use std::os::unix::fs::MetadataExt;
    let place = Place::new();
    let policy = Policy::new().allow(*OWN_DIGEST);
    let launch = |fixture: &str| {
        let verified = policy.verify(&*OWN_PATH).unwrap();
        run(async {
            let plugin = place.fixture_of(verified, &[fixture]).launch().await.unwrap();
            fs::metadata(format!("/proc/{}/exe", plugin.pid())).map(|image| image.mode() & 0o777).ok()
        })
    };
    assert_eq!(launch("open-image").unwrap_or(0o555), 0o555);
    assert_eq!(launch("serve").unwrap_or(0o111), 0o111);
}

/// Descriptors without close-on-exec, as a C library in the host may leave them.
fn leaky_descriptors() -> Vec<OwnedFd> {
    let leak = |_| {
        let file = fs::File::open("/dev/null").unwrap();
        rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).unwrap();
        OwnedFd::from(file)
    };
    (0..50).map(leak).collect()
}

pub fn plugin_gets_only_what_was_given() {
    let place = Place::new();
    let leaks = leaky_descriptors();
    assert!(leaks.iter().any(|descriptor| descriptor.as_raw_fd() > 20));
    let file = place.file("state");
    // Cargo's variables stand for the secrets of the host.
    assert!(std::env::var_os("PATH").is_some() && std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    run(async { place.fixture(&["state", file.to_str().unwrap()]).launch().await.unwrap() });
    let state = fs::read_to_string(&file).unwrap();
    let mut variables: Vec<_> = state.lines().filter_map(|line| line.strip_prefix("variable ")).collect();
    variables.sort_unstable();
    assert_eq!(variables, VARIABLES);
    for expected in [
        "descriptors [0, 1, 2]",
        "directory /",
        "stdin 0",
        "leader true",
        "group true",
        "terminal false",
        "core Some(0)",
        "NoNewPrivs 1",
        "Umask 0077",
        "SigBlk 0000000000000000",
    ] {
        assert!(state.lines().any(|line| line == expected), "{expected}\n{state}");
    }
}

pub fn plugin_does_not_inherit_ignored_signals() {
    let place = Place::new();
    let file = place.file("state");
    let host = fixture(&["launch-state", place.path().to_str().unwrap(), file.to_str().unwrap()]);
    let ignoring = Command::new("sh")
        .args(["-c", "trap '' HUP INT TERM USR1; exec \"$0\" \"$@\"", OWN_PATH.to_str().unwrap()])
        .args(host)
        .status();
    assert!(ignoring.unwrap().success());
    let state = fs::read_to_string(&file).unwrap();
    // The fixture's own runtime ignores SIGPIPE (13), as every Rust program's does.
    assert!(state.lines().any(|line| line == "SigIgn 0000000000001000"), "{state}");
}

pub fn given_arguments_and_environment_reach_the_plugin() {
    let place = Place::new();
    let file = place.file("state");
    run(async {
        Plugin::builder(verified())
            .with_protocol(protocol())
            .with_environment(Environment::empty().set("GIVEN", "1").unwrap().inherit("PATH").unwrap())
            .with_runtime_directory(place.path())
            .with_working_directory("/usr")
            .with_name("another-name")
            .args(fixture(&["state", file.to_str().unwrap()]))
            .launch()
            .await
            .unwrap()
    });
    let state = fs::read_to_string(&file).unwrap();
    for expected in ["variable GIVEN", "variable PATH", "directory /usr"] {
        assert!(state.lines().any(|line| line == expected), "{expected}\n{state}");
    }
    assert!(state.contains("arguments [\"another-name\", \"fixture:state\","), "{state}");
}

pub fn every_execution_mode_works_and_is_reported() {
    let place = Place::new();
    let copies = place.file("copies");
    fs::create_dir(&copies).unwrap();
    let policy = || Policy::new().allow(*OWN_DIGEST);
    for (policy, mode) in [
        (policy(), ExecMode::Sealed),
        (policy().with_private_copy(&copies), ExecMode::PrivateCopy),
        (policy().dangerous_with_pinned_fd(), ExecMode::PinnedFd),
    ] {
        let verified = policy.verify(&*OWN_PATH).unwrap();
        run(async {
            let plugin = place.fixture_of(verified, &["serve"]).launch().await.unwrap();
            assert_eq!(plugin.report().mode, mode);
            assert!(running_digest(plugin.pid()).is_none_or(|digest| digest == *OWN_DIGEST));
            let image = fs::read_link(format!("/proc/{}/exe", plugin.pid())).unwrap_or_default();
            match mode {
                ExecMode::PrivateCopy => assert!(image.starts_with(&copies), "{}", image.display()),
                ExecMode::PinnedFd => assert_eq!(image, *OWN_PATH),
                _ => assert!(
                    image.as_os_str().is_empty() || image.to_string_lossy().starts_with("/memfd:"),
                    "{}",
                    image.display()
                ),
            }
        });
    }
    assert_eq!(fs::read_dir(&copies).unwrap().count(), 0, "a private copy was left behind");
}

pub fn relaunch_uses_cached_image_after_replacement() {
    let place = Place::new();
    let file = place.file("plugin");
    fs::copy(&*OWN_PATH, &file).unwrap();
    let policy = Policy::new().allow(*OWN_DIGEST);
    let launch = |cached: bool| {
        let verified = policy.verify(&file).unwrap();
        run(async {
            let plugin = place.fixture_of(verified, &["serve"]).launch().await.unwrap();
            assert_eq!(plugin.report().cached, cached);
            assert!(running_digest(plugin.pid()).is_none_or(|digest| digest == *OWN_DIGEST));
        });
    };
    launch(false);
    fs::write(&file, "something else").unwrap();
    launch(true);
    fs::remove_file(&file).unwrap();
    launch(true);
}

pub fn early_output_breaks_nothing() {
    let place = Place::new();
    run(async { place.fixture(&["print-first"]).launch().await.unwrap() });
}

pub fn missing_working_directory_is_a_named_error() {
    let place = Place::new();
    let launch = place.fixture(&["serve"]).with_working_directory("/nonexistent");
    match run(launch.launch()) {
        Err(Error::Launch(LaunchError::Start { step: Step::WorkingDirectory, source, .. })) => {
            assert_eq!(source.kind(), std::io::ErrorKind::NotFound);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(place.directories(), 0);
}

pub fn invalid_cookie_name_is_a_named_error() {
    let place = Place::new();
    for (key, fault) in
        [("", EnvironmentFault::Empty), ("A=B", EnvironmentFault::EqualsSign), ("LD_PRELOAD", EnvironmentFault::Loader)]
    {
        let launch = Plugin::builder(verified())
            .with_protocol(Protocol::new(key, "x", 1))
            .with_environment(Environment::empty())
            .with_runtime_directory(place.path())
            .launch();
        match run(launch) {
            Err(Error::Launch(LaunchError::Environment(error))) => assert_eq!(error.fault, fault),
            other => panic!("{key:?}: {other:?}"),
        }
    }
    assert_eq!(place.directories(), 0);
}

pub fn endless_output_does_not_block() {
    let place = Place::new();
    let done = place.file("done");
    run(async {
        let plugin = place.fixture(&["flood", done.to_str().unwrap()]).launch().await.unwrap();
        let wait = async {
            while !Path::new(&done).exists() {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(LONG, wait).await.expect("the plugin is blocked");
        drop(plugin);
    });
    eventually("its directory is removed", || place.directories() == 0);
}
