//! `audit report`: pages of real logs. The text of a record cannot change the structure of a page.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Output;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::trail::Trail;
use super::{directory, plugin_verify, stderr, stdout};

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(directory())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn report(&self, line: &str) -> Output {
        plugin_verify(self.0.path(), "audit").arg("report").args(line.split(' ')).output().unwrap()
    }

    /// The page about a log, and the exit code.
    fn page(&self, log: &str) -> (String, Option<i32>) {
        fs::write(self.file("log"), log).unwrap();
        let output = self.report("log");
        (stdout(&output).to_owned(), output.status.code())
    }

    fn trail(&self) -> Trail {
        Trail::new(self.0.path(), "example.org/build-host/audit")
    }

    fn morning(&self) -> Trail {
        let mut trail = self.trail();
        trail.morning(&|word| word.to_owned());
        trail
    }
}

/// Whether a page says this somewhere, in one piece of text.
#[track_caller]
fn assert_says(page: &str, text: &str) {
    assert!(page.contains(text), "{text} is not on the page: {page}");
}

#[test]
fn page_shows_events_and_verification_result() {
    let place = Place::new();
    let trail = place.morning();
    fs::write(place.file("log"), trail.text()).unwrap();
    fs::write(place.file("kept"), trail.note()).unwrap();
    let output = place.report(&format!("log --key {} --checkpoint kept", trail.key()));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let page = stdout(&output);
    for said in [
        "<title>Intact – example.org/build-host/audit – audit report</title>",
        "signed by the trusted key",
        "Agrees: the checkpoint <code><bdi>kept</bdi></code>",
        "2026-11-25 06:00:00 to 2026-11-25 09:13:52 UTC",
        "<bdi>the plugin ended before it wrote its handshake line; it said: cannot open database</bdi>",
        "<bdi>signal 9</bdi><span class=\"aside\"> · <bdi>killed</bdi></span>",
        "1 ended, 1 failed",
        "ready, no recorded end",
        "<bdi>the lock file, which names its digest</bdi>",
        "<bdi>dangerous_set</bdi>",
        "9\u{202f}120\u{202f}331",
        "3 records lost",
        "211 bytes quarantined in",
        "<b>3</b> calls without outcome",
        "<bdi>NOT_FOUND</bdi>",
        "The last 200; 1\u{202f}758 records are earlier.",
    ] {
        assert_says(page, said);
    }
    assert_eq!(page.matches("<title>").count() - 1, page.matches("<rect").count() + page.matches("<path").count());
}

#[test]
fn self_consistent_log_alone_is_not_intact() {
    let place = Place::new();
    let (page, code) = place.page(place.morning().text());
    assert_eq!(code, Some(0));
    assert_says(&page, "<title>Consistent with its own key – ");
    assert_says(&page, "it is consistent, and nothing more is known.");
    assert_says(&page, "records could have been cut off at the end");
    let mut unsigned = place.trail();
    unsigned.opened("required", "portcullis 0.1.0", None);
    fs::write(place.file("log"), unsigned.text()).unwrap();
    let output = place.report(&format!("log --key {}", unsigned.key()));
    assert_says(stdout(&output), "<title>Consistent, but not signed yet – ");
    fs::write(place.file("kept"), unsigned.note()).unwrap();
    let output = place.report(&format!("log --key {} --checkpoint kept", unsigned.key()));
    assert_says(stdout(&output), "<title>Intact – ");
}

#[test]
fn log_with_uncovered_end_is_not_intact() {
    let place = Place::new();
    let mut trail = place.trail();
    trail.opened("required", "portcullis 0.1.0", None);
    trail.checkpoint();
    trail.opened("required", "portcullis 0.1.0", None);
    fs::write(place.file("log"), trail.text()).unwrap();
    let page = place.report(&format!("log --key {}", trail.key()));
    assert_says(stdout(&page), "<title>Intact, except for an unsigned end – ");
    assert_says(stdout(&page), "No checkpoint covers the last 1 record: ");
    fs::write(place.file("kept"), trail.note()).unwrap();
    let page = place.report(&format!("log --key {} --checkpoint kept", trail.key()));
    assert_says(stdout(&page), "<title>Intact – ");
}

