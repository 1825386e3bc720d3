//! Files made by hand: every class and byte order, and formats of other systems.

use super::*;
use crate::verify::bytes::linkage::SearchPathKind;

/// An ELF file of any class and byte order, whose addresses are its offsets.
pub(super) struct Recipe {
    pub(super) wide: bool,
    pub(super) little: bool,
    pub(super) kind: u16,
    pub(super) machine: u16,
    pub(super) interpreter: Option<&'static [u8]>,
    /// Tags of the dynamic section and the strings that they refer to.
    pub(super) strings: Vec<(u64, Vec<u8>)>,
    /// Tags and values.
    pub(super) values: Vec<(u64, u64)>,
    pub(super) build_id: Option<&'static [u8]>,
    pub(super) stack: Option<u32>,
}

pub(super) const NEEDED: u64 = 1;
pub(super) const SONAME: u64 = 14;
pub(super) const RPATH: u64 = 15;
pub(super) const RUNPATH: u64 = 29;
pub(super) const AUDIT: u64 = 0x6fff_fefc;
const FLAGS_1: u64 = 0x6fff_fffb;

impl Recipe {
    /// A native program, on a 64-bit little-endian machine.
    pub(super) fn program() -> Self {
        Self {
            wide: true,
            little: true,
            kind: 3,
            machine: 62,
            interpreter: Some(b"/lib64/ld-linux-x86-64.so.2\0"),
            strings: vec![(NEEDED, b"libc.so.6".to_vec()), (RUNPATH, b"$ORIGIN/lib:/usr/lib".to_vec())],
            values: Vec::new(),
            build_id: Some(b"\x01\x02\xfe\xff"),
            stack: Some(6),
        }
    }

    fn int(&self, bytes: usize, value: u64) -> Vec<u8> {
        let little = &value.to_le_bytes()[..bytes];
        if self.little { little.to_vec() } else { little.iter().rev().copied().collect() }
    }

    fn word(&self, value: u64) -> Vec<u8> {
        self.int(if self.wide { 8 } else { 4 }, value)
    }

    fn segment(&self, kind: u64, flags: u64, range: (usize, usize)) -> Vec<u8> {
        let (kind, flags) = (self.int(4, kind), self.int(4, flags));
        let (offset, size) = (self.word(range.0 as u64), self.word(range.1 as u64));
        let [address, align] = [offset.clone(), self.word(4)];
        let paddr = address.clone();
        match self.wide {
            true => [kind, flags, offset, address, paddr, size.clone(), size, align].concat(),
            false => [kind, offset, address, paddr, size.clone(), size, flags, align].concat(),
        }
    }

    fn header(&self, segments: usize) -> Vec<u8> {
        let (class, order) = (if self.wide { 2 } else { 1 }, if self.little { 1 } else { 2 });
        let [size, entry, section] = if self.wide { [64, 56, 64] } else { [52, 32, 40] };
        let mut header = [b"\x7fELF", &[class, order, 1, 0][..], &[0; 8]].concat();
        header.extend([self.int(2, self.kind.into()), self.int(2, self.machine.into()), self.int(4, 1)].concat());
        header.extend([self.word(0), self.word(size), self.word(0), self.int(4, 0)].concat());
        header.extend([size, entry, segments as u64, section, 0, 0].map(|value| self.int(2, value)).concat());
        header
    }

    pub(super) fn make(&self) -> Vec<u8> {
        const SEGMENTS: usize = 5;
        let head = if self.wide { 64 + SEGMENTS * 56 } else { 52 + SEGMENTS * 32 };
        let mut body = Vec::new();
        let mut put = |bytes: &[u8]| {
            let at = head + body.len();
            body.extend(bytes);
            body.resize(body.len().next_multiple_of(8), 0);
            (at, bytes.len())
        };
        let interpreter = self.interpreter.map(&mut put);
        let note = self.build_id.map(|id| {
            let head = [4, id.len() as u64, 3].map(|value| self.int(4, value)).concat();
            put(&[&head, &b"GNU\0"[..], id].concat())
        });
        let mut texts = vec![0];
        let mut entries = self.values.clone();
        for (tag, text) in &self.strings {
            entries.push((*tag, texts.len() as u64));
            texts.extend(text);
            texts.push(0);
        }
        let (at, size) = put(&texts);
        entries.extend([(5, at as u64), (10, size as u64), (0, 0)]);
        let dynamic = put(&entries
            .iter()
            .map(|(tag, value)| [self.word(*tag), self.word(*value)].concat())
            .collect::<Vec<_>>()
            .concat());
        let unused = (0, 0);
        let kind = |kind, range: Option<_>| if range.is_some() { kind } else { 0 };
        let segments = [
            self.segment(1, 5, (0, head + body.len())),
            self.segment(kind(3, interpreter), 4, interpreter.unwrap_or(unused)),
            self.segment(2, 6, dynamic),
            self.segment(kind(4, note), 4, note.unwrap_or(unused)),
            self.segment(if self.stack.is_some() { 0x6474_e551 } else { 0 }, self.stack.unwrap_or(0).into(), unused),
        ];
        [self.header(SEGMENTS), segments.concat(), body].concat()
    }
}

