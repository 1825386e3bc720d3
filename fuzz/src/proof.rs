//! Proofs: only what is in the log that was signed is proven, and a proof is written as it was
//! read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use portcullis::audit::proof::{ConsistencyProof, InclusionProof};
use portcullis::audit::tree::Tree;
use portcullis::verify::Digest;

use super::shown;
use super::trail::{ORIGIN, TRAIL, leaf};

/// Whether `bytes` are a proof; not whether it proves something.
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
            shown::one_line(&error);
            return false;
        }
    };
    assert_eq!(proof.to_string(), text);
    let keys = [TRAIL.key.clone()];
    match proof.check(&keys, ORIGIN, None) {
        Ok(included) => {
            let number = usize::try_from(included.record.seq()).expect("it was signed");
            assert!(TRAIL.has(number, &[included.record.line().as_bytes()]), "another record is proven");
            is_signed(included.checkpoint.size);
            assert!(included.record.seq() < included.checkpoint.size);
        }
        Err(error) => shown::one_line(&error),
    }
    // Whoever has the log needs no record with the proof, and no other record passes.
    let number = text.len() % TRAIL.lines.len();
    if let Ok(included) = proof.check(&keys, ORIGIN, Some(TRAIL.lines[number].as_bytes())) {
        assert_eq!(included.record.seq(), number as u64);
    }
    true
}

fn consistency(text: &str) -> bool {
    let proof = match text.parse::<ConsistencyProof>() {
        Ok(proof) => proof,
        Err(error) => {
            shown::one_line(&error);
            return false;
        }
    };
    assert_eq!(proof.to_string(), text);
    match proof.check(std::slice::from_ref(&TRAIL.key), ORIGIN) {
        Ok(proven) => {
            assert!(proven.old.size <= proven.new.size);
            is_signed(proven.old.size);
            is_signed(proven.new.size);
        }
        Err(error) => shown::one_line(&error),
    }
    true
}

fn is_signed(size: u64) {
    assert!(TRAIL.notes.iter().any(|(signed, _)| *signed as u64 == size), "no checkpoint is over {size} records");
}

fn hashes(hashes: &[Digest]) -> String {
    hashes.iter().map(|hash| format!("{}\n", BASE64.encode(hash.as_bytes()))).collect()
}

/// Proofs of the log, with some that prove nothing and some that are none.
pub(super) fn seeds() -> Vec<(String, Vec<u8>)> {
    let mut tree = Tree::new();
    TRAIL.lines.iter().for_each(|line| tree.push(leaf(line)));
    let mut seeds = Vec::new();
    for (size, note) in &TRAIL.notes {
        for number in [size / 2, size - 1] {
            let beside = hashes(&tree.inclusion(number as u64, *size as u64).expect("it is in the tree"));
            let record = BASE64.encode(&TRAIL.lines[number]);
            let first = "c2sp.org/tlog-proof@v1";
            seeds.push((
                format!("record-{number}-{size}"),
                format!("{first}\nextra {record}\nindex {number}\n{beside}\n{note}"),
            ));
            seeds.push((format!("bare-{number}-{size}"), format!("{first}\nindex {number}\n{beside}\n{note}")));
            seeds.push((format!("other-{number}-{size}"), format!("{first}\nindex {}\n{beside}\n{note}", number + 1)));
        }
        for (newer, new) in TRAIL.notes.iter().filter(|(newer, _)| newer >= size) {
            let beside = hashes(&tree.consistency(*size as u64, *newer as u64).expect("they are in the tree"));
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
