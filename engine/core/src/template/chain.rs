//! Names with their members, as they stand in the syntax tree.

use super::Read;
use minijinja::machinery::ast;

/// What stands around an operand.
#[derive(Default, Clone)]
pub(super) struct Place {
    /// Filters applied to it, nearest first.
    pub(super) filters: Vec<String>,
    /// Whether it may be missing.
    pub(super) guarded: bool,
}

/// A name with its members: `payment.links['mandate']`.
pub(super) struct Chain<'t, 's> {
    root: &'s str,
    offset: usize,
    pub(super) links: Vec<Link<'t, 's>>,
}

/// One step of a chain.
pub(super) enum Link<'t, 's> {
    /// `.name` or `['name']`
    Member(String),
    /// `[expression]`
    Computed(&'t ast::Expr<'s>),
}

impl<'t, 's> Chain<'t, 's> {
    /// The chain a tree is, if it is one.
    pub(super) fn of(tree: &'t ast::Expr<'s>) -> Option<Self> {
        match tree {
            ast::Expr::Var(var) => Some(Self {
                root: var.id,
                offset: var.span().start_offset as usize,
                links: Vec::new(),
            }),
            ast::Expr::GetAttr(get) => {
                Some(Self::of(&get.expr)?.followed_by(Link::Member(get.name.to_owned())))
            }
            ast::Expr::GetItem(get) => {
                let link = match text_literal(&get.subscript_expr) {
                    Some(name) => Link::Member(name),
                    None => Link::Computed(&get.subscript_expr),
                };
                Some(Self::of(&get.expr)?.followed_by(link))
            }
            _ => None,
        }
    }

    fn followed_by(mut self, link: Link<'t, 's>) -> Self {
        self.links.push(link);
        self
    }

    /// What reading it means for checks.
    pub(super) fn read(&self, place: &Place) -> Read {
        let members = self.links.iter().map_while(|link| match link {
            Link::Member(name) => Some(name.clone()),
            Link::Computed(_) => None,
        });
        Read {
            path: std::iter::once(self.root.to_owned())
                .chain(members)
                .collect(),
            offset: self.offset,
            filters: place.filters.clone(),
            guarded: place.guarded,
        }
    }
}

/// The text of a literal.
pub(super) fn text_literal(tree: &ast::Expr<'_>) -> Option<String> {
    match tree {
        ast::Expr::Const(literal) => literal.value.as_str().map(str::to_owned),
        _ => None,
    }
}
