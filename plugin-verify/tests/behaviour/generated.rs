//! `completions` and `man`: what is made from the command line works where it is used, and leaves
//! no verb out.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Output};

use super::{directory, plugin_verify, skipped, stdout};

fn succeeded(output: Output) -> Output {
    assert!(output.status.success(), "{output:?}");
    output
}

/// The verbs as the help names them.
fn verbs(path: &[&str]) -> Vec<String> {
    let help = Command::new(env!("CARGO_BIN_EXE_plugin-verify")).args(path).arg("--help").output().unwrap();
    let help = stdout(&help).to_owned();
    let Some((_, list)) = help.split_once("Commands:\n") else { return Vec::new() };
    let names = list.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

fn script(shell: &str) -> String {
    let output = succeeded(plugin_verify(directory().path(), "completions").arg(shell).output().unwrap());
    stdout(&output).to_owned()
}

#[test]
fn bash_completes_verbs_below_verbs_and_options() {
    let place = directory();
    fs::write(place.path().join("script"), script("bash")).unwrap();
    // As readline calls it (bash(1), Programmable Completion).
    let complete = |words: &[&str]| {
        let program = r#"source ./script; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
            function=$(complete -p plugin-verify | sed 's/.*-F \([^ ]*\) .*/\1/')
            "$function" plugin-verify "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"; echo "${COMPREPLY[*]}""#;
        let mut bash = Command::new("timeout");
        bash.args(["60", "bash", "--norc", "-c", program, "bash", "plugin-verify"]).args(words);
        stdout(&succeeded(bash.current_dir(place.path()).output().unwrap())).trim().to_owned()
    };
    assert_eq!(complete(&["ke"]), "keygen");
    assert_eq!(complete(&["lock", "up"]), "update");
    assert_eq!(complete(&["lock", "update", "--dangerous-d"]), "--dangerous-downgrade");
}

#[test]
fn completion_scripts_parse_and_list_every_verb() {
    let place = directory();
    for (shell, check) in [
        ("bash", &["bash", "-n"][..]),
        ("zsh", &["zsh", "-n"]),
        ("fish", &["fish", "--no-execute"]),
        ("elvish", &["elvish", "-compileonly"]),
        ("powershell", &["pwsh", "-NoProfile", "-File"]),
    ] {
        let script = script(shell);
        for verb in verbs(&[]) {
            assert!(script.contains(&verb), "{shell}: {verb}");
        }
        fs::write(place.path().join("script.ps1"), script).unwrap();
        match Command::new(check[0]).args(&check[1..]).arg("script.ps1").current_dir(place.path()).output() {
            Ok(output) => drop(succeeded(output)),
            Err(error) => skipped(format_args!("{shell} is not here: {error}")),
        }
    }
}

#[test]
fn every_verb_has_a_page_that_man_renders() {
    let place = directory();
    let output = succeeded(plugin_verify(place.path(), "man").args(["--out", "."]).output().unwrap());
    let written: BTreeSet<&str> = stdout(&output).lines().collect();
    let mut expected = BTreeSet::from(["./plugin-verify.1".to_owned()]);
    for verb in verbs(&[]) {
        expected.extend(verbs(&[&verb]).iter().map(|below| format!("./plugin-verify-{verb}-{below}.1")));
        expected.insert(format!("./plugin-verify-{verb}.1"));
    }
    assert_eq!(written, expected.iter().map(String::as_str).collect());
    for page in &expected {
        let source = fs::read_to_string(place.path().join(page)).unwrap();
        for section in [".TH ", ".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION"] {
            assert!(source.contains(section), "{page} has no {section}");
        }
        let render = Command::new("groff").args(["-man", "-Tutf8", "-ww", page]).current_dir(place.path()).output();
        match render {
            Ok(output) => {
                let output = succeeded(output);
                assert_eq!(super::stderr(&output), "", "{page}");
                let name = page.trim_start_matches("./").trim_end_matches(".1");
                // The lines are justified with blanks.
                let words: Vec<_> = stdout(&output).split_whitespace().collect();
                assert!(words.windows(2).any(|pair| pair == [name, "-"]), "{page}: {output:?}");
            }
            Err(error) => return skipped(format_args!("groff is not here: {error}")),
        }
    }
}

#[test]
fn unwritable_page_is_a_failure() {
    let output = plugin_verify(directory().path(), "man").args(["--out", "missing"]).output().unwrap();
    assert_eq!((stdout(&output), output.status.code()), ("", Some(2)), "{output:?}");
}
