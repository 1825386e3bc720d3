//! Files with false headers: contradictory parts are left out and named, and nothing panics.

use std::fs::File;

use super::made::{AUDIT, NEEDED, RUNPATH, Recipe};
use super::*;
use crate::verify::bytes::linkage::linkage;
use crate::verify::decision::error::ExamineError;
use crate::verify::{Format, Refusal};

/// The offset of a segment header in a 64-bit file.
fn segment(index: usize) -> usize {
    64 + index * 56
}

const LOAD: usize = 0;
const INTERPRETER: usize = 1;
const DYNAMIC: usize = 2;
const NOTE: usize = 3;
const STACK: usize = 4;

fn changed(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut program = Recipe::program().make();
    program[at..at + bytes.len()].copy_from_slice(bytes);
    program
}

fn word(value: u64) -> [u8; 8] {
    value.to_le_bytes()
}

#[test]
fn what_contradicts_itself_is_named() {
    let program = Recipe::program().make();
    let load = &program[segment(LOAD)..segment(LOAD) + 56];
    let second_dynamic = &program[segment(DYNAMIC)..segment(DYNAMIC) + 56];
    let strings = "its dynamic strings";
    for (bytes, what) in [
        (changed(32, &word(u64::MAX)), "its program headers"),
        (changed(56, &[0xff, 0xff]), "its program headers"),
        (changed(54, &[1, 0]), "its program headers"),
        (changed(40, &word(u64::MAX - 64)), "its section headers"),
        (changed(segment(INTERPRETER) + 32, &word(1)), "the name of its dynamic loader"),
        (changed(segment(INTERPRETER) + 32, &word(5)), "the name of its dynamic loader"),
        (changed(segment(INTERPRETER) + 32, &word(5000)), "the name of its dynamic loader"),
        (changed(segment(INTERPRETER) + 8, &word(u64::MAX)), "the name of its dynamic loader"),
        // The loader uses the address, a reader of the file the offset.
        (changed(segment(DYNAMIC) + 8, &word(64)), "its dynamic section"),
        (changed(segment(DYNAMIC) + 16, &word(64)), "its dynamic section"),
        (changed(segment(DYNAMIC) + 32, &word(u64::MAX)), "its dynamic section"),
        // It begins at the end of the file's part of the segment, where zeros follow.
        (changed(segment(LOAD) + 32, &program[segment(DYNAMIC) + 8..segment(DYNAMIC) + 16]), "its dynamic section"),
        (changed(segment(STACK), second_dynamic), "its dynamic section"),
        // Two segments for one page: their order decides which one the loader sees.
        (changed(segment(STACK), load), "its dynamic section"),
        (changed(segment(LOAD) + 16, &word(0x10_0000)), "its dynamic section"),
        (changed(segment(NOTE) + 8, &word(u64::MAX)), "its notes"),
        (changed(segment(NOTE) + 48, &word(3000)), "its notes"),
        (Recipe { values: vec![(NEEDED, 5000)], ..Recipe::program() }.make(), strings),
        (Recipe { values: vec![(NEEDED, u64::MAX)], ..Recipe::program() }.make(), strings),
        (Recipe { strings: vec![(NEEDED, vec![b'x'; 5000])], ..Recipe::program() }.make(), strings),
        (Recipe { values: vec![(NEEDED, 1); 600], ..Recipe::program() }.make(), "it names too many libraries"),
        (Recipe { values: vec![(NEEDED, 1); 5000], ..Recipe::program() }.make(), "its dynamic section"),
    ] {
        let found = executable(&bytes);
        assert!(found.damage.contains(&what), "{what}: {:?}", found.damage);
    }
}

#[test]
fn damaged_native_program_yields_no_partial_linkage() {
    let linkage_of = |bytes: &[u8]| {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        linkage(&file).map_err(|error| match error {
            ExamineError::Refusal(Refusal::Format(format)) => format,
            other => panic!("{other:?}"),
        })
    };
    let foreign = Recipe { machine: 9999, ..Recipe::program() }.make();
    assert!(matches!(linkage_of(&foreign), Err(Format::OtherMachine { machine: 9999, .. })));
    let own = linkage(&File::open(std::env::current_exe().unwrap()).unwrap()).unwrap();
    assert!(own.needed.iter().any(|name| name.to_str().unwrap().starts_with("libc.so")), "{own:?}");
    if !cfg!(target_arch = "x86_64") {
        return skip("the programs made by hand are for x86-64");
    }
    assert_eq!(linkage_of(&Recipe::program().make()).unwrap().needed, ["libc.so.6"]);
    let lying = changed(segment(DYNAMIC) + 16, &word(64));
    assert_eq!(linkage_of(&lying), Err(Format::Damaged { what: "its dynamic section" }));
    let many = Recipe { values: vec![(NEEDED, 1); 600], ..Recipe::program() }.make();
    assert_eq!(linkage_of(&many), Err(Format::Damaged { what: "it names too many libraries" }));
}

#[test]
fn header_counts_are_bounded() {
    // The headers are beyond the file's content and read as zeros.
    let behind = |recipe: Recipe, headers: usize| {
        let mut bytes = recipe.make();
        let at = bytes.len();
        bytes.resize(at + headers, 0);
        (bytes, at)
    };
    let segments = |count: u16| {
        let (mut bytes, at) = behind(Recipe { wide: false, ..Recipe::program() }, usize::from(count) * 32);
        bytes[28..32].copy_from_slice(&(at as u32).to_le_bytes());
        bytes[44..46].copy_from_slice(&count.to_le_bytes());
        executable(&bytes).damage
    };
    // 64 KiB of entries.
    assert_eq!(segments(2048), [""; 0]);
    assert_eq!(segments(2049), ["its program headers"]);
    let sections = |count: usize| {
        let (mut bytes, at) = behind(Recipe::program(), count * 64);
        bytes[40..48].copy_from_slice(&word(at as u64));
        // The header names the second section as the one with the names.
        bytes[62] = 1;
        // A count that has no room in the header is the size of the first section (elf(5),
        // e_shnum).
        bytes[at + 32..at + 40].copy_from_slice(&word(count as u64));
        executable(&bytes).damage
    };
    assert_eq!(sections(64 * 1024), [""; 0]);
    assert_eq!(sections(64 * 1024 + 1), ["its section headers"]);
}

