//! The observations of a probe as one JSON document. Foreign text is escaped, as in the text
//! output.

use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use cli_support::{Exit, Problem};
use portcullis::host::{
    Exit as ProcessExit, Hardening, LaunchReport, Services, ServicesError, Shutdown, StartFault, Timings,
};
use portcullis::{Chain, Error, Escaped};
use serde_json::{Map, Value, json};

use super::session::{Observations, ProbeError};
use super::{Arguments, ending, stage};
use crate::OUTPUT;
use crate::verdict;

pub(super) fn show(arguments: &Arguments, probed: &Result<Observations, ProbeError>, exit: Exit) -> Exit {
    let mut body = vec![("file", Escaped::path(&arguments.file).to_string().into())];
    match probed {
        Ok(observed) => {
            body.push(("plugin", plugin(&observed.report)));
            body.push(("services", services(&observed.services)));
            body.push(("shutdown", shutdown(observed.shutdown)));
            body.push(("stderr", lines(&observed.stderr)));
            if let Some(trouble) = observed.trouble() {
                body.push(("error", at_stage("ready", &Problem::new("probe-failed", trouble))));
            }
        }
        Err(fault) => body.push(("error", error(fault))),
    }
    OUTPUT.json("probe", exit, body)
}

fn plugin(report: &LaunchReport) -> Value {
    let handshake = &report.handshake;
    json!({
        "process": report.pid,
        "sha256": report.digest.to_string(),
        "image": report.mode.to_string(),
        "manifest": report.manifest.map(|manifest| manifest.to_string()),
        "attestations": report.attestations.iter().map(verdict::attestation).collect::<Vec<_>>(),
        "version": report.version,
        "handshake": {
            "core": handshake.core,
            "version": handshake.version,
            "network": handshake.network.to_string(),
            "address": Escaped::new(&handshake.address).to_string(),
            "protocol": Escaped::new(&handshake.protocol).to_string(),
            "multiplexing": handshake.multiplexing,
        },
        "peer_check": report.peer_check.to_string(),
        "tls": { "version": report.tls_version, "cipher_suite": report.cipher_suite, "alpn": report.alpn },
        "host_certificate": { "sha256": report.host_certificate.to_string() },
        "plugin_certificate": {
            "sha256": report.plugin_certificate.to_string(),
            "key": report.plugin_key.to_string(),
        },
        "environment": report.environment.iter().map(|name| Escaped::new(name.as_bytes()).to_string()).collect::<Vec<_>>(),
        "enforced": report.hardening.iter().map(Hardening::to_string).collect::<Vec<_>>(),
        "start_microseconds": timings(&report.timings),
    })
}

fn timings(timings: &Timings) -> Value {
    let microseconds = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    json!({
        "process": microseconds(timings.process),
        "handshake_line": microseconds(timings.handshake_line),
        "connection": microseconds(timings.connection),
        "tls": microseconds(timings.tls),
        "http2": microseconds(timings.http2),
        "health": microseconds(timings.health),
        "total": microseconds(timings.total()),
    })
}

fn services(services: &Result<Services, ServicesError>) -> Value {
    match services {
        Ok(Services::Listed { names, reflection, .. }) => json!({
            "reflection": reflection.to_string(),
            "names": names.iter().map(|name| Escaped::new(name).to_string()).collect::<Vec<_>>(),
        }),
        Ok(Services::Unlisted { wire, .. }) => {
            let wire = wire.iter().map(|service| (service.name.into(), service.presence.to_string().into()));
            json!({ "reflection": null, "wire": wire.collect::<Map<String, Value>>() })
        }
        Ok(other) => json!({ "error": other.to_string() }),
        Err(error) => json!({ "error": error.to_string() }),
    }
}

fn shutdown(shutdown: Shutdown) -> Value {
    json!({ "ending": ending(shutdown.path), "exit": shutdown.exit.map(exit) })
}

fn exit(exit: ProcessExit) -> Value {
    match exit {
        ProcessExit::Code(code) => json!({ "code": code }),
        ProcessExit::Signal(signal) => json!({ "signal": signal }),
        _ => json!({}),
    }
}

fn error(fault: &ProbeError) -> Value {
    let problem = match fault {
        ProbeError::Source(error) => Problem::of(error),
        ProbeError::Launch(error) => Problem::of(error),
        ProbeError::Environment(error) => Problem::of(error).with_code(error.code()),
        other => Problem::new(stage(other), other),
    };
    let mut error = at_stage(stage(fault), &problem);
    if let ProbeError::Launch(Error::Start(start)) = fault {
        error["message"] = Chain::of(&start.fault).to_string().into();
        error["exit"] = start.exit.map(exit).into();
        error["stderr"] = lines(&start.stderr);
        if let StartFault::Timeout { waiting_for } = &start.fault {
            error["waiting_for"] = waiting_for.to_string().into();
        }
    }
    error
}

/// A problem of a launch, with its text as `message`.
fn at_stage(stage: &str, problem: &Problem) -> Value {
    let mut object = problem.object(Exit::Failed);
    let message = object.remove("error").unwrap_or_default();
    object.insert("message".into(), message);
    object.insert("stage".into(), stage.into());
    object.into()
}

fn lines(text: &[u8]) -> Value {
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| Value::from(Escaped::new(line).to_string())).collect()
}
