//! Writes the generated seeds of a target to a directory: `seeds TARGET DIRECTORY`.
#![allow(clippy::expect_used, reason = "only `fuzz/run` runs it")]

use std::path::PathBuf;

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    let target = arguments.next().expect("a target");
    let directory = PathBuf::from(arguments.next().expect("a directory"));
    for (name, bytes) in portcullis_fuzz::generated_seeds(target.to_str().expect("a target")) {
        std::fs::write(directory.join(name), bytes).expect("a seed");
    }
}
