//! The audit log of launches and calls of real plugins: every step is recorded before it takes
//! effect, and no payload is.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use portcullis::audit::{Log, LogError, LogKey, Record};
use portcullis::event::{
    CallEnded, CallIntent, Event, KeyedHash, LaunchId, MessageTally, MessagesReceived, VerificationVerdict,
};
use portcullis::host::Arguments;
use portcullis::host::{self, Environment, LaunchBuilder, LaunchParameters, Plugin, ShutdownPath};
use portcullis::verify::VerifyError;
use portcullis::{Error, Policy};
use prost::Message as _;

use crate::support::{LONG, OWN_DIGEST, OWN_PATH, Place, eventually, is_alive, protocol, run, verified};
use crate::talk;

/// A log, and a runtime directory for launches.
pub struct Audited {
    place: Place,
    pub log: Log,
    key: Blinds,
}

/// Hides values as the log does.
struct Blinds(Log);

impl Audited {
    pub fn new() -> Self {
        Self::with(|builder| builder)
    }

    fn with(settings: impl FnOnce(portcullis::audit::LogBuilder) -> portcullis::audit::LogBuilder) -> Self {
        let place = Place::new();
        let key = LogKey::generate("example.com/tests").unwrap();
        let log = settings(Log::builder(place.file("log"), key)).open().unwrap();
        Self { place, key: Blinds(log.clone()), log }
    }

    fn fixture(&self, arguments: &[&str]) -> LaunchBuilder<LaunchParameters> {
        self.place.fixture(arguments).with_recorder(Arc::new(self.log.clone()))
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.place.file("log")).unwrap()
    }

    /// The events on the disk, without those of the log itself.
    fn events(&self) -> Vec<Event> {
        let text = self.text();
        let events = text.lines().map(|line| Record::parse(line.as_bytes()).unwrap().event().unwrap());
        events.filter(|event| !matches!(event, Event::Opened(_) | Event::Checkpoint(_) | Event::Closed(_))).collect()
    }

    fn kinds(&self) -> Vec<&'static str> {
        // A checkpoint brings every submitted record to the disk.
        let _ = self.log.checkpoint();
        self.events().iter().map(Event::kind).collect()
    }

    /// The recorded events of one kind.
    fn all<T>(&self, pick: impl Fn(Event) -> Option<T>) -> Vec<T> {
        let _ = self.log.checkpoint();
        self.events().into_iter().filter_map(pick).collect()
    }

    fn calls(&self) -> Vec<CallIntent> {
        self.all(|event| if let Event::Call(call) = event { Some(call) } else { None })
    }

    fn returned(&self) -> Vec<CallEnded> {
        self.all(|event| if let Event::Returned(returned) = event { Some(returned) } else { None })
    }

    fn messages(&self) -> Vec<MessagesReceived> {
        self.all(|event| if let Event::Messages(messages) = event { Some(messages) } else { None })
    }

    fn tally(&self, messages: &[&str]) -> MessageTally {
        let bytes: Vec<u8> = messages.iter().flat_map(|text| (*text).to_owned().encode_to_vec()).collect();
        let mut tally = MessageTally::default();
        (tally.messages, tally.bytes) = (messages.len() as u64, bytes.len() as u64);
        tally.hash = Some(self.key.of(&bytes));
        tally
    }
}

impl Blinds {
    fn of(&self, value: &[u8]) -> KeyedHash {
        self.0.keyed_hash(value)
    }
}

/// The log's own reason for a launch that it did not record.
fn log_error(error: &Error) -> &LogError {
    let Error::Record(error) = error else { panic!("{error:?}") };
    error.get_ref().downcast_ref().unwrap()
}

async fn talk(audited: &Audited) -> Plugin {
    audited.fixture(&["talk"]).launch().await.unwrap()
}

