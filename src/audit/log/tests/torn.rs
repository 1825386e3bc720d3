//! Logs after a killed writer or a power failure, at every possible byte.

use super::*;
use crate::Digest;

/// A log with some records, and its text. In memory, because the tests open it often.
fn written() -> (Fixture, String) {
    let fixture = Fixture::in_memory();
    let log = fixture.open();
    (0..3).for_each(|number| log.append(event(&number.to_string())).unwrap());
    log.close().unwrap();
    let text = fixture.text();
    (fixture, text)
}

impl Fixture {
    fn in_memory() -> Self {
        let directory = tempfile::Builder::new().tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        LogKey::create(directory.path().join("key"), "example/log").unwrap();
        Self { directory }
    }
}

#[test]
fn truncated_log_ends_at_last_whole_record() {
    let (fixture, text) = written();
    let key = fixture.key();
    let text = text.as_bytes();
    let ends: Vec<_> = (1..=text.len()).filter(|end| text[end - 1] == b'\n').collect();
    for cut in ends[ends.len() - 4]..=text.len() {
        let whole = *ends.iter().rev().find(|end| **end <= cut).unwrap();
        // A kill leaves part of a line; a power failure can also leave zeros behind it.
        for zeros in [0, text.len() - cut + 1] {
            let tail = [&text[whole..cut], &vec![0; zeros]].concat();
            fs::write(fixture.log(), [&text[..whole], &tail].concat()).unwrap();
            let recovered = recover::recover(&fixture.log(), &key, None).unwrap();
            assert_eq!(recovered.chain.next() as usize, ends.iter().filter(|end| **end <= whole).count(), "{cut}");
            assert_eq!((recovered.file.length(), fixture.text().len()), (whole as u64, whole));
            match &recovered.torn[..] {
                [] => assert!(tail.is_empty(), "{cut}"),
                [_, _, ..] => panic!("expected one tail"),
                [torn] => {
                    assert_eq!((torn.bytes, torn.sha256), (tail.len() as u64, Digest::of(&tail)));
                    let copy = fixture.file(&torn.file);
                    assert_eq!(fs::read(&copy).unwrap(), tail);
                    fs::remove_file(copy).unwrap();
                }
            }
        }
    }
}

#[test]
fn quarantine_is_durable_before_truncation() {
    let (fixture, text) = written();
    fs::write(fixture.log(), &text[..text.len() - 1]).unwrap();
    let Ok(Some(file)) = file::LogFile::open(&fixture.log()) else { panic!("no log file") };
    file.faults.plan.lock().unwrap().cut = Some(Errno::IO);
    let whole = text[..text.len() - 1].rfind('\n').unwrap() as u64 + 1;
    let mut file = file;
    assert!(recover::quarantine(&fixture.log(), &mut file, whole, 3).is_err());
    assert_eq!(fixture.text(), text[..text.len() - 1], "the log is not truncated");
    let copy = fs::read_dir(fixture.directory.path()).unwrap().map(|entry| entry.unwrap().path());
    let copy: Vec<_> = copy.filter(|path| path.to_string_lossy().contains("torn")).collect();
    assert_eq!(fs::read_to_string(&copy[0]).unwrap(), text[whole as usize..text.len() - 1]);
    drop(file);
    drop(fixture.open());
    assert_eq!(fixture.records().len(), text.lines().count() - 1 + 3);
}

#[test]
fn log_contradicting_kept_checkpoint_does_not_open() {
    let fixture = Fixture::new();
    let open = || fixture.builder().checkpoint_file(fixture.file("checkpoint")).open();
    let log = open().unwrap();
    log.append(event("one")).unwrap();
    log.checkpoint().unwrap();
    let early = fixture.text();
    log.append(event("two")).unwrap();
    log.close().unwrap();
    let (late, note) = (fixture.text(), fs::read_to_string(fixture.file("checkpoint")).unwrap());
    // opened, one, checkpoint, two, closed.
    fs::write(fixture.log(), &early).unwrap();
    assert!(matches!(open(), Err(LogOpenError::Truncated { covered: 5, found: 3, .. })));
    assert_eq!(fixture.text(), early, "the file is unchanged");
    fs::remove_file(fixture.log()).unwrap();
    assert!(matches!(open(), Err(LogOpenError::Truncated { covered: 5, found: 0, .. })));
    // An attacker with the key, but without the checkpoint file.
    let other = fixture.builder().open().unwrap();
    (0..9).for_each(|_| other.append(event("another")).unwrap());
    other.close().unwrap();
    assert!(matches!(open(), Err(LogOpenError::Rewritten { covered: 5, .. })));
    fs::write(fixture.log(), &late).unwrap();
    for (text, form) in [("", true), ("nothing of the kind", true), (&*note.replace("\n5\n", "\n4\n"), false)] {
        fs::write(fixture.file("checkpoint"), text).unwrap();
        let Err(LogOpenError::Checkpoint { source, .. }) = open() else { panic!("{text} is accepted") };
        let is_form = matches!(source, crate::audit::CheckpointError::Note(crate::audit::NoteError::Form));
        assert_eq!(is_form, form, "{source}");
    }
    fs::remove_file(fixture.file("checkpoint")).unwrap();
    fs::create_dir(fixture.file("checkpoint")).unwrap();
    assert!(matches!(open(), Err(LogOpenError::NotRegular { kind: "a directory", .. })));
    fs::remove_dir(fixture.file("checkpoint")).unwrap();
    fs::write(fixture.file("checkpoint"), note).unwrap();
    open().unwrap().close().unwrap();
}

