//! From source text to something that runs: one walk over the syntax tree.
//!
//! The walk refuses what could make a binary float or call code, lists what is read, and writes the
//! expression down again with operators and tests as calls of our own filters. Filters bind tighter
//! than any operator, so the rewritten text needs parentheses only around `and`, `or`, `not` and
//! `if`.

use super::chain::{Chain, Link, Place};
use super::engine::environment;
use super::{CompileError, Read};
use minijinja::Value;
use minijinja::machinery::{self, Token, ast};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use std::fmt::Write as _;

/// The longest source of one scalar.
const SOURCE_BYTES_MAX: usize = 64 * 1024;

/// The most tokens of one expression. It bounds how deep a syntax tree can get, and with it the
/// stack that walking, compiling and dropping one takes: a chain of operators nests as deep as it
/// is long.
const TOKENS_MAX: usize = 500;

/// One compiled expression.
pub(super) struct Lowered {
    /// How it is evaluated.
    pub(super) program: Program,
    /// What it reads.
    pub(super) reads: Vec<Read>,
    /// The names it needs values of, each once; the rewritten text calls them `r0`, `r1` and so on.
    pub(super) slots: Vec<Vec<String>>,
}

/// How an expression is evaluated.
pub(super) enum Program {
    /// It only reads a name: walked in the document itself.
    Name,
    /// Anything else.
    Code(Box<minijinja::Expression<'static, 'static>>),
}

/// A piece of a text template.
pub(super) enum Piece {
    /// As it stands.
    Raw(String),
    /// Computed.
    Computed(Lowered),
}

/// Compiles a bare expression.
pub(super) fn expression(source: &str) -> Result<Lowered, CompileError> {
    check_size(source, true)?;
    if let Some(offset) = source
        .find("{{")
        .filter(|at| source[..*at].trim().is_empty())
    {
        return Err(CompileError::new(offset, "this is an expression already")
            .help("write it without `{{` and `}}`"));
    }
    let tree = machinery::parse_expr(source).map_err(|error| syntax_error(source, &error))?;
    check_tokens(source)?;
    lower(&tree)
}

/// The parser stops without a word at a character that begins nothing, if what stands before it is an expression: it would
/// read `a && b` as `a`.
fn check_tokens(source: &str) -> Result<(), CompileError> {
    let mut end = 0;
    for token in machinery::tokenize(source, true, SyntaxConfig::default()) {
        match token {
            Ok((_, span)) => end = span.end_offset as usize,
            Err(error) => {
                let rest = source.get(end..).unwrap_or_default();
                let offset = end + (rest.len() - rest.trim_start().len());
                let why = error.detail().unwrap_or("unexpected character");
                return Err(with_help(source, offset, why.to_owned()));
            }
        }
    }
    Ok(())
}

/// The operands of an expression's outermost `and`s; the whole expression where it is no such
/// conjunction.
pub(super) fn conjuncts(source: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0_usize, 0, Vec::new());
    for token in machinery::tokenize(source, true, SyntaxConfig::default()) {
        let Ok((token, span)) = token else {
            return vec![source];
        };
        match token {
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => depth += 1,
            Token::ParenClose | Token::BracketClose | Token::BraceClose => {
                depth = depth.saturating_sub(1);
            }
            Token::Ident("or" | "if") if depth == 0 => return vec![source],
            Token::Ident("and") if depth == 0 => {
                parts.extend(source.get(start..span.start_offset as usize));
                start = span.end_offset as usize;
            }
            _ => {}
        }
    }
    parts.extend(source.get(start..));
    parts.into_iter().map(str::trim).collect()
}

/// Compiles a scalar into its pieces.
pub(super) fn pieces(source: &str) -> Result<Vec<Piece>, CompileError> {
    check_size(source, false)?;
    // The lexer drops one trailing line break; a scalar's text is kept to the letter instead.
    let breaks = source.len() - source.trim_end_matches(['\n', '\r']).len();
    let (text, tail) = source.split_at(source.len() - breaks);
    let tree = machinery::parse(text, "scalar", SyntaxConfig::default())
        .map_err(|error| syntax_error(text, &error))?;
    let ast::Stmt::Template(template) = &tree else {
        return Err(CompileError::new(0, "this is not a template"));
    };
    let mut pieces = Vec::new();
    for statement in &template.children {
        match statement {
            ast::Stmt::EmitRaw(raw) => pieces.push(Piece::Raw(raw.raw.to_owned())),
            ast::Stmt::EmitExpr(emit) => pieces.push(Piece::Computed(lower(&emit.expr)?)),
            _ => {
                let offset = text.find("{%").unwrap_or(0);
                return Err(
                    CompileError::new(offset, "statements are not part of definitions").help(
                        "use `{{ a if condition else b }}`, or `for` and `if` in the YAML itself",
                    ),
                );
            }
        }
    }
    if !tail.is_empty() {
        pieces.push(Piece::Raw(tail.to_owned()));
    }
    Ok(pieces)
}