#[test]
fn page_of_damaged_log_ends_at_damage() {
    let place = Place::new();
    let trail = place.morning();
    let (page, code) = place.page(&trail.text().replacen(r#""call":4903,"#, r#""call":4904,"#, 1));
    assert_eq!(code, Some(1));
    assert_says(&page, "<title>Damaged at record 519 – ");
    assert_says(&page, "at line <strong>520</strong> of <code><bdi>log</bdi></code>");
    assert_says(&page, "the record was changed");
    assert!(!page.contains("signal 9") && page.contains("<b>519</b> records"), "{page}");
    let lines: Vec<_> = trail.text().split_inclusive('\n').collect();
    fs::write(place.file("kept"), trail.note()).unwrap();
    for (log, headline) in [
        (lines[..lines.len() - 2].concat(), "Cut short"),
        (trail.text()[..trail.text().len() - 9].to_owned(), "Cut short"),
        (String::new(), "Empty"),
        ("junk\n".into(), "Damaged at record 0"),
    ] {
        fs::write(place.file("log"), log).unwrap();
        let output = place.report("log --checkpoint kept");
        assert_eq!(output.status.code(), Some(1), "{headline}");
        assert_says(stdout(&output), &format!("<title>{headline} – "));
        assert!(stderr(&output).contains("the log is not intact: "), "{}", stderr(&output));
    }
    let (page, _) = place.page(&trail.text()[..trail.text().len() - 9]);
    assert_says(&page, "<title>The last record is unfinished – ");
}

#[test]
fn log_text_is_always_escaped_in_html() {
    let place = Place::new();
    let page = |foreign: &str| {
        // Names of logs have no blanks.
        let name = foreign.chars().take(50).filter(|c| !c.is_whitespace() && !c.is_control() && *c != '+');
        let origin: String = "log".chars().chain(name).collect();
        let mut trail = Trail::new(place.0.path(), &origin);
        trail.morning(&|word| format!("{word}{foreign}"));
        let (page, code) = place.page(trail.text());
        assert_eq!(code, Some(0), "{foreign:.40}");
        page
    };
    let harmless = page("x");
    let count = |page: &str, mark: char| page.matches(mark).count();
    for foreign in [
        "<script>alert(1)</script>",
        "</style><script>alert(1)</script>",
        "\"' onmouseover=alert(1) x=\"",
        "</title></svg>--><img src=x onerror=alert(1)>",
        "&lt;b&gt;&#60;i>",
        "\u{1b}[2J\u{9b}31m\r\n\0\u{7f}",
        "\u{202e}\u{2066}\u{200f}\u{feff}\u{e0041}",
        &"<WWW".repeat(500),
    ] {
        let page = page(foreign);
        for mark in ['<', '>', '"'] {
            assert_eq!(count(&page, mark), count(&harmless, mark), "{mark} of {foreign:.40}");
        }
        let hidden =
            |c: char| c.is_control() && c != '\n' || matches!(c, '\u{200f}' | '\u{202e}' | '\u{2066}' | '\u{feff}');
        assert!(!page.contains(hidden), "{foreign:.40}");
        assert!(page.len() < 2 * harmless.len() + 400_000, "{} bytes", page.len());
    }
}

#[test]
fn page_policy_allows_only_its_own_style() {
    let place = Place::new();
    let (page, _) = place.page(place.morning().text());
    let (_, rest) = page.split_once("<style>").unwrap();
    let (style, rest) = rest.split_once("</style>").unwrap();
    let hash = STANDARD.encode(portcullis::Digest::of(style).as_bytes());
    let policy = format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'");
    assert_says(&page, &format!(r#"<meta http-equiv="Content-Security-Policy" content="{policy}">"#));
    for loading in ["<script", "<style", "<link", "<img", "<iframe", " style=", " src=", " href=", "url("] {
        assert!(!rest.contains(loading) && !style.contains(loading), "{loading}");
    }
    assert!(page.starts_with("<!DOCTYPE html><html lang=\"en\">"));
}

#[test]
fn report_does_not_grow_with_its_log() {
    let place = Place::new();
    let mut trail = place.trail();
    trail.opened("required", "portcullis 0.1.0", None);
    for number in 0..1000 {
        let launch = "00000000000000aa";
        trail.call(number, 0, &format!("/many.Service/Method{number:04}"), "OK");
        trail.add(&json!({"type": "application", "name": format!("event{number}"), "facts": {}}));
        trail.add(&json!({"type": "limit", "limit": format!("limit{number}"), "allowed": 1}));
        trail.add(&json!({"type": "weakened", "launch": launch, "switch": format!("dangerous_{number}")}));
        trail.add(
            &json!({"type": "launch_failed", "launch": launch, "refused": true, "reason": format!("reason{number}")}),
        );
    }
    assert!(trail.records() > 5000);
    let (page, code) = place.page(trail.text());
    assert_eq!(code, Some(0));
    for said in [
        "and 950 more methods",
        "and more than 150 more events",
        "and more than 150 more limits",
        "and 900 more earlier ones",
    ] {
        assert_says(&page, said);
    }
    assert_says(&page, "1\u{202f}000 calls of 1\u{202f}000 methods");
    assert!(page.matches("<tr>").count() < 600 && page.len() < 300_000, "{} bytes", page.len());
}

#[test]
fn page_is_private_and_replaces_only_pages() {
    let place = Place::new();
    let trail = place.morning();
    fs::write(place.file("log"), trail.text()).unwrap();
    for _ in 0..2 {
        let output = place.report("log -o page.html");
        assert_eq!((output.status.code(), stdout(&output)), (Some(0), ""), "{}", stderr(&output));
    }
    let page = fs::metadata(place.file("page.html")).unwrap();
    assert_eq!(page.permissions().mode() & 0o777, 0o600);
    std::os::unix::fs::symlink("page.html", place.file("link")).unwrap();
    fs::write(place.file("empty"), "").unwrap();
    for other in ["log", "trail.key", "empty", "link", ".", "/dev/null", "missing/page.html"] {
        let output = place.report(&format!("log -o {other}"));
        assert_eq!(output.status.code(), Some(2), "{other}: {}", stderr(&output));
    }
    assert_eq!(fs::read_to_string(place.file("log")).unwrap(), trail.text());
    fs::write(place.file("log"), "junk\n").unwrap();
    assert_eq!(place.report("log -o page.html").status.code(), Some(1));
    assert_says(&fs::read_to_string(place.file("page.html")).unwrap(), "<title>Damaged at record 0 – ");
}

#[test]
fn json_document_holds_page_or_its_path() {
    let place = Place::new();
    fs::write(place.file("log"), place.morning().text()).unwrap();
    let document = |line: &str| serde_json::from_slice::<Value>(&place.report(line).stdout).unwrap();
    let written = document("log --json -o page.html");
    assert_eq!(
        (&written["schema"], &written["verb"], &written["outcome"]),
        (&2.into(), &"audit report".into(), &"ok".into())
    );
    assert_eq!(
        (&written["log"], &written["file"], &written["page"]),
        (&"log".into(), &"page.html".into(), &Value::Null)
    );
    assert_eq!(written["verification"]["intact"], true);
    let carried = document("log --json");
    assert_eq!(carried["page"], fs::read_to_string(place.file("page.html")).unwrap());
    fs::write(place.file("log"), "junk\n").unwrap();
    assert_eq!(document("log --json")["outcome"], "refused");
}
