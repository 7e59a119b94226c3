//! Literals that look like credentials: definitions are shared and reviewed, secrets belong in the vault.

use super::super::Context;
use super::super::locate::{Owner, route};
use super::super::walk::Leaf;
use crate::codes;
use crate::diagnostic::{Diagnostic, Findings};
use crate::source::Span;
use crate::template::{Kind, Shape};
use serde_json::Value as Document;
use std::collections::HashSet;
use std::ops::Range;

pub(super) fn rule(context: &Context<'_>, findings: &mut Findings) {
    for leaf in &context.walk.leaves {
        literals(&leaf.shape, &mut |text, at| {
            let whole = leaf.shape.fixed().is_some();
            let why = suspicion(text).or_else(|| named_secret(leaf.key, text).filter(|_| whole));
            if let Some(why) = why {
                findings.push(secret_finding(context.place(leaf, at), why));
            }
        });
        header_in_text(context, leaf, findings);
    }
    for connector in context.library.connectors.values() {
        let owner = Owner::Connector(connector);
        defaults(context, owner, "settings", &connector.settings, findings);
    }
    for integration in context.library.integrations.values() {
        let owner = Owner::Integration(integration);
        defaults(context, owner, "params", &integration.params, findings);
    }
}

/// What is said about a literal that looks like a secret.
pub(in super::super) fn secret_finding(span: Span, why: &str) -> Diagnostic {
    Diagnostic::error(codes::LITERAL_SECRET, span, format!("this looks like a secret: {why}"))
        .help("declare it under `secrets` and put its value into the vault with `ml-connector secrets set`")
        .note("definitions are shared, reviewed and kept for ever; change the secret if this file has left your machine")
}

/// Every fixed text of an expression.
fn literals(shape: &Shape, see: &mut impl FnMut(&str, &Range<usize>)) {
    shape.walk(&mut |one| {
        if let Kind::Value(Document::String(text)) = &one.kind {
            see(text, &one.at);
        }
    });
}

/// `Basic dXNlcjpwYXNz` in a text: the scheme is a literal and so is what follows.
fn header_in_text(context: &Context<'_>, leaf: &Leaf<'_>, findings: &mut Findings) {
    let Some(Document::String(text)) = leaf.shape.fixed() else {
        return;
    };
    let follows = |scheme: &str| {
        text.strip_prefix(scheme)
            .is_some_and(|rest| rest.trim().len() >= 6)
    };
    if leaf.key.eq_ignore_ascii_case("authorization")
        && (follows("Bearer ") || follows("Basic "))
        && suspicion(text).is_none()
    {
        findings.push(secret_finding(
            context.place(leaf, &leaf.shape.at),
            "it is sent as `Authorization`",
        ));
    }
}

fn defaults(
    context: &Context<'_>,
    owner: Owner<'_>,
    key: &str,
    schema: &Document,
    findings: &mut Findings,
) {
    let properties = schema.get("properties").and_then(Document::as_object);
    for (name, property) in properties.into_iter().flatten() {
        let Some(text) = property.get("default").and_then(Document::as_str) else {
            continue;
        };
        if let Some(why) = looks_secret(name, text) {
            findings.push(secret_finding(
                context.locator.value(owner, &route([key, name, "default"])),
                why,
            ));
        }
    }
}

/// Why a text under a key looks like a secret, if it does.
pub(in super::super) fn looks_secret(key: &str, text: &str) -> Option<&'static str> {
    suspicion(text).or_else(|| named_secret(key, text))
}

/// Names whose value is a secret.
const SECRET_NAMES: [&str; 9] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "api_key",
    "private_key",
    "access_key",
];

/// Values under such a name that are no secrets: they say that there is none, or ask for one.
const HARMLESS: [&str; 6] = ["none", "fetch", "required", "true", "false", "bearer"];

fn named_secret(key: &str, text: &str) -> Option<&'static str> {
    let snake = snake_case(key);
    let named = SECRET_NAMES
        .iter()
        .any(|name| snake == *name || snake.ends_with(&format!("_{name}")));
    let telling = text.chars().count() >= 4 && !HARMLESS.contains(&text.to_lowercase().as_str());
    (named && telling).then_some("its name says so")
}

/// `OperatorPassword` and `X-Api-Key` as `operator_password` and `x_api_key`.
fn snake_case(name: &str) -> String {
    let mut text = String::new();
    let mut before_lower = false;
    for c in name.chars() {
        if c.is_uppercase() && before_lower {
            text.push('_');
        }
        before_lower = c.is_lowercase() || c.is_ascii_digit();
        text.push(if c == '-' || c == '.' || c == ' ' {
            '_'
        } else {
            c.to_ascii_lowercase()
        });
    }
    text
}

