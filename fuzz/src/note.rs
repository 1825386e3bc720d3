//! Signed notes, their keys, checkpoints, keyed hashes and launch ids: only signed notes verify,
//! and every parsed value has one text form.

use std::fmt::Display;
use std::str::FromStr;

use portcullis::audit::{Checkpoint, NoteSigner, NoteVerifier, open_note};
use portcullis::event::{KeyedHash, LaunchId};

use super::display;
use super::sample_log::{ORIGIN, SAMPLE, signer};

/// Whether `bytes` are a signed note, a key, a keyed hash or a launch id.
pub fn check(bytes: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(bytes) else {
        return false;
    };
    let note = note(text);
    let key = read::<NoteVerifier>(text);
    let secret = secret(text);
    note || key || secret || read::<KeyedHash>(text) || read::<LaunchId>(text)
}

/// A note verifies only if its text was signed. Signatures of other keys do not matter.
fn note(text: &str) -> bool {
    let keys = [signer(11).verifier().clone(), SAMPLE.key.clone()];
    let signed = |text: &str| SAMPLE.notes.iter().any(|(_, note)| note.split("\n\n").next() == text.strip_suffix('\n'));
    let opened = match open_note(text, &keys) {
        Ok((body, signers)) => {
            assert!(signed(body), "the key never signed {body:?}");
            assert_eq!(signers, [&SAMPLE.key]);
            assert!(text.starts_with(body));
            true
        }
        Err(error) => {
            display::one_line(&error);
            false
        }
    };
    assert!(open_note(text, &keys[..1]).is_err(), "a key verifies that never signs");
    match Checkpoint::open(text, &keys, ORIGIN) {
        Ok(checkpoint) => {
            assert!(opened && checkpoint.origin == ORIGIN);
            let again = checkpoint.sign(&signer(11)).expect("a checkpoint can be signed again");
            assert_eq!(Checkpoint::open(&again, &keys, ORIGIN), Ok(checkpoint));
            assert!(Checkpoint::open(text, &keys, "example.com/other").is_err(), "it verifies for another log");
        }
        Err(error) => {
            display::one_line(&error);
            assert!(!opened, "only checkpoints were signed");
        }
    }
    opened
}

/// A parsed value has one text form, which parses back to it.
fn read<T: FromStr<Err: Display> + Display + PartialEq>(text: &str) -> bool {
    match text.parse::<T>() {
        Ok(value) => {
            let written = value.to_string();
            display::one_line(&written);
            assert!(written.eq_ignore_ascii_case(text), "{text:?} is displayed as {written:?}");
            assert!(written.parse::<T>().is_ok_and(|again| again == value));
            true
        }
        Err(error) => {
            display::one_line(&error);
            false
        }
    }
}

fn secret(text: &str) -> bool {
    let signer = match NoteSigner::from_secret(text) {
        Ok(signer) => signer,
        Err(error) => {
            display::one_line(&error);
            return false;
        }
    };
    let secret = signer.to_secret();
    assert!(secret.eq_ignore_ascii_case(text));
    let shown = format!("{signer:?}");
    let seed = secret.rsplit('+').next().unwrap_or_default();
    assert!(!shown.contains(seed), "a secret is displayed");
    let note = signer.sign("text\n").expect("a signature");
    assert!(open_note(&note, &[signer.verifier().clone()]).is_ok());
    true
}

/// Signed notes, keys, and near misses.
pub(super) fn seeds() -> Vec<(String, Vec<u8>)> {
    let mut seeds: Vec<_> = SAMPLE.notes.iter().map(|(size, note)| (format!("note-{size}"), note.clone())).collect();
    let kept = SAMPLE.kept();
    let other =
        Checkpoint::open(kept, std::slice::from_ref(&SAMPLE.key), ORIGIN).expect("a checkpoint").sign(&signer(9));
    let other = other.expect("a checkpoint");
    let (_, signature) = other.split_once("\n\n").unwrap_or_default();
    seeds.extend([
        ("signed-by-two".to_owned(), format!("{kept}{signature}")),
        ("of-others".to_owned(), other.clone()),
        ("not-signed".to_owned(), kept.split_once("\n\n").map_or("", |(text, _)| text).to_owned()),
        ("key".to_owned(), SAMPLE.key.to_string()),
        ("secret".to_owned(), signer(7).to_secret().to_string()),
        ("launch".to_owned(), "00c0ffee00c0ffee".to_owned()),
        ("hash".to_owned(), format!("hmac-sha256:{}", "0a".repeat(32))),
    ]);
    seeds.into_iter().map(|(name, text)| (name, text.into_bytes())).collect()
}