#[test]
fn notes_are_read_up_to_their_limits() {
    let named = |id: &'static [u8]| executable(&Recipe { build_id: Some(id), ..Recipe::program() }.make());
    assert_eq!(named(&[7; 64]).build_id.unwrap(), [7; 64]);
    assert_eq!((named(&[7; 68]).build_id, named(&[7; 68]).damage), (None, vec!["its notes"]));
    let notes = |size: usize| {
        let mut bytes = changed(segment(NOTE) + 32, &word(size as u64));
        bytes.resize(bytes.len() + size, 0);
        executable(&bytes).build_id
    };
    assert!(notes(64 * 1024).is_some() && notes(64 * 1024 + 1).is_none());
}

#[test]
fn dynamic_strings_are_searched_up_to_their_limit() {
    let damage = |size: u64| {
        let mut bytes = Recipe { strings: vec![], ..Recipe::program() }.make();
        let at = u64::from_le_bytes(bytes[segment(DYNAMIC) + 8..segment(DYNAMIC) + 16].try_into().unwrap()) as usize;
        // The entry after the address of the strings has their size.
        assert_eq!(bytes[at + 16..at + 24], word(10));
        bytes[at + 24..at + 32].copy_from_slice(&word(size));
        executable(&bytes).damage
    };
    assert_eq!(damage(64 << 20), [""; 0]);
    assert_eq!(damage((64 << 20) + 1), ["its dynamic strings"]);
}

#[test]
fn dynamic_section_is_bounded() {
    // Entries of 16 bytes: these, two strings, the address and size of the strings, the end.
    let damage = |entries: usize| {
        const DEBUG: u64 = 21;
        executable(&Recipe { values: vec![(DEBUG, 0); entries - 5], ..Recipe::program() }.make()).damage
    };
    assert_eq!(damage(64 * 1024 / 16), [""; 0]);
    assert_eq!(damage(64 * 1024 / 16 + 1), ["its dynamic section"]);
}

#[test]
fn libraries_of_every_kind_are_counted_together() {
    let damage = |needed: usize| {
        let strings = vec![(AUDIT, b"audit.so".to_vec()), (RUNPATH, b"/lib".to_vec())];
        executable(&Recipe { strings, values: vec![(NEEDED, 1); needed], ..Recipe::program() }.make()).damage
    };
    assert_eq!(damage(510), [""; 0]);
    assert_eq!(damage(511), ["it names too many libraries"]);
}

#[test]
fn damaged_bytes_and_truncation_never_panic() {
    for (wide, little) in [(true, true), (true, false), (false, true), (false, false)] {
        let program = Recipe { wide, little, ..Recipe::program() }.make();
        for length in 0..program.len() {
            let _ = Content::of_bytes(&program[..length]);
        }
        for at in 0..program.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff, program[at] ^ 1] {
                let mut damaged = program.clone();
                damaged[at] = value;
                let _ = Content::of_bytes(&damaged).to_string();
            }
        }
    }
}

#[test]
fn damaged_real_program_never_panics() {
    let directory = tempfile::tempdir().unwrap();
    let Some(path) = compile(directory.path(), "program", "int main(void) { return 0; }", &[]) else {
        return;
    };
    let program = std::fs::read(path).unwrap();
    let sections = u64::from_le_bytes(program[40..48].try_into().unwrap()) as usize;
    let places = (0..1024).chain(sections..program.len());
    for at in places.step_by(3) {
        let mut damaged = program.clone();
        damaged[at] = damaged[at].wrapping_add(0x7f);
        let _ = Content::of_bytes(&damaged).to_string();
    }
    for length in (0..program.len()).step_by(97) {
        let _ = Content::of_bytes(&program[..length]).to_string();
    }
}

#[test]
fn a_search_path_without_end_is_cut() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("program");
    let strings = vec![(RUNPATH, b":".repeat(4000))];
    std::fs::write(&path, Recipe { strings, ..Recipe::program() }.make()).unwrap();
    let inspection = Inspection::of(&path).unwrap();
    assert_eq!(inspection.search.len(), 128);
    assert!(names(&inspection).contains(&"search-cut"));
}

#[test]
fn nothing_foreign_is_shown_as_it_is() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("\u{1b}[2J\nprogram");
    let strings = [NEEDED, RUNPATH, 14, 15, 0x6fff_fefc].map(|tag| (tag, b"x/\x1b[2J\nwarning: no\xff".to_vec()));
    let interpreter = Some(&b"\x1b[2J\n\0"[..]);
    std::fs::write(&path, Recipe { strings: strings.to_vec(), interpreter, ..Recipe::program() }.make()).unwrap();
    let text = Inspection::of(&path).unwrap().to_string();
    assert!(!text.chars().any(|character| character.is_control() && character != '\n'), "{text:?}");
    assert!(!text.contains("\nwarning: no"), "{text}");
    assert!(text.contains(r"needed       x/\u{1b}[2J\nwarning: no\xff"), "{text}");
}
