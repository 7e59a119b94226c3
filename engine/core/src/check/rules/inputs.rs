//! What an operation is given: everything it needs, nothing it does not take, and values that can fit.

use super::super::Context;
use super::super::infer::{Facts, infer};
use super::super::locate::{Owner, Route, route};
use super::super::nearest::{listed, nearest, not_one_of};
use super::super::walk::{Call, Given, Leaf};
use super::money;
use crate::codes;
use crate::diagnostic::{Diagnostic, Findings};
use crate::schema::{EACH, Schema, Type, Types};
use serde_json::Value as Document;

pub(super) fn rule(context: &Context<'_>, findings: &mut Findings) {
    for call in &context.walk.calls {
        let (Some(target), Some(route)) = (call.target(), &call.input_route) else {
            continue;
        };
        if !call.takes(&target.kind) {
            continue;
        }
        let mut one = One {
            context,
            call,
            findings,
        };
        let given: Vec<_> = call
            .given
            .iter()
            .map(|(name, given)| (*name, given))
            .collect();
        one.members(&given, &Schema::of(&target.input), route, &[]);
    }
}

/// One call on its way through the rule.
struct One<'r, 'a> {
    context: &'r Context<'a>,
    call: &'r Call<'a>,
    findings: &'r mut Findings,
}

