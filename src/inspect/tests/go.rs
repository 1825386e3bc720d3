//! Go build information made by hand: with and without section names, and up to each limit.

use super::*;

/// The offset of the data in the programs made here.
const DATA: usize = 128;
const LOAD: u32 = 1;
const THREAD_LOCAL: u32 = 7;
const EXECUTE: u32 = 1;
const WRITE: u32 = 2;
const READ: u32 = 4;

const DAMAGED: &str = "its Go build information";
const TOO_LONG: &str = "its Go build information is too long";

/// Encodes the length that precedes a string (`encoding/binary.Uvarint`).
fn length(mut value: usize) -> Vec<u8> {
    let mut groups = Vec::new();
    while value > 0x7f {
        groups.push(value as u8 | 0x80);
        value >>= 7;
    }
    groups.push(value as u8);
    groups
}

fn information(version: &str, modules: &[u8]) -> Vec<u8> {
    let head = [&b"\xff Go buildinf:\x08\x02"[..], &[0; 16]].concat();
    [&head, &length(version.len())[..], version.as_bytes(), &length(modules.len()), modules].concat()
}

/// Puts Go's markers around lines.
fn framed(lines: &str) -> Vec<u8> {
    [&[b'<'; 16], lines.as_bytes(), &[b'>'; 16]].concat()
}

/// A program of one segment and no sections.
fn stripped_with(kind: u32, flags: u32, data: &[u8]) -> Vec<u8> {
    let (at, size) = ((DATA as u64).to_le_bytes(), (data.len() as u64).to_le_bytes());
    let mut program = [b"\x7fELF\x02\x01\x01", &[0; 9][..], b"\x02\0\x3e\0\x01\0\0\0", &[0; 8]].concat();
    program.extend([&64_u64.to_le_bytes()[..], &[0; 12], &[64, 0, 56, 0, 1, 0, 64, 0, 0, 0, 0, 0]].concat());
    program.extend([&kind.to_le_bytes()[..], &flags.to_le_bytes(), &at, &at, &at, &size, &size, &[0; 8]].concat());
    program.resize(DATA, 0);
    [&program, data].concat()
}

fn stripped(data: &[u8]) -> Vec<u8> {
    stripped_with(LOAD, READ | WRITE, data)
}

/// A program whose data is a section with the name that Go gives it.
fn named(data: &[u8]) -> Vec<u8> {
    let mut program = stripped(data);
    let names = program.len();
    program.extend(b"\0.go.buildinfo\0\0");
    let headers = program.len() as u64;
    for (name, offset, size) in [(0, 0, 0), (1, DATA, data.len()), (0, names, 16)] {
        let place = [offset as u64, size as u64].map(u64::to_le_bytes).concat();
        program.extend([&[name, 0, 0, 0, 1, 0, 0, 0][..], &[0; 16], &place, &[0; 24]].concat());
    }
    program[40..48].copy_from_slice(&headers.to_le_bytes());
    // Three sections, the last of which holds the names.
    program[60..64].copy_from_slice(&[3, 0, 2, 0]);
    program
}

/// Returns the build information that is read from a program, or its damage.
fn told(information: &[u8]) -> Result<GoBuild, Vec<&'static str>> {
    let found = executable(&named(information));
    assert_eq!(found.go.is_none(), !found.damage.is_empty());
    found.go.ok_or(found.damage)
}

fn of_lines(lines: &str) -> Result<GoBuild, Vec<&'static str>> {
    told(&information("go1.24.1", &framed(lines)))
}

fn module(path: &str, version: &str, sum: Option<&str>) -> GoModule {
    GoModule { path: path.into(), version: version.into(), sum: sum.map(Into::into), replacement: None }
}

#[test]
fn build_information_is_read_without_section_names() {
    let lines = "path\texample.com/own/cmd\nmod\texample.com/own\t(devel)\t\ndep\texample.com/one\tv1.0.0\th1:one=\n\
                 dep\texample.com/two\tv2.0.0\n=>\t./two\tv2.0.1\th1:two=\ndep\texample.com/three\tv3.0.0\t\n\
                 future\tword\n\nbuild\t-trimpath=true\nbuild\tGOOS=linux\n";
    let two = module("./two", "v2.0.1", Some("h1:two="));
    let expected = GoBuild {
        version: "go1.24.1".into(),
        path: Some("example.com/own/cmd".into()),
        main: Some(module("example.com/own", "(devel)", None)),
        dependencies: vec![
            module("example.com/one", "v1.0.0", Some("h1:one=")),
            GoModule { replacement: Some(two.into()), ..module("example.com/two", "v2.0.0", None) },
            module("example.com/three", "v3.0.0", None),
        ],
        settings: vec!["-trimpath=true".into(), "GOOS=linux".into()],
    };
    let information = information("go1.24.1", &framed(lines));
    for program in [named(&information), stripped(&information)] {
        let found = executable(&program);
        assert_eq!((found.go.as_ref(), found.damage), (Some(&expected), vec![]));
    }
}

#[test]
fn stripped_program_is_searched_in_data_only() {
    let information = information("go1.24.1", b"");
    for (kind, flags, is_data) in [
        (LOAD, READ | WRITE, true),
        (LOAD, READ, false),
        (LOAD, READ | EXECUTE, false),
        (LOAD, READ | WRITE | EXECUTE, false),
        (THREAD_LOCAL, READ | WRITE, false),
        (THREAD_LOCAL, READ, false),
    ] {
        let found = executable(&stripped_with(kind, flags, &information));
        assert_eq!((found.go.is_some(), found.damage), (is_data, vec![]), "{kind} {flags}");
    }
}

