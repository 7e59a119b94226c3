//! How a system is reached.

use super::super::reader::Reader;
use super::ENCODINGS;
use crate::plan::{
    AnswerFormat, Auth, AuthOption, Authorize, BodyFormat, Circuit, Embedded, EmbeddedFormat,
    Encoding, Http, Jwt, KeyPlace, NullStyle, OauthClient, OauthRefresh, RateHeaders, RateLimit,
    ResetFormat, TokenBody, XmlRules,
};

pub(super) fn lower(reader: &Reader<'_, '_>) -> Http {
    Http {
        base_url: reader.template("base_url"),
        headers: reader.templates("headers").collect(),
        auth: auth(reader),
        rate_limit: reader.opt_object("rate_limit").map(|one| rate_limit(&one)),
        concurrency: reader.template("concurrency"),
        timeout: reader.template("timeout"),
        answer_bytes_max: reader.size("answer_bytes_max"),
        answer: answer(&reader.object("answer"), None),
        circuit: circuit(&reader.object("circuit")),
    }
}

fn circuit(reader: &Reader<'_, '_>) -> Circuit {
    Circuit {
        failures: reader.count("failures"),
        first: reader.duration("first"),
        max: reader.duration("max"),
    }
}

fn rate_limit(reader: &Reader<'_, '_>) -> RateLimit {
    RateLimit {
        requests: reader.count("requests"),
        per: reader.duration("per"),
        follow: reader.opt_object("follow").map(|one| rate_headers(&one)),
    }
}

fn rate_headers(reader: &Reader<'_, '_>) -> RateHeaders {
    let formats = [
        ("seconds", ResetFormat::Seconds),
        ("http-date", ResetFormat::HttpDate),
        ("epoch", ResetFormat::Epoch),
    ];
    RateHeaders {
        remaining: reader.text("remaining"),
        reset: reader.text("reset"),
        reset_format: reader
            .word("reset_format", &formats)
            .unwrap_or(ResetFormat::Seconds),
    }
}

/// How answers are read. What is not said is as in `outer`, if there is one.
pub(super) fn answer(reader: &Reader<'_, '_>, outer: Option<&AnswerFormat>) -> AnswerFormat {
    let bodies = [
        ("json", BodyFormat::Json),
        ("xml", BodyFormat::Xml),
        ("text", BodyFormat::Text),
        ("json_or_text", BodyFormat::JsonOrText),
        ("xml_or_text", BodyFormat::XmlOrText),
        ("any", BodyFormat::Any),
        ("none", BodyFormat::None),
    ];
    let xml = reader.object("xml");
    let own = AnswerFormat {
        body: reader.word("body", &bodies).unwrap_or(BodyFormat::Json),
        encoding: reader
            .word("encoding", &ENCODINGS)
            .unwrap_or(Encoding::Utf8),
        unquote: reader.flag("unquote"),
        nulls: nulls(reader),
        lists: reader.texts("lists"),
        drop_attributes: reader.flag("drop_attributes"),
        xml: XmlRules {
            lowercase_names: xml.flag("lowercase_names"),
            lists: xml.texts("lists"),
            trim: xml.flag("trim"),
            unwrap: xml.texts("unwrap"),
            unwrap_base64: xml.flag("unwrap_base64"),
            references: xml.flag("references"),
        },
        embedded: reader.objects("embedded").iter().map(embedded).collect(),
    };
    let Some(outer) = outer else { return own };
    let said = |reader: &Reader<'_, '_>, key| reader.node(key).is_some();
    AnswerFormat {
        body: if said(reader, "body") {
            own.body
        } else {
            outer.body
        },
        encoding: if said(reader, "encoding") {
            own.encoding
        } else {
            outer.encoding
        },
        unquote: if said(reader, "unquote") {
            own.unquote
        } else {
            outer.unquote
        },
        nulls: if said(reader, "nulls") {
            own.nulls
        } else {
            outer.nulls.clone()
        },
        lists: if said(reader, "lists") {
            own.lists
        } else {
            outer.lists.clone()
        },
        drop_attributes: if said(reader, "drop_attributes") {
            own.drop_attributes
        } else {
            outer.drop_attributes
        },
        xml: XmlRules {
            references: if said(&xml, "references") {
                own.xml.references
            } else {
                outer.xml.references
            },
            lowercase_names: if said(&xml, "lowercase_names") {
                own.xml.lowercase_names
            } else {
                outer.xml.lowercase_names
            },
            lists: if said(&xml, "lists") {
                own.xml.lists
            } else {
                outer.xml.lists.clone()
            },
            trim: if said(&xml, "trim") {
                own.xml.trim
            } else {
                outer.xml.trim
            },
            unwrap: if said(&xml, "unwrap") {
                own.xml.unwrap
            } else {
                outer.xml.unwrap.clone()
            },
            unwrap_base64: if said(&xml, "unwrap_base64") {
                own.xml.unwrap_base64
            } else {
                outer.xml.unwrap_base64
            },
        },
        embedded: if said(reader, "embedded") {
            own.embedded
        } else {
            outer.embedded.clone()
        },
    }
}

