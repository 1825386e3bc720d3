//! Proofs of a real log: valid ones verify, all others are rejected.

use std::path::PathBuf;

use super::*;
use crate::audit::reader::verifier::TrustAnchors;
use crate::audit::{Log, LogKey, NoteVerifier};
use crate::event::Event;

const ORIGIN: &str = "example/log";

/// A log of a few segments, and checkpoints from between its records.
struct LogFixture {
    directory: tempfile::TempDir,
    key: NoteVerifier,
    notes: Vec<String>,
}

impl LogFixture {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let key = LogKey::generate(ORIGIN).unwrap();
        let verifier = key.verifier().clone();
        let log = Log::builder(directory.path().join("log"), key).rotate_at(4096).open().unwrap();
        let mut notes = Vec::new();
        for number in 0..40 {
            log.append(Event::application("x", [("n", number.to_string())])).unwrap();
            if number % 10 == 5 {
                log.checkpoint().unwrap();
                notes.push(log.status().checkpoint.unwrap());
            }
        }
        Self { directory, key: verifier, notes }
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    fn keys(&self) -> [NoteVerifier; 1] {
        [self.key.clone()]
    }

    fn evidence(&self) -> Prover {
        let trust = TrustAnchors::none().key(self.key.clone());
        Prover::read(self.log(), &trust, &(0..100).collect::<Vec<_>>()).unwrap()
    }
}

#[test]
fn every_covered_record_is_proven() {
    let place = LogFixture::new();
    let evidence = place.evidence();
    assert!(evidence.report().is_intact());
    let size = evidence.report().next;
    for seq in 0..size - 1 {
        let text = evidence.inclusion(seq, None).unwrap().to_string();
        let proof: InclusionProof = text.parse().unwrap();
        assert_eq!(proof.to_string(), text);
        let included = proof.check(&place.keys(), ORIGIN, None).unwrap();
        assert_eq!((included.record.index(), included.checkpoint.size), (seq, size - 1));
        let line = included.record.line().as_bytes();
        assert!(proof.check(&place.keys(), ORIGIN, Some(line)).is_ok());
        let other = evidence.inclusion((seq + 1) % (size - 1), None).unwrap();
        assert!(other.check(&place.keys(), ORIGIN, Some(line)).is_err(), "{seq} with the proof of another");
    }
    assert_eq!(evidence.inclusion(size - 1, None).unwrap_err(), ProverError::NotCovered { size: size - 1 });
    assert_eq!(evidence.inclusion(99, None).unwrap_err(), ProverError::NoRecord);
    assert!(evidence.inclusion(3, Some(&place.notes[0])).is_ok());
    assert!(matches!(evidence.inclusion(30, Some(&place.notes[0])), Err(ProverError::NotCovered { .. })));
}

#[test]
fn consistency_is_provable_between_all_checkpoints() {
    let place = LogFixture::new();
    let evidence = place.evidence();
    for (number, old) in place.notes.iter().enumerate() {
        for new in place.notes[number..].iter().map(Some).chain([None]) {
            let text = evidence.consistency(old, new.map(String::as_str)).unwrap().to_string();
            let proof: ConsistencyProof = text.parse().unwrap();
            assert_eq!(proof.to_string(), text);
            let proven = proof.check(&place.keys(), ORIGIN).unwrap();
            assert!(proven.old.size <= proven.new.size);
        }
    }
    let backwards = evidence.consistency(&place.notes[1], Some(&place.notes[0]));
    assert!(matches!(backwards, Err(ProverError::Order { .. })));
    let other = LogFixture::new();
    assert!(matches!(evidence.consistency(&other.notes[0], None), Err(ProverError::Checkpoint(_))));
}

#[test]
fn every_changed_byte_of_a_proof_is_noticed() {
    let place = LogFixture::new();
    let evidence = place.evidence();
    let inclusion = evidence.inclusion(7, None).unwrap().to_string();
    let consistency = evidence.consistency(&place.notes[0], None).unwrap().to_string();
    let holds = |text: &str| {
        let included =
            text.parse::<InclusionProof>().and_then(|proof| proof.check(&place.keys(), ORIGIN, None)).is_ok();
        included || text.parse::<ConsistencyProof>().and_then(|proof| proof.check(&place.keys(), ORIGIN)).is_ok()
    };
    for text in [&inclusion, &consistency] {
        assert!(holds(text));
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] ^= 1;
            let Ok(changed) = String::from_utf8(changed) else { continue };
            assert!(!holds(&changed), "{at}: {changed}");
        }
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            assert!(!holds(&text[..end]), "{end}");
        }
        assert!(!holds(&format!("{text}\n")) && !holds(&text.replace('\n', "\r\n")));
    }
}

