//! Key files and their signatures, with real files.

use std::fs::{self, Permissions, set_permissions};
use std::io::{self, Read};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use tempfile::TempDir;

use super::*;
use crate::verify::{PublicKey, Signature};

const MESSAGE: &[u8] = b"the bytes that may run";

fn password(text: &str) -> Password {
    Password::new(text).unwrap()
}

/// A directory with a new key in it.
struct Fixture {
    place: TempDir,
    secret: PathBuf,
    public: PathBuf,
}

impl Fixture {
    fn with(pair: &KeyPair) -> Self {
        let place = tempfile::tempdir().unwrap();
        let (secret, public) = (place.path().join("r.key"), place.path().join("r.pub"));
        pair.write_new(&secret, &public).unwrap();
        Self { place, secret, public }
    }

    fn unencrypted() -> Self {
        Self::with(&KeyPair::dangerous_generate_unencrypted().unwrap())
    }

    fn encrypted(password: &Password) -> Self {
        Self::with(&KeyPair::generate(password).unwrap())
    }

    /// The file again, after a change to the bytes of the key.
    fn edit(&self, edit: impl Fn(&mut [u8])) {
        let text = fs::read_to_string(&self.secret).unwrap();
        let (comment, key) = text.split_once('\n').unwrap();
        let mut bytes = BASE64.decode(key.trim_end()).unwrap();
        edit(&mut bytes);
        fs::write(&self.secret, format!("{comment}\n{}\n", BASE64.encode(bytes))).unwrap();
    }

    fn open(&self, password: Option<&Password>) -> Result<SecretKey, SignError> {
        KeyFile::read(&self.secret)?.open(password)
    }

