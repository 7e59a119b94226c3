//! JSONPaths into payloads whose schema is known: where an event's id stands, and what a poll's cursor follows.

use super::super::Context;
use super::super::nearest::{nearest, not_one_of};
use crate::codes;
use crate::diagnostic::{Diagnostic, Findings};
use crate::plan::{EventId, TriggerKind};
use crate::schema::{Miss, Schema};
use crate::template::Path;
use crate::yaml;

pub(super) fn rule(context: &Context<'_>, findings: &mut Findings) {
    for connector in context.library.connectors.values() {
        for trigger in connector.triggers.values() {
            let schema = Schema::of(trigger.item.as_ref().unwrap_or(&trigger.schema));
            if let EventId::At(paths) = &trigger.id {
                for one in paths {
                    path(context, one, &schema, findings);
                }
            }
            if let TriggerKind::Poll(poll) = &trigger.kind
                && let Some(cursor) = &poll.cursor
            {
                path(context, &cursor.value, &schema, findings);
            }
        }
    }
}

fn path(context: &Context<'_>, path: &Path, schema: &Schema<'_>, findings: &mut Findings) {
    let (Some(span), Some(members)) = (path.span(), members(path.source())) else {
        return;
    };
    let names: Vec<&str> = members.iter().map(|(_, name)| *name).collect();
    let Err(miss) = schema.find(&names) else {
        return;
    };
    let (Miss::Unknown { at, .. } | Miss::NoMembers { at, .. } | Miss::NoList { at, .. }) = miss;
    let Some((offset, name)) = members.get(at) else {
        return;
    };
    let span = yaml::place(
        context.locator.sources(),
        span,
        path.source(),
        *offset,
        name.len(),
    );
    findings.push(match &miss {
        Miss::Unknown { members, .. } => {
            let known = || members.iter().map(String::as_str);
            let finding = Diagnostic::error(
                codes::UNKNOWN_MEMBER,
                span,
                format!("an event has no `{name}` here"),
            )
            .label(not_one_of(known()));
            match nearest(name, known()) {
                Some(near) => finding.help(format!("did you mean `{near}`?")),
                None => finding,
            }
        }
        Miss::NoMembers { types, .. } | Miss::NoList { types, .. } => Diagnostic::error(
            codes::NO_MEMBERS,
            span,
            format!("this is {types} and has no members"),
        ),
    });
}

/// The members of a path that is nothing but members, with their offsets: `$.links.payment`.
fn members(source: &str) -> Option<Vec<(usize, &str)>> {
    let rest = source.trim_end().strip_prefix('$')?;
    let mut offset = source.len() - source.trim_start().len() + 1;
    let mut members = Vec::new();
    for name in rest.strip_prefix('.')?.split('.') {
        offset += 1;
        let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        if !plain {
            return None;
        }
        members.push((offset, name));
        offset += name.len();
    }
    Some(members)
}

#[cfg(test)]
mod tests {
    use super::members;

    #[test]
    fn only_plain_members_are_followed() {
        assert_eq!(
            members("$.links.payment"),
            Some(vec![(2, "links"), (8, "payment")])
        );
        for other in ["$", "$.rows[*]", "$..id", "$['id']", "id"] {
            assert_eq!(members(other), None, "{other}");
        }
    }
}
