//! The expressions of a connector and what each may read.

use super::super::locate::{Owner, Route, route};
use super::super::scope::{Entry, Scope};
use super::{Call, Given, Walk, Wants, result};
use crate::plan::{
    Action, Auth, Authorize, Connector, Content, Health, LookUpSpec, Operation, OperationKind,
    OutcomeRule, Repeat, Request, Step, TriggerKind, Variant, Write,
};
use crate::template::Template;
use indexmap::IndexMap;
use std::rc::Rc;

pub(super) fn walk<'a>(walk: &mut Walk<'a>, connector: &'a Connector) {
    let owner = Owner::Connector(connector);
    let settings = Scope::new().with("settings", Entry::of(&connector.settings));
    let mut one = One {
        walk,
        connector,
        owner,
        settings: Rc::new(settings),
    };
    one.http();
    if let Some(health) = &connector.health {
        one.health(health, route(["health"]));
    }
    for (at, ping) in connector.ping.iter().enumerate() {
        one.health(ping, route(["ping", &at.to_string()]));
    }
    one.polls();
    let answers = one.answers();
    for operation in connector.operations.values() {
        one.operation(operation, &answers);
    }
    let shared = Rc::new(answers.with("input", Entry::open()));
    one.outcomes(&connector.outcomes, &shared, &route(["outcomes"]));
}

/// One connector on its way through the walk.
struct One<'w, 'a> {
    walk: &'w mut Walk<'a>,
    connector: &'a Connector,
    owner: Owner<'a>,
    settings: Rc<Scope<'a>>,
}

/// A place that names an operation of the connector and says what it is given.
struct Named<'a> {
    what: &'static str,
    wants: Wants,
    operation: &'a str,
    /// What the operation's name and its input stand under.
    under: Route,
}

fn below(under: &Route, key: &str) -> Route {
    let mut route = under.clone();
    route.push(key.to_owned());
    route
}

