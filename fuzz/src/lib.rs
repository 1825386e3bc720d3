//! What must hold for whatever bytes the parsers of `verify` and `audit` are given: a property that
//! does not hold is a panic. libFuzzer looks for such bytes, and `tests/fuzz_seeds.rs` runs the
//! same over the seeds. Makes no bytes itself but those that start the search.
#![forbid(unsafe_code)]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a panic is a finding")]

pub mod checksums;
pub mod elf;
pub mod image;
pub mod lock;
pub mod log;
pub mod manifest;
pub mod minisign;
pub mod note;
pub mod policy;
pub mod proof;
pub mod record;
mod shown;
mod trail;

/// What looks at some bytes: whether they were accepted.
pub type Check = fn(&[u8]) -> bool;

/// Every target by its name.
pub const TARGETS: [(&str, Check); 10] = [
    ("checksums", checksums::check),
    ("elf", elf::check),
    ("lock", lock::check),
    ("log", log::check),
    ("manifest", manifest::check),
    ("minisign", minisign::check),
    ("note", note::check),
    ("policy", policy::check),
    ("proof", proof::check),
    ("record", record::check),
];

/// The seeds of a target that are made and not kept, each with a name.
pub fn made(target: &str) -> Vec<(String, Vec<u8>)> {
    match target {
        "elf" => image::all(),
        "log" => log::seeds(),
        "note" => note::seeds(),
        "proof" => proof::seeds(),
        "record" => record::seeds(),
        _ => Vec::new(),
    }
}
