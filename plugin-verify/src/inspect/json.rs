//! An inspection as JSON. Foreign text is escaped as in the text output; numbers and enumerations
//! are for programs.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use cli_support::{Exit, Problem};
use portcullis::Escaped;
use portcullis::inspect::{
    Capabilities, Content, Executable, ExecutableKind, Exposure, ExternalFile, FileCapabilities, GoBuild, GoModule,
    InspectError, Inspection, Relro, SearchEntry, StackUse,
};
use portcullis::verify::SearchPathKind;
use serde_json::{Value, json};

fn text(foreign: impl AsRef<OsStr>) -> String {
    Escaped::new(foreign.as_ref().as_bytes()).to_string()
}

/// A file that could not be inspected.
pub(super) fn failure(file: &Path, error: &InspectError) -> Value {
    let mut failure = Problem::of(error).with_code(error.code()).object(Exit::Failed);
    failure.insert("path".into(), text(file).into());
    failure.into()
}

/// The whole inspection of a file.
pub(super) fn inspection(of: &Inspection) -> Value {
    let warnings: Vec<_> =
        of.remarks.iter().map(|remark| json!({ "name": remark.code(), "text": remark.to_string() })).collect();
    json!({
        "path": text(&of.path),
        "location": text(&of.location),
        "link": of.link.as_ref().map(text),
        "size": of.size,
        "sha256": of.digest.map(|digest| digest.to_string()),
        "mode": format!("{:04o}", of.mode),
        "owner": of.owner,
        "group": of.group,
        "capabilities": of.capabilities.as_ref().map(capabilities),
        "format": of.content.name(),
        "elf": of.content.executable().map(executable),
        "script": script(&of.content),
        "interpreter": of.interpreter.as_ref().map(outside),
        "search": of.search.iter().map(search_entry).collect::<Vec<_>>(),
        "exposure": of.exposure.as_ref().map(exposure),
        "refusal": of.refusal.as_ref().map(|refusal| Problem::refusal(refusal).object(Exit::Refused)),
        "warnings": warnings,
    })
}

fn script(content: &Content) -> Option<Value> {
    match content {
        Content::Script(script) => Some(json!({
            "interpreter": text(&script.interpreter),
            "argument": script.argument.as_ref().map(text),
            "cut": script.cut,
        })),
        _ => None,
    }
}

fn executable(of: &Executable) -> Value {
    let linkage = &of.linkage;
    let names = |list: &[std::ffi::OsString]| list.iter().map(text).collect::<Vec<_>>();
    json!({
        "bits": of.bits,
        "byte_order": if of.little_endian { "little" } else { "big" },
        "machine": of.machine.to_string(),
        "machine_number": of.machine.0,
        "native": of.native,
        "kind": kind(of.kind),
        "static": of.is_program().then(|| linkage.is_static()),
        "interpreter": linkage.interpreter.as_ref().map(text),
        "needed": names(&linkage.needed),
        "auxiliary": names(&linkage.auxiliary),
        "soname": linkage.soname.as_ref().map(text),
        "stack": match of.stack {
            StackUse::Data => "not-executable",
            StackUse::Executable => "executable",
            _ => "unstated",
        },
        "relro": match of.relro {
            Relro::Full => "full",
            Relro::Partial => "partial",
            _ => "none",
        },
        "build_id": of.build_id.as_ref().map(|id| id.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
        "symbols": of.symbols,
        "debug_information": of.debug_information,
        "stripped": of.is_stripped(),
        "names_dlopen": of.names_dlopen,
        "go": of.go.as_ref().map(go),
        "damage": of.damage,
    })
}

fn kind(kind: ExecutableKind) -> &'static str {
    match kind {
        ExecutableKind::Program => "program",
        ExecutableKind::PositionIndependentProgram => "pie",
        ExecutableKind::StaticPie => "static-pie",
        ExecutableKind::SharedLibrary => "shared-library",
        ExecutableKind::Object => "object",
        ExecutableKind::Core => "core",
        _ => "other",
    }
}

fn go(of: &GoBuild) -> Value {
    json!({
        "version": text(&of.version),
        "path": of.path.as_ref().map(text),
        "main": of.main.as_ref().map(module),
        "dependencies": of.dependencies.iter().map(module).collect::<Vec<_>>(),
        "settings": of.settings.iter().map(text).collect::<Vec<_>>(),
    })
}

fn module(of: &GoModule) -> Value {
    json!({
        "path": text(&of.path),
        "version": text(&of.version),
        "sum": of.sum.as_ref().map(text),
        "replacement": of.replacement.as_deref().map(module),
    })
}

fn capabilities(of: &FileCapabilities) -> Value {
    match of {
        FileCapabilities::Known(known) => json!({
            "text": known.to_string(),
            "revision": known.revision,
            "effective": known.effective,
            "permitted": Capabilities::names(known.permitted),
            "inheritable": Capabilities::names(known.inheritable),
            "root": known.root,
        }),
        unknown => json!({ "text": unknown.to_string() }),
    }
}

fn search_entry(of: &SearchEntry) -> Value {
    json!({
        "kind": match of.kind {
            SearchPathKind::Rpath => "rpath",
            _ => "runpath",
        },
        "text": text(&of.text),
        "origin": of.origin,
        "relative": of.is_relative(),
        "place": of.place.as_ref().map(outside),
    })
}

fn outside(of: &ExternalFile) -> Value {
    json!({ "path": text(&of.path), "exists": of.exists, "exposure": of.exposure.as_ref().map(exposure) })
}

fn exposure(of: &Exposure) -> Value {
    json!({ "path": text(&of.path), "owner": of.owner, "mode": format!("{:04o}", of.mode) })
}
