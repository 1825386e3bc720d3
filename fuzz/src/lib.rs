//! The properties that the parsers of `verify` and `audit` must keep for any input: a violation
//! panics. libFuzzer searches for such inputs, and `tests/fuzz_seeds.rs` checks the seeds.
//! Generates no input except the seeds.
#![forbid(unsafe_code)]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a panic is a finding")]

pub mod checksums;
mod display;
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
mod sample_log;

/// A property: checks some bytes, and returns whether the parser accepted them.
pub type Check = fn(&[u8]) -> bool;

/// Every target with its name.
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

/// The generated seeds of a target, each with a name. Other seeds are files in `seeds/`.
pub fn generated_seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    match target {
        "elf" => image::all(),
        "log" => log::seeds(),
        "note" => note::seeds(),
        "proof" => proof::seeds(),
        "record" => record::seeds(),
        _ => Vec::new(),
    }
}