#[test]
fn every_class_and_byte_order_is_read() {
    for (wide, little, machine, name) in [
        (true, true, 62, "x86-64"),
        (true, true, 183, "AArch64"),
        (true, true, 243, "RISC-V"),
        (true, true, 258, "LoongArch"),
        (false, true, 3, "x86"),
        (false, true, 40, "ARM"),
        (false, true, 62, "x86-64"),
        (false, false, 8, "MIPS"),
        (false, false, 20, "PowerPC"),
        (true, false, 21, "64-bit PowerPC"),
        (true, false, 22, "S/390"),
        (false, false, 2, "SPARC"),
        (true, false, 43, "SPARC V9"),
        (true, true, 50, "Itanium"),
        (true, true, 247, "BPF"),
        (true, false, 9999, "ELF machine 9999"),
    ] {
        let found = executable(&Recipe { wide, little, machine, ..Recipe::program() }.make());
        assert_eq!(found.damage, [""; 0], "{name}");
        assert_eq!((found.bits, found.little_endian), (if wide { 64 } else { 32 }, little));
        assert_eq!(
            (found.machine.to_string().as_str(), found.kind),
            (name, ExecutableKind::PositionIndependentProgram)
        );
        assert_eq!(found.linkage.interpreter.as_deref(), Some("/lib64/ld-linux-x86-64.so.2".as_ref()));
        assert_eq!(found.linkage.needed, ["libc.so.6"]);
        assert_eq!(found.linkage.search_paths[0].kind, SearchPathKind::Runpath);
        assert_eq!(found.linkage.search_paths[0].text, "$ORIGIN/lib:/usr/lib");
        assert_eq!(found.build_id.as_deref(), Some(&b"\x01\x02\xfe\xff"[..]));
        assert_eq!(found.stack, StackUse::Data);
        assert!(found.is_stripped());
    }
}

#[test]
fn kind_follows_type_loader_and_flags() {
    let pie = vec![(FLAGS_1, 0x0800_0000)];
    for (kind, interpreter, values, expected) in [
        (1, None, vec![], ExecutableKind::Object),
        (2, None, vec![], ExecutableKind::Program),
        (2, Some(&b"/ld\0"[..]), vec![], ExecutableKind::Program),
        (3, Some(b"/ld\0"), vec![], ExecutableKind::PositionIndependentProgram),
        (3, None, pie, ExecutableKind::StaticPie),
        (3, None, vec![(FLAGS_1, 1)], ExecutableKind::SharedLibrary),
        (4, None, vec![], ExecutableKind::Core),
        (0xfe00, None, vec![], ExecutableKind::Other(0xfe00)),
    ] {
        let found = executable(&Recipe { kind, interpreter, values, ..Recipe::program() }.make());
        assert_eq!((found.kind, found.damage), (expected, vec![]));
        assert_eq!(found.linkage.is_static(), interpreter.is_none());
    }
}

#[test]
fn auxiliary_libraries_are_listed() {
    let strings = vec![
        (SONAME, b"self.so".to_vec()),
        (RPATH, b"/one".to_vec()),
        (RUNPATH, b"/two".to_vec()),
        (AUDIT, b"spy.so".to_vec()),
    ];
    let linkage = executable(&Recipe { strings, ..Recipe::program() }.make()).linkage;
    assert_eq!(linkage.auxiliary, ["spy.so"]);
    assert_eq!(linkage.soname.as_deref(), Some("self.so".as_ref()));
    let paths: Vec<_> = linkage.search_paths.iter().map(|path| (path.kind, path.text.to_str().unwrap())).collect();
    assert_eq!(paths, [(SearchPathKind::Rpath, "/one"), (SearchPathKind::Runpath, "/two")]);
}

#[test]
fn what_brings_other_code_along_is_remarked() {
    let remarks = |recipe: &Recipe| {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("file"), recipe.make()).unwrap();
        let remarks = Inspection::of(place.path().join("file")).unwrap().remarks;
        remarks.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let loaded = remarks(&Recipe::program());
    assert!(loaded.contains(" and 1 library"), "{loaded}");
    let two = vec![(NEEDED, b"one.so".to_vec()), (NEEDED, b"two.so".to_vec())];
    assert!(remarks(&Recipe { strings: two, ..Recipe::program() }).contains(" and 2 libraries"));
    let library = Recipe { interpreter: None, stack: None, ..Recipe::program() };
    let unstated = crate::inspect::Remark::UnstatedStack.to_string();
    assert!(remarks(&library).contains(&unstated));
    let uncovered = |libraries: usize| crate::inspect::Remark::NeededByLibrary { libraries }.to_string();
    assert!(remarks(&library).contains(&uncovered(1)));
    assert!(!remarks(&Recipe { kind: 1, ..library }).contains(&unstated), "an object file is not run");
    let alone = remarks(&Recipe { interpreter: None, strings: vec![], ..Recipe::program() });
    assert!(!alone.contains(&uncovered(0)), "{alone}");
}