#[test]
fn misaligned_magic_is_ignored_or_damage() {
    for (before, is_aligned) in [(0, true), (16, true), (48, true), (1, false), (8, false), (24, false)] {
        let data = [vec![b'.'; before], information("go1.24.1", b"")].concat();
        let found = executable(&stripped(&data));
        assert_eq!((found.go.is_some(), found.damage), (is_aligned, vec![]), "{before}");
        assert_eq!(told(&data).err(), (!is_aligned).then(|| vec![DAMAGED]), "{before}");
    }
    assert_eq!(told(&[b'.'; 64]), Err(vec![DAMAGED]));
    assert_eq!(executable(&stripped(&[b'.'; 64])).go, None);
}

#[test]
fn search_for_build_information_is_bounded() {
    const MIB: usize = 1024 * 1024;
    let is_found =
        |before: usize| executable(&stripped(&[vec![0; before], information("go1.24.1", b"")].concat())).go.is_some();
    assert!(is_found(MIB - 16));
    assert!(!is_found(MIB));
}

#[test]
fn build_before_go_1_18_is_reported() {
    for flags in [0, 1] {
        let mut old = information("go1.24.1", b"");
        old[15] = flags;
        let damage = told(&old).unwrap_err();
        assert_eq!(damage, ["its Go build information is from Go before 1.18, which this version does not read"]);
    }
}

#[test]
fn text_without_markers_is_not_read() {
    for modules in [&b""[..], b"\n", &[b'\n'; 16], &[b'\n'; 32], &framed("path\tunfinished"), &framed("\n")] {
        let build = told(&information("go1.24.1", modules)).unwrap();
        assert_eq!(build, GoBuild { version: "go1.24.1".into(), ..GoBuild::default() }, "{modules:?}");
    }
}

#[test]
fn lines_that_make_no_sense_are_damage() {
    for lines in [
        "=>\t./two\tv1.0.0\t\n",
        "path\texample.com/own\n=>\t./two\tv1.0.0\t\n",
        "dep\texample.com/one\tv1.0.0\t\n=>\t./two\tv1.0.0\t\n=>\t./three\tv1.0.0\t\n",
        "dep\texample.com/one\tv1.0.0\t\nbuild\tx\n=>\t./two\tv1.0.0\t\n",
        "dep\texample.com/one\n",
        "mod\texample.com/own\tv1.0.0\th1:own=\tmore\n",
    ] {
        assert_eq!(of_lines(lines), Err(vec![DAMAGED]), "{lines:?}");
    }
}

#[test]
fn a_build_is_read_up_to_its_limits() {
    let of_version = |length| told(&information(&"v".repeat(length), b"")).map(|build| build.version.len());
    assert_eq!(of_version(1024), Ok(1024));
    assert_eq!(of_version(1025), Err(vec![TOO_LONG]));

    // Includes the markers on either side, a word, a tab and the end of the line.
    let of_size = |size: usize| of_lines(&format!("path\t{}\n", "p".repeat(size - 38)));
    assert_eq!(of_size(1024 * 1024).unwrap().path.map(|path| path.len()), Some(1024 * 1024 - 38));
    assert_eq!(of_size(1024 * 1024 + 1), Err(vec![TOO_LONG]));

    let of_count = |count| of_lines(&"build\tx\n".repeat(count)).map(|build| build.settings.len());
    assert_eq!(of_count(16 * 1024), Ok(16 * 1024));
    assert_eq!(of_count(16 * 1024 + 1), Err(vec![TOO_LONG]));
}

#[test]
fn string_length_is_bounded_and_backed_by_data() {
    let of_length = |length: &[u8]| {
        let head = &information("", b"")[..32];
        told(&[head, length, b"go1\0", &[0; 16]].concat()).map(|build| build.version)
    };
    for intact in [&[3][..], &[0x83, 0], &[0x83, 0x80, 0x80, 0x80, 0]] {
        assert_eq!(of_length(intact).as_deref(), Ok("go1"), "{intact:x?}");
    }
    assert_eq!(of_length(&[0x83, 0x80, 0x80, 0x80, 0x80, 0]), Err(vec![DAMAGED]));
    assert_eq!(of_length(&[0x80; 10]), Err(vec![DAMAGED]));

    let whole = information("go1.24.1", &framed("path\tx\n"));
    // The file ends here, before the end that the headers give.
    let mut cut = stripped(&whole);
    for _ in 0..whole.len() - 32 {
        cut.pop();
        let found = executable(&cut);
        assert_eq!((found.go, found.damage), (None, vec![DAMAGED]), "{}", cut.len());
    }
}

#[test]
fn build_information_is_printed_escaped() {
    let lines = "path\texample.com/own\nmod\texample.com/own\t(devel)\t\ndep\texample.com/one\tv1.0.0\th1:one=\n\
                 dep\texample.com/two\tv2.0.0\n=>\t./two\tv2.0.1\x1b[2J\nbuild\tGOOS=linux\n";
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("program");
    std::fs::write(&path, stripped(&information("go1.24.1", &framed(lines)))).unwrap();
    let text = Inspection::of(&path).unwrap().to_string();
    let expected = "go           go1.24.1\ngo path      example.com/own\ngo module    example.com/own (devel)\n\
                    go needs     example.com/one v1.0.0\n\
                    go needs     example.com/two v2.0.0 => ./two v2.0.1\\u{1b}[2J\ngo setting   GOOS=linux\npolicy ";
    assert!(text.contains(expected), "{text}");
}
