//! File inspection: every reported fact is in the file, is bounded and printable, and is the same
//! for a file on disk and for bytes in memory. A policy accepts only programs for this machine.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;

use portcullis::Policy;
use portcullis::inspect::{Content, Executable, GoBuild, Inspection, Script};
use portcullis::verify::{Digest, Linkage, LinkageRule};
use tempfile::NamedTempFile;

use super::display;

/// The largest input in bytes.
const INPUT_BYTES: usize = 1024 * 1024;

thread_local! {
    static FILE: RefCell<NamedTempFile> = RefCell::new(NamedTempFile::with_prefix("fuzz-").expect("a file"));
}

/// Whether `bytes` are an undamaged ELF file.
pub fn check(bytes: &[u8]) -> bool {
    if bytes.len() > INPUT_BYTES {
        return false;
    }
    let content = Content::of_bytes(bytes);
    display::one_line(&content);
    match &content {
        Content::Elf(executable) => is_sound(executable, bytes),
        Content::Script(script) => is_first_line(script, bytes),
        _ => {}
    }
    FILE.with_borrow_mut(|file| {
        write(file, bytes);
        agrees_on_disk(&content, file.path(), bytes);
    });
    content.executable().is_some_and(|executable| executable.damage.is_empty())
}

/// Writes the bytes to an executable file.
fn write(file: &mut NamedTempFile, bytes: &[u8]) {
    file.as_file().set_permissions(PermissionsExt::from_mode(0o755)).expect("a mode");
    file.as_file().set_len(bytes.len() as u64).expect("a size");
    file.as_file().write_all_at(bytes, 0).expect("room");
}

/// The inspection of the file agrees with that of the bytes.
fn agrees_on_disk(content: &Content, path: &Path, bytes: &[u8]) {
    let inspection = Inspection::of(path).expect("it can be read");
    assert_eq!(inspection.content, *content);
    assert_eq!(inspection.digest, Some(Digest::of(bytes)));
    display::lines(&inspection);
    inspection.remarks.iter().for_each(|remark| display::one_line(remark));
    match (&inspection.refusal, content.executable()) {
        (Some(refusal), _) => display::one_line(refusal),
        (None, Some(executable)) => {
            assert!(executable.native && executable.is_program(), "a policy would run {executable:?}");
            is_judged_as_inspected(executable, path, bytes);
        }
        (None, None) => panic!("a policy would run {content}"),
    }
}

/// A policy with a linkage rule accepts a program only if the reported linkage satisfies the rule.
fn is_judged_as_inspected(executable: &Executable, path: &Path, bytes: &[u8]) {
    let policy = |rule| Policy::new().allow(Digest::of(bytes)).with_linkage(rule).verify(path);
    let linkage = &executable.linkage;
    match policy(LinkageRule::new().only_static().no_search_paths().only_libraries([""; 0])) {
        Ok(_) => assert_eq!(*linkage, Linkage::default(), "accepted as a static program"),
        Err(error) => display::lines(&error),
    }
    let names = linkage.needed.iter().chain(&linkage.auxiliary).cloned();
    if let Err(error) = policy(LinkageRule::new().only_libraries(names)) {
        assert!(!executable.damage.is_empty(), "refused although its reported linkage satisfies the rule: {error}");
    }
}

fn is_in(bytes: &[u8], text: &[u8]) -> bool {
    text.is_empty() || bytes.windows(text.len()).any(|part| part == text)
}

fn is_sound(executable: &Executable, bytes: &[u8]) {
    assert!(matches!(executable.bits, 32 | 64));
    executable.damage.iter().for_each(|what| display::one_line(what));
    let linkage = &executable.linkage;
    let search = linkage.search_paths.iter().map(|path| &path.text);
    let named = || linkage.needed.iter().chain(&linkage.auxiliary);
    assert!(named().count() + linkage.search_paths.len() <= 512);
    let names = linkage.interpreter.iter().chain(&linkage.soname).chain(named().take(8)).chain(search.take(8));
    for name in names.map(|name| name.as_bytes()) {
        assert!(name.len() <= 4096 && !name.contains(&0));
        assert!(is_in(bytes, &[name, b"\0"].concat()), "{} is not in it", name.escape_ascii());
    }
    let build_id = executable.build_id.as_deref().unwrap_or_default();
    assert!(build_id.len() <= 64 && is_in(bytes, build_id));
    assert!(!executable.names_dlopen || is_in(bytes, b"dlopen\0") || is_in(bytes, b"dlmopen\0"));
    executable.go.iter().for_each(|go| is_go_build_in(go, bytes));
}

fn is_go_build_in(go: &GoBuild, bytes: &[u8]) {
    let modules = go.main.iter().chain(go.dependencies.iter().take(8));
    let modules = modules.flat_map(|module| [&module.path, &module.version].into_iter().chain(&module.sum));
    for text in [&go.version].into_iter().chain(&go.path).chain(modules).chain(go.settings.iter().take(8)) {
        assert!(is_in(bytes, text.as_bytes()), "{text:?} is not in it");
    }
    assert!(go.dependencies.len() + go.settings.len() <= 16 * 1024);
}

/// The kernel reads 256 bytes, and ends the interpreter at a blank (execve(2)).
fn is_first_line(script: &Script, bytes: &[u8]) {
    let start = &bytes[..bytes.len().min(256)];
    let parts = [script.interpreter.as_os_str()].into_iter().chain(script.argument.as_deref());
    for part in parts.map(OsStr::as_bytes) {
        assert!(is_in(start, part) && !part.iter().any(|byte| matches!(byte, b'\n' | 0)));
    }
    assert!(!script.interpreter.as_bytes().iter().any(|byte| matches!(byte, b' ' | b'\t')));
}
