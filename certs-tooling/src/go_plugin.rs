//! A launch certificate with a P-521 key, encoded byte for byte as go-plugin encodes it. Verifies
//! nothing.
//!
//! ring has no P-521, and rcgen supports that curve only with another library, so this file encodes
//! the certificate itself. Use the key for debugging only: the arithmetic of the p521 crate is
//! meant to run in constant time, but has not been audited.

use std::time::Duration;

use p521::ecdsa::signature::Signer;
use p521::ecdsa::{DerSignature, SigningKey};
use ring::rand::{SecureRandom, SystemRandom};
use time::OffsetDateTime;
use yasna::models::{GeneralizedTime, ObjectIdentifier, UTCTime};
use yasna::{DERWriter, DERWriterSeq, Tag};
use zeroize::Zeroizing;

use crate::Certificate;
use crate::issue::{self, IssueError, LOCALHOST};
use crate::key::{KeyError, PrivateKey};
use crate::validity::Validity;

const BACKDATED: Duration = Duration::from_secs(30);
const LIFETIME: Duration = Duration::from_secs(262_980 * 60 * 60);

const ORGANIZATION: &[u64] = &[2, 5, 4, 10];
const COMMON_NAME: &[u64] = &[2, 5, 4, 3];
const EC_PUBLIC_KEY: &[u64] = &[1, 2, 840, 10045, 2, 1];
const SECP521R1: &[u64] = &[1, 3, 132, 0, 35];
const ECDSA_WITH_SHA512: &[u64] = &[1, 2, 840, 10045, 4, 3, 4];
const KEY_USAGE: &[u64] = &[2, 5, 29, 15];
const EXTENDED_KEY_USAGE: &[u64] = &[2, 5, 29, 37];
const CLIENT_AUTH: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 3, 2];
const SERVER_AUTH: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 3, 1];
const BASIC_CONSTRAINTS: &[u64] = &[2, 5, 29, 19];
const SUBJECT_KEY_IDENTIFIER: &[u64] = &[2, 5, 29, 14];
const SUBJECT_ALTERNATIVE_NAME: &[u64] = &[2, 5, 29, 17];

/// digitalSignature, keyEncipherment, keyAgreement, keyCertSign: bits 0, 2, 4 and 5 from the left
/// (RFC 5280, section 4.2.1.3).
const KEY_USAGE_BITS: u8 = 0b1010_1100;
const KEY_USAGE_LENGTH: usize = 6;

/// The lengths in bytes of a secret scalar and of an uncompressed point.
const SECRET_LENGTH: usize = 66;
const POINT_LENGTH: usize = 133;

/// The PKCS #8 encoding around a P-521 key (RFC 5958, RFC 5915): the bytes before the secret, and
/// those between secret and point. All lengths are fixed.
const PKCS8_HEAD: &[u8] = b"\x30\x81\xee\x02\x01\x00\
    \x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x23\
    \x04\x81\xd6\x30\x81\xd3\x02\x01\x01\x04\x42";
const PKCS8_MIDDLE: &[u8] = b"\xa1\x81\x89\x03\x81\x86\x00";

/// How many scalars are drawn before giving up. Only one in about 2^256 is out of range.
const DRAWS: usize = 16;

pub(crate) fn generate() -> Result<(PrivateKey, Certificate), IssueError> {
    let (secret, signing) = draw()?;
    let point = signing.verifying_key().to_sec1_point(false);
    let mut pkcs8 =
        Zeroizing::new(Vec::with_capacity(PKCS8_HEAD.len() + SECRET_LENGTH + PKCS8_MIDDLE.len() + POINT_LENGTH));
    for part in [PKCS8_HEAD, secret.as_slice(), PKCS8_MIDDLE, point.as_bytes()] {
        pkcs8.extend_from_slice(part);
    }
    let certificate = certificate(&signing, point.as_bytes())?;
    Ok((PrivateKey::from_pkcs8(pkcs8)?, certificate))
}

/// A secret scalar from one to the order of the curve. Rejection sampling keeps the distribution
/// uniform.
fn draw() -> Result<(Zeroizing<[u8; SECRET_LENGTH]>, SigningKey), IssueError> {
    let mut secret = Zeroizing::new([0; SECRET_LENGTH]);
    for _ in 0..DRAWS {
        SystemRandom::new().fill(secret.as_mut_slice()).map_err(|_| KeyError::NoRandomness)?;
        // 521 bits are 65 bytes and one bit; the other bits of the first byte must be zero.
        secret[0] &= 1;
        if let Ok(key) = SigningKey::from_slice(secret.as_slice()) {
            return Ok((secret, key));
        }
    }
    Err(KeyError::NoRandomness.into())
}

fn certificate(key: &SigningKey, point: &[u8]) -> Result<Certificate, IssueError> {
    let serial = issue::serial()?;
    let validity = Validity::around_now(BACKDATED, LIFETIME);
    let body = yasna::construct_der(|writer| {
        writer.write_sequence(|writer| write_body(writer, &serial, validity, point));
    });
    let signature: DerSignature = key.try_sign(&body).map_err(|_| IssueError::Unverified)?;
    let der = yasna::construct_der(|writer| {
        writer.write_sequence(|writer| {
            writer.next().write_der(&body);
            write_algorithm(writer.next(), &[ECDSA_WITH_SHA512]);
            write_bits(writer.next(), signature.as_bytes());
        });
    });
    Ok(Certificate::new(der))
}