pub(super) fn check_size(source: &str, in_expression: bool) -> Result<(), CompileError> {
    if source.len() > SOURCE_BYTES_MAX {
        let why = format!("it is longer than {SOURCE_BYTES_MAX} bytes");
        return Err(CompileError::new(SOURCE_BYTES_MAX, why));
    }
    let mut count = 0_usize;
    for token in machinery::tokenize(source, in_expression, SyntaxConfig::default()) {
        // A token that cannot be read is reported by the parser, which has the better words.
        let Ok((token, span)) = token else { break };
        count = if matches!(token, Token::VariableStart) {
            0
        } else {
            count + 1
        };
        if count > TOKENS_MAX {
            let offset = span.start_offset as usize;
            return Err(CompileError::new(offset, "the expression is too long")
                .help("split it: give a part a name of its own"));
        }
    }
    Ok(())
}

fn syntax_error(source: &str, error: &minijinja::Error) -> CompileError {
    let why = error
        .detail()
        .unwrap_or("this is not an expression")
        .to_owned();
    let offset = if why.contains("end of input") {
        source.len()
    } else {
        error.range().map_or(0, |range| range.start)
    };
    with_help(source, offset, why)
}

/// What was probably meant by what stands there.
fn with_help(source: &str, offset: usize, why: String) -> CompileError {
    let rest = source.get(offset..).unwrap_or_default();
    let help = if rest.starts_with("&&") {
        Some("write `and`")
    } else if rest.starts_with("||") {
        Some("write `or`")
    } else if rest.starts_with('!') && !rest.starts_with("!=") {
        Some("write `not`")
    } else if rest.starts_with('?') {
        Some("write `a if condition else b`")
    } else if why.contains("end of variable block") {
        Some("an expression in braces ends with `}}`")
    } else if rest.starts_with('=') && !rest.starts_with("==") {
        Some("`==` compares")
    } else if rest.starts_with(['\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}']) {
        Some("a word processor has put curly quotes there: write straight ones")
    } else {
        None
    };
    match help {
        Some(help) => CompileError::new(offset, why).help(help),
        None => CompileError::new(offset, why),
    }
}

fn lower(tree: &ast::Expr<'_>) -> Result<Lowered, CompileError> {
    let mut writer = Writer::default();
    writer.write(tree, &Place::default())?;
    let only_members = Chain::of(tree).is_some_and(|chain| {
        chain
            .links
            .iter()
            .all(|link| matches!(link, Link::Member(_)))
    });
    let program = if only_members {
        Program::Name
    } else {
        let code = environment()
            .compile_expression_owned(writer.text)
            .map_err(|_| {
                CompileError::new(offset_of(tree), "it is nested too deep")
                    .help("split it: give a part a name of its own")
            })?;
        Program::Code(Box::new(code))
    };
    Ok(Lowered {
        program,
        reads: writer.reads,
        slots: writer.slots,
    })
}

pub(super) fn offset_of(tree: &ast::Expr<'_>) -> usize {
    tree.span().start_offset as usize
}

/// Writes the expression down again and collects what it reads.
#[derive(Default)]
pub(super) struct Writer {
    pub(super) text: String,
    reads: Vec<Read>,
    slots: Vec<Vec<String>>,
}

pub(super) type Written = Result<(), CompileError>;

