//! Interchange with openssl(1) in both directions: it reads what we make and judges it by its role,
//! and we read what it makes.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use certs_tooling::{
    AutoMtls, Ca, CaError, Host, Identity, Inspection, IssueError, KeyAlgorithm, Profile, Remark, Request, SelfSigned,
};
use tempfile::TempDir;

use super::{Ends, certs_tooling, directory, skip, stderr, stdout};

/// A directory, if there is an openssl to be run in it.
fn place() -> Option<TempDir> {
    let version = Command::new("openssl").arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if version.is_ok_and(|status| status.success()) {
        return Some(directory());
    }
    skip("there is no openssl");
    None
}

fn run(directory: &Path, arguments: &[&str]) -> Output {
    let output = Command::new("timeout").args(["60", "openssl"]).args(arguments).current_dir(directory).output();
    output.unwrap()
}

/// What openssl prints, where it must succeed.
#[track_caller]
fn openssl(directory: &Path, arguments: &[&str]) -> String {
    let output = run(directory, arguments);
    assert!(output.status.success(), "openssl {arguments:?}: {}", stderr(&output));
    stdout(&output).to_owned()
}

#[track_caller]
fn inspect(path: &Path) -> Inspection {
    let certificates = certs_tooling::read(path).unwrap();
    assert_eq!(certificates.len(), 1);
    Inspection::of(&certificates[0]).unwrap()
}

#[test]
fn openssl_accepts_each_end_in_its_role_only() {
    let Some(place) = place() else { return };
    for algorithm in [KeyAlgorithm::P256, KeyAlgorithm::Ed25519] {
        let ends = Ends::new(algorithm);
        let directory = place.path().join(algorithm.to_string());
        ends.ca.write(&directory).unwrap();
        ends.host.write(&directory).unwrap();
        ends.plugin.write(&directory).unwrap();
        let verify = |purpose, name: &str| {
            let strict = ["verify", "-x509_strict", "-CAfile", "ca.pem", "-purpose", purpose, name];
            run(&directory, &strict).status.success()
        };
        assert!(verify("sslclient", "host.pem") && verify("sslserver", "plugin.pem"), "{algorithm}");
        assert!(!verify("sslserver", "host.pem"), "a host must not be taken for a plugin");
        assert!(!verify("sslclient", "plugin.pem"), "a plugin must not be taken for a host");
    }
}

#[test]
fn openssl_refuses_what_an_identity_signed() {
    let Some(place) = place() else { return };
    let ends = Ends::new(KeyAlgorithm::P256);
    ends.ca.write(place.path()).unwrap();
    ends.host.write(place.path()).unwrap();
    let request = ["req", "-newkey", "ed25519", "-nodes", "-subj", "/CN=x", "-keyout", "x-key.pem", "-out", "x.csr"];
    openssl(place.path(), &request);
    openssl(
        place.path(),
        &[
            "x509",
            "-req",
            "-in",
            "x.csr",
            "-CA",
            "host.pem",
            "-CAkey",
            "host-key.pem",
            "-CAcreateserial",
            "-out",
            "x.pem",
        ],
    );
    let output = run(place.path(), &["verify", "-CAfile", "ca.pem", "-untrusted", "host.pem", "x.pem"]);
    assert!(!output.status.success(), "an identity is no CA: {}", stdout(&output));
    // The same request, signed by the CA itself, shows that nothing else was wrong with it.
    openssl(
        place.path(),
        &["x509", "-req", "-in", "x.csr", "-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial", "-out", "y.pem"],
    );
    openssl(place.path(), &["verify", "-CAfile", "ca.pem", "y.pem"]);
}

#[test]
fn openssl_matches_each_key_to_its_certificate() {
    let Some(place) = place() else { return };
    let keys = |directory: &Path, name: &str| {
        let key = openssl(directory, &["pkey", "-in", &format!("{name}-key.pem"), "-pubout"]);
        let certificate = openssl(directory, &["x509", "-in", &format!("{name}.pem"), "-noout", "-pubkey"]);
        assert_eq!(key, certificate, "{name}");
        openssl(directory, &["pkey", "-in", &format!("{name}-key.pem"), "-check", "-noout"]);
    };
    for algorithm in [KeyAlgorithm::P256, KeyAlgorithm::Ed25519] {
        let directory = place.path().join(algorithm.to_string());
        let ends = Ends::new(algorithm);
        ends.ca.write(&directory).unwrap();
        ends.host.write(&directory).unwrap();
        keys(&directory, "ca");
        keys(&directory, "host");
    }
    for profile in [Profile::Portcullis, Profile::GoPlugin] {
        let directory = place.path().join(profile.to_string());
        AutoMtls::generate(profile).unwrap().write(&directory).unwrap();
        keys(&directory, "auto-mtls");
    }
}

