//! Matching tables: read, set, remove.

use super::limit;
use crate::api::bodies::EntryValues;
use crate::api::documents::{Entries, EntrySet};
use crate::api::problem::Problem;
use crate::api::route::{Answer, Ask, Handled};
use crate::operator::view::EntryView;
use crate::operator::{Command, Reply};
use ml_connector_core::identity::CrosswalkId;
use ml_connector_store::CrosswalkEntry;
use serde_json::Value as Document;

pub(in crate::api) fn entries(ask: Ask) -> Handled {
    Box::pin(async move {
        let limit = limit(&ask)?;
        let command = Command::CrosswalkList {
            table: Some(CrosswalkId::new(ask.part("table"))),
            after: ask.one("after").map(str::to_owned),
            limit,
        };
        match ask.execute(command).await {
            Reply::Entries { entries } => {
                let more = entries.len() == limit;
                let last = entries.last().filter(|_| more);
                Answer::of(&Entries {
                    next: last.map(|entry| entry.key.clone()),
                    entries: entries.iter().map(EntryView::of).collect(),
                })
            }
            other => Err(Problem::of(other)),
        }
    })
}

pub(in crate::api) fn entry(ask: Ask) -> Handled {
    Box::pin(async move {
        match ask.execute(present(&ask)).await {
            Reply::Entry { entry: Some(entry) } => Answer::of(&EntryView::of(&entry)),
            Reply::Entry { entry: None } => Err(absent(&ask)),
            other => Err(Problem::of(other)),
        }
    })
}

pub(in crate::api) fn set_entry(ask: Ask) -> Handled {
    Box::pin(async move {
        let EntryValues { values, reason } = ask.body()?;
        if values.is_empty() {
            return Err(Problem::invalid("an entry has at least one value"));
        }
        change(&ask, Document::Object(values), reason).await
    })
}

pub(in crate::api) fn remove_entry(ask: Ask) -> Handled {
    Box::pin(async move {
        let reason = ask.one("reason").unwrap_or_default().to_owned();
        match ask.execute(present(&ask)).await {
            Reply::Entry { entry: Some(_) } => change(&ask, Document::Null, reason).await,
            Reply::Entry { entry: None } => Err(absent(&ask)),
            other => Err(Problem::of(other)),
        }
    })
}

fn present(ask: &Ask) -> Command {
    Command::CrosswalkGet {
        table: CrosswalkId::new(ask.part("table")),
        key: ask.part("key").to_owned(),
    }
}

fn absent(ask: &Ask) -> Problem {
    Problem::not_found(format!(
        "`{}` has no entry for `{}`",
        ask.part("table"),
        ask.part("key")
    ))
}

async fn change(ask: &Ask, values: Document, reason: String) -> Result<Answer, Problem> {
    let command = Command::CrosswalkSet {
        entries: vec![CrosswalkEntry {
            table: CrosswalkId::new(ask.part("table")),
            key: ask.part("key").to_owned(),
            values,
        }],
        act: ask.act(reason),
    };
    match ask.execute(command).await {
        Reply::Set { written, released } => Answer::of(&EntrySet { written, released }),
        other => Err(Problem::of(other)),
    }
}
