//! Parsing, suitability and directories, which any machine can test. The tests of the CLI simulate
//! other machines.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, lchown, symlink};

use super::report::{Assessment, GuaranteeStatus, Report, Suitability};
use super::*;

fn found(report: &Report, guarantee: Guarantee) -> &Assessment {
    report.assessments().iter().find(|assessment| assessment.guarantee == guarantee).unwrap()
}

#[test]
fn every_guarantee_is_assessed_once_in_order() {
    let report = Machine::new().with_plugin_directory("/").assess();
    let guarantees: Vec<_> = report.assessments().iter().map(|assessment| assessment.guarantee).collect();
    assert_eq!(guarantees, Guarantee::ALL);
    for guarantee in Guarantee::ALL {
        assert_eq!(guarantee.name().parse(), Ok(*guarantee));
    }
    assert_eq!("Kernel".parse::<Guarantee>(), Err(UnknownGuarantee));
}

#[test]
fn this_machine_is_sufficient_for_launches() {
    let report = Machine::new().assess();
    assert_eq!(report.suitability(), Suitability::Sufficient, "{report:#?}");
}

#[test]
fn only_required_guarantees_decide_suitability() {
    let suitability = |status: GuaranteeStatus, required: bool, other: GuaranteeStatus| {
        let mut assessment = Assessment::new(Guarantee::Landlock, status, "");
        assessment.required = required;
        Report::new(vec![assessment, Assessment::new(Guarantee::Kernel, other, "")]).suitability()
    };
    for (state, required, other, expected) in [
        (GuaranteeStatus::Missing, false, GuaranteeStatus::Given, Suitability::Sufficient),
        (GuaranteeStatus::Unknown, false, GuaranteeStatus::Given, Suitability::Sufficient),
        (GuaranteeStatus::Missing, true, GuaranteeStatus::Given, Suitability::Insufficient),
        (GuaranteeStatus::Partly, true, GuaranteeStatus::Given, Suitability::Insufficient),
        (GuaranteeStatus::Unknown, true, GuaranteeStatus::Given, Suitability::Unknown),
        (GuaranteeStatus::Missing, true, GuaranteeStatus::Unknown, Suitability::Insufficient),
        (GuaranteeStatus::Given, true, GuaranteeStatus::Given, Suitability::Sufficient),
    ] {
        assert_eq!(suitability(state, required, other), expected, "{state:?} {required} {other:?}");
    }
}

#[test]
fn unchecked_required_guarantee_is_unknown() {
    let report = Machine::new().require(Guarantee::PluginDirectory).assess();
    let assessment = found(&report, Guarantee::PluginDirectory);
    assert_eq!((assessment.status, assessment.required), (GuaranteeStatus::Unknown, true));
    assert_eq!(report.suitability(), Suitability::Unknown);
}

#[test]
fn writable_plugin_paths_are_named() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("plugins");
    let inner = directory.join("kv");
    fs::create_dir(&directory).unwrap();
    fs::write(&inner, "").unwrap();
    let assessed = |above: u32, mode: u32, file: u32| {
        for (path, mode) in [(place.path(), above), (&directory, mode), (&inner, file)] {
            fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        }
        found(&Machine::new().with_plugin_directory(&directory).assess(), Guarantee::PluginDirectory).clone()
    };
    let given = assessed(0o1777, 0o755, 0o755);
    assert_eq!(given.status, GuaranteeStatus::Given, "{given:?}");
    for (above, mode, file, named) in [
        (0o700, 0o775, 0o755, &directory),
        // Other users can add a file there, and cannot replace one.
        (0o700, 0o1777, 0o755, &directory),
        (0o700, 0o755, 0o757, &inner),
        (0o770, 0o755, 0o755, &place.path().to_path_buf()),
    ] {
        let assessment = assessed(above, mode, file);
        assert_eq!(assessment.status, GuaranteeStatus::Missing, "{assessment:?}");
        let named = format!("owns {} and its mode", named.canonicalize().unwrap().display());
        assert!(assessment.evidence.contains(&named) && !assessment.evidence.contains(';'), "{assessment:?}");
    }
}

#[test]
fn link_among_plugins_is_followed() {
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("target");
    let directory = place.path().join("plugins");
    fs::create_dir(&directory).unwrap();
    fs::write(&target, "").unwrap();
    fs::set_permissions(&target, Permissions::from_mode(0o777)).unwrap();
    symlink(&target, directory.join("kv")).unwrap();
    let state = || found(&Machine::new().with_plugin_directory(&directory).assess(), Guarantee::PluginDirectory).status;
    assert_eq!(state(), GuaranteeStatus::Missing);
    fs::remove_file(&target).unwrap();
    assert_eq!(state(), GuaranteeStatus::Unknown);
}

