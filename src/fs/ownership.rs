//! Who may change a file or directory, as its owner and its permission bits say. Reads metadata
//! that the caller got; knows no access control lists.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

use rustix::process::geteuid;

/// The bits of `st_mode` that are permissions (inode(7)), set-ID and sticky bits included.
pub(crate) const PERMISSION_BITS: u32 = 0o7777;

/// The permission bits that let the group and everyone else write.
pub(crate) const OTHERS_WRITE: u32 = 0o022;

/// The permission bits that let the group and everyone else read, write or execute.
const OTHERS_ACCESS: u32 = 0o077;

/// In a directory with this bit only the owner of an entry, the owner of the directory and root can
/// rename or remove that entry (unlink(2), EPERM). `/tmp` has it.
const STICKY: u32 = 0o1000;

/// The owner and the permission bits of a file or directory.
///
/// "Others" are all users but root and the effective user of this process. The group counts as
/// others, even if this user is its only member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ownership {
    /// The owner's user id.
    pub owner: u32,
    /// The permission bits: the lower twelve bits of `st_mode`.
    pub mode: u32,
}

impl Ownership {
    /// The ownership that `stat` found.
    pub fn of(metadata: &Metadata) -> Self {
        Self::new(metadata.uid(), metadata.mode())
    }

    /// The ownership of something with this owner and this `st_mode`, whose file type is dropped.
    pub fn new(owner: u32, mode: u32) -> Self {
        Self { owner, mode: mode & PERMISSION_BITS }
    }

    /// Whether the effective user of this process is the owner.
    pub fn is_own(self) -> bool {
        self.owner == geteuid().as_raw()
    }

    /// Whether root or the effective user of this process is the owner. Any other owner can set the
    /// mode at will, so the mode proves nothing then.
    pub fn is_owner_trusted(self) -> bool {
        self.owner == 0 || self.is_own()
    }

    /// Whether others can write the file, or add, rename or remove entries of the directory. The
    /// sticky bit makes no difference: it does not keep others from adding entries.
    pub fn others_can_write(self) -> bool {
        !self.is_owner_trusted() || self.mode & OTHERS_WRITE != 0
    }

    /// Whether others can rename or remove entries of the directory that are not theirs. A sticky
    /// directory such as `/tmp` prevents that.
    pub fn others_can_rename_entries(self) -> bool {
        !self.is_owner_trusted() || self.rename_mode() & OTHERS_WRITE != 0
    }

    /// Whether the mode lets the group or everyone else read, write or execute. The owner is not
    /// checked.
    pub fn is_open_to_others(self) -> bool {
        self.mode & OTHERS_ACCESS != 0
    }

    /// The mode of a directory as far as renaming its entries is concerned: without the write bits
    /// of others if the sticky bit makes them harmless.
    pub(crate) fn rename_mode(self) -> u32 {
        if self.mode & STICKY != 0 { self.mode & !OTHERS_WRITE } else { self.mode }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mode_decides_what_others_can_do() {
        // Mode, then whether others can write, rename entries, have any access.
        for (mode, write, rename, access) in [
            (0o600, false, false, false),
            (0o700, false, false, false),
            (0o644, false, false, true),
            (0o755, false, false, true),
            (0o664, true, true, true),
            (0o602, true, true, true),
            (0o620, true, true, true),
            (0o777, true, true, true),
            (0o1777, true, false, true),
            (0o1770, true, false, true),
            (0o1755, false, false, true),
        ] {
            for owner in [0, geteuid().as_raw()] {
                let ownership = Ownership::new(owner, 0o100_000 | mode);
                let found = (
                    ownership.others_can_write(),
                    ownership.others_can_rename_entries(),
                    ownership.is_open_to_others(),
                );
                assert_eq!(found, (write, rename, access), "{mode:o}");
                assert_eq!(ownership.mode, mode);
            }
        }
    }

    #[test]
    fn another_owner_can_always_write() {
        let foreign = Ownership::new(geteuid().as_raw().wrapping_add(12345), 0o400);
        assert!(!foreign.is_own() && !foreign.is_owner_trusted());
        assert!(foreign.others_can_write() && foreign.others_can_rename_entries());
    }
}
