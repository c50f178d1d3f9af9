//! Random keys and tokens, and the key file that seals the apps' master secrets.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;

/// Why the key file does not serve.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It cannot be read or made.
    #[error("key file {path}: {source}")]
    File {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It holds something else.
    #[error("key file {path} must hold exactly {KEY_BYTES} bytes")]
    Length {
        /// Its path.
        path: PathBuf,
    },
}

/// The key under which master secrets are stored: without it the database gives none of them away.
#[derive(Clone)]
pub struct SecretKey([u8; KEY_BYTES]);

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey(***)")
    }
}

impl SecretKey {
    /// A key from elsewhere than a file.
    #[must_use]
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// Reads the key file, or makes it (mode 0600). Of several starters one makes it, and all read the same key.
    ///
    /// # Errors
    /// When the file can neither be read nor made, or holds something else.
    pub fn open_or_create(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::File { path: path.to_owned(), source };
        match fs::File::open(path) {
            Ok(file) => return Self::read(path, file),
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(failed(e)),
        }
        // Written whole under another name, then linked: a reader sees no half of it, and a link replaces nothing.
        let draft = path.with_extension(format!("{}.new", hex(&random::<8>())));
        let linked = write_private(&draft, &random::<KEY_BYTES>()).and_then(|()| fs::hard_link(&draft, path));
        // The draft may not have been made; what counts is the link.
        _ = fs::remove_file(&draft);
        match linked {
            Ok(()) => {}
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            Err(e) => return Err(failed(e)),
        }
        if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            fs::File::open(folder).and_then(|f| f.sync_all()).map_err(failed)?;
        }
        Self::read(path, fs::File::open(path).map_err(failed)?)
    }

    fn read(path: &Path, file: fs::File) -> Result<Self, KeyError> {
        let mut bytes = Vec::with_capacity(KEY_BYTES);
        // One byte more than a key tells a longer file.
        file.take(KEY_BYTES as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|source| KeyError::File { path: path.to_owned(), source })?;
        bytes.try_into().map(Self).map_err(|_| KeyError::Length { path: path.to_owned() })
    }

    /// Encrypts `secret`, bound to `name`.
    pub(crate) fn seal(&self, name: &str, secret: &str) -> Vec<u8> {
        let nonce = random::<NONCE_BYTES>();
        let payload = Payload { msg: secret.as_bytes(), aad: name.as_bytes() };
        let sealed = self.cipher().encrypt(&Nonce::from(nonce), payload);
        // Encrypting fails for texts of gigabytes only.
        let sealed = sealed.unwrap_or_default();
        [nonce.as_slice(), &sealed].concat()
    }

    /// Decrypts what [`SecretKey::seal`] made with the same key and name.
    pub(crate) fn open(&self, name: &str, sealed: &[u8]) -> Option<String> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg: sealed, aad: name.as_bytes() };
        let secret = self.cipher().decrypt(&Nonce::from(*nonce), payload).ok()?;
        String::from_utf8(secret).ok()
    }

    /// Signs texts, under a key of its own: nothing that is signed tells of what is sealed. 64 hex digits.
    pub(crate) fn sign(&self, parts: &[&str]) -> String {
        let derived = Sha256::new().chain_update(b"mynah address signing key").chain_update(self.0).finalize();
        #[allow(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&derived).expect("HMAC takes keys of any length");
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        hex(&mac.finalize().into_bytes())
    }

    fn cipher(&self) -> ChaCha20Poly1305 {
        ChaCha20Poly1305::new(&self.0.into())
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Random bytes of the operating system.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[allow(clippy::expect_used, reason = "nothing safe can be done without randomness")]
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// An appkey or master secret: 24 hex digits, 96 random bits.
pub(crate) fn hex_key() -> String {
    hex(&random::<12>())
}

/// A session's token: 256 random bits as text.
pub(crate) fn session_token() -> String {
    URL_SAFE_NO_PAD.encode(random::<32>())
}

/// SHA-256. Enough for what is random itself.
pub(crate) fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_secret_opens_with_its_key_and_name_only() {
        let key = SecretKey::from_bytes([7; 32]);
        let sealed = key.seal("app", "secret");
        assert_eq!(key.open("app", &sealed).as_deref(), Some("secret"));
        assert_eq!(key.open("other", &sealed), None);
        assert_eq!(SecretKey::from_bytes([8; 32]).open("app", &sealed), None);
        assert_eq!(key.open("app", &sealed[..20]), None);
        assert_ne!(sealed, key.seal("app", "secret"));
    }

    #[test]
    fn starters_that_meet_read_one_key_of_a_private_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.key");
        let keys: Vec<_> = std::thread::scope(|scope| {
            let starters: Vec<_> = (0..8).map(|_| scope.spawn(|| SecretKey::open_or_create(&path).unwrap().0)).collect();
            starters.into_iter().map(|s| s.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|k| *k == keys[0] && *k != [0; 32]));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_file_of_another_length_is_no_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.key");
        for length in [0, 31, 33] {
            fs::write(&path, vec![1; length]).unwrap();
            assert!(matches!(SecretKey::open_or_create(&path), Err(KeyError::Length { .. })), "{length}");
        }
    }
}
