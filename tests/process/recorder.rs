//! Recorders that are not audit logs: an application records in its own way, and a recorder that
//! fails prevents the action.

use std::path::Path;
use std::sync::{Arc, Mutex};

use portcullis::event::{Event, RecordError, Recorder, Recording};
use portcullis::host::{self, ShutdownPath};
use portcullis::{Error, Policy};
use tonic::Code;

use crate::support::{LONG, OWN_DIGEST, OWN_PATH, Place, run};
use crate::talk;

/// Keeps the kinds of all events in order, and refuses one kind.
#[derive(Debug, Default)]
struct Memory {
    kinds: Mutex<Vec<&'static str>>,
    refused: Option<&'static str>,
}

impl Memory {
    fn refusing(kind: &'static str) -> Arc<Self> {
        Arc::new(Self { refused: Some(kind), ..Self::default() })
    }

    fn kinds(&self) -> Vec<&'static str> {
        self.kinds.lock().unwrap().clone()
    }
}

impl Recorder for Memory {
    fn record(&self, event: Event) -> Recording {
        if self.refused == Some(event.kind()) {
            return Recording::done(Err(RecordError::new("the table is full")));
        }
        self.kinds.lock().unwrap().push(event.kind());
        // Reported from another thread, as a database would.
        let (acknowledgement, recording) = Recording::pending();
        std::thread::spawn(move || acknowledgement.report(Ok(())));
        recording
    }
}

pub fn application_recorder_sees_a_whole_launch() {
    let (place, recorder) = (Place::new(), Arc::new(Memory::default()));
    let verified = host::verify(&Policy::new().allow(*OWN_DIGEST), &*OWN_PATH, &*recorder).unwrap();
    run(async {
        let plugin = place.fixture_of(verified, &["talk"]).with_recorder(recorder.clone()).launch().await.unwrap();
        assert_eq!(recorder.kinds(), ["verification", "launch", "handshake", "connection", "ready"]);
        assert_eq!(talk::one(plugin.channel(), "Echo", "hello".to_owned()).await.unwrap(), "echo hello");
        assert_eq!(recorder.kinds()[5..], ["call", "returned"]);
        assert_eq!(plugin.shutdown(LONG).await.path, ShutdownPath::Asked);
        assert!(plugin.report().launch.is_some());
    });
    assert_eq!(recorder.kinds()[7..], ["exit", "shutdown"]);
}

pub fn failing_recorder_prevents_the_launch() {
    let place = Place::new();
    let refused = host::verify(&Policy::new().allow(*OWN_DIGEST), &*OWN_PATH, &*Memory::refusing("verification"));
    assert!(matches!(refused.unwrap_err(), Error::Record(_)));
    for (kind, seen) in [("launch", &[][..]), ("ready", &["launch", "handshake", "connection", "launch_failed"])] {
        let recorder = Memory::refusing(kind);
        let started = place.file("started");
        let launch = place.fixture(&["state", started.to_str().unwrap()]);
        let launch = if kind == "launch" { launch } else { place.fixture(&["serve"]) };
        let error = run(launch.with_recorder(recorder.clone()).launch()).unwrap_err();
        let Error::Record(reason) = &error else { panic!("{error:?}") };
        assert_eq!((reason.to_string().as_str(), error.is_refusal()), ("the table is full", false));
        assert_eq!(recorder.kinds(), seen);
        assert!(!Path::new(&started).exists(), "a process was started before its launch was recorded");
        assert_eq!(place.directories(), 0);
    }
}

pub fn failing_recorder_prevents_the_call() {
    let (place, recorder) = (Place::new(), Memory::refusing("call"));
    run(async {
        let plugin = place.fixture(&["talk"]).with_recorder(recorder.clone()).launch().await.unwrap();
        let status = talk::one(plugin.channel(), "Echo", "hello".to_owned()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().ends_with("and was not made: the table is full"), "{status:?}");
        plugin.shutdown(LONG).await;
    });
    assert_eq!(recorder.kinds(), ["launch", "handshake", "connection", "ready", "exit", "shutdown"]);
}
