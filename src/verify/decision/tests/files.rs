//! Policies that are read from files.

use super::*;

/// A policy as a file, beside a plugin directory.
fn policy_file(fixture: &Fixture, text: &str) -> PathBuf {
    let path = fixture.place.path().join("policy.toml");
    fs::write(&path, text).unwrap();
    set_mode(&path, 0o644);
    path
}

fn policy_head(fixture: &Fixture) -> String {
    format!("format = \"portcullis-policy/1\"\ndirectory = \"{}\"\n", fixture.directory().display())
}

#[test]
fn policy_file_covers_every_policy_setting() {
    let fixture = Fixture::new();
    let publisher = Publisher::new();
    fixture.publish(&publisher, &claims());
    let lock = fixture.lock();
    fs::write(fixture.place.path().join("plugins.lock"), lock.to_text()).unwrap();
    set_mode(&fixture.place.path().join("plugins.lock"), 0o644);
    let text = policy_head(&fixture)
        + &format!(
            "require = [\"lock\", \"manifest\", \"allow\"]\nlock = \"plugins.lock\"\nsize-limit = 1000000000\n\
             allow = [\"{}\"]\ndeny = [\"{}\"]\nexecution = \"private-copy\"\ncopies = \".\"\n\
             [[key]]\nminisign = \"{}\"\nplugins = [\"kv\"]\nnote = \"releases\"\n\
             [place]\nowners = [\"root\", \"host\", 12345]\nmode = 0o1755\n\
             [linkage]\nno-search-paths = true\n[minimum-version]\nkv = \"1.2.0\"\n",
            fixture.digest,
            Digest::of("a bad release"),
            publisher.key(),
        );
    let policy = Policy::read(policy_file(&fixture, &text)).unwrap();
    let verified = policy.verify("kv").unwrap();
    assert_eq!(verified.mode(), ExecMode::PrivateCopy);
    assert_eq!(kinds(&verified), [SourceKind::Lock, SourceKind::Manifest, SourceKind::Allow]);
    assert!(matches!(refusal(policy.verify("/bin/sh")), Refusal::OutsideDirectory { .. }));

    let text = text.replace("kv = \"1.2.0\"", "kv = \"1.2.1\"");
    let policy = Policy::read(policy_file(&fixture, &text)).unwrap();
    assert!(matches!(refusal(policy.verify("kv")), Refusal::Rollback { .. }));
}

#[test]
fn a_policy_file_says_how_plugins_are_executed() {
    let fixture = Fixture::new();
    let allow = format!("allow = [\"{}\"]\n", fixture.digest);
    for (execution, mode) in [
        ("", ExecMode::Sealed),
        ("execution = \"sealed\"\n", ExecMode::Sealed),
        ("execution = \"private-copy\"\ncopies = \".\"\n", ExecMode::PrivateCopy),
        ("execution = \"dangerous-pinned-fd\"\n", ExecMode::PinnedFd),
    ] {
        let policy = Policy::read(policy_file(&fixture, &(policy_head(&fixture) + &allow + execution))).unwrap();
        assert_eq!(policy.mode(), mode, "{execution}");
    }
}

#[test]
fn a_policy_file_says_how_programs_are_linked() {
    let fixture = Fixture::new();
    let head = policy_head(&fixture) + &format!("allow = [\"{}\"]\n[linkage]\n", fixture.digest);
    for (rule, is_fine) in
        [("", true), ("no-search-paths = true", true), ("only-static = true", false), ("only-libraries = []", false)]
    {
        let policy = Policy::read(policy_file(&fixture, &(head.clone() + rule))).unwrap();
        match policy.verify("kv") {
            Err(VerifyError::Refused { reason: Refusal::Linkage(_), .. }) => assert!(!is_fine, "{rule}"),
            other => assert!(is_fine && other.is_ok(), "{rule}: {other:?}"),
        }
    }
}

#[test]
fn policy_is_checked_before_installation() {
    let fixture = Fixture::new();
    let text = policy_head(&fixture) + "lock = \"nothing-yet.lock\"\n";
    assert!(Policy::check_bytes("p", text.clone()).is_ok());
    let error = Policy::check_bytes("p", text + "require = [\"manifest\"]\n").unwrap_err();
    assert!(matches!(error.fault, SourceFault::Policy(PolicyFault::RequiredSource { .. })), "{error}");
}

