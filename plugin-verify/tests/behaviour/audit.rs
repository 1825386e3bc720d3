//! `audit` on real logs: what is intact, what is not, and what third parties can be shown.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use portcullis::audit::{Log, LogKey};
use portcullis::event::Event;
use serde_json::Value;
use tempfile::TempDir;

use super::{directory, plugin_verify, stderr, stdout};

/// A log of a host that did a few things, in two files or more.
struct Kept {
    directory: TempDir,
    key: String,
}

impl Kept {
    fn new() -> Self {
        let directory = directory();
        let output = run(&directory, "keygen --origin example/log log.key");
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let kept = Self { key: stdout(&output).trim_end().to_owned(), directory };
        let key = LogKey::read(kept.file("log.key")).unwrap();
        let log =
            Log::builder(kept.file("log"), key).rotate_at(8192).checkpoint_file(kept.file("latest")).open().unwrap();
        for number in 0..40 {
            log.append(Event::application("step", [("number", number.to_string())])).unwrap();
            if number == 9 {
                log.checkpoint().unwrap();
                fs::copy(kept.file("latest"), kept.file("early")).unwrap();
            }
        }
        kept
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn run(&self, line: &str) -> Output {
        run(&self.directory, &line.replace("KEY", &self.key))
    }

    fn json(&self, line: &str) -> Value {
        serde_json::from_slice(&self.run(&format!("{line} --json")).stdout).unwrap()
    }

    /// The text of the first file of the log, changed.
    fn change(&self, change: impl Fn(String) -> String) {
        let file = self.file("log.00000000000000000000");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, change(text)).unwrap();
    }
}

fn run(directory: &TempDir, line: &str) -> Output {
    plugin_verify(directory.path(), "audit").args(line.split(' ')).output().unwrap()
}

#[test]
fn unchanged_log_is_intact() {
    let kept = Kept::new();
    let output = kept.run("verify log --key KEY --checkpoint early --checkpoint latest");
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    let text = stdout(&output);
    assert!(text.starts_with("log: INTACT\n") && text.contains("the trusted key"), "{text}");
    assert_eq!(text.matches("agrees").count(), 2);
    let own = kept.run("verify log");
    assert!(own.status.success() && stdout(&own).contains("the key that the log names itself"));
    let verified = &kept.json("verify log --key KEY --checkpoint early")["verification"];
    assert_eq!((&verified["intact"], &verified["key_is_trusted"]), (&true.into(), &true.into()));
    assert_eq!(verified["checkpoints"][0]["agrees"], true);
}

#[test]
fn changed_record_is_named() {
    let kept = Kept::new();
    kept.change(|text| text.replacen(r#""number":"3""#, r#""number":"4""#, 1));
    let output = kept.run("verify log --key KEY");
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    assert!(text.starts_with("log: NOT INTACT\n"), "{text}");
    assert!(text.contains("DAMAGED    at record 4: log.00000000000000000000:5, byte "), "{text}");
    let document = kept.json("verify log --key KEY");
    assert_eq!((&document["outcome"], &document["verification"]["damaged"]["index"]), (&"refused".into(), &4.into()));
    let shown = kept.run("show log --seq 3..5");
    assert_eq!((shown.status.code(), stdout(&shown).lines().count()), (Some(1), 2), "a damaged line is not shown");
    assert!(stderr(&shown).contains("the log is not intact: damaged at record 4"), "{}", stderr(&shown));
}

#[test]
fn log_of_another_key_is_refused() {
    let (kept, other) = (Kept::new(), Kept::new());
    let output = kept.run(&format!("verify log --key {}", other.key));
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("names another key"), "{}", stdout(&output));
    fs::copy(other.file("latest"), kept.file("theirs")).unwrap();
    let output = kept.run("verify log --key KEY --checkpoint theirs");
    assert!(output.status.code() == Some(1) && stdout(&output).contains("DISAGREES  theirs"), "{}", stdout(&output));
}

#[test]
fn checkpoint_reveals_truncated_log() {
    let kept = Kept::new();
    let text = fs::read_to_string(kept.file("log")).unwrap();
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    fs::write(kept.file("log"), lines[..lines.len() - 3].concat()).unwrap();
    assert_eq!(kept.run("verify log --key KEY --allow-uncovered").status.code(), Some(0));
    let output = kept.run("verify log --key KEY --allow-uncovered --checkpoint latest");
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("the log was truncated"), "{}", stdout(&output));
    fs::write(kept.file("log"), &text[..text.len() - 5]).unwrap();
    let output = kept.run("verify log --key KEY");
    assert!(output.status.code() == Some(1) && stdout(&output).contains("UNFINISHED"), "{}", stdout(&output));
}

