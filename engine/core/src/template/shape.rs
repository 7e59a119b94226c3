//! What an expression is made of, for checks that need more than the names it reads: comparisons, literals, filters.
//!
//! Positions are byte offsets in the source text of the expression or template.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the syntax tree belongs to the template crate; what has no shape of its own is `Other`"
)]

use super::CompileError;
use minijinja::machinery::{Span, ast, parse, parse_expr};
use minijinja::syntax::SyntaxConfig;
use serde_json::Value as Document;
use std::ops::Range;

/// An expression, reduced to what can be decided before there are any values.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// What it is.
    pub kind: Kind,
    /// Where it stands in the source text.
    pub at: Range<usize>,
}

/// Kinds of expressions.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A fixed value.
    Value(Document),
    /// A name with members.
    Name(Vec<Segment>),
    /// `on | name(args)`
    Filter {
        /// The filter.
        name: String,
        /// What it is applied to.
        on: Box<Shape>,
        /// Its arguments, named ones last.
        args: Vec<Shape>,
    },
    /// `on is name(args)`
    Test {
        /// The test.
        name: String,
        /// What is tested.
        on: Box<Shape>,
        /// Its arguments.
        args: Vec<Shape>,
    },
    /// `left op right`; a chain of comparisons is an [`Kind::All`] of them.
    Compare {
        /// How.
        op: Comparison,
        /// What.
        left: Box<Shape>,
        /// With what.
        right: Box<Shape>,
    },
    /// `not …`
    Not(Box<Shape>),
    /// `… and …`
    All(Vec<Shape>),
    /// `… or …`: the first that is not empty.
    Any(Vec<Shape>),
    /// `then if test else otherwise`
    Choice {
        /// What is asked.
        test: Box<Shape>,
        /// When it holds.
        then: Box<Shape>,
        /// When not.
        otherwise: Option<Box<Shape>>,
    },
    /// A list of expressions.
    List(Vec<Shape>),
    /// Text with expressions in it.
    Text(Vec<Shape>),
    /// `a + b`, `a - b`
    Sum(Vec<Shape>),
    /// Anything else (other arithmetic, calls, slices), with its parts.
    Other(Vec<Shape>),
}

/// One name of a dotted path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The name, or [`crate::schema::EACH`] for an element of a list.
    pub name: String,
    /// Where it stands.
    pub at: Range<usize>,
}

/// Comparison operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`, `<=`, `>`, `>=`
    Order,
    /// `in`
    In,
    /// `not in`
    NotIn,
}

impl Shape {
    /// The shape of a bare expression.
    ///
    /// # Errors
    /// If it does not parse.
    pub fn of_expression(source: &str) -> Result<Self, CompileError> {
        super::compile::check_size(source, true)?;
        parse_expr(source)
            .map(|expr| shape(&expr))
            .map_err(|error| failure(&error))
    }

    /// The shape of a scalar: the expression's own if it is one expression and nothing else, a value if it is text without
    /// expressions, else text.
    ///
    /// # Errors
    /// If it does not parse.
    pub fn of_template(source: &str) -> Result<Self, CompileError> {
        super::compile::check_size(source, false)?;
        let stmt = parse(source, "<template>", SyntaxConfig::default())
            .map_err(|error| failure(&error))?;
        let mut parts = Vec::new();
        collect(&stmt, &mut parts);
        let at = 0..source.len();
        if parts.is_empty() {
            return Ok(Self {
                kind: Kind::Value(Document::from(source)),
                at,
            });
        }
        let alone = parts.len() == 1
            && !matches!(parts.first(), Some(Self { kind: Kind::Value(_), at }) if at.len() == source.len());
        let braces = source.starts_with("{{") && source.ends_with("}}");
        if alone && braces {
            return Ok(parts.remove(0));
        }
        if let (
            [
                Self {
                    kind: Kind::Value(value),
                    ..
                },
            ],
            false,
        ) = (parts.as_slice(), braces)
        {
            return Ok(Self {
                kind: Kind::Value(value.clone()),
                at,
            });
        }
        Ok(Self {
            kind: Kind::Text(parts),
            at,
        })
    }