impl Writer {
    pub(super) fn write(&mut self, tree: &ast::Expr<'_>, place: &Place) -> Written {
        if let Some(chain) = Chain::of(tree) {
            return self.chain(&chain, place);
        }
        match tree {
            ast::Expr::Const(literal) => self.literal(&literal.value, offset_of(tree)),
            ast::Expr::BinOp(op) => self.operator(op, offset_of(tree)),
            ast::Expr::UnaryOp(op) => match op.op {
                ast::UnaryOpKind::Not => {
                    self.text.push_str("(not ");
                    self.write(&op.expr, &Place::default())?;
                    self.close();
                    Ok(())
                }
                ast::UnaryOpKind::Neg => self.call(&op.expr, "op_neg", &[]),
            },
            ast::Expr::IfExpr(choice) => self.choice(choice, offset_of(tree)),
            ast::Expr::Filter(filter) => self.filter(filter, offset_of(tree), place),
            ast::Expr::Test(test) => self.test(test, offset_of(tree)),
            ast::Expr::GetAttr(get) => {
                self.base(&get.expr)?;
                self.member(get.name);
                Ok(())
            }
            ast::Expr::GetItem(get) => {
                self.base(&get.expr)?;
                self.subscript(&get.subscript_expr)
            }
            ast::Expr::Slice(slice) => self.slice(slice),
            ast::Expr::List(list) => self.list(&list.items),
            ast::Expr::Tuple(tuple) => self.list(&tuple.items),
            ast::Expr::Map(map) => self.map(map),
            ast::Expr::Compare(_) => Err(CompileError::new(
                offset_of(tree),
                "comparisons cannot be chained",
            )
            .help("write `a < b and b < c`")),
            ast::Expr::Call(_) => Err(CompileError::new(
                offset_of(tree),
                "there are no functions to call here",
            )
            .help("use a filter: `value | name(…)`")),
            ast::Expr::Var(_) => Ok(()),
        }
    }

    pub(super) fn close(&mut self) {
        self.text.push(')');
    }

    /// A name with its members is one slot, so that only what it leads to is converted. What is not
    /// there is undefined, and strict use says so; behind it, a computed link is followed in the
    /// expression.
    fn chain(&mut self, chain: &Chain<'_, '_>, place: &Place) -> Written {
        let read = chain.read(place);
        let slot = self.slot(&read.path);
        let rest = chain.links.get(read.path.len() - 1..).unwrap_or_default();
        self.reads.push(read);
        // Writing into a `String` cannot fail.
        write!(self.text, "r{slot}").unwrap_or_default();
        if place.guarded && !rest.is_empty() {
            // Looks along the whole chain without failing half-way.
            self.text.push_str("|op_reach(");
            for link in rest {
                match link {
                    Link::Member(name) => self.string(name),
                    Link::Computed(index) => self.write(index, &Place::default())?,
                }
                self.text.push(',');
            }
            self.close();
            return Ok(());
        }
        for link in rest {
            match link {
                Link::Member(name) => self.member(name),
                Link::Computed(index) => self.subscript(index)?,
            }
        }
        Ok(())
    }

    fn slot(&mut self, path: &[String]) -> usize {
        self.slots
            .iter()
            .position(|known| known == path)
            .unwrap_or_else(|| {
                self.slots.push(path.to_vec());
                self.slots.len() - 1
            })
    }

    fn member(&mut self, name: &str) {
        self.text.push('[');
        self.string(name);
        self.text.push(']');
    }

    fn subscript(&mut self, index: &ast::Expr<'_>) -> Written {
        self.text.push('[');
        self.write(index, &Place::default())?;
        self.text.push(']');
        Ok(())
    }

    /// What members are taken of: anything but a plain name needs parentheses.
    fn base(&mut self, tree: &ast::Expr<'_>) -> Written {
        self.text.push('(');
        self.write(tree, &Place::default())?;
        self.close();
        Ok(())
    }

    fn string(&mut self, text: &str) {
        // JSON's escapes are a subset of the ones the template crate reads.
        self.text
            .push_str(&serde_json::Value::from(text).to_string());
    }

    fn literal(&mut self, value: &Value, offset: usize) -> Written {
        match value.kind() {
            ValueKind::String => self.string(value.as_str().unwrap_or_default()),
            ValueKind::Bool => {
                self.text
                    .push_str(if value.is_true() { "true" } else { "false" });
            }
            ValueKind::None => self.text.push_str("none"),
            ValueKind::Number if value.is_integer() => {
                // Writing into a `String` cannot fail.
                write!(self.text, "{value}").unwrap_or_default();
            }
            ValueKind::Number => {
                return Err(CompileError::new(
                    offset,
                    "a literal with a point would be a binary float",
                )
                .help(format!(
                    "write it as an exact decimal: `'{value}' | decimal`"
                )));
            }
            _ => return Err(CompileError::new(offset, "this literal is not plain data")),
        }
        Ok(())
    }