pub fn launch_is_recorded_from_verification_to_exit() {
    let audited = Audited::new();
    let policy = Policy::new().allow(*OWN_DIGEST);
    let verified = host::verify(&policy, &*OWN_PATH, &audited.log).unwrap();
    let (report, pid) = run(async {
        let launch = audited.place.fixture_of(verified, &["serve"]).with_recorder(Arc::new(audited.log.clone()));
        let plugin = launch.launch().await.unwrap();
        assert_eq!(
            audited.events().last().map(Event::kind),
            Some("ready"),
            "on the disk before the plugin can be called"
        );
        assert_eq!(plugin.shutdown(LONG).await.path, ShutdownPath::Asked);
        (plugin.report().clone(), plugin.pid())
    });
    let expected = ["verification", "launch", "handshake", "connection", "ready", "exit", "shutdown"];
    assert_eq!(audited.kinds(), expected);
    let launch = report.launch.unwrap();
    assert!(audited.events()[1..].iter().all(|event| event.launch() == Some(launch)));
    assert!(report.to_string().contains(&format!("launch       {launch}\n")), "{report}");

    let events = audited.events();
    let [Event::Verification(verification), Event::Launch(begun), ..] = &events[..] else { panic!("{events:?}") };
    let image = verification.image.as_ref().unwrap();
    assert_eq!((verification.verdict, image.sha256), (VerificationVerdict::Allowed, *OWN_DIGEST));
    assert_eq!(verification.plugin, OWN_PATH.to_str().unwrap());
    assert!(verification.findings.iter().any(|finding| finding.starts_with("accepted")), "{verification:?}");
    assert_eq!((&begun.image, &begun.plugin), (image, &verification.plugin));
    assert_eq!((&begun.versions[..], begun.timeout_ms), (&[1][..], 30_000));
    assert_eq!(begun.arguments, [audited.key.of(b"fixture:serve")]);

    let [_, _, Event::Handshake(line), Event::Connection(connection), Event::Ready(ready), rest @ ..] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!((line.pid, line.version, line.line.as_str()), (pid, 1, report.handshake.to_string().as_str()));
    assert_eq!(connection.plugin_certificate, report.plugin_certificate);
    assert_eq!(connection.host_certificate, report.host_certificate);
    assert_eq!((connection.tls.as_str(), &connection.suite), ("TLS 1.3", &report.cipher_suite));
    assert!(ready.environment.contains(&"PLUGIN_CLIENT_CERT".into()), "{ready:?}");
    assert!(!ready.hardening.is_empty() && u128::from(ready.took_us) == report.timings.total().as_micros());
    let [Event::Exit(exit), Event::Shutdown(shutdown)] = rest else { panic!("{rest:?}") };
    assert_eq!((exit.pid, exit.exit.as_str(), shutdown.ending.as_str()), (pid, "exit status 0", "asked"));
}

pub fn refusal_is_recorded_with_its_reason() {
    let audited = Audited::new();
    let refused = host::verify(&Policy::new().allow("00".repeat(32).parse().unwrap()), &*OWN_PATH, &audited.log);
    let Err(Error::Verify(refused @ VerifyError::Refused { .. })) = refused else { panic!("{refused:?}") };
    let missing = audited.place.file("missing");
    let unchecked = host::verify(&Policy::new().allow(*OWN_DIGEST), &missing, &audited.log);
    let Err(Error::Verify(unchecked)) = unchecked else { panic!("{unchecked:?}") };
    let name = "other".parse().unwrap();
    let denied = host::verify_as(&Policy::new().deny(*OWN_DIGEST), name, &*OWN_PATH, &audited.log);
    let Err(Error::Verify(denied)) = denied else { panic!("{denied:?}") };
    let recorded = audited.all(|event| if let Event::Verification(seen) = event { Some(seen) } else { None });
    let verdicts = recorded.iter().map(|seen| (seen.verdict, seen.image.is_some()));
    let expected = [VerificationVerdict::Refused, VerificationVerdict::Unchecked, VerificationVerdict::Refused]
        .map(|verdict| (verdict, false));
    assert_eq!(verdicts.collect::<Vec<_>>(), expected);
    for (error, seen) in [refused, unchecked, denied].iter().zip(&recorded) {
        let reason = portcullis::Chain::of(error).to_string();
        assert_eq!(seen.reason.as_deref(), Some(portcullis::Escaped::new(&reason).to_string().as_str()));
    }
}

pub fn unrecordable_approval_is_a_refusal() {
    let audited = Audited::new();
    audited.log.close().unwrap();
    let error = host::verify(&Policy::new().allow(*OWN_DIGEST), &*OWN_PATH, &audited.log).unwrap_err();
    assert!(matches!(log_error(&error), LogError::Closed) && !error.is_refusal(), "{error:?}");
}