fn nulls(reader: &Reader<'_, '_>) -> Vec<NullStyle> {
    let style = |word: &String| match word.as_str() {
        "nil" => NullStyle::Nil,
        "empty" => NullStyle::Empty,
        _ => NullStyle::Word,
    };
    reader.texts("nulls").iter().map(style).collect()
}

fn embedded(reader: &Reader<'_, '_>) -> Embedded {
    let formats = [
        ("json", EmbeddedFormat::Json),
        ("xml", EmbeddedFormat::Xml),
        ("json_or_xml", EmbeddedFormat::JsonOrXml),
    ];
    Embedded {
        name: reader.text("name"),
        format: reader
            .word("as", &formats)
            .unwrap_or(EmbeddedFormat::JsonOrXml),
        base64: reader.flag("base64"),
    }
}

fn token_body(reader: &Reader<'_, '_>) -> TokenBody {
    reader
        .word(
            "body",
            &[("form", TokenBody::Form), ("json", TokenBody::Json)],
        )
        .unwrap_or(TokenBody::Form)
}

fn authorize(reader: &Reader<'_, '_>) -> Authorize {
    Authorize {
        url: reader.template("url"),
        parameters: reader.templates("parameters").collect(),
        redirect_uri: reader.opt_template("redirect_uri"),
        pkce: reader.flag("pkce"),
        code: reader.texts("code"),
        token_url: reader.opt_template("token_url"),
        tell: reader.opt_template("tell"),
    }
}

fn auth(reader: &Reader<'_, '_>) -> Auth {
    let Some((kind, one)) = reader.tagged("auth") else {
        return Auth::None;
    };
    match kind {
        "bearer" => Auth::Bearer {
            token: one.template("token"),
        },
        "basic" => Auth::Basic {
            username: one.template("username"),
            password: one.template("password"),
            stop_after_refusal: one.flag("stop_after_refusal"),
        },
        "api_key" => {
            let places = [
                ("header", KeyPlace::Header),
                ("query", KeyPlace::Query),
                ("cookie", KeyPlace::Cookie),
            ];
            Auth::ApiKey {
                place: one.word("in", &places).unwrap_or(KeyPlace::Header),
                name: one.text("name"),
                value: one.template("value"),
            }
        }
        "session" => Auth::Session {
            logon: one.text("logon"),
            token: one.expression("token"),
            logoff: one.opt_text("logoff"),
            scope: one.template("scope"),
            idle_max: one.template("idle_max"),
            header: one.opt_text("header"),
            life_max: one.opt_duration("life_max"),
        },
        "oauth_client" => Auth::OauthClient(OauthClient {
            token_url: one.template("token_url"),
            client_id: one.template("client_id"),
            client_secret: one.template("client_secret"),
            scope: one.opt_template("scope"),
            in_body: one.flag("in_body"),
            renew_before: one.duration("renew_before"),
            body: token_body(&one),
            access_token: one.texts("access_token"),
        }),
        "oauth_refresh" => Auth::OauthRefresh(OauthRefresh {
            token_url: one.template("token_url"),
            authorize: one
                .opt_object("authorize")
                .map(|one| Box::new(authorize(&one))),
            renew_within: one.opt_duration("renew_within"),
            client_id: one.template("client_id"),
            client_secret: one.template("client_secret"),
            refresh_token: one.text("refresh_token"),
            scope: one.opt_template("scope"),
            in_body: one.flag("in_body"),
            renew_before: one.duration("renew_before"),
            body: token_body(&one),
            access_token: one.texts("access_token"),
            refresh_token_names: one.texts("refresh_token_names"),
        }),
        "choice" => Auth::Choice(
            one.objects("of")
                .iter()
                .map(|option| AuthOption {
                    when: option.opt_expression("when"),
                    auth: auth(option),
                })
                .collect(),
        ),
        "jwt" => Auth::Jwt(Jwt {
            algorithm: one.text("algorithm"),
            key: one.template("key"),
            claims: one.templates("claims").collect(),
            lifetime: one.duration("lifetime"),
        }),
        _ => Auth::None,
    }
}
