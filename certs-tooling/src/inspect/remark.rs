//! Remarks: properties to know before relying on a certificate. They are not verdicts: each peer
//! decides what it refuses.

use time::OffsetDateTime;

use super::algorithm::{RSA_MINIMUM, Strength};
use super::{Authority, Inspection, SelfSigned};

/// A property to know before relying on a certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Remark {
    /// Its validity has ended.
    #[error("it has expired")]
    Expired,
    /// Its validity has not started.
    #[error("it is not valid yet")]
    NotYetValid,
    /// It is both a CA and a TLS endpoint, as go-plugin's certificates are: a peer that trusts it
    /// also trusts every certificate that it signs. Many verifiers refuse it.
    #[error("it is both a CA and a TLS endpoint: trusting it means trusting every certificate that it signs")]
    CaAsLeaf,
    /// It is not a CA and has no subject alternative name. Peers ignore the common name (RFC 9525,
    /// section 2).
    #[error("it has no subject alternative name, and peers ignore the common name")]
    NoAlternativeName,
    /// Its key is too short, or of a broken algorithm.
    #[error("its key is weak: {algorithm}, {bits} bits")]
    WeakKey {
        /// The algorithm.
        algorithm: String,
        /// The size in bits, or 0 if unknown.
        bits: usize,
    },
    /// Its RSA key is too short.
    #[error("its RSA key has {bits} bits, expected at least {RSA_MINIMUM}")]
    ShortRsaKey {
        /// The size in bits.
        bits: usize,
    },
    /// The algorithm of its key is not known here.
    #[error("its key has an unknown algorithm: {algorithm}")]
    UnknownKey {
        /// The algorithm or its object identifier.
        algorithm: String,
    },
    /// It is signed with a broken algorithm.
    #[error("it is signed with a weak algorithm: {algorithm}")]
    WeakSignature {
        /// The algorithm.
        algorithm: String,
    },
    /// It is signed with an algorithm that is not known here.
    #[error("it is signed with an unknown algorithm: {algorithm}")]
    UnknownSignature {
        /// The algorithm or its object identifier.
        algorithm: String,
    },
    /// It claims to be self-signed, but its own key did not sign it.
    #[error("it names itself as its issuer, but its own key did not sign it")]
    SelfSignatureRefuted,
    /// An extension cannot be read.
    #[error("the extension {oid} is malformed")]
    MalformedExtension {
        /// The object identifier of the extension.
        oid: String,
    },
    /// An extension occurs more than once; only the first is shown.
    #[error("the extension {oid} occurs more than once")]
    RepeatedExtension {
        /// The object identifier of the extension.
        oid: String,
    },
    /// A critical extension that is not known here: peers that do not know it must refuse the
    /// certificate.
    #[error("the critical extension {oid} is unknown")]
    UnknownCriticalExtension {
        /// The object identifier of the extension.
        oid: String,
    },
}

impl Inspection {
    /// Adds the remarks that follow from the facts.
    pub(super) fn remark(&mut self, key: Strength, signature: Strength, now: OffsetDateTime) {
        let found =
            [self.of_dates(now), self.of_role(), self.of_key(key), self.of_signature(signature), self.of_issuer()];
        self.remarks.extend(found.into_iter().flatten());
    }

    fn of_dates(&self, now: OffsetDateTime) -> Option<Remark> {
        if now > self.not_after {
            Some(Remark::Expired)
        } else if now < self.not_before {
            Some(Remark::NotYetValid)
        } else {
            None
        }
    }

    fn of_role(&self) -> Option<Remark> {
        let of_tls = |purpose: &String| purpose == "serverAuth" || purpose == "clientAuth";
        match self.authority {
            Authority::Ca { .. } => self.extended_key_usages.iter().any(of_tls).then_some(Remark::CaAsLeaf),
            Authority::None => self.alternative_names.is_empty().then_some(Remark::NoAlternativeName),
        }
    }

    fn of_key(&self, strength: Strength) -> Option<Remark> {
        let (algorithm, bits) = (self.key.algorithm.clone(), self.key.bits);
        match strength {
            Strength::Good => None,
            Strength::Weak if algorithm == "RSA" => Some(Remark::ShortRsaKey { bits }),
            Strength::Weak => Some(Remark::WeakKey { algorithm, bits }),
            Strength::Unknown => Some(Remark::UnknownKey { algorithm }),
        }
    }

    fn of_signature(&self, strength: Strength) -> Option<Remark> {
        let algorithm = self.signature_algorithm.clone();
        match strength {
            Strength::Good => None,
            Strength::Weak => Some(Remark::WeakSignature { algorithm }),
            Strength::Unknown => Some(Remark::UnknownSignature { algorithm }),
        }
    }

    fn of_issuer(&self) -> Option<Remark> {
        (self.self_signed == SelfSigned::Refuted).then_some(Remark::SelfSignatureRefuted)
    }
}
