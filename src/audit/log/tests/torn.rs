//! Logs whose writer was killed, or whose machine lost its power, at every place where that can happen.

use super::*;
use crate::verify::Digest;

/// A log with some records, as text. In memory, because it is opened very often.
fn written() -> (Place, String) {
    let place = Place::in_memory();
    let log = place.open();
    (0..3).for_each(|number| log.append(event(&number.to_string())).unwrap());
    log.close().unwrap();
    let text = place.text();
    (place, text)
}

impl Place {
    fn in_memory() -> Self {
        let directory = tempfile::Builder::new().tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        LogKey::create(directory.path().join("key"), "example/log").unwrap();
        Self { directory }
    }
}

#[test]
fn a_log_that_was_cut_anywhere_ends_with_its_last_whole_record() {
    let (place, text) = written();
    let key = place.key();
    let text = text.as_bytes();
    let ends: Vec<_> = (1..=text.len()).filter(|end| text[end - 1] == b'\n').collect();
    for cut in ends[ends.len() - 4]..=text.len() {
        let whole = *ends.iter().rev().find(|end| **end <= cut).unwrap();
        // A kill leaves what was written; a lost power also what was not.
        for zeros in [0, text.len() - cut + 1] {
            let tail = [&text[whole..cut], &vec![0; zeros]].concat();
            fs::write(place.log(), [&text[..whole], &tail].concat()).unwrap();
            let recovered = recover::recover(&place.log(), &key).unwrap();
            assert_eq!(recovered.chain.next() as usize, ends.iter().filter(|end| **end <= whole).count(), "{cut}");
            assert_eq!((recovered.file.length(), place.text().len()), (whole as u64, whole));
            match recovered.torn {
                None => assert!(tail.is_empty(), "{cut}"),
                Some(torn) => {
                    assert_eq!((torn.bytes, torn.sha256), (tail.len() as u64, Digest::of(&tail)));
                    let aside = place.file(&torn.file);
                    assert_eq!(fs::read(&aside).unwrap(), tail);
                    fs::remove_file(aside).unwrap();
                }
            }
        }
    }
}

#[test]
fn what_is_put_aside_is_there_before_the_log_is_cut() {
    let (place, text) = written();
    fs::write(place.log(), &text[..text.len() - 1]).unwrap();
    let Ok(Some(file)) = file::LogFile::open(&place.log()) else { panic!("it is there") };
    file.faults.plan.lock().unwrap().cut = Some(Errno::IO);
    let whole = text[..text.len() - 1].rfind('\n').unwrap() as u64 + 1;
    let mut file = file;
    assert!(recover::put_aside(&place.log(), &mut file, whole).is_err());
    assert_eq!(place.text(), text[..text.len() - 1], "the log still has it");
    let aside = fs::read_dir(place.directory.path()).unwrap().map(|entry| entry.unwrap().path());
    let aside: Vec<_> = aside.filter(|path| path.to_string_lossy().contains("torn")).collect();
    assert_eq!(fs::read_to_string(&aside[0]).unwrap(), text[whole as usize..text.len() - 1]);
    drop(file);
    drop(place.open());
    assert_eq!(place.records().len(), text.lines().count() - 1 + 3);
}
