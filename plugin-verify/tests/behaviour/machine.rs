//! Machines that forbid something: made with unshare(1), which takes root or unprivileged user
//! namespaces.

use std::process::{Command, Output};

use super::{Fixture, skipped, stderr, stdout};

/// A shell in namespaces of its own, in which `setup` has succeeded.
pub(super) struct Machine<'a> {
    fixture: &'a Fixture,
    options: Vec<&'static str>,
    setup: &'static str,
}

impl<'a> Machine<'a> {
    /// Nothing, having said why, where `setup` cannot succeed.
    fn new(fixture: &'a Fixture, options: &[&'static str], setup: &'static str) -> Option<Self> {
        let mut why = String::new();
        for user in [&[][..], &["--user", "--map-root-user"]] {
            let machine = Self { fixture, options: [user, options].concat(), setup };
            match machine.run("true") {
                output if output.status.success() => return Some(machine),
                output => why = stderr(&output).trim().to_owned(),
            }
        }
        skipped(format_args!("`{setup}` is not possible here in namespaces of its own: {why}"));
        None
    }

    /// A machine on which the directory `mount` of the fixture forbids execution.
    pub(super) fn with_noexec_mount(fixture: &'a Fixture) -> Option<Self> {
        std::fs::create_dir(fixture.path().join("mount")).unwrap();
        Self::new(fixture, &["--mount"], "mount -t tmpfs -o noexec none mount")
    }

    /// A machine whose kernel executes no memory. The setting belongs to the process namespace, so
    /// every other machine keeps its own.
    pub(super) fn without_executable_memory(fixture: &'a Fixture) -> Option<Self> {
        let options = ["--pid", "--fork", "--mount", "--mount-proc"];
        Self::new(fixture, &options, "test $$ = 1 && echo 2 >/proc/sys/vm/memfd_noexec")
    }

    pub(super) fn run(&self, script: &str) -> Output {
        Command::new("timeout")
            .args(["60", "unshare"])
            .args(&self.options)
            .args(["sh", "-c", &format!("{} && {script}", self.setup)])
            .env("PLUGIN_VERIFY", env!("CARGO_BIN_EXE_plugin-verify"))
            .env("SHA256", &self.fixture.sha256)
            .current_dir(self.fixture.path())
            .output()
            .unwrap()
    }
}

#[test]
fn program_on_noexec_mount_is_refused() {
    let fixture = Fixture::new();
    let Some(machine) = Machine::with_noexec_mount(&fixture) else { return };
    let output = machine.run(r#"cp plugin mount/ && exec "$PLUGIN_VERIFY" check --sha256 "$SHA256" mount/plugin"#);
    assert_eq!(stdout(&output), "mount/plugin: REFUSED\n  it is on a mount with the option noexec\n", "{output:?}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn private_copy_on_noexec_mount_is_refused() {
    let fixture = Fixture::new();
    let Some(machine) = Machine::with_noexec_mount(&fixture) else { return };
    let output = machine.run(r#"exec "$PLUGIN_VERIFY" check --sha256 "$SHA256" --private-copy mount plugin"#);
    let refusal = "the directory for private copies, mount, is on a mount with the option noexec";
    assert_eq!(stdout(&output), format!("plugin: REFUSED\n  {refusal}\n"), "{output:?}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn unexecutable_sealed_memory_is_refused_with_a_hint() {
    let fixture = Fixture::new();
    let Some(machine) = Machine::without_executable_memory(&fixture) else { return };
    let output = machine.run(r#"exec "$PLUGIN_VERIFY" check --sha256 "$SHA256" plugin"#);
    let refusal = "this machine does not execute memory (vm.memfd_noexec=2)";
    assert!(stdout(&output).starts_with(&format!("plugin: REFUSED\n  {refusal}")), "{output:?}");
    assert!(stderr(&output).contains("--private-copy"), "{output:?}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn private_copy_works_without_memory_execution() {
    let fixture = Fixture::new();
    let Some(machine) = Machine::without_executable_memory(&fixture) else { return };
    let output = machine.run(r#"exec "$PLUGIN_VERIFY" check --sha256 "$SHA256" --private-copy . plugin"#);
    assert!(stdout(&output).starts_with("plugin: OK\n"), "{output:?}");
    assert!(stdout(&output).contains("\n  image  private copy\n"), "{output:?}");
    assert_eq!(output.status.code(), Some(0));
}
