//! Events as text.

use super::*;
use crate::Digest;
use crate::event::KeyedHash;

fn keyed_hash(digit: &str) -> KeyedHash {
    format!("hmac-sha256:{}", digit.repeat(64)).parse().unwrap()
}

fn launch_id() -> LaunchId {
    "00c0ffee00c0ffee".parse().unwrap()
}

fn image() -> VerifiedImage {
    VerifiedImage {
        sha256: Digest::of("kv"),
        manifest: None,
        size: 2,
        mode: "sealed memory".into(),
        cached: false,
        attestations: vec!["the policy, which names its digest".into()],
    }
}

/// One of each, with everything that may be missing in it once there and once not.
fn every_event() -> Vec<Event> {
    let (launch, pid) = (launch_id(), 7);
    let request = MessageTally { messages: 1, bytes: 9, hash: Some(keyed_hash("a")) };
    let torn = TornTail { bytes: 3, sha256: Digest::of("x"), file: "log.torn".into() };
    let (format, origin, key): (String, String, String) = (FORMAT.into(), "example/log".into(), "example+00+AA".into());
    let opened = |torn| LogOpened {
        format: format.clone(),
        origin: origin.clone(),
        key: key.clone(),
        writer: "portcullis 0".into(),
        pid,
        mode: "required".into(),
        torn,
    };
    let mut bundle = image();
    bundle.manifest = Some(Digest::of("manifest"));
    let verification = |verdict, reason, image| PluginVerification {
        plugin: "/plugins/kv".into(),
        verdict,
        reason,
        image,
        findings: vec!["found".into()],
    };
    vec![
        Event::Opened(opened(Vec::new())),
        Event::Opened(opened(vec![torn])),
        Event::Continued(LogContinued { format, origin, key, tree: vec![Digest::of("left")] }),
        Event::Checkpoint(CheckpointSigned { note: "example/log\n0\n".into() }),
        Event::Lost(RecordsLost { records: 2 }),
        Event::Undelivered(DeliveryFailed { to: "journal".into(), count: 1, reason: "gone".into() }),
        Event::Closed(LogClosed { pid }),
        Event::Verification(verification(VerificationVerdict::Allowed, None, Some(bundle))),
        Event::Verification(verification(VerificationVerdict::Refused, Some("another digest".into()), None)),
        Event::Launch(LaunchIntent {
            launch,
            plugin: "kv".into(),
            image: image(),
            arguments: vec![keyed_hash("b")],
            versions: vec![1, 2],
            timeout_ms: 30_000,
        }),
        Event::Handshake(HandshakeReceived { launch, pid, version: 1, line: "core 1".into() }),
        Event::Connection(ConnectionEstablished {
            launch,
            peer_check: "pidfd".into(),
            tls: "TLS 1.3".into(),
            suite: "TLS13_AES_256_GCM_SHA384".into(),
            host_certificate: Digest::of("h"),
            plugin_certificate: Digest::of("p"),
            plugin_key: "P-256".into(),
        }),
        Event::Ready(PluginReady { launch, pid, environment: vec!["LANG".into()], hardening: Vec::new(), took_us: 1 }),
        Event::LaunchFailed(LaunchFailed { launch, refused: true, reason: "why".into(), exit: None }),
        Event::LaunchFailed(LaunchFailed {
            launch,
            refused: false,
            reason: "why".into(),
            exit: Some("signal 9".into()),
        }),
        Event::Weakened(GuaranteeWeakened { launch, switch: "dangerous_set".into(), on: Some("LD_PRELOAD".into()) }),
        Event::Weakened(GuaranteeWeakened { launch, switch: "inherit_stdin".into(), on: None }),
        Event::Call(CallIntent {
            launch,
            call: 4,
            method: "/proto.KV/Get".into(),
            arguments: BTreeMap::from([("key".into(), keyed_hash("c"))]),
            request: request.clone(),
        }),
        Event::Messages(MessagesReceived { launch, call: 4, response: request.clone() }),
        Event::Returned(CallEnded {
            launch,
            call: 4,
            method: "/proto.KV/Get".into(),
            outcome: "OK".into(),
            took_us: 55,
            request,
            response: MessageTally::default(),
        }),
        Event::Limit(LimitReached {
            launch: Some(launch),
            call: Some(4),
            limit: "message bytes".into(),
            allowed: 1,
            found: Some(2),
        }),
        Event::Limit(LimitReached { launch: None, call: None, limit: "connections".into(), allowed: 1, found: None }),
        Event::Exit(ProcessExited { launch, pid, exit: "exit status 0".into() }),
        Event::Shutdown(PluginShutDown { launch, ending: "asked".into() }),
        Event::application("kv.client", [("uid", "0")]),
    ]
}

