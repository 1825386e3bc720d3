//! The documents name files, types, functions and tests that exist.

use std::collections::BTreeSet;

use super::tree::{Code, prose, read, tracked, words};

/// The documents that explain this tree.
const DOCUMENTS: [&str; 6] =
    ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", "SECURITY.md", "docs/*.md", "fuzz/README.md"];

/// What belongs to the kernel, to other crates, to go-plugin or to the reader of a document.
const FOREIGN: [&str; 17] = [
    "PLUGIN_UNIX_SOCKET_GROUP",
    "PR_SET_NO_NEW_PRIVS",
    "allowed_signers",
    "artifacts/",
    "compile_fail",
    "dangerous_x",
    "allow_x",
    "inherit_x",
    "with_x",
    "portcullis-audit/",
    "portcullis-consistency/",
    "portcullis-policy/",
    "pre_exec",
    "report.html",
    "result.json",
    "result.svg",
    "target/",
];

/// The endings of the files that documents name without a directory.
const EXTENSIONS: [&str; 7] = [".rs", ".md", ".toml", ".txt", ".proto", ".json", ".svg"];

#[test]
fn documents_name_paths_that_exist() {
    let tracked = tracked(&["."]);
    let exists = |path: &str| {
        let path = path.trim_end_matches('/');
        // A document may leave out the folders that its table or sentence has named.
        tracked.iter().any(|file| format!("/{file}/").contains(&format!("/{path}/")))
    };
    let missing: Vec<_> = spans()
        .filter(|span| is_path(&span.text) && !is_foreign(&span.text) && !exists(&span.text))
        .map(|span| span.to_string())
        .collect();
    assert!(missing.is_empty(), "no such file or folder:\n{}", missing.join("\n"));
}

#[test]
fn documents_name_code_that_exists() {
    let code = Code::read();
    let missing: Vec<_> = spans()
        .filter(|span| is_code(&span.text) && !is_foreign(&span.text) && !exists(&code, &span.text))
        .map(|span| span.to_string())
        .collect();
    assert!(missing.is_empty(), "no such type, function or test:\n{}", missing.join("\n"));
}

#[test]
fn security_names_its_tests() {
    let code = Code::read();
    let tests: BTreeSet<_> = spans().filter(|span| span.document == "SECURITY.md").map(|span| span.text).collect();
    let tests = tests.iter().filter_map(|text| text.rsplit("::").next());
    let count = tests.filter(|name| name.matches('_').count() >= 2 && code.declares(name)).count();
    assert!(count >= 100, "SECURITY.md names only {count} tests");
}

/// One piece of text in backticks.
struct Span {
    document: String,
    line: usize,
    text: String,
}

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: `{}`", self.document, self.line, self.text)
    }
}

fn spans() -> impl Iterator<Item = Span> {
    tracked(&DOCUMENTS).into_iter().flat_map(|document| {
        let text = read(&document);
        let lines = prose(&text).into_iter();
        let spans = lines.flat_map(|(line, text)| {
            let spans = text.split('`').skip(1).step_by(2);
            spans.map(|text| (line, text.to_string())).collect::<Vec<_>>()
        });
        spans.map(|(line, text)| Span { document: document.clone(), line, text }).collect::<Vec<_>>()
    })
}

fn is_foreign(text: &str) -> bool {
    FOREIGN.iter().any(|name| text == *name || name.ends_with('/') && text.starts_with(name))
}

/// Whether a span names a file or a folder of this tree, rather than one of the reader's machine.
fn is_path(text: &str) -> bool {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c));
    let named = text.contains('/') || EXTENSIONS.iter().any(|extension| text.ends_with(extension));
    plain && named && !text.starts_with(['/', '.']) && !text.ends_with('.') || text == ".ci/run"
}

/// Whether a span names something that Rust code declares: `Type`, `Type::method`, `module::case`,
/// `some_function`, `call()`.
fn is_code(text: &str) -> bool {
    let text = text.trim_end_matches("()");
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':');
    let letters: Vec<_> = text.chars().collect();
    let camel = letters.first().is_some_and(char::is_ascii_uppercase) && letters.iter().any(char::is_ascii_lowercase);
    plain && !text.ends_with('_') && !text.ends_with(':') && (camel || text.contains('_') || text.contains("::"))
}

fn exists(code: &Code, text: &str) -> bool {
    let names: Vec<_> = words(text).filter(|name| *name != "portcullis" && *name != "crate").collect();
    match names[..] {
        [] => true,
        // Tests have more words than other functions; a shorter name may be a field.
        [name] if name.matches('_').count() >= 3 && name.starts_with(|c: char| c.is_ascii_lowercase()) => {
            code.declares(name)
        }
        _ => code.uses_together(&names),
    }
}

#[test]
fn spans_are_sorted_by_what_they_name() {
    for path in ["src/host/mod.rs", "deny.toml", "tests/interop/"] {
        assert!(is_path(path) && !is_code(path), "{path}");
    }
    for code in ["Policy::verify", "VerifiedPlugin", "race::exchanged_file_never_runs", "with_bundle()"] {
        assert!(is_code(code) && !is_path(code), "{code}");
    }
    for neither in ["/proc", "--json", "true", "sha256", "cargo test", "{\"v\":1}", "dangerous_"] {
        assert!(!is_code(neither) && !is_path(neither), "{neither}");
    }
}
