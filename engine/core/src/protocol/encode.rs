//! Writes a call down as a request.

use super::text::{Unmappable, path_segment, percent_encode, to_bytes};
use super::xml::{self, Writing};
use super::{Call, Credentials, EncodeError, form, graphql, paginate, scope, soap, time, tree};
use crate::http::HttpRequest;
use crate::plan::{
    Action, Auth, Content, KeyPlace, OperationKind, Repeat, Request, Tree, Variant, XmlContent,
};
use crate::template::{Read, Scope, Template};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value as Document};

/// Writes a call down as a request, with its credentials.
///
/// Order: named documents as they are read, the variant, address, query, header fields, body,
/// credentials.
///
/// # Errors
/// If a template has no value, a value does not fit where it goes, a credential is not there, or no
/// variant applies.
pub fn encode(call: &Call<'_>, credentials: &dyn Credentials) -> Result<HttpRequest, EncodeError> {
    let mut writer = Writer::new(call, credentials);
    let variant = writer.variant()?;
    match &variant.action {
        Action::Request(request) => writer.request(request),
        Action::Sequence(_) => Err(EncodeError::value(
            format!("variants.{}", variant.name),
            "a sequence has no request of its own",
        )),
    }
}

/// The body of a request with the header fields that belong to it.
struct Body {
    bytes: Vec<u8>,
    headers: Vec<(String, String)>,
}

/// One call being written down.
pub(super) struct Writer<'c, 'a> {
    call: &'c Call<'a>,
    credentials: &'c dyn Credentials,
    scope: Scope<'c>,
    documents: Map<String, Document>,
}

impl<'c, 'a> Writer<'c, 'a> {
    pub(super) fn new(call: &'c Call<'a>, credentials: &'c dyn Credentials) -> Self {
        let mut scope = scope::of_call(call);
        if let Some(token) = credentials.session() {
            scope.set_owned("session", token.into());
        }
        if matches!(call.operation.kind, OperationKind::Session) {
            scope.set_owned("secrets", scope::secrets(call, credentials));
        }
        Self {
            call,
            credentials,
            scope,
            documents: Map::new(),
        }
    }