#[test]
fn every_event_round_trips_with_its_kind() {
    for event in every_event() {
        let text = serde_json::to_string(&event).unwrap();
        assert!(text.starts_with(&format!("{{\"type\":\"{}\"", event.kind())), "{text}");
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event, "{text}");
        assert!(!text.contains("null"), "what is missing is not there: {text}");
    }
}

#[test]
fn verdict_text_matches_its_event() {
    for verdict in [VerificationVerdict::Allowed, VerificationVerdict::Refused, VerificationVerdict::Unchecked] {
        assert_eq!(serde_json::to_string(&verdict).unwrap(), format!("\"{verdict}\""));
    }
}

#[test]
fn event_with_unknown_members_is_parsed() {
    let event: Event = serde_json::from_str(r#"{"type":"lost","records":2,"since":"yesterday"}"#).unwrap();
    assert_eq!(event, Event::Lost(RecordsLost { records: 2 }));
}

#[test]
fn what_belongs_to_a_launch_says_so() {
    let own = ["opened", "continued", "checkpoint", "lost", "undelivered", "closed", "verification", "application"];
    for event in every_event() {
        let stands_alone =
            own.contains(&event.kind()) || matches!(&event, Event::Limit(LimitReached { launch: None, .. }));
        assert_eq!(event.launch().is_none(), stands_alone, "{event:?}");
    }
}

#[test]
fn foreign_text_is_escaped_and_cut() {
    let told = |told: &[u8]| text(told);
    assert_eq!(told(b"two\nlines \x1b[2J \xff"), r"two\nlines \u{1b}[2J \xff");
    assert_eq!(told(&[b'a'; TEXT_BYTES]), "a".repeat(TEXT_BYTES));
    assert_eq!(told(&[b'a'; TEXT_BYTES + 1]), format!("{}…", "a".repeat(TEXT_BYTES)));
    // A letter of two bytes that lies across the limit, and a text that grows by being escaped.
    let across = format!("{}ä", "a".repeat(TEXT_BYTES - 1));
    assert!(told(across.as_bytes()).starts_with(&"a".repeat(TEXT_BYTES - 1)));
    assert_eq!(told(&[0; TEXT_BYTES]).len(), TEXT_BYTES + '…'.len_utf8());
    let Event::Application(application) = Event::application("a\nb", (0..40).map(|n| (format!("{n:02}"), "\0"))) else {
        panic!("another event");
    };
    assert_eq!((application.name.as_str(), application.facts.len()), (r"a\nb", 32));
    assert_eq!(application.facts["00"], r"\0");
}

#[test]
fn launch_id_has_sixteen_lower_hex_digits() {
    assert_eq!(launch_id().to_string(), "00c0ffee00c0ffee");
    assert_eq!(LaunchId::new(0xc0_ffee), "0000000000c0ffee".parse().unwrap());
    for wrong in ["", "c0ffee", "00C0FFEE00C0FFEE", "+0c0ffee00c0ffee", "00c0ffee00c0ffee0"] {
        assert_eq!(wrong.parse::<LaunchId>(), Err(LaunchIdError), "{wrong}");
    }
}
