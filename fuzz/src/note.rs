//! Signed notes, their keys, checkpoints, and what else has a text of its own in a log: only what
//! was signed is believed, and there is one way to write what is read.

use std::fmt::Display;
use std::str::FromStr;

use portcullis::audit::{Checkpoint, NoteSigner, NoteVerifier, open_note};
use portcullis::event::{KeyedHash, LaunchId};

use super::shown;
use super::trail::{ORIGIN, TRAIL, signer};

/// Whether `bytes` are a note that was signed, a key, a keyed hash or the name of a launch.
pub fn check(bytes: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(bytes) else {
        return false;
    };
    let note = note(text);
    let key = read::<NoteVerifier>(text);
    let secret = secret(text);
    note || key || secret || read::<KeyedHash>(text) || read::<LaunchId>(text)
}

/// A note is believed if it says what was signed, whoever else is said to have signed it.
fn note(text: &str) -> bool {
    let keys = [signer(11).verifier().clone(), TRAIL.key.clone()];
    let signed = |said: &str| TRAIL.notes.iter().any(|(_, note)| note.split("\n\n").next() == said.strip_suffix('\n'));
    let opened = match open_note(text, &keys) {
        Ok((said, by)) => {
            assert!(signed(said), "nobody signed {said:?}");
            assert_eq!(by, [&TRAIL.key]);
            assert!(text.starts_with(said));
            true
        }
        Err(error) => {
            shown::one_line(&error);
            false
        }
    };
    assert!(open_note(text, &keys[..1]).is_err(), "somebody signed it who signs nothing");
    match Checkpoint::open(text, &keys, ORIGIN) {
        Ok(checkpoint) => {
            assert!(opened && checkpoint.origin == ORIGIN);
            let again = checkpoint.sign(&signer(11)).expect("a checkpoint can be signed again");
            assert_eq!(Checkpoint::open(&again, &keys, ORIGIN), Ok(checkpoint));
            assert!(Checkpoint::open(text, &keys, "example.com/other").is_err(), "it is about another log");
        }
        Err(error) => {
            shown::one_line(&error);
            assert!(!opened, "only checkpoints were signed");
        }
    }
    opened
}

/// What is read is written in one way, and read again as the same.
fn read<T: FromStr<Err: Display> + Display + PartialEq>(text: &str) -> bool {
    match text.parse::<T>() {
        Ok(value) => {
            let written = value.to_string();
            shown::one_line(&written);
            assert!(written.eq_ignore_ascii_case(text), "{text:?} is written {written:?}");
            assert!(written.parse::<T>().is_ok_and(|again| again == value));
            true
        }
        Err(error) => {
            shown::one_line(&error);
            false
        }
    }
}

fn secret(text: &str) -> bool {
    let signer = match NoteSigner::from_secret(text) {
        Ok(signer) => signer,
        Err(error) => {
            shown::one_line(&error);
            return false;
        }
    };
    let secret = signer.to_secret();
    assert!(secret.eq_ignore_ascii_case(text));
    let shown = format!("{signer:?}");
    let seed = secret.rsplit('+').next().unwrap_or_default();
    assert!(!shown.contains(seed), "a secret is shown");
    let note = signer.sign("text\n").expect("it signs");
    assert!(open_note(&note, &[signer.verifier().clone()]).is_ok());
    true
}

/// What was signed, keys, and what looks like them.
pub(super) fn seeds() -> Vec<(String, Vec<u8>)> {
    let mut seeds: Vec<_> = TRAIL.notes.iter().map(|(size, note)| (format!("note-{size}"), note.clone())).collect();
    let kept = TRAIL.kept();
    let other =
        Checkpoint::open(kept, std::slice::from_ref(&TRAIL.key), ORIGIN).expect("a checkpoint").sign(&signer(9));
    let other = other.expect("a checkpoint");
    let (_, signature) = other.split_once("\n\n").unwrap_or_default();
    seeds.extend([
        ("signed-by-two".to_owned(), format!("{kept}{signature}")),
        ("of-others".to_owned(), other.clone()),
        ("not-signed".to_owned(), kept.split_once("\n\n").map_or("", |(text, _)| text).to_owned()),
        ("key".to_owned(), TRAIL.key.to_string()),
        ("secret".to_owned(), signer(7).to_secret().to_string()),
        ("launch".to_owned(), "00c0ffee00c0ffee".to_owned()),
        ("hash".to_owned(), format!("hmac-sha256:{}", "0a".repeat(32))),
    ]);
    seeds.into_iter().map(|(name, text)| (name, text.into_bytes())).collect()
}
