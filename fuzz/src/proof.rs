//! Proofs: only records of the signed log have a valid proof, and a proof is displayed as it was
//! parsed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use portcullis::audit::proof::{ConsistencyProof, InclusionProof};
use portcullis::audit::tree::Tree;
use portcullis::verify::Digest;

use super::display;
use super::sample_log::{ORIGIN, SAMPLE, leaf};

/// Whether `bytes` are a proof, valid or not.
pub fn check(bytes: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(bytes) else {
        return false;
    };
    let inclusion = inclusion(text);
    let consistency = consistency(text);
    inclusion || consistency
}

fn inclusion(text: &str) -> bool {
    let proof = match text.parse::<InclusionProof>() {
        Ok(proof) => proof,
        Err(error) => {
            display::one_line(&error);
            return false;
        }
    };
    assert_eq!(proof.to_string(), text);
    let keys = [SAMPLE.key.clone()];
    match proof.check(&keys, ORIGIN, None) {
        Ok(included) => {
            let number = usize::try_from(included.record.index()).expect("a small number");
            assert!(SAMPLE.has(number, &[included.record.line().as_bytes()]), "the proof is valid for another record");
            is_signed(included.checkpoint.size);
            assert!(included.record.index() < included.checkpoint.size);
        }
        Err(error) => display::one_line(&error),
    }
    // With the record at hand, the proof need not carry it. No other record passes.
    let number = text.len() % SAMPLE.lines.len();
    if let Ok(included) = proof.check(&keys, ORIGIN, Some(SAMPLE.lines[number].as_bytes())) {
        assert_eq!(included.record.index(), number as u64);
    }
    true
}

fn consistency(text: &str) -> bool {
    let proof = match text.parse::<ConsistencyProof>() {
        Ok(proof) => proof,
        Err(error) => {
            display::one_line(&error);
            return false;
        }
    };
    assert_eq!(proof.to_string(), text);
    match proof.check(std::slice::from_ref(&SAMPLE.key), ORIGIN) {
        Ok(proven) => {
            assert!(proven.old.size <= proven.new.size);
            is_signed(proven.old.size);
            is_signed(proven.new.size);
        }
        Err(error) => display::one_line(&error),
    }
    true
}

fn is_signed(size: u64) {
    assert!(SAMPLE.notes.iter().any(|(signed, _)| *signed as u64 == size), "no checkpoint covers {size} records");
}

fn hashes(hashes: &[Digest]) -> String {
    hashes.iter().map(|hash| format!("{}\n", BASE64.encode(hash.as_bytes()))).collect()
}

/// Valid proofs of the log, invalid ones, and text that is not a proof.
pub(super) fn seeds() -> Vec<(String, Vec<u8>)> {
    let mut tree = Tree::new();
    SAMPLE.lines.iter().for_each(|line| tree.push(leaf(line)));
    let mut seeds = Vec::new();
    for (size, note) in &SAMPLE.notes {
        for number in [size / 2, size - 1] {
            let beside = hashes(&tree.inclusion(number as u64, *size as u64).expect("a record of the tree"));
            let record = BASE64.encode(&SAMPLE.lines[number]);
            let first = "c2sp.org/tlog-proof@v1";
            seeds.push((
                format!("record-{number}-{size}"),
                format!("{first}\nextra {record}\nindex {number}\n{beside}\n{note}"),
            ));
            seeds.push((format!("bare-{number}-{size}"), format!("{first}\nindex {number}\n{beside}\n{note}")));
            seeds.push((format!("other-{number}-{size}"), format!("{first}\nindex {}\n{beside}\n{note}", number + 1)));
        }
        for (newer, new) in SAMPLE.notes.iter().filter(|(newer, _)| newer >= size) {
            let beside = hashes(&tree.consistency(*size as u64, *newer as u64).expect("sizes of the tree"));
            let (old, new) = (BASE64.encode(note), BASE64.encode(new));
            seeds.push((
                format!("grown-{size}-{newer}"),
                format!("portcullis-consistency/1\nold {old}\nnew {new}\n{beside}"),
            ));
        }
        seeds.push((format!("note-{size}"), note.clone()));
    }
    seeds.into_iter().map(|(name, text)| (name, text.into_bytes())).collect()
}