    /// A fixed value that stands nowhere.
    pub fn value(value: Document) -> Self {
        Self {
            kind: Kind::Value(value),
            at: 0..0,
        }
    }

    /// The expressions it is directly made of.
    pub fn parts(&self) -> Vec<&Self> {
        match &self.kind {
            Kind::Value(_) | Kind::Name(_) => Vec::new(),
            Kind::Filter { on, args, .. } | Kind::Test { on, args, .. } => {
                std::iter::once(on.as_ref()).chain(args).collect()
            }
            Kind::Compare { left, right, .. } => vec![left, right],
            Kind::Not(one) => vec![one],
            Kind::All(parts)
            | Kind::Any(parts)
            | Kind::List(parts)
            | Kind::Text(parts)
            | Kind::Sum(parts)
            | Kind::Other(parts) => parts.iter().collect(),
            Kind::Choice {
                test,
                then,
                otherwise,
            } => [Some(test), Some(then), otherwise.as_ref()]
                .into_iter()
                .flatten()
                .map(AsRef::as_ref)
                .collect(),
        }
    }

    /// Calls `see` with this and everything inside, outermost first.
    pub fn walk<'a>(&'a self, see: &mut impl FnMut(&'a Self)) {
        see(self);
        for part in self.parts() {
            part.walk(see);
        }
    }

    /// Every name it reads, with its members.
    pub fn names(&self) -> Vec<&[Segment]> {
        let mut all = Vec::new();
        self.walk(&mut |one| {
            if let Kind::Name(segments) = &one.kind {
                all.push(segments.as_slice());
            }
        });
        all
    }

    /// The name it is, if it is nothing but a name.
    pub fn name(&self) -> Option<&[Segment]> {
        match &self.kind {
            Kind::Name(segments) => Some(segments),
            _ => None,
        }
    }

    /// The fixed value it is, if it is one.
    pub fn fixed(&self) -> Option<&Document> {
        match &self.kind {
            Kind::Value(value) => Some(value),
            _ => None,
        }
    }
}

fn failure(error: &minijinja::Error) -> CompileError {
    CompileError {
        why: error.detail().unwrap_or("not an expression").to_owned(),
        offset: error.range().map_or(0, |range| range.start),
        help: None,
    }
}

fn range(span: Span) -> Range<usize> {
    span.start_offset as usize..span.end_offset as usize
}

/// What a template emits. Statements are refused where templates are compiled, so only what they print matters here.
fn collect(stmt: &ast::Stmt<'_>, parts: &mut Vec<Shape>) {
    match stmt {
        ast::Stmt::Template(template) => {
            template
                .children
                .iter()
                .for_each(|child| collect(child, parts));
        }
        ast::Stmt::EmitRaw(raw) => {
            parts.push(Shape {
                kind: Kind::Value(Document::from(raw.raw)),
                at: range(raw.span()),
            });
        }
        ast::Stmt::EmitExpr(emit) => parts.push(shape(&emit.expr)),
        _ => {}
    }
}

fn shape(expr: &ast::Expr<'_>) -> Shape {
    Shape {
        at: range(expr.span()),
        kind: kind(expr),
    }
}

fn boxed(expr: &ast::Expr<'_>) -> Box<Shape> {
    Box::new(shape(expr))
}

