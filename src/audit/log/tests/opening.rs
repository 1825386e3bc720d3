//! Opening: files that are refused, repairs after a killed writer, and damage that stays untouched.

use super::*;

#[test]
fn only_one_writer_at_a_time() {
    let fixture = Fixture::new();
    let log = fixture.open();
    assert!(matches!(fixture.refusal(), LogOpenError::Busy { .. }));
    drop(log);
    fixture.open().append(event("next")).unwrap();
}

#[test]
fn only_a_private_regular_file_is_a_log() {
    let fixture = Fixture::new();
    drop(fixture.open());
    for mode in [0o640, 0o604, 0o700, 0o610, 0o4600] {
        fs::set_permissions(fixture.log(), Permissions::from_mode(mode)).unwrap();
        assert!(matches!(fixture.refusal(), LogOpenError::Exposed { mode: found, .. } if found == mode), "{mode:o}");
    }
    fs::set_permissions(fixture.log(), Permissions::from_mode(0o600)).unwrap();
    fs::hard_link(fixture.log(), fixture.file("other")).unwrap();
    assert!(matches!(fixture.refusal(), LogOpenError::Exposed { links: 2, .. }));
    fs::remove_file(fixture.file("other")).unwrap();
    fs::rename(fixture.log(), fixture.file("other")).unwrap();
    symlink(fixture.file("other"), fixture.log()).unwrap();
    assert!(matches!(fixture.refusal(), LogOpenError::NotRegular { kind: "a symbolic link", .. }));
    fs::remove_file(fixture.log()).unwrap();
    fs::create_dir(fixture.log()).unwrap();
    assert!(matches!(fixture.refusal(), LogOpenError::NotRegular { kind: "a directory", .. }));
    fs::remove_dir(fixture.log()).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, fixture.log(), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert!(matches!(fixture.refusal(), LogOpenError::NotRegular { kind: "a FIFO", .. }));
    fs::remove_file(fixture.log()).unwrap();
    fs::rename(fixture.file("other"), fixture.log()).unwrap();
    match std::os::unix::fs::chown(fixture.log(), Some(12345), None) {
        Ok(()) => assert!(matches!(fixture.refusal(), LogOpenError::Exposed { owner: 12345, .. })),
        Err(error) => eprintln!("SKIPPED: only root can give a file away: {error}"),
    }
}

#[test]
fn log_directory_is_private_and_holds_no_plugins() {
    let fixture = Fixture::new();
    let inside = |directory: &str| fixture.builder().outside(fixture.file(directory)).open();
    assert!(matches!(inside("."), Err(LogOpenError::InPluginDirectory { .. })));
    assert!(matches!(inside(".."), Err(LogOpenError::InPluginDirectory { .. })));
    symlink(fixture.file("."), fixture.file("link")).unwrap();
    assert!(matches!(inside("link"), Err(LogOpenError::InPluginDirectory { .. })));
    assert!(!fixture.log().exists());
    fs::create_dir(fixture.file("plugins")).unwrap();
    let log = inside("plugins").unwrap();
    assert!(log.refuse_inside(&fixture.file("plugins")).is_ok());
    assert!(log.refuse_beside(&fixture.file("plugins")).is_ok() && log.refuse_beside(&fixture.file("..")).is_ok());
    assert!(matches!(log.refuse_beside(&fixture.file("link")), Err(LogError::InPluginDirectory { .. })));
    assert!(matches!(log.refuse_inside(&fixture.file(".")), Err(LogError::InPluginDirectory { .. })));
    drop(log);
    fs::set_permissions(fixture.directory.path(), Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(fixture.refusal(), LogOpenError::UntrustedDirectory { mode: 0o777, .. }));
}

#[test]
fn log_of_another_key_is_unchanged() {
    let fixture = Fixture::new();
    drop(fixture.open());
    let before = fixture.text();
    let other = LogKey::generate("example/log").unwrap();
    assert!(matches!(Log::builder(fixture.log(), other).open(), Err(LogOpenError::OtherKey { .. })));
    assert_eq!(fixture.text(), before);
}

