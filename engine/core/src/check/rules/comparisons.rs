//! Comparisons that can never hold: with a value that the schema does not know, or between things that are never equal.

use super::super::Context;
use super::super::infer::{Facts, element, infer};
use super::super::nearest::{listed, nearest};
use super::super::walk::Leaf;
use crate::codes;
use crate::diagnostic::{Diagnostic, Findings};
use crate::schema::{Type, Types};
use crate::template::{Comparison, Kind, Shape};
use serde_json::Value as Document;

pub(super) fn rule(context: &Context<'_>, findings: &mut Findings) {
    for leaf in &context.walk.leaves {
        let one = One { context, leaf };
        leaf.shape.walk(&mut |shape| {
            if let Kind::Compare { op, left, right } = &shape.kind {
                one.compare(*op, left, right, findings);
            } else if let Kind::All(parts) = &shape.kind {
                one.contradiction(parts, findings);
            }
        });
    }
}

struct One<'r, 'a> {
    context: &'r Context<'a>,
    leaf: &'r Leaf<'a>,
}

impl One<'_, '_> {
    fn compare(&self, op: Comparison, left: &Shape, right: &Shape, findings: &mut Findings) {
        let scope = &self.leaf.scope;
        match op {
            Comparison::Equal | Comparison::NotEqual | Comparison::Order => {
                let sides = (infer(left, scope), infer(right, scope));
                self.pair(op, (left, &sides.0), (right, &sides.1), findings);
            }
            Comparison::In | Comparison::NotIn => {
                let given = infer(left, scope);
                if let Kind::List(items) = &right.kind {
                    for item in items {
                        self.pair(op, (left, &given), (item, &infer(item, scope)), findings);
                    }
                } else if !infer(right, scope).types.has(Type::Text) {
                    self.pair(
                        op,
                        (left, &given),
                        (right, &element(right, scope)),
                        findings,
                    );
                }
            }
        }
    }

    fn pair(
        &self,
        op: Comparison,
        left: (&Shape, &Facts),
        right: (&Shape, &Facts),
        findings: &mut Findings,
    ) {
        let value = |facts: &Facts| facts.types.without(Type::Null);
        let (a, b) = (value(left.1), value(right.1));
        if a.is_none() || b.is_none() {
            // With null: whether it is there, which may be asked of anything.
            return;
        }
        if a.and(b).is_none()
            && !(a == Types::NUMBER && number(b))
            && !(b == Types::NUMBER && number(a))
        {
            findings.push(self.never_of_one_type(op, left, right, a, b));
            return;
        }
        if op == Comparison::Order {
            return;
        }
        let (Some(first), Some(second)) = (&left.1.values, &right.1.values) else {
            self.slip(left, right, findings);
            return;
        };
        if first.iter().any(|value| second.contains(value)) {
            return;
        }
        // Two literals are somebody's switch, not a slip.
        if left.0.fixed().is_some() && right.0.fixed().is_some() {
            return;
        }
        findings.push(self.never(op, left, right, first, second));
    }

    fn never(
        &self,
        op: Comparison,
        left: (&Shape, &Facts),
        right: (&Shape, &Facts),
        first: &[Document],
        second: &[Document],
    ) -> Diagnostic {
        let (known, wrong, odd) = if left.0.fixed().is_some() {
            (second, left.0, first)
        } else {
            (first, right.0, second)
        };
        let span = self.context.place(self.leaf, &wrong.at);
        let words = texts(known);
        let odd = texts(odd);
        let message = match op {
            Comparison::NotEqual | Comparison::NotIn => format!(
                "this is never `{}`, so the comparison always holds",
                odd.join("` or `")
            ),
            Comparison::Equal | Comparison::In | Comparison::Order => {
                format!(
                    "this is never `{}`, so the comparison never holds",
                    odd.join("` or `")
                )
            }
        };
        let names = || words.iter().map(String::as_str);
        let finding = Diagnostic::error(codes::NEVER_EQUAL, span, message)
            .label(format!("one of: {}", listed(names())));
        match odd.first().and_then(|text| nearest(text, names())) {
            Some(near) => finding.help(format!("did you mean `{near}`?")),
            None => finding,
        }
    }

