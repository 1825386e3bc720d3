//! What a person can do about a refusal. Says nothing that the refusal itself says.

use portcullis::authoring::LockRefusal;
use portcullis::verify::{Format, Refusal};

/// One sentence, or nothing where there is nothing to do but to heed the refusal.
pub(crate) fn what_to_do(refusal: &Refusal) -> Option<&'static str> {
    Some(match refusal {
        // Not "name the actual digest instead": that would approve whatever lies there.
        Refusal::DigestMismatch { .. } => {
            "get the file again from its publisher, compare the digest with the one published there, and do not run it while they differ"
        }
        Refusal::Script { .. } => {
            "a script is a plugin in a directory whose manifest names the interpreter: plugin-verify manifest create --interpreter"
        }
        Refusal::FileDigest { .. } | Refusal::FileSize { .. } | Refusal::ManifestMismatch { .. } => {
            "get the plugin again from its publisher, and do not run it while it is not what was agreed to"
        }
        Refusal::File { reason, .. } | Refusal::Interpreter { reason, .. } => return what_to_do(reason),
        Refusal::Denied { .. } => {
            "do not run it: the policy takes these bytes out of use; get another version of the plugin"
        }
        Refusal::NotAttested { .. } | Refusal::RequiredSource { .. } => {
            "do not run it before somebody who knows the right digest vouches for it: its publisher with a signed manifest, or whoever reviews the lock file"
        }
        Refusal::Unsigned { .. } => {
            "get the signature from the publisher, who makes it with plugin-verify sign or minisign -S"
        }
        Refusal::Contradiction { .. } => "find out which of the two is right, and do not run it before",
        Refusal::Rollback { .. } | Refusal::VersionUnknown { .. } => {
            "get a version that is not below the minimum version, with the manifest that says which version it is"
        }
        Refusal::Expired { .. } => {
            "get a newer manifest from the publisher, and see that the clock of this machine is right"
        }
        Refusal::Unnamed | Refusal::OtherPlugin { .. } => "name the plugin that is meant with --as",
        Refusal::OtherPlatform { .. } => "get the build of the plugin for this machine",
        Refusal::ManifestOfDirectory => "name the directory of the plugin, not a file of it",
        Refusal::UnsafeOwner { .. } | Refusal::WritableByOthers { .. } | Refusal::OpenDirectory { .. } => {
            "let it belong to root or to this user, and let nobody else write it: chown, chmod go-w"
        }
        Refusal::Symlink { .. } => "put the file itself in the place of the link",
        Refusal::OutsideDirectory { .. } | Refusal::DirectoryNotAbsolute { .. } => {
            "name the plugin directory by its absolute path, and the plugin by its path in it, without .."
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

/// The same about something that was not agreed to.
pub(crate) fn on_agreement(refusal: &LockRefusal) -> Option<&'static str> {
    Some(match refusal {
        LockRefusal::Locked { .. } => {
            "if the new bytes are meant to replace the old ones, use plugin-verify lock update"
        }
        LockRefusal::NotLocked { .. } => "what is not in the lock file yet is added with plugin-verify lock add",
        LockRefusal::OtherVersion { .. } => "use plugin-verify lock update with the files for all platforms",
        LockRefusal::Downgrade { .. } => "name a newer version; --dangerous-downgrade goes back all the same",
        LockRefusal::OtherSigner { .. } => {
            "ask the publisher, not the file, whether the key has changed; --dangerous-other-signer goes on without the old one"
        }
        LockRefusal::PlatformsLeft { .. } => {
            "name the files for all platforms at once; --drop-platforms ends the agreement on the others"
        }
        _ => return None,
    })
}
