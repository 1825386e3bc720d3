//! The secrets of a log: their file, and hashes and signatures that openssl accepts.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use super::*;
use crate::event::KeyedHashError;

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn log_key(secret: [u8; 32]) -> LogKey {
    LogKey::new(NoteSigner::new("example/log", Zeroizing::new([1; 32])).unwrap(), Zeroizing::new(secret))
}

#[test]
fn published_vectors_agree() {
    // RFC 4231, test cases 1 and 3: keys of 20 bytes, which HMAC pads with zeros.
    for (byte, value, expected) in [
        (0x0b, b"Hi There".to_vec(), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (0xaa, vec![0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    ] {
        let mut secret = [0; 32];
        secret[..20].fill(byte);
        let keyed_hash = log_key(secret).keyed_hash(&value);
        assert_eq!(keyed_hash.to_string(), format!("hmac-sha256:{expected}"));
    }
}

#[test]
fn chunked_value_has_hash_of_the_whole() {
    let key = log_key([3; 32]);
    let mut pieces = key.keyed_hasher();
    pieces.update(b"va");
    pieces.update(b"");
    pieces.update(b"lue");
    assert_eq!(pieces.finish(), key.keyed_hash(b"value"));
    assert_ne!(key.keyed_hash(b"value"), log_key([4; 32]).keyed_hash(b"value"));
}

#[test]
fn keyed_hash_text_round_trips() {
    let keyed_hash = log_key([3; 32]).keyed_hash(b"value");
    assert_eq!(keyed_hash.to_string().parse(), Ok(keyed_hash));
    for wrong in ["", "hmac-sha256:", "sha256:00", &keyed_hash.to_string()[1..], &format!("{keyed_hash}0")] {
        assert_eq!(wrong.parse::<KeyedHash>(), Err(KeyedHashError), "{wrong}");
    }
}

#[test]
fn secrets_round_trip_through_a_private_file() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("key");
    let made = LogKey::create(&path, "example/log").unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    let read = LogKey::read(&path).unwrap();
    assert_eq!((read.verifier(), read.origin()), (made.verifier(), "example/log"));
    assert_eq!(read.keyed_hash(b"value"), made.keyed_hash(b"value"));
    let other = LogKey::create(place.path().join("other"), "example/log").unwrap();
    assert!(other.verifier() != made.verifier() && other.keyed_hash(b"value") != made.keyed_hash(b"value"));
    let again = LogKey::create(&path, "example/log").unwrap_err();
    assert!(matches!(again, LogKeyError::Io { ref source, .. } if source.kind() == io::ErrorKind::AlreadyExists));
    assert!(matches!(LogKey::create(place.path().join("new"), "two words"), Err(LogKeyError::Key(_))));
    assert!(!place.path().join("new").exists());
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(LogKey::create(place.path().join("new"), "log"), Err(LogKeyError::Io { .. })));
}

#[test]
fn exposed_or_replaceable_secrets_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("key");
    LogKey::create(&path, "log").unwrap();
    let link = place.path().join("link");
    symlink(&path, &link).unwrap();
    assert!(matches!(LogKey::read(&link), Err(LogKeyError::NotRegular { kind: "a symbolic link", .. })));
    assert!(matches!(LogKey::read(place.path()), Err(LogKeyError::NotRegular { kind: "a directory", .. })));
    for mode in [0o640, 0o604, 0o620, 0o602, 0o610] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let error = LogKey::read(&path).unwrap_err();
        assert!(matches!(error, LogKeyError::Exposed { mode: found, .. } if found == mode), "{error}");
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
    assert!(LogKey::read(&path).is_ok());
    match std::os::unix::fs::chown(&path, Some(12345), None) {
        Ok(()) => assert!(matches!(LogKey::read(&path), Err(LogKeyError::Exposed { owner: 12345, .. }))),
        Err(error) => eprintln!("SKIPPED: only root can give a file away: {error}"),
    }
}

#[test]
fn malformed_key_file_is_rejected() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("key");
    LogKey::create(&path, "log").unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(LogKey::parse(text.as_bytes()).is_some());
    let hash = text.lines().last().unwrap();
    for wrong in [
        String::new(),
        text.trim_end().into(),
        format!("{text}\n"),
        format!("{text}more\n"),
        text.replace("key/1", "key/2"),
        text.replace("sign ", "sign"),
        text.replace("log+", "lot+"),
        text.replace(hash, "hash AAAA"),
        text.replace(hash, "hash !"),
        text.replace('\n', "\r\n"),
    ] {
        assert!(LogKey::parse(wrong.as_bytes()).is_none(), "{wrong}");
    }
    std::fs::write(&path, [0xff; 5000]).unwrap();
    assert!(matches!(LogKey::read(&path), Err(LogKeyError::Form { .. })));
}

#[test]
fn debug_output_hides_secrets() {
    let key = log_key(*b"this must never be printed......");
    let shown = format!("{key:?} {:?}", key.keyed_hasher());
    assert!(shown.contains("example/log") && !shown.contains("never") && !shown.contains("116"), "{shown}");
}

/// Runs openssl in a directory, as an independent implementation.
fn openssl(directory: &Path, arguments: &[&str]) -> Option<std::process::Output> {
    match std::process::Command::new("openssl").args(arguments).current_dir(directory).output() {
        Ok(output) => Some(output),
        Err(error) => {
            assert!(std::env::var_os("PORTCULLIS_REQUIRE_INTEROP").is_none(), "openssl: {error}");
            eprintln!("SKIPPED: openssl cannot be run: {error}");
            None
        }
    }
}

#[test]
fn openssl_agrees_on_hash_and_signature() {
    let place = tempfile::tempdir().unwrap();
    let key = log_key([0xc3; 32]);
    std::fs::write(place.path().join("value"), "a value\n").unwrap();
    let secret = format!("hexkey:{}", "c3".repeat(32));
    let arguments = ["dgst", "-sha256", "-mac", "HMAC", "-macopt", &secret, "value"];
    let Some(output) = openssl(place.path(), &arguments) else { return };
    let printed = String::from_utf8(output.stdout).unwrap();
    let digits = key.keyed_hash(b"a value\n").to_string().replace("hmac-sha256:", "");
    assert!(printed.trim_end().ends_with(&digits), "{printed}");

    let text = "example/log\n1\nroot\n";
    let note = key.signer().sign(text).unwrap();
    let signature = BASE64.decode(note.trim_end().rsplit(' ').next().unwrap()).unwrap();
    // RFC 8410: the algorithm Ed25519 and the key as a bit string.
    let public = [&hex("302a300506032b6570032100")[..], key.verifier().key()].concat();
    for (name, bytes) in [("text", text.as_bytes()), ("signature", &signature[4..]), ("public", &public)] {
        std::fs::write(place.path().join(name), bytes).unwrap();
    }
    let verify = |text: &str| {
        let file = ["-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey", "public", "-sigfile", "signature"];
        openssl(place.path(), &[&["pkeyutl"], &file[..], &["-in", text]].concat()).unwrap().status.success()
    };
    assert!(verify("text"));
    assert!(!verify("value"));
}
