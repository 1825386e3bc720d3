//! Manifests as text: valid ones are read, others are refused with the place, and a described
//! manifest is read back.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use super::*;
use crate::authoring::{Claims, ManifestError};
use crate::verify::SourceFault;

const DIGEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn head(extra: &str) -> String {
    format!(
        "format = \"portcullis-manifest/1\"\nname = \"kv\"\nversion = \"1.2.0\"\nplatform = \"any\"\nprogram = \"kv\"\n{extra}"
    )
}

fn file(path: &str) -> String {
    format!("[[file]]\npath = \"{path}\"\nsha256 = \"{DIGEST}\"\nsize = 3\n")
}

fn read(text: &str) -> Result<Manifest, SourceError> {
    Manifest::from_bytes("m", text)
}

fn fault(text: &str) -> (Option<usize>, SourceFault) {
    let error = read(text).unwrap_err();
    (error.line, error.fault)
}

#[test]
fn all_keys_of_a_manifest_are_read() {
    let text = head("minimum-version = \"1.1.0\"\nexpires = 2027-01-31T12:00:00Z\n")
        + "[interpreter]\npath = \"lib/python\"\narguments = [\"-I\"]\n"
        + &file("kv")
        + &file("lib/python")
        + "executable = true\n";
    let manifest = read(&text).unwrap();
    assert_eq!(manifest.digest(), Digest::of(&text));
    assert_eq!((manifest.name().as_str(), manifest.version().to_string().as_str()), ("kv", "1.2.0"));
    assert_eq!(manifest.minimum_version().unwrap().to_string(), "1.1.0");
    assert_eq!(manifest.expires().unwrap().to_string(), "2027-01-31T12:00:00Z");
    assert_eq!(manifest.program().as_str(), "kv");
    let interpreter = manifest.interpreter().unwrap();
    assert_eq!(interpreter.arguments, ["-I"]);
    assert_eq!(interpreter.program, InterpreterProgram::Bundled("lib/python".parse().unwrap()));
    let files: Vec<_> = manifest.files().map(|(path, file)| (path.as_str(), file.size, file.executable)).collect();
    assert_eq!(files, [("kv", 3, false), ("lib/python", 3, true)]);
    assert_eq!(manifest.size(), 6);
    assert!(!manifest.is_single_file());
}

#[test]
fn plugin_may_be_one_self_contained_file() {
    let installed = format!("[interpreter]\npath = \"/bin/x\"\nsha256 = \"{DIGEST}\"\nsize = 3\n");
    let deep = head("").replace("program = \"kv\"", "program = \"lib/kv\"") + &file("lib/kv");
    for (text, expected) in [
        (head("") + &file("kv"), true),
        (head("") + &file("kv") + &file("module"), false),
        (head(&installed) + &file("kv"), false),
        (deep, false),
    ] {
        assert_eq!(read(&text).unwrap().is_single_file(), expected, "{text}");
    }
}

#[test]
fn interpreter_argument_limits_match_their_messages() {
    let with = |count: usize, length: usize| {
        let arguments = vec![format!("\"{}\"", "a".repeat(length)); count].join(", ");
        read(&(head(&format!("[interpreter]\npath = \"kv\"\narguments = [{arguments}]\n")) + &file("kv")))
    };
    assert!(with(64, 4096).is_ok());
    for (count, length) in [(65, 1), (1, 4097)] {
        let fault = with(count, length).unwrap_err().fault;
        assert!(matches!(fault, SourceFault::Manifest(ManifestFault::Arguments)), "{count} of {length}: {fault:?}");
    }
}

#[test]
fn minimum_version_itself_may_run() {
    let manifest = read(&(head("minimum-version = \"1.2.0\"\n") + &file("kv"))).unwrap();
    assert_eq!(manifest.minimum_version(), Some(manifest.version()));
}

#[test]
fn inconsistent_manifest_is_refused_with_line() {
    let interpreter = |body: &str| head(&format!("[interpreter]\n{body}\n")) + &file("kv");
    let pinned = format!("sha256 = \"{DIGEST}\"\nsize = 3");
    for (text, line, expected) in [
        (head("") + &file("kv") + &file("kv"), 10, "kv appears twice"),
        (head("") + &file("kv") + &file("kv/x"), 6, "kv is a file, but other files are in it"),
        (head("") + &file("kv") + &file("manifest.toml"), 10, "manifest.toml is the name of the manifest itself"),
        (head("") + &file("other"), 5, "the program kv is not among the files"),
        (interpreter("path = \"python\""), 6, "the interpreter python is not among the files"),
        (interpreter("path = \"/usr/x\""), 6, "an interpreter with an absolute path needs `sha256` and `size`"),
        (
            interpreter(&format!("path = \"/usr/../x\"\n{pinned}")),
            6,
            "the path of the interpreter must be absolute and plain, or that of a file of the plugin",
        ),
        (
            interpreter(&format!("path = \"kv\"\n{pinned}")),
            6,
            "an interpreter among the files of the plugin has `sha256` and `size` there, not here",
        ),
        (
            interpreter("path = \"kv\"\narguments = [\"a\\u0000\"]"),
            6,
            "an interpreter accepts at most 64 arguments of at most 4096 bytes, without NUL",
        ),
        (
            head("minimum-version = \"1.2.1\"\n") + &file("kv"),
            6,
            "the minimum version 1.2.1 is above the version of the manifest",
        ),
    ] {
        let (found, fault) = fault(&text);
        assert_eq!((found, fault.to_string().as_str()), (Some(line), expected), "{text}");
    }
}

