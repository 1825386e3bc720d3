//! What must hold for whatever bytes the parsers of `verify` are given: a property that does not hold is a panic. libFuzzer looks for such
//! bytes, and `tests/fuzz_seeds.rs` runs the same over the seeds. Makes no bytes itself but those that start the search.
#![forbid(unsafe_code)]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a panic is a finding")]

pub mod checksums;
pub mod elf;
pub mod image;
pub mod lock;
pub mod manifest;
pub mod minisign;
pub mod policy;
mod shown;

/// What looks at some bytes: whether they were accepted.
pub type Check = fn(&[u8]) -> bool;

/// Every target by its name.
pub const TARGETS: [(&str, Check); 6] = [
    ("checksums", checksums::check),
    ("elf", elf::check),
    ("lock", lock::check),
    ("manifest", manifest::check),
    ("minisign", minisign::check),
    ("policy", policy::check),
];

/// The seeds of a target that are made and not kept, each with a name.
pub fn made(target: &str) -> Vec<(String, Vec<u8>)> {
    if target == "elf" { image::all() } else { Vec::new() }
}
