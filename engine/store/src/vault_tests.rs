//! The vault gives back what was put in to whoever has the key, and nothing to anybody else.

use super::*;

const CANARY: &str = "canary-3f9a-secret";

fn at() -> Timestamp {
    "2026-03-16T08:00:00Z".parse().unwrap()
}

fn key(byte: u8) -> Key {
    Key::Bytes([byte; 32])
}

fn vault(folder: &tempfile::TempDir) -> (PathBuf, Vault) {
    let path = folder.path().join("vault");
    let mut vault = Vault::create(&path, key(7)).unwrap();
    vault
        .set("gate/token", &Secret::new(CANARY.into()), at())
        .unwrap();
    (path, vault)
}

#[test]
fn what_was_set_is_there_after_reopening_and_only_then_gone_when_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = vault(&folder);
    let mut again = Vault::open(&path, key(7)).unwrap();
    assert_eq!(again.get("gate/token").unwrap().expose(), CANARY);
    assert_eq!(
        again.list(),
        [Listed {
            name: "gate/token".into(),
            set_at: at()
        }]
    );
    again.delete("gate/token").unwrap();
    let gone = Vault::open(&path, key(7)).unwrap();
    assert!(matches!(gone.get("gate/token"), Err(Error::Missing(_))));
    assert!(matches!(again.delete("gate/token"), Err(Error::Missing(_))));
}

#[test]
fn every_changed_byte_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = vault(&folder);
    let whole = std::fs::read(&path).unwrap();
    for index in 0..whole.len() {
        let mut changed = whole.clone();
        changed[index] ^= 1;
        std::fs::write(&path, &changed).unwrap();
        assert!(
            Vault::open(&path, key(7)).is_err(),
            "byte {index} was changed unnoticed"
        );
    }
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert!(
            Vault::open(&path, key(7)).is_err(),
            "cut to {length} bytes unnoticed"
        );
    }
}

#[test]
fn a_wrong_key_and_a_wrong_kind_of_key_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = vault(&folder);
    assert!(matches!(
        Vault::open(&path, key(8)),
        Err(Error::WrongKey(_))
    ));
    let phrase = Key::Passphrase("x".into());
    assert!(matches!(
        Vault::open(&path, phrase),
        Err(Error::WrongKind {
            wanted: "a key",
            ..
        })
    ));
    let nowhere = folder.path().join("nowhere");
    assert!(matches!(
        Vault::open(&nowhere, key(7)),
        Err(Error::NotFound(_))
    ));
    assert!(matches!(
        Vault::create(&path, key(7)),
        Err(Error::Exists(_))
    ));
}

#[test]
fn a_changed_file_is_not_taken_for_a_wrong_key() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = vault(&folder);
    let sound = std::fs::read(&path).unwrap();
    for at in HEADER_BYTES + CHECK_BYTES..sound.len() {
        let mut bytes = sound.clone();
        bytes[at] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let error = Vault::open(&path, key(7)).err().unwrap();
        assert!(matches!(error, Error::Changed(_)), "byte {at}: {error}");
        let error = Vault::open(&path, key(8)).err().unwrap();
        assert!(matches!(error, Error::WrongKey(_)), "byte {at}: {error}");
    }
    std::fs::write(&path, &sound[..sound.len() - 1]).unwrap();
    let error = Vault::open(&path, key(7)).err().unwrap();
    assert!(matches!(error, Error::Changed(_)), "cut: {error}");
}

#[test]
fn a_vault_of_the_first_format_is_read_and_brought_forward() {
    let folder = tempfile::tempdir().unwrap();
    let (path, old) = vault(&folder);
    let header = Header::new(&old.key).unwrap();
    let (bytes, cipher) = (header.bytes(), cipher(&old.key, &header, &path).unwrap());
    let plain = serde_json::to_vec(&old.entries).unwrap();
    let payload = Payload {
        msg: &plain,
        aad: &bytes,
    };
    let sealed = cipher
        .encrypt(&XNonce::from(header.nonce), payload)
        .unwrap();
    std::fs::write(&path, [bytes, sealed].concat()).unwrap();
    assert_eq!(std::fs::read(&path).unwrap()[7], 1);
    assert!(matches!(
        Vault::open(&path, key(8)),
        Err(Error::WrongKey(_))
    ));
    let mut again = Vault::open(&path, key(7)).unwrap();
    assert_eq!(again.get("gate/token").unwrap().expose(), CANARY);
    again.set("a", &Secret::new("1".into()), at()).unwrap();
    assert_eq!(std::fs::read(&path).unwrap()[7], FORMAT);
    assert_eq!(Vault::open(&path, key(7)).unwrap().list().len(), 2);
}

