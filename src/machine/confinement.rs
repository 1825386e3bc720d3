//! Features of the system that separate processes and confine plugins. All of them are optional for
//! a launch.

use std::io;
use std::path::PathBuf;

use rustix::fs::Access;

use super::report::{Assessment, GuaranteeStatus};
use super::{Guarantee, procfs};
use crate::{Escaped, sys};

pub(super) fn assess() -> Vec<Assessment> {
    vec![
        ordinary_user(),
        restricted_tracing(),
        landlock(),
        seccomp(),
        user_namespaces(),
        control_groups(),
        file_integrity(),
    ]
}

/// An execute-only image makes a process non-dumpable only if its user cannot read the image
/// (execve(2), prctl(2) `PR_SET_DUMPABLE`). Root can read everything.
fn ordinary_user() -> Assessment {
    let user = rustix::process::geteuid();
    let evidence = format!("running as user {}", user.as_raw());
    match user.is_root() {
        false => Assessment::given(Guarantee::OrdinaryUser, evidence),
        true => Assessment::missing(Guarantee::OrdinaryUser, evidence),
    }
}

fn restricted_tracing() -> Assessment {
    let guarantee = Guarantee::RestrictedTracing;
    match procfs::number("/proc/sys/kernel/yama/ptrace_scope") {
        Ok(Some(0)) => {
            Assessment::missing(guarantee, "kernel.yama.ptrace_scope is 0: a user's processes may trace each other")
        }
        Ok(Some(scope)) => Assessment::given(guarantee, format!("kernel.yama.ptrace_scope is {scope}")),
        Ok(None) => Assessment::missing(guarantee, "Yama is not built in, or not enabled"),
        Err(error) => Assessment::unknown(guarantee, format!("kernel.yama.ptrace_scope: {error}")),
    }
}

fn landlock() -> Assessment {
    let guarantee = Guarantee::Landlock;
    match sys::landlock_version() {
        Ok(version) => Assessment::given(guarantee, format!("ABI {version}")),
        Err(error) => match error.raw_os_error() {
            Some(libc::ENOSYS) => Assessment::missing(guarantee, "not built in"),
            Some(libc::EOPNOTSUPP) => Assessment::missing(guarantee, "built in, not enabled"),
            _ => Assessment::failed(guarantee, "landlock_create_ruleset(2)", &error),
        },
    }
}

fn seccomp() -> Assessment {
    let guarantee = Guarantee::Seccomp;
    match procfs::text("/proc/sys/kernel/seccomp/actions_avail") {
        Ok(Some(actions)) => {
            let offers = |action| actions.split_whitespace().any(|offered| offered == action);
            let evidence = format!("actions {}; {}", Escaped::new(&actions), own_filters());
            match offers("errno") && offers("kill_process") {
                true => Assessment::given(guarantee, evidence),
                false => Assessment::new(guarantee, GuaranteeStatus::Partly, evidence),
            }
        }
        Ok(None) => Assessment::missing(guarantee, "the kernel has no filters"),
        Err(error) => Assessment::unknown(guarantee, format!("kernel.seccomp.actions_avail: {error}")),
    }
}

/// Plugins inherit the filters of this process (seccomp(2)), which may explain calls that fail.
fn own_filters() -> &'static str {
    let status = procfs::text("/proc/self/status").ok().flatten().unwrap_or_default();
    match procfs::field(&status, "Seccomp") {
        Some("0") => "this process has no filter",
        Some(_) => "this process has a filter",
        None => "whether this process has a filter is unknown",
    }
}

fn user_namespaces() -> Assessment {
    /// Settings that can forbid them, and the value that does.
    const SETTINGS: [(&str, &str, u64); 3] = [
        ("user.max_user_namespaces", "/proc/sys/user/max_user_namespaces", 0),
        ("kernel.unprivileged_userns_clone", "/proc/sys/kernel/unprivileged_userns_clone", 0),
        ("kernel.apparmor_restrict_unprivileged_userns", "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 1),
    ];
    let guarantee = Guarantee::UserNamespaces;
    let (mut seen, mut forbidden) = (Vec::new(), false);
    for (name, path, forbids) in SETTINGS {
        match procfs::number(path) {
            Ok(Some(value)) => {
                forbidden |= value == forbids;
                seen.push(format!("{name} is {value}"));
            }
            Ok(None) => {}
            Err(error) => return Assessment::unknown(guarantee, format!("{name}: {error}")),
        }
    }
    match (forbidden, seen.is_empty()) {
        (_, true) => Assessment::missing(guarantee, "not built in"),
        (true, _) => Assessment::missing(guarantee, seen.join(", ")),
        (false, _) => Assessment::given(guarantee, seen.join(", ")),
    }
}

fn control_groups() -> Assessment {
    let guarantee = Guarantee::ControlGroups;
    match own_group() {
        Ok(Some(group)) => match is_writable(&group) {
            true => Assessment::given(guarantee, describe(&group)),
            false => Assessment::new(
                guarantee,
                GuaranteeStatus::Partly,
                format!("{}, not writable by this user", describe(&group)),
            ),
        },
        Ok(None) => Assessment::missing(guarantee, "no cgroup2 file system is mounted"),
        Err(error) => Assessment::unknown(guarantee, error.to_string()),
    }
}

/// The directory of this process's control group: the path after `0::`, below the mount point
/// (cgroups(7)).
fn own_group() -> io::Result<Option<PathBuf>> {
    let mounts = procfs::text("/proc/self/mountinfo")?.unwrap_or_default();
    let Some(mount) = procfs::mount_point(&mounts, "cgroup2") else { return Ok(None) };
    let groups = procfs::text("/proc/self/cgroup")?.unwrap_or_default();
    let own = groups.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or_default();
    // Joined part by part without `..`, so that the text cannot lead out of the mount.
    let parts = own.split('/').filter(|part| !matches!(*part, "" | "." | ".."));
    Ok(Some(parts.fold(PathBuf::from(mount), |group, part| group.join(part))))
}

fn is_writable(group: &std::path::Path) -> bool {
    rustix::fs::access(group, Access::WRITE_OK).is_ok()
}

fn describe(group: &std::path::Path) -> String {
    let controllers = match procfs::text(group.join("cgroup.controllers")) {
        Ok(Some(controllers)) if !controllers.is_empty() => format!("controllers {}", Escaped::new(&controllers)),
        Ok(_) => "no controllers".into(),
        Err(error) => format!("controllers that cannot be read ({error})"),
    };
    // Every group except the root has it since Linux 5.14.
    let kill = if group.join("cgroup.kill").exists() { "cgroup.kill" } else { "no cgroup.kill" };
    format!("{} has {controllers} and {kill}", super::shown(group))
}

fn file_integrity() -> Assessment {
    let guarantee = Guarantee::FileIntegrity;
    let present: Vec<_> = [("fs-verity", "/proc/sys/fs/verity"), ("IMA", "/sys/kernel/security/ima")]
        .into_iter()
        .filter(|(_, path)| std::path::Path::new(path).exists())
        .map(|(name, _)| name)
        .collect();
    match present.is_empty() {
        false => Assessment::given(guarantee, format!("{} is available", present.join(" and "))),
        true => Assessment::missing(guarantee, "neither fs-verity nor IMA is visible"),
    }
}
