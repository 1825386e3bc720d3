//! The rule for who may own and write the files of a plugin. Reads no file.

use std::collections::BTreeSet;
use std::path::Path;

use rustix::process::geteuid;

use crate::fs::{OTHERS_WRITE, PERMISSION_BITS};
use crate::verify::Refusal;
use crate::verify::decision::error::ExamineError;

/// The rule for the owners and modes of the plugin directory, the directories above it, and all
/// files in it.
///
/// By default root and this process's user may own them, and only the owner may write them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owners {
    users: BTreeSet<u32>,
    mode: u32,
}

impl Owners {
    /// Accepts root and the user that this process runs as.
    pub fn root_and_host() -> Self {
        Self { users: BTreeSet::from([0, geteuid().as_raw()]), mode: PERMISSION_BITS & !OTHERS_WRITE }
    }

    /// Accepts only these user ids. An empty list accepts no file.
    pub fn only(users: impl IntoIterator<Item = u32>) -> Self {
        Self { users: users.into_iter().collect(), ..Self::root_and_host() }
    }

    /// Accepts only these permission bits, on files and directories. Write permission for group or
    /// others is never accepted.
    pub fn with_mode(mut self, mode: u32) -> Self {
        self.mode = mode & !OTHERS_WRITE;
        self
    }

    pub(crate) fn check(&self, path: &Path, owner: u32, mode: u32) -> Result<(), ExamineError> {
        let mode = mode & PERMISSION_BITS;
        match self.users.contains(&owner) && mode & !self.mode == 0 {
            true => Ok(()),
            false => Err(Refusal::UntrustedOwner { path: path.to_path_buf(), owner, mode }.into()),
        }
    }
}

impl Default for Owners {
    fn default() -> Self {
        Self::root_and_host()
    }
}
