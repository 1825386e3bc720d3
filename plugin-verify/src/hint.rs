//! What a person can do about a refusal. Says nothing that the refusal itself says.

use portcullis::verify::{Format, Refusal};

/// One sentence, or nothing where there is nothing to do but to heed the refusal.
pub(crate) fn what_to_do(refusal: &Refusal) -> Option<&'static str> {
    Some(match refusal {
        // Not "name the actual digest instead": that would approve whatever lies there.
        Refusal::DigestMismatch { .. } => {
            "get the file again from its publisher, compare the digest with the one published there, and do not run it while they differ"
        }
        Refusal::NotRegular { .. } | Refusal::TooLarge { .. } => "name the plugin's program itself",
        Refusal::NotExecutable { .. } => "if it is a program, make it executable: chmod +x",
        Refusal::SetId { .. } => "a plugin runs with the rights of its host: remove the bits with chmod ug-s",
        Refusal::FileCapabilities => {
            "a plugin runs with the rights of its host: remove the capabilities with setcap -r"
        }
        Refusal::NoexecMount => "install the plugin on a file system that is mounted without noexec",
        Refusal::Format(Format::OtherClass | Format::OtherMachine { .. }) => {
            "get the build of the plugin for this machine"
        }
        Refusal::Format(_) => "get the file again from its publisher, and make sure that it is the program",
        Refusal::SealedExecUnavailable => {
            "name a directory for a private copy with --private-copy, on a file system that is mounted without noexec"
        }
        Refusal::CopyNotExecutable { .. } => {
            "name another directory with --private-copy, on a file system that is mounted without noexec"
        }
        _ => return None,
    })
}
