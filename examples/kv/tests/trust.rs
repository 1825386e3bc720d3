//! Trust sources of kv-host, alone and combined, and their refusals. Each test checks that a
//! refused plugin did not run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use portcullis::Digest;
use portcullis::authoring::Claims;
use portcullis::verify::{Subject, Version};
use support::publisher::{self, Publisher, manifest_of};
use support::{Place, Ran, digest, our_host_of, our_plugin, run, wrong_digest};

/// A plugin directory with our plugin under the name `kv`, and its trust sources.
struct Fixture {
    place: Place,
    publisher: Publisher,
    digest: Digest,
}

impl Fixture {
    /// The plugin is a file.
    fn new() -> Self {
        let fixture = Self { place: Place::new(), publisher: Publisher::new(), digest: digest(our_plugin()) };
        let directory = fixture.plugin().parent().unwrap().to_path_buf();
        fs::create_dir(&directory).unwrap();
        set_mode(&directory, 0o755);
        fs::copy(our_plugin(), fixture.plugin()).unwrap();
        set_mode(&fixture.plugin(), 0o755);
        fixture
    }

    /// The plugin is a directory with a file beside the program.
    fn bundled() -> Self {
        let fixture = Self::new();
        let program = fixture.plugin();
        let aside = fixture.place.path().join("program");
        fs::rename(&program, &aside).unwrap();
        fs::create_dir_all(program.join("share")).unwrap();
        fs::rename(&aside, program.join("bin")).unwrap();
        fs::write(program.join("share/words"), "hello\n").unwrap();
        fixture.publisher.publish(&program, &claims().with_program("bin".parse().unwrap()));
        fixture
    }

    fn plugin(&self) -> PathBuf {
        self.file("plugins/kv")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.place.path().canonicalize().unwrap().join(name)
    }

    fn lock(&self, name: &str) -> [String; 2] {
        let path = self.file("plugins.lock");
        publisher::lock(&path, name, Subject::File(self.digest));
        ["--lock".into(), text(&path)]
    }

    fn sums(&self, digest: Digest) -> [String; 2] {
        let path = self.file("SHA256SUMS");
        fs::write(&path, format!("{digest}  kv\n")).unwrap();
        ["--sums".into(), text(&path)]
    }

    fn sha256(&self) -> [String; 2] {
        ["--sha256".into(), self.digest.to_string()]
    }

    /// The key of a publisher, after signing a manifest for the plugin.
    fn key(&self) -> [String; 2] {
        self.publisher.publish(&self.plugin(), &claims());
        self.key_alone()
    }

    fn key_alone(&self) -> [String; 2] {
        ["--key".into(), self.publisher.key().to_string()]
    }

    /// A policy for the plugin directory.
    fn policy(&self, rules: &str) -> [String; 2] {
        let path = self.file("policy.toml");
        let directory = self.file("plugins");
        fs::write(&path, format!("format = \"portcullis-policy/1\"\ndirectory = {directory:?}\n{rules}\n")).unwrap();
        set_mode(&path, 0o644);
        ["--policy".into(), text(&path)]
    }

    fn host(&self, trust: &[[String; 2]]) -> Command {
        let mut host = our_host_of(&self.place, &self.plugin());
        host.args(trust.iter().flatten());
        host
    }

    fn put(&self, trust: &[[String; 2]]) -> Ran {
        run(self.host(trust).args(["put", "a", "1"]))
    }

    /// Checks that the host refuses the plugin and that its message contains `words`.
    #[track_caller]
    fn refuses(&self, trust: &[[String; 2]], words: &[&str]) {
        self.put(trust).exits_with(1).prints("").explains(words);
        self.has_run_nothing();
    }

    #[track_caller]
    fn has_run_nothing(&self) {
        assert!(!self.place.has_a_store(), "the plugin ran");
        self.place.assert_nothing_is_left();
    }

    /// The trust sources that the launch report names.
    #[track_caller]
    fn vouchers(&self, trust: &[[String; 2]]) -> Vec<String> {
        let ran = run(self.host(trust).args(["--report", "put", "a", "1"])).exits_with(0);
        self.place.assert_nothing_is_left();
        let lines = ran.stderr.lines().filter_map(|line| line.strip_prefix("accepted     by "));
        lines.map(String::from).collect()
    }
}

fn claims() -> Claims {
    Claims::new("kv".parse().unwrap(), Version::new(1, 2, 0))
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().into()
}

/// Appends a byte. Bytes after the end of an ELF file do not change how it runs.
fn tamper(path: &Path) {
    OpenOptions::new().append(true).open(path).unwrap().write_all(b"\0").unwrap();
}