/// The TBSCertificate (RFC 5280, section 4.1), in the order of Go's encoder.
fn write_body(writer: &mut DERWriterSeq<'_>, serial: &[u8], validity: Validity, point: &[u8]) {
    writer.next().write_tagged(Tag::context(0), |writer| writer.write_u8(2));
    writer.next().write_bigint_bytes(serial, true);
    write_algorithm(writer.next(), &[ECDSA_WITH_SHA512]);
    write_name(writer.next());
    writer.next().write_sequence(|writer| {
        write_time(writer.next(), validity.not_before);
        write_time(writer.next(), validity.not_after);
    });
    write_name(writer.next());
    writer.next().write_sequence(|writer| {
        write_algorithm(writer.next(), &[EC_PUBLIC_KEY, SECP521R1]);
        write_bits(writer.next(), point);
    });
    writer.next().write_tagged(Tag::context(3), |writer| {
        writer.write_sequence(|writer| write_extensions(writer, point));
    });
}

fn write_extensions(writer: &mut DERWriterSeq<'_>, point: &[u8]) {
    write_extension(writer.next(), KEY_USAGE, true, |writer| {
        writer.write_bitvec_bytes(&[KEY_USAGE_BITS], KEY_USAGE_LENGTH);
    });
    write_extension(writer.next(), EXTENDED_KEY_USAGE, false, |writer| {
        write_algorithm(writer, &[CLIENT_AUTH, SERVER_AUTH]);
    });
    write_extension(writer.next(), BASIC_CONSTRAINTS, true, |writer| {
        writer.write_sequence(|writer| writer.next().write_bool(true));
    });
    write_extension(writer.next(), SUBJECT_KEY_IDENTIFIER, false, |writer| {
        writer.write_bytes(&issue::key_identifier(point));
    });
    write_extension(writer.next(), SUBJECT_ALTERNATIVE_NAME, false, |writer| {
        writer.write_sequence(|writer| {
            // [2] is a DNS name (RFC 5280, section 4.2.1.6).
            writer.next().write_tagged_implicit(Tag::context(2), |writer| writer.write_ia5_string(LOCALHOST));
        });
    });
}

fn write_extension(writer: DERWriter<'_>, oid: &[u64], critical: bool, value: impl FnOnce(DERWriter<'_>)) {
    writer.write_sequence(|writer| {
        writer.next().write_oid(&ObjectIdentifier::from_slice(oid));
        if critical {
            writer.next().write_bool(true);
        }
        writer.next().write_bytes(&yasna::construct_der(value));
    });
}

/// A SEQUENCE of object identifiers. An AlgorithmIdentifier with a curve as its parameter has this
/// form too.
fn write_algorithm(writer: DERWriter<'_>, oids: &[&[u64]]) {
    writer.write_sequence(|writer| {
        for oid in oids {
            writer.next().write_oid(&ObjectIdentifier::from_slice(oid));
        }
    });
}

fn write_bits(writer: DERWriter<'_>, bytes: &[u8]) {
    writer.write_bitvec_bytes(bytes, bytes.len() * 8);
}

fn write_name(writer: DERWriter<'_>) {
    writer.write_sequence(|writer| {
        for (oid, value) in [(ORGANIZATION, "HashiCorp"), (COMMON_NAME, LOCALHOST)] {
            writer.next().write_set(|writer| {
                writer.next().write_sequence(|writer| {
                    writer.next().write_oid(&ObjectIdentifier::from_slice(oid));
                    writer.next().write_printable_string(value);
                });
            });
        }
    });
}

/// Writes a date: UTCTime before 2050, GeneralizedTime from then on (RFC 5280, section 4.1.2.5).
fn write_time(writer: DERWriter<'_>, time: OffsetDateTime) {
    if time.year() < 2050 {
        writer.write_utctime(&UTCTime::from_datetime(time));
    } else {
        writer.write_generalized_time(&GeneralizedTime::from_datetime(time));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::{Authority, Inspection, Remark, SelfSigned};

    #[test]
    fn certificate_has_the_go_plugin_profile() {
        let (_, certificate) = generate().unwrap();
        let seen = Inspection::of(&certificate).unwrap();
        assert_eq!(seen.subject, "O=HashiCorp, CN=localhost");
        assert_eq!(seen.issuer, seen.subject);
        assert_eq!((seen.key.algorithm.as_str(), seen.key.bits), ("P-521", 521));
        assert_eq!(seen.signature_algorithm, "ecdsa-with-SHA512");
        assert_eq!(seen.self_signed, SelfSigned::Yes);
        assert_eq!(seen.authority, Authority::Ca { path_length: None });
        assert_eq!(seen.key_usages, ["digitalSignature", "keyEncipherment", "keyAgreement", "keyCertSign"]);
        assert_eq!(seen.extended_key_usages, ["serverAuth", "clientAuth"]);
        assert_eq!(seen.alternative_names, ["DNS:localhost"]);
        assert_eq!((seen.not_after - seen.not_before).whole_seconds(), 262_980 * 3600 + 30);
        assert_eq!(seen.remarks, [Remark::CaAsLeaf]);
    }
}
