//! Facts outside a file's content: links, owners, modes, capabilities, search paths. And special
//! files.

use std::fs::{File, Permissions, set_permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use rustix::fs::{CWD, FileType, Mode, XattrFlags};

use super::made::{NEEDED, RPATH, RUNPATH, Recipe};
use super::*;
use crate::verify::{Digest, Refusal};

struct Fixture {
    _directory: tempfile::TempDir,
    root: PathBuf,
    program: PathBuf,
}

impl Fixture {
    fn new(recipe: &Recipe) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let program = root.join("program");
        std::fs::write(&program, recipe.make()).unwrap();
        set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        Self { _directory: directory, root, program }
    }

    fn inspect(&self) -> Inspection {
        Inspection::of(&self.program).unwrap()
    }
}

#[test]
fn the_file_itself_is_told() {
    let fixture = Fixture::new(&Recipe::program());
    let inspection = fixture.inspect();
    let bytes = std::fs::read(&fixture.program).unwrap();
    assert_eq!((inspection.size, inspection.digest), (bytes.len() as u64, Some(Digest::of(bytes))));
    assert_eq!((inspection.mode, inspection.owner), (0o755, rustix::process::geteuid().as_raw()));
    assert_eq!((inspection.link, inspection.exposure), (None, None));
}

#[test]
fn a_link_is_followed_and_told() {
    let fixture = Fixture::new(&Recipe::program());
    let link = fixture.root.join("link");
    symlink("program", &link).unwrap();
    let inspection = Inspection::of(&link).unwrap();
    assert_eq!(
        (inspection.location.as_path(), inspection.link.as_deref()),
        (&*fixture.program, Some("program".as_ref()))
    );
    assert!(names(&inspection).contains(&"link"));
    assert!(!names(&fixture.inspect()).contains(&"link"));
}

#[test]
fn file_writable_by_others_gets_a_warning() {
    let fixture = Fixture::new(&Recipe::program());
    for (file, directory, exposed) in [
        (0o755, 0o755, None),
        (0o775, 0o755, Some(&fixture.program)),
        (0o757, 0o755, Some(&fixture.program)),
        (0o755, 0o777, Some(&fixture.root)),
        (0o755, 0o1777, None),
    ] {
        set_permissions(&fixture.program, Permissions::from_mode(file)).unwrap();
        set_permissions(&fixture.root, Permissions::from_mode(directory)).unwrap();
        let inspection = fixture.inspect();
        assert_eq!(names(&inspection).contains(&"writable"), exposed.is_some());
        assert_eq!(inspection.exposure.as_ref().map(|exposure| &exposure.path), exposed, "{file:o} {directory:o}");
        let mode = if directory == 0o777 { directory } else { file };
        assert!(inspection.exposure.is_none_or(|exposure| exposure.to_string().ends_with(&format!("mode {mode:04o}"))));
    }
}

#[test]
fn set_id_bits_are_warned_of_and_refused() {
    let fixture = Fixture::new(&Recipe::program());
    for (mode, set) in [(0o4755, true), (0o2755, true), (0o1755, false)] {
        set_permissions(&fixture.program, Permissions::from_mode(mode)).unwrap();
        let inspection = fixture.inspect();
        assert_eq!(names(&inspection).contains(&"set-id"), set);
        assert_eq!(matches!(inspection.refusal, Some(Refusal::SetId { mode: found }) if found == mode), set);
    }
}

#[test]
fn capabilities_are_decoded_in_every_revision() {
    let word = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
    for (attribute, shown) in [
        (word(&[0x0100_0001, 1 << 13, 0]), "cap_net_raw=ep"),
        (word(&[0x0200_0001, 1 << 13, 0, 0, 0]), "cap_net_raw=ep"),
        (
            word(&[0x0200_0000, 1 << 10 | 1 << 12, 1 << 10, 1 << 8, 0]),
            "cap_net_bind_service=ip cap_net_admin,cap_checkpoint_restore=p",
        ),
        (word(&[0x0200_0000, 0, 1, 1 << 31, 0]), "cap_63=p cap_chown=i"),
        (word(&[0x0300_0001, 1 << 21, 0, 0, 0, 100_000]), "cap_sys_admin=ep [rootid=100000]"),
        (word(&[0x0200_0000, 0, 0, 0, 0]), "="),
        (word(&[0x0400_0001, 1, 0, 0, 0]), "an unknown revision of 20 bytes"),
        (word(&[0x0200_0001, 1, 0]), "an unknown revision of 12 bytes"),
        (word(&[0x0400_0001, 1, 0, 0, 0, 0]), "an unknown revision of 24 bytes"),
        (vec![0; 21], "an unknown revision of 21 bytes"),
        (vec![], "an unknown revision of 0 bytes"),
    ] {
        assert_eq!(FileCapabilities::decode(&attribute).to_string(), shown);
    }
}

#[test]
fn capabilities_match_getcap() {
    let fixture = Fixture::new(&Recipe::program());
    assert_eq!(fixture.inspect().capabilities, None);
    let attribute: Vec<u8> =
        [0x0200_0001_u32, 1 << 13 | 1 << 21, 0, 0, 0].iter().flat_map(|word| word.to_le_bytes()).collect();
    if let Err(error) = rustix::fs::setxattr(&fixture.program, "security.capability", &attribute, XattrFlags::empty()) {
        return skip(&format!("this user or file system cannot set file capabilities: {error}"));
    }
    let inspection = fixture.inspect();
    let shown = inspection.capabilities.as_ref().unwrap().to_string();
    assert_eq!(shown, "cap_net_raw,cap_sys_admin=ep");
    assert!(names(&inspection).contains(&"capabilities"));
    assert_eq!(inspection.refusal, Some(Refusal::FileCapabilities));
    if let Some(printed) = output(Command::new("getcap").arg(&fixture.program)) {
        assert_eq!(printed.trim_end(), format!("{} {shown}", fixture.program.display()));
    }
}