#[test]
fn proof_needs_key_and_origin_of_log() {
    let place = LogFixture::new();
    let proof = place.evidence().inclusion(7, None).unwrap();
    let other = LogFixture::new();
    assert!(matches!(proof.check(&other.keys(), ORIGIN, None), Err(ProofError::Checkpoint(_))));
    assert!(matches!(proof.check(&[], ORIGIN, None), Err(ProofError::Checkpoint(_))));
    assert!(matches!(proof.check(&place.keys(), "example/other", None), Err(ProofError::Checkpoint(_))));
    let text = proof.to_string();
    let extra = text.lines().find(|line| line.starts_with("extra")).unwrap();
    let bare: InclusionProof = text.replace(&format!("{extra}\n"), "").parse().unwrap();
    assert_eq!(bare.check(&place.keys(), ORIGIN, None).unwrap_err(), ProofError::NoRecord);
    let line = proof.check(&place.keys(), ORIGIN, None).unwrap().record;
    assert!(bare.check(&place.keys(), ORIGIN, Some(line.line().as_bytes())).is_ok());
}

#[test]
fn malformed_proof_is_rejected() {
    let hash = hash_line(&Digest::of(""));
    let many = hash.repeat(PROOF_HASHES + 1);
    for text in [
        String::new(),
        "c2sp.org/tlog-proof@v1\n".into(),
        "c2sp.org/tlog-proof@v2\nindex 1\n\nnote\n".into(),
        "c2sp.org/tlog-proof@v1\nindex 01\n\nnote\n".into(),
        "c2sp.org/tlog-proof@v1\nindex +1\n\nnote\n".into(),
        "c2sp.org/tlog-proof@v1\nindex 18446744073709551616\n\nnote\n".into(),
        "c2sp.org/tlog-proof@v1\nextra !\nindex 1\n\nnote\n".into(),
        "c2sp.org/tlog-proof@v1\nindex 1\nAAAA\n\nnote\n".into(),
        "c2sp.org/tlog-proof@v1\nindex 1\nindex 1\n\nnote\n".into(),
        format!("c2sp.org/tlog-proof@v1\nindex 1\n{many}\nnote\n"),
    ] {
        assert_eq!(text.parse::<InclusionProof>(), Err(ProofError::Form), "{text}");
    }
    for text in [
        String::new(),
        "portcullis-consistency/1\n".into(),
        "portcullis-consistency/1\nold AAAA\n".into(),
        "portcullis-consistency/1\nnew AAAA\nold AAAA\n".into(),
        "portcullis-consistency/1\nold /w==\nnew AAAA\n".into(),
        "portcullis-consistency/1\nold AAAA\nnew AAAA".into(),
        format!("portcullis-consistency/1\nold AAAA\nnew AAAA\n{many}"),
    ] {
        assert_eq!(text.parse::<ConsistencyProof>(), Err(ProofError::Form), "{text}");
    }
    let long = "x".repeat(PROOF_BYTES + 1);
    assert_eq!(long.parse::<InclusionProof>(), Err(ProofError::TooLong));
    assert_eq!(long.parse::<ConsistencyProof>(), Err(ProofError::TooLong));
}

#[test]
fn damage_before_a_record_prevents_its_proof() {
    let place = LogFixture::new();
    let log = place.log();
    let first = crate::audit::reader::read::files(&log).unwrap()[0].clone();
    let text = std::fs::read_to_string(&first).unwrap();
    std::fs::write(&first, text.replacen("\"n\":\"2\"", "\"n\":\"3\"", 1)).unwrap();
    let evidence = place.evidence();
    assert!(!evidence.report().is_intact());
    assert_eq!(evidence.inclusion(1, Some(&place.notes[0])).unwrap_err(), ProverError::Incomplete);
    std::fs::remove_file(&first).unwrap();
    let evidence = place.evidence();
    assert!(evidence.report().is_intact() && evidence.report().first > 0);
    assert!(matches!(
        evidence.consistency(&place.notes[0], None),
        Err(ProverError::Incomplete | ProverError::NoCheckpoint)
    ));
}
