//! Every name an expression reads exists where it is read, down to the member of a payload.

use super::super::Context;
use super::super::nearest::{listed, nearest, not_one_of};
use super::super::scope::{Entry, Lost};
use super::super::walk::Leaf;
use crate::codes;
use crate::diagnostic::{Diagnostic, Findings};
use crate::schema::{Miss, Types};
use crate::template::{Kind, Segment, Shape};

pub(super) fn rule(context: &Context<'_>, findings: &mut Findings) {
    for leaf in &context.walk.leaves {
        read(context, leaf, &leaf.shape, false, findings);
    }
}

/// `guarded`: what is not there is provided for, by `default(…)` or `is defined`.
fn read(
    context: &Context<'_>,
    leaf: &Leaf<'_>,
    shape: &Shape,
    guarded: bool,
    findings: &mut Findings,
) {
    match &shape.kind {
        Kind::Name(path) => name(context, leaf, path, guarded, findings),
        Kind::Filter { name, on, args } => {
            read(
                context,
                leaf,
                on,
                guarded || name == "default" || name == "d",
                findings,
            );
            for arg in args {
                read(context, leaf, arg, false, findings);
            }
        }
        Kind::Test { name, on, args } => {
            read(
                context,
                leaf,
                on,
                guarded || name == "defined" || name == "undefined",
                findings,
            );
            for arg in args {
                read(context, leaf, arg, false, findings);
            }
        }
        Kind::Value(_)
        | Kind::Compare { .. }
        | Kind::Not(_)
        | Kind::All(_)
        | Kind::Any(_)
        | Kind::Choice { .. }
        | Kind::List(_)
        | Kind::Text(_)
        | Kind::Sum(_)
        | Kind::Other(_) => {
            for part in shape.parts() {
                read(context, leaf, part, false, findings);
            }
        }
    }
}

fn name(
    context: &Context<'_>,
    leaf: &Leaf<'_>,
    path: &[Segment],
    guarded: bool,
    findings: &mut Findings,
) {
    let Some(root) = path.first() else { return };
    let finding = match leaf.scope.find(path) {
        Ok(_) => return header(context, leaf, path, findings),
        Err(Lost::Unknown) if context.locator.is_unread(leaf.owner, &root.name) => return,
        Err(Lost::Unknown) => unknown_name(context, leaf, root),
        Err(Lost::NotHere(why)) if root.name == "secrets" => {
            let span = context.place(leaf, &root.at);
            Diagnostic::error(codes::SECRET_OUTSIDE, span, "a secret is read where it could leak")
                .label(why)
                .help("let `http.auth` or a session operation send it; what they send is masked everywhere")
        }
        Err(Lost::NotHere(why)) => {
            let span = context.place(leaf, &root.at);
            let message = format!("`{}` cannot be read here", root.name);
            Diagnostic::error(codes::NOT_HERE, span, message)
                .label(why)
                .help(format!("known here: {}", listed(leaf.scope.names())))
        }
        Err(Lost::Member(miss)) => {
            if guarded && matches!(leaf.scope.entry(&root.name), Some(Entry::Columns(_))) {
                return;
            }
            if let (Miss::Unknown { at, .. }, false) = (&miss, guarded)
                && let Some(segment) = path.get(*at)
                && context.locator.is_unread(leaf.owner, &segment.name)
            {
                return;
            }
            match lost_member(context, leaf, path, &miss) {
                Some(finding) => finding,
                None => return,
            }
        }
    };
    findings.push(finding);
}

fn unknown_name(context: &Context<'_>, leaf: &Leaf<'_>, root: &Segment) -> Diagnostic {
    let span = context.place(leaf, &root.at);
    let finding = Diagnostic::error(
        codes::UNKNOWN_NAME,
        span,
        format!("there is no `{}` here", root.name),
    );
    match nearest(&root.name, leaf.scope.names()) {
        Some(name) => finding
            .label(not_one_of(leaf.scope.names()))
            .help(format!("did you mean `{name}`?")),
        None => finding.label(not_one_of(leaf.scope.names())).help(format!(
            "where a text is meant, quote it: `'{}'`",
            root.name
        )),
    }
}

fn lost_member(
    context: &Context<'_>,
    leaf: &Leaf<'_>,
    path: &[Segment],
    miss: &Miss,
) -> Option<Diagnostic> {
    let (Miss::Unknown { at, .. } | Miss::NoMembers { at, .. } | Miss::NoList { at, .. }) = miss;
    let segment = path.get(*at)?;
    let span = context.place(leaf, &segment.at);
    let whole = dotted(path.get(..*at)?);
    let finding = match miss {
        Miss::Unknown { members, .. } => {
            let names = || members.iter().map(String::as_str);
            let message = format!("`{whole}` has no `{}`", segment.name);
            let finding =
                Diagnostic::error(codes::UNKNOWN_MEMBER, span, message).label(not_one_of(names()));
            match (nearest(&segment.name, names()), leaf.scope.entry(&path.first()?.name)) {
                (Some(name), _) => finding.help(format!("did you mean `{name}`?")),
                (None, Some(Entry::Columns(_))) => finding.help(format!(
                    "add `{0}` to the fetch's `columns` if every entry has it, or read it as `{whole}.{0} | default(none)`",
                    segment.name
                )),
                (None, _) => finding,
            }
        }
        Miss::NoMembers { types, .. } | Miss::NoList { types, .. } if *types == Types::NONE => {
            Diagnostic::error(
                codes::NO_MEMBERS,
                span,
                format!("nothing fits the schema of `{whole}`"),
            )
        }
        Miss::NoMembers { types, .. } => Diagnostic::error(
            codes::NO_MEMBERS,
            span,
            format!("`{whole}` is {types} and has no members"),
        ),
        Miss::NoList { types, .. } => Diagnostic::error(
            codes::NO_MEMBERS,
            span,
            format!("`{whole}` is {types} and no list"),
        ),
    };
    Some(finding)
}

/// Header fields are kept by their lower-case names.
fn header(context: &Context<'_>, leaf: &Leaf<'_>, path: &[Segment], findings: &mut Findings) {
    let [root, field, ..] = path else { return };
    let lower = field.name.to_lowercase();
    if root.name == "headers" && field.name != lower {
        let span = context.place(leaf, &field.at);
        let message = format!(
            "header fields are known by their lower-case names, and `{}` is not",
            field.name
        );
        findings.push(
            Diagnostic::error(codes::UNKNOWN_MEMBER, span, message)
                .help(format!("write `headers['{lower}']`")),
        );
    }
}

/// A path as people write it.
fn dotted(path: &[Segment]) -> String {
    let mut text = String::new();
    for segment in path {
        if segment.name == crate::schema::EACH {
            text.push_str("[…]");
        } else {
            text.push_str(if text.is_empty() { "" } else { "." });
            text.push_str(&segment.name);
        }
    }
    text
}
