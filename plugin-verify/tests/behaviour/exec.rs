//! `exec`: the verified program runs, with its environment and descriptors, and no other bytes run
//! while another process changes the file. The program is a shell that prints what it finds.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::{directory, plugin_verify, sha256, skipped, stderr, stdout};

/// How often the program is run while its file changes.
const RUNS: u32 = 100;

/// A directory with a shell in it that is named `plugin`.
struct Shell {
    directory: TempDir,
    plugin: PathBuf,
    sha256: String,
}

impl Shell {
    fn new() -> Self {
        let directory = directory();
        let plugin = directory.path().join("plugin");
        copy_program("/bin/sh", &plugin);
        let sha256 = sha256(&plugin);
        Self { directory, plugin, sha256 }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// `plugin-verify exec` with the right digest, itself and not under timeout(1), and a script
    /// for the shell.
    fn exec(&self, options: &[&str], script: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plugin-verify"));
        command
            .args(["exec", "--sha256", &self.sha256, "--name", "sh"])
            .args(options)
            .args(["plugin", "-c", script])
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap());
        command
    }

    /// Makes it ask for a loader that does not exist, so that it can be verified and not executed,
    /// and returns its digest.
    fn without_loader(&self) -> Option<String> {
        let mut bytes = fs::read(&self.plugin).unwrap();
        // The first in the file is the loader's path (PT_INTERP, elf(5)).
        let Some(loader) = bytes.windows(4).position(|window| window == b"/lib") else {
            skipped("the shell of this machine needs no loader that could be missing");
            return None;
        };
        bytes[loader..loader + 4].copy_from_slice(b"/non");
        fs::write(&self.plugin, bytes).unwrap();
        Some(sha256(&self.plugin))
    }
}

/// Copies what is executed under a name, which may be a link.
fn copy_program(program: &str, to: &Path) {
    fs::copy(fs::canonicalize(program).unwrap(), to).unwrap();
}

