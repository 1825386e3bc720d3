//! Keys and signatures: only the original signature of the original message verifies under the
//! original key, after any edit of the three. Each process generates a new key.

use std::path::Path;
use std::sync::LazyLock;

use ::minisign::KeyPair;
use portcullis::verify::{PublicKey, Signature, SignatureFault};

use super::display;

const KEY: &str = "kv.pub";
const SIGNATURE: &str = "kv.minisig";
const MESSAGE: &[u8] = b"the bytes that may run";
const COMMENT: &str = "file:kv\tversion 1";

/// A publisher and the one message that it signed.
struct Publisher {
    key: PublicKey,
    key_file: String,
    signature_file: String,
}

static PUBLISHER: LazyLock<Publisher> = LazyLock::new(|| {
    let pair = KeyPair::generate_unencrypted_keypair().expect("a key");
    let signed = ::minisign::sign(None, &pair.sk, MESSAGE, Some(COMMENT), Some("by me")).expect("a signature");
    let key_file = pair.pk.to_box().expect("a key file").to_string();
    let key = pair.pk.to_base64().parse().expect("a key");
    Publisher { key, key_file, signature_file: signed.to_string() }
});

/// Whether `bytes` give a valid key or signature. The first byte selects the meaning of the rest: a
/// key file, a signature, or edits of the good signature, key file or message.
pub fn check(bytes: &[u8]) -> bool {
    let Some((mode, rest)) = bytes.split_first() else {
        return false;
    };
    let publisher = &*PUBLISHER;
    match mode % 5 {
        0 => key(rest).is_some(),
        1 => signature(rest).is_some(),
        2 => {
            let text = edited(publisher.signature_file.as_bytes(), rest);
            signature(&text).is_some_and(|signature| proves_what_was_signed(&signature, &text))
        }
        3 => {
            let other = key(&edited(publisher.key_file.as_bytes(), rest));
            other.is_some_and(|other| {
                let proven = other.verify(MESSAGE, &good()).is_ok();
                assert_eq!(proven, other == publisher.key, "another key verifies the signature: {other}");
                proven
            })
        }
        _ => {
            let message = edited(MESSAGE, rest);
            let proven = verify(&message, &good()).is_ok();
            assert_eq!(proven, message == MESSAGE, "another message verifies");
            proven
        }
    }
}

fn good() -> Signature {
    Signature::from_bytes(SIGNATURE, PUBLISHER.signature_file.as_bytes()).expect("a good signature")
}

/// A key is a line of its file, and is displayed as it was parsed.
fn key(bytes: &[u8]) -> Option<PublicKey> {
    let key = display::accepted(PublicKey::from_bytes(KEY, bytes), KEY, bytes)?;
    let text = key.to_string();
    display::one_line(&text);
    assert_eq!(text.parse(), Ok(key));
    assert!(bytes.split(|byte| matches!(byte, b'\n' | b'\r')).any(|line| line.ends_with(text.as_bytes())));
    assert!(key.id().to_string().bytes().all(|digit| digit.is_ascii_hexdigit()));
    Some(key)
}

fn signature(bytes: &[u8]) -> Option<Signature> {
    let signature = display::accepted(Signature::from_bytes(SIGNATURE, bytes), SIGNATURE, bytes)?;
    assert_eq!(signature.path(), Path::new(SIGNATURE));
    if let Err(fault) = verify(MESSAGE, &signature) {
        display::one_line(&fault);
    } else {
        assert!(proves_what_was_signed(&signature, bytes));
    }
    Some(signature)
}

/// Verification in memory and as a stream agree.
fn verify(message: &[u8], signature: &Signature) -> Result<String, SignatureFault> {
    let key = &PUBLISHER.key;
    let proven = key.verify(message, signature).map(|comment| comment.as_str().to_owned());
    let streamed = key.verify_stream(message, signature).map(|comment| comment.as_str().to_owned());
    assert_eq!(proven.clone().map_err(|fault| fault.to_string()), streamed.map_err(|fault| fault.to_string()));
    proven
}

/// A signature verifies only if it is the good one. The untrusted comment and the line ends may
/// differ.
fn proves_what_was_signed(signature: &Signature, text: &[u8]) -> bool {
    let signed = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    let is_good = str::from_utf8(text).is_ok_and(|text| signed(text) == signed(&PUBLISHER.signature_file));
    match verify(MESSAGE, signature) {
        Ok(comment) => assert!(is_good && comment == COMMENT, "another signature verifies: {}", text.escape_ascii()),
        Err(fault) => assert!(!is_good, "the good signature does not verify: {fault}"),
    }
    is_good
}

/// Applies edits to `good`. Each takes four bytes: the kind, the offset (two bytes), and a value.
fn edited(good: &[u8], edits: &[u8]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for edit in edits.chunks_exact(4) {
        let at = usize::from(u16::from_be_bytes([edit[1], edit[2]])) % (bytes.len() + 1);
        let value = edit[3];
        match edit[0] % 6 {
            0 if at < bytes.len() => bytes[at] = value,
            1 if at < bytes.len() => bytes[at] ^= 1 << (value % 8),
            2 => bytes.insert(at, value),
            3 => drop(bytes.drain(at..bytes.len().min(at + usize::from(value)))),
            4 => bytes.truncate(at),
            5 => bytes.rotate_left(at),
            _ => {}
        }
    }
    bytes
}