    fn verifies(&self, text: &str) -> String {
        let path = self.place.path().join("m.minisig");
        fs::write(&path, text).unwrap();
        let key = PublicKey::read(&self.public).unwrap();
        key.verify(MESSAGE, &Signature::read(&path).unwrap()).unwrap().as_str().to_owned()
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn public_key_verifies_the_signature() {
    let password = password("pässword");
    for (fixture, password) in [(Fixture::unencrypted(), None), (Fixture::encrypted(&password), Some(&password))] {
        let key = fixture.open(password).unwrap();
        assert_eq!(key.public_key(), PublicKey::read(&fixture.public).unwrap());
        let signature = key.sign(MESSAGE, "file:kv\tversion 1", "by me").unwrap();
        assert!(signature.starts_with("untrusted comment: by me\nRU"), "{signature}");
        assert_eq!(fixture.verifies(&signature), "file:kv\tversion 1");
    }
}

#[test]
fn key_files_are_private_and_never_overwritten() {
    let fixture = Fixture::unencrypted();
    assert_eq!((mode(&fixture.secret), mode(&fixture.public)), (0o600, 0o644));

    let pair = KeyPair::dangerous_generate_unencrypted().unwrap();
    let before = fs::read(&fixture.secret).unwrap();
    let other = fixture.place.path().join("other.key");
    let exists = |result| matches!(result, Err(SignError::Unwritable { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists);
    assert!(exists(pair.write_new(&fixture.secret, fixture.place.path().join("other.pub"))));
    assert!(exists(pair.write_new(&other, &fixture.public)));
    assert!(!other.exists(), "a secret key was left without its public half");
    let dangling = fixture.place.path().join("link.key");
    symlink(&other, &dangling).unwrap();
    assert!(exists(pair.write_new(&dangling, fixture.place.path().join("other.pub"))));
    assert_eq!(fs::read(&fixture.secret).unwrap(), before);
}

#[test]
fn key_file_open_to_others_is_rejected() {
    let fixture = Fixture::unencrypted();
    for exposed in [0o640, 0o604, 0o620, 0o601, 0o644] {
        set_permissions(&fixture.secret, Permissions::from_mode(exposed)).unwrap();
        let error = fixture.open(None).unwrap_err();
        assert!(matches!(error, SignError::Exposed { mode, .. } if mode == exposed), "{error}");
    }
    set_permissions(&fixture.secret, Permissions::from_mode(0o400)).unwrap();
    assert!(fixture.open(None).is_ok());
}

#[test]
fn wrong_missing_and_needless_passwords_are_rejected() {
    let right = password("right");
    let fixture = Fixture::encrypted(&right);
    assert!(KeyFile::read(&fixture.secret).unwrap().is_encrypted());
    assert!(matches!(fixture.open(Some(&password("wrong"))), Err(SignError::WrongPassword { .. })));
    assert!(matches!(fixture.open(None), Err(SignError::PasswordNeeded { .. })));
    assert!(matches!(Fixture::unencrypted().open(Some(&right)), Err(SignError::NotEncrypted { .. })));
}

#[test]
fn flipped_bit_in_a_key_file_is_detected() {
    let fixture = Fixture::unencrypted();
    for at in 0..158 {
        // Salt and costs mean nothing without a password.
        if (6..54).contains(&at) {
            continue;
        }
        fixture.edit(|bytes| bytes[at] ^= 1);
        let error = fixture.open(None).unwrap_err();
        let expected = matches!(error, SignError::NoSecretKey { .. } | SignError::Damaged { .. });
        assert!(expected, "byte {at}: {error}");
        fixture.edit(|bytes| bytes[at] ^= 1);
    }
    assert!(fixture.open(None).is_ok());

    let password = password("right");
    let fixture = Fixture::encrypted(&password);
    for at in [6, 54, 62, 94, 126, 157] {
        fixture.edit(|bytes| bytes[at] ^= 1);
        assert!(matches!(fixture.open(Some(&password)), Err(SignError::WrongPassword { .. })), "byte {at}");
        fixture.edit(|bytes| bytes[at] ^= 1);
    }
    assert!(fixture.open(Some(&password)).is_ok());
}

#[test]
fn key_without_checksum_must_still_match() {
    let fixture = Fixture::unencrypted();
    fixture.edit(|bytes| bytes[126..].fill(0));
    assert!(fixture.open(None).is_ok());
    for at in [62, 93, 94, 125] {
        fixture.edit(|bytes| bytes[at] ^= 1);
        assert!(matches!(fixture.open(None), Err(SignError::Damaged { .. })), "byte {at}");
        fixture.edit(|bytes| bytes[at] ^= 1);
    }
}

#[test]
fn excessive_derivation_cost_is_rejected() {
    let password = password("right");
    let fixture = Fixture::encrypted(&password);
    for costs in [38..46, 46..54] {
        let fixture = Fixture::with(&KeyPair::generate(&password).unwrap());
        fixture.edit(|bytes| bytes[costs.clone()].copy_from_slice(&(1_u64 << 40).to_le_bytes()));
        assert!(matches!(fixture.open(Some(&password)), Err(SignError::Excessive { .. })));
    }
    assert!(fixture.open(Some(&password)).is_ok());
}

#[test]
fn other_files_are_not_secret_keys() {
    let fixture = Fixture::unencrypted();
    let good = fs::read_to_string(&fixture.secret).unwrap();
    let public = fs::read_to_string(&fixture.public).unwrap();
    for text in [
        "",
        "\n\n",
        &public,
        &format!("{good}\n"),
        &format!("{good}{good}"),
        good.split_once('\n').unwrap().1,
        &good[..200],
    ] {
        fs::write(&fixture.secret, text).unwrap();
        assert!(matches!(fixture.open(None), Err(SignError::NoSecretKey { .. })), "{text:?}");
    }
    fs::write(&fixture.secret, format!("untrusted comment: {}\n{good}", "x".repeat(4096))).unwrap();
    assert!(matches!(fixture.open(None), Err(SignError::NoSecretKey { .. })));
    assert!(matches!(KeyFile::read(fixture.place.path()), Err(SignError::NotRegular { kind: "a directory", .. })));
    assert!(matches!(KeyFile::read(fixture.place.path().join("none")), Err(SignError::Unreadable { .. })));
}

#[test]
fn password_is_one_line_of_text() {
    for text in ["secret", "secret\n", "secret\r\n"] {
        assert_eq!(Password::from_reader(text.as_bytes()).unwrap(), password("secret"));
    }
    assert_eq!(Password::from_reader(&b" two words \n"[..]).unwrap(), password(" two words "));
    let longest = "x".repeat(Password::LIMIT);
    assert!(Password::from_reader(format!("{longest}\r\n").as_bytes()).is_ok());
    for (text, expected) in [
        (&b""[..], "the password is empty"),
        (b"\n", "the password is empty"),
        (b"one\ntwo\n", "the password is not one line of UTF-8"),
        (b"one\n\n", "the password is not one line of UTF-8"),
        (b"nul\0", "the password is not one line of UTF-8"),
        (b"\xff", "the password is not one line of UTF-8"),
        (format!("{longest}x").as_bytes(), "the password is longer than 1024 bytes"),
    ] {
        assert_eq!(
            Password::from_reader(text).unwrap_err().to_string(),
            expected,
            "{:?}",
            text.escape_ascii().to_string()
        );
    }
    assert!(matches!(Password::from_reader(io::repeat(b'x')), Err(SignError::LongPassword { .. })));
    assert!(matches!(Password::read("/nonexistent"), Err(SignError::PasswordUnreadable(_))));
}

#[test]
fn comment_cannot_forge_a_signature_line() {
    let key = Fixture::unencrypted().open(None).unwrap();
    let long = "x".repeat(4097);
    for comment in ["a\nb", "a\rb", "a\u{85}b", "\u{1b}[2J", " a", "a\t", &long] {
        assert!(matches!(key.sign(MESSAGE, comment, "fine"), Err(SignError::Comment { limit: 4096 })), "{comment:?}");
        assert!(matches!(key.sign(MESSAGE, "fine", comment), Err(SignError::Comment { limit: 512 })), "{comment:?}");
    }
    assert!(key.sign(MESSAGE, &long[1..], &long[..512]).is_ok());
}

#[test]
fn unreadable_message_is_not_signed() {
    struct Fails(u32);
    impl Read for Fails {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            match self.0 {
                1 => Err(io::ErrorKind::Interrupted.into()),
                2 => {
                    buffer[0] = 1;
                    Ok(1)
                }
                _ => Err(io::Error::other("the disk is gone")),
            }
        }
    }
    let key = Fixture::unencrypted().open(None).unwrap();
    let error = key.sign(Fails(0), "a", "b").unwrap_err();
    assert!(matches!(error, SignError::Message(source) if source.to_string() == "the disk is gone"));
}

#[test]
fn debug_output_shows_no_secret() {
    let password = password("hunter2");
    let pair = KeyPair::dangerous_generate_unencrypted().unwrap();
    let fixture = Fixture::with(&pair);
    let file = KeyFile::read(&fixture.secret).unwrap();
    let key = fixture.open(None).unwrap();
    let text = fs::read_to_string(&fixture.secret).unwrap();
    let secret = text.lines().nth(1).unwrap();
    let seed = format!("{:?}", &BASE64.decode(secret).unwrap()[62..94]);
    let shown = format!("{password:?} {pair:?} {file:?} {key:?}");
    for piece in ["hunter2", &secret[80..90], seed.trim_matches(['[', ']'])] {
        assert!(!shown.contains(piece), "{shown}");
    }
    assert_eq!(shown.matches("..").count(), 3, "{shown}");
}