#[test]
fn self_declared_predecessor_is_not_trusted() {
    let fixture = Fixture::new();
    let builder = || fixture.builder().rotate_at(4096).checkpoint_file(fixture.file("checkpoint"));
    let log = builder().open().unwrap();
    (0..40).for_each(|number| log.append(event(&number.to_string())).unwrap());
    log.close().unwrap();
    let covered =
        fs::read_to_string(fixture.file("checkpoint")).unwrap().lines().nth(1).unwrap().parse::<u64>().unwrap();
    // An attacker who can write the log but not the checkpoint file invents earlier records, which
    // are not there to check, and later ones.
    let mut tree = CompactRange::empty();
    (0..covered + 10).for_each(|number| tree.append(crate::Digest::of(number.to_be_bytes())));
    let mut chain = Chain::at(tree, crate::Digest::of("before"));
    let continued = LogContinued {
        format: FORMAT.into(),
        origin: "example/log".into(),
        key: fixture.key().verifier().to_string(),
        tree: chain.tree().hashes().to_vec(),
    };
    let mut forged = Vec::new();
    for event in [Event::Continued(continued), event("forged")] {
        assert!(chain.write(&mut forged, std::time::SystemTime::now(), &event));
    }
    let genuine = fixture.text();
    fs::write(fixture.log(), &forged).unwrap();
    let refused = || matches!(builder().open(), Err(LogOpenError::Disconnected { covered: size, first, .. }) if (size, first) == (covered, covered + 10));
    assert!(refused(), "with the older files");
    let older: Vec<_> = full_segments(&fixture.log()).unwrap().into_iter().map(|(_, file)| file).collect();
    for file in older {
        fs::rename(&file, file.with_extension("away")).unwrap();
    }
    assert!(refused(), "and without them");
    assert_eq!(fixture.text().into_bytes(), forged, "the file is unchanged");
    fs::write(fixture.log(), genuine).unwrap();
    builder().open().unwrap().close().unwrap();
}

#[test]
fn checkpoint_over_older_files_allows_opening() {
    let fixture = Fixture::new();
    let open = || fixture.builder().rotate_at(4096).checkpoint_file(fixture.file("checkpoint")).open().unwrap();
    let log = open();
    let checkpoint = log.checkpoint().unwrap();
    let note = fs::read_to_string(fixture.file("checkpoint")).unwrap();
    (0..40).for_each(|number| log.append(event(&number.to_string())).unwrap());
    log.close().unwrap();
    fs::write(fixture.file("checkpoint"), note).unwrap();
    assert!(fixture.records()[0].index() > checkpoint.size);
    open().close().unwrap();
}

#[test]
fn record_changed_after_checkpoint_is_never_covered() {
    let fixture = Fixture::new();
    let log = fixture.open();
    log.append(event("one")).unwrap();
    log.checkpoint().unwrap();
    log.append(event("two")).unwrap();
    log.close().unwrap();
    // Recomputes every hash. The signatures stay: they need the key.
    let anew = |changed: &str| {
        let (mut chain, mut lines) = (Chain::start(), Vec::new());
        for record in fixture.records() {
            let other = (name(&record).as_deref() == Some(changed)).then(|| event("changed"));
            let event = other.or(record.event()).unwrap();
            assert!(chain.write(&mut lines, record.written(), &event));
        }
        lines
    };
    let (as_it_was, one, two) = (anew(""), anew("one"), anew("two"));
    assert_eq!(as_it_was, fixture.text().into_bytes());
    let refused = |lines: Vec<u8>| {
        fs::write(fixture.log(), lines).unwrap();
        let LogOpenError::Damaged { line, fault: LogFault::CheckpointRoot, .. } = fixture.refusal() else {
            panic!("opened")
        };
        line
    };
    // opened, one, checkpoint, two, closed, checkpoint.
    assert_eq!((refused(one), refused(two)), (3, 6));
    fs::write(fixture.log(), as_it_was).unwrap();
    drop(fixture.open());
}

#[test]
fn log_of_another_format_is_not_continued() {
    let fixture = Fixture::new();
    let (mut chain, mut lines) = (Chain::start(), Vec::new());
    let Event::Opened(mut opened) = opened(&fixture.builder(), Vec::new()) else { panic!("another event") };
    opened.format = "portcullis-audit/2".into();
    assert!(chain.write(&mut lines, std::time::SystemTime::now(), &Event::Opened(opened)));
    fs::write(fixture.log(), lines).unwrap();
    fs::set_permissions(fixture.log(), Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(fixture.refusal(), LogOpenError::Damaged { line: 1, fault: LogFault::Format, .. }));
}

/// A writer can be killed between the quarantine and the record about it.
#[test]
fn quarantined_tail_is_reported_until_recorded() {
    let (fixture, text) = written();
    let key = fixture.key();
    for tail in ["{\"v\":1", "{\"v\":1,\"seq\""] {
        fs::write(fixture.log(), format!("{text}{tail}")).unwrap();
        recover::recover(&fixture.log(), &key, None).unwrap();
        assert_eq!(fixture.text(), text, "the tail is quarantined");
    }
    (0..2).for_each(|_| drop(fixture.open()));
    let openings = fixture.records().into_iter().filter_map(|record| match record.event() {
        Some(Event::Opened(opened)) => Some(opened.torn.iter().map(|torn| torn.bytes).collect()),
        _ => None,
    });
    assert_eq!(openings.collect::<Vec<Vec<_>>>(), [vec![], vec![6, 12], vec![]]);
}
