//! The seeds of `elf`: small ELF files of every class and byte order, with everything that the
//! inspection reads. None of them runs.

/// The kinds of ELF files.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Program,
    StaticPie,
    Library,
    Object,
}

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const PT_NOTE: u32 = 4;
const PT_GNU_STACK: u32 = 0x6474_e551;
const PT_GNU_RELRO: u32 = 0x6474_e552;

const INTERPRETER: &[u8] = b"/lib64/ld-linux-x86-64.so.2\0";
const STRINGS: &[u8] = b"\0libc.so.6\0$ORIGIN/../lib:/opt/lib\0dlopen\0libkv.so.1\0";
const NAMES: &[u8] = b"\0.shstrtab\0.symtab\0.debug_info\0.go.buildinfo\0";

/// Every kind in every class and byte order, with its name, and a script.
pub fn all() -> Vec<(String, Vec<u8>)> {
    let mut all = vec![("script".to_owned(), b"#!/usr/bin/env -S python3 -I\nprint()\n".to_vec())];
    for (wide, width) in [(true, "64"), (false, "32")] {
        for (big, order) in [(false, "le"), (true, "be")] {
            for (kind, name) in [
                (Kind::Program, "program"),
                (Kind::StaticPie, "static-pie"),
                (Kind::Library, "library"),
                (Kind::Object, "object"),
            ] {
                all.push((format!("{name}-{width}-{order}"), Writer { wide, big, bytes: Vec::new() }.file(kind)));
            }
        }
    }
    all
}

struct Writer {
    wide: bool,
    big: bool,
    bytes: Vec<u8>,
}

/// A part of the file.
#[derive(Clone, Copy)]
struct Part {
    offset: u64,
    size: u64,
}

impl Writer {
    fn put<const LENGTH: usize>(&mut self, little: [u8; LENGTH]) {
        let mut bytes = little;
        if self.big {
            bytes.reverse();
        }
        self.bytes.extend(bytes);
    }

    fn half(&mut self, value: u16) {
        self.put(value.to_le_bytes());
    }

    fn word(&mut self, value: u32) {
        self.put(value.to_le_bytes());
    }

    /// An address, an offset or a size.
    fn address(&mut self, value: u64) {
        match self.wide {
            true => self.put(value.to_le_bytes()),
            false => self.put((value as u32).to_le_bytes()),
        }
    }

    fn part(&mut self, bytes: &[u8]) -> Part {
        self.bytes.resize(self.bytes.len().next_multiple_of(16), 0);
        let offset = self.bytes.len() as u64;
        self.bytes.extend(bytes);
        Part { offset, size: bytes.len() as u64 }
    }

    /// Writes the contents first, after space for the headers, because the headers hold their
    /// offsets.
    fn file(mut self, kind: Kind) -> Vec<u8> {
        self.bytes.resize(0x1c0, 0);
        let interpreter = self.part(INTERPRETER);
        let strings = self.part(STRINGS);
        let dynamic = self.dynamic(kind, strings);
        let note = self.note();
        let go = self.part(&go());
        let names = self.part(NAMES);
        let mut segments = vec![
            (PT_LOAD, 6, Part { offset: 0, size: self.bytes.len() as u64 }),
            (PT_DYNAMIC, 6, dynamic),
            (PT_NOTE, 4, note),
            (PT_GNU_STACK, 6, Part { offset: 0, size: 0 }),
            (PT_GNU_RELRO, 4, dynamic),
        ];
        match kind {
            Kind::Program => segments.push((PT_INTERP, 4, interpreter)),
            Kind::Object => segments.clear(),
            Kind::StaticPie | Kind::Library => {}
        }
        let sections = self.sections(&[(1, 3, names), (11, 2, note), (19, 1, note), (31, 1, go)]);
        let contents = std::mem::take(&mut self.bytes);
        self.header(kind, segments.len() as u16, sections);
        segments.into_iter().for_each(|segment| self.segment(segment));
        self.bytes.extend(&contents[self.bytes.len()..]);
        self.bytes
    }

    fn header(&mut self, kind: Kind, segments: u16, sections: u64) {
        self.bytes.extend(b"\x7fELF");
        self.bytes.extend([if self.wide { 2 } else { 1 }, if self.big { 2 } else { 1 }, 1]);
        self.bytes.resize(16, 0);
        self.half(if kind == Kind::Object { 1 } else { 3 });
        self.half(match (self.wide, self.big) {
            (true, false) => 62,
            (false, false) => 3,
            (true, true) => 21,
            (false, true) => 20,
        });
        self.word(1);
        self.address(0);
        self.address(if self.wide { 64 } else { 52 });
        self.address(sections);
        self.word(0);
        let (header, segment, section) = if self.wide { (64, 56, 64) } else { (52, 32, 40) };
        [header, segment, segments, section, 5, 1].into_iter().for_each(|value| self.half(value));
    }

    fn segment(&mut self, (kind, flags, part): (u32, u32, Part)) {
        self.word(kind);
        if self.wide {
            self.word(flags);
        }
        // Addresses equal file offsets.
        [part.offset, part.offset, part.offset, part.size, part.size].into_iter().for_each(|value| self.address(value));
        if !self.wide {
            self.word(flags);
        }
        self.address(4);
    }

    fn dynamic(&mut self, kind: Kind, strings: Part) -> Part {
        let mut start = self.part(b"");
        let mut entries = vec![(1, 1), (5, strings.offset), (10, strings.size), (29, 11), (30, 8)];
        match kind {
            Kind::StaticPie => entries.push((0x6fff_fffb, 0x0800_0001)),
            Kind::Library => entries.extend([(14, 42), (15, 11), (0x6fff_fefc, 1)]),
            Kind::Program | Kind::Object => {}
        }
        for (tag, value) in entries.into_iter().chain([(0, 0)]) {
            self.address(tag);
            self.address(value);
        }
        start.size = self.bytes.len() as u64 - start.offset;
        start
    }

    /// A build id note.
    fn note(&mut self) -> Part {
        let mut start = self.part(b"");
        [4, 20, 3].into_iter().for_each(|value| self.word(value));
        self.bytes.extend(b"GNU\0");
        self.bytes.extend([0xb1; 20]);
        start.size = self.bytes.len() as u64 - start.offset;
        start
    }

    /// The section headers: a null one, and one for each name, kind and part.
    fn sections(&mut self, sections: &[(u32, u32, Part)]) -> u64 {
        let start = self.part(b"").offset;
        let none = (0, 0, Part { offset: 0, size: 0 });
        for &(name, kind, part) in [none].iter().chain(sections) {
            self.word(name);
            self.word(kind);
            [0, 0, part.offset, part.size].into_iter().for_each(|value| self.address(value));
            self.word(0);
            self.word(0);
            [1, 0].into_iter().for_each(|value| self.address(value));
        }
        start
    }
}

/// The build information that the Go toolchain adds to its programs.
fn go() -> Vec<u8> {
    let frame = [b'.'; 16];
    let modules = b"path\texample.org/kv\nmod\texample.org/kv\tv1.2.0\t\ndep\texample.org/log\tv0.1.0\th1:abc=\n\
                    =>\t../log\t(devel)\t\nbuild\t-trimpath=true\n";
    let modules = [&frame[..], modules, &frame].concat();
    let mut bytes = [&b"\xff Go buildinf:\x08\x02"[..], &[0; 16]].concat();
    for text in [&b"go1.24.1"[..], &modules] {
        let mut length = text.len();
        while length >= 0x80 {
            bytes.push(length as u8 | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.extend(text);
    }
    bytes
}
