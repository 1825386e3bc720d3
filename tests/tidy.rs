//! The house rules that a compiler does not know: module edges, fresh generated code, what the
//! default tree is free of, where unsafe code may be, and that the documents name tests that exist.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../xtask/src/codegen.rs"]
mod codegen;
#[path = "tidy/lines.rs"]
mod lines;
#[path = "tidy/names.rs"]
mod names;
#[path = "tidy/numbers.rs"]
mod numbers;
#[path = "tidy/tree.rs"]
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What each stage may use of the others. Everybody may use `escape`; nobody but `host` and
/// `plugin` composes.
const EDGES: [(&str, &[&str]); 21] = [
    ("sys", &[]),
    ("worker", &[]),
    ("environment", &[]),
    ("fs", &["worker"]),
    ("digest", &[]),
    ("verify", &["digest", "fs", "sys"]),
    ("inspect", &["digest", "fs", "verify"]),
    ("authoring", &["digest", "fs", "verify"]),
    ("event", &["digest"]),
    ("audit", &["digest", "event", "fs", "verify", "worker"]),
    ("launch", &["environment", "exec", "fs", "sys", "verify", "worker"]),
    ("exec", &["environment", "sys", "verify"]),
    ("machine", &["fs", "sys", "verify"]),
    ("handshake", &[]),
    ("tls", &["digest", "handshake"]),
    ("transport", &["handshake", "launch", "sys", "tls"]),
    ("rpc", &["transport"]),
    ("protocol", &[]),
    ("error", &["audit", "event", "handshake", "launch", "rpc", "tls", "transport", "verify"]),
    (
        "host",
        &[
            "audit",
            "digest",
            "error",
            "event",
            "handshake",
            "launch",
            "fs",
            "protocol",
            "rpc",
            "sys",
            "tls",
            "transport",
            "verify",
        ],
    ),
    ("plugin", &["handshake", "launch", "fs", "rpc", "sys", "tls", "transport"]),
];

/// What `lib.rs` offers under a short name, and where it comes from.
const PAVED: [(&str, &str); 8] = [
    ("Chain", "escape"),
    ("Digest", "digest"),
    ("DigestError", "digest"),
    ("Error", "error"),
    ("Escaped", "escape"),
    ("MESSAGE_LIMIT", "escape"),
    ("Policy", "verify"),
    ("Protocol", "protocol"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(directory: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut directories = vec![root().join(directory)];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                directories.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&entry).unwrap();
                found.push((entry.strip_prefix(root()).unwrap().to_path_buf(), text));
            }
        }
    }
    assert!(!found.is_empty());
    found
}

fn is_generated(path: &Path) -> bool {
    path.to_string_lossy().contains("/generated/") && path.file_name().unwrap() != "mod.rs"
}

/// The production part of a file: without comments, documentation and what follows `#[cfg(test)]`.
fn code(text: &str) -> String {
    let before_tests = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let lines = before_tests.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The modules at the top of the crate that a piece of code names through `crate::`.
fn used(code: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for piece in code.split("crate::").skip(1) {
        let names = match piece.strip_prefix('{') {
            // `use crate::{a, b::c}`: the names at the first level.
            Some(group) => first_level(group),
            None => vec![piece.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap().to_string()],
        };
        for name in names {
            let paved = PAVED.iter().find(|(short, _)| *short == name).map(|(_, module)| (*module).to_string());
            used.insert(paved.unwrap_or(name));
        }
    }
    used
}

fn first_level(group: &str) -> Vec<String> {
    let (mut depth, mut names, mut name) = (0, Vec::new(), String::new());
    for character in group.chars() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(std::mem::take(&mut name)),
            _ if depth == 0 => name.push(character),
            _ => {}
        }
    }
    names.push(name);
    names
        .iter()
        .map(|name| name.trim().split("::").next().unwrap().to_string())
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn stages_use_only_earlier_stages() {
    let allowed: BTreeMap<&str, &[&str]> = EDGES.into_iter().collect();
    for (path, text) in rust_files("src") {
        let stage = path.components().nth(1).unwrap().as_os_str().to_string_lossy().replace(".rs", "");
        if ["lib", "escape", "limits", "timing"].contains(&stage.as_str())
            || path.ends_with("tests.rs")
            || path.iter().any(|part| part == "tests")
        {
            continue;
        }
        let allowed = allowed.get(stage.as_str()).unwrap_or_else(|| panic!("no edges are stated for {stage}"));
        for module in used(&code(&text)) {
            let everywhere = ["escape", "limits", "timing"].contains(&module.as_str());
            let fine = module == stage || everywhere || allowed.contains(&module.as_str());
            assert!(fine, "{}: {stage} must not use {module}", path.display());
        }
    }
}

