//! The file of a plugin on disk: opened without side effects, and refused for its kind, size, mode
//! or mount. Does not look at its content.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::StatVfsMountFlags;

use crate::fs::{RegularFileError, Symlinks, kind_unless_regular, open_regular};
use crate::verify::Refusal;
use crate::verify::decision::error::ExamineError;

/// A regular file within the size limit, with execute permission, without set-ID bits or file
/// capabilities, and not on a `noexec` mount.
#[derive(Debug)]
pub(crate) struct PluginFile {
    pub(crate) file: File,
    pub(crate) mode: u32,
    pub(crate) owner: u32,
    limit: u64,
}

impl PluginFile {
    pub(crate) fn open(path: &Path, limit: u64) -> Result<Self, ExamineError> {
        let file = open_regular(path, Symlinks::Follow).map_err(|error| match error {
            RegularFileError::Io(error) => ExamineError::io("opening it")(error),
            RegularFileError::NotRegular { kind } => Refusal::NotRegular { kind }.into(),
        })?;
        Self::of(file, limit)
    }

    /// As [`open`](Self::open), for an open file.
    pub(crate) fn of(file: File, limit: u64) -> Result<Self, ExamineError> {
        let metadata = file.metadata().map_err(ExamineError::io("looking at it"))?;
        refuse_kind(metadata.file_type())?;
        let mode = metadata.mode() & 0o7777;
        if metadata.len() > limit {
            return Err(Refusal::TooLarge { limit }.into());
        }
        if mode & 0o6000 != 0 {
            return Err(Refusal::SetId { mode }.into());
        }
        if mode & 0o111 == 0 {
            return Err(Refusal::NotExecutable { mode }.into());
        }
        if has_capabilities(&file).map_err(ExamineError::io("reading its capabilities"))? {
            return Err(Refusal::FileCapabilities.into());
        }
        if is_noexec(&file).map_err(ExamineError::io("looking at its mount"))? {
            return Err(Refusal::NoexecMount.into());
        }
        Ok(Self { file, mode, owner: metadata.uid(), limit })
    }

    /// Copies the content. The file may grow during the copy, so the limit applies to the copied
    /// bytes and not to the size at the start.
    pub(crate) fn copy_to(&self, mut target: &File) -> Result<u64, ExamineError> {
        let copied = io::copy(&mut (&self.file).take(self.limit.saturating_add(1)), &mut target)
            .map_err(ExamineError::io("copying it"))?;
        target.flush().map_err(ExamineError::io("copying it"))?;
        if copied > self.limit {
            return Err(Refusal::TooLarge { limit: self.limit }.into());
        }
        Ok(copied)
    }
}

fn refuse_kind(kind: std::fs::FileType) -> Result<(), ExamineError> {
    match kind_unless_regular(kind) {
        None => Ok(()),
        Some(kind) => Err(Refusal::NotRegular { kind }.into()),
    }
}

fn has_capabilities(file: &File) -> io::Result<bool> {
    match rustix::fs::fgetxattr(file, "security.capability", &mut [0_u8; 0][..]) {
        Ok(_) => Ok(true),
        Err(rustix::io::Errno::NODATA | rustix::io::Errno::NOTSUP) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether `file` is on a mount with the option `noexec`.
pub(crate) fn is_noexec(file: &File) -> io::Result<bool> {
    Ok(rustix::fs::fstatvfs(file)?.f_flag.contains(StatVfsMountFlags::NOEXEC))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noexec_mount_is_recognized() {
        // Nearly every machine mounts /proc and /sys with noexec.
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        let mut noexec = mounts.lines().filter_map(|line| {
            let fields: Vec<_> = line.split(' ').collect();
            let is_kernels = ["/proc", "/sys"].contains(fields.get(1)?);
            (is_kernels && fields.get(3)?.split(',').any(|option| option == "noexec")).then_some(fields[1])
        });
        match noexec.next_back() {
            Some(mount) => assert!(is_noexec(&File::open(mount).unwrap()).unwrap(), "{mount}"),
            None => eprintln!("SKIPPED: neither /proc nor /sys is mounted noexec here"),
        }
        assert!(!is_noexec(&File::open(std::env::current_exe().unwrap()).unwrap()).unwrap());
    }
}
