//! Decodes the file capabilities in the extended attribute `security.capability`
//! (capabilities(7)). Grants nothing.

use std::fmt;
use std::fs::File;
use std::io;

use crate::limits::inspect as limits;
use rustix::io::Errno;

/// The names of capabilities, indexed by number (linux/capability.h).
const NAMES: [&str; 41] = [
    "cap_chown",
    "cap_dac_override",
    "cap_dac_read_search",
    "cap_fowner",
    "cap_fsetid",
    "cap_kill",
    "cap_setgid",
    "cap_setuid",
    "cap_setpcap",
    "cap_linux_immutable",
    "cap_net_bind_service",
    "cap_net_broadcast",
    "cap_net_admin",
    "cap_net_raw",
    "cap_ipc_lock",
    "cap_ipc_owner",
    "cap_sys_module",
    "cap_sys_rawio",
    "cap_sys_chroot",
    "cap_sys_ptrace",
    "cap_sys_pacct",
    "cap_sys_admin",
    "cap_sys_boot",
    "cap_sys_nice",
    "cap_sys_resource",
    "cap_sys_time",
    "cap_sys_tty_config",
    "cap_mknod",
    "cap_lease",
    "cap_audit_write",
    "cap_audit_control",
    "cap_setfcap",
    "cap_mac_override",
    "cap_mac_admin",
    "cap_syslog",
    "cap_wake_alarm",
    "cap_block_suspend",
    "cap_audit_read",
    "cap_perfmon",
    "cap_bpf",
    "cap_checkpoint_restore",
];

/// The decoded attribute `security.capability` of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileCapabilities {
    /// A revision that this library knows.
    Known(Capabilities),
    /// An unknown revision, which may grant any capability.
    #[non_exhaustive]
    Unknown {
        /// The length of the attribute in bytes.
        length: usize,
    },
}

/// The capabilities that a file grants to a process that executes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// The revision of the attribute: 1, 2 or 3.
    pub revision: u8,
    /// Whether the permitted capabilities are effective from the start (`e` in setcap(8)).
    pub effective: bool,
    /// The permitted set, one bit for each capability.
    pub permitted: u64,
    /// The inheritable set, one bit for each capability.
    pub inheritable: u64,
    /// The user id of root in the user namespace in which they are valid. `None` means every
    /// namespace.
    pub root: Option<u32>,
}

impl FileCapabilities {
    /// Decodes the attribute. Bytes of no known revision give [`Unknown`](Self::Unknown).
    pub fn decode(attribute: &[u8]) -> Self {
        Capabilities::decode(attribute).map_or(Self::Unknown { length: attribute.len() }, Self::Known)
    }

    /// Reads the attribute of an open file. `None` if the file has none, as nearly all files.
    pub(super) fn read(file: &File) -> io::Result<Option<Self>> {
        let mut attribute = [0_u8; limits::CAPABILITY_ATTRIBUTE_BYTES];
        match rustix::fs::fgetxattr(file, "security.capability", &mut attribute[..]) {
            Ok(length) => Ok(Some(Self::decode(&attribute[..length]))),
            Err(Errno::NODATA | Errno::NOTSUP) => Ok(None),
            Err(Errno::RANGE) => Ok(Some(Self::Unknown { length: limits::CAPABILITY_ATTRIBUTE_BYTES + 1 })),
            Err(error) => Err(error.into()),
        }
    }
}

impl Capabilities {
    fn decode(attribute: &[u8]) -> Option<Self> {
        let words: Vec<u32> =
            attribute.chunks_exact(4).filter_map(|word| Some(u32::from_le_bytes(word.try_into().ok()?))).collect();
        let wide = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
        let (revision, permitted, inheritable, root) = match (words.as_slice(), attribute.len()) {
            ([head, p, i], 12) if head >> 24 == 1 => (1, wide(*p, 0), wide(*i, 0), None),
            ([head, p, i, p_high, i_high], 20) if head >> 24 == 2 => (2, wide(*p, *p_high), wide(*i, *i_high), None),
            ([head, p, i, p_high, i_high, root], 24) if head >> 24 == 3 => {
                (3, wide(*p, *p_high), wide(*i, *i_high), Some(*root))
            }
            _ => return None,
        };
        let effective = words.first()? & 1 != 0;
        Some(Self { revision, effective, permitted, inheritable, root })
    }

    /// Returns the names of the capabilities in a set. A capability without a name yet is `cap_`
    /// and its number.
    pub fn names(set: u64) -> Vec<String> {
        let numbers = (0..64).filter(|number| set >> number & 1 != 0);
        numbers
            .map(|number| NAMES.get(number).map_or_else(|| format!("cap_{number}"), |name| (*name).to_owned()))
            .collect()
    }
}

impl fmt::Display for Capabilities {
    /// Writes the notation of setcap(8).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let both = self.permitted & self.inheritable;
        let effective = if self.effective { "e" } else { "" };
        let groups = [(both, "ip"), (self.permitted & !both, "p"), (self.inheritable & !both, "i")];
        let mut separator = "";
        for (set, flags) in groups.into_iter().filter(|(set, _)| *set != 0) {
            write!(f, "{separator}{}={effective}{flags}", Self::names(set).join(","))?;
            separator = " ";
        }
        if separator.is_empty() {
            f.write_str("=")?;
        }
        match self.root {
            Some(root) => write!(f, " [rootid={root}]"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for FileCapabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(capabilities) => capabilities.fmt(f),
            Self::Unknown { length } => write!(f, "an unknown revision of {length} bytes"),
        }
    }
}
