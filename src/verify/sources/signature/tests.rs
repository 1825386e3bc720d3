//! Signatures that verify, and files that must not be taken for one.

use minisign::KeyPair;

use super::*;

const MESSAGE: &[u8] = b"the bytes that may run";

struct Publisher {
    pair: KeyPair,
    key: PublicKey,
}

impl Publisher {
    fn new() -> Self {
        let pair = KeyPair::generate_unencrypted_keypair().unwrap();
        let key = pair.pk.to_base64().parse().unwrap();
        Self { pair, key }
    }

    fn sign(&self, message: &[u8]) -> String {
        minisign::sign(None, &self.pair.sk, message, Some("file:kv\tversion 1"), Some("by me")).unwrap().to_string()
    }
}

fn parse(text: impl Into<Vec<u8>>) -> Result<Signature, SourceError> {
    Signature::from_bytes("kv.minisig", text)
}

fn edited(text: &str, line: usize, edit: impl Fn(&str) -> String) -> String {
    text.lines().enumerate().map(|(at, text)| if at == line { edit(text) } else { text.to_owned() } + "\n").collect()
}

#[test]
fn signature_proves_message_and_trusted_comment() {
    let publisher = Publisher::new();
    let text = publisher.sign(MESSAGE);
    for text in [text.clone(), text.replace('\n', "\r\n"), text.trim_end().to_owned()] {
        let signature = parse(text).unwrap();
        assert_eq!(signature.key_id(), publisher.key.id());
        assert_eq!(publisher.key.verify(MESSAGE, &signature).unwrap().as_str(), "file:kv\tversion 1");
        assert_eq!(publisher.key.verify_stream(MESSAGE, &signature).unwrap().as_str(), "file:kv\tversion 1");
    }
}

#[test]
fn signature_rejects_another_message() {
    let publisher = Publisher::new();
    let signature = parse(publisher.sign(MESSAGE)).unwrap();
    let mismatch = SignatureFault::Mismatch { key: publisher.key.id() };
    for message in [&b""[..], b"the bytes that may not run", &[MESSAGE, b"\n"].concat()] {
        assert_eq!(publisher.key.verify(message, &signature), Err(mismatch.clone()));
        assert!(
            matches!(publisher.key.verify_stream(message, &signature), Err(SourceFault::Signature(fault)) if fault == mismatch)
        );
    }
}

#[test]
fn another_key_with_the_same_id_is_rejected() {
    let (publisher, other) = (Publisher::new(), Publisher::new());
    let signature = parse(publisher.sign(MESSAGE)).unwrap();
    let fault = SignatureFault::OtherKey { expected: other.key.id(), found: publisher.key.id() };
    assert_eq!(other.key.verify(MESSAGE, &signature), Err(fault));

    let mut bytes = BASE64.decode(other.key.to_string()).unwrap();
    bytes[2..10].copy_from_slice(publisher.pair.pk.keynum());
    let impostor: PublicKey = BASE64.encode(bytes).parse().unwrap();
    assert_eq!(impostor.verify(MESSAGE, &signature), Err(SignatureFault::Mismatch { key: publisher.key.id() }));
}

#[test]
fn edited_trusted_comment_is_rejected() {
    let publisher = Publisher::new();
    let text = edited(&publisher.sign(MESSAGE), 2, |line| line.replace("version 1", "version 2"));
    let mismatch = Err(SignatureFault::Mismatch { key: publisher.key.id() });
    assert_eq!(publisher.key.verify(MESSAGE, &parse(text).unwrap()), mismatch);
}