#[test]
fn edge_check_sees_every_use() {
    let code = "use crate::{Digest, rpc, tls::{A, B}};\nuse crate::verify::X;\nlet y = crate::launch::Z;";
    let expected = ["digest", "launch", "rpc", "tls", "verify"].map(String::from);
    assert_eq!(used(code), BTreeSet::from(expected));
}

#[test]
fn generated_code_is_fresh() {
    for (path, text) in codegen::generate(root()).unwrap() {
        let committed = fs::read_to_string(root().join(&path)).unwrap();
        assert!(committed == text, "{} is stale; run `cargo codegen`", path.display());
    }
}

#[test]
fn every_file_opens_with_its_job_and_boundary() {
    let fuzz = ["fuzz/examples", "fuzz/fuzz_targets", "fuzz/src"];
    let packages = ["src", "benches", "tests", "certs-tooling", "cli-support", "plugin-verify", "examples", "xtask"];
    for directory in packages.into_iter().chain(fuzz) {
        for (path, text) in rust_files(directory) {
            assert!(is_generated(&path) || text.starts_with("//!"), "{} does not", path.display());
        }
    }
}

#[test]
fn unsafe_code_is_in_one_file() {
    for (path, text) in rust_files("src") {
        let code = code(&text);
        let uses = code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe");
        assert_eq!(uses, path == Path::new("src/sys.rs"), "{}", path.display());
    }
    for stage in [
        "authoring",
        "exec",
        "inspect",
        "machine",
        "fs",
        "verify",
        "handshake",
        "tls",
        "transport",
        "rpc",
        "host",
        "plugin",
    ] {
        let contents = fs::read_to_string(root().join(format!("src/{stage}/mod.rs"))).unwrap();
        assert!(contents.contains("#![forbid(unsafe_code)]"), "{stage} does not forbid unsafe code");
    }
}

fn tree(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--prefix", "none", "--edges", "normal,build"])
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn has(tree: &str, name: &str) -> bool {
    tree.lines()
        .any(|line| line.split(' ').next().is_some_and(|krate| krate == name || krate.starts_with(&format!("{name}-"))))
}

#[test]
fn the_default_tree_is_free_of_other_cryptography() {
    let tree = tree(&["--package", "portcullis"]);
    assert!(has(&tree, "ring") && has(&tree, "rustls"), "{tree}");
    for name in ["aws-lc", "openssl", "native-tls", "rustls-pemfile", "boring"] {
        assert!(!has(&tree, name), "{name} is in the default tree");
    }
}

#[test]
fn verifying_needs_no_runtime_and_no_tls() {
    let tree = tree(&["--package", "portcullis", "--no-default-features", "--features", "verify"]);
    assert!(has(&tree, "sha2"), "{tree}");
    for name in ["tokio", "rustls", "ring", "tonic"] {
        assert!(!has(&tree, name), "{name} is in the tree of `verify`");
    }
}

#[test]
fn plugin_author_builds_no_verifier() {
    let tree = tree(&["--package", "portcullis", "--no-default-features", "--features", "plugin"]);
    assert!(has(&tree, "tonic"), "{tree}");
    for name in ["minisign", "object", "semver", "toml"] {
        assert!(!has(&tree, name), "{name} is in the tree of `plugin`");
    }
}

#[test]
fn plugin_verify_without_probe_needs_no_runtime() {
    let with = tree(&["--package", "plugin-verify"]);
    let without = tree(&["--package", "plugin-verify", "--no-default-features"]);
    // ring, of which audit logs need Ed25519 and HMAC, is no TLS.
    for name in ["tokio", "rustls", "tokio-rustls", "tonic"] {
        assert!(has(&with, name), "{name} is not in the tree of `plugin-verify`: {with}");
        assert!(!has(&without, name), "{name} is in the tree of `plugin-verify` without `probe`");
    }
}

#[test]
fn certs_tooling_is_not_in_the_runtimes_tree() {
    assert!(!has(&tree(&["--package", "portcullis", "--all-features"]), "certs-tooling"));
    // The other way round it is, and without other cryptography.
    let tree = tree(&["--package", "certs-tooling"]);
    assert!(has(&tree, "certs-tooling") && has(&tree, "portcullis") && has(&tree, "ring"), "{tree}");
    for name in ["aws-lc", "openssl", "native-tls", "boring"] {
        assert!(!has(&tree, name), "{name} is in the tree of certs-tooling");
    }
}
