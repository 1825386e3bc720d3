//! The services that a plugin lists through reflection, within bounds for any response.

use std::time::Duration;

use portcullis::host::{ReflectionVersion, ServicePresence, Services, ServicesError, ShutdownPath};
use tonic::Code;

use crate::support::{LONG, Place, eventually, run};

/// Asks a plugin for its services, and checks that it still shuts down.
fn services(fixture: &[&str], limit: Duration) -> Result<Services, ServicesError> {
    let place = Place::new();
    let services = run(async {
        let plugin = place.fixture(fixture).launch().await.unwrap();
        let services = plugin.services(limit).await;
        let shutdown = plugin.shutdown(LONG).await;
        assert!(matches!(shutdown.path, ShutdownPath::Asked | ShutdownPath::Exited), "{shutdown:?}");
        services
    });
    eventually("the private directory is removed", || place.directories() == 0);
    services
}

fn fault(how: &str) -> ServicesError {
    services(&["reflect", how], LONG).unwrap_err()
}

pub fn reflection_lists_the_services() {
    let services = services(&["reflect", "names"], LONG).unwrap();
    let Services::Listed { names, reflection: ReflectionVersion::V1, .. } = &services else { panic!("{services:?}") };
    assert_eq!(names[..], ["a.B", "c \u{1b}[31m\nforged"]);
    assert_eq!(services.to_string(), r"a.B, c \u{1b}[31m\nforged (reflection v1)");
}

pub fn older_reflection_is_the_fallback() {
    let services = services(&["reflect", "old"], LONG).unwrap();
    let Services::Listed { names, reflection: ReflectionVersion::V1Alpha, .. } = &services else {
        panic!("{services:?}")
    };
    assert_eq!(names[..], ["old.Service"]);
}

/// Calling the controller would end the plugin. It must still run afterwards.
pub fn plugin_without_reflection_gets_no_calls() {
    let place = Place::new();
    run(async {
        let plugin = place.fixture(&["serve"]).launch().await.unwrap();
        let services = plugin.services(LONG).await.unwrap();
        let Services::Unlisted { wire, .. } = &services else { panic!("{services:?}") };
        let known: Vec<_> = wire.iter().map(|service| (service.name, service.presence)).collect();
        assert_eq!(known[0], ("grpc.health.v1.Health", ServicePresence::Offered));
        assert!(known[1..].iter().all(|(_, presence)| *presence == ServicePresence::Unknown), "{known:?}");
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(plugin.shutdown(LONG).await.path, ShutdownPath::Asked);
    });
}

pub fn endless_list_ends_after_first_response() {
    assert!(
        matches!(services(&["reflect", "endless"], LONG).unwrap(), Services::Listed { names, .. } if names == ["a.B"])
    );
}

pub fn oversized_service_list_is_rejected() {
    assert_eq!(fault("many"), ServicesError::TooMany { limit: 256, found: 300 });
    assert!(matches!(fault("long"), ServicesError::NameTooLong { limit: 256, start } if start == "x".repeat(80)));
    assert!(matches!(fault("large"), ServicesError::Status { code: Code::OutOfRange, .. }));
}

pub fn silent_reflection_times_out() {
    for how in ["mute", "silent"] {
        let services = services(&["reflect", how], Duration::from_millis(500));
        assert_eq!(services, Err(ServicesError::Timeout), "{how}");
    }
}

pub fn malformed_reflection_response_is_a_named_error() {
    assert_eq!(fault("none"), ServicesError::NoResponse);
    assert!(matches!(fault("refuse"), ServicesError::Refused { code: 7, .. }));
    let error = fault("status");
    assert!(matches!(error, ServicesError::Status { code: Code::PermissionDenied, .. }), "{error:?}");
    assert!(error.to_string().ends_with(r"no\u{1b}"), "{error}");
    assert!(matches!(fault("exit"), ServicesError::Status { .. }));
}