fn kind(expr: &ast::Expr<'_>) -> Kind {
    if let Some(value) = fixed(expr) {
        return Kind::Value(value);
    }
    match expr {
        ast::Expr::Var(_) | ast::Expr::GetAttr(_) => name(expr),
        ast::Expr::GetItem(item) => match path(expr) {
            Some(segments) => Kind::Name(segments),
            None => Kind::Other(vec![shape(&item.expr), shape(&item.subscript_expr)]),
        },
        ast::Expr::Filter(filter) => match &filter.expr {
            Some(on) => Kind::Filter {
                name: filter.name.to_owned(),
                on: boxed(on),
                args: arguments(&filter.args),
            },
            None => Kind::Other(arguments(&filter.args)),
        },
        ast::Expr::Test(test) => Kind::Test {
            name: test.name.to_owned(),
            on: boxed(&test.expr),
            args: arguments(&test.args),
        },
        ast::Expr::Compare(compare) => chain(compare),
        ast::Expr::UnaryOp(unary) => match unary.op {
            ast::UnaryOpKind::Not => negated(shape(&unary.expr)),
            ast::UnaryOpKind::Neg => Kind::Other(vec![shape(&unary.expr)]),
        },
        ast::Expr::BinOp(binary) => binary_kind(binary),
        ast::Expr::IfExpr(choice) => Kind::Choice {
            test: boxed(&choice.test_expr),
            then: boxed(&choice.true_expr),
            otherwise: choice.false_expr.as_ref().map(boxed),
        },
        ast::Expr::List(list) => Kind::List(list.items.iter().map(shape).collect()),
        ast::Expr::Tuple(tuple) => Kind::List(tuple.items.iter().map(shape).collect()),
        ast::Expr::Map(map) => Kind::Other(map.keys.iter().chain(&map.values).map(shape).collect()),
        ast::Expr::Slice(slice) => {
            let bounds = [&slice.start, &slice.stop, &slice.step];
            let bounds = bounds.into_iter().flatten().map(shape);
            Kind::Other(std::iter::once(shape(&slice.expr)).chain(bounds).collect())
        }
        // A called function is no value of the scope; what a method is called on is.
        ast::Expr::Call(call) => {
            let on = match call.identify_call() {
                ast::CallType::Method(on, _) => Some(shape(on)),
                _ => None,
            };
            Kind::Other(on.into_iter().chain(arguments(&call.args)).collect())
        }
        ast::Expr::Const(_) => Kind::Other(Vec::new()),
    }
}

fn name(expr: &ast::Expr<'_>) -> Kind {
    match (path(expr), expr) {
        (Some(segments), _) => Kind::Name(segments),
        (None, ast::Expr::GetAttr(attr)) => Kind::Other(vec![shape(&attr.expr)]),
        (None, _) => Kind::Other(Vec::new()),
    }
}

/// The dotted path that an expression is; `None` if a part of it is computed.
fn path(expr: &ast::Expr<'_>) -> Option<Vec<Segment>> {
    let end = range(expr.span()).end;
    match expr {
        ast::Expr::Var(var) => Some(vec![Segment {
            name: var.id.to_owned(),
            at: range(var.span()),
        }]),
        ast::Expr::GetAttr(attr) => {
            let mut segments = path(&attr.expr)?;
            segments.push(Segment {
                name: attr.name.to_owned(),
                at: end.saturating_sub(attr.name.len())..end,
            });
            Some(segments)
        }
        ast::Expr::GetItem(item) => {
            let mut segments = path(&item.expr)?;
            let name = match fixed(&item.subscript_expr)? {
                Document::String(name) => name,
                Document::Number(_) => crate::schema::EACH.to_owned(),
                Document::Null | Document::Bool(_) | Document::Array(_) | Document::Object(_) => {
                    return None;
                }
            };
            segments.push(Segment {
                name,
                at: range(item.subscript_expr.span()),
            });
            Some(segments)
        }
        _ => None,
    }
}

/// A literal, and nothing that is computed from literals: `1 / 2` is for the template compiler to judge.
fn fixed(expr: &ast::Expr<'_>) -> Option<Document> {
    match expr {
        ast::Expr::Const(constant) => document(&constant.value),
        ast::Expr::UnaryOp(unary) => match (&unary.op, fixed(&unary.expr)?) {
            (ast::UnaryOpKind::Neg, Document::Number(number)) => {
                let negative = format!("-{number}");
                negative.parse().ok().map(Document::Number)
            }
            _ => None,
        },
        _ => None,
    }
}

