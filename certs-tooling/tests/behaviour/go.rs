//! The profile of go-plugin, held against Go's own encoder: it writes the same certificate, and
//! accepts ours.

use std::path::Path;
use std::process::{Command, Stdio};

use certs_tooling::{AutoMtls, Certificate, Profile};

use super::{directory, profile, skip, stderr, x509};

/// The subject key identifier: older versions of Go hash the key with SHA-1.
const SUBJECT_KEY_IDENTIFIER: &str = "2.5.29.14";

#[test]
fn go_agrees_on_the_go_plugin_certificate() {
    if !Command::new("go").arg("version").stdout(Stdio::null()).status().is_ok_and(|status| status.success()) {
        return skip("there is no go");
    }
    let place = directory();
    let ours = AutoMtls::generate(Profile::GoPlugin).unwrap();
    let written = ours.write(place.path()).unwrap();
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/go/main.go");
    let output = Command::new("timeout")
        .args(["300", "go", "run"])
        .arg(program)
        .args([&written.certificate, &written.key])
        // Go's own library, and nothing from elsewhere.
        .envs([("GO111MODULE", "off"), ("GOTOOLCHAIN", "local"), ("GOFLAGS", "")])
        .current_dir(place.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let certificates = certs_tooling::parse(&output.stdout).unwrap();
    let [gos] = certificates.as_slice() else { panic!("{} certificates", certificates.len()) };
    assert_eq!(fixed(ours.certificate()), fixed(gos));
}

/// All of a certificate of the profile that is not new in each.
fn fixed(certificate: &Certificate) -> String {
    let x509 = x509(certificate);
    let extensions: Vec<_> = x509
        .extensions()
        .iter()
        .map(|extension| match extension.oid.to_id_string() {
            oid if oid == SUBJECT_KEY_IDENTIFIER => (oid, extension.critical, extension.value.len(), None),
            oid => (oid, extension.critical, extension.value.len(), Some(extension.value)),
        })
        .collect();
    let names = (x509.subject().as_raw(), x509.issuer().as_raw());
    let generalized = x509.validity().not_after.is_generalizedtime();
    format!("{}\n{names:?}\n{generalized}\n{extensions:?}", profile(certificate))
}