#[test]
fn program_replaces_the_process_and_its_status() {
    let shell = Shell::new();
    let arguments = ["--json", "--", "-h", "two words"];
    let child = shell
        .exec(&[], r#"echo "$$ $0 $#"; printf '%s\n' "$@"; pwd; exit 7"#)
        .arg("me")
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id();
    let output = child.wait_with_output().unwrap();
    let place = fs::canonicalize(shell.path()).unwrap();
    let expected = format!("{pid} me 4\n{}\n{}\n", arguments.join("\n"), place.to_str().unwrap());
    assert_eq!((stdout(&output), stderr(&output), output.status.code()), (expected.as_str(), "", Some(7)));
}

#[test]
fn fatal_signal_ends_the_process() {
    let status = Shell::new().exec(&[], "kill -KILL $$").status().unwrap();
    assert_eq!(status.signal(), Some(9));
}

#[test]
fn job_control_finds_the_same_session_and_group() {
    let shell = Shell::new();
    let child = shell
        .exec(&[], "read -r line </proc/$$/stat; echo ${line##*)}")
        .process_group(0)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id().to_string();
    let output = child.wait_with_output().unwrap();
    let own = fs::read_to_string("/proc/self/stat").unwrap();
    // After the name: state, parent, group, session (proc_pid_stat(5)).
    let fields = |line: &str| line.split_whitespace().map(String::from).collect::<Vec<_>>();
    let (found, own) = (fields(stdout(&output)), fields(own.rsplit(')').next().unwrap()));
    assert_eq!(found[2..4], [pid, own[3].clone()], "{output:?}");
}

#[test]
fn program_inherits_no_other_descriptor() {
    let shell = Shell::new();
    let looks = r#"grep -E '^(SigBlk|SigIgn|NoNewPrivs):' /proc/self/status; ls /proc/self/fd"#;
    let inner = shell.exec(&[], looks);
    // What starts it ignores signals, as nohup(1) does, and leaves a descriptor open.
    let output = Command::new("sh")
        .args(["-c", r#"trap "" HUP TERM USR1 PIPE; exec 7</dev/null; exec "$0" "$@""#])
        .arg(inner.get_program())
        .args(inner.get_args())
        .current_dir(shell.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let lines: Vec<_> = stdout(&output).lines().map(|line| line.replace('\t', " ")).collect();
    assert_eq!(lines[..3], ["SigBlk: 0000000000000000", "SigIgn: 0000000000000000", "NoNewPrivs: 1"], "{output:?}");
    assert!(lines[3..].contains(&"2".into()) && !lines[3..].contains(&"7".into()), "{output:?}");
}

#[test]
fn environment_passes_without_loader_variables() {
    let output = Shell::new()
        .exec(&[], r#"echo "$COOKIE $PLUGIN_CLIENT_CERT ${LD_LIBRARY_PATH-none} ${BASH_ENV-none}""#)
        .envs([("COOKIE", "hello"), ("PLUGIN_CLIENT_CERT", "pem"), ("LD_LIBRARY_PATH", "/x"), ("BASH_ENV", "/x")])
        .output()
        .unwrap();
    assert_eq!(stdout(&output), "hello pem none none\n", "{output:?}");
    let (text, names) = stderr(&output).trim_end().rsplit_once(": ").unwrap();
    assert_eq!(text, "plugin-verify: removed variables that can make a program load other code");
    let mut names: Vec<_> = names.split(", ").collect();
    names.sort_unstable();
    assert_eq!(names, ["BASH_ENV", "LD_LIBRARY_PATH"]);
}

#[test]
fn private_copy_is_unlinked_when_it_runs() {
    let shell = Shell::new();
    fs::create_dir(shell.path().join("copies")).unwrap();
    let output = shell.exec(&["--private-copy", "copies"], "echo copies/*").output().unwrap();
    assert_eq!((stdout(&output), stderr(&output), output.status.code()), ("copies/*\n", "", Some(0)));
}

#[test]
fn refused_file_does_not_run_or_print() {
    let shell = Shell::new();
    copy_program("/bin/echo", &shell.plugin);
    let output = shell.exec(&[], "").output().unwrap();
    assert_eq!((stdout(&output), output.status.code()), ("", Some(1)));
    assert!(stderr(&output).starts_with("plugin-verify: plugin is refused: SHA-256 mismatch\n"));
}

#[test]
fn failure_with_json_is_one_document() {
    let shell = Shell::new();
    let document = |digest: &str, exit: i32| -> Value {
        let output =
            plugin_verify(shell.path(), "exec").args(["--json", "--sha256", digest, "plugin"]).output().unwrap();
        assert_eq!(output.status.code(), Some(exit), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let refused = document(&"0".repeat(64), 1);
    assert_eq!([&refused["verb"], &refused["outcome"], &refused["file"]], ["exec", "refused", "plugin"]);
    assert!(refused["reason"].as_str().unwrap().starts_with("SHA-256 mismatch"), "{refused}");
    let Some(sha256) = shell.without_loader() else { return };
    let failed = document(&sha256, 2);
    let reason = "executing the program failed: No such file or directory (os error 2)";
    assert_eq!([&failed["verb"], &failed["outcome"], &failed["error"]], ["exec", "failed", reason]);
}

#[test]
fn failed_execution_fails_even_with_closed_output() {
    let shell = Shell::new();
    let Some(sha256) = shell.without_loader() else { return };
    let (reader, closed) = std::io::pipe().unwrap();
    drop(reader);
    // Had SIGPIPE stayed at its default action, the complaint would end the process.
    let mut command = plugin_verify(shell.path(), "exec");
    let status = command.args(["--sha256", &sha256, "plugin"]).stderr(closed).status().unwrap();
    assert_eq!(status.code(), Some(2));
}

/// Runs the shell while `disturb` changes its file over and over. Each time it is the shell that
/// runs, or nothing.
fn race(shell: &Shell, disturb: impl Fn() + Sync) {
    let over = AtomicBool::new(false);
    let outputs: Vec<Output> = thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                disturb();
            }
        });
        let outputs = (0..RUNS).map(|_| shell.exec(&[], "echo right").output()).collect::<Result<_, _>>();
        over.store(true, Ordering::Relaxed);
        outputs.unwrap()
    });
    let (mut ran, mut refused) = (0, 0);
    for output in &outputs {
        match (output.status.code(), stdout(output)) {
            (Some(0), "right\n") => ran += 1,
            (Some(1), "") => refused += 1,
            _ => unreachable!("something else ran: {output:?}"),
        }
    }
    assert!(ran > 0 && refused > 0, "{ran} ran, {refused} were refused: this was no race");
}

#[test]
fn file_replaced_by_name_never_runs_wrong() {
    let shell = Shell::new();
    let [right, wrong] = ["right", "wrong"].map(|name| shell.path().join(name));
    fs::rename(&shell.plugin, &right).unwrap();
    copy_program("/bin/echo", &wrong);
    fs::hard_link(&right, &shell.plugin).unwrap();
    race(&shell, || {
        for program in [&wrong, &right] {
            let next = shell.path().join("next");
            fs::hard_link(program, &next).unwrap();
            fs::rename(&next, &shell.plugin).unwrap();
            thread::sleep(Duration::from_micros(300));
        }
    });
}

#[test]
fn file_written_in_place_never_runs_wrong() {
    let shell = Shell::new();
    let right = fs::read(&shell.plugin).unwrap();
    let wrong = fs::read(fs::canonicalize("/bin/echo").unwrap()).unwrap();
    let writer = OpenOptions::new().write(true).open(&shell.plugin).unwrap();
    race(&shell, || {
        for bytes in [&wrong, &right] {
            writer.write_all_at(bytes, 0).unwrap();
            writer.set_len(bytes.len() as u64).unwrap();
            thread::sleep(Duration::from_millis(10));
        }
    });
}
