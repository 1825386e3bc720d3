//! Logs as a host would have kept them, at times and with texts that the tests choose. Asserts
//! nothing.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use portcullis::Digest;
use portcullis::audit::tree::{CompactRange, leaf_hash};
use portcullis::audit::{Checkpoint, LogKey, NoteSigner};
use serde_json::{Value, json};

/// A log that is being written by hand: every line as the library writes it, whatever is in it.
pub(crate) struct Trail {
    lines: String,
    origin: String,
    signer: NoteSigner,
    tree: CompactRange,
    last: Digest,
    /// Microseconds since the beginning of a day.
    pub(crate) now: u64,
}

impl Trail {
    /// A log that was opened in the morning. Its key is left in `place`.
    pub(crate) fn new(place: &Path, origin: &str) -> Self {
        let key = place.join("trail.key");
        let _ = fs::remove_file(&key);
        LogKey::create(&key, origin).unwrap();
        let secrets = fs::read_to_string(&key).unwrap();
        let secret = secrets.split_whitespace().find(|word| word.starts_with("PRIVATE+KEY")).unwrap();
        let (signer, last) = (NoteSigner::from_secret(secret).unwrap(), Digest::from([0; 32]));
        let (origin, tree) = (origin.to_owned(), CompactRange::empty());
        Self { lines: String::new(), origin, signer, tree, last, now: 6 * 3_600_000_000 }
    }

    pub(crate) fn key(&self) -> String {
        self.signer.verifier().to_string()
    }

    pub(crate) fn records(&self) -> u64 {
        self.tree.size()
    }

