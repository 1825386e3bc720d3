//! Lists of digests: accepted lines, rejected lines, and the match of names and paths.

use std::os::unix::ffi::OsStrExt;

use super::*;

const ONE: &str = "306c6ca7407560340797866e077e053627ad409277d1b9da58106fce4cf717cb";
const TWO: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn parse(text: impl Into<Vec<u8>>) -> Result<Checksums, SourceError> {
    Checksums::from_bytes("SUMS", text)
}

fn fault(text: impl Into<Vec<u8>>) -> String {
    parse(text).unwrap_err().to_string()
}

fn path(name: &[u8]) -> &Path {
    Path::new(std::ffi::OsStr::from_bytes(name))
}

#[test]
fn every_line_format_is_read() {
    for (line, name) in [
        (format!("{ONE}  kv"), &b"kv"[..]),
        (format!("{ONE} *kv"), b"kv"),
        (format!("{}  kv", ONE.to_uppercase()), b"kv"),
        (format!("{ONE}   kv "), b" kv "),
        (format!("{ONE} **kv"), b"*kv"),
        (format!("{ONE}  #kv"), b"#kv"),
        (format!("{ONE}  \\n"), b"\\n"),
        (format!("\\{ONE}  a\\nb\\\\c\\rd"), b"a\nb\\c\rd"),
        (format!("\\{ONE} *a\\nb"), b"a\nb"),
        (format!("SHA256 (kv) = {ONE}"), b"kv"),
        (format!("SHA256 (k) = {TWO} (v) = {ONE}"), format!("k) = {TWO} (v").as_bytes()),
        (format!("\\SHA256 (a\\nb) = {ONE}"), b"a\nb"),
        (format!("{ONE}  SHA256 (kv) = {TWO}"), format!("SHA256 (kv) = {TWO}").as_bytes()),
    ] {
        for around in [format!("{line}\n"), line.clone(), format!("\u{feff}# comment\r\n\r\n \n{line}\r\n")] {
            let list = parse(around).unwrap();
            assert_eq!(list.digest_for(path(name)).unwrap().to_string(), ONE, "{line:?}");
            assert_eq!(list.entries.len(), 1, "{line:?}");
        }
    }
    let raw = [ONE.as_bytes(), b"  k\xffv"].concat();
    assert_eq!(parse(raw).unwrap().digest_for(path(b"k\xffv")).unwrap().to_string(), ONE);
}

#[test]
fn malformed_line_is_refused_with_number_and_reason() {
    let malformed = "unknown line format";
    for (line, expected) in [
        (ONE.to_owned(), "the digest names no file"),
        (format!("{ONE}  "), "the line names no file"),
        (format!("{ONE}  ./"), "the line names no file"),
        (format!("SHA256 () = {ONE}"), "the line names no file"),
        (format!("{ONE} Ukv"), "mode 'U' of shasum does not hash"),
        (format!("{ONE} ^kv"), "mode '^' of shasum does not hash"),
        (format!("{ONE} kv"), malformed),
        (format!("{ONE}\tkv"), malformed),
        (format!(" {ONE}  kv"), malformed),
        (format!("{}g  kv", &ONE[1..]), malformed),
        (format!("{}  kv", &ONE[1..]), "expected a SHA-256 of 64 digits, found 63"),
        (format!("{ONE}{ONE}  kv"), "expected a SHA-256 of 64 digits, found 128"),
        ("d41d8cd98f00b204e9800998ecf8427e  kv".into(), "expected a SHA-256 of 64 digits, found 32"),
        (format!("{ONE}  k\0v"), "the name contains a NUL"),
        (format!("\\{ONE}  k\\tv"), "the name contains an escape other than"),
        (format!("\\{ONE}  kv\\"), "the name contains an escape other than"),
        ("MD5 (kv) = d41d8cd98f00b204e9800998ecf8427e".into(), "expected the algorithm SHA256, found MD5"),
        (format!("SHA3-256 (kv) = {ONE}"), "expected the algorithm SHA256, found SHA3-256"),
        (format!("sha256 (kv) = {ONE}"), "expected the algorithm SHA256, found sha256"),
        (format!("SHA256 (kv) = {}", &ONE[1..]), malformed),
        (format!("SHA256 (kv) = {ONE} "), malformed),
        (format!("SHA256(kv)= {ONE}"), malformed),
        (format!("SHA256 (kv {ONE}"), malformed),
        ("-----BEGIN PGP SIGNED MESSAGE-----".into(), malformed),
        (format!(" (kv) = {ONE}"), malformed),
        ("x".repeat(CHECKSUM_LINE_BYTES + 1), "the line is longer than 16384 bytes"),
        (format!("#{}", "x".repeat(CHECKSUM_LINE_BYTES)), "the line is longer than 16384 bytes"),
    ] {
        let error = fault(format!("{TWO}  fine\n{line}\n"));
        assert!(error.starts_with(&format!("SUMS:2: {expected}")), "{line:?}: {error}");
    }
}

#[test]
fn longest_line_is_read() {
    assert!(parse(format!("#{}\n{ONE}  kv\n", "x".repeat(CHECKSUM_LINE_BYTES - 1))).is_ok());
}

