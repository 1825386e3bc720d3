//! Plugins with a faulty handshake: each is refused with a named error, is killed, and leaves
//! nothing behind.

use std::time::{Duration, Instant};

use portcullis::host::{AddressFault, CertificateFault, Exit, HandshakeError, LineFault, StartFault, StartPhase};

use crate::support::Place;

fn handshake(fault: StartFault) -> HandshakeError {
    match fault {
        StartFault::Handshake(error) => error,
        other => panic!("{other:?}"),
    }
}

pub fn early_exit_reports_status_and_stderr() {
    let place = Place::new();
    let error = place.refused(place.fixture(&["exit", "3"]));
    assert!(matches!(error.fault, StartFault::Handshake(HandshakeError::Ended { .. })));
    assert_eq!(error.exit, Some(Exit::Code(3)));
    assert_eq!(error.stderr, b"first words\nlast words \x1b[31m\n");
    let shown = error.to_string();
    assert!(
        shown.contains("exit status 3") && shown.ends_with("    first words\n    last words \\u{1b}[31m"),
        "{shown}"
    );
}

pub fn fatal_signal_is_reported() {
    let place = Place::new();
    let error = place.refused(place.fixture(&["abort"]));
    assert_eq!(error.exit, Some(Exit::Signal(6)));
}

pub fn held_output_does_not_delay_exit_report() {
    let place = Place::new();
    let started = Instant::now();
    let error = place.refused(place.fixture(&["ended-holding-output"]));
    assert!(matches!(error.fault, StartFault::Exited), "{:?}", error.fault);
    assert_eq!(error.exit, Some(Exit::Code(5)));
    assert!(started.elapsed() < Duration::from_secs(15), "the launch waited for its deadline");
}

pub fn silent_plugin_hits_the_deadline() {
    let place = Place::new();
    let error = place.refused(place.fixture(&["silent"]).with_start_timeout(Duration::from_millis(300)));
    assert!(matches!(error.fault, StartFault::Timeout { waiting_for: StartPhase::HandshakeLine }));
    assert_eq!(error.exit, None);
}

pub fn slow_line_does_not_extend_the_deadline() {
    let place = Place::new();
    let started = Instant::now();
    let error = place.refused(place.fixture(&["drip"]).with_start_timeout(Duration::from_millis(500)));
    assert!(matches!(error.fault, StartFault::Timeout { waiting_for: StartPhase::HandshakeLine }));
    // The plugin writes as long as it is read. If each byte extended the deadline, it would never
    // come.
    assert!(started.elapsed() < Duration::from_secs(20));
}

pub fn endless_line_is_cut_off() {
    let place = Place::new();
    let error = handshake(place.fault(&["endless"]));
    assert!(matches!(error, HandshakeError::TooLong { limit: 65536, start } if start == [0; 200]));
}

pub fn banner_is_not_a_handshake_line() {
    let place = Place::new();
    let error = handshake(place.fault(&["line", "Welcome to the plugin\x1b[2J!"]));
    assert!(matches!(error, HandshakeError::Malformed { fault: LineFault::Fields { found: 1 }, .. }));
    assert!(error.to_string().ends_with("it wrote: Welcome to the plugin\\u{1b}[2J!"), "{error}");
}

pub fn rejected_line_is_a_named_error() {
    let place = Place::new();
    let refused = |line: &str| handshake(place.fault(&["line", line]));
    let certificate = |field: &str| match refused(&format!("1|1|unix|{{DIR}}/p|grpc|{field}")) {
        HandshakeError::Certificate(fault) => fault,
        other => panic!("{other:?}"),
    };
    let address = |address: &str| match refused(&format!("1|1|{address}|grpc|{{CERT}}")) {
        HandshakeError::Address { fault, .. } => fault,
        other => panic!("{other:?}"),
    };
    assert!(
        matches!(refused("1|2|unix|{DIR}/p|grpc|{CERT}"), HandshakeError::Version { plugin: 2, host } if host == [1])
    );
    assert!(matches!(refused("1|1|unix|{DIR}/p|netrpc|"), HandshakeError::Protocol { .. }));
    assert_eq!(certificate("short"), CertificateFault::Short { length: 5 });
    assert_eq!(certificate("{CERT}="), CertificateFault::Padded);
    assert_eq!(certificate("{TWO}"), CertificateFault::NotX509);
    assert_eq!(certificate(&"A".repeat(400)), CertificateFault::NotX509);
    assert_eq!(certificate("{HOST}"), CertificateFault::Echoed);
    assert_eq!(address("unix|/run/docker.sock"), AddressFault::OutsideDirectory);
    assert_eq!(address("tcp|192.0.2.1:443"), AddressFault::Tcp);
}

pub fn plugin_that_ignores_the_certificate_is_refused() {
    let place = Place::new();
    for line in ["1|1|unix|{DIR}/p|grpc|", "1|1|unix|{DIR}/p|grpc"] {
        let error = handshake(place.fault(&["line", line]));
        assert!(matches!(error, HandshakeError::Certificate(CertificateFault::Missing)));
    }
}