    /// The first variant whose `when` holds.
    pub(super) fn variant(&mut self) -> Result<&'a Variant, EncodeError> {
        let operation = self.call.operation;
        for variant in &operation.variants {
            let Some(when) = &variant.when else {
                return Ok(variant);
            };
            self.make_read(when.reads())?;
            let place = format!("variants.{}.when", variant.name);
            if when
                .holds(&self.scope)
                .map_err(EncodeError::template(place))?
            {
                return Ok(variant);
            }
        }
        Err(EncodeError::NoVariant {
            operation: operation.name.clone(),
        })
    }

    fn request(&mut self, request: &Request) -> Result<HttpRequest, EncodeError> {
        let mut url = self.url(request)?;
        let mut headers = self.headers(request)?;
        let body = match &request.body {
            Some(content) => self.body(content)?,
            None => Body {
                bytes: Vec::new(),
                headers: Vec::new(),
            },
        };
        for (name, value) in body.headers {
            if !headers
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(&name))
            {
                headers.push((name, value));
            }
        }
        self.idempotency_key(&mut headers)?;
        if !self.call.operation.anonymous
            && !matches!(self.call.operation.kind, OperationKind::Session)
        {
            self.authenticate(&mut url, &mut headers)?;
        }
        for (name, value) in &headers {
            check_header(name, value)?;
        }
        let timeout = request
            .timeout
            .as_ref()
            .unwrap_or(&self.call.connector.http.timeout);
        let timeout = time::duration(timeout, self.call.settings)
            .map_err(EncodeError::template("request.timeout"))?;
        Ok(HttpRequest {
            method: request.method,
            url,
            headers,
            body: Bytes::from(body.bytes),
            timeout,
        })
    }

    fn url(&mut self, request: &Request) -> Result<String, EncodeError> {
        let settings = Scope::new().with("settings", self.call.settings);
        let (base, place) = match &request.base_url {
            Some(own) => (own, "request.base_url"),
            None => (&self.call.connector.http.base_url, "http.base_url"),
        };
        let base = base.text(&settings).map_err(EncodeError::template(place))?;
        if let Some(next) = paginate::next_url(self.call) {
            return paginate::checked_next_url(&base, next);
        }
        self.make(&request.path)?;
        let path = self.evaluated(&request.path, "request.path", |path, scope| {
            path.encoded_text(scope, path_segment)
        })?;
        let (base, own_query) = base.split_once('?').unwrap_or((&base, ""));
        let mut url = base.trim_end_matches('/').to_owned();
        if !path.is_empty() && !path.starts_with('/') {
            url.push('/');
        }
        url.push_str(&path);
        if !own_query.is_empty() {
            url.push('?');
            url.push_str(own_query);
        }
        for (_, template) in &request.query {
            self.make(template)?;
        }
        let mut pairs = form::pairs(&request.query, &self.scope, "request.query")
            .map_err(|error| self.blame_credentials(error, request.query.iter().map(|(_, t)| t)))?;
        paginate::add_page(self.call, &mut pairs)?;
        for (name, value) in &pairs {
            add_query(&mut url, name, value);
        }
        Ok(url)
    }

    fn headers(&mut self, request: &Request) -> Result<Vec<(String, String)>, EncodeError> {
        let settings = Scope::new().with("settings", self.call.settings);
        let mut headers: Vec<(String, String)> = Vec::new();
        for (name, template) in &self.call.connector.http.headers {
            let place = format!("http.headers.{name}");
            if let Some(value) = template
                .optional_text(&settings)
                .map_err(EncodeError::template(place))?
            {
                headers.push((name.clone(), value));
            }
        }
        for (name, template) in &request.headers {
            self.make(template)?;
            let place = format!("request.headers.{name}");
            let value = self.evaluated(template, &place, Template::optional_text)?;
            headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            headers.extend(value.map(|value| (name.clone(), value)));
        }
        Ok(headers)
    }

    fn body(&mut self, content: &Content) -> Result<Body, EncodeError> {
        let place = "request.body";
        self.make_content(content)?;
        let typed = |bytes: Vec<u8>, media: &str| Body {
            bytes,
            headers: vec![("Content-Type".to_owned(), media.to_owned())],
        };
        Ok(match content {
            Content::Json(tree) => {
                let document = self.tree(tree, place)?.unwrap_or_default();
                typed(document.to_string().into_bytes(), "application/json")
            }
            Content::Graphql { query, variables } => {
                let variables = self.tree(variables, "request.body.variables")?;
                let body = graphql::body(query, variables);
                typed(body.to_string().into_bytes(), "application/json")
            }
            Content::Form(fields) => {
                let pairs = self.pairs(fields, place)?;
                typed(
                    form::encode(&pairs).into_bytes(),
                    "application/x-www-form-urlencoded",
                )
            }
            Content::Xml(xml) => {
                let text = self.xml(xml, xml.declaration, place)?;
                let media = match xml.encoding {
                    crate::plan::Encoding::Windows1252 => "application/xml; charset=windows-1252",
                    crate::plan::Encoding::Utf8 | crate::plan::Encoding::Auto => "application/xml",
                };
                typed(to_bytes(text, xml.encoding), media)
            }
            Content::Soap(soap) => {
                let action = self.evaluated(&soap.action, "request.body.action", Template::text)?;
                let text = self.soap(soap, place)?;
                Body {
                    bytes: text.into_bytes(),
                    headers: soap.version.headers(&action),
                }
            }
            Content::Text { text, content_type } => {
                let text = self.evaluated(text, place, Template::text)?;
                typed(text.into_bytes(), content_type)
            }
        })
    }

    /// A named document: structured content as what it says, everything else as its text.
    fn document(&mut self, name: &str, content: &Content) -> Result<Document, EncodeError> {
        let place = format!("documents.{name}");
        self.make_content(content)?;
        Ok(match content {
            Content::Json(tree) => self.tree(tree, &place)?.unwrap_or_default(),
            Content::Graphql { query, variables } => {
                graphql::body(query, self.tree(variables, &place)?)
            }
            Content::Form(fields) => form::encode(&self.pairs(fields, &place)?).into(),
            // A named document is text: a declaration would claim an encoding of bytes that it does
            // not have.
            Content::Xml(xml) => self.xml(xml, false, &place)?.into(),
            Content::Soap(soap) => self.soap(soap, &place)?.into(),
            Content::Text { text, .. } => self.evaluated(text, &place, Template::text)?.into(),
        })
    }

    fn pairs(
        &self,
        fields: &[(String, Template)],
        place: &str,
    ) -> Result<Vec<(String, String)>, EncodeError> {
        form::pairs(fields, &self.scope, place)
            .map_err(|error| self.blame_credentials(error, fields.iter().map(|(_, field)| field)))
    }

    fn tree(&self, tree: &Tree, place: &str) -> Result<Option<Document>, EncodeError> {
        tree::evaluate(tree, &self.scope, place).map_err(|error| {
            let mut secret = None;
            tree::reads(tree, &mut |reads| {
                secret = secret.take().or_else(|| self.lacking(reads));
            });
            secret_or(secret, error)
        })
    }

    fn xml(
        &self,
        content: &XmlContent,
        declaration: bool,
        place: &str,
    ) -> Result<String, EncodeError> {
        let unmappable = match &content.unmappable {
            Some(template) => {
                let place = format!("{place}.unmappable");
                let name = self.evaluated(template, &place, Template::text)?;
                Unmappable::from_name(&name).ok_or_else(|| {
                    EncodeError::value(place, "it must be `translit`, `question` or `fail`")
                })?
            }
            None => Unmappable::Fail,
        };
        let tree = self.tree(&content.tree, place)?.unwrap_or_default();
        let writing = Writing {
            declaration,
            encoding: content.encoding,
            unmappable,
        };
        xml::write(&tree, writing, place)
    }

    fn soap(&self, soap: &crate::plan::SoapContent, place: &str) -> Result<String, EncodeError> {
        let header = match &soap.header {
            Some(header) => self.tree(header, &format!("{place}.header"))?,
            None => None,
        };
        let body = self.tree(&soap.body, &format!("{place}.body"))?;
        soap::envelope(soap.version, header, body, place)
    }

    fn idempotency_key(&self, headers: &mut Vec<(String, String)>) -> Result<(), EncodeError> {
        let Some(Repeat::IdempotencyKey { header, .. }) =
            self.call.operation.write().map(|write| &write.repeat)
        else {
            return Ok(());
        };
        // Without its key the request could be done twice: it is not written at all.
        let key = self
            .call
            .idempotency_key
            .ok_or_else(|| EncodeError::value("repeat.idempotency_key", "the call has no key"))?;
        headers.retain(|(known, _)| !known.eq_ignore_ascii_case(header));
        headers.push((header.clone(), key.to_owned()));
        Ok(())
    }

    fn authenticate(
        &self,
        url: &mut String,
        headers: &mut Vec<(String, String)>,
    ) -> Result<(), EncodeError> {
        let value = match self.call.connector.http.auth.chosen(self.call.settings) {
            // Without a header field of its own, the token of a session goes wherever the templates put it.
            Auth::None | Auth::Choice(_) | Auth::Session { header: None, .. } => return Ok(()),
            Auth::Session {
                header: Some(header),
                ..
            } => {
                let token = self.credentials.session();
                let token = token.ok_or_else(|| EncodeError::Credential {
                    what: "the session".to_owned(),
                })?;
                headers.push((header.clone(), token.to_owned()));
                return Ok(());
            }
            Auth::Bearer { token } => format!("Bearer {}", self.secret_text(token, "token")?),
            Auth::Basic {
                username, password, ..
            } => {
                let username = self.secret_text(username, "username")?;
                let password = self.secret_text(password, "password")?;
                if username.contains(':') {
                    return Err(EncodeError::value("http.auth.username", "it contains `:`"));
                }
                if self.credentials.is_masked() {
                    format!("Basic {username}:{password}")
                } else {
                    format!(
                        "Basic {}",
                        BASE64_STANDARD.encode(format!("{username}:{password}"))
                    )
                }
            }
            Auth::ApiKey { place, name, value } => {
                let value = self.secret_text(value, "value")?;
                match place {
                    KeyPlace::Header => headers.push((name.clone(), value)),
                    KeyPlace::Query => add_query(url, name, &value),
                    KeyPlace::Cookie => {
                        headers.push(("Cookie".to_owned(), format!("{name}={value}")));
                    }
                }
                return Ok(());
            }
            Auth::OauthClient(_) | Auth::OauthRefresh(_) | Auth::Jwt(_) => {
                let token = self
                    .credentials
                    .bearer()
                    .ok_or_else(|| EncodeError::Credential {
                        what: "the access token".to_owned(),
                    })?;
                format!("Bearer {token}")
            }
        };
        headers.push(("Authorization".to_owned(), value));
        Ok(())
    }

    fn secret_text(&self, template: &Template, name: &str) -> Result<String, EncodeError> {
        let scope = Scope::new()
            .with("settings", self.call.settings)
            .with_owned("secrets", scope::secrets(self.call, self.credentials));
        template.text(&scope).map_err(|error| {
            let error = EncodeError::template(format!("http.auth.{name}"))(error);
            secret_or(self.lacking(template.reads()), error)
        })
    }

    /// Evaluates a template; where it fails for want of a credential, the error says that instead.
    fn evaluated<T>(
        &self,
        template: &Template,
        place: &str,
        how: impl FnOnce(&Template, &Scope<'_>) -> Result<T, crate::template::EvalError>,
    ) -> Result<T, EncodeError> {
        how(template, &self.scope).map_err(|error| {
            secret_or(
                self.lacking(template.reads()),
                EncodeError::template(place)(error),
            )
        })
    }

    fn blame_credentials<'t>(
        &self,
        error: EncodeError,
        mut templates: impl Iterator<Item = &'t Template>,
    ) -> EncodeError {
        secret_or(
            templates.find_map(|template| self.lacking(template.reads())),
            error,
        )
    }

    /// The first credential among the reads that is not there.
    fn lacking(&self, reads: &[Read]) -> Option<String> {
        reads.iter().find_map(
            |read| match (read.path.first()?.as_str(), read.path.get(1)) {
                ("session", _) if self.credentials.session().is_none() => {
                    Some("the session token".to_owned())
                }
                ("secrets", Some(name))
                    if self.credentials.secret(name).is_none() && !read.guarded =>
                {
                    Some(format!("secret `{name}`"))
                }
                _ => None,
            },
        )
    }

    fn make(&mut self, template: &Template) -> Result<(), EncodeError> {
        self.make_read(template.reads())
    }

    fn make_content(&mut self, content: &Content) -> Result<(), EncodeError> {
        let mut wanted = Vec::new();
        content_reads(content, &mut |reads| wanted.extend(reads));
        for read in wanted {
            self.make_read(std::slice::from_ref(read))?;
        }
        Ok(())
    }

    /// Makes the named documents that something reads, each once.
    fn make_read(&mut self, reads: &[Read]) -> Result<(), EncodeError> {
        let documents = &self.call.operation.documents;
        for read in reads {
            if read.path.first().is_none_or(|root| root != "documents") {
                continue;
            }
            let wanted = read.path.get(1);
            for (name, content) in documents {
                if wanted.is_some_and(|wanted| wanted != name) || self.documents.contains_key(name)
                {
                    continue;
                }
                // Null while it is being made: a document that reads itself finds nothing, and says
                // so.
                self.documents.insert(name.clone(), Document::Null);
                let made = self.document(name, content)?;
                self.documents.insert(name.clone(), made);
                self.scope
                    .set_owned("documents", Document::Object(self.documents.clone()));
            }
        }
        Ok(())
    }
}