    pub(crate) fn add(&mut self, event: &Value) {
        let (micros, seconds) = (self.now % 1_000_000, self.now / 1_000_000);
        let time = format!(
            "2026-11-{:02}T{:02}:{:02}:{:02}.{micros:06}Z",
            25 + seconds / 86_400,
            seconds / 3600 % 24,
            seconds / 60 % 60,
            seconds % 60
        );
        // In an event the kind comes first.
        let kind = event["type"].as_str().unwrap();
        let members = event.to_string().replacen(&format!(r#","type":"{kind}""#), "", 1);
        let members = members.replacen(&format!(r#""type":"{kind}","#), "", 1);
        let event = members.replacen('{', &format!(r#"{{"type":"{kind}","#), 1);
        let (seq, prev) = (self.tree.size(), self.last);
        let body = format!(r#"{{"v":1,"seq":{seq},"time":"{time}","prev":"{prev}","event":{event}"#);
        self.last = Digest::of(&body);
        let line = format!(r#"{body},"hash":"{}"}}"#, self.last);
        self.tree.append(leaf_hash(line.as_bytes()));
        writeln!(self.lines, "{line}").unwrap();
        self.now += 1000;
    }

    pub(crate) fn opened(&mut self, mode: &str, writer: &str, torn: Option<&str>) {
        let torn = torn.map(|file| json!([{"bytes": 211, "sha256": Digest::of("torn").to_string(), "file": file}]));
        let mut event = json!({
            "type": "opened", "format": "portcullis-audit/1", "origin": self.origin, "key": self.key(), "writer": writer,
            "pid": 4711, "mode": mode,
        });
        if let Some(torn) = torn {
            event["torn"] = torn;
        }
        self.add(&event);
    }

    /// A checkpoint over all that is there, as a signed note.
    pub(crate) fn note(&self) -> String {
        Checkpoint::new(&self.origin, self.tree.size(), self.tree.root()).sign(&self.signer).unwrap()
    }

    pub(crate) fn checkpoint(&mut self) {
        self.add(&json!({"type": "checkpoint", "note": self.note()}));
    }

    pub(crate) fn text(&self) -> &str {
        &self.lines
    }

    /// A morning in which everything happened that can. Every text in it that a plugin or a
    /// stranger could choose goes through `word`.
    pub(crate) fn morning(&mut self, word: &dyn Fn(&str) -> String) {
        self.opened(&word("required"), &word("portcullis 0.1.0"), None);
        let plugins = ["/usr/lib/example/plugins/kv", "/usr/lib/example/plugins/resize", "/opt/vendor/scanner"];
        for (number, plugin) in plugins.iter().enumerate() {
            self.verification(&word(plugin), "allowed", None, word);
            self.launch(number as u64, &word(plugin), word);
        }
        self.troubles(word);
        for round in 0..150_u64 {
            self.round(round, word);
        }
        self.endings(word);
        self.add(&json!({"type": "event_of_another_day", "said": word("anything")}));
        self.add(&json!({"type": "closed", "pid": 4711}));
        self.opened(&word("best effort"), &word("portcullis 0.2.0"), Some(&word("audit.log.torn-917-1795600000")));
        self.add(&json!({"type": "lost", "records": 3}));
        self.checkpoint();
    }

    fn verification(&mut self, plugin: &str, verdict: &str, reason: Option<String>, word: &dyn Fn(&str) -> String) {
        let mut event =
            json!({"type": "verification", "plugin": plugin, "verdict": verdict, "findings": [word("found")]});
        match reason {
            Some(reason) => event["reason"] = reason.into(),
            None => event["image"] = image(plugin, word),
        }
        self.add(&event);
    }

    fn launch(&mut self, number: u64, plugin: &str, word: &dyn Fn(&str) -> String) {
        let launch = launch(number);
        self.add(&json!({
            "type": "launch", "launch": launch, "plugin": plugin, "image": image(plugin, word), "arguments": [],
            "versions": [1], "timeout_ms": 30_000,
        }));
        self.now += 41_000;
        let line = word("CORE-PROTOCOL-VERSION 1|1|unix|/tmp/p|grpc");
        self.add(&json!({"type": "handshake", "launch": launch, "pid": 4800 + number, "version": 1, "line": line}));
        self.add(&json!({
            "type": "connection", "launch": launch, "peer_check": word("pidfd"), "tls": word("TLS 1.3"),
            "suite": word("TLS13_AES_256_GCM_SHA384"), "host_certificate": Digest::of("host").to_string(),
            "plugin_certificate": Digest::of("plugin").to_string(), "plugin_key": word("P-256"),
        }));
        self.add(&json!({
            "type": "ready", "launch": launch, "pid": 4800 + number, "environment": [word("LANG")],
            "measures": [word("no new privileges")], "took_us": 52_000,
        }));
    }

    fn troubles(&mut self, word: &dyn Fn(&str) -> String) {
        self.now += 700_000_000;
        let (digest, name) = (Digest::of("evil").to_string(), word("/usr/lib/example/plugins/kv.new"));
        let reason = format!("its SHA-256 is {digest}, and nobody agreed to that");
        self.verification(&name, "refused", Some(word(&reason)), word);
        self.verification(
            &word("/mnt/share/plugin"),
            "unchecked",
            Some(word("it could not be read: Input/output error")),
            word,
        );
        let (failed, plugin) = (launch(77), word("/opt/vendor/scanner"));
        self.add(&json!({
            "type": "launch", "launch": failed, "plugin": plugin, "image": image(&plugin, word), "arguments": [],
            "versions": [1], "timeout_ms": 30_000,
        }));
        self.add(&json!({
            "type": "launch_failed", "launch": failed, "refused": false, "exit": word("exit status 3"),
            "reason": word("the plugin ended before it wrote its handshake line; it said: cannot open database"),
        }));
        self.add(&json!({"type": "weakened", "launch": launch(1), "switch": word("dangerous_set"), "on": word("LD_PRELOAD")}));
        self.add(&json!({"type": "weakened", "launch": launch(2), "switch": word("inherit_stdin")}));
        let limit = word("message bytes");
        self.add(&json!({"type": "limit", "launch": launch(0), "call": 4, "limit": limit, "allowed": 4_194_304, "found": 9_120_331}));
        self.add(&json!({"type": "undelivered", "to": word("syslog"), "count": 2, "reason": word("No such file or directory")}));
    }

    fn round(&mut self, round: u64, word: &dyn Fn(&str) -> String) {
        let methods =
            ["/proto.KV/Get", "/proto.KV/Get", "/proto.KV/Put", "/image.Resize/Thumbnail", "/scan.Scanner/Scan"];
        let calls = 1 + (round * round * 7 + round * 3) % 11 + if (60..75).contains(&round) { 14 } else { 0 };
        for number in 0..calls {
            let method = word(methods[((round + number) % 5) as usize]);
            let outcome = match (round * 31 + number * 17) % 40 {
                3 => "NOT_FOUND",
                7 if round > 90 => "UNAVAILABLE",
                _ => "OK",
            };
            self.call(round * 100 + number, (round + number) % 3, &method, &word(outcome));
        }
        self.now += 61_000_000 + round % 7 * 4_000_000;
        if round % 50 == 49 {
            self.checkpoint();
            self.add(&json!({"type": "application", "name": word("release.approved"), "facts": {word("by"): word("an operator")}}));
        }
    }

    pub(crate) fn call(&mut self, call: u64, plugin: u64, method: &str, outcome: &str) {
        let launch = launch(plugin);
        let request = json!({"messages": 1, "bytes": 90 + call % 800});
        self.add(&json!({"type": "call", "launch": launch, "call": call, "method": method, "request": request}));
        if call % 4001 == 4000 {
            return;
        }
        let took = 180 + call * 7919 % 4000 + if call.is_multiple_of(97) { 220_000 } else { 0 };
        self.now += took;
        self.add(&json!({
            "type": "returned", "launch": launch, "call": call, "method": method, "outcome": outcome, "took_us": took,
            "request": request, "response": {"messages": 1, "bytes": 400 + call * 31 % 20_000},
        }));
    }

    fn endings(&mut self, word: &dyn Fn(&str) -> String) {
        self.add(&json!({"type": "exit", "launch": launch(0), "pid": 4800, "exit": word("exit status 0")}));
        self.add(&json!({"type": "shutdown", "launch": launch(0), "ending": word("asked")}));
        self.add(&json!({"type": "exit", "launch": launch(2), "pid": 4802, "exit": word("signal 9")}));
        self.add(&json!({"type": "shutdown", "launch": launch(2), "ending": word("killed")}));
    }
}

fn launch(number: u64) -> String {
    format!("{:016x}", 0x9c3e_51d2_0b7a_0000 + number)
}

fn image(plugin: &str, word: &dyn Fn(&str) -> String) -> Value {
    json!({
        "sha256": Digest::of(plugin).to_string(), "size": 7_340_112, "mode": word("sealed memory"), "cached": false,
        "manifest": Digest::of("manifest").to_string(),
        "vouchers": [word("the lock file, which names its digest"), word("RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3")],
    })
}