#[test]
fn each_search_path_directory_is_examined() {
    let paths = tempfile::tempdir().unwrap();
    let paths = paths.path().canonicalize().unwrap();
    for (name, mode) in [("open", 0o777), ("sticky", 0o1777), ("closed", 0o755)] {
        std::fs::create_dir(paths.join(name)).unwrap();
        set_permissions(paths.join(name), Permissions::from_mode(mode)).unwrap();
    }
    let at = |name: &str| format!("{}/{name}", paths.display());
    let text = |entries: &[&str]| entries.join(":").into_bytes();
    let written = [
        &*at("open"),
        &at("sticky"),
        &at("closed"),
        &at("open/none"),
        &at("closed/none"),
        "",
        "lib",
        "$ORIGIN",
        "${ORIGIN}/lib",
        "/usr/$LIB",
    ];
    let fixture = Fixture::new(&Recipe { strings: vec![(RPATH, text(&written))], ..Recipe::program() });
    let inspection = fixture.inspect();
    let found: Vec<_> = inspection
        .search
        .iter()
        .map(|entry| match &entry.place {
            None => (entry.is_relative(), None),
            Some(place) => (
                entry.is_relative(),
                Some((place.path.display().to_string(), place.exists.unwrap(), place.exposure.is_some())),
            ),
        })
        .collect();
    let root = fixture.root.display();
    assert_eq!(
        found,
        [
            (false, Some((at("open"), true, true))),
            (false, Some((at("sticky"), true, true))),
            (false, Some((at("closed"), true, false))),
            (false, Some((at("open/none"), false, true))),
            (false, Some((at("closed/none"), false, false))),
            (true, None),
            (true, None),
            (false, Some((root.to_string(), true, false))),
            (false, Some((format!("{root}/lib"), false, false))),
            (false, None),
        ]
    );
    let count = |name| names(&inspection).iter().filter(|found| **found == name).count();
    assert_eq!(["search-writable", "search-relative", "search-origin", "search-unknown"].map(count), [3, 2, 2, 1]);
}

#[test]
fn loader_and_interpreter_get_warnings() {
    let strings =
        vec![(NEEDED, b"lib/own.so".to_vec()), (NEEDED, b"libc.so.6".to_vec()), (RUNPATH, b"/usr/lib".to_vec())];
    let fixture = Fixture::new(&Recipe {
        strings,
        interpreter: Some(b"/nonexistent/ld\0"),
        stack: Some(7),
        machine: 9999,
        ..Recipe::program()
    });
    let expected = ["other-machine", "loaded-at-start", "relative-library", "executable-stack", "missing-interpreter"];
    assert_eq!(names(&fixture.inspect()), expected);
    let fixture =
        Fixture::new(&Recipe { interpreter: Some(b"ld\0"), stack: None, strings: vec![], ..Recipe::program() });
    let found = fixture.inspect();
    for name in ["loaded-at-start", "relative-interpreter", "unstated-stack"] {
        assert!(names(&found).contains(&name), "{name}");
    }
}

#[test]
fn a_script_is_told_with_its_interpreter() {
    let fixture = Fixture::new(&Recipe::program());
    let open = fixture.root.join("shell");
    std::fs::write(&open, "").unwrap();
    set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
    std::fs::write(&fixture.program, format!("#!{} -e\n", open.display())).unwrap();
    let inspection = fixture.inspect();
    assert_eq!(names(&inspection), ["script-interpreter", "interpreter-writable"]);
    assert!(matches!(inspection.refusal, Some(Refusal::Script { .. })));
}

#[test]
fn file_with_only_elf_magic_is_damaged() {
    let fixture = Fixture::new(&Recipe::program());
    std::fs::write(&fixture.program, b"\x7fELF\x03\x01\x01").unwrap();
    let inspection = fixture.inspect();
    assert_eq!(inspection.remarks, [Remark::Damaged { what: "its first bytes" }]);
    assert!(matches!(inspection.refusal, Some(Refusal::Format(_))), "{:?}", inspection.refusal);
}

#[test]
fn special_file_is_named_without_blocking() {
    let fixture = Fixture::new(&Recipe::program());
    let fifo = fixture.root.join("fifo");
    rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, Mode::from_raw_mode(0o700), 0).unwrap();
    for (path, expected) in
        [(fifo.as_path(), "a FIFO"), (&fixture.root, "a directory"), (Path::new("/dev/zero"), "a device")]
    {
        match Inspection::of(path) {
            Err(InspectError::NotRegular { kind, .. }) => assert_eq!(kind, expected),
            other => panic!("{other:?}"),
        }
    }
    let missing = Inspection::of(fixture.root.join("none")).unwrap_err();
    assert!(matches!(missing, InspectError::Unreadable { source, .. } if source.kind() == io::ErrorKind::NotFound));
}

#[test]
fn oversized_file_has_no_digest() {
    let fixture = Fixture::new(&Recipe::program());
    File::options().write(true).open(&fixture.program).unwrap().set_len(1 << 40).unwrap();
    let inspection = fixture.inspect();
    assert_eq!((inspection.size, inspection.digest), (1 << 40, None));
    assert!(names(&inspection).contains(&"not-hashed"));
    assert!(inspection.content.executable().is_some());
}