pub fn no_process_starts_without_a_record() {
    let audited = Audited::new();
    let state = audited.place.file("state");
    audited.log.close().unwrap();
    let error = run(audited.fixture(&["state", state.to_str().unwrap()]).launch()).unwrap_err();
    assert!(matches!(log_error(&error), LogError::Closed) && !error.is_refusal(), "{error:?}");
    assert_eq!(audited.place.directories(), 0);
    assert!(!state.exists(), "the plugin ran");
    assert_eq!(audited.kinds(), [""; 0]);
}

/// In a process of its own, because it is the process that may not write large files.
pub fn no_process_starts_on_a_full_disk() {
    let place = Place::new();
    // The signal that comes with that limit would end the process.
    let script = r#"trap "" XFSZ; exec "$0" fixture:host-without-room "$1""#;
    let done = Command::new("sh").args(["-c", script]).arg(&*OWN_PATH).arg(place.path()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(!place.file("state").exists(), "the plugin ran");
}

/// The host of the case above.
pub fn host_without_room(place: PathBuf) {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let verified = verified();
    let log = Log::builder(place.join("log"), LogKey::generate("example.com/full").unwrap()).open().unwrap();
    let length = std::fs::metadata(place.join("log")).unwrap().len();
    setrlimit(Resource::Fsize, Rlimit { current: Some(length), maximum: None }).unwrap();
    let launch = Plugin::builder(verified)
        .with_protocol(protocol())
        .with_environment(Environment::empty())
        .with_runtime_directory(&place)
        .with_recorder(Arc::new(log))
        .args(crate::support::fixture(&["state", place.join("state").to_str().unwrap()]));
    let error = run(launch.launch()).unwrap_err();
    assert!(matches!(log_error(&error), LogError::Write { .. }), "{error:?}");
}

pub fn plugin_with_unrecordable_start_is_killed() {
    let audited = Audited::new();
    let (go, pid) = (audited.place.file("go"), audited.place.file("pid"));
    let log = audited.log.clone();
    let file = audited.place.file("log");
    let closing = std::thread::spawn({
        let go = go.clone();
        move || {
            eventually("the launch is recorded", || {
                std::fs::read_to_string(&file).unwrap().contains(r#""type":"launch""#)
            });
            log.close().unwrap();
            std::fs::write(go, "").unwrap();
        }
    });
    let fixture = ["serve-when", go.to_str().unwrap(), pid.to_str().unwrap()];
    let error = run(audited.fixture(&fixture).launch()).unwrap_err();
    closing.join().unwrap();
    assert!(matches!(log_error(&error), LogError::Closed), "{error:?}");
    assert!(!is_alive(crate::support::number_in(&pid)));
    assert_eq!(audited.kinds(), ["launch"]);
}

pub fn failed_launch_has_a_recorded_outcome() {
    let audited = Audited::new();
    let error = run(audited.fixture(&["exit", "7"]).launch()).unwrap_err();
    assert_eq!(audited.kinds(), ["launch", "launch_failed"]);
    let failed = audited.all(|event| if let Event::LaunchFailed(failed) = event { Some(failed) } else { None });
    let Error::Start(start) = error else { panic!("{error:?}") };
    assert_eq!((failed[0].refused, failed[0].exit.as_deref()), (false, Some("exit status 7")));
    assert_eq!(failed[0].reason, portcullis::Escaped::new(&start.fault.to_string()).to_string());
    assert!(!audited.text().contains("last words"), "the log holds text of its standard error");
}

pub fn cancelled_launch_has_a_recorded_outcome() {
    let audited = Audited::new();
    run(async {
        let launch = audited.fixture(&["silent"]).launch();
        tokio::time::timeout(Duration::from_millis(300), launch).await.unwrap_err();
    });
    let failed = audited.all(|event| if let Event::LaunchFailed(failed) = event { Some(failed) } else { None });
    assert_eq!(failed[0].reason, "cancelled");
}

pub fn failed_launch_does_not_wait_for_disk() {
    let audited = Audited::new();
    let (answer, disk) = std::sync::mpsc::channel::<()>();
    let log = audited.log.clone();
    let error = run(async {
        let launch = audited.fixture(&["silent"]).with_start_timeout(Duration::from_secs(1)).launch();
        let stall = async {
            while audited.events().is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            // Blocks the writer until `answer` is dropped.
            log.submit(Event::application("stalled", [("", "")]), move |_| {
                let _ = disk.recv();
            });
            std::future::pending::<()>().await
        };
        tokio::select! { error = launch => error.unwrap_err(), () = stall => unreachable!() }
    });
    assert!(matches!(error, Error::Start(_)), "{error:?}");
    assert!(!audited.events().iter().any(|event| matches!(event, Event::LaunchFailed(_))), "the disk answered");
    drop(answer);
    assert_eq!(audited.kinds(), ["launch", "application", "limit", "launch_failed"]);
}

pub fn start_limits_are_recorded() {
    for (fixture, timeout, limit, allowed) in [
        ("endless", LONG, "handshake line bytes", 64 * 1024),
        ("silent", Duration::from_millis(300), "start milliseconds", 300),
    ] {
        let audited = Audited::new();
        run(audited.fixture(&[fixture]).with_start_timeout(timeout).launch()).unwrap_err();
        assert_eq!(audited.kinds(), ["launch", "limit", "launch_failed"]);
        let seen = audited.all(|event| if let Event::Limit(limit) = event { Some(limit) } else { None });
        assert_eq!((seen[0].limit.as_str(), seen[0].allowed), (limit, allowed));
        assert_eq!(seen[0].launch, audited.events()[0].launch());
    }
}

pub fn waived_guarantees_are_recorded_first() {
    let audited = Audited::new();
    let pinned = Policy::new().allow(*OWN_DIGEST).dangerous_with_pinned_fd().verify(&*OWN_PATH).unwrap();
    let environment = Environment::empty()
        .inherit_env()
        .set("HARMLESS", "value of it")
        .unwrap()
        .dangerous_set("LD_BIND_NOW", "1")
        .unwrap()
        .dangerous_set("PYTHONPATH", "/nowhere")
        .unwrap();
    let launch = Plugin::builder(pinned)
        .with_protocol(protocol())
        .with_environment(environment)
        .with_runtime_directory(audited.place.path())
        .inherit_stdin()
        .allow_tcp_loopback()
        .with_recorder(Arc::new(audited.log.clone()))
        .args(crate::support::fixture(&["serve"]));
    run(async {
        launch.launch().await.unwrap().shutdown(LONG).await;
    });
    let weakened = audited.all(|event| if let Event::Weakened(weakened) = event { Some(weakened) } else { None });
    let seen: Vec<_> = weakened.iter().map(|seen| (seen.switch.as_str(), seen.on.as_deref())).collect();
    let expected = [
        ("inherit_stdin", None),
        ("allow_tcp_loopback", None),
        ("dangerous_with_pinned_fd", None),
        ("inherit_env", None),
        ("dangerous_set", Some("LD_BIND_NOW")),
        ("dangerous_set", Some("PYTHONPATH")),
    ];
    assert_eq!(seen, expected);
    assert_eq!(
        audited.kinds()[..7],
        ["weakened", "weakened", "weakened", "weakened", "weakened", "weakened", "launch"]
    );
    assert!(!audited.text().contains("value of it"), "the log holds a value of the environment");
}

pub fn log_beside_plugins_is_refused() {
    let place = Place::new();
    let plugins = place.file("plugins");
    std::fs::create_dir(&plugins).unwrap();
    let log = Log::builder(plugins.join("log"), LogKey::generate("example.com/there").unwrap()).open().unwrap();
    // The image comes from the cache, so the file need not exist.
    let policy = Policy::new().allow(*OWN_DIGEST);
    policy.verify(&*OWN_PATH).unwrap();
    let verified = policy.verify(plugins.join("plugin")).unwrap();
    let error = run(place.fixture_of(verified, &["serve"]).with_recorder(Arc::new(log)).launch()).unwrap_err();
    let LogError::InPluginDirectory { directory, .. } = log_error(&error) else { panic!("{error:?}") };
    assert_eq!(*directory, plugins.canonicalize().unwrap());
    assert_eq!(place.directories(), 0);
}

pub fn unary_call_makes_two_records() {
    let audited = Audited::new();
    run(async {
        let plugin = talk(&audited).await;
        for number in 1..=20 {
            assert_eq!(talk::one(plugin.channel(), "Echo", "hello".to_owned()).await.unwrap(), "echo hello");
            let last = audited.events().pop().unwrap();
            let Event::Returned(returned) = last else { panic!("not on the disk before the caller has it: {last:?}") };
            assert_eq!((returned.call, returned.outcome.as_str()), (number, "OK"));
        }
        plugin.shutdown(LONG).await;
    });
    assert_eq!(audited.messages(), []);
    for (call, returned) in audited.calls().iter().zip(audited.returned()) {
        assert_eq!((&call.method[..], &returned.method[..]), ("/test.Talk/Echo", "/test.Talk/Echo"));
        assert_eq!((&call.request, &returned.request), (&audited.tally(&["hello"]), &audited.tally(&["hello"])));
        assert_eq!(returned.response, audited.tally(&["echo hello"]));
        assert!(returned.took_us > 0);
    }
    assert_eq!(audited.kinds()[4..].iter().filter(|kind| **kind == "call").count(), 20);
}

pub fn error_response_is_recorded() {
    let audited = Audited::new();
    run(async {
        let plugin = talk(&audited).await;
        talk::one(plugin.channel(), "Fail", "x".to_owned()).await.unwrap_err();
        assert_eq!(audited.returned()[0].outcome, "FAILED_PRECONDITION");
        tonic_health::pb::health_client::HealthClient::new(plugin.channel())
            .check(tonic_health::pb::HealthCheckRequest { service: "nothing".into() })
            .await
            .unwrap_err();
        assert_eq!(audited.returned()[1].outcome, "NOT_FOUND", "through a generated client");
    });
}

pub fn stream_messages_are_recorded_before_delivery() {
    let audited = Audited::new();
    run(async {
        let plugin = talk(&audited).await;
        let mut answers = talk::many(plugin.channel(), "Count", "3").await.unwrap();
        let mut heard = Vec::new();
        while let Some(message) = answers.message().await.unwrap() {
            heard.push(message);
            // The record of the outcome covers the messages that arrive with the end.
            let in_part: u64 = audited.messages().iter().map(|messages| messages.response.messages).sum();
            let in_all = audited.returned().first().map_or(0, |returned| returned.response.messages);
            assert!(in_part.max(in_all) >= heard.len() as u64, "delivered before it was recorded");
        }
        assert_eq!(heard, ["1", "2", "3"]);
    });
    assert_eq!(audited.returned()[0].response, audited.tally(&["1", "2", "3"]));
}

pub fn host_messages_in_a_stream_are_recorded() {
    let audited = Audited::new();
    run(async {
        let plugin = talk(&audited).await;
        assert_eq!(talk::say(plugin.channel(), "Echo", &["a", "b", "c"]).await.unwrap(), "echo a+b+c");
    });
    assert_eq!(audited.returned()[0].request, audited.tally(&["a", "b", "c"]));
    assert_eq!(audited.returned()[0].response, audited.tally(&["echo a+b+c"]));
}

pub fn plugin_killed_in_a_call_is_recorded() {
    let audited = Audited::new();
    run(async {
        let plugin = talk(&audited).await;
        let call = tokio::spawn(talk::one(plugin.channel(), "Hang", "x".to_owned()));
        while audited.calls().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        plugin.kill();
        call.await.unwrap().unwrap_err();
        assert_eq!(audited.returned()[0].outcome, "broken");
        plugin.exited().await;
        assert_eq!(plugin.shutdown(LONG).await.path, ShutdownPath::Exited);
    });
    let ends: Vec<_> = audited.kinds().into_iter().filter(|kind| ["exit", "shutdown"].contains(kind)).collect();
    assert_eq!(ends, ["exit", "shutdown"]);
    let exits = audited.all(|event| if let Event::Exit(exit) = event { Some(exit.exit) } else { None });
    assert_eq!(exits, ["signal 9"]);
}

pub fn abandoned_call_is_recorded() {
    let audited = Audited::new();
    run(async {
        let plugin = talk(&audited).await;
        let call = talk::one(plugin.channel(), "Hang", "x".to_owned());
        tokio::time::timeout(Duration::from_millis(300), call).await.unwrap_err();
        let mut answers = talk::many(plugin.channel(), "Watch", "x").await.unwrap();
        assert_eq!(answers.message().await.unwrap().unwrap(), "seen");
        drop(answers);
        plugin.shutdown(LONG).await;
    });
    let outcomes: Vec<_> =
        audited.returned().into_iter().map(|returned| (returned.outcome, returned.response)).collect();
    let abandoned = |response| ("abandoned".to_owned(), response);
    assert_eq!(outcomes, [abandoned(MessageTally::default()), abandoned(audited.tally(&["seen"]))]);
}

pub fn oversized_message_is_refused_and_recorded() {
    let audited = Audited::new();
    run(async {
        let plugin = audited.fixture(&["talk"]).with_message_limit(1000).launch().await.unwrap();
        assert_eq!(talk::one(plugin.channel(), "Large", "900".to_owned()).await.unwrap().len(), 900);
        let status = talk::one(plugin.channel(), "Large", "1000".to_owned()).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::OutOfRange, "{status:?}");
        plugin.shutdown(LONG).await;
    });
    let limits = audited.all(|event| if let Event::Limit(limit) = event { Some(limit) } else { None });
    assert_eq!(limits.len(), 1);
    // The protobuf framing adds three bytes.
    assert_eq!((limits[0].call, limits[0].allowed, limits[0].found), (Some(2), 1000, Some(1003)));
    assert_eq!(audited.returned()[1].outcome, "OUT_OF_RANGE");
}

pub fn unrecordable_call_is_not_made() {
    let audited = Audited::new();
    let log = audited.log.clone();
    run(async {
        let plugin = talk(&audited).await;
        log.close().unwrap();
        let status = talk::one(plugin.channel(), "Echo", "hello".to_owned()).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::Unavailable);
        assert!(status.message().contains("was not made"), "{status:?}");
    });
    assert!(!audited.kinds().contains(&"call"));
}

