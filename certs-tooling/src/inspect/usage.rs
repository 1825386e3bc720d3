//! What a certificate says it is for: its extensions, and what is odd about them. Holds nobody to it.

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{ExtendedKeyUsage, KeyUsage, ParsedExtension};

use super::names;
use super::{Authority, Remark};

/// The usage that a CA needs.
pub(crate) const KEY_CERT_SIGN: &str = "keyCertSign";

/// What the extensions say.
pub(super) struct Extensions {
    pub(super) alternative_names: Vec<String>,
    pub(super) key_usages: Vec<&'static str>,
    pub(super) extended_key_usages: Vec<String>,
    pub(super) authority: Authority,
    pub(super) remarks: Vec<Remark>,
}

impl Extensions {
    pub(super) fn of(x509: &X509Certificate<'_>) -> Self {
        let mut seen = Self {
            alternative_names: Vec::new(),
            key_usages: Vec::new(),
            extended_key_usages: Vec::new(),
            authority: Authority::None,
            remarks: Vec::new(),
        };
        for (index, extension) in x509.extensions().iter().enumerate() {
            let oid = extension.oid.to_id_string();
            if x509.extensions()[..index].iter().any(|earlier| earlier.oid == extension.oid) {
                // The first is shown. Which of them a peer takes is anybody's guess (RFC 5280, section 4.2).
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
    named.chain(usage.other.iter().map(|oid| oid.to_id_string())).collect()
}
