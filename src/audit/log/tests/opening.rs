//! Which files are opened as a log, what of a killed writer is put in order, and what is left
//! alone.

use super::*;

#[test]
fn only_one_writer_at_a_time() {
    let place = Place::new();
    let log = place.open();
    assert!(matches!(place.refusal(), LogOpenError::Busy { .. }));
    drop(log);
    place.open().append(event("next")).unwrap();
}

#[test]
fn only_a_private_regular_file_is_a_log() {
    let place = Place::new();
    drop(place.open());
    for mode in [0o640, 0o604, 0o700, 0o610, 0o4600] {
        fs::set_permissions(place.log(), Permissions::from_mode(mode)).unwrap();
        assert!(matches!(place.refusal(), LogOpenError::Exposed { mode: found, .. } if found == mode), "{mode:o}");
    }
    fs::set_permissions(place.log(), Permissions::from_mode(0o600)).unwrap();
    fs::hard_link(place.log(), place.file("other")).unwrap();
    assert!(matches!(place.refusal(), LogOpenError::Exposed { links: 2, .. }));
    fs::remove_file(place.file("other")).unwrap();
    fs::rename(place.log(), place.file("other")).unwrap();
    symlink(place.file("other"), place.log()).unwrap();
    assert!(matches!(place.refusal(), LogOpenError::NotRegular { kind: "a symbolic link", .. }));
    fs::remove_file(place.log()).unwrap();
    fs::create_dir(place.log()).unwrap();
    assert!(matches!(place.refusal(), LogOpenError::NotRegular { kind: "a directory", .. }));
    fs::remove_dir(place.log()).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, place.log(), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert!(matches!(place.refusal(), LogOpenError::NotRegular { kind: "a FIFO", .. }));
    fs::remove_file(place.log()).unwrap();
    fs::rename(place.file("other"), place.log()).unwrap();
    match std::os::unix::fs::chown(place.log(), Some(12345), None) {
        Ok(()) => assert!(matches!(place.refusal(), LogOpenError::Exposed { owner: 12345, .. })),
        Err(error) => eprintln!("SKIPPED: only root can give a file away: {error}"),
    }
}

#[test]
fn log_directory_is_private_and_holds_no_plugins() {
    let place = Place::new();
    let inside = |directory: &str| place.builder().outside(place.file(directory)).open();
    assert!(matches!(inside("."), Err(LogOpenError::InPluginDirectory { .. })));
    assert!(matches!(inside(".."), Err(LogOpenError::InPluginDirectory { .. })));
    symlink(place.file("."), place.file("link")).unwrap();
    assert!(matches!(inside("link"), Err(LogOpenError::InPluginDirectory { .. })));
    assert!(!place.log().exists());
    fs::create_dir(place.file("plugins")).unwrap();
    let log = inside("plugins").unwrap();
    assert!(log.refuse_inside(&place.file("plugins")).is_ok());
    assert!(log.refuse_beside(&place.file("plugins")).is_ok() && log.refuse_beside(&place.file("..")).is_ok());
    assert!(matches!(log.refuse_beside(&place.file("link")), Err(LogError::InPluginDirectory { .. })));
    assert!(matches!(log.refuse_inside(&place.file(".")), Err(LogError::InPluginDirectory { .. })));
    drop(log);
    fs::set_permissions(place.directory.path(), Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(place.refusal(), LogOpenError::UntrustedDirectory { mode: 0o777, .. }));
}

#[test]
fn a_log_of_another_key_is_left_alone() {
    let place = Place::new();
    drop(place.open());
    let before = place.text();
    let other = LogKey::generate("example/log").unwrap();
    assert!(matches!(Log::builder(place.log(), other).open(), Err(LogOpenError::OtherKey { .. })));
    assert_eq!(place.text(), before);
}

#[test]
fn torn_record_is_quarantined_at_any_cut() {
    let place = Place::new();
    place.open().append(event("whole")).unwrap();
    let text = place.text();
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    let (whole, last) = (lines[..lines.len() - 1].concat(), lines[lines.len() - 1]);
    for cut in (1..last.len()).step_by(7).chain([last.len() - 1]) {
        fs::write(place.log(), format!("{whole}{}", &last[..cut])).unwrap();
        drop(place.open());
        let records = place.records();
        let torn = records.iter().rev().find_map(|record| match record.event() {
            Some(Event::Opened(opened)) => Some(opened.torn),
            _ => None,
        });
        let [torn] = &torn.unwrap()[..] else { panic!("there is one") };
        assert_eq!((torn.bytes, torn.sha256), (cut as u64, crate::Digest::of(&last[..cut])));
        let aside = place.file(&torn.file);
        assert_eq!(fs::read_to_string(&aside).unwrap(), last[..cut]);
        assert_eq!(fs::metadata(&aside).unwrap().mode() & 0o7777, 0o600);
        fs::remove_file(aside).unwrap();
    }
    let zeros = "\0".repeat(3 * 64 * 1024);
    for tail in [&zeros, &format!("{{\"v\":1{zeros}")] {
        fs::write(place.log(), format!("{whole}{tail}")).unwrap();
        drop(place.open());
        assert_eq!(place.names(), ["whole"]);
    }
    // Killed before the first record was whole.
    fs::write(place.log(), &lines[0][..10]).unwrap();
    drop(place.open());
    assert_eq!(place.kinds(), ["opened", "closed", "checkpoint"]);
    fs::write(place.log(), "").unwrap();
    drop(place.open());
    assert_eq!(place.kinds(), ["opened", "closed", "checkpoint"]);
}

#[test]
fn changed_log_is_not_continued_and_line_named() {
    let place = Place::new();
    let log = place.open();
    (0..3).for_each(|number| log.append(event(&number.to_string())).unwrap());
    drop(log);
    let text = place.text();
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    let damaged = |changed: String| {
        fs::write(place.log(), &changed).unwrap();
        let LogOpenError::Damaged { line, fault, .. } = place.refusal() else { panic!("another refusal") };
        assert_eq!(place.text(), changed, "nothing is written");
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
    let place = Place::new();
    place.open().append(event("one")).unwrap();
    // The full file has both names, and the next one is there.
    fs::hard_link(place.log(), segments::segment_path(&place.log(), 0)).unwrap();
    fs::copy(place.log(), place.file("log.next")).unwrap();
    place.open().append(event("two")).unwrap();
    assert_eq!(place.names(), ["one", "two"]);
    assert!(!place.file("log.next").exists() && full_segments(&place.log()).unwrap().is_empty());
}

#[test]
fn log_without_its_current_file_is_not_restarted() {
    let place = Place::new();
    drop(place.open());
    fs::rename(place.log(), segments::segment_path(&place.log(), 0)).unwrap();
    assert!(matches!(place.refusal(), LogOpenError::Missing { .. }));
    assert!(!place.log().exists());
    fs::write(place.log(), "").unwrap();
    fs::set_permissions(place.log(), Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(place.refusal(), LogOpenError::Damaged { fault: LogFault::SegmentStart, .. }));
}