#[test]
fn contradictory_policy_file_is_refused_with_line() {
    let fixture = Fixture::new();
    let allow = format!("allow = [\"{}\"]\n", fixture.digest);
    for (body, line, expected) in [
        (String::new(), None, "it contains no entry"),
        (
            allow.clone() + "require = [\"lock\"]\n",
            Some(4),
            "the policy requires the source 'lock' and has none of that kind, so it would allow nothing",
        ),
        (
            allow.clone() + &allow.replace("allow", "deny"),
            Some(4),
            "is both allowed and denied; remove one of the two entries",
        ),
        (
            allow.clone() + "execution = \"private-copy\"\n",
            Some(4),
            "the execution \"private-copy\" needs a directory: `copies`",
        ),
        (
            allow.clone() + "execution = \"path\"\n",
            Some(4),
            "the execution must be \"sealed\", \"private-copy\" or \"dangerous-pinned-fd\"",
        ),
        (
            allow.clone() + "[place]\nmode = 0o775\n",
            Some(4),
            "the mode lets other users write plugins, and so decide which code runs",
        ),
        (allow.clone() + "[place]\nowners = [\"me\"]\n", Some(4), "an owner must be \"root\", \"host\" or a user id"),
    ] {
        let error = Policy::read(policy_file(&fixture, &(policy_head(&fixture) + &body))).unwrap_err();
        assert_eq!(error.line, line, "{body}: {error}");
        assert!(error.fault.to_string().ends_with(expected), "{body}: {error}");
    }
    for body in [
        "require = [\"hope\"]",
        "unknown = 1",
        "allow = [\"\"]",
        "lock = 3",
        "[minimum-version]\n\"../kv\" = \"1.0.0\"",
    ] {
        let error = Policy::read(policy_file(&fixture, &(policy_head(&fixture) + &allow + body))).unwrap_err();
        assert!(matches!(error.fault, SourceFault::Toml { .. }), "{body}: {error}");
    }
    let relative = "format = \"portcullis-policy/1\"\ndirectory = \"plugins\"\n".to_owned() + &allow;
    let error = Policy::read(policy_file(&fixture, &relative)).unwrap_err();
    assert!(matches!(error.fault, SourceFault::Policy(PolicyFault::Directory)), "{error}");
}

#[test]
fn a_policy_that_others_may_write_decides_nothing() {
    let fixture = Fixture::new();
    let lock = fixture.place.path().join("plugins.lock");
    fs::write(&lock, fixture.lock().to_text()).unwrap();
    set_mode(&lock, 0o644);
    let path = policy_file(&fixture, &(policy_head(&fixture) + "lock = \"plugins.lock\"\n"));
    assert!(Policy::read(&path).is_ok());
    for (file, mode) in [(&path, 0o664), (&path, 0o646), (&lock, 0o664)] {
        set_mode(file, mode);
        let error = Policy::read(&path).unwrap_err();
        assert!(matches!(error.fault, SourceFault::WritableByOthers { mode: found, .. } if found == mode), "{error}");
        set_mode(file, 0o644);
    }
}

#[test]
fn a_policy_that_others_may_replace_decides_nothing() {
    let fixture = Fixture::new();
    let shared = fixture.place.path().canonicalize().unwrap().join("shared");
    fs::create_dir(&shared).unwrap();
    fs::write(shared.join("plugins.lock"), fixture.lock().to_text()).unwrap();
    set_mode(&shared.join("plugins.lock"), 0o644);
    let path = policy_file(&fixture, &(policy_head(&fixture) + "lock = \"shared/plugins.lock\"\n"));
    fs::copy(&path, shared.join("policy.toml")).unwrap();
    let link = fixture.place.path().join("link.toml");
    symlink("shared/policy.toml", &link).unwrap();
    for (mode, fine) in [(0o755, true), (0o1777, true), (0o777, false), (0o775, false)] {
        set_mode(&shared, mode);
        match Policy::read(&path) {
            Ok(_) => assert!(fine, "{mode:o}"),
            Err(error) => assert!(!fine && is_open(&error, &shared), "{error}"),
        }
    }
    let error = Policy::read(&link).unwrap_err();
    assert!(is_open(&error, &shared), "{error}");
    let error = Policy::read(shared.join("none.toml")).unwrap_err();
    assert!(error.is_unreadable(), "{error}");
}

fn is_open(error: &crate::verify::SourceError, directory: &Path) -> bool {
    matches!(error.fault, SourceFault::WritableByOthers { .. }) && error.path == directory
}