impl<'a> One<'_, 'a> {
    fn scope(&self) -> Scope<'a> {
        self.settings.as_ref().clone()
    }

    fn template(&mut self, key: &'a str, template: &'a Template, scope: &Rc<Scope<'a>>) {
        self.walk.template(self.owner, key, template, scope);
    }

    fn templates(
        &mut self,
        templates: impl IntoIterator<Item = (&'a String, &'a Template)>,
        scope: &Rc<Scope<'a>>,
    ) -> Vec<(&'a str, Given<'a>)> {
        self.walk.templates(self.owner, templates, scope)
    }

    fn found(&self, operation: &str) -> Option<&'a Operation> {
        self.connector.operations.get(operation).map(AsRef::as_ref)
    }

    fn call(
        &mut self,
        named: &Named<'a>,
        with: &'a IndexMap<String, Template>,
        scope: &Rc<Scope<'a>>,
    ) {
        let given = self.templates(with, scope);
        self.walk.calls.push(Call {
            owner: self.owner,
            connector: Some(self.connector),
            operation: named.operation,
            wants: named.wants,
            what: named.what,
            route: below(&named.under, "operation"),
            input_route: Some(below(&named.under, "with")),
            given,
        });
    }

    fn http(&mut self) {
        let http = &self.connector.http;
        let settings = Rc::clone(&self.settings);
        self.template("base_url", &http.base_url, &settings);
        for (name, template) in &http.headers {
            self.template(name, template, &settings);
        }
        self.template("concurrency", &http.concurrency, &settings);
        self.template("timeout", &http.timeout, &settings);
        self.auth(&http.auth);
    }

    fn auth(&mut self, auth: &'a Auth) {
        let settings = Rc::clone(&self.settings);
        let names = self.connector.secrets.keys().map(String::as_str);
        let secrets = Entry::group(names, &Entry::text());
        let secret = Rc::new(self.scope().with("secrets", secrets));
        match auth {
            Auth::None => {}
            Auth::Bearer { token } => self.template("token", token, &secret),
            Auth::Basic {
                username, password, ..
            } => {
                self.template("username", username, &secret);
                self.template("password", password, &secret);
            }
            Auth::ApiKey { name, value, .. } => self.template(name, value, &secret),
            Auth::Session {
                logon,
                token,
                logoff,
                scope,
                idle_max,
                header: _,
                life_max: _,
            } => {
                let answered = Scope::new().with("result", result(self.found(logon)));
                self.walk
                    .expression(self.owner, "token", token, &Rc::new(answered));
                self.template("scope", scope, &settings);
                self.template("idle_max", idle_max, &settings);
                self.session_call(logon, "logon");
                if let Some(logoff) = logoff {
                    self.session_call(logoff, "logoff");
                }
            }
            Auth::OauthClient(oauth) => {
                self.template("token_url", &oauth.token_url, &settings);
                self.template("client_id", &oauth.client_id, &secret);
                self.template("client_secret", &oauth.client_secret, &secret);
                if let Some(scope) = &oauth.scope {
                    self.template("scope", scope, &settings);
                }
            }
            Auth::OauthRefresh(oauth) => {
                self.template("token_url", &oauth.token_url, &settings);
                self.template("client_id", &oauth.client_id, &secret);
                self.template("client_secret", &oauth.client_secret, &secret);
                if let Some(authorize) = &oauth.authorize {
                    self.authorize(authorize);
                }
                if let Some(scope) = &oauth.scope {
                    self.template("scope", scope, &settings);
                }
            }
            Auth::Choice(options) => {
                for option in options {
                    if let Some(when) = &option.when {
                        self.walk.expression(self.owner, "when", when, &settings);
                    }
                    self.auth(&option.auth);
                }
            }
            Auth::Jwt(jwt) => {
                self.template("key", &jwt.key, &secret);
                for (name, template) in &jwt.claims {
                    self.template(name, template, &secret);
                }
            }
        }
    }

    fn authorize(&mut self, authorize: &'a Authorize) {
        let settings = Rc::clone(&self.settings);
        // What comes with a code is the system's own, beside the code and what was sent along.
        let callback = Rc::new(self.scope().with("callback", Entry::open()));
        self.template("url", &authorize.url, &settings);
        for (name, template) in &authorize.parameters {
            self.template(name, template, &settings);
        }
        if let Some(uri) = &authorize.redirect_uri {
            self.template("redirect_uri", uri, &settings);
        }
        if let Some(url) = &authorize.token_url {
            self.template("token_url", url, &callback);
        }
        if let Some(tell) = &authorize.tell {
            self.template("tell", tell, &callback);
        }
    }

    fn session_call(&mut self, operation: &'a str, key: &'static str) {
        self.walk.calls.push(Call {
            owner: self.owner,
            connector: Some(self.connector),
            operation,
            wants: Wants::Session,
            what: "the session's log-on and log-off",
            route: route(["http", "auth", key]),
            input_route: None,
            given: Vec::new(),
        });
    }

    fn health(&mut self, health: &'a Health, under: Route) {
        let settings = Rc::clone(&self.settings);
        let named = Named {
            what: "a health call",
            wants: Wants::Read,
            operation: &health.operation,
            under,
        };
        self.call(&named, &health.with, &settings);
        if let Some(show) = &health.show {
            let seen = self
                .scope()
                .with("result", result(self.found(&health.operation)));
            self.template("show", show, &Rc::new(seen));
        }
    }

    fn polls(&mut self) {
        let settings = Rc::clone(&self.settings);
        let timed = Rc::new(self.scope().with("now", Entry::text()));
        for trigger in self.connector.triggers.values() {
            let TriggerKind::Poll(poll) = &trigger.kind else {
                continue;
            };
            // Without a cursor there is nothing to go on from.
            let cursor = poll.cursor.as_ref().map(|_| Entry::text());
            let mut scope = Scope::clone(&timed).maybe("cursor", cursor);
            if let Some(over) = &poll.over {
                let named = Named {
                    what: "`over`",
                    wants: Wants::Read,
                    operation: &over.operation,
                    under: route(["triggers", &trigger.name, "over"]),
                };
                self.call(&named, &over.with, &timed);
                let element = match result(self.found(&over.operation)) {
                    Entry::List(each) => *each,
                    other @ (Entry::Schema(_) | Entry::Group(_) | Entry::Columns(_)) => other,
                };
                let seen = Rc::new(Scope::clone(&timed).with("over", element.clone()));
                if let Some(when) = &over.when {
                    self.walk.expression(self.owner, "when", when, &seen);
                }
                scope = scope.with("over", element);
            }
            let scope = Rc::new(scope);
            let named = Named {
                what: "a poll",
                wants: Wants::Read,
                operation: &poll.operation,
                under: route(["triggers", &trigger.name]),
            };
            self.call(&named, &poll.with, &scope);
            if let Some(cursor) = &poll.cursor {
                self.template("initial", &cursor.initial, &settings);
            }
        }
    }

    /// Walks what is made of every answer; gives the names that rules about answers may read, but for the input.
    fn answers(&mut self) -> Scope<'a> {
        let mut scope = self
            .scope()
            .with("status", Entry::status())
            .with("headers", Entry::open())
            .with("body", Entry::open())
            .with("text", Entry::text());
        for (name, template) in &self.connector.answers {
            let seen = Rc::new(scope.clone().with("input", Entry::open()));
            self.template(name, template, &seen);
            scope = scope.with(name, Entry::open());
        }
        scope
    }

    fn operation(&mut self, operation: &'a Operation, answers: &Scope<'a>) {
        self.walk.operation = Some(&operation.name);
        let under = route(["operations", &operation.name]);
        let input = Entry::of(&operation.input);
        let write = operation.write();
        let mut scope = self.scope().with("input", input.clone());
        let mut answered = answers.clone().with("input", input);
        if write.is_some() {
            scope = scope.with("reference", Entry::maybe_text());
            answered = answered.with("reference", Entry::maybe_text());
        }
        let answered = Rc::new(answered);
        self.requests(operation, &scope, &under);
        self.outcomes(&operation.outcomes, &answered, &below(&under, "outcomes"));
        if let Some(write) = write {
            self.write(operation, write, &scope, &answered, &under);
        }
        self.walk.operation = None;
    }

    fn requests(&mut self, operation: &'a Operation, scope: &Scope<'a>, under: &Route) {
        let mut inside = self.in_request(operation, scope.clone());
        let mut documents: IndexMap<&'a str, Entry<'a>> = IndexMap::new();
        for (name, content) in &operation.documents {
            let seen = Rc::new(
                inside
                    .clone()
                    .with("documents", Entry::Group(documents.clone())),
            );
            self.content(name, content, &seen);
            documents.insert(name, Entry::text());
        }
        let mut choosing = scope.clone();
        if !documents.is_empty() {
            inside = inside.with("documents", Entry::Group(documents.clone()));
            choosing = choosing.with("documents", Entry::Group(documents));
        }
        let (inside, choosing) = (Rc::new(inside), Rc::new(choosing));
        for (at, variant) in operation.variants.iter().enumerate() {
            if let Some(when) = &variant.when {
                self.walk.expression(self.owner, "when", when, &choosing);
            }
            match &variant.action {
                Action::Request(request) => self.request(request, &inside),
                Action::Sequence(steps) => {
                    let under = variant_route(operation, variant, at, under);
                    self.steps(steps, scope, &below(&under, "steps"));
                }
            }
        }
    }

    /// What requests of this kind of operation see beside settings, input and reference.
    fn in_request(&self, operation: &'a Operation, scope: Scope<'a>) -> Scope<'a> {
        let mut scope = scope;
        if matches!(operation.kind, OperationKind::Session) {
            let names = self.connector.secrets.keys().map(String::as_str);
            scope = scope.with("secrets", Entry::group(names, &Entry::text()));
        }
        let keyed = |write: &Write| matches!(write.repeat, Repeat::IdempotencyKey { .. });
        if operation.write().is_some_and(keyed) {
            scope = scope.with("idempotency_key", Entry::text());
        }
        if matches!(operation.kind, OperationKind::Read) {
            // Null where it is not called by a poll.
            scope = scope.with("cursor", Entry::maybe_text());
        }
        if operation.paginate.is_some() {
            scope = scope.with("page", Entry::open());
        }
        let ways = self.connector.http.auth.ways();
        let logon = ways.into_iter().find_map(|way| match way {
            Auth::Session { logon, .. } => Some(logon),
            Auth::None
            | Auth::Bearer { .. }
            | Auth::Basic { .. }
            | Auth::ApiKey { .. }
            | Auth::OauthClient(_)
            | Auth::OauthRefresh(_)
            | Auth::Jwt(_)
            | Auth::Choice(_) => None,
        });
        if let Some(logon) = logon {
            scope = if *logon == operation.name {
                scope.refusing("session", "this call makes the session")
            } else if operation.anonymous && !matches!(operation.kind, OperationKind::Session) {
                scope.refusing("session", "the operation says `auth: none`")
            } else {
                scope.with("session", Entry::text())
            };
        }
        scope
    }

    fn request(&mut self, request: &'a Request, scope: &Rc<Scope<'a>>) {
        let settings = Rc::clone(&self.settings);
        if let Some(base) = &request.base_url {
            self.template("base_url", base, &settings);
        }
        self.template("path", &request.path, scope);
        for (name, template) in request.query.iter().chain(&request.headers) {
            self.template(name, template, scope);
        }
        if let Some(body) = &request.body {
            self.content("body", body, scope);
        }
        if let Some(timeout) = &request.timeout {
            self.template("timeout", timeout, &settings);
        }
    }

    fn content(&mut self, key: &'a str, content: &'a Content, scope: &Rc<Scope<'a>>) {
        let owner = self.owner;
        match content {
            Content::Json(tree) => {
                self.walk.tree(owner, key, tree, scope);
            }
            Content::Form(members) => {
                for (name, template) in members {
                    self.template(name, template, scope);
                }
            }
            Content::Xml(xml) => {
                self.walk.tree(owner, key, &xml.tree, scope);
                if let Some(unmappable) = &xml.unmappable {
                    let settings = Rc::clone(&self.settings);
                    self.template("unmappable", unmappable, &settings);
                }
            }
            Content::Soap(soap) => {
                self.template("action", &soap.action, scope);
                if let Some(header) = &soap.header {
                    self.walk.tree(owner, "header", header, scope);
                }
                self.walk.tree(owner, "body", &soap.body, scope);
            }
            Content::Graphql { variables, .. } => {
                self.walk.tree(owner, "variables", variables, scope);
            }
            Content::Text { text, .. } => self.template("text", text, scope),
        }
    }

    fn steps(&mut self, steps: &'a [Step], scope: &Scope<'a>, under: &Route) {
        let mut made: IndexMap<&'a str, Entry<'a>> = IndexMap::new();
        for (at, step) in steps.iter().enumerate() {
            let under = below(under, &at.to_string());
            let seen = scope.clone().with("steps", Entry::Group(made.clone()));
            let named = Named {
                what: "a step",
                wants: Wants::ReadOrWrite,
                operation: &step.operation,
                under: under.clone(),
            };
            self.call(&named, &step.with, &Rc::new(seen.clone()));
            let answer = result(self.found(&step.operation));
            let after = Rc::new(seen.with("result", answer.clone()));
            if let Some(until) = &step.until {
                self.walk.expression(self.owner, "until", until, &after);
            }
            self.outcomes(&step.outcomes, &after, &below(&under, "outcomes"));
            made.insert(&step.name, answer);
        }
    }

    fn outcomes(&mut self, rules: &'a [OutcomeRule], scope: &Rc<Scope<'a>>, under: &Route) {
        for (at, rule) in rules.iter().enumerate() {
            self.walk.expression(self.owner, "when", &rule.when, scope);
            for (key, template) in [("why", &rule.why), ("wait", &rule.wait)] {
                if let Some(template) = template {
                    self.template(key, template, scope);
                }
            }
            self.templates(&rule.receipt, scope);
            if let Some(adopt) = &rule.adopt {
                let under = below(&below(under, &at.to_string()), "adopt");
                self.look_up(adopt, "what is adopted", scope, &under);
            }
        }
    }

    fn write(
        &mut self,
        operation: &'a Operation,
        write: &'a Write,
        scope: &Scope<'a>,
        answered: &Rc<Scope<'a>>,
        under: &Route,
    ) {
        let made = self.made(operation, scope, answered);
        self.templates(&write.receipt, &Rc::new(made));
        if let Repeat::LookUp(spec) = &write.repeat {
            let under = below(&below(under, "repeat"), "look_up");
            self.look_up(spec, "a look-up", &Rc::new(scope.clone()), &under);
        }
    }

    /// What a receipt sees: the answer and its result; of a sequence, the steps' results, of which the last is `result`.
    fn made(
        &self,
        operation: &'a Operation,
        scope: &Scope<'a>,
        answered: &Rc<Scope<'a>>,
    ) -> Scope<'a> {
        let mut requests = 0;
        let mut steps: IndexMap<&'a str, Entry<'a>> = IndexMap::new();
        let mut last = None;
        for variant in &operation.variants {
            match &variant.action {
                Action::Request(_) => requests += 1,
                Action::Sequence(sequence) => {
                    for step in sequence {
                        let answer = result(self.found(&step.operation));
                        last = Some(answer.clone());
                        steps.insert(&step.name, answer);
                    }
                }
            }
        }
        match (requests, last) {
            (_, None) => answered
                .as_ref()
                .clone()
                .with("result", result(Some(operation))),
            (0, Some(last)) => scope
                .clone()
                .with("steps", Entry::Group(steps))
                .with("result", last),
            // Which it is depends on the variant taken.
            (_, Some(_)) => answered
                .as_ref()
                .clone()
                .with("steps", Entry::Group(steps))
                .with("result", Entry::open()),
        }
    }

    /// `scope` is what its input sees; what it found is judged by settings, input and reference besides.
    fn look_up(
        &mut self,
        spec: &'a LookUpSpec,
        what: &'static str,
        scope: &Rc<Scope<'a>>,
        under: &Route,
    ) {
        let named = Named {
            what,
            wants: Wants::Read,
            operation: &spec.operation,
            under: under.clone(),
        };
        self.call(&named, &spec.with, scope);
        let found = scope.keeping(&["settings", "input", "reference"]);
        let found = Rc::new(found.with("result", result(self.found(&spec.operation))));
        self.walk
            .expression(self.owner, "found", &spec.found, &found);
        if let Some(same) = &spec.same {
            self.walk.expression(self.owner, "same", same, &found);
        }
        self.templates(&spec.receipt, &found);
        let settings = Rc::clone(&self.settings);
        self.template("settle", &spec.settle, &settings);
    }
}

/// Where a variant stands: an operation with one way has no `variants`.
fn variant_route(operation: &Operation, variant: &Variant, at: usize, under: &Route) -> Route {
    if operation.variants.len() == 1 && variant.when.is_none() {
        return under.clone();
    }
    below(&below(under, "variants"), &at.to_string())
}
