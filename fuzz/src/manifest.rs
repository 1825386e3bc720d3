//! Manifests: no file is outside the bundle or inside another file, the program is listed, and an
//! expiry is displayed as it was parsed.

use std::path::{Component, Path};

use portcullis::verify::{BundlePath, Digest, Expiry, Interpreter, InterpreterProgram, Manifest};

use super::display;

const NAME: &str = "manifest.toml";

/// Whether `bytes` are a manifest.
pub fn check(bytes: &[u8]) -> bool {
    let Some(manifest) = display::accepted(Manifest::from_bytes(NAME, bytes), NAME, bytes) else {
        return false;
    };
    assert_eq!((manifest.path(), manifest.digest()), (Path::new(NAME), Digest::of(bytes)));
    display::one_line(manifest.name());
    display::one_line(manifest.platform());
    display::one_line(manifest.version());
    assert!(manifest.minimum_version().is_none_or(|minimum| minimum <= manifest.version()));
    files_stay_inside(&manifest);
    assert!(manifest.file(manifest.program()).is_some(), "the program is not among the files");
    manifest.interpreter().into_iter().for_each(|interpreter| is_sound(interpreter, &manifest));
    manifest.expires().into_iter().for_each(expiry_round_trips);
    let unknown = display::extended(bytes, "unknown_key = 1");
    assert!(Manifest::from_bytes(NAME, unknown).is_err(), "an unknown key is accepted");
    true
}

fn files_stay_inside(manifest: &Manifest) {
    assert!(manifest.files().len() > 0, "it lists no file");
    for (path, file) in manifest.files() {
        display::one_line(path);
        stays_inside(path);
        assert_eq!(manifest.file(path), Some(file));
        assert_ne!(path.as_str(), Manifest::INSIDE);
        assert!(manifest.size() >= file.size);
        for (end, _) in path.as_str().match_indices('/') {
            let above: BundlePath = path.as_str()[..end].parse().expect("a directory in the bundle");
            assert!(manifest.file(&above).is_none(), "{above} is a file and a directory");
        }
    }
    if manifest.is_single_file() {
        assert!(manifest.files().len() == 1 && Path::new(manifest.program().as_str()).components().count() == 1);
    }
}

/// A path that the kernel resolves as written, and only downward.
fn stays_inside(path: &BundlePath) {
    let names: Vec<_> = Path::new(path.as_str()).components().collect();
    assert!(names.iter().all(|name| matches!(name, Component::Normal(_))), "{path} leaves the bundle");
    assert_eq!(names.len(), path.as_str().split('/').count(), "{path} is not in its plain form");
    assert!(!path.as_str().contains('\0'));
}

fn is_sound(interpreter: &Interpreter, manifest: &Manifest) {
    assert!(interpreter.arguments.len() <= 64);
    assert!(interpreter.arguments.iter().all(|argument| argument.len() <= 4096 && !argument.contains('\0')));
    match &interpreter.program {
        InterpreterProgram::Bundled(path) => assert!(manifest.file(path).is_some()),
        InterpreterProgram::Installed { path, .. } => {
            let inside = path.strip_prefix("/").expect("an absolute path");
            stays_inside(&inside.to_str().expect("text").parse().expect("a plain path"));
        }
        other => panic!("unknown program: {other:?}"),
    }
    assert!(!manifest.is_single_file());
}

/// Parses a manifest with the expiry in the form that is displayed.
fn expiry_round_trips(expires: Expiry) {
    display::one_line(&expires);
    let zeros = "0".repeat(2 * Digest::LENGTH);
    let again = format!(
        "format = \"portcullis-manifest/1\"\nname = \"a\"\nversion = \"1.0.0\"\nplatform = \"any\"\nprogram = \"a\"\n\
         expires = {expires}\n[[file]]\npath = \"a\"\nsha256 = \"{zeros}\"\nsize = 0\n"
    );
    let again = Manifest::from_bytes(NAME, again).expect("the displayed expiry parses");
    assert_eq!(again.expires(), Some(expires));
}
