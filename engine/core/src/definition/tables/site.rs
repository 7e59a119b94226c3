//! The site file: one installation. No secret value is ever in it.

use super::integration::SCHEDULE;
use super::trigger::AT;
use crate::definition::table::{Keys, Rule, Shape, Table, default, optional, required};

pub(crate) static SITE: Table = Table {
    name: "Site",
    doc: "One installation: where it listens, its store, its connections, which integrations run. No secret value is ever in \
          it. File `ml-connector.yaml`.",
    rows: &[&[
        required(
            "version",
            Shape::Version,
            "The version of the definition language: `1`. The first key.",
        ),
        required("site", Shape::Name, "Its name."),
        default(
            "definitions",
            Shape::Text,
            ".",
            "The folder that holds `connectors/`, `mappings/` and `schemas/`, from this file's folder.",
        ),
        default(
            "store",
            Shape::Object(&STORE),
            "{}",
            "Where records are kept.",
        ),
        default(
            "vault",
            Shape::Object(&VAULT),
            "{}",
            "Where secrets are kept.",
        ),
        default("listen", Shape::Object(&LISTEN), "{}", "Where it listens."),
        required(
            "connections",
            Shape::Map(Keys::Name, &Shape::Object(&CONNECTION)),
            "The systems it reaches, each under a name of its own.",
        ),
        required(
            "integrations",
            Shape::List(&Shape::Object(&INSTANCE)),
            "What runs.",
        ),
    ]],
    rules: &[],
};

static STORE: Table = Table {
    name: "Store",
    doc: "Where records are kept.",
    rows: &[&[default(
        "path",
        Shape::Text,
        "data",
        "The folder, from the site file's folder.",
    )]],
    rules: &[],
};

static VAULT: Table = Table {
    name: "Vault",
    doc: "Where secrets are kept, encrypted.",
    rows: &[&[
        default(
            "path",
            Shape::Text,
            "data/vault",
            "The vault file, from the site file's folder.",
        ),
        default(
            "key",
            Shape::Object(&VAULT_KEY),
            "{ file: vault.key }",
            "Where the key comes from that opens it.",
        ),
    ]],
    rules: &[],
};

static VAULT_KEY: Table = Table {
    name: "VaultKey",
    doc: "Where the key comes from that opens the vault.",
    rows: &[&[
        optional("file", Shape::Text, "A file, from the site file's folder."),
        optional("env", Shape::Text, "An environment variable."),
        optional(
            "credential",
            Shape::Text,
            "A file in the service manager's credentials directory.",
        ),
    ]],
    rules: &[Rule::ExactlyOne(&["file", "env", "credential"])],
};

static LISTEN: Table = Table {
    name: "Listen",
    doc: "Where it listens: `address:port`.",
    rows: &[&[
        default("webhooks", Shape::Text, "127.0.0.1:8080", "For webhooks."),
        default(
            "admin",
            Shape::Text,
            "127.0.0.1:8081",
            "For operators; keep it off the open network.",
        ),
    ]],
    rules: &[],
};

static CONNECTION: Table = Table {
    name: "Connection",
    doc: "One connector with settings and secrets.",
    rows: &[&[
        required("connector", Shape::Name, "The connector."),
        default(
            "settings",
            Shape::Map(Keys::Identifier, &Shape::Anything),
            "{}",
            "Its settings.",
        ),
        default(
            "secrets",
            Shape::Map(Keys::Identifier, &Shape::OneOrMore(&Shape::PathName)),
            "{}",
            "For each of its secrets the name in the vault; several where the connector allows several live values.",
        ),
        default(
            "poll",
            Shape::Map(Keys::Identifier, &Shape::Object(&POLL_OVERRIDE)),
            "{}",
            "Other intervals or times for its polls, by trigger.",
        ),
        optional(
            "rate_limit",
            Shape::Object(&RATE_LIMIT),
            "Another request budget than the connector's: a limit agreed with the vendor, or a share of it where one \
             token serves several programs. Header fields of answers are still followed.",
        ),
        optional(
            "certificates",
            Shape::Text,
            "A file of PEM certificates, beside this file, that the connection trusts beside the public authorities: \
             for systems inside the house whose certificates nobody outside has signed.",
        ),
    ]],
    rules: &[],
};

static RATE_LIMIT: Table = Table {
    name: "SiteRateLimit",
    doc: "A connection's request budget here.",
    rows: &[&[
        required(
            "requests",
            Shape::Count {
                min: 1,
                max: 1_000_000,
            },
            "Requests allowed in each window.",
        ),
        required("per", Shape::Duration, "The window."),
    ]],
    rules: &[],
};

static POLL_OVERRIDE: Table = Table {
    name: "PollOverride",
    doc: "How often, or at which times, a poll asks here.",
    rows: &[&[
        optional("every", Shape::Duration, "How often."),
        optional("at", Shape::Object(&AT), "At which times."),
    ]],
    rules: &[Rule::ExactlyOne(&["every", "at"])],
};

static INSTANCE: Table = Table {
    name: "Instance",
    doc: "An integration as it runs here.",
    rows: &[&[
        required("use", Shape::PathName, "The integration."),
        optional(
            "name",
            Shape::PathName,
            "Its name here; needed where one integration runs more than once. Records keep it for ever. Default: `use`.",
        ),
        default(
            "params",
            Shape::Map(Keys::Identifier, &Shape::Anything),
            "{}",
            "Its parameters.",
        ),
        default(
            "connections",
            Shape::Map(Keys::Identifier, &Shape::Name),
            "{}",
            "This site's connection for each name the integration uses. Default: the one of the same name.",
        ),
        default(
            "crosswalks",
            Shape::Map(Keys::Identifier, &Shape::Name),
            "{}",
            "This site's matching table for each name the integration uses. Default: the one of the same name.",
        ),
        optional(
            "schedule",
            Shape::ScalarOr {
                scalar: &Shape::Word(&["none"]),
                other: &Shape::Object(&SCHEDULE),
            },
            "Other windows than the integration's, in which deliveries may be made here; `none`: at any time.",
        ),
        default("enabled", Shape::Flag, "true", "Whether it runs."),
    ]],
    rules: &[],
};
