//! What is shown of a plugin that was refused, did not start, or did not behave; and that nothing
//! is left of it.

use std::process::{Command, Stdio};

use crate::place::{Place, Ran, eventually};

pub(crate) fn file_with_other_digest_is_not_executed() {
    let place = Place::new();
    let other = "0".repeat(64);
    let ran = Ran(place.probe_of(&other, &[], "trace").output().unwrap()).exits_with(1);
    assert!(ran.stdout().contains(": REFUSED\n  SHA-256 mismatch\n  expected 000"), "{}", ran.stdout());
    assert!(ran.stderr().starts_with("plugin-verify: hint: "), "{}", ran.stderr());
    let document = Ran(place.probe_of(&other, &["--json"], "trace").output().unwrap()).exits_with(1).document();
    assert_eq!((&document["outcome"], &document["error"]["stage"]), (&"refused".into(), &"verify".into()));
    assert!(!place.path().join("trace").exists(), "it was executed");

    place.run(&[], "trace").exits_with(0);
    assert!(place.path().join("trace").exists(), "the plugin leaves no trace, so nothing was proven");
}

pub(crate) fn plugin_of_another_version_is_refused() {
    let place = Place::new();
    let ran = place.run(&["--protocol", "2"], "serve").exits_with(1);
    let refusal = "the plugin serves version 1 of the application's protocol, this host speaks 2";
    assert!(ran.stdout().ends_with(&format!(": REFUSED\n  {refusal}\n")), "{}", ran.stdout());
    let document = place.run(&["--protocol", "2", "--json"], "serve").exits_with(1).document();
    assert_eq!((&document["outcome"], &document["error"]["message"]), (&"refused".into(), &refusal.into()));
}

/// With it the next thing that is wrong with the line is refused.
pub(crate) fn tcp_address_needs_its_switch() {
    let place = Place::new();
    let ran = place.run(&[], "tcp").exits_with(1);
    assert!(ran.stdout().contains("it is a TCP address"), "{}", ran.stdout());
    let ran = place.run(&["--allow-tcp-loopback"], "tcp").exits_with(1);
    assert!(ran.stdout().contains("the plugin sent no certificate"), "{}", ran.stdout());
}

pub(crate) fn stderr_of_a_non_plugin_is_quoted() {
    let place = Place::new();
    let ran = place.run(&[], "exit").exits_with(2);
    assert_eq!(ran.stdout(), "");
    let quoted = "it ended with exit status 3\n  the last it wrote to its standard error:\n    usage: program\n    not \\u{1b}[31mred\n";
    assert!(ran.stderr().ends_with(quoted), "{}", ran.stderr());

    let error = place.run(&["--json"], "exit").exits_with(2).document()["error"].clone();
    assert_eq!((&error["stage"], &error["exit"]["code"]), (&"start".into(), &3.into()));
    assert_eq!(error["stderr"], serde_json::json!(["usage: program", r"not \u{1b}[31mred"]));
}

/// timeout(1) would end it with another status.
pub(crate) fn hanging_plugin_is_given_up() {
    let place = Place::new();
    let ran = place.run(&["--timeout", "1"], "silent").exits_with(2);
    assert!(ran.stderr().ends_with("still waiting for its handshake line\n"), "{}", ran.stderr());
    let document = place.run(&["--timeout", "1", "--json"], "silent").exits_with(2).document();
    assert_eq!(
        (&document["outcome"], &document["error"]["waiting_for"]),
        (&"failed".into(), &"its handshake line".into())
    );
}

pub(crate) fn invalid_variable_prevents_the_start() {
    let place = Place::new();
    for (variable, why) in
        [("LD_PRELOAD=x", "unverified code"), ("PLUGIN_X=1", "is reserved for"), ("NOT_THERE", "is not set")]
    {
        let ran = place.run(&["--env", variable], "trace").exits_with(2);
        assert!(ran.stderr().contains(why), "{}", ran.stderr());
        let document = place.run(&["--json", "--env", variable], "trace").exits_with(2).document();
        assert_eq!(document["error"]["stage"], "environment");
    }
    assert!(!place.path().join("trace").exists(), "it was executed");
}

pub(crate) fn plugin_exit_during_probe_is_a_failure() {
    let place = Place::new();
    let ran = place.run(&[], "end-when-asked").exits_with(2);
    assert!(ran.stdout().ends_with("\n  end          exited before the shutdown, exit status 9\n"), "{}", ran.stdout());
    let last = "the plugin exited before its shutdown: exit status 9\n  the last lines of its standard error:\n    last \\u{1b}[31mwords\n";
    assert!(ran.stderr().ends_with(last), "{}", ran.stderr());
}

pub(crate) fn plugin_with_hidden_services_is_shut_down() {
    let document = Place::new().run(&["--json"], "mute-when-asked").exits_with(2).document();
    assert_eq!(document["services"]["error"], "the plugin did not list its services in time");
    assert_eq!(document["error"]["message"], document["services"]["error"]);
    assert_eq!(document["outcome"], "failed");
    assert_ne!(document["shutdown"]["exit"], serde_json::Value::Null);
}

pub(crate) fn interrupted_probe_leaves_nothing() {
    for signal in ["-INT", "-TERM"] {
        let place = Place::new();
        // Not under timeout(1), which would be what is signalled.
        let of = place.probe(&["--json"], "silent");
        let mut probe = Command::new(env!("CARGO_BIN_EXE_plugin-verify"));
        probe.args(of.get_args().skip(2)).envs(of.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let child = probe.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        eventually("the plugin is started", || place.processes() == 1);
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        let ran = Ran(child.wait_with_output().unwrap()).exits_with(2);
        assert_eq!(ran.document()["error"]["stage"], "interrupt");
        place.assert_nothing_is_left();
    }
}