#[test]
fn a_stack_is_executable_data_or_unstated() {
    for (stack, expected) in [(Some(7), StackUse::Executable), (Some(6), StackUse::Data), (None, StackUse::Unstated)] {
        assert_eq!(executable(&Recipe { stack, ..Recipe::program() }.make()).stack, expected);
    }
}

#[test]
fn relro_is_none_partial_or_full() {
    const BIND_NOW: u64 = 24;
    const FLAGS: u64 = 30;
    let relro = |values: Vec<(u64, u64)>, segment: u32| {
        let mut bytes = Recipe { values, ..Recipe::program() }.make();
        // Replaces the header about the stack.
        bytes[64 + 4 * 56..64 + 4 * 56 + 4].copy_from_slice(&segment.to_le_bytes());
        executable(&bytes).relro
    };
    assert_eq!(relro(vec![(BIND_NOW, 0)], 0), Relro::None);
    for (values, expected) in [
        (vec![], Relro::Partial),
        (vec![(BIND_NOW, 0)], Relro::Full),
        (vec![(FLAGS, 8)], Relro::Full),
        (vec![(FLAGS, 4)], Relro::Partial),
        (vec![(FLAGS_1, 1)], Relro::Full),
        (vec![(FLAGS_1, 2)], Relro::Partial),
    ] {
        assert_eq!(relro(values.clone(), 0x6474_e552), expected, "{values:?}");
    }
}

#[test]
fn stripped_means_neither_symbols_nor_debug_information() {
    let mut found = executable(&Recipe::program().make());
    for (symbols, debug_information) in [(true, false), (false, true), (true, true), (false, false)] {
        (found.symbols, found.debug_information) = (symbols, debug_information);
        assert_eq!(found.is_stripped(), !(symbols || debug_information));
    }
}

#[test]
fn an_inspection_is_told_line_by_line() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("program");
    std::fs::write(&path, Recipe::program().make()).unwrap();
    let text = Inspection::of(&path).unwrap().to_string();
    for lines in [
        "\nformat       ELF, 64 bits, little endian, x86-64\nkind         position-independent program, dynamic\n",
        "\nneeded       libc.so.6\nrunpath      $ORIGIN/lib = ",
        "\nrunpath      /usr/lib, exists\n",
        "\nstack        not executable\nrelro        none\nbuild id     0102feff\nsymbols      stripped\n",
    ] {
        assert!(text.contains(lines), "{text}");
    }
    for (values, kind) in [
        (vec![], "shared library"),
        // The kind already says that it is static.
        (vec![(FLAGS_1, 0x0800_0000)], "static position-independent program"),
    ] {
        std::fs::write(&path, Recipe { interpreter: None, values, ..Recipe::program() }.make()).unwrap();
        let text = Inspection::of(&path).unwrap().to_string();
        assert!(text.contains(&format!("\nkind         {kind}\nneeded ")), "{text}");
    }
    std::fs::write(&path, "#!/bin/sh -e\n").unwrap();
    let text = Inspection::of(&path).unwrap().to_string();
    assert!(text.contains("\nformat       a script\ninterpreter  /bin/sh\nargument     -e\n"), "{text}");
    for (bytes, format) in [(&b""[..], "empty"), (b"#!/bin/sh", "a script"), (b"PK\x03\x04", "a ZIP archive")] {
        assert_eq!(Content::of_bytes(bytes).to_string(), format);
    }
}

#[test]
fn other_formats_are_told_by_how_they_begin() {
    let mut pe = vec![0; 0x88];
    pe[..2].copy_from_slice(b"MZ");
    pe[0x3c] = 0x80;
    let dos = pe.clone();
    pe[0x80..0x84].copy_from_slice(b"PE\0\0");
    let cut_character = [&[b'a'; 4095][..], "žluťoučký".as_bytes()].concat();
    for (bytes, name) in [
        (&b""[..], "empty"),
        (b"#!/bin/sh\n", "script"),
        (b"\xfe\xed\xfa\xce....", "mach-o"),
        (b"\xfe\xed\xfa\xcf....", "mach-o"),
        (b"\xce\xfa\xed\xfe....", "mach-o"),
        (b"\xcf\xfa\xed\xfe....", "mach-o"),
        (b"\xca\xfe\xba\xbe\0\0\0\x02", "mach-o"),
        (b"\xca\xfe\xba\xbe\0\0\0\x3d", "java-class"),
        (&pe, "pe"),
        (&dos, "data"),
        (b"MZ", "text"),
        (b"MZ\x90\0", "data"),
        (b"\0asm\x01\0\0\0", "webassembly"),
        (b"PK\x03\x04....", "zip"),
        (b"PK\x05\x06....", "zip"),
        (b"hello\tworld\r\n", "text"),
        (&cut_character, "text"),
        ("žluť".as_bytes().split_last().unwrap().1, "data"),
        (b"\x00\x01", "data"),
        (b"\x7fEL", "data"),
        (b"\x7fELF", "broken-elf"),
        (b"\x7fELF\x03\x01\x01", "broken-elf"),
    ] {
        assert_eq!(Content::of_bytes(bytes).name(), name, "{:?}", &bytes[..bytes.len().min(16)]);
    }
}
