//! The extensions of a certificate, and remarks about them. Enforces nothing.

use std::collections::BTreeSet;

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{ExtendedKeyUsage, KeyUsage, ParsedExtension};

use super::{Authority, Remark, hexadecimal, names};

/// The key usage that a CA needs.
pub(crate) const KEY_CERT_SIGN: &str = "keyCertSign";

/// The facts in the extensions.
pub(super) struct Extensions {
    pub(super) alternative_names: Vec<String>,
    pub(super) key_usages: Vec<&'static str>,
    pub(super) extended_key_usages: Vec<String>,
    pub(super) key_identifier: Option<String>,
    pub(super) authority: Authority,
    pub(super) remarks: Vec<Remark>,
}

impl Extensions {
    pub(super) fn of(x509: &X509Certificate<'_>) -> Self {
        let mut seen = Self {
            alternative_names: Vec::new(),
            key_usages: Vec::new(),
            extended_key_usages: Vec::new(),
            key_identifier: None,
            authority: Authority::None,
            remarks: Vec::new(),
        };
        let mut known = BTreeSet::new();
        for extension in x509.extensions() {
            let oid = names::identifier(&extension.oid);
            if !known.insert(extension.oid.as_bytes()) {
                // RFC 5280, section 4.2, forbids a second one. Peers differ in which they use; the
                // first is shown.
                seen.remarks.push(Remark::RepeatedExtension { oid });
                continue;
            }
            match extension.parsed_extension() {
                ParsedExtension::SubjectAlternativeName(names) => {
                    seen.alternative_names = names.general_names.iter().map(names::general).collect();
                }
                ParsedExtension::KeyUsage(usage) => seen.key_usages = key_usages(usage),
                ParsedExtension::ExtendedKeyUsage(usage) => seen.extended_key_usages = extended_key_usages(usage),
                ParsedExtension::BasicConstraints(constraints) if constraints.ca => {
                    seen.authority = Authority::Ca { path_length: constraints.path_len_constraint };
                }
                ParsedExtension::SubjectKeyIdentifier(identifier) => {
                    seen.key_identifier = Some(hexadecimal(identifier.0));
                }
                ParsedExtension::ParseError { .. } => seen.remarks.push(Remark::MalformedExtension { oid }),
                ParsedExtension::UnsupportedExtension { .. } if extension.critical => {
                    seen.remarks.push(Remark::UnknownCriticalExtension { oid });
                }
                _ => {}
            }
        }
        seen
    }
}

fn key_usages(usage: &KeyUsage) -> Vec<&'static str> {
    let named = [
        (usage.digital_signature(), "digitalSignature"),
        (usage.non_repudiation(), "nonRepudiation"),
        (usage.key_encipherment(), "keyEncipherment"),
        (usage.data_encipherment(), "dataEncipherment"),
        (usage.key_agreement(), "keyAgreement"),
        (usage.key_cert_sign(), KEY_CERT_SIGN),
        (usage.crl_sign(), "cRLSign"),
        (usage.encipher_only(), "encipherOnly"),
        (usage.decipher_only(), "decipherOnly"),
    ];
    named.into_iter().filter_map(|(set, name)| set.then_some(name)).collect()
}

fn extended_key_usages(usage: &ExtendedKeyUsage<'_>) -> Vec<String> {
    let named = [
        (usage.any, "anyExtendedKeyUsage"),
        (usage.server_auth, "serverAuth"),
        (usage.client_auth, "clientAuth"),
        (usage.code_signing, "codeSigning"),
        (usage.email_protection, "emailProtection"),
        (usage.time_stamping, "timeStamping"),
        (usage.ocsp_signing, "OCSPSigning"),
    ];
    let named = named.into_iter().filter(|(set, _)| *set).map(|(_, name)| name.to_owned());
    named.chain(usage.other.iter().map(names::identifier)).collect()
}

#[cfg(test)]
mod tests {
    use rcgen::CustomExtension;

    use super::*;
    use crate::inspect::Inspection;
    use crate::validity::{Lifetime, Validity};
    use crate::{Certificate, KeyAlgorithm, PrivateKey, issue};

    fn remarks(extensions: &[(&[u64], bool, &[u8])]) -> Vec<Remark> {
        let key = PrivateKey::generate(KeyAlgorithm::P256).unwrap().signer().unwrap();
        let validity = Validity::from_now(Lifetime::default());
        let mut params = issue::parameters(issue::common_name("x"), validity, &key).unwrap();
        params.subject_alt_names = vec![rcgen::SanType::DnsName("x".try_into().unwrap())];
        for (oid, critical, content) in extensions {
            let mut extension = CustomExtension::from_oid_content(oid, content.to_vec());
            extension.set_criticality(*critical);
            params.custom_extensions.push(extension);
        }
        Inspection::of(&Certificate::new(params.self_signed(&key).unwrap())).unwrap().remarks
    }

    #[test]
    fn odd_extensions_get_remarks() {
        // 1.2.3.4 is unassigned; the others are key usage and the alternative names; 05 00 is a
        // NULL.
        let null = b"\x05\x00";
        assert_eq!(remarks(&[(&[1, 2, 3, 4], false, null)]), []);
        let unknown = Remark::UnknownCriticalExtension { oid: "1.2.3.4".into() };
        assert_eq!(remarks(&[(&[1, 2, 3, 4], true, null)]), [unknown]);
        let malformed = Remark::MalformedExtension { oid: "2.5.29.15".into() };
        assert_eq!(remarks(&[(&[2, 5, 29, 15], true, null)]), [malformed]);
        let repeated = Remark::RepeatedExtension { oid: "2.5.29.17".into() };
        assert_eq!(remarks(&[(&[2, 5, 29, 17], false, b"\x30\x03\x82\x01y")]), [repeated]);
    }
}
