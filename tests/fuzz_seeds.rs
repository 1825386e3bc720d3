//! Checks the properties of `fuzz/` over its seeds and some thousand mutations of them.
//! Deterministic, on every machine, without fuzzing tools; `fuzz/run` searches further.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "tests")]

#[allow(unreachable_pub, reason = "a library crate in fuzz/")]
#[path = "../fuzz/src/lib.rs"]
mod fuzz;

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

/// The number of mutations of each seed.
const MUTATIONS: u64 = 400;

/// A pseudorandom generator (Marsaglia's xorshift), the same for the same start.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

/// The seeds of a target: the files in the order of their names, then the generated ones.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut paths: Vec<_> = fs::read_dir(directory).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let files = paths.into_iter().map(|path| fs::read(path).unwrap());
    files.chain(fuzz::generated_seeds(target).into_iter().map(|(_, bytes)| bytes)).collect()
}

/// Mutates `bytes` at one place or several, partly with pieces of `other`.
fn mutate(bytes: &mut Vec<u8>, other: &[u8], numbers: &mut Numbers) {
    for _ in 0..=numbers.below(3) {
        let at = numbers.below(bytes.len() + 1);
        let end = bytes.len().min(at + numbers.below(24));
        match numbers.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << numbers.below(8),
            1 if at < bytes.len() => bytes[at] = numbers.next() as u8,
            2 => drop(bytes.drain(at..end)),
            3 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            4 => {
                let from = numbers.below(other.len() + 1);
                let piece = &other[from..other.len().min(from + 1 + numbers.below(96))];
                bytes.splice(at..end, piece.iter().copied());
            }
            // Boundary values of integers.
            _ => bytes[at..end].fill([0, 0x7f, 0x80, 0xff][numbers.below(4)]),
        }
    }
}

fn holds(target: &str) {
    let (_, check) = fuzz::TARGETS.into_iter().find(|(name, _)| *name == target).unwrap();
    let seeds = seeds(target);
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let run = |bytes: &[u8]| {
        let result = catch_unwind(|| check(bytes));
        result.unwrap_or_else(|_| panic!("the property of {target} fails for {}", bytes.escape_ascii()))
    };
    let accepted = seeds.iter().filter(|seed| run(seed)).count();
    // Accepted seeds alone, or rejected ones alone, would leave half of the code untested.
    assert!(accepted > 0 && accepted < seeds.len(), "{accepted} of {} seeds are accepted", seeds.len());
    for seed in &seeds {
        for _ in 0..MUTATIONS {
            let mut bytes = seed.clone();
            mutate(&mut bytes, &seeds[numbers.below(seeds.len())], &mut numbers);
            run(&bytes);
        }
    }
}

#[test]
fn checksum_lists_round_trip() {
    holds("checksums");
}

#[test]
fn elf_facts_come_from_the_file() {
    holds("elf");
}

#[test]
fn lock_file_round_trips() {
    holds("lock");
}

#[test]
fn manifest_paths_stay_inside_the_bundle() {
    holds("manifest");
}

#[test]
fn only_signed_bytes_verify() {
    holds("minisign");
}

#[test]
fn policy_rejects_unknown_keys() {
    holds("policy");
}

#[test]
fn covered_records_are_the_signed_ones() {
    holds("log");
}

#[test]
fn only_signed_notes_verify() {
    holds("note");
}

#[test]
fn only_logged_records_have_proofs() {
    holds("proof");
}

#[test]
fn changing_any_record_byte_is_detected() {
    holds("record");
}