#[test]
fn torn_record_is_quarantined_at_any_cut() {
    let fixture = Fixture::new();
    fixture.open().append(event("whole")).unwrap();
    let text = fixture.text();
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    let (whole, last) = (lines[..lines.len() - 1].concat(), lines[lines.len() - 1]);
    for cut in (1..last.len()).step_by(7).chain([last.len() - 1]) {
        fs::write(fixture.log(), format!("{whole}{}", &last[..cut])).unwrap();
        drop(fixture.open());
        let records = fixture.records();
        let torn = records.iter().rev().find_map(|record| match record.event() {
            Some(Event::Opened(opened)) => Some(opened.torn),
            _ => None,
        });
        let [torn] = &torn.unwrap()[..] else { panic!("expected one torn tail") };
        assert_eq!((torn.bytes, torn.sha256), (cut as u64, crate::Digest::of(&last[..cut])));
        let copy = fixture.file(&torn.file);
        assert_eq!(fs::read_to_string(&copy).unwrap(), last[..cut]);
        assert_eq!(fs::metadata(&copy).unwrap().mode() & 0o7777, 0o600);
        fs::remove_file(copy).unwrap();
    }
    let zeros = "\0".repeat(3 * 64 * 1024);
    for tail in [&zeros, &format!("{{\"v\":1{zeros}")] {
        fs::write(fixture.log(), format!("{whole}{tail}")).unwrap();
        drop(fixture.open());
        assert_eq!(fixture.names(), ["whole"]);
    }
    // A writer killed within its first record.
    fs::write(fixture.log(), &lines[0][..10]).unwrap();
    drop(fixture.open());
    assert_eq!(fixture.kinds(), ["opened", "closed", "checkpoint"]);
    fs::write(fixture.log(), "").unwrap();
    drop(fixture.open());
    assert_eq!(fixture.kinds(), ["opened", "closed", "checkpoint"]);
}

#[test]
fn changed_log_is_not_continued_and_line_named() {
    let fixture = Fixture::new();
    let log = fixture.open();
    (0..3).for_each(|number| log.append(event(&number.to_string())).unwrap());
    drop(log);
    let text = fixture.text();
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    let damaged = |changed: String| {
        fs::write(fixture.log(), &changed).unwrap();
        let LogOpenError::Damaged { line, fault, .. } = fixture.refusal() else { panic!("expected damage") };
        assert_eq!(fixture.text(), changed, "the file is unchanged");
        (line, fault)
    };
    for number in 1..lines.len() {
        let mut changed: Vec<_> = lines.iter().map(|line| (*line).to_owned()).collect();
        changed[number] = changed[number].replacen("\"seq\":", "\"sec\":", 1);
        let fault = LogFault::Record(crate::audit::RecordFault::Form);
        assert_eq!(damaged(changed.concat()), (number as u64 + 1, fault));
        if number + 1 < lines.len() {
            let mut changed = lines.clone();
            changed.remove(number);
            let number = number as u64;
            let fault = ChainFault::Index { expected: number, found: number + 1 };
            assert_eq!(damaged(changed.concat()), (number + 1, LogFault::Chain(fault)));
        }
    }
    assert_eq!(damaged(lines[1..].concat()), (1, LogFault::SegmentStart));
    assert_eq!(damaged(format!("{}garbage\n", lines[0])).0, 2);
    let long = "x".repeat(100_000);
    assert_eq!(damaged(format!("{}{long}\n", lines[0])).1, LogFault::Record(crate::audit::RecordFault::TooLong));
    assert_eq!(damaged(format!("{}\0\0\n{}", lines[0], lines[1])).0, 2);
}

#[test]
fn interrupted_rotation_is_undone() {
    let fixture = Fixture::new();
    fixture.open().append(event("one")).unwrap();
    // The full file has both names, and the next file exists.
    fs::hard_link(fixture.log(), segments::segment_path(&fixture.log(), 0)).unwrap();
    fs::copy(fixture.log(), fixture.file("log.next")).unwrap();
    fixture.open().append(event("two")).unwrap();
    assert_eq!(fixture.names(), ["one", "two"]);
    assert!(!fixture.file("log.next").exists() && full_segments(&fixture.log()).unwrap().is_empty());
}

#[test]
fn log_without_its_current_file_is_not_restarted() {
    let fixture = Fixture::new();
    drop(fixture.open());
    fs::rename(fixture.log(), segments::segment_path(&fixture.log(), 0)).unwrap();
    assert!(matches!(fixture.refusal(), LogOpenError::Missing { .. }));
    assert!(!fixture.log().exists());
    fs::write(fixture.log(), "").unwrap();
    fs::set_permissions(fixture.log(), Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(fixture.refusal(), LogOpenError::Damaged { fault: LogFault::SegmentStart, .. }));
}
