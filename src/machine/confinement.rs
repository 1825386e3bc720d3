//! What the surroundings offer for keeping processes apart and plugins within bounds. Optional for
//! a launch, all of it.

use std::io;
use std::path::PathBuf;

use rustix::fs::Access;

use super::report::{Assessment, GuaranteeStatus};
use super::{Guarantee, procfs};
use crate::{Escaped, sys};

pub(super) fn assessments() -> Vec<Assessment> {
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

/// Where the host is root, the kernel does not make a plugin non-dumpable: execute-only images keep
/// nothing from root.
fn ordinary_user() -> Assessment {
    let user = rustix::process::geteuid();
    let evidence = format!("the user is {}", user.as_raw());
    match user.is_root() {
        false => Assessment::given(Guarantee::OrdinaryUser, evidence),
        true => Assessment::missing(Guarantee::OrdinaryUser, evidence).advise("run the host as a user of its own"),
    }
}

fn restricted_tracing() -> Assessment {
    let guarantee = Guarantee::RestrictedTracing;
    let found = match procfs::number("/proc/sys/kernel/yama/ptrace_scope") {
        Ok(Some(0)) => {
            Assessment::missing(guarantee, "kernel.yama.ptrace_scope is 0: a user's processes may trace each other")
        }
        Ok(Some(scope)) => Assessment::given(guarantee, format!("kernel.yama.ptrace_scope is {scope}")),
        Ok(None) => Assessment::missing(guarantee, "Yama is not built in or not enabled"),
        Err(error) => Assessment::unknown(guarantee, format!("kernel.yama.ptrace_scope: {error}")),
    };
    found.advise("set kernel.yama.ptrace_scope to 1, or run the host as a user of its own")
}

fn landlock() -> Assessment {
    let guarantee = Guarantee::Landlock;
    let found = match sys::landlock_version() {
        Ok(version) => Assessment::given(guarantee, format!("ABI {version}")),
        Err(error) => match error.raw_os_error() {
            Some(libc::ENOSYS) => Assessment::missing(guarantee, "it is not built in"),
            Some(libc::EOPNOTSUPP) => Assessment::missing(guarantee, "it is built in and not enabled"),
            _ => Assessment::failed(guarantee, "landlock_create_ruleset(2)", &error),
        },
    };
    found.advise("run a kernel from 5.13 on with landlock in its list of security modules (lsm=)")
}

fn seccomp() -> Assessment {
    let guarantee = Guarantee::Seccomp;
    let found = match procfs::text("/proc/sys/kernel/seccomp/actions_avail") {
        Ok(Some(actions)) => {
            let offers = |action| actions.split_whitespace().any(|offered| offered == action);
            let evidence = format!("actions {}; {}", Escaped::new(&actions), own_filters());
            match offers("errno") && offers("kill_process") {
                true => Assessment::given(guarantee, evidence),
                false => Assessment::new(guarantee, GuaranteeStatus::Partly, evidence),
            }
        }
        Ok(None) => Assessment::missing(guarantee, "the kernel offers no filters"),
        Err(error) => Assessment::unknown(guarantee, format!("kernel.seccomp.actions_avail: {error}")),
    };
    found.advise("run a kernel with CONFIG_SECCOMP_FILTER")
}

/// Filters of this process hold for every plugin that it launches, so they explain calls that fail.
fn own_filters() -> &'static str {
    let status = procfs::text("/proc/self/status").ok().flatten().unwrap_or_default();
    match procfs::field(&status, "Seccomp") {
        Some("0") => "this process has none",
        Some(_) => "this process is under one",
        None => "whether this process is under one is not known",
    }
}

fn user_namespaces() -> Assessment {
    /// What forbids them, and at which value.
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
    let found = match (forbidden, seen.is_empty()) {
        (_, true) => Assessment::missing(guarantee, "they are not built in"),
        (true, _) => Assessment::missing(guarantee, seen.join(", ")),
        (false, _) => Assessment::given(guarantee, seen.join(", ")),
    };
    found
        .advise("nothing has to be done: launches do without; allow them where plugins are to be confined without root")
}

fn control_groups() -> Assessment {
    let guarantee = Guarantee::ControlGroups;
    let found = match own_group() {
        Ok(Some(group)) => match is_writable(&group) {
            true => Assessment::given(guarantee, describe(&group)),
            false => Assessment::new(
                guarantee,
                GuaranteeStatus::Partly,
                format!("{}, which this user may not write", describe(&group)),
            ),
        },
        Ok(None) => Assessment::missing(guarantee, "no file system of version 2 is mounted"),
        Err(error) => Assessment::unknown(guarantee, error.to_string()),
    };
    found.advise("delegate a control group to the host's user (systemd: Delegate=yes)")
}

/// The directory of this process's own group: the path after `0::` below where the file system is
/// mounted (cgroups(7)).
fn own_group() -> io::Result<Option<PathBuf>> {
    let mounts = procfs::text("/proc/self/mountinfo")?.unwrap_or_default();
    let Some(mount) = procfs::mount_point(&mounts, "cgroup2") else { return Ok(None) };
    let groups = procfs::text("/proc/self/cgroup")?.unwrap_or_default();
    let own = groups.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or_default();
    // Joined part by part: nothing that stands there can lead elsewhere, and a lone slash adds
    // nothing.
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
    // The root of the hierarchy never has it; groups below have it since Linux 5.14.
    let kill = if group.join("cgroup.kill").exists() { "cgroup.kill" } else { "no cgroup.kill of its own" };
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
        false => Assessment::given(guarantee, format!("{} is there; nothing here relies on it", present.join(" and "))),
        true => Assessment::missing(guarantee, "neither fs-verity nor IMA is visible")
            .advise("nothing has to be done: nothing here relies on it"),
    }
}