#[test]
fn openssl_sees_the_certificate_of_go_plugin() {
    let Some(place) = place() else { return };
    AutoMtls::generate(Profile::GoPlugin).unwrap().write(place.path()).unwrap();
    let text = openssl(place.path(), &["x509", "-in", "auto-mtls.pem", "-noout", "-text"]);
    for expected in [
        "Version: 3 (0x2)",
        "Signature Algorithm: ecdsa-with-SHA512",
        "NIST CURVE: P-521",
        "X509v3 Key Usage: critical\n                Digital Signature, Key Encipherment, Key Agreement, Certificate Sign\n",
        "TLS Web Client Authentication, TLS Web Server Authentication\n",
        "X509v3 Basic Constraints: critical\n                CA:TRUE\n",
        "X509v3 Subject Alternative Name: \n                DNS:localhost\n",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in {text}");
    }
    // Trusted as go-plugin trusts it: as the root of itself.
    for purpose in ["sslclient", "sslserver"] {
        openssl(
            place.path(),
            &["verify", "-check_ss_sig", "-CAfile", "auto-mtls.pem", "-purpose", purpose, "auto-mtls.pem"],
        );
    }
}

#[test]
fn fingerprints_and_serial_numbers_are_those_of_openssl() {
    let Some(place) = place() else { return };
    let ends = Ends::new(KeyAlgorithm::P256);
    let path = ends.plugin.write(place.path()).unwrap().certificate;
    let seen = inspect(&path);
    let plain = |text: &str| text.trim().rsplit('=').next().unwrap().replace(':', "").to_lowercase();
    let fingerprint = openssl(place.path(), &["x509", "-in", "plugin.pem", "-noout", "-fingerprint", "-sha256"]);
    assert_eq!(seen.fingerprint.to_string(), plain(&fingerprint));
    let serial = openssl(place.path(), &["x509", "-in", "plugin.pem", "-noout", "-serial"]);
    assert_eq!(seen.serial, plain(&serial));
    openssl(place.path(), &["x509", "-in", "plugin.pem", "-noout", "-pubkey", "-out", "public.pem"]);
    openssl(place.path(), &["pkey", "-pubin", "-in", "public.pem", "-outform", "DER", "-out", "public.der"]);
    let key = openssl(place.path(), &["dgst", "-sha256", "public.der"]);
    assert_eq!(seen.key_fingerprint.to_string(), plain(&key.replace(' ', "")));
    let shown = certs_tooling(place.path()).args(["fingerprint", "plugin.pem"]).output().unwrap();
    let expected =
        format!("plugin.pem\n  sha256       {}\n  key sha256   {}\n", seen.fingerprint, seen.key_fingerprint);
    assert_eq!(stdout(&shown), expected);
}

/// A self-signed certificate as openssl makes one, with `options`.
#[track_caller]
fn made_by_openssl(place: &Path, options: &[&str]) -> Inspection {
    let fixed =
        ["req", "-x509", "-nodes", "-subj", "/O=An, Organization/CN=x", "-keyout", "key.pem", "-out", "made.pem"];
    openssl(place, &[&fixed[..], options].concat());
    inspect(&place.join("made.pem"))
}

#[test]
fn certificates_of_openssl_are_read() {
    let Some(place) = place() else { return };
    let p384 = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"];
    let p521 = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521", "-sha512"];
    let cases: [(&[&str], &str, usize, &str); 4] = [
        (&["-newkey", "rsa:2048"], "RSA", 2048, "sha256WithRSAEncryption"),
        (&p384, "P-384", 384, "ecdsa-with-SHA256"),
        (&p521, "P-521", 521, "ecdsa-with-SHA512"),
        (&["-newkey", "ed25519"], "Ed25519", 256, "Ed25519"),
    ];
    for (options, algorithm, bits, signature) in cases {
        let names = "subjectAltName=DNS:kv.example,IP:::1,email:a@example.org,URI:spiffe://example.org/kv";
        let usages = "extendedKeyUsage=serverAuth,codeSigning,1.2.3.4";
        let seen = made_by_openssl(place.path(), &[options, &["-addext", names, "-addext", usages]].concat());
        assert_eq!((seen.key.algorithm.as_str(), seen.key.bits), (algorithm, bits));
        assert_eq!(seen.signature_algorithm, signature);
        assert_eq!(seen.self_signed, SelfSigned::Yes, "{algorithm}");
        assert_eq!(seen.subject, "O=\"An, Organization\", CN=x");
        let names = ["DNS:kv.example", "IP:::1", "email:a@example.org", "URI:spiffe://example.org/kv"];
        assert_eq!(seen.alternative_names, names);
        assert_eq!(seen.extended_key_usages, ["serverAuth", "codeSigning", "1.2.3.4"]);
        assert_eq!(seen.remarks, [Remark::CaAsLeaf]);
    }
}