#[test]
fn any_single_source_suffices_and_is_reported() {
    let fixture = Fixture::new();
    let key = fixture.publisher.key().id();
    for (trust, expected) in [
        (fixture.sha256(), "the policy, which names its digest".to_owned()),
        (fixture.sums(fixture.digest), format!("the checksum file {}", fixture.file("SHA256SUMS").display())),
        (fixture.lock("kv"), format!("the lock file {}", fixture.file("plugins.lock").display())),
        (
            fixture.key(),
            format!("the manifest {} of version 1.2.0, signed by key {key}", manifest_of(&fixture.plugin()).display()),
        ),
        (
            fixture.policy("lock = \"plugins.lock\""),
            format!("the lock file {}", fixture.file("plugins.lock").display()),
        ),
    ] {
        assert_eq!(fixture.vouchers(&[trust]), [expected]);
    }
}

#[test]
fn every_given_source_must_accept() {
    let fixture = Fixture::new();
    let trust = [fixture.sha256(), fixture.sums(fixture.digest), fixture.lock("kv"), fixture.key()];
    assert_eq!(fixture.vouchers(&trust).len(), 4);
}

#[test]
fn silent_source_refuses_the_plugin() {
    let fixture = Fixture::new();
    fs::write(fixture.file("OTHERS"), format!("{}  other\n", fixture.digest)).unwrap();
    let others = ["--sums".into(), text(&fixture.file("OTHERS"))];
    for (silent, word) in
        [(others, "'checksums'"), (fixture.lock("other"), "'lock'"), (fixture.key_alone(), "'manifest'")]
    {
        fixture.refuses(&[fixture.sha256(), silent], &["requires", word]);
    }
}

#[test]
fn contradicting_sources_refuse_the_plugin() {
    let fixture = Fixture::new();
    fixture.refuses(&[fixture.sums(wrong_digest()), fixture.lock("kv")], &["contradict each other"]);
    let sha256 = ["--sha256".into(), wrong_digest().to_string()];
    fixture.refuses(&[sha256, fixture.lock("kv")], &["requires the source 'allow'"]);
}

#[test]
fn every_source_refuses_a_tampered_file() {
    let fixture = Fixture::new();
    let policy = fixture.policy("lock = \"plugins.lock\"");
    let sources = [fixture.sha256(), fixture.sums(fixture.digest), fixture.lock("kv"), fixture.key(), policy];
    tamper(&fixture.plugin());
    for trust in sources {
        fixture.refuses(&[trust], &["SHA-256 mismatch"]);
    }
}

#[test]
fn plugin_name_defaults_to_file_name() {
    let fixture = Fixture::new();
    let lock = fixture.lock("store");
    fixture.refuses(std::slice::from_ref(&lock), &["has no plugin kv"]);
    fixture.put(&[lock, ["--as".into(), "store".into()]]).exits_with(0);
}

#[test]
fn manifest_with_wrong_signature_is_refused() {
    let fixture = Fixture::new();
    let manifest = manifest_of(&fixture.plugin());
    fs::write(&manifest, claims().describe(fixture.plugin()).unwrap()).unwrap();
    fixture.refuses(&[fixture.key_alone()], &["its manifest is not signed"]);

    let stranger = Publisher::new();
    stranger.sign(&manifest);
    fixture.refuses(&[fixture.key_alone()], &[&stranger.key().id().to_string()]);

    fixture.publisher.sign(&manifest);
    OpenOptions::new().append(true).open(&manifest).unwrap().write_all(b"\n").unwrap();
    fixture.refuses(&[fixture.key_alone()], &["manifest.toml.minisig"]);
}

#[test]
fn manifest_elsewhere_covers_only_its_plugin() {
    let fixture = Fixture::new();
    for (name, status) in [("kv", 0), ("other", 1)] {
        let manifest = fixture.file(&format!("{name}.toml"));
        let claims = Claims::new(name.parse().unwrap(), Version::new(1, 2, 0));
        fs::write(&manifest, claims.describe(fixture.plugin()).unwrap()).unwrap();
        fixture.publisher.sign(&manifest);
        let trust = [fixture.key_alone(), ["--manifest".into(), text(&manifest)]];
        fixture.put(&trust).exits_with(status);
    }
}

#[test]
fn denied_digest_is_refused_despite_lock() {
    let fixture = Fixture::new();
    let _lock = fixture.lock("kv");
    let policy = fixture.policy(&format!("lock = \"plugins.lock\"\ndeny = [\"{}\"]", fixture.digest));
    fixture.refuses(&[policy], &["the policy denies", &fixture.digest.to_string()]);
}