#[test]
fn uncovered_records_are_refused() {
    let kept = Kept::new();
    let text = fs::read_to_string(kept.file("log")).unwrap();
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    fs::write(kept.file("log"), lines[..lines.len() - 1].concat()).unwrap();
    let output = kept.run("verify log --key KEY");
    assert_eq!(output.status.code(), Some(1));
    let shown = stdout(&output);
    assert!(shown.starts_with("log: NOT COVERED TO ITS END\n"), "{shown}");
    let uncovered = kept.json("verify log --key KEY")["verification"]["uncovered"].as_u64().unwrap();
    assert!(uncovered > 0 && shown.contains(&format!("  UNCOVERED  the last {uncovered} records")), "{shown}");
    let output = kept.run("verify log --key KEY --allow-uncovered");
    assert!(output.status.success() && stdout(&output).starts_with("log: INTACT\n"), "{}", stdout(&output));
    // A whole log, forged with the public key alone.
    let forged = directory();
    let opened = fs::read_to_string(kept.file("log.00000000000000000000")).unwrap();
    fs::write(forged.path().join("log"), opened.split_inclusive('\n').next().unwrap()).unwrap();
    let output = run(&forged, &format!("verify log --key {}", kept.key));
    assert!(output.status.code() == Some(1) && stdout(&output).contains("UNCOVERED  the last 1 "), "{output:?}");
}

#[test]
fn non_log_is_refused_and_unreadable_log_fails() {
    let kept = Kept::new();
    fs::write(kept.file("empty"), "").unwrap();
    fs::write(kept.file("junk"), "junk\n").unwrap();
    std::os::unix::fs::symlink("log", kept.file("link")).unwrap();
    for (line, code) in [
        ("verify empty", 1),
        ("verify junk", 1),
        ("verify missing", 2),
        ("verify .", 2),
        ("verify link", 2),
        ("verify log --checkpoint missing", 2),
        ("verify log --key junk", 2),
        ("show missing", 2),
        ("prove missing --seq 1", 2),
        ("prove log", 2),
        ("key junk", 2),
        ("hash --key junk value", 2),
        ("keygen --origin x log.key", 2),
        ("check-proof missing --key KEY", 2),
        ("check-proof junk --key KEY", 1),
    ] {
        assert_eq!(kept.run(line).status.code(), Some(code), "{line}");
    }
}

