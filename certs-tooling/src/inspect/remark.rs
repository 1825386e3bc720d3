//! What a person should know of a certificate before relying on it. Remarks are no verdicts: what
//! is refused is up to each peer.

use time::OffsetDateTime;

use super::algorithm::{RSA_MINIMUM, Strength};
use super::{Authority, Inspection, SelfSigned};

/// Something that a person should know of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Remark {
    /// Its time is over.
    #[error("it has expired")]
    Expired,
    /// Its time has not come.
    #[error("it is not valid yet")]
    NotYetValid,
    /// It is a CA and an end of TLS at once, as go-plugin's are: whoever trusts it trusts whatever
    /// it signs, and many verifiers refuse it.
    #[error("it is a CA and an end of TLS at once: who trusts it trusts what it signs")]
    CaAsLeaf,
    /// It is no CA, and has no name by which a peer could look for its owner. Peers ignore the
    /// common name (RFC 9525, section 2).
    #[error("it has no alternative name, and peers do not look at the common name")]
    NoAlternativeName,
    /// Its key was made for an algorithm that does not hold any more, or is too short.
    #[error("its key is weak: {algorithm}, {bits} bits")]
    WeakKey {
        /// The algorithm.
        algorithm: String,
        /// The size in bits, or 0 if it is not known.
        bits: usize,
    },
    /// Its RSA key is too short.
    #[error("its RSA key has {bits} bits, and {RSA_MINIMUM} are the least")]
    ShortRsaKey {
        /// The size in bits.
        bits: usize,
    },
    /// Its key is of a kind about which nothing is known here.
    #[error("its key is of an unknown kind: {algorithm}")]
    UnknownKey {
        /// The algorithm or its number.
        algorithm: String,
    },
    /// It is signed with an algorithm that does not hold any more.
    #[error("it is signed with a weak algorithm: {algorithm}")]
    WeakSignature {
        /// The algorithm.
        algorithm: String,
    },
    /// It is signed with an algorithm about which nothing is known here.
    #[error("it is signed with an unknown algorithm: {algorithm}")]
    UnknownSignature {
        /// The algorithm or its number.
        algorithm: String,
    },
    /// It says that it was signed with its own key, and it was not.
    #[error("it names itself as its issuer, and its own key did not sign it")]
    SelfSignatureRefuted,
    /// An extension cannot be read.
    #[error("the extension {oid} is malformed")]
    MalformedExtension {
        /// The number of the extension.
        oid: String,
    },
    /// An extension is there twice, and only the first is shown.
    #[error("the extension {oid} is there more than once")]
    RepeatedExtension {
        /// The number of the extension.
        oid: String,
    },
    /// An extension that peers must understand or refuse the certificate, and that is not
    /// understood here.
    #[error("the critical extension {oid} is unknown")]
    UnknownCriticalExtension {
        /// The number of the extension.
        oid: String,
    },
}

impl Inspection {
    /// Adds what follows from the facts.
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