#[test]
fn openssl_certificate_faults_are_reported() {
    let Some(place) = place() else { return };
    let leaf = ["-newkey", "ed25519", "-addext", "basicConstraints=critical,CA:FALSE"];
    assert_eq!(made_by_openssl(place.path(), &leaf).remarks, [Remark::NoAlternativeName]);
    let named = [&leaf[..], &["-addext", "subjectAltName=DNS:x"]].concat();
    assert_eq!(made_by_openssl(place.path(), &named).remarks, []);
    let short = ["-newkey", "rsa:1024", "-sha1"];
    let weak = Remark::WeakSignature { algorithm: "sha1WithRSAEncryption".into() };
    assert_eq!(made_by_openssl(place.path(), &short).remarks, [Remark::ShortRsaKey { bits: 1024 }, weak]);
    let old = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime192v1"];
    let weak = Remark::WeakKey { algorithm: "P-192".into(), bits: 192 };
    assert_eq!(made_by_openssl(place.path(), &old).remarks, [weak]);
    let unknown = made_by_openssl(place.path(), &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"]);
    assert_eq!(unknown.remarks, [Remark::UnknownKey { algorithm: "1.3.132.0.10".into() }]);
    assert_eq!(unknown.self_signed, SelfSigned::Unproven);
}

#[test]
fn unverifiable_signature_is_not_called_wrong() {
    let Some(place) = place() else { return };
    let long_salt = ["-newkey", "rsa:2048", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:100"];
    let cases: [(&[&str], SelfSigned); 6] = [
        (&long_salt, SelfSigned::Unproven),
        (&["-newkey", "rsa:1024", "-sha256"], SelfSigned::Unproven),
        (&["-newkey", "rsa:1024", "-sha1"], SelfSigned::Yes),
        (&["-newkey", "rsa:2048", "-sha224"], SelfSigned::Unproven),
        (&["-newkey", "rsa:2048", "-pkeyopt", "rsa_keygen_pubexp:3"], SelfSigned::Yes),
        (&["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-sha512"], SelfSigned::Unproven),
    ];
    for (options, expected) in cases {
        assert_eq!(made_by_openssl(place.path(), options).self_signed, expected, "{options:?}");
    }
}

#[test]
fn expired_certificate_gets_a_remark() {
    let Some(place) = place() else { return };
    // The one way to choose dates that openssl has had for long.
    let configuration = "[ca]\ndefault_ca = this\n\
        [this]\ndatabase = index.txt\nnew_certs_dir = .\nrand_serial = yes\ndefault_md = sha256\npolicy = any\nx509_extensions = leaf\n\
        [any]\ncommonName = supplied\n[leaf]\nsubjectAltName = DNS:x\n";
    fs::write(place.path().join("ca.cnf"), configuration).unwrap();
    fs::write(place.path().join("index.txt"), "").unwrap();
    let request = ["-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-keyout", "key.pem", "-out", "x.csr"];
    openssl(place.path(), &[&["req"], &request[..]].concat());
    let files = ["-config", "ca.cnf", "-keyfile", "key.pem", "-in", "x.csr", "-out", "made.pem", "-notext"];
    let dates = ["-startdate", "20200101000000Z", "-enddate", "20210101000000Z"];
    openssl(place.path(), &[&["ca", "-batch", "-selfsign"], &files[..], &dates].concat());
    let seen = inspect(&place.path().join("made.pem"));
    assert_eq!((seen.not_before(), seen.not_after()), ("2020-01-01T00:00:00Z".into(), "2021-01-01T00:00:00Z".into()));
    assert_eq!(seen.remarks, [Remark::Expired]);
}

#[test]
fn openssl_ca_issues_identities() {
    let Some(place) = place() else { return };
    let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "365"];
    let usage = ["-addext", "keyUsage=critical,keyCertSign"];
    let make = |options: &[&str]| {
        made_by_openssl(place.path(), options);
        let read = |name| fs::read(place.path().join(name)).unwrap();
        Ca::from_pem(&read("made.pem"), &read("key.pem"))
    };
    assert!(matches!(make(&curve), Err(CaError::MayNotSign)), "without a key usage nobody said that it may");
    let nameless = ["-addext", "subjectKeyIdentifier=none"];
    assert!(matches!(make(&[&curve[..], &usage, &nameless].concat()), Err(CaError::NoKeyIdentifier)));
    let p384 = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"];
    assert!(matches!(make(&[&p384[..], &usage].concat()), Err(CaError::Key(_))));

    let ca = make(&[&curve[..], &usage].concat()).unwrap();
    let request = Request::new("host".parse().unwrap(), "localhost".parse().unwrap());
    Identity::<Host>::issue(&request, &ca).unwrap().write(place.path()).unwrap();
    openssl(place.path(), &["verify", "-x509_strict", "-CAfile", "made.pem", "-purpose", "sslclient", "host.pem"]);
    // A name in which a part is there twice would lose one.
    let ca = make(&[&curve[..], &usage, &["-subj", "/O=a/O=b/CN=x"]].concat()).unwrap();
    let error = Identity::<Host>::issue(&request, &ca).unwrap_err();
    assert!(matches!(error, IssueError::IssuerName), "{error}");
}