#[test]
fn plugin_link_into_writable_directory_is_reported() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().canonicalize().unwrap();
    let (directory, open) = (root.join("plugins"), root.join("open"));
    for directory in [&directory, &open] {
        fs::create_dir(directory).unwrap();
    }
    fs::write(open.join("kv"), "").unwrap();
    symlink("../open/kv", directory.join("kv")).unwrap();
    let assessed =
        || found(&Machine::new().with_plugin_directory(&directory).assess(), Guarantee::PluginDirectory).clone();
    assert_eq!(assessed().status, GuaranteeStatus::Given);
    fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
    let assessment = assessed();
    assert_eq!(assessment.status, GuaranteeStatus::Missing, "{assessment:?}");
    assert!(assessment.evidence.contains(&format!("owns {} and its mode is 0777", open.display())), "{assessment:?}");
}

#[test]
fn plugin_directory_link_of_other_user_is_reported() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().canonicalize().unwrap();
    let (directory, link) = (root.join("plugins"), root.join("link"));
    fs::create_dir(&directory).unwrap();
    symlink("plugins", &link).unwrap();
    let assessed = || found(&Machine::new().with_plugin_directory(&link).assess(), Guarantee::PluginDirectory).clone();
    assert_eq!(assessed().status, GuaranteeStatus::Given);
    if let Err(error) = lchown(&link, Some(12345), None) {
        eprintln!("SKIPPED: only root can give a link away: {error}");
        return;
    }
    let assessment = assessed();
    assert_eq!(assessment.status, GuaranteeStatus::Missing, "{assessment:?}");
    assert!(assessment.evidence.starts_with(&format!("user 12345 owns {} ", link.display())), "{assessment:?}");
}

#[test]
fn checked_runtime_directory_is_left_unchanged() {
    let place = tempfile::tempdir().unwrap();
    let state = |directory: &Path| {
        found(&Machine::new().with_runtime_directory(directory).assess(), Guarantee::PrivateDirectory).status
    };
    assert_eq!(state(place.path()), GuaranteeStatus::Given);
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    assert_eq!(state(&place.path().join("none")), GuaranteeStatus::Missing);
    for name in ["x".repeat(80), "with|bar".into()] {
        let directory = place.path().join(name);
        fs::create_dir(&directory).unwrap();
        assert_eq!(state(&directory), GuaranteeStatus::Missing);
    }
    fs::set_permissions(place.path(), Permissions::from_mode(0o777)).unwrap();
    assert_eq!(state(place.path()), GuaranteeStatus::Missing);
}

#[test]
fn evidence_is_printable_and_limited() {
    let place = tempfile::tempdir().unwrap();
    for number in 0..30 {
        let file = place.path().join(format!("\u{1b}[2J{number}"));
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o666)).unwrap();
    }
    let report = Machine::new().with_plugin_directory(place.path()).assess();
    let evidence = &found(&report, Guarantee::PluginDirectory).evidence;
    assert!(!evidence.contains('\u{1b}') && evidence.ends_with("; and 20 more"), "{evidence}");
}

#[test]
fn kernel_releases_are_parsed() {
    for (release, version) in [
        ("6.18.44-fc-v669", Some((6, 18))),
        ("5.11.0-rc1", Some((5, 11))),
        ("6.9", Some((6, 9))),
        ("7.0rc1", Some((7, 0))),
        ("", None),
        ("6", None),
        ("6.", None),
        ("6.x", None),
        ("-6.1", None),
        ("99999999999.1", None),
        ("linux-6.1", None),
    ] {
        assert_eq!(procfs::version(release), version, "{release:?}");
    }
}

#[test]
fn fields_and_mounts_are_parsed() {
    let status = "Name:\tx\nSeccomp_filters:\t3\nSeccomp:\t2\n";
    assert_eq!((procfs::field(status, "Seccomp"), procfs::field(status, "Cpus")), (Some("2"), None));
    let mounts = "1 2 0:3 / /proc rw shared:1 - proc proc rw\n\
        4 2 0:5 / /sys/fs/a\\040b\\134c rw - cgroup2 none rw\n\
        broken line - cgroup2\n- \n";
    assert_eq!(procfs::mount_point(mounts, "cgroup2").as_deref(), Some("/sys/fs/a b\\c"));
    assert_eq!(procfs::mount_point("x - cgroup2", "cgroup2"), None);
    assert_eq!(procfs::mount_point(mounts, "cgroup"), None);
}

#[test]
fn kernel_files_are_read_within_limit() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("setting");
    assert_eq!(procfs::number(&path).unwrap(), None);
    fs::write(&path, "12\n").unwrap();
    assert_eq!(procfs::number(&path).unwrap(), Some(12));
    fs::write(&path, "twelve").unwrap();
    assert!(procfs::number(&path).is_err());
    fs::write(&path, b"\xff").unwrap();
    assert!(procfs::text(&path).unwrap().is_some());
    assert!(procfs::text("/dev/zero").is_err());
}
