//! JSON Web Tokens that we sign ourselves (RFC 7519, RFC 7515): HS256 and RS256.

use super::token::{Token, renew_at};
use super::{Failure, misconfigured, scope_with_secrets};
use crate::connection::Caller;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use ml_connector_core::delivery::Class;
use ml_connector_core::plan::Jwt;
use rustls::SignatureScheme;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Map, Value as Document, json};
use sha2::Sha256;
use std::sync::Arc;
use std::time::Duration;

/// A clock that is behind ours by less than this still takes the token.
const CLOCK_SKEW_S: i64 = 30;
/// Signed anew this long before it expires.
const RENEW_BEFORE: Duration = Duration::from_secs(60);

pub(super) fn sign(caller: &Caller, jwt: &Jwt) -> Result<Arc<Token>, Failure> {
    let scope = scope_with_secrets(caller);
    let key = jwt
        .key
        .text(&scope)
        .map_err(|error| misconfigured(&error))?;
    let now = caller.now();
    let mut claims = Map::new();
    for (name, template) in &jwt.claims {
        let value = template
            .value(&scope)
            .map_err(|error| misconfigured(&error))?;
        if !value.is_null() {
            claims.insert(name.clone(), value);
        }
    }
    let lifetime = i64::try_from(jwt.lifetime.as_secs()).unwrap_or(i64::MAX);
    claims.insert("iat".to_owned(), (now.as_second() - CLOCK_SKEW_S).into());
    claims.insert(
        "exp".to_owned(),
        now.as_second().saturating_add(lifetime).into(),
    );
    let text = signed(&jwt.algorithm, &key, &Document::Object(claims)).map_err(|why| {
        Failure::Refused {
            class: Class::Configuration,
            why: format!("cannot sign a token: {why}"),
            help: "check the signing key in the vault".to_owned(),
        }
    })?;
    caller.counters.logged_on();
    Ok(Token::new(
        text,
        Some(renew_at(now, jwt.lifetime, RENEW_BEFORE)),
    ))
}

/// The compact form. Errors never show the key.
fn signed(algorithm: &str, key: &str, claims: &Document) -> Result<String, String> {
    let header = json!({ "alg": algorithm, "typ": "JWT" });
    let encode = |value: &Document| URL_SAFE_NO_PAD.encode(value.to_string());
    let content = format!("{}.{}", encode(&header), encode(claims));
    let signature = match algorithm {
        "HS256" => {
            let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes())
                .map_err(|_| "the key has the wrong length".to_owned())?;
            mac.update(content.as_bytes());
            mac.finalize().into_bytes().to_vec()
        }
        "RS256" => rs256(key, content.as_bytes())?,
        _ => return Err(format!("the algorithm `{algorithm}` is not supported")),
    };
    Ok(format!("{content}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

fn rs256(pem: &str, content: &[u8]) -> Result<Vec<u8>, String> {
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes())
        .map_err(|_| "the key is not a PEM private key".to_owned())?;
    let key = rustls::crypto::ring::sign::any_supported_type(&key)
        .map_err(|_| "the key is of a kind that is not supported".to_owned())?;
    let signer = key
        .choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256])
        .ok_or_else(|| "the key is not an RSA key".to_owned())?;
    signer
        .sign(content)
        .map_err(|_| "signing failed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hs256_matches_the_example_of_rfc_7515_in_form_and_verifies() {
        let token = signed("HS256", "k3y", &json!({ "iss": "joe" })).unwrap();
        let (content, signature) = token.rsplit_once('.').unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(b"k3y").unwrap();
        mac.update(content.as_bytes());
        mac.verify_slice(&URL_SAFE_NO_PAD.decode(signature).unwrap())
            .unwrap();
        let header = URL_SAFE_NO_PAD
            .decode(content.split('.').next().unwrap())
            .unwrap();
        assert_eq!(
            serde_json::from_slice::<Document>(&header).unwrap()["alg"],
            "HS256"
        );
    }

    #[test]
    fn a_key_that_is_none_is_named_without_being_shown() {
        let why = signed("RS256", "no-key-at-all", &json!({})).unwrap_err();
        assert_eq!(why, "the key is not a PEM private key");
        assert!(signed("none", "k", &json!({})).is_err());
    }
}