fn content_reads<'t>(content: &'t Content, see: &mut dyn FnMut(&'t [Read])) {
    match content {
        Content::Json(tree)
        | Content::Graphql {
            variables: tree, ..
        } => tree::reads(tree, see),
        Content::Form(fields) => fields.iter().for_each(|(_, field)| see(field.reads())),
        Content::Xml(xml) => {
            tree::reads(&xml.tree, see);
            if let Some(unmappable) = &xml.unmappable {
                see(unmappable.reads());
            }
        }
        Content::Soap(soap) => {
            see(soap.action.reads());
            tree::reads(&soap.body, see);
            if let Some(header) = &soap.header {
                tree::reads(header, see);
            }
        }
        Content::Text { text, .. } => see(text.reads()),
    }
}

fn secret_or(secret: Option<String>, error: EncodeError) -> EncodeError {
    match secret {
        Some(what) => EncodeError::Credential { what },
        None => error,
    }
}

fn add_query(url: &mut String, name: &str, value: &str) {
    url.push(if url.contains('?') { '&' } else { '?' });
    url.push_str(&percent_encode(name));
    url.push('=');
    url.push_str(&percent_encode(value));
}

/// RFC 9110 section 5.5: visible characters, spaces and tabs. A line break would start another
/// field.
fn check_header(name: &str, value: &str) -> Result<(), EncodeError> {
    let place = || format!("request.headers.{name}");
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || !name.bytes().all(token) {
        return Err(EncodeError::value(place(), "it is not a header field name"));
    }
    if !value
        .bytes()
        .all(|b| b == b'\t' || (b' '..=b'~').contains(&b))
    {
        return Err(EncodeError::value(
            place(),
            "a header field takes visible ASCII only",
        ));
    }
    Ok(())
}
