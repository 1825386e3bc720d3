//! Signed notes: valid ones open, all others are rejected.

use super::*;

/// RFC 8032, section 7.1, test 1.
const SEED: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
const PUBLIC: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

fn bytes(hex: &str) -> [u8; 32] {
    *hex.parse::<crate::Digest>().unwrap().as_bytes()
}

fn signer(name: &str, seed: u8) -> NoteSigner {
    NoteSigner::new(name, Zeroizing::new([seed; 32])).unwrap()
}

#[test]
fn key_matches_rfc_and_id_definition() {
    let signer = NoteSigner::new("example.com/log", Zeroizing::new(bytes(SEED))).unwrap();
    assert_eq!(signer.verifier().key, bytes(PUBLIC));
    let hash = Sha256::digest([b"example.com/log\n\x01", &bytes(PUBLIC)[..]].concat());
    let id = hash[..4].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let key = BASE64.encode([&[1], &bytes(PUBLIC)[..]].concat());
    assert_eq!(signer.verifier().to_string(), format!("example.com/log+{id}+{key}"));
}

#[test]
fn go_checksum_database_key_is_parsed() {
    let text = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
    let verifier: NoteVerifier = text.parse().unwrap();
    assert_eq!((verifier.name(), verifier.to_string().as_str()), ("sum.golang.org", text));
}

#[test]
fn only_well_formed_keys_are_read() {
    let signer = signer("a/b", 7);
    let public = signer.verifier().to_string();
    assert_eq!(&public.parse::<NoteVerifier>().unwrap(), signer.verifier());
    let secret = signer.to_secret();
    assert_eq!(NoteSigner::from_secret(&secret).unwrap().verifier(), signer.verifier());
    let parse = |text: &str| text.parse::<NoteVerifier>().unwrap_err();
    let (id, key) = public.strip_prefix("a/b+").unwrap().split_once('+').unwrap();
    let other = BASE64.encode([&[2], &signer.verifier().key[..]].concat());
    let short = BASE64.encode([&[1], &signer.verifier().key[..31]].concat());
    for (text, error) in [
        (String::new(), NoteKeyError::Form),
        (format!("a/b+{id}"), NoteKeyError::Form),
        (format!("+{id}+{key}"), NoteKeyError::Name),
        (format!("a b+{id}+{key}"), NoteKeyError::Name),
        (format!("a\u{3000}b+{id}+{key}"), NoteKeyError::Name),
        (format!("{}+{id}+{key}", "a".repeat(256)), NoteKeyError::Name),
        (format!("a/b+{id}0+{key}"), NoteKeyError::Form),
        (format!("a/b++{}+{key}", &id[..7]), NoteKeyError::Form),
        (format!("a/b+{id}+{key}="), NoteKeyError::Form),
        (format!("a/b+{id}+{other}"), NoteKeyError::Algorithm),
        (format!("a/b+{id}+{short}"), NoteKeyError::Length),
        (format!("a/b+{id}+"), NoteKeyError::Length),
        (format!("a/c+{id}+{key}"), NoteKeyError::Id),
        (format!("a/b+00000000+{key}"), NoteKeyError::Id),
    ] {
        assert_eq!(parse(&text), error, "{text}");
    }
    assert_eq!(NoteSigner::from_secret(&public).unwrap_err(), NoteKeyError::Form);
    assert_eq!(NoteSigner::from_secret(&secret.replace("a/b", "a/c")).unwrap_err(), NoteKeyError::Id);
}

#[test]
fn debug_output_hides_secret_key() {
    let signer = signer("a", 7);
    let secret = signer.to_secret();
    let shown = format!("{signer:?}");
    assert!(!shown.contains(secret.rsplit('+').next().unwrap()) && shown.contains("a+"), "{shown}");
}

#[test]
fn note_needs_known_signature_and_no_wrong_one() {
    let (ours, other) = (signer("ours", 1), signer("other", 2));
    let text = "first\n\nsecond\n";
    let note = ours.sign(text).unwrap();
    let known = [ours.verifier().clone()];
    let both = [ours.verifier().clone(), other.verifier().clone()];
    assert_eq!(open_note(&note, &known), Ok((text, vec![ours.verifier()])));
    let theirs = other.sign(text).unwrap();
    assert_eq!(open_note(&theirs, &known), Err(NoteError::Unsigned));
    assert_eq!(open_note(&note, &[]), Err(NoteError::Unsigned));
    let signature = |note: &str| note.strip_prefix(text).unwrap().trim_start().to_owned();
    let joint = format!("{note}{}", signature(&theirs));
    assert_eq!(open_note(&joint, &known).unwrap().1, [ours.verifier()]);
    assert_eq!(open_note(&joint, &both).unwrap().1.len(), 2);
    let twice = format!("{note}{}", signature(&note));
    assert_eq!(open_note(&twice, &known).unwrap().1, [ours.verifier()]);
    let wrong = joint.replace("first", "First");
    assert_eq!(open_note(&wrong, &known), Err(NoteError::Signature { name: "ours".into() }));
    // The signature of an unknown key may have any content and length.
    let strange = format!("{note}\u{2014} strange {}\n", BASE64.encode([0; 5]));
    assert!(open_note(&strange, &known).is_ok());
    let short = format!("{note}\u{2014} ours {}\n", BASE64.encode(&ours.verifier().id()[..]));
    assert_eq!(open_note(&short, &known), Err(NoteError::Signature { name: "ours".into() }));
}

#[test]
fn every_changed_byte_of_a_note_is_noticed() {
    let ours = signer("ours", 1);
    let note = ours.sign("text\n").unwrap();
    let known = [ours.verifier().clone()];
    for at in 0..note.len() {
        let mut changed = note.clone().into_bytes();
        changed[at] ^= 1;
        let Ok(changed) = String::from_utf8(changed) else { continue };
        assert!(open_note(&changed, &known).is_err(), "{at}: {changed}");
    }
}

#[test]
fn malformed_note_is_rejected() {
    let ours = signer("ours", 1);
    let known = [ours.verifier().clone()];
    let note = ours.sign("text\n").unwrap();
    let line = note.strip_prefix("text\n\n").unwrap();
    let many = line.repeat(NOTE_SIGNATURES + 1);
    for (text, error) in [
        (String::new(), NoteError::Form),
        ("text\n".into(), NoteError::Form),
        ("text\n\n".into(), NoteError::Form),
        (note.trim_end().into(), NoteError::Form),
        (note.replace('\n', "\r\n"), NoteError::Form),
        (format!("text\n\n{}", line.replace('\u{2014}', "-")), NoteError::Form),
        (format!("text\n\n{}", line.replace("ours ", "ours")), NoteError::Form),
        (format!("text\n\n{}", line.replace("ours", "")), NoteError::Form),
        (format!("text\n\n{}=\n", line.trim_end()), NoteError::Form),
        ("text\n\n\u{2014} ours AA==\n".into(), NoteError::Form),
        (format!("{note}more\n"), NoteError::Form),
        (format!("te\txt\n\n{line}"), NoteError::Text),
        (format!("text\n\n{many}"), NoteError::TooLong),
        (format!("{}\n\n{line}", "x".repeat(NOTE_BYTES)), NoteError::TooLong),
    ] {
        assert_eq!(open_note(&text, &known), Err(error), "{text}");
    }
    for text in ["", "text", "te\0xt\n", "te\rxt\n"] {
        assert_eq!(ours.sign(text), Err(NoteError::Text), "{text:?}");
    }
}