impl<'a> One<'_, 'a> {
    /// `inside` is the path of input names that lead here; empty for the input itself.
    fn members(
        &mut self,
        given: &[(&'a str, &Given<'a>)],
        schema: &Schema<'a>,
        at: &Route,
        inside: &[&str],
    ) {
        self.missing(given, schema, at, inside);
        let meant = renamed(given, schema, &self.not_given(given, schema, at));
        for (name, value) in given {
            let mut at = at.clone();
            at.push((*name).to_owned());
            let mut inside = inside.to_vec();
            inside.push(name);
            match schema.find(&[name]) {
                Ok(member) => self.value(value, &member, &at, &inside),
                Err(_) => self.unknown(name, meant, schema, &at, &inside),
            }
        }
    }

    fn missing(
        &mut self,
        given: &[(&'a str, &Given<'a>)],
        schema: &Schema<'a>,
        at: &Route,
        inside: &[&str],
    ) {
        let missing = self.not_given(given, schema, at);
        if missing.is_empty() || renamed(given, schema, &missing).is_some() {
            return;
        }
        let names = missing
            .iter()
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(" and ");
        let whom = self.whom(inside);
        let place = if self.stands_at(at) {
            at
        } else {
            &self.call.route
        };
        let span = self.context.locator.key(self.call.owner, place);
        let mut finding =
            Diagnostic::error(codes::MISSING_INPUT, span, format!("{whom} needs {names}"));
        if let ([name], []) = (missing.as_slice(), inside) {
            finding = finding.related(self.declared(name), "declared here");
        }
        self.findings.push(finding.help(format!(
            "give it {names}, or declare it `optional: true` or with a `default`"
        )));
    }

    /// Inputs that are needed and do not stand here, not even under a name with a slip.
    fn not_given(
        &self,
        given: &[(&'a str, &Given<'a>)],
        schema: &Schema<'a>,
        at: &Route,
    ) -> Vec<&'a str> {
        let needed = schema
            .members()
            .into_iter()
            .filter(|(_, required)| *required);
        needed
            .map(|(name, _)| name)
            .filter(|name| !given.iter().any(|(one, _)| one == name))
            // Given, but broken: that was reported.
            .filter(|name| !self.stands(at, name))
            .filter(|name| {
                let mut unknown = unknown_names(given, schema);
                !unknown.any(|one| nearest(one, [*name]).is_some())
            })
            .collect()
    }

    fn unknown(
        &mut self,
        name: &str,
        meant: Option<&str>,
        schema: &Schema<'a>,
        at: &Route,
        inside: &[&str],
    ) {
        if inside.len() == 1 && self.declared_exists(name) {
            return;
        }
        let members = schema.members();
        let names = || members.iter().map(|(name, _)| *name);
        let span = self.context.locator.key(self.call.owner, at);
        let whom = self.whom(inside.split_last().map_or(&[], |(_, before)| before));
        let finding = Diagnostic::error(
            codes::UNKNOWN_INPUT,
            span,
            format!("{whom} takes no `{name}`"),
        )
        .label(not_one_of(names()));
        self.findings.push(match (nearest(name, names()), meant) {
            (Some(near), _) => finding.help(format!("did you mean `{near}`?")),
            (None, Some(meant)) => {
                finding.help(format!("`{meant}` is needed and not given: is it that?"))
            }
            (None, None) => finding,
        });
    }

    fn value(&mut self, given: &Given<'a>, schema: &Schema<'a>, at: &Route, inside: &[&str]) {
        match given {
            Given::Leaf(id) => {
                if let Some(leaf) = self.context.walk.leaf(*id) {
                    self.leaf(leaf, schema, inside);
                }
            }
            Given::Map(members) => {
                if self.shaped(Type::Object, schema, at, inside) {
                    let members: Vec<_> =
                        members.iter().map(|(name, given)| (*name, given)).collect();
                    self.members(&members, schema, at, inside);
                }
            }
            Given::List(items) => {
                if self.shaped(Type::List, schema, at, inside)
                    && let Ok(each) = schema.find(&[EACH])
                {
                    for (number, item) in items.iter().enumerate() {
                        let mut at = at.clone();
                        at.push(number.to_string());
                        self.value(item, &each, &at, inside);
                    }
                }
            }
            Given::Each(item) => {
                if self.shaped(Type::List, schema, at, inside)
                    && let Ok(each) = schema.find(&[EACH])
                {
                    self.value(item, &each, &below(at, "each"), inside);
                }
            }
            Given::Either(then, otherwise) => {
                self.value(then, schema, &below(at, "then"), inside);
                if let Some(otherwise) = otherwise {
                    self.value(otherwise, schema, &below(at, "else"), inside);
                }
            }
        }
    }

    /// Whether a map or list may stand here; reports it if not.
    fn shaped(&mut self, given: Type, schema: &Schema<'a>, at: &Route, inside: &[&str]) -> bool {
        if schema.types().has(given) {
            return true;
        }
        let span = self.context.locator.key(self.call.owner, at);
        let message = format!(
            "`{}` takes {}, and this is {}",
            inside.join("."),
            schema.types(),
            Types::only(given)
        );
        self.findings
            .push(Diagnostic::error(codes::INPUT_TYPE, span, message));
        false
    }

    fn leaf(&mut self, leaf: &Leaf<'a>, schema: &Schema<'a>, inside: &[&str]) {
        let facts = infer(&leaf.shape, &leaf.scope);
        let name = inside.join(".");
        let before = self.findings.iter().len();
        self.types(leaf, &facts, schema, &name);
        self.format(leaf, &facts, schema, &name);
        money::into_field(self.context, leaf, &facts, &name, schema, self.findings);
        if self.findings.iter().len() == before {
            self.values(leaf, &facts, schema, &name);
        }
    }

    fn types(&mut self, leaf: &Leaf<'a>, facts: &Facts, schema: &Schema<'a>, name: &str) {
        let takes = schema.types();
        let null = if schema.optional() {
            Types::only(Type::Null)
        } else {
            Types::NONE
        };
        if !facts.types.and(takes.or(null)).is_none() || takes.is_none() {
            return;
        }
        let takes = takes.without(Type::Null);
        let span = self.context.place(leaf, &leaf.shape.at);
        let message = format!("`{name}` takes {takes}, and this is {}", facts.types);
        let finding = Diagnostic::error(codes::INPUT_TYPE, span, message);
        let text = facts.types.has(Type::Text);
        let number = !takes.and(Types::NUMBER).is_none();
        let literal = leaf.shape.fixed().is_some();
        self.findings.push(match (text, number, literal) {
            (true, true, true) => finding.help(
                "a number stands without quotes; one with decimals is `{{ '10.50' | decimal }}`",
            ),
            (true, true, false) => finding.help(
                "`decimal` reads a number from a text, and an expression alone keeps its type",
            ),
            (false, _, true) if takes.has(Type::Text) => finding.help("put it in quotes"),
            (false, _, false) if takes.has(Type::Text) => {
                finding.help("`{{ value ~ '' }}` makes a text of it")
            }
            (true | false, _, _) => finding,
        });
    }

    fn format(&mut self, leaf: &Leaf<'a>, facts: &Facts, schema: &Schema<'a>, name: &str) {
        let (Some(given), Some(wanted)) = (facts.format.as_deref(), schema.format()) else {
            return;
        };
        let times = ["date", "date-time", "time", "duration"];
        if given == wanted || !times.contains(&given) || !times.contains(&wanted) {
            return;
        }
        let span = self.context.place(leaf, &leaf.shape.at);
        let message = format!("`{name}` takes a {wanted}, and this is a {given}");
        let finding = Diagnostic::error(codes::INPUT_FORMAT, span, message);
        self.findings
            .push(if (given, wanted) == ("date-time", "date") {
                finding.help("`to_date` takes the date of a timestamp")
            } else {
                finding
            });
    }

    fn values(&mut self, leaf: &Leaf<'a>, facts: &Facts, schema: &Schema<'a>, name: &str) {
        let span = self.context.place(leaf, &leaf.shape.at);
        let allowed = schema.values();
        for value in facts.values.iter().flatten() {
            if let Some(allowed) = &allowed
                && !allowed.contains(&value)
            {
                self.findings.push(not_allowed(span, name, value, allowed));
                continue;
            }
            let length = value.as_str().map(|text| text.chars().count() as u64);
            if let (Some(length), Some(most)) = (length, schema.length_max())
                && length > most
            {
                let message = format!("`{name}` takes {most} characters, and this has {length}");
                let finding = Diagnostic::error(codes::INPUT_LENGTH, span, message);
                self.findings.push(
                    finding.help(
                        "shorten it, or ask for `truncate` where losing the end does no harm",
                    ),
                );
                continue;
            }
            if let Some(why) = schema.refuses(value) {
                let message = format!("`{name}` does not take {}", shown(value));
                self.findings
                    .push(Diagnostic::error(codes::INPUT_VALUE, span, message).label(why));
            }
        }
    }

    /// For people: the operation, or the member of its input.
    fn whom(&self, inside: &[&str]) -> String {
        if inside.is_empty() {
            format!("`{}`", self.call.operation)
        } else {
            format!("`{}`", inside.join("."))
        }
    }

    fn declared(&self, name: &str) -> Option<crate::source::Span> {
        let owner = Owner::Connector(self.call.connector?);
        Some(self.context.locator.key(
            owner,
            &route(["operations", self.call.operation, "input", name]),
        ))
    }

    fn declared_exists(&self, name: &str) -> bool {
        let place = route(["operations", self.call.operation, "input", name]);
        self.call
            .connector
            .is_some_and(|one| self.context.locator.exists(Owner::Connector(one), &place))
    }

    fn stands(&self, at: &Route, name: &str) -> bool {
        self.stands_at(&below(at, name))
    }

    fn stands_at(&self, at: &Route) -> bool {
        self.context.locator.exists(self.call.owner, at)
    }
}