#[test]
fn a_newer_format_is_refused_with_its_number() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = vault(&folder);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[7] = 9;
    std::fs::write(&path, bytes).unwrap();
    assert!(matches!(
        Vault::open(&path, key(7)),
        Err(Error::Newer { found: 9, .. })
    ));
}

#[test]
fn a_passphrase_opens_what_it_closed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault");
    let mut vault = Vault::create(&path, Key::Passphrase("correct horse".into())).unwrap();
    vault.set("a", &Secret::new("1".into()), at()).unwrap();
    let again = Vault::open(&path, Key::Passphrase("correct horse".into())).unwrap();
    assert_eq!(again.get("a").unwrap().expose(), "1");
    assert!(matches!(
        Vault::open(&path, Key::Passphrase("wrong".into())),
        Err(Error::WrongKey(_))
    ));
}

#[test]
fn rotation_shuts_the_old_key_out() {
    let folder = tempfile::tempdir().unwrap();
    let (path, mut vault) = vault(&folder);
    vault.rotate(key(9)).unwrap();
    assert!(matches!(
        Vault::open(&path, key(7)),
        Err(Error::WrongKey(_))
    ));
    assert_eq!(
        Vault::open(&path, key(9))
            .unwrap()
            .get("gate/token")
            .unwrap()
            .expose(),
        CANARY
    );
}

#[test]
fn two_holders_never_undo_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let (path, mut one) = vault(&folder);
    let mut two = Vault::open(&path, key(7)).unwrap();
    one.set("one", &Secret::new("1".into()), at()).unwrap();
    two.set("two", &Secret::new("2".into()), at()).unwrap();
    one.reload().unwrap();
    let names: Vec<String> = one.list().into_iter().map(|listed| listed.name).collect();
    assert_eq!(names, ["gate/token", "one", "two"]);
}

#[test]
fn neither_the_file_nor_any_message_shows_a_value() {
    let folder = tempfile::tempdir().unwrap();
    let (path, vault) = vault(&folder);
    let bytes = std::fs::read(&path).unwrap();
    let shown = |text: &str| text.contains(CANARY) || text.contains("gate/token");
    assert!(
        !bytes
            .windows(CANARY.len())
            .any(|window| window == CANARY.as_bytes())
    );
    assert!(!shown(&format!("{vault:?}")));
    let error = Vault::open(&path, key(1)).err().unwrap();
    assert!(!shown(&format!("{error:?} {error}")));
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = vault(&folder);
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[test]
fn names_that_could_not_be_referred_to_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (_, mut vault) = vault(&folder);
    for name in ["", "a b", "ä", "a\n", &"x".repeat(129)] {
        let refused = vault.set(name, &Secret::new("v".into()), at());
        assert!(matches!(refused, Err(Error::Name(_))), "{name:?}");
    }
}

#[test]
fn keys_are_read_as_hexadecimal_or_base64_and_nothing_else() {
    let (key, text) = Key::generate().unwrap();
    let Key::Bytes(bytes) = &key else {
        panic!("a generated key is bytes")
    };
    let Key::Bytes(read) = &Key::from_text(&format!(" {}\n", text.expose())).unwrap() else {
        panic!("text is bytes")
    };
    assert_eq!(bytes, read);
    let base64 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let Key::Bytes(read) = &Key::from_text(base64).unwrap() else {
        panic!("text is bytes")
    };
    assert_eq!(read[31], 31);
    for bad in ["", "abc", &"g".repeat(64), "AAEC"] {
        assert!(matches!(Key::from_text(bad), Err(Error::Key)), "{bad:?}");
    }
}