#[test]
fn empty_list_is_rejected() {
    for text in ["", "\n", "\u{feff}", "# only a comment\n\n"] {
        assert_eq!(fault(text), "SUMS: it contains no entry");
    }
}

#[test]
fn two_lines_for_one_name_must_agree() {
    for same in ["kv", "./kv", "././kv", "kv/"] {
        assert!(parse(format!("{ONE}  kv\n{ONE}  {same}\n")).is_ok());
        assert_eq!(fault(format!("{ONE}  kv\n\n{TWO} *{same}\n")), "SUMS:3: kv has another digest here than on line 1");
    }
    let conflict = fault(format!("\\{ONE}  a\\nb\nSHA256 (kv) = {ONE}\n\\SHA256 (a\\nb) = {TWO}\n"));
    assert_eq!(conflict, r"SUMS:3: a\nb has another digest here than on line 1");
}

#[test]
fn entry_matches_paths_that_end_in_it() {
    for (name, file, found) in [
        ("kv", "kv", true),
        ("./kv", "kv", true),
        ("kv", "./kv", true),
        ("kv", "/opt/bin/kv", true),
        ("bin/kv", "/opt/bin/kv", true),
        ("./bin//kv", "/opt/bin/kv", true),
        ("/opt/bin/kv", "/opt//bin/./kv", true),
        ("../bin/kv", "../bin/kv", true),
        ("kv", "../kv", true),
        ("bin/kv", "../x/../bin/kv", true),
        ("kv", "xkv", false),
        ("kv", "kv/x", false),
        ("bin/kv", "kv", false),
        ("bin/kv", "xbin/kv", false),
        ("/bin/kv", "/opt/bin/kv", false),
        ("../kv", "kv", false),
        ("../kv", "bin/../kv", false),
        ("bin/../kv", "kv", false),
        ("kv", "kv/..", false),
        ("KV", "kv", false),
    ] {
        let list = parse(format!("{ONE}  {name}\n")).unwrap();
        match list.digest_for(file) {
            Ok(digest) => assert!(found && digest.to_string() == ONE, "{name} is not about {file}"),
            Err(error) => {
                assert!(!found, "{name} is about {file}: {error}");
                assert_eq!(error.to_string(), format!("SUMS: no entry for {file}"));
            }
        }
    }
}

#[test]
fn differing_matches_are_ambiguous() {
    let list = parse(format!("{ONE}  linux/kv\n{TWO}  darwin/kv\n{TWO}  kv\n")).unwrap();
    let error = list.digest_for("/opt/linux/kv").unwrap_err().to_string();
    assert_eq!(error, "SUMS: lines 1, 3 have different digests for /opt/linux/kv");
    assert_eq!(list.digest_for("darwin/kv").unwrap().to_string(), TWO);
    assert_eq!(list.digest_for("kv").unwrap().to_string(), TWO);
}

#[test]
fn hostile_name_is_shown_escaped() {
    let list = parse(format!("{ONE}  kv\n")).unwrap();
    let error = list.digest_for("\u{1b}[2J\nkv: OK").unwrap_err().to_string();
    assert_eq!(error, r"SUMS: no entry for \u{1b}[2J\nkv: OK");
    assert_eq!(
        fault(format!("{ONE}  \u{1b}\n{TWO}  \u{1b}\n")),
        r"SUMS:2: \u{1b} has another digest here than on line 1"
    );
}

#[test]
fn every_line_of_a_long_list_is_found() {
    const LINES: usize = 100_000;
    let mut text = String::new();
    (0..LINES).for_each(|n| text.push_str(&format!("{ONE}  d/{n}\n")));
    let list = parse(text).unwrap();
    assert_eq!(list.entries.len(), LINES);
    assert!((0..LINES).all(|n| list.digest_for(format!("x/d/{n}")).is_ok()));
    assert!(list.digest_for(format!("x/d/{LINES}")).is_err());
    // A path of many components costs no more than its length allows.
    assert!(list.digest_for("a/".repeat(1 << 20)).is_err());
}

#[test]
fn written_name_parses_back() {
    let digest: Digest = ONE.parse().unwrap();
    for name in
        [&b"kv"[..], b"  kv ", b"*kv", b"#kv", b"\\", b"a\\nb", b"\r", b"kv\r", b"\n", b"\xff\n", b"SHA256 (kv) = "]
    {
        let list = parse(Checksums::line(&digest, name)).unwrap();
        assert_eq!(list.digest_for(path(name)).unwrap(), digest, "{:?}", Escaped::new(name));
    }
}

#[test]
fn only_names_with_line_breaks_are_escaped() {
    let digest = Digest::of(b"");
    for (name, mark, written) in [
        (&b"plugin"[..], "", &b"plugin"[..]),
        (b"two  spaces ", "", b"two  spaces "),
        (b"\x1b[31m\xff", "", b"\x1b[31m\xff"),
        (b"a\nb", "\\", b"a\\nb"),
        (b"a\rb", "\\", b"a\\rb"),
        (b"a\\nb", "\\", b"a\\\\nb"),
        (b"\xff\n", "\\", b"\xff\\n"),
    ] {
        let expected = [format!("{mark}{digest}  ").as_bytes(), written, b"\n"].concat();
        assert_eq!(Checksums::line(&digest, name), expected, "{:?}", Escaped::new(name));
    }
}
