//! Checkpoints: valid ones open, all others are rejected.

use zeroize::Zeroizing;

use super::*;

const ORIGIN: &str = "example.com/log";

fn signer(name: &str) -> NoteSigner {
    NoteSigner::new(name, Zeroizing::new([name.len() as u8; 32])).unwrap()
}

fn open(note: &str) -> Result<Checkpoint, CheckpointError> {
    Checkpoint::open(note, &[signer(ORIGIN).verifier().clone()], ORIGIN)
}

fn signed(text: &str) -> String {
    signer(ORIGIN).sign(text).unwrap()
}

#[test]
fn checkpoint_round_trips_through_signing() {
    for size in [0, 1, 1000, u64::MAX] {
        let checkpoint = Checkpoint::new(ORIGIN, size, Digest::of("root"));
        let note = checkpoint.sign(&signer(ORIGIN)).unwrap();
        assert!(note.starts_with(&format!("{ORIGIN}\n{size}\n{}\n\n", BASE64.encode(checkpoint.root.as_bytes()))));
        assert_eq!(open(&note), Ok(checkpoint));
    }
    for origin in ["", "a\nb"] {
        assert_eq!(Checkpoint::new(origin, 1, Digest::of("")).sign(&signer(ORIGIN)), Err(NoteError::Text));
    }
}

#[test]
fn signed_non_checkpoint_is_refused_with_reason() {
    let root = BASE64.encode(Digest::of("root").as_bytes());
    let other_length = BASE64.encode([0; 31]);
    let other = CheckpointError::Origin { expected: ORIGIN.into(), found: "example.com/other".into() };
    for (text, error) in [
        (format!("example.com/other\n1\n{root}\n"), other),
        (format!("\n1\n{root}\n"), CheckpointError::Form),
        (format!("{ORIGIN}\n"), CheckpointError::Size),
        (format!("{ORIGIN}\n\n{root}\n"), CheckpointError::Size),
        (format!("{ORIGIN}\n01\n{root}\n"), CheckpointError::Size),
        (format!("{ORIGIN}\n00\n{root}\n"), CheckpointError::Size),
        (format!("{ORIGIN}\n+1\n{root}\n"), CheckpointError::Size),
        (format!("{ORIGIN}\n-1\n{root}\n"), CheckpointError::Size),
        (format!("{ORIGIN}\n18446744073709551616\n{root}\n"), CheckpointError::Size),
        (format!("{ORIGIN}\n1\n"), CheckpointError::Root),
        (format!("{ORIGIN}\n1\n{other_length}\n"), CheckpointError::Root),
        (format!("{ORIGIN}\n1\n{}\n", root.trim_end_matches('=')), CheckpointError::Root),
        // The same bytes, with bits set that base64 does not need.
        (format!("{ORIGIN}\n1\n{}\n", not_canonical(&root)), CheckpointError::Root),
        (format!("{ORIGIN}\n1\n{root}\n\n"), CheckpointError::Form),
        (format!("{ORIGIN}\n1\n{root}\nmore\n\nmore\n"), CheckpointError::Form),
    ] {
        assert_eq!(open(&signed(&text)), Err(error), "{text}");
    }
}

fn not_canonical(root: &str) -> String {
    let (rest, last) = root.split_at(root.len() - 2);
    let last = last.bytes().next().unwrap();
    assert!(last.is_ascii_alphanumeric() && last != b'Z' && last != b'z' && last != b'9');
    format!("{rest}{}=", char::from(last + 1))
}

#[test]
fn extension_lines_are_ignored() {
    let root = BASE64.encode(Digest::of("root").as_bytes());
    assert_eq!(open(&signed(&format!("{ORIGIN}\n1\n{root}\nmore\n"))).unwrap().size, 1);
}

#[test]
fn only_the_log_key_signs_checkpoints() {
    let checkpoint = Checkpoint::new(ORIGIN, 1, Digest::of("root"));
    let (ours, stranger) = (signer(ORIGIN), signer("stranger"));
    let note = checkpoint.sign(&ours).unwrap();
    let theirs = checkpoint.sign(&stranger).unwrap();
    assert_eq!(open(&theirs), Err(NoteError::Unsigned.into()));
    let line = theirs.rsplit("\n\n").next().unwrap();
    assert_eq!(open(&format!("{note}{line}")), Ok(checkpoint.clone()));
    // Another key of the same name.
    let impostor = NoteSigner::new(ORIGIN, Zeroizing::new([99; 32])).unwrap();
    assert_eq!(open(&checkpoint.sign(&impostor).unwrap()), Err(NoteError::Unsigned.into()));
    let broken = CheckpointError::Note(NoteError::Signature { name: ORIGIN.into() });
    assert_eq!(open(&note.replace("\n1\n", "\n2\n")), Err(broken));
    assert_eq!(open(&note.replace('\n', "\r\n")), Err(NoteError::Form.into()));
    assert_eq!(open(note.trim_end()), Err(NoteError::Form.into()));
}
