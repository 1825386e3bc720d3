//! Reading certificates and keys from untrusted files, within bounds. Splits a file into
//! certificates; does not parse them.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use portcullis::Escaped;
use portcullis::fs::{Ownership, RegularFileError, Symlinks, open_regular};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use zeroize::Zeroizing;

use crate::Certificate;

/// The largest file that is read, in bytes: 1 MiB.
pub const FILE_LIMIT: u64 = 1024 * 1024;

/// The largest certificate, in bytes: 64 KiB. Real ones have one or two.
pub const CERTIFICATE_LIMIT: usize = 64 * 1024;

/// Base64 of a handshake line: padding is optional, because some peers send it.
const HANDSHAKE_FIELD: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Reads the certificates in a file, at least one. The file is PEM, DER, or the certificate field
/// of a handshake line.
///
/// # Errors
///
/// [`SourceError`], with the path.
pub fn read(path: &Path) -> Result<Vec<Certificate>, SourceError> {
    parse(&read_bytes(path)?).map_err(|error| error.at(path))
}

/// Extracts at least one certificate: PEM with any text around it, a single DER certificate, or the
/// certificate field of a handshake line.
///
/// # Errors
///
/// [`SourceError`] if there is none, or one is malformed.
pub fn parse(bytes: &[u8]) -> Result<Vec<Certificate>, SourceError> {
    if bytes.len() as u64 > FILE_LIMIT {
        return Err(SourceError::TooLarge { path: None, limit: FILE_LIMIT });
    }
    let certificates = if is_pem(bytes) {
        CertificateDer::pem_slice_iter(bytes)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| SourceError::Malformed { path: None, form: "well-formed PEM" })?
    } else if bytes.first() == Some(&0x30) {
        // The tag of a DER SEQUENCE, `0x30`. Its Base64 starts with `M` instead.
        vec![bytes.to_vec().into()]
    } else {
        let field = bytes.trim_ascii_end();
        let malformed = |_| SourceError::Malformed { path: None, form: "PEM, DER, or the Base64 of a handshake line" };
        vec![HANDSHAKE_FIELD.decode(field).map_err(malformed)?.into()]
    };
    match certificates.iter().map(|certificate| certificate.len()).max() {
        None | Some(0) => Err(SourceError::Nothing { path: None }),
        Some(length) if length > CERTIFICATE_LIMIT => {
            Err(SourceError::TooLarge { path: None, limit: CERTIFICATE_LIMIT as u64 })
        }
        Some(_) => Ok(certificates.into_iter().map(Certificate::new).collect()),
    }
}

fn is_pem(bytes: &[u8]) -> bool {
    bytes.split(|byte| matches!(byte, b'\n' | b'\r')).any(|line| line.starts_with(b"-----BEGIN "))
}

/// The bytes of a file of at most [`FILE_LIMIT`].
pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>, SourceError> {
    let file = open(path)?;
    let mut bytes = Vec::new();
    let read = file.take(FILE_LIMIT + 1).read_to_end(&mut bytes);
    read.map_err(|error| SourceError::Unreadable { path: path.into(), error })?;
    if bytes.len() as u64 > FILE_LIMIT {
        return Err(SourceError::TooLarge { path: Some(path.into()), limit: FILE_LIMIT });
    }
    Ok(bytes)
}

/// The bytes of a key file that only its owner can read, in a wiped buffer.
pub(crate) fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, SourceError> {
    let file = open(path)?;
    let unreadable = |error| SourceError::Unreadable { path: path.into(), error };
    let found = Ownership::of(&file.metadata().map_err(unreadable)?);
    if found.is_open_to_others() {
        return Err(SourceError::Exposed { path: path.into(), mode: found.mode & 0o777 });
    }
    // Allocated at its largest size: a growing buffer would leave unwiped copies behind.
    let mut bytes = Zeroizing::new(vec![0; CERTIFICATE_LIMIT + 1]);
    let mut length = 0;
    let mut file = file;
    while length < bytes.len() {
        match file.read(&mut bytes[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(error)),
        }
    }
    if length > CERTIFICATE_LIMIT {
        return Err(SourceError::TooLarge { path: Some(path.into()), limit: CERTIFICATE_LIMIT as u64 });
    }
    bytes.truncate(length);
    Ok(bytes)
}

fn open(path: &Path) -> Result<File, SourceError> {
    open_regular(path, Symlinks::Follow).map_err(|error| match error {
        RegularFileError::Io(error) => SourceError::Unreadable { path: path.into(), error },
        _ => SourceError::NotRegular { path: path.into() },
    })
}

