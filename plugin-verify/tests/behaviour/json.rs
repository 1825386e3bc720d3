//! `--json` of every verb that fails: one document that a program can read, for every kind of
//! failure.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::{Fixture, plugin_verify, stderr};

const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Every verb that takes `--json`, with arguments under which it fails, and how: command lines are
/// split at blanks.
const FAILURES: &[(&str, i32)] = &[
    ("digest missing", 2),
    ("digest .", 2),
    ("check --sha256 ZEROS plugin", 1),
    ("check --sha256 ZEROS missing", 2),
    ("check --sha256 ZEROS .", 1),
    ("check --sums missing plugin", 2),
    ("check --sums junk plugin", 1),
    ("check --sums . plugin", 1),
    ("check --lock missing plugin", 2),
    ("check --lock junk plugin", 1),
    ("check --lock empty plugin", 1),
    ("check --policy missing plugin", 2),
    ("check --policy junk plugin", 1),
    ("check --key junk plugin", 1),
    ("check --key missing plugin", 2),
    ("check --key r.pub plugin", 1),
    ("check --key r.pub --manifest junk plugin", 2),
    ("check --key r.pub forged", 1),
    ("check --key r.pub unsigned", 1),
    ("exec --sha256 ZEROS plugin", 1),
    ("exec --sha256 ZEROS missing", 2),
    ("exec --lock junk plugin", 1),
    ("sign --key missing plugin", 2),
    ("sign --key junk plugin", 2),
    ("sign --key r.key missing", 2),
    ("sign --key r.key .", 2),
    ("keygen --out r --dangerous-unencrypted", 2),
    ("keygen --out missing/r --dangerous-unencrypted", 2),
    ("inspect missing", 2),
    ("inspect .", 2),
    ("doctor --directory missing", 2),
    ("lock add missing", 2),
    ("lock add junk", 1),
    ("lock add .", 2),
    ("lock add --lock junk plugin", 1),
    ("lock add --lock . plugin", 1),
    ("lock add --lock missing/plugins.lock plugin", 2),
    ("lock add --sums junk plugin", 1),
    ("lock add --key r.pub plugin", 2),
    ("lock add --key r.pub forged", 1),
    ("lock add --key junk plugin", 1),
    ("lock update plugin", 2),
    ("lock update --lock junk plugin", 1),
    ("lock remove plugin", 2),
    ("lock remove --lock junk plugin", 1),
    ("audit verify missing", 2),
    ("audit verify junk", 1),
    ("audit show missing", 2),
    ("audit report missing", 2),
    ("audit report junk", 1),
    ("audit report -o junk junk", 2),
    ("audit show junk", 1),
    ("audit prove missing --seq 1", 2),
    ("audit prove junk --seq 1", 1),
    ("audit keygen --origin x junk", 2),
    ("audit key junk", 2),
    ("audit hash --key missing x", 2),
    ("lock verify plugin", 2),
    ("lock verify --lock junk plugin", 1),
    ("lock verify --directory missing", 2),
    ("manifest create --version 1.0.0 missing", 2),
    ("manifest create --version 1.0.0 --name kv .", 2),
    ("manifest create --version 1.0.0 --output missing/m plugin", 2),
    ("manifest create --version 1.0.0 forged", 2),
    ("manifest verify --unsigned plugin", 2),
    ("manifest verify --unsigned --manifest junk plugin", 1),
    ("manifest verify --unsigned unsigned", 1),
    ("manifest verify --unsigned missing", 2),
    ("manifest verify --key junk plugin", 1),
    ("manifest verify --key r.pub forged", 1),
    ("man --out missing", 2),
];

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    let write = |name: &str, text: &str| fs::write(fixture.path().join(name), text).unwrap();
    write("junk", "\u{1b}[2J this is = [ nothing\n");
    write("empty", "");
    let run = |verb: &str, arguments: &[&str]| {
        let output = plugin_verify(fixture.path(), verb).args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    run("keygen", &["--out", "r", "--dangerous-unencrypted"]);
    for name in ["forged", "unsigned"] {
        fs::copy(&fixture.plugin, fixture.path().join(name)).unwrap();
        run("manifest", &["create", "--version", "1.0.0", name]);
    }
    run("sign", &["--key", "r.key", "forged.manifest.toml"]);
    let manifest = fixture.path().join("forged.manifest.toml");
    fs::write(&manifest, fs::read_to_string(&manifest).unwrap().replace("1.0.0", "2.0.0")).unwrap();
    fs::write(fixture.path().join("unsigned"), "other bytes").unwrap();
    fixture
}

fn command(place: &TempDir, line: &str) -> Command {
    let mut words = line.split(' ').map(|word| if word == "ZEROS" { ZEROS } else { word });
    let mut command = plugin_verify(place.path(), words.next().unwrap());
    let words: Vec<_> = words.collect();
    let subverbs = ["add", "update", "remove", "verify", "create", "show", "report", "prove", "keygen", "key", "hash"];
    let at = usize::from(words.first().is_some_and(|word| subverbs.contains(word)));
    command.args(&words[..at]).arg("--json").args(&words[at..]).stdin(Stdio::null());
    command
}

#[test]
fn every_failure_document_has_verb_and_outcome() {
    let fixture = fixture();
    let is_built = |line: &str| cfg!(feature = "report") || !line.starts_with("audit report");
    for (line, exit) in FAILURES.iter().filter(|(line, _)| is_built(line)) {
        let output = command(&fixture.directory, line).output().unwrap();
        assert_eq!(output.status.code(), Some(*exit), "{line}: {output:?}");
        // Anything before or after the one document is an error of the parser.
        let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(document["schema"], 2, "{line}: {document}");
        let verb = document["verb"].as_str().unwrap_or_default();
        assert!(!verb.is_empty() && line.starts_with(verb), "{line}: {document}");
        assert_eq!(document["outcome"], if *exit == 1 { "refused" } else { "failed" }, "{line}: {document}");
        assert_eq!(stderr(&output), "", "{line}");
        assert!(!output.stdout.contains(&0x1b), "{line}: {document}");
    }
}

#[test]
fn every_verb_is_among_them() {
    let help = Command::new(env!("CARGO_BIN_EXE_plugin-verify")).arg("--help").output().unwrap();
    let (_, list) = super::stdout(&help).split_once("Commands:\n").unwrap();
    for verb in list.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next()) {
        // The tests of `probe` are its own; `completions` reads nothing that could fail.
        let tested = ["probe", "completions", "help"].contains(&verb);
        assert!(tested || FAILURES.iter().any(|(line, _)| line.starts_with(verb)), "{verb}");
    }
}

#[test]
fn lost_document_fails_and_broken_pipe_does_not() {
    let fixture = Fixture::new();
    for (line, exit) in
        [("digest plugin", 0), ("lock add plugin", 0), ("lock verify plugin", 0), ("completions bash", 0), ("man", 0)]
    {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let unread = command(&fixture.directory, line).stdout(writer).stderr(Stdio::null()).status().unwrap();
        assert_eq!(unread.code(), Some(exit), "{line}");
        let lost = command(&fixture.directory, line).stdout(full).stderr(Stdio::null()).status().unwrap();
        assert_eq!(lost.code(), Some(2), "{line}");
    }
}