/// The names given that the schema does not have.
fn unknown_names<'g>(
    given: &'g [(&'g str, &Given<'_>)],
    schema: &Schema<'_>,
) -> impl Iterator<Item = &'g str> {
    let names = given.iter().map(|(name, _)| *name);
    names.filter(|name| schema.find(&[*name]).is_err())
}

/// Where one is missing and one is not known, the one was probably meant by the other: what is missing, by its unknown name.
fn renamed<'a>(
    given: &[(&str, &Given<'_>)],
    schema: &Schema<'_>,
    missing: &[&'a str],
) -> Option<&'a str> {
    match (missing, unknown_names(given, schema).count()) {
        ([name], 1) => Some(name),
        _ => None,
    }
}

fn not_allowed(
    span: crate::source::Span,
    name: &str,
    value: &Document,
    allowed: &[&Document],
) -> Diagnostic {
    let words: Vec<String> = allowed.iter().map(|value| plain(value)).collect();
    let message = format!("`{name}` does not take {}", shown(value));
    let names = || words.iter().map(String::as_str);
    let finding = Diagnostic::error(codes::INPUT_VALUE, span, message)
        .label(format!("one of: {}", listed(names())));
    match value.as_str().and_then(|text| nearest(text, names())) {
        Some(near) => finding.help(format!("did you mean `{near}`?")),
        None => finding,
    }
}

/// A value in a message.
fn shown(value: &Document) -> String {
    format!("`{}`", plain(value))
}

fn plain(value: &Document) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn below(at: &Route, key: &str) -> Route {
    let mut at = at.clone();
    at.push(key.to_owned());
    at
}