    fn operator(&mut self, op: &ast::BinOp<'_>, offset: usize) -> Written {
        let name = match op.op {
            ast::BinOpKind::ScAnd | ast::BinOpKind::ScOr => return self.both(op),
            ast::BinOpKind::Eq => "op_eq",
            ast::BinOpKind::Ne => "op_ne",
            ast::BinOpKind::Lt => "op_lt",
            ast::BinOpKind::Lte => "op_le",
            ast::BinOpKind::Gt => "op_gt",
            ast::BinOpKind::Gte => "op_ge",
            ast::BinOpKind::In => "op_in",
            ast::BinOpKind::Add => "op_add",
            ast::BinOpKind::Sub => "op_sub",
            ast::BinOpKind::Mul => "op_mul",
            ast::BinOpKind::FloorDiv => "op_floor_div",
            ast::BinOpKind::Rem => "op_rem",
            ast::BinOpKind::Concat => "op_concat",
            ast::BinOpKind::Div => {
                return Err(CompileError::new(offset, "`/` would make a binary float")
                    .help("use `a | div(b, scale)`, which says how many decimal places to keep"));
            }
            ast::BinOpKind::Pow => {
                return Err(CompileError::new(offset, "`**` would make a binary float")
                    .help("multiply: `a * a`"));
            }
        };
        self.call(&op.left, name, &[&op.right])
    }

    /// `and`, `or`: a run of the same operator is written flat, so that long conditions do not
    /// nest.
    fn both(&mut self, op: &ast::BinOp<'_>) -> Written {
        let is_and = matches!(op.op, ast::BinOpKind::ScAnd);
        let mut operands = vec![&op.right];
        let mut left = &op.left;
        while let ast::Expr::BinOp(inner) = left {
            let same = match inner.op {
                ast::BinOpKind::ScAnd => is_and,
                ast::BinOpKind::ScOr => !is_and,
                _ => false,
            };
            if !same {
                break;
            }
            operands.push(&inner.right);
            left = &inner.left;
        }
        self.text.push('(');
        self.write(left, &Place::default())?;
        for operand in operands.into_iter().rev() {
            self.text.push_str(if is_and { " and " } else { " or " });
            self.write(operand, &Place::default())?;
        }
        self.close();
        Ok(())
    }

    fn choice(&mut self, choice: &ast::IfExpr<'_>, offset: usize) -> Written {
        let Some(otherwise) = &choice.false_expr else {
            return Err(CompileError::new(
                offset,
                "`if` without `else` has no value when it fails",
            )
            .help("say what it is then: `… else none` leaves it out"));
        };
        self.text.push('(');
        self.write(&choice.true_expr, &Place::default())?;
        self.text.push_str(" if ");
        self.write(&choice.test_expr, &Place::default())?;
        self.text.push_str(" else ");
        self.write(otherwise, &Place::default())?;
        self.close();
        Ok(())
    }

    /// `operand|name(args)`
    fn call(&mut self, operand: &ast::Expr<'_>, name: &str, args: &[&ast::Expr<'_>]) -> Written {
        self.write(operand, &Place::default())?;
        self.text.push('|');
        self.text.push_str(name);
        self.text.push('(');
        for arg in args {
            self.write(arg, &Place::default())?;
            self.text.push(',');
        }
        self.close();
        Ok(())
    }

    fn slice(&mut self, slice: &ast::Slice<'_>) -> Written {
        self.base(&slice.expr)?;
        self.text.push('[');
        for (at, bound) in [&slice.start, &slice.stop, &slice.step]
            .into_iter()
            .enumerate()
        {
            if at > 0 {
                self.text.push(':');
            }
            if let Some(bound) = bound {
                self.write(bound, &Place::default())?;
            }
        }
        self.text.push(']');
        Ok(())
    }

    fn list(&mut self, items: &[ast::Expr<'_>]) -> Written {
        self.text.push('[');
        for item in items {
            self.write(item, &Place::default())?;
            self.text.push(',');
        }
        self.text.push(']');
        Ok(())
    }

    fn map(&mut self, map: &ast::Map<'_>) -> Written {
        self.text.push('{');
        for (key, value) in map.keys.iter().zip(&map.values) {
            self.write(key, &Place::default())?;
            self.text.push(':');
            self.write(value, &Place::default())?;
            self.text.push(',');
        }
        self.text.push('}');
        Ok(())
    }
}