#[test]
fn malformed_manifest_is_refused_with_reason() {
    assert!(matches!(fault(""), (None, SourceFault::Empty)));
    assert!(matches!(fault(" \n"), (None, SourceFault::Empty)));
    assert!(matches!(fault(&head("")), (None, SourceFault::Empty)));
    let other = head("").replace("manifest/1", "manifest/2");
    assert_eq!(
        read(&other).unwrap_err().to_string(),
        r#"m:1: expected format "portcullis-manifest/1", found "portcullis-manifest/2""#
    );
    let number = head("").replace("name = \"kv\"", "name = 3") + &file("kv");
    assert!(fault(&number).1.to_string().contains("expected a string"), "{:?}", fault(&number));
    for (old, new, line) in [
        ("name = \"kv\"", "name = \"../kv\"", 2),
        ("version = \"1.2.0\"", "version = \"1.2\"", 3),
        ("platform = \"any\"", "platform = \"Linux\"", 4),
        ("program = \"kv\"", "program = \"../kv\"", 5),
        ("program = \"kv\"", "program = \"kv\"\nunknown = 1", 6),
        ("program = \"kv\"", "program = \"kv\"\nexpires = 2027-01-31", 6),
        ("program = \"kv\"", "program = \"kv\"\nname = \"kv\"", 6),
        ("size = 3", "size = -3", 9),
        ("size = 3", "size = 3.5", 9),
        ("9f86d0", "9f86dg", 8),
    ] {
        let text = (head("") + &file("kv")).replacen(old, new, 1);
        let (found, fault) = fault(&text);
        assert!(matches!(fault, SourceFault::Toml { .. }), "{text}: {fault:?}");
        assert_eq!(found, Some(line), "{text}");
    }
}

#[test]
fn manifest_covers_one_plugin_platform_and_period() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let (kv, other): (PluginName, PluginName) = ("kv".parse().unwrap(), "other".parse().unwrap());
    let here = Platform::current();
    let text = head(&format!("expires = {}\n", Expiry::at(now + Duration::from_secs(1)))) + &file("kv");
    let manifest = read(&text).unwrap();
    assert_eq!(manifest.check(&kv, &here, now), Ok(()));
    assert!(matches!(manifest.check(&other, &here, now), Err(Refusal::OtherPlugin { .. })));
    assert!(matches!(manifest.check(&kv, &here, now + Duration::from_secs(1)), Err(Refusal::Expired { .. })));
    let foreign = read(&text.replace("\"any\"", "\"plan9-vax\"")).unwrap();
    assert!(matches!(foreign.check(&kv, &here, now), Err(Refusal::OtherPlatform { .. })));
}

#[test]
fn described_manifest_matches_the_files() {
    let place = tempfile::tempdir().unwrap();
    let top = place.path();
    fs::create_dir(top.join("lib")).unwrap();
    for (name, mode) in [("run", 0o755), ("lib/a \"quoted\" ž.py", 0o644)] {
        fs::write(top.join(name), name).unwrap();
        fs::set_permissions(top.join(name), Permissions::from_mode(mode)).unwrap();
    }
    fs::write(top.join("manifest.toml"), "an older one").unwrap();
    fs::write(top.join("manifest.toml.minisig"), "its signature").unwrap();
    let claims = Claims::new("kv".parse().unwrap(), Version::new(1, 0, 0));
    assert!(matches!(claims.describe(top), Err(ManifestError::ProgramNotNamed)));

    let claims = claims.with_program("run".parse().unwrap()).with_minimum_version(Version::new(0, 9, 0));
    let claims = claims.with_bundled_interpreter("run".parse().unwrap(), vec!["-I".into(), "a\"b".into()]);
    let manifest = read(&claims.describe(top).unwrap()).unwrap();
    let files: Vec<_> = manifest.files().map(|(path, file)| (path.as_str(), *file)).collect();
    let described =
        |text: &str, executable| ManifestFile { digest: Digest::of(text), size: text.len() as u64, executable };
    let odd = "lib/a \"quoted\" ž.py";
    assert_eq!(files, [(odd, described(odd, false)), ("run", described("run", true))]);
    assert_eq!(manifest.platform(), &Platform::current());
    assert_eq!(manifest.minimum_version(), Some(&Version::new(0, 9, 0)));
    assert_eq!(manifest.interpreter().unwrap().arguments, ["-I", "a\"b"]);
}

#[test]
fn single_file_is_its_own_program() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("kv");
    fs::write(&path, "abc").unwrap();
    let claims = Claims::new("kv".parse().unwrap(), Version::new(1, 0, 0));
    let manifest = read(&claims.describe(&path).unwrap()).unwrap();
    assert!(manifest.is_single_file());
    let file = manifest.program_file().unwrap();
    // Whatever its mode is here.
    assert!(file.digest == Digest::of("abc") && file.executable);
}

#[test]
fn symlinks_devices_and_odd_names_are_rejected() {
    let place = tempfile::tempdir().unwrap();
    let claims = Claims::new("kv".parse().unwrap(), Version::new(1, 0, 0)).with_program("kv".parse().unwrap());
    fs::write(place.path().join("kv"), "abc").unwrap();
    let odd = place.path().join("a\nb");
    fs::write(&odd, "").unwrap();
    assert!(matches!(claims.describe(place.path()), Err(ManifestError::Name { .. })));
    fs::remove_file(&odd).unwrap();
    std::os::unix::fs::symlink("kv", place.path().join("link")).unwrap();
    assert!(matches!(claims.describe(place.path()), Err(ManifestError::Kind { kind: "a symbolic link", .. })));
}
