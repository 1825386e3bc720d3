//! The guarantees that a machine may give: for each its name, its purpose, whether a launch needs
//! it, and a remedy, all in one place. Assesses nothing.

use std::fmt;
use std::str::FromStr;

/// Declares the guarantees. A guarantee with a missing part does not compile.
macro_rules! guarantees {
    ($($(#[doc = $doc:literal])+ $variant:ident {
        name: $name:literal,
        required: $required:literal,
        purpose: $purpose:literal,
        remedy: $remedy:literal,
    })+) => {
        /// A property of the machine that a promise of this library, or a confinement of plugins,
        /// depends on.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Guarantee {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Guarantee {
            /// Every guarantee, in the order of a report.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name, such as `sealed-image`. Stable across versions.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// The benefit of the guarantee, in one line.
            pub fn purpose(self) -> &'static str {
                match self {
                    $(Self::$variant => $purpose,)+
                }
            }

            /// Whether a launch with default settings needs it.
            pub fn is_required(self) -> bool {
                match self {
                    $(Self::$variant => $required,)+
                }
            }

            /// The remedy if the machine does not give it.
            pub fn remedy(self) -> &'static str {
                match self {
                    $(Self::$variant => $remedy,)+
                }
            }
        }
    };
}

guarantees! {
    /// Linux 5.11 or later.
    Kernel {
        name: "kernel",
        required: true,
        purpose: "all promises of this library need this kernel",
        remedy: "run Linux 5.11 or later",
    }
    /// Memory that can be sealed and executed (memfd_create(2), fcntl(2) `F_ADD_SEALS`).
    SealedImage {
        name: "sealed-image",
        required: true,
        purpose: "the bytes that were hashed are the bytes that run",
        remedy: "set vm.memfd_noexec to 0 or 1 in this pid namespace, or run plugins from private copies",
    }
    /// The permission bits of such memory can be sealed too (`F_SEAL_EXEC`, Linux 6.3).
    SealedMode {
        name: "sealed-mode",
        required: false,
        purpose: "the permissions of the sealed bytes cannot change either",
        remedy: "optional: Linux 6.3 and later can do it",
    }
    /// A file can be executed by its descriptor (execveat(2)).
    ExecByDescriptor {
        name: "exec-by-descriptor",
        required: true,
        purpose: "the plugin's path is not resolved a second time",
        remedy: "allow execveat in the seccomp filter around this process, or mount /proc",
    }
    /// All descriptors can be closed in one call (close_range(2)).
    ClosedDescriptors {
        name: "closed-descriptors",
        required: true,
        purpose: "no descriptor of the host reaches the plugin",
        remedy: "run a newer kernel, or allow the call in the seccomp filter around this process",
    }
    /// A process can be referred to by a descriptor (pidfd_open(2)).
    ProcessHandle {
        name: "process-handle",
        required: true,
        purpose: "signals reach the process that was launched, and no plugin outlives its host",
        remedy: "run a newer kernel, or allow the call in the seccomp filter around this process",
    }
    /// A process can give up gaining privileges (prctl(2) `PR_SET_NO_NEW_PRIVS`).
    NoNewPrivileges {
        name: "no-new-privileges",
        required: true,
        purpose: "neither the plugin nor its children can gain privileges",
        remedy: "run a newer kernel, or allow the call in the seccomp filter around this process",
    }
    /// The pidfd of a socket's peer is available (`SO_PEERPIDFD`, Linux 6.5), and pidfds have
    /// unique inodes (pidfs, Linux 6.9).
    PeerIdentity {
        name: "peer-identity",
        required: false,
        purpose: "the process that was launched is the process that answers, compared by more than its number",
        remedy: "run Linux 6.9 or later",
    }
    /// The directory for temporary files can hold the private directory of a launch.
    PrivateDirectory {
        name: "private-directory",
        required: true,
        purpose: "the plugin's socket is in a directory that no other user can enter",
        remedy: "set TMPDIR to a short path in which only root and this user can rename entries, or choose one in the host",
    }
    /// Programs can be executed from the directory for temporary files.
    PrivateCopy {
        name: "private-copy",
        required: false,
        purpose: "private copies run where the kernel forbids executing memory",
        remedy: "optional unless private copies are used: give them a directory on a mount without noexec",
    }
    /// This process is not root, so other processes cannot trace a plugin with an execute-only
    /// image.
    OrdinaryUser {
        name: "ordinary-user",
        required: false,
        purpose: "no other process of the user can trace the plugin or read its environment",
        remedy: "run the host as a separate user without privileges",
    }
    /// Processes may trace only their descendants, or none (Yama).
    RestrictedTracing {
        name: "restricted-tracing",
        required: false,
        purpose: "no other process of the user traces the host, which this library assumes",
        remedy: "set kernel.yama.ptrace_scope to 1, or run the host as a separate user",
    }
    /// Landlock (landlock(7)).
    Landlock {
        name: "landlock",
        required: false,
        purpose: "limits the files that a plugin can access with its user's rights",
        remedy: "run Linux 5.13 or later with landlock in its list of security modules (lsm=)",
    }
    /// System call filters (seccomp(2)).
    Seccomp {
        name: "seccomp",
        required: false,
        purpose: "limits the system calls that a plugin can make",
        remedy: "run a kernel with CONFIG_SECCOMP_FILTER",
    }
    /// User namespaces (user_namespaces(7)).
    UserNamespaces {
        name: "user-namespaces",
        required: false,
        purpose: "limits the parts of the system that a plugin can see, without root",
        remedy: "optional: allow them to confine plugins without root",
    }
    /// A control group of version 2 in which this process may create others (cgroups(7)).
    ControlGroups {
        name: "control-groups",
        required: false,
        purpose: "limits processor, memory and processes of a plugin, and ends all of its processes together",
        remedy: "delegate a control group to the host's user (systemd: Delegate=yes)",
    }
    /// The kernel can verify files (fs-verity, IMA).
    FileIntegrity {
        name: "file-integrity",
        required: false,
        purpose: "the kernel detects changed files",
        remedy: "optional: this library does not depend on it",
    }
    /// Programs can be executed from the plugin directory.
    PluginMount {
        name: "plugin-mount",
        required: true,
        purpose: "programs on a noexec mount are refused",
        remedy: "install the plugins on a file system that is mounted without noexec",
    }
    /// Only root and this user may write to the plugin directory, the directories above it, and the
    /// files in it.
    PluginDirectory {
        name: "plugin-directory",
        required: false,
        purpose: "no other user can replace a plugin, not even by one that is then refused",
        remedy: "let only root write to the directory, those above it, and the files in it: chown root, chmod go-w",
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

/// No guarantee has this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownGuarantee;

impl fmt::Display for UnknownGuarantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected one of ")?;
        for (index, guarantee) in Guarantee::ALL.iter().enumerate() {
            write!(f, "{}{guarantee}", if index > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownGuarantee {}
