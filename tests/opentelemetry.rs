//! The audit log through OpenTelemetry: each record is exported with everything that its
//! verification needs. A separate process, because a process has one global subscriber.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;

use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::logs::{InMemoryLogExporter, SdkLoggerProvider};
use portcullis::audit::{Log, LogKey, Record, TracingSink};
use portcullis::event::Event;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// The severity and the attributes of each exported record.
fn exported(exporter: &InMemoryLogExporter) -> Vec<(String, BTreeMap<String, String>)> {
    let logs = exporter.get_emitted_logs().unwrap();
    let ours = logs.iter().filter(|log| log.record.target().is_some_and(|target| target == "portcullis::audit"));
    ours.map(|log| {
        let attributes = log.record.attributes_iter().map(|(key, value)| (key.to_string(), text(value)));
        (log.record.severity_text().unwrap_or_default().to_owned(), attributes.collect())
    })
    .collect()
}

fn text(value: &opentelemetry::logs::AnyValue) -> String {
    match value {
        opentelemetry::logs::AnyValue::String(text) => text.to_string(),
        opentelemetry::logs::AnyValue::Int(number) => number.to_string(),
        other => panic!("unexpected attribute type: {other:?}"),
    }
}

#[test]
fn exported_records_keep_fields_and_verify() {
    let exporter = InMemoryLogExporter::default();
    let provider = SdkLoggerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let bridge = OpenTelemetryTracingBridge::new(&provider);
    tracing_subscriber::registry().with(bridge).init();

    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("log");
    let log =
        Log::builder(&path, LogKey::generate("example/log").unwrap()).with_sink(TracingSink::new()).open().unwrap();
    let refused = r#"{"type":"verification","plugin":"kv","verdict":"refused","reason":"why","findings":[]}"#;
    let called = r#"{"type":"call","launch":"00c0ffee00c0ffee","call":1,"method":"/proto.KV/Get","request":{"messages":0,"bytes":0}}"#;
    let lost = r#"{"type":"lost","records":2}"#;
    for event in [refused, called, lost] {
        log.append(serde_json::from_str::<Event>(event).unwrap()).unwrap();
    }
    log.close().unwrap();

    let exported = exported(&exporter);
    let lines: Vec<_> = exported.iter().map(|(_, attributes)| attributes["audit.record"].as_str()).collect();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(lines, text.lines().collect::<Vec<_>>(), "the whole log, in order");
    for (number, (_, attributes)) in exported.iter().enumerate() {
        let record = Record::parse(attributes["audit.record"].as_bytes()).unwrap();
        let of = |name: &str| attributes[name].clone();
        assert_eq!((of("audit.seq"), of("audit.time")), (number.to_string(), record.time()));
        assert_eq!(
            (of("audit.hash"), of("audit.type")),
            (record.hash().to_string(), record.event().unwrap().kind().into())
        );
    }
    let severities: Vec<_> = exported.iter().map(|(severity, _)| severity.as_str()).collect();
    assert_eq!(severities, ["INFO", "WARN", "INFO", "WARN", "INFO", "INFO"]);
    let (refusal, call) = (&exported[1].1, &exported[2].1);
    assert_eq!((refusal["audit.plugin"].as_str(), refusal["audit.verdict"].as_str()), ("kv", "refused"));
    assert_eq!((call["audit.launch"].as_str(), call["audit.method"].as_str()), ("00c0ffee00c0ffee", "/proto.KV/Get"));
    assert!(!call.contains_key("audit.verdict"), "a missing field became an attribute: {call:?}");
}