#[test]
fn signed_version_below_minimum_is_refused() {
    let fixture = Fixture::new();
    let [_, key] = fixture.key();
    let policy = |minimum: &str| {
        fixture.policy(&format!("[[key]]\nminisign = \"{key}\"\n[minimum-version]\nkv = \"{minimum}\""))
    };
    fixture.refuses(&[policy("1.2.1")], &["its version 1.2.0 is below the minimum version 1.2.1"]);
    fixture.put(&[policy("1.2.0")]).exits_with(0);
}

#[test]
fn plugin_directory_writable_by_others_is_refused() {
    let fixture = Fixture::new();
    let _lock = fixture.lock("kv");
    let policy = fixture.policy("lock = \"plugins.lock\"");
    set_mode(&fixture.file("plugins"), 0o777);
    fixture.refuses(std::slice::from_ref(&policy), &["the mode 0777"]);
    set_mode(&fixture.file("plugins"), 0o755);
    fixture.put(&[policy]).exits_with(0);
}

#[test]
fn plugin_outside_plugin_directory_is_refused() {
    let fixture = Fixture::new();
    let outside = fixture.file("kv");
    fs::copy(our_plugin(), &outside).unwrap();
    let _lock = fixture.lock("kv");
    let mut host = our_host_of(&fixture.place, &outside);
    let ran = run(host.args(fixture.policy("lock = \"plugins.lock\"")).args(["put", "a", "1"]));
    ran.exits_with(1).explains(&["is not beneath the plugin directory"]);
    fixture.has_run_nothing();
}

#[test]
fn faulty_source_exits_1_unreadable_source_exits_2() {
    let fixture = Fixture::new();
    for option in ["--sums", "--lock", "--policy"] {
        let wrong = fixture.file("wrong");
        fs::write(&wrong, "nonsense\n").unwrap();
        fixture.refuses(&[[option.into(), text(&wrong)]], &["wrong:"]);
        fixture.put(&[[option.into(), "missing".into()]]).exits_with(2).explains(&["missing: cannot be read"]);
    }
    let policy = fixture.policy(&format!("allow = [\"{}\"]", fixture.digest));
    set_mode(&fixture.file("policy.toml"), 0o666);
    fixture.refuses(&[policy], &["another user could write it"]);
}

#[test]
fn source_is_required_and_policy_excludes_others() {
    let fixture = Fixture::new();
    fixture
        .put(&[])
        .exits_with(2)
        .explains(&["--sha256 <HEX>|--sums <FILE>|--lock <FILE>|--key <KEY>|--policy <FILE>"]);
    let policy = fixture.policy("lock = \"plugins.lock\"");
    for other in [fixture.sha256(), fixture.sums(fixture.digest), fixture.lock("kv"), fixture.key()] {
        fixture.put(&[policy.clone(), other]).exits_with(2).explains(&["cannot be used with"]);
    }
    fixture.put(&[fixture.sha256(), ["--manifest".into(), "m".into()]]).exits_with(2).explains(&["--key"]);
    assert!(!fixture.place.data().exists(), "the host created its data directory");
}

#[test]
fn bundle_runs_and_report_names_its_manifest() {
    let fixture = Fixture::bundled();
    let manifest = digest(&manifest_of(&fixture.plugin()));
    let ran = run(fixture.host(&[fixture.key_alone()]).args(["--report", "put", "a", "1"])).exits_with(0);
    ran.explains(&[
        &format!("digest       sha256 {}", fixture.digest),
        &format!("manifest     sha256 {manifest}"),
        &format!("signed by key {}", fixture.publisher.key().id()),
    ]);
    fixture.place.assert_nothing_is_left();
    fixture.put(&[["--sha256".into(), manifest.to_string()]]).exits_with(0);
    publisher::lock(&fixture.file("plugins.lock"), "kv", Subject::Manifest(manifest));
    fixture.put(&[fixture.policy("lock = \"plugins.lock\"")]).exits_with(0);
}

#[test]
fn bundle_with_changed_or_removed_file_is_refused() {
    for file in ["bin", "share/words"] {
        let fixture = Fixture::bundled();
        tamper(&fixture.plugin().join(file));
        fixture.refuses(&[fixture.key_alone()], &[file]);
        fs::remove_file(fixture.plugin().join(file)).unwrap();
        fixture.refuses(&[fixture.key_alone()], &[file, "is missing"]);
    }
}

#[test]
fn directory_without_manifest_is_refused() {
    let fixture = Fixture::bundled();
    fs::remove_file(manifest_of(&fixture.plugin())).unwrap();
    fixture.refuses(&[fixture.key_alone()], &["a directory"]);
}
