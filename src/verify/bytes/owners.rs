//! Who may own what a plugin is made of, and who may write it. Looks at nothing by itself.

use std::collections::BTreeSet;
use std::path::Path;

use rustix::process::geteuid;

use crate::fs::{OTHERS_WRITE, PERMISSION_BITS};
use crate::verify::Refusal;
use crate::verify::decision::error::ExamineError;

/// The rule for a plugin's directory, everything above it, and everything in it.
///
/// By default root and this process's user may own things, and nobody else may write them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owners {
    users: BTreeSet<u32>,
    mode: u32,
}

impl Owners {
    /// Root, and the user that this process runs as.
    pub fn root_and_host() -> Self {
        Self { users: BTreeSet::from([0, geteuid().as_raw()]), mode: PERMISSION_BITS & !OTHERS_WRITE }
    }

    /// Only these users, by their ids. None at all means that nothing is accepted.
    pub fn only(users: impl IntoIterator<Item = u32>) -> Self {
        Self { users: users.into_iter().collect(), ..Self::root_and_host() }
    }

    /// Only these permission bits may be set, on files and directories. Bits that let others write
    /// stay forbidden in any case.
    pub fn with_mode(mut self, mode: u32) -> Self {
        self.mode = mode & !OTHERS_WRITE;
        self
    }

    pub(crate) fn check(&self, path: &Path, owner: u32, mode: u32) -> Result<(), ExamineError> {
        let mode = mode & PERMISSION_BITS;
        match self.users.contains(&owner) && mode & !self.mode == 0 {
            true => Ok(()),
            false => Err(Refusal::UnsafeOwner { path: path.to_path_buf(), owner, mode }.into()),
        }
    }
}

impl Default for Owners {
    fn default() -> Self {
        Self::root_and_host()
    }
}