#[test]
fn filters_select_records() {
    let kept = Kept::new();
    let lines = |line: &str| {
        let output = kept.run(line);
        assert_eq!(output.status.code(), Some(0), "{line}: {}", stderr(&output));
        stdout(&output).lines().map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    let all = lines("show log");
    let document = kept.json("show log");
    assert_eq!(document["records"].as_array().unwrap().len(), all.len());
    assert_eq!(document["records"][3]["event"]["facts"]["number"], "2");
    assert_eq!(lines("show log --type application").len(), 40);
    assert_eq!(lines("show log --type checkpoint --type opened --seq 0..11").len(), 2);
    assert_eq!(lines("show log --last 1"), all[all.len() - 1..]);
    assert_eq!(lines("show log --seq 7"), all[7..8]);
    assert!(all[7].contains("application") && all[7].ends_with("step number=6"), "{}", all[7]);
    assert_eq!(lines("show log --since 2000 --until 9999").len(), all.len());
    assert!(lines("show log --until 2000").is_empty() && lines("show log --method Get").is_empty());
    assert!(lines("show log --outcome OK").is_empty() && lines("show log --launch 0").is_empty());
    for wrong in ["--seq x", "--since yesterday", "--launch K", "--seq 1..x"] {
        assert_eq!(kept.run(&format!("show log {wrong}")).status.code(), Some(2), "{wrong}");
    }
}

#[test]
fn proof_verifies_without_the_log() {
    let kept = Kept::new();
    let third = directory();
    let check = |proof: &[u8], extra: &str| {
        fs::write(third.path().join("proof"), proof).unwrap();
        run(&third, &format!("check-proof proof --key {}{extra}", kept.key))
    };
    let inclusion = kept.run("prove log --seq 5 --key KEY").stdout;
    assert!(inclusion.starts_with(b"c2sp.org/tlog-proof@v1\n"));
    let output = check(&inclusion, "");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).starts_with("PROVEN: this is record 5 of the log example/log"), "{}", stdout(&output));
    assert!(stdout(&output).ends_with("step number=4\n"));
    let consistency = kept.run("prove log --from early --to latest").stdout;
    let output = check(&consistency, "");
    assert!(output.status.success() && stdout(&output).contains("starts with the 11 records"), "{}", stdout(&output));
    let text = String::from_utf8(inclusion.clone()).unwrap();
    let output = check(text.replace("index 5", "index 6").as_bytes(), "");
    assert!(output.status.code() == Some(1) && stderr(&output).contains("invalid proof"), "{}", stderr(&output));
    assert_eq!(check(&inclusion, " --origin example/other").status.code(), Some(1));
    let document = check(&inclusion, " --json");
    let document: Value = serde_json::from_slice(&document.stdout).unwrap();
    assert_eq!(document["proven"]["record"]["seq"], 5);
    assert_eq!(kept.run("prove log --seq 5 --to early").status.code(), Some(0));
    assert_eq!(kept.run("prove log --seq 20 --to early").status.code(), Some(1));
    assert_eq!(kept.run("prove log --seq 5000").status.code(), Some(1));
    kept.change(|text| text.replacen(r#""number":"3""#, r#""number":"4""#, 1));
    let output = kept.run("prove log --seq 5");
    assert!(output.status.code() == Some(1) && stderr(&output).contains("damaged at record 4"), "{}", stderr(&output));
}

#[test]
fn value_is_found_with_the_secrets() {
    let kept = Kept::new();
    let key = LogKey::read(kept.file("log.key")).unwrap();
    let output = kept.run("hash --key log.key value");
    assert_eq!(stdout(&output).trim_end(), key.keyed_hash(b"value").to_string());
    let mut child = plugin_verify(kept.directory.path(), "audit");
    child.args(["hash", "--key", "log.key", "-", "--json"]).stdin(fs::File::open(kept.file("latest")).unwrap());
    let document: Value = serde_json::from_slice(&child.output().unwrap().stdout).unwrap();
    assert_eq!(document["hash"], key.keyed_hash(&fs::read(kept.file("latest")).unwrap()).to_string());
    assert_eq!(stdout(&kept.run("key log.key")).trim_end(), kept.key);
    assert_eq!(kept.json("key log.key")["origin"], "example/log");
}

/// The hash of a record can be computed with nothing but what every system has.
#[test]
fn sha256sum_computes_the_hash_of_a_record() {
    let kept = Kept::new();
    let script = r#"line=$(head -n 3 log.00000000000000000000 | tail -n 1)
        body=${line%,\"hash\":*}; hash=${line##*\"hash\":\"}
        test "$(printf %s "$body" | sha256sum | cut -d ' ' -f 1)" = "${hash%\"\}}""#;
    let status = Command::new("bash").args(["-c", script]).current_dir(kept.directory.path()).status().unwrap();
    assert!(status.success());
}
