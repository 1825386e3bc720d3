//! What is shown of a plugin that was ready.

use serde_json::{Value, json};

use crate::place::{OWN_DIGEST, Place};

pub(crate) fn plugin_is_launched_shown_and_shut_down() {
    let ran = Place::new().run(&[], "serve").exits_with(0);
    let lines: Vec<_> = ran.stdout().lines().collect();
    assert!(lines[0].ends_with(": READY"), "{}", ran.stdout());
    let labels: Vec<_> = lines[1..].iter().map(|line| line[2..15].trim_end()).collect();
    let expected = [
        "process",
        "digest",
        "accepted",
        "image",
        "version",
        "handshake",
        "peer",
        "connection",
        "certificates",
        "",
        "environment",
        "enforced",
        "start",
        "services",
        "end",
    ];
    assert_eq!(labels, expected);
    assert_eq!(lines[2], format!("  digest       sha256 {}", *OWN_DIGEST));
    assert_eq!(lines[15], "  end          exited on request, exit status 0");
    assert_eq!(ran.stderr(), "");
}

/// The same document with the type in place of every value that differs from probe to probe.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (name.clone(), shape(value))).collect())
        }
        Value::Array(values) => values.first().map_or(json!([]), |first| json!([shape(first)])),
        Value::String(_) => "string".into(),
        Value::Number(number) if number.is_u64() => "number".into(),
        other => other.clone(),
    }
}

pub(crate) fn document_has_this_shape() {
    let ran = Place::new().run(&["--json"], "serve").exits_with(0);
    let document = ran.document();
    let expected = json!({
        "schema": "number",
        "verb": "string",
        "outcome": "string",
        "file": "string",
        "plugin": {
            "process": "number",
            "sha256": "string",
            "image": "string",
            "manifest": null,
            "attestations": [{ "kind": "string" }],
            "version": "number",
            "handshake": {
                "core": "number",
                "version": "number",
                "network": "string",
                "address": "string",
                "protocol": "string",
                "multiplexing": null,
            },
            "peer_check": "string",
            "tls": { "version": "string", "cipher_suite": "string", "alpn": "string" },
            "host_certificate": { "sha256": "string" },
            "plugin_certificate": { "sha256": "string", "key": "string" },
            "environment": ["string"],
            "enforced": ["string"],
            "start_microseconds": {
                "process": "number",
                "handshake_line": "number",
                "connection": "number",
                "tls": "number",
                "http2": "number",
                "health": "number",
                "total": "number",
            },
        },
        "services": {
            "reflection": null,
            "wire": {
                "grpc.health.v1.Health": "string",
                "plugin.GRPCBroker": "string",
                "plugin.GRPCController": "string",
                "plugin.GRPCStdio": "string",
            },
        },
        "shutdown": { "ending": "string", "exit": { "code": "number" } },
        "stderr": [],
    });
    assert_eq!(shape(&document), expected);
    assert_eq!(
        (&document["schema"], &document["verb"], &document["outcome"]),
        (&2.into(), &"probe".into(), &"ok".into())
    );
    assert_eq!(document["plugin"]["sha256"], OWN_DIGEST.as_str());
    assert_eq!(document["services"]["wire"]["grpc.health.v1.Health"], "offered");
    assert_eq!(document["shutdown"], json!({ "ending": "exited on request", "exit": { "code": 0 } }));
    assert_eq!(ran.stderr(), "");
}

pub(crate) fn listed_services_are_displayed_escaped() {
    let place = Place::new();
    let ran = place.run(&[], "list").exits_with(0);
    let line = r"  services     \u{1b}[31m\nkv: OK, a.B (reflection v1)";
    assert!(ran.stdout().lines().any(|found| found == line), "{}", ran.stdout());
    let document = place.run(&["--json"], "list").exits_with(0).document();
    let names = [r"\u{1b}[31m\nkv: OK", "a.B"];
    assert_eq!(document["services"], json!({ "reflection": "v1", "names": names }));
}

pub(crate) fn only_named_variables_reach_the_plugin() {
    let place = Place::new();
    let options =
        ["--json", "--env", "NAMED=1", "--env", "INHERITED", "--cookie", "BASIC_PLUGIN=hello", "--protocol", "3"];
    let mut probe = place.probe(&[&options[..], &["--protocol", "1"]].concat(), "serve");
    let output = probe.env("INHERITED", "1").env("OTHER", "1").output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: Vec<_> =
        document["plugin"]["environment"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let own: Vec<_> = names.iter().filter(|name| !name.starts_with("PLUGIN_")).collect();
    assert_eq!(own, [&"BASIC_PLUGIN", &"INHERITED", &"NAMED"]);
    assert_eq!(document["plugin"]["version"], 1);
}

pub(crate) fn private_copy_is_launched_and_removed() {
    let place = Place::new();
    let copies = place.path().join("t").to_str().unwrap().to_owned();
    let ran = place.run(&["--json", "--private-copy", &copies], "serve").exits_with(0);
    assert_eq!(ran.document()["plugin"]["image"], "private copy");
}
