//! Copies sent to a socket in the place of the daemon, and to rsyslogd if it is installed.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use super::*;
use crate::Chain as Causes;
use crate::audit::evidence::chain::Chain;
use crate::event::Event;

fn record(event: &Event) -> Record {
    let (mut chain, mut lines) = (Chain::start(), Vec::new());
    assert!(chain.write(&mut lines, SystemTime::now(), event));
    Record::parse(lines.strip_suffix(b"\n").unwrap()).unwrap()
}

fn application() -> Record {
    record(&Event::application("kv", [("user", "%n $(id) <13> \n")]))
}

fn lost() -> Record {
    record(&serde_json::from_str(r#"{"type":"lost","records":1}"#).unwrap())
}

fn received(daemon: &UnixDatagram) -> String {
    let mut buffer = vec![0; 1 << 16];
    let length = daemon.recv(&mut buffer).unwrap();
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

/// Splits a message into priority, tag and record.
fn parts(message: &str) -> (&str, &str, &str) {
    let (priority, rest) = message.strip_prefix('<').unwrap().split_once('>').unwrap();
    // `Nov 25 06:58:00 `
    let (tag, line) = rest[16..].split_once(": ").unwrap();
    (priority, tag, line)
}

#[test]
fn record_arrives_whole_with_priority_and_tag() {
    let place = tempfile::tempdir().unwrap();
    let daemon = UnixDatagram::bind(place.path().join("log")).unwrap();
    let mut sink = SyslogSink::at(place.path().join("log"), "kv-host").unwrap();
    let tag = format!("kv-host[{}]", std::process::id());
    // authpriv is 10, warning 4 and info 6 (RFC 5424, section 6.2.1).
    for (record, priority) in [(application(), "86"), (lost(), "84")] {
        sink.deliver(&record).unwrap();
        let message = received(&daemon);
        assert_eq!(parts(&message), (priority, tag.as_str(), record.line()));
    }
}

#[test]
fn restarted_daemon_gets_the_next_record() {
    let place = tempfile::tempdir().unwrap();
    let socket = place.path().join("log");
    let mut sink = SyslogSink::at(&socket, "kv-host").unwrap();
    let record = application();
    let failed = sink.deliver(&record).unwrap_err();
    assert!(matches!(failed.downcast_ref(), Some(SyslogSinkError::Connect { .. })), "{failed:?}");
    assert!(Causes::of(&*failed).to_string().ends_with(": No such file or directory (os error 2)"));
    for _ in 0..2 {
        let daemon = UnixDatagram::bind(&socket).unwrap();
        for _ in 0..2 {
            sink.deliver(&record).unwrap();
            assert_eq!(parts(&received(&daemon)).2, record.line());
        }
        drop(daemon);
        fs::remove_file(&socket).unwrap();
    }
    assert!(sink.deliver(&record).is_err());
}

#[test]
fn record_too_long_for_syslog_is_not_sent() {
    let place = tempfile::tempdir().unwrap();
    let daemon = UnixDatagram::bind(place.path().join("log")).unwrap();
    let mut sink = SyslogSink::at(place.path().join("log"), "kv-host").unwrap();
    let large = |length: usize| {
        let facts = (0..8).map(|number| (number.to_string(), "v".repeat(length / 8)));
        record(&Event::application("large", facts))
    };
    let fits = large(SYSLOG_LINE_BYTES - 400);
    sink.deliver(&fits).unwrap();
    assert_eq!(parts(&received(&daemon)).2, fits.line());
    let refused = sink.deliver(&large(SYSLOG_LINE_BYTES)).unwrap_err();
    assert!(matches!(refused.downcast_ref(), Some(SyslogSinkError::TooLong)), "{refused:?}");
    daemon.set_nonblocking(true).unwrap();
    assert!(daemon.recv(&mut [0; 16]).is_err());
}

#[test]
fn invalid_program_name_is_refused() {
    for tag in ["", "two words", "a]", "a:", "a\nb", "ä", &"a".repeat(SYSLOG_TAG_BYTES + 1)] {
        assert!(matches!(SyslogSink::new(tag), Err(SyslogSinkError::Tag)), "{tag:?}");
    }
    assert!(SyslogSink::new("usr/bin/kv-host_1.2").is_ok());
}

/// A process that is killed when this is dropped.
struct Daemon(std::process::Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn rsyslog_writes_the_whole_record() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name).to_str().unwrap().to_owned();
    let (socket, file, configuration) = (path("log"), path("file"), path("rsyslog.conf"));
    let text = format!(
        "module(load=\"imuxsock\" SysSock.Use=\"off\")\ninput(type=\"imuxsock\" Socket=\"{socket}\")\nauthpriv.* action(type=\"omfile\" file=\"{file}\")\n"
    );
    fs::write(&configuration, text).unwrap();
    let mut command = Command::new("rsyslogd");
    command.args(["-n", "-f", &configuration, "-i", &path("pid")]);
    let _daemon = match command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn() {
        Ok(daemon) => Daemon(daemon),
        Err(error) => return eprintln!("SKIPPED: rsyslogd cannot be started: {error}"),
    };
    let until = Instant::now() + Duration::from_secs(60);
    let mut sink = SyslogSink::at(&socket, "kv-host").unwrap();
    let record = application();
    while let Err(error) = sink.deliver(&record) {
        assert!(Instant::now() < until, "{}", Causes::of(&*error));
        std::thread::sleep(Duration::from_millis(20));
    }
    loop {
        let written = fs::read_to_string(&file).unwrap_or_default();
        if written.ends_with('\n') {
            let line = written.find('{').map(|at| written[at..].trim_end()).unwrap_or_default();
            assert_eq!(line, record.line(), "{written}");
            assert!(Record::parse(line.as_bytes()).is_ok());
            return;
        }
        assert!(Instant::now() < until, "rsyslogd wrote nothing");
        std::thread::sleep(Duration::from_millis(20));
    }
}