    fn never_of_one_type(
        &self,
        op: Comparison,
        left: (&Shape, &Facts),
        right: (&Shape, &Facts),
        a: Types,
        b: Types,
    ) -> Diagnostic {
        let at = left.0.at.start..right.0.at.end.max(left.0.at.end);
        let span = self.context.place(self.leaf, &at);
        let text = Types::only(Type::Text);
        if (number(a) && b == text) || (number(b) && a == text) || op == Comparison::Order {
            let message = format!("{a} is compared with {b}");
            return Diagnostic::error(codes::MIXED_COMPARISON, span, message)
                .help("`decimal` reads a number from a text; a literal without quotes is a number")
                .note("that is an error when it runs, not quietly false");
        }
        let message = format!("{a} never equals {b}");
        Diagnostic::error(codes::NEVER_EQUAL, span, message)
    }

    /// A text that is none of the values known by name, where others are possible: a literal, or one of the values that a
    /// parameter may have.
    fn slip(&self, left: (&Shape, &Facts), right: (&Shape, &Facts), findings: &mut Findings) {
        for (one, other) in [(left, right), (right, left)] {
            let words = texts(&other.1.known);
            if words.is_empty() {
                continue;
            }
            let names = || words.iter().map(String::as_str);
            let literal = one.0.fixed().into_iter();
            let values = literal.chain(one.1.values.iter().flatten());
            let unknown = values
                .filter_map(Document::as_str)
                .find(|text| !text.is_empty() && !names().any(|word| word == *text));
            let Some(text) = unknown else { continue };
            let span = self.context.place(self.leaf, &one.0.at);
            let message = format!("`{text}` is none of the values that are known here");
            let help = match nearest(text, names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "if it is one, add it to the values that the schema lists".to_owned(),
            };
            findings.push(
                Diagnostic::warning(codes::NEVER_EQUAL, span, message)
                    .label(format!("known: {}", listed(names())))
                    .help(help),
            );
        }
    }

    /// `a == 'x' and a == 'y'`.
    fn contradiction(&self, parts: &[Shape], findings: &mut Findings) {
        let mut equal: Vec<(Vec<&str>, &Shape)> = Vec::new();
        for (name, value) in parts.iter().filter_map(equals) {
            match equal.iter().find(|(known, _)| *known == name) {
                Some((_, first)) if first.fixed() != value.fixed() => {
                    let span = self.context.place(self.leaf, &value.at);
                    let message = format!(
                        "`{}` cannot be both at once, so this never holds",
                        name.join(".")
                    );
                    findings.push(
                        Diagnostic::error(codes::NEVER_EQUAL, span, message)
                            .related(self.context.place(self.leaf, &first.at), "it equals this")
                            .help(format!(
                                "write `{} in […]` if either will do",
                                name.join(".")
                            )),
                    );
                }
                Some(_) => {}
                None => equal.push((name, value)),
            }
        }
    }
}

/// The name and the literal that a part of a condition says are equal.
fn equals(shape: &Shape) -> Option<(Vec<&str>, &Shape)> {
    let Kind::Compare {
        op: Comparison::Equal,
        left,
        right,
    } = &shape.kind
    else {
        return None;
    };
    let (name, value) = if right.fixed().is_some() {
        (left.name()?, right)
    } else {
        (right.name()?, left)
    };
    value.fixed()?;
    Some((
        name.iter().map(|segment| segment.name.as_str()).collect(),
        value,
    ))
}

fn number(types: Types) -> bool {
    !types.is_none() && types.and(Types::NUMBER) == types
}

fn texts(values: &[Document]) -> Vec<String> {
    values
        .iter()
        .map(|value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        })
        .collect()
}