/// Why a file yields no certificate or key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The file could not be read.
    #[error("cannot read {}", Escaped::path(path))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        error: io::Error,
    },
    /// The path names a directory, a device, or another file without an end.
    #[error("{} is not a regular file", Escaped::path(path))]
    NotRegular {
        /// The path.
        path: PathBuf,
    },
    /// Other users may read the key file, and may already have the key.
    #[error(
        "{} holds a key that other users may read (mode {mode:04o}, expected 0600); replace the key",
        Escaped::path(path)
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The input is too large.
    #[error("{}more than {limit} bytes", Prefix(path))]
    TooLarge {
        /// The file, if the input is one.
        path: Option<PathBuf>,
        /// The limit in bytes.
        limit: u64,
    },
    /// The input is not in a known certificate format.
    #[error("{}not {form}", Prefix(path))]
    Malformed {
        /// The file, if the input is one.
        path: Option<PathBuf>,
        /// The expected format.
        form: &'static str,
    },
    /// The input holds no certificate.
    #[error("{}no certificate", Prefix(path))]
    Nothing {
        /// The file, if the input is one.
        path: Option<PathBuf>,
    },
}

impl SourceError {
    /// The machine-readable name. Stable across versions.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "unreadable",
            Self::NotRegular { .. } => "not-regular",
            Self::Exposed { .. } => "exposed-key",
            Self::TooLarge { .. } => "too-large",
            Self::Malformed { .. } => "malformed",
            Self::Nothing { .. } => "no-certificate",
        }
    }
}

impl SourceError {
    /// Adds the file to the error.
    fn at(self, file: &Path) -> Self {
        let path = Some(file.to_path_buf());
        match self {
            Self::TooLarge { limit, .. } => Self::TooLarge { path, limit },
            Self::Malformed { form, .. } => Self::Malformed { path, form },
            Self::Nothing { .. } => Self::Nothing { path },
            other => other,
        }
    }
}

/// The file of an error, if known, as a prefix.
struct Prefix<'a>(&'a Option<PathBuf>);

impl std::fmt::Display for Prefix<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(path) => write!(f, "{}: ", Escaped::path(path)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::{AutoMtls, Profile};

    #[test]
    fn certificate_reads_the_same_in_each_format() {
        let certificate = AutoMtls::generate(Profile::Portcullis).unwrap().certificate().clone();
        let (pem, field) = (certificate.pem(), certificate.handshake_field());
        let padding = "=".repeat((4 - field.len() % 4) % 4);
        for bytes in [
            certificate.der().to_vec(),
            pem.clone().into_bytes(),
            format!("a remark\n\n{}", pem.replace('\n', "\r\n")).into_bytes(),
            field.clone().into_bytes(),
            format!("{field}{padding}\n").into_bytes(),
        ] {
            assert_eq!(parse(&bytes).unwrap(), std::slice::from_ref(&certificate), "{}", Escaped::new(&bytes));
        }
        assert_eq!(parse((pem.clone() + &pem).as_bytes()).unwrap().len(), 2);
    }

    #[test]
    fn malformed_certificate_is_refused_with_reason() {
        let malformed = |bytes: &[u8]| matches!(parse(bytes), Err(SourceError::Malformed { .. }));
        assert!(malformed(b"-----BEGIN CERTIFICATE-----\nMIIB"));
        assert!(malformed(b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n"));
        assert!(malformed(b"1|1|unix|/tmp/x|grpc|MIIB"));
        assert!(malformed(b"MIIB MIIB"));
        assert!(matches!(parse(b""), Err(SourceError::Nothing { .. })));
        let key = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n";
        assert!(matches!(parse(key.as_bytes()), Err(SourceError::Nothing { .. })));
        assert!(matches!(parse(&[0x30; CERTIFICATE_LIMIT + 1]), Err(SourceError::TooLarge { limit: 65536, .. })));
        assert!(matches!(parse(&[b'M'; 1024 * 1024 + 1]), Err(SourceError::TooLarge { limit: 1_048_576, .. })));
    }

    #[test]
    fn only_bounded_regular_files_are_read() {
        let place = tempfile::tempdir().unwrap();
        assert!(matches!(read(place.path()), Err(SourceError::NotRegular { .. })));
        assert!(matches!(read(Path::new("/dev/zero")), Err(SourceError::NotRegular { .. })));
        assert!(matches!(read(&place.path().join("none")), Err(SourceError::Unreadable { .. })));
        let large = place.path().join("large");
        fs::File::create(&large).unwrap().set_len(FILE_LIMIT + 1).unwrap();
        assert!(matches!(read(&large), Err(SourceError::TooLarge { path: Some(_), .. })));
    }

    #[test]
    fn key_readable_by_others_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("key");
        fs::write(&path, "key").unwrap();
        for (mode, accepted) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o620, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read_secret(&path).is_ok(), accepted, "{mode:o}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(read_secret(&path).unwrap().as_slice(), b"key");
        fs::File::create(&path).unwrap().set_len(CERTIFICATE_LIMIT as u64 + 1).unwrap();
        assert!(matches!(read_secret(&path), Err(SourceError::TooLarge { .. })));
    }
}
