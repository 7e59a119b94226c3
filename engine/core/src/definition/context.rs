//! What lowering has at hand, and what stands in for what it could not read.

use super::schemas::Schemas;
use super::structure::Broken;
use crate::codes;
use crate::diagnostic::{Code, Diagnostic, Findings};
use crate::source::SourceSet;
use crate::template::{CompileError, Expression, Path, Template};
use crate::yaml::{self, Kind, Node};
use serde_json::Value as Document;
use std::cell::RefCell;

/// One definition on its way from nodes to the plan's types.
///
/// Reading never fails: what was reported before is silently replaced by something harmless without a place, so that the
/// rest of the definition is still read and checked. A definition with findings is never run.
pub(super) struct Context<'a> {
    pub(super) sources: &'a SourceSet,
    pub(super) schemas: &'a Schemas,
    pub(super) broken: &'a Broken,
    pub(super) findings: RefCell<&'a mut Findings>,
}

impl<'a> Context<'a> {
    pub(super) fn new(
        sources: &'a SourceSet,
        schemas: &'a Schemas,
        broken: &'a Broken,
        findings: &'a mut Findings,
    ) -> Self {
        Self {
            sources,
            schemas,
            broken,
            findings: RefCell::new(findings),
        }
    }

    pub(super) fn report(&self, finding: Diagnostic) {
        self.findings.borrow_mut().push(finding);
    }

    /// A scalar as a template.
    pub(super) fn template(&self, node: &Node) -> Template {
        let Some(scalar) = node.scalar() else {
            return no_template();
        };
        if scalar.kind != Kind::Text {
            return Template::literal(scalar.to_document()).at(node.span);
        }
        match Template::compile(&scalar.text) {
            Ok(template) => template.at(node.span),
            Err(error) => {
                self.compile_error(codes::EXPRESSION, node, &scalar.text, &error, 0);
                no_template()
            }
        }
    }

    /// A scalar as an expression.
    pub(super) fn expression(&self, node: &Node) -> Expression {
        let Some(scalar) = node.scalar() else {
            return no_expression();
        };
        match Expression::compile(&scalar.text) {
            Ok(expression) => expression.at(node.span),
            Err(error) => {
                self.compile_error(codes::EXPRESSION, node, &scalar.text, &error, 0);
                no_expression()
            }
        }
    }

    /// What stands between the braces of a scalar, as an expression.
    pub(super) fn braced(&self, node: &Node) -> Expression {
        let text = node.scalar().map_or("", |scalar| scalar.text.as_str());
        let Some(inner) = super::structure::braced(text) else {
            return no_expression();
        };
        let offset = text.find("{{").map_or(0, |at| at + 2);
        match Expression::compile(inner) {
            Ok(expression) => {
                let place = yaml::place(self.sources, node.span, text, offset, inner.len());
                expression.at(place)
            }
            Err(error) => {
                self.compile_error(codes::EXPRESSION, node, text, &error, offset);
                no_expression()
            }
        }
    }

    /// A scalar as a JSONPath.
    pub(super) fn path(&self, node: &Node) -> Path {
        let Some(scalar) = node.scalar() else {
            return no_path();
        };
        match Path::compile(&scalar.text) {
            Ok(path) => path.at(node.span),
            Err(error) => {
                self.compile_error(codes::JSON_PATH, node, &scalar.text, &error, 0);
                no_path()
            }
        }
    }

    fn compile_error(
        &self,
        code: Code,
        node: &Node,
        text: &str,
        error: &CompileError,
        before: usize,
    ) {
        let offset = error.offset.saturating_add(before);
        let length = text
            .get(offset..)
            .and_then(|rest| rest.chars().next())
            .map_or(0, char::len_utf8);
        let place = yaml::place(self.sources, node.span, text, offset, length);
        let mut finding = Diagnostic::error(code, place, error.why.clone());
        finding.help.clone_from(&error.help);
        self.report(finding);
    }
}

#[cfg(test)]
thread_local! {
    /// Which rows of which tables lowering asked for, in this thread.
    pub(super) static ASKED: RefCell<std::collections::BTreeSet<(&'static str, &'static str)>> = RefCell::default();
}

/// Stands in for a template that was reported.
pub(super) fn no_template() -> Template {
    Template::literal(Document::Null)
}

/// Stands in for an expression that was reported.
#[expect(clippy::expect_used, reason = "a constant that a test compiles")]
pub(super) fn no_expression() -> Expression {
    Expression::compile("true").expect("a boolean is an expression")
}

/// Stands in for a path that was reported.
#[expect(clippy::expect_used, reason = "a constant that a test compiles")]
pub(super) fn no_path() -> Path {
    Path::compile("$").expect("the root is a path")
}
