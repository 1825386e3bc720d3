//! Writes the seeds of a target that are made, and not kept, into a directory:
//! `seeds TARGET DIRECTORY`.
#![allow(clippy::expect_used, reason = "it is run by `fuzz/run` alone")]

use std::path::PathBuf;

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    let target = arguments.next().expect("a target");
    let directory = PathBuf::from(arguments.next().expect("a directory"));
    for (name, bytes) in portcullis_fuzz::made(target.to_str().expect("a target")) {
        std::fs::write(directory.join(name), bytes).expect("a seed");
    }
}
