//! The structural check of scalars.

use super::super::table::Shape;
use super::super::words::{self, join};
use super::{Walk, braced, expected};
use crate::calendar;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::yaml::{Kind, Node, Scalar};

pub(super) const IDENTIFIER_HELP: &str = "expressions read it: write letters, digits and `_`, a letter first, and no word of the language";
pub(super) const NAME_HELP: &str =
    "write letters, digits, `-`, `_` and `.`, a letter or digit first";
const PATH_NAME_HELP: &str =
    "write names of letters, digits, `-`, `_` and `.`, with `/` between them";
const OPERATION_NAME_HELP: &str =
    "write `connection.operation`, the connection by its name in `connections`";

impl Walk<'_> {
    pub(super) fn scalar(
        &mut self,
        node: &Node,
        key: Option<Span>,
        scalar: &Scalar,
        shape: &'static Shape,
    ) {
        let text = scalar.text.as_str();
        match shape {
            Shape::Word(words) if words.contains(&text) => {}
            // `null` may be a word of its own; to YAML it is nothing.
            Shape::Word(_) if scalar.kind == Kind::Null => {
                self.wrong_type(node, key, &expected(shape), None);
            }
            Shape::Word(words) => self.not_one_of(node, scalar, words),
            Shape::Expression(_) => self.expression(node, key, scalar),
            Shape::Braced(_) if braced(text).is_some() => {}
            Shape::Braced(_) => {
                let help = "write one expression in braces and quotes, e.g. \"{{ event.items }}\"";
                self.wrong_type(node, key, &expected(shape), Some(help));
            }
            Shape::Template(_) => self.template(node, key, scalar),
            Shape::DurationTemplate(_) | Shape::CountTemplate(_) if has_expression(text) => {
                self.template(node, key, scalar);
            }
            Shape::CountTemplate(_) => self.count(node, key, 1, u64::from(u32::MAX)),
            Shape::Duration | Shape::DurationTemplate(_) => {
                let wrong = words::duration(text).err();
                self.written(node, key, shape, wrong, words::DURATION_HELP);
            }
            Shape::Size => {
                self.written(node, key, shape, words::size(text).err(), words::SIZE_HELP);
            }

            Shape::Factor => {
                let help = "write a number with at most three decimals, e.g. `2` or `1.5`";
                self.written(node, key, shape, words::factor(text).err(), help);
            }
            Shape::Cron => {
                let wrong = calendar::expression(text).err();
                self.written(node, key, shape, wrong, calendar::CRON_HELP);
            }
            Shape::Zone => {
                let wrong = calendar::time_zone(text).err();
                self.written(node, key, shape, wrong, calendar::ZONE_HELP);
            }
            Shape::Identifier => self.name(node, key, shape, words::is_identifier, IDENTIFIER_HELP),
            Shape::Name => self.name(node, key, shape, words::is_name, NAME_HELP),
            Shape::PathName => self.name(node, key, shape, words::is_path_name, PATH_NAME_HELP),
            Shape::OperationName => {
                self.name(
                    node,
                    key,
                    shape,
                    words::is_operation_name,
                    OPERATION_NAME_HELP,
                );
            }
            Shape::Text | Shape::JsonPath => {
                self.text(node, key, scalar, shape);
            }
            // No scalars; whoever walks has told them apart.
            Shape::Version
            | Shape::Flag
            | Shape::Count { .. }
            | Shape::Tree(_)
            | Shape::Schema
            | Shape::Properties
            | Shape::Anything
            | Shape::Object(_)
            | Shape::Tagged(_)
            | Shape::List(_)
            | Shape::OneOrMore(_)
            | Shape::Map(..)
            | Shape::ScalarOr { .. } => {}
        }
    }

    /// Whether it is text; if not, that has been reported.
    fn text(&mut self, node: &Node, key: Option<Span>, scalar: &Scalar, shape: &Shape) -> bool {
        let is_text = scalar.kind == Kind::Text && !scalar.text.is_empty();
        if !is_text {
            let quote = matches!(scalar.kind, Kind::Integer | Kind::Decimal | Kind::Bool(_));
            let help = quote.then(|| format!("put it into quotes: \"{}\"", scalar.text));
            self.wrong_type(node, key, &expected(shape), help.as_deref());
        }
        is_text
    }

    fn written(
        &mut self,
        node: &Node,
        key: Option<Span>,
        shape: &Shape,
        wrong: Option<String>,
        help: &str,
    ) {
        let kind = node.scalar().map(|scalar| scalar.kind);
        if matches!(kind, Some(Kind::Null | Kind::Bool(_))) {
            return self.wrong_type(node, key, &expected(shape), Some(help));
        }
        if let Some(why) = wrong {
            let what = format!("{} must be {}", self.here(), expected(shape));
            let finding = Diagnostic::error(codes::BAD_VALUE, node.span, what).label(why);
            self.report(node, finding.help(help));
        }
    }

    fn name(
        &mut self,
        node: &Node,
        key: Option<Span>,
        shape: &Shape,
        is_good: fn(&str) -> bool,
        help: &str,
    ) {
        let Some(scalar) = node
            .scalar()
            .filter(|scalar| self.text(node, key, scalar, shape))
        else {
            return;
        };
        if !is_good(&scalar.text) {
            let what = format!("`{}` cannot be what {} names", scalar.text, self.here());
            self.report(
                node,
                Diagnostic::error(codes::BAD_NAME, node.span, what).help(help),
            );
        }
    }

    pub(super) fn not_one_of(&mut self, node: &Node, scalar: &Scalar, words: &[&'static str]) {
        let what = format!("{} cannot be `{}`", self.here(), scalar.text);
        let mut finding = Diagnostic::error(codes::NOT_ONE_OF, node.span, what)
            .label(format!("not one of {}", join(words)));
        if let Some(meant) = words::nearest(&scalar.text, words.iter().copied()) {
            finding = finding.help(format!("did you mean `{meant}`?"));
        }
        self.report(node, finding);
    }

    pub(super) fn count(&mut self, node: &Node, key: Option<Span>, min: u64, max: u64) {
        let expected = format!("a whole number from {min} to {max}");
        let Some(scalar) = node.scalar().filter(|scalar| scalar.kind == Kind::Integer) else {
            let help = "write digits alone, e.g. `1000`";
            return self.wrong_type(node, key, &expected, Some(help));
        };
        if !scalar
            .text
            .parse::<u64>()
            .is_ok_and(|number| (min..=max).contains(&number))
        {
            let what = format!("{} must be {expected}", self.here());
            self.report(
                node,
                Diagnostic::error(codes::OUT_OF_RANGE, node.span, what),
            );
        }
    }

    pub(super) fn template(&mut self, node: &Node, key: Option<Span>, scalar: &Scalar) {
        match scalar.kind {
            Kind::Text | Kind::Integer | Kind::Bool(_) => {}
            Kind::Null => {
                let help = "remove the key, or write \"\" for an empty text";
                self.wrong_type(node, key, "a value", Some(help));
            }
            Kind::Decimal => {
                let what = format!("the number {} has to be quoted", scalar.text);
                let finding = Diagnostic::error(codes::AMBIGUOUS_NUMBER, node.span, what)
                    .help(format!("write \"{}\"", scalar.text))
                    .note("other readers of YAML take 10.10 for 10.1; a quoted number keeps its digits everywhere");
                self.report(node, finding);
            }
        }
    }

    fn expression(&mut self, node: &Node, key: Option<Span>, scalar: &Scalar) {
        if matches!(scalar.kind, Kind::Null | Kind::Decimal) || scalar.text.is_empty() {
            self.wrong_type(node, key, "an expression", None);
        } else if let Some(inner) = braced(&scalar.text) {
            let what = format!("{} takes an expression without braces", self.here());
            let finding = Diagnostic::error(codes::EXPRESSION, node.span, what);
            self.report(node, finding.help(format!("write `{}`", inner.trim())));
        }
    }
}

/// Whether a text has an expression in it.
fn has_expression(text: &str) -> bool {
    text.contains("{{")
}
