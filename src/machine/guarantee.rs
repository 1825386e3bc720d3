//! What there is to be found out about a machine: the names, what each is for, and what a launch
//! needs by default. Finds out nothing.

use std::fmt;
use std::str::FromStr;

/// Something that a machine gives or does not, and that a promise of this library or of its
/// surroundings rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Guarantee {
    /// Linux 5.11 or later.
    Kernel,
    /// Memory that can be sealed and executed (memfd_create(2), fcntl(2) `F_ADD_SEALS`).
    SealedImage,
    /// The permission bits of such memory can be sealed as well (`F_SEAL_EXEC`, Linux 6.3).
    SealedMode,
    /// What was hashed can be executed by its descriptor (execveat(2)).
    ExecByDescriptor,
    /// Descriptors can be closed all at once (close_range(2)).
    ClosedDescriptors,
    /// Processes can be held on to (pidfd_open(2)).
    ProcessHandle,
    /// Gaining privileges can be forbidden (prctl(2) `PR_SET_NO_NEW_PRIVS`).
    NoNewPrivileges,
    /// The process at the other end of a socket can be told by its pidfd (`SO_PEERPIDFD`, Linux
    /// 6.5, and pidfs, Linux 6.9).
    PeerIdentity,
    /// The directory for temporary files can hold the private directory of a launch.
    PrivateDirectory,
    /// Programs may be executed from the directory for temporary files.
    PrivateCopy,
    /// This process is not root, so a plugin from an execute-only image cannot be traced by others.
    OrdinaryUser,
    /// Processes may trace their descendants only, or none (Yama).
    RestrictedTracing,
    /// Landlock (landlock(7)).
    Landlock,
    /// System call filters (seccomp(2)).
    Seccomp,
    /// User namespaces (user_namespaces(7)).
    UserNamespaces,
    /// A control group of version 2 in which this process may make others (cgroups(7)).
    ControlGroups,
    /// The kernel can prove files by itself (fs-verity, IMA).
    FileIntegrity,
    /// Programs may be executed from the directory with plugins.
    PluginMount,
    /// Nobody but root and this user may write the directory with plugins, what is above it, or
    /// what is in it.
    PluginDirectory,
}

impl Guarantee {
    /// Every guarantee, in the order in which they are reported.
    pub const ALL: &[Self] = &[
        Self::Kernel,
        Self::SealedImage,
        Self::SealedMode,
        Self::ExecByDescriptor,
        Self::ClosedDescriptors,
        Self::ProcessHandle,
        Self::NoNewPrivileges,
        Self::PeerIdentity,
        Self::PrivateDirectory,
        Self::PrivateCopy,
        Self::OrdinaryUser,
        Self::RestrictedTracing,
        Self::Landlock,
        Self::Seccomp,
        Self::UserNamespaces,
        Self::ControlGroups,
        Self::FileIntegrity,
        Self::PluginMount,
        Self::PluginDirectory,
    ];

    /// The name, by which it can be required: words with dashes. Names stay as they are.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::SealedImage => "sealed-image",
            Self::SealedMode => "sealed-mode",
            Self::ExecByDescriptor => "exec-by-descriptor",
            Self::ClosedDescriptors => "closed-descriptors",
            Self::ProcessHandle => "process-handle",
            Self::NoNewPrivileges => "no-new-privileges",
            Self::PeerIdentity => "peer-identity",
            Self::PrivateDirectory => "private-directory",
            Self::PrivateCopy => "private-copy",
            Self::OrdinaryUser => "ordinary-user",
            Self::RestrictedTracing => "restricted-tracing",
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
            Self::UserNamespaces => "user-namespaces",
            Self::ControlGroups => "control-groups",
            Self::FileIntegrity => "file-integrity",
            Self::PluginMount => "plugin-mount",
            Self::PluginDirectory => "plugin-directory",
        }
    }

    /// What it is for.
    pub fn purpose(self) -> &'static str {
        match self {
            Self::Kernel => "the floor that everything promised here stands on",
            Self::SealedImage => "the bytes that were hashed are the bytes that run",
            Self::SealedMode => "not even the permissions of the sealed bytes change",
            Self::ExecByDescriptor => "there is no second look at the path",
            Self::ClosedDescriptors => "no descriptor of the host reaches the plugin",
            Self::ProcessHandle => "signals reach the process that was launched, and no plugin outlives its host",
            Self::NoNewPrivileges => "neither the plugin nor its children can gain privileges",
            Self::PeerIdentity => {
                "the process that was launched is the process that answers, told by more than its number"
            }
            Self::PrivateDirectory => "the plugin's socket lies where nobody else may go",
            Self::PrivateCopy => "copies on disk run where executing memory is forbidden",
            Self::OrdinaryUser => "no other process of the user can trace the plugin or read its environment",
            Self::RestrictedTracing => "that nobody debugs the host process is assumed",
            Self::Landlock => "bounds which files a plugin reaches with its user's rights",
            Self::Seccomp => "bounds which system calls a plugin can make",
            Self::UserNamespaces => "bounds what a plugin sees, without root",
            Self::ControlGroups => "bounds processor, memory and processes of a plugin, and ends all of them at once",
            Self::FileIntegrity => "the kernel itself notices files that changed",
            Self::PluginMount => "programs on a noexec mount are refused",
            Self::PluginDirectory => {
                "nobody else can put another file in a plugin's place, not even one that is then refused"
            }
        }
    }

    /// Whether a launch with everything at its default needs it.
    pub fn is_required(self) -> bool {
        match self {
            Self::Kernel
            | Self::SealedImage
            | Self::ExecByDescriptor
            | Self::ClosedDescriptors
            | Self::ProcessHandle
            | Self::NoNewPrivileges
            | Self::PrivateDirectory
            | Self::PluginMount => true,
            Self::SealedMode
            | Self::PeerIdentity
            | Self::PrivateCopy
            | Self::OrdinaryUser
            | Self::RestrictedTracing
            | Self::Landlock
            | Self::Seccomp
            | Self::UserNamespaces
            | Self::ControlGroups
            | Self::FileIntegrity
            | Self::PluginDirectory => false,
        }
    }
}

impl fmt::Display for Guarantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Guarantee {
    type Err = UnknownGuarantee;

    fn from_str(name: &str) -> Result<Self, UnknownGuarantee> {
        Self::ALL.iter().copied().find(|guarantee| guarantee.name() == name).ok_or(UnknownGuarantee)
    }
}

/// No guarantee has that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownGuarantee;

impl fmt::Display for UnknownGuarantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is none of ")?;
        for (index, guarantee) in Guarantee::ALL.iter().enumerate() {
            write!(f, "{}{guarantee}", if index > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownGuarantee {}