fn document(value: &minijinja::Value) -> Option<Document> {
    if value.is_none() {
        return Some(Document::Null);
    }
    if let Some(text) = value.as_str() {
        return Some(Document::from(text));
    }
    // Booleans and numbers print as JSON writes them.
    serde_json::from_str(&value.to_string()).ok()
}

fn arguments(args: &[ast::CallArg<'_>]) -> Vec<Shape> {
    args.iter()
        .map(|arg| match arg {
            ast::CallArg::Pos(expr)
            | ast::CallArg::Kwarg(_, expr)
            | ast::CallArg::PosSplat(expr)
            | ast::CallArg::KwargSplat(expr) => shape(expr),
        })
        .collect()
}

/// `a not in b` parses as `not (a in b)`.
fn negated(shape: Shape) -> Kind {
    match shape.kind {
        Kind::Compare {
            op: Comparison::In,
            left,
            right,
        } => Kind::Compare {
            op: Comparison::NotIn,
            left,
            right,
        },
        _ => Kind::Not(Box::new(shape)),
    }
}

fn compared(op: Comparison, left: Shape, right: Shape) -> Shape {
    let at = left.at.start..right.at.end;
    Shape {
        kind: Kind::Compare {
            op,
            left: Box::new(left),
            right: Box::new(right),
        },
        at,
    }
}

fn chain(compare: &ast::Compare<'_>) -> Kind {
    let mut left = shape(&compare.expr);
    let mut all = Vec::new();
    for next in &compare.ops {
        let op = match next.op {
            ast::CompareOpKind::Eq => Comparison::Equal,
            ast::CompareOpKind::Ne => Comparison::NotEqual,
            ast::CompareOpKind::In => Comparison::In,
            ast::CompareOpKind::NotIn => Comparison::NotIn,
            ast::CompareOpKind::Lt
            | ast::CompareOpKind::Lte
            | ast::CompareOpKind::Gt
            | ast::CompareOpKind::Gte => Comparison::Order,
        };
        let right = shape(&next.expr);
        all.push(compared(op, left, right.clone()));
        left = right;
    }
    if all.len() == 1 {
        all.remove(0).kind
    } else {
        Kind::All(all)
    }
}

fn binary_kind(binary: &ast::BinOp<'_>) -> Kind {
    let op = match binary.op {
        ast::BinOpKind::Eq => Comparison::Equal,
        ast::BinOpKind::Ne => Comparison::NotEqual,
        ast::BinOpKind::In => Comparison::In,
        ast::BinOpKind::Lt | ast::BinOpKind::Lte | ast::BinOpKind::Gt | ast::BinOpKind::Gte => {
            Comparison::Order
        }
        ast::BinOpKind::ScAnd => return Kind::All(vec![shape(&binary.left), shape(&binary.right)]),
        ast::BinOpKind::ScOr => return Kind::Any(vec![shape(&binary.left), shape(&binary.right)]),
        ast::BinOpKind::Concat => {
            return Kind::Text(vec![shape(&binary.left), shape(&binary.right)]);
        }
        ast::BinOpKind::Add | ast::BinOpKind::Sub => {
            return Kind::Sum(vec![shape(&binary.left), shape(&binary.right)]);
        }
        ast::BinOpKind::Mul
        | ast::BinOpKind::Div
        | ast::BinOpKind::FloorDiv
        | ast::BinOpKind::Rem
        | ast::BinOpKind::Pow => {
            return Kind::Other(vec![shape(&binary.left), shape(&binary.right)]);
        }
    };
    compared(op, shape(&binary.left), shape(&binary.right)).kind
}

#[cfg(test)]
mod tests;