pub fn log_holds_no_payload() {
    let audited = Audited::new();
    run(async {
        let launch = audited.fixture(&["talk"]).args(["canary-of-the-launch"]);
        let plugin = launch.launch().await.unwrap();
        let mut request = tonic::Request::new("canary-of-the-request".to_owned());
        request.metadata_mut().insert("canary-of-metadata", "canary-of-metadata".parse().unwrap());
        request.extensions_mut().insert(Arguments::new().with("key", "canary-of-an-argument").unwrap());
        let answer = talk::one(plugin.channel(), "Echo", request).await.unwrap();
        assert_eq!(answer, "echo canary-of-the-request");
        plugin.shutdown(LONG).await;
    });
    let calls = audited.calls();
    let argument = ("key".to_owned(), audited.key.of(b"canary-of-an-argument"));
    assert_eq!(calls[0].arguments, [argument].into());
    let begun = audited.all(|event| if let Event::Launch(launch) = event { Some(launch) } else { None });
    assert_eq!(begun[0].arguments[1], audited.key.of(b"canary-of-the-launch"));
    assert!(!audited.text().contains("canary"));
}

pub fn exit_of_a_dropped_plugin_is_recorded() {
    let audited = Audited::new();
    run(async {
        drop(talk(&audited).await);
        while !audited.kinds().contains(&"exit") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let exits =
        |audited: &Audited| audited.all(|event| if let Event::Exit(exit) = event { Some(exit.exit) } else { None });
    assert_eq!(exits(&audited), ["signal 9"]);
    // Without a runtime, nothing can observe how the plugin exited.
    let audited = Audited::new();
    let plugin = run(talk(&audited));
    drop(plugin);
    assert_eq!(exits(&audited), ["an unknown exit status"]);
}

pub fn every_launch_has_a_unique_name() {
    let audited = Audited::new();
    let (first, second) = run(async {
        let (first, second) = (talk(&audited).await, talk(&audited).await);
        talk::one(second.channel(), "Echo", "x".to_owned()).await.unwrap();
        talk::one(first.channel(), "Echo", "x".to_owned()).await.unwrap();
        (first.report().launch.unwrap(), second.report().launch.unwrap())
    });
    assert_ne!(first, second);
    let calls: Vec<(LaunchId, u64)> = audited.calls().iter().map(|call| (call.launch, call.call)).collect();
    assert_eq!(calls, [(second, 1), (first, 1)]);
}

pub fn best_effort_plugins_run_without_the_log() {
    let audited = Audited::with(portcullis::audit::LogBuilder::best_effort);
    audited.log.close().unwrap();
    run(async {
        let plugin = talk(&audited).await;
        assert_eq!(talk::one(plugin.channel(), "Echo", "x".to_owned()).await.unwrap(), "echo x");
    });
}

pub fn launch_without_a_log_has_no_name() {
    let place = Place::new();
    run(async {
        let plugin = place.fixture(&["talk"]).launch().await.unwrap();
        assert_eq!(plugin.report().launch, None);
        assert_eq!(talk::one(plugin.channel(), "Echo", "x".to_owned()).await.unwrap(), "echo x");
    });
}