/// How tokens of well-known kinds begin.
const PREFIXES: [(&str, &str); 12] = [
    ("-----BEGIN", "it is a key in PEM form"),
    ("eyJ", "it begins like a JWT"),
    ("sk_live_", "it begins like an API key"),
    ("sk_test_", "it begins like an API key"),
    ("rk_live_", "it begins like an API key"),
    ("live_", "it begins like an access token"),
    ("sandbox_", "it begins like an access token"),
    ("ghp_", "it begins like an access token"),
    ("github_pat_", "it begins like an access token"),
    ("glpat-", "it begins like an access token"),
    ("xoxb-", "it begins like an access token"),
    ("AKIA", "it begins like an access key"),
];

/// A token of a well-known kind is at least this long.
const TOKEN_LENGTH_MIN: usize = 16;

fn suspicion(text: &str) -> Option<&'static str> {
    let bare = text
        .strip_prefix("Bearer ")
        .or_else(|| text.strip_prefix("Basic "))
        .unwrap_or(text)
        .trim();
    if bare.len() < TOKEN_LENGTH_MIN {
        return None;
    }
    let known = PREFIXES
        .iter()
        .find(|(prefix, _)| bare.starts_with(prefix))
        .map(|(_, why)| *why);
    let one_word = !bare.contains(char::is_whitespace);
    known
        .filter(|_| one_word || bare.starts_with("-----BEGIN"))
        .or_else(|| random(bare).then_some("it looks random"))
}

/// Random texts shorter than this cannot be told from words.
const RANDOM_LENGTH_MIN: usize = 24;

/// A random text of that length has about twenty different characters; names and numbers have fewer.
const DIFFERENT_MIN: usize = 14;

/// Random texts change between small letters, capitals and digits at three places of five; words seldom do.
fn random(text: &str) -> bool {
    let alphabet = |c: char| c.is_ascii_alphanumeric() || "+/_-=".contains(c);
    let kind = |c: char| (c.is_uppercase(), c.is_lowercase(), c.is_ascii_digit());
    let all: Vec<char> = text.chars().collect();
    let different: HashSet<&char> = all.iter().collect();
    let changes = all
        .windows(2)
        .filter(|pair| matches!(pair, [a, b] if kind(*a) != kind(*b)))
        .count();
    // Ids in hexadecimal have letters of one case only; they are no secrets.
    let each = [char::is_uppercase, char::is_lowercase, |c: char| {
        c.is_ascii_digit()
    }];
    let mixed = each
        .iter()
        .all(|is| all.iter().filter(|c| is(**c)).count() >= 3);
    all.len() >= RANDOM_LENGTH_MIN
        && all.iter().all(|c| alphabet(*c))
        && mixed
        && different.len() >= DIFFERENT_MIN
        && changes * 5 >= all.len() * 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_recognised() {
        for text in [
            "Bearer 7f3KqZp0Wm2LxR8vTn5YbQ1c",
            "live_Xk2mB7r0-pQ93ZtUvWyA4cDeF6gH8",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
            "-----BEGIN PRIVATE KEY----- MIIE",
            "9aX3kLm0PqRs7TuVwXyZ1bCdEf5GhJ",
        ] {
            assert!(suspicion(text).is_some(), "{text}");
        }
    }

    #[test]
    fn ordinary_texts_are_not() {
        for text in [
            "http://www.w3.org/2001/XMLSchema-instance",
            "/Transaction/PostLD",
            "The quick brown fox jumps over the lazy dog",
            "application/x-www-form-urlencoded",
            "PaymentNarrationOfTheCustomerOrder",
            "live_events",
            "Bearer ",
            "0b54b2f4-7c0c-4f7e-9a2e-6f5d6c0a1f11",
            "InvoiceLine2026-Batch17-Of-Customer0000417",
            "2015-07-06",
            "",
        ] {
            assert_eq!(suspicion(text), None, "{text}");
        }
    }

    #[test]
    fn names_tell_a_secret_unless_the_value_is_harmless() {
        for (key, text) in [
            ("OperatorPassword", "hunter22"),
            ("X-Api-Key", "abcd1234"),
            ("client_secret", "letmein"),
        ] {
            assert!(named_secret(key, text).is_some(), "{key}");
        }
        for (key, text) in [
            ("X-CSRF-Token", "fetch"),
            ("password", ""),
            ("password_patterns", "password|invalid"),
            ("token_type", "something"),
            ("Passwordless", "always"),
        ] {
            assert_eq!(named_secret(key, text), None, "{key}");
        }
    }
}