#[test]
fn malformed_signature_is_refused_with_line() {
    let good = Publisher::new().sign(MESSAGE);
    let algorithm = |algorithm: &[u8; 2]| {
        edited(&good, 1, |line| BASE64.encode([&algorithm[..], &BASE64.decode(line).unwrap()[2..]].concat()))
    };
    let three: String = good.lines().take(3).map(|line| format!("{line}\n")).collect();
    for (text, expected) in [
        (String::new(), "kv.minisig: expected four lines, found 0"),
        (three, "kv.minisig: expected four lines, found 3"),
        (format!("{good}\n"), "kv.minisig:5: unexpected text after the signature"),
        (format!("{good}{good}"), "kv.minisig:5: unexpected text after the signature"),
        (format!("\n{good}"), "kv.minisig:5: unexpected text after the signature"),
        (
            edited(&good, 0, |_| "by me".into()),
            "kv.minisig:1: the first line of a signature begins with 'untrusted comment: '",
        ),
        (algorithm(b"Ed"), "kv.minisig:2: legacy signature"),
        (algorithm(b"\x1b["), "kv.minisig:2: expected the algorithm 'ED' (Ed25519 over BLAKE2b), found \"\\u{1b}[\""),
        (edited(&good, 1, |line| line[..96].into()), "kv.minisig:2: expected the base64 of a signature"),
        (edited(&good, 1, |line| format!("{line} ")), "kv.minisig:2: expected the base64 of a signature"),
        (edited(&good, 2, |_| "comment: ".into()), "kv.minisig:3: the third line of a signature"),
        (edited(&good, 2, |line| format!("{line}\r\r")), "kv.minisig:3: the trusted comment contains control"),
        (edited(&good, 3, |line| line[..84].into()), "kv.minisig:4: expected the base64 of a signature"),
    ] {
        let error = parse(text.as_str()).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}\n{text:?}");
    }
}

#[test]
fn flipped_bit_fails_outside_the_untrusted_comment() {
    let publisher = Publisher::new();
    let good = publisher.sign(MESSAGE);
    let comment = UNTRUSTED.len()..good.find('\n').unwrap();
    let flips = (0..good.len()).flat_map(|at| (0..8).map(move |bit| (at, 1 << bit)));
    let mut harmless = 0;
    for (at, bit) in flips {
        let mut bytes = good.clone().into_bytes();
        bytes[at] ^= bit;
        if let Ok(proven) = parse(bytes).map(|signature| publisher.key.verify(MESSAGE, &signature)) {
            match proven {
                Err(_) => continue,
                Ok(trusted) => assert_eq!(trusted.as_str(), "file:kv\tversion 1"),
            }
            assert!(comment.contains(&at), "bit {bit} of byte {at} may be flipped");
            harmless += 1;
        }
    }
    assert!(harmless > 0);
}

#[test]
fn streamed_file_verifies_and_errors_are_named() {
    let publisher = Publisher::new();
    let place = tempfile::tempdir().unwrap();
    let (file, missing) = (place.path().join("kv"), place.path().join("none"));
    let large = vec![7; 3 * SIGNATURE_BUFFER_BYTES + 1];
    std::fs::write(&file, &large).unwrap();
    let signature = parse(publisher.sign(&large)).unwrap();
    publisher.key.verify_file(&file, &signature).unwrap();
    assert!(publisher.key.verify_file(&missing, &signature).unwrap_err().is_unreadable());

    std::fs::write(&file, &large[1..]).unwrap();
    let error = publisher.key.verify_file(&file, &signature).unwrap_err();
    let expected =
        format!("kv.minisig: the signature does not match these bytes, this comment and key {}", publisher.key.id());
    assert!(error.to_string().starts_with(&expected), "{error}");
}

#[test]
fn interrupted_read_continues_failed_read_proves_nothing() {
    struct FailsOnce(Option<io::ErrorKind>, &'static [u8]);
    impl Read for FailsOnce {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.take() {
                Some(kind) => Err(kind.into()),
                None => self.1.read(buffer),
            }
        }
    }
    let publisher = Publisher::new();
    let signature = parse(publisher.sign(MESSAGE)).unwrap();
    let verify = |kind| publisher.key.verify_stream(FailsOnce(Some(kind), MESSAGE), &signature);
    assert!(verify(io::ErrorKind::Interrupted).is_ok());
    assert!(matches!(verify(io::ErrorKind::BrokenPipe), Err(SourceFault::Unreadable(_))));
}

#[test]
fn trusted_comment_is_shown_escaped() {
    assert_eq!(TrustedComment("kv\t\u{202e}1".into()).to_string(), r"kv\t\u{202e}1");
}

#[test]
fn oversized_signature_file_is_not_read() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("kv.minisig");
    let good = Publisher::new().sign(MESSAGE);
    let padded = |length: usize| edited(&good, 0, |line| line.to_owned() + &"x".repeat(length - good.len()));
    std::fs::write(&path, padded(16 * 1024)).unwrap();
    Signature::read(&path).unwrap();
    std::fs::write(&path, padded(16 * 1024 + 1)).unwrap();
    assert!(matches!(Signature::read(&path).unwrap_err().fault, SourceFault::TooLarge { limit: 16384 }));
}
