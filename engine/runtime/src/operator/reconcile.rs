//! Reconciliation: what a source says that it has done, against what was posted. It reads and writes nothing.
//!
//! What is compared stands in the section `reconcile` of an integration; how lines are compared, in
//! `ml_connector_core::reconcile`. Here questions are asked of systems and tables, and deliveries are looked up.

mod view;

pub use view::{ReconciledLine, ReconciledSum, Reconciliation};

use super::execute::{Operator, Refusal, no_such, refusal};
use super::{RefusedKind, Reply};
use crate::connection::{Asked, Links, NotNow, Read};
use crate::context::Context;
use jiff::{SignedDuration, Timestamp};
use ml_connector_core::delivery::{DeliveryState, Receipt, StateKind, Trouble};
use ml_connector_core::identity::{DedupKey, InstanceId, Reference};
use ml_connector_core::mapping::instances_of;
use ml_connector_core::plan::Instance;
use ml_connector_core::reconcile::{
    Answers, Expected, Named, Posting, Question, Reconciling, Standing, Statement, Turn, assign,
    compare,
};
use ml_connector_store::{Delivery, Selection};
use serde::{Deserialize, Serialize};
use serde_json::Value as Document;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use view::Compared;

/// Lines of one reconciliation at most: each is looked for in the target.
const LINES_MAX: usize = 50_000;
/// Deliveries read at once while they are looked through.
const PAGE: usize = 1000;

/// What is reconciled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// One statement of the source, by its id.
    Statement(String),
    /// Every statement of a time.
    Time {
        /// From.
        since: Timestamp,
        /// Before; nothing means now.
        until: Option<Timestamp>,
    },
}

/// A statement on its way.
struct Sheet<'a> {
    id: String,
    statement: Statement<'a>,
    answers: Answers,
}

/// A line on its way: the number of its statement, and what the source says.
struct Item {
    sheet: usize,
    expected: Expected,
}

/// What reconciling takes.
struct Bench<'a> {
    context: &'a Context,
    links: &'a Links,
    instance: &'a Instance,
    reconciling: Reconciling<'a>,
}

impl Operator<'_> {
    /// Compares statements with what was posted.
    pub(super) async fn reconcile(
        &self,
        integration: Option<&InstanceId>,
        period: &Period,
    ) -> Result<Reply, Refusal> {
        let (context, links) = self.bench()?;
        let instance = reconciled(&context, integration)?;
        let Some(reconciling) = Reconciling::new(&instance) else {
            return Err(nothing_to_reconcile(&context, instance.id.as_str()));
        };
        let bench = Bench {
            context: &context,
            links: &links,
            instance: &instance,
            reconciling,
        };
        let mut sheets = bench.sheets(period).await?;
        let items = items(&sheets)?;
        let deliveries = bench.deliveries(&items).await?;
        let mut lines = Vec::with_capacity(items.len());
        for (item, posted) in items.iter().zip(&deliveries) {
            let Some(sheet) = sheets.get_mut(item.sheet) else {
                continue;
            };
            let standing = bench.standing(sheet, item, posted.as_ref()).await?;
            for line in compare(&item.expected, standing) {
                lines.push(Compared {
                    sheet: item.sheet,
                    expected: &item.expected,
                    line,
                    delivery: posted.as_ref(),
                });
            }
        }
        let statements = sheets.into_iter().map(|sheet| sheet.id).collect();
        let reconciliation = Reconciliation::of(&instance.id, self.clock.now(), statements, &lines);
        Ok(Reply::Reconciled(Box::new(reconciliation)))
    }
}

/// The instance that is reconciled: the one named, or the only one there is.
fn reconciled(
    context: &Context,
    integration: Option<&InstanceId>,
) -> Result<Arc<Instance>, Refusal> {
    let instances = &context.plan.instances;
    if let Some(name) = integration {
        let found = instances.get(name).cloned();
        return found.ok_or_else(|| {
            no_such(
                format!("there is no integration `{name}`"),
                "see `ml-connector status`",
            )
        });
    }
    let mut able = instances
        .values()
        .filter(|one| one.integration.reconcile.is_some());
    match (able.next(), able.next()) {
        (Some(only), None) => Ok(Arc::clone(only)),
        (None, _) => Err(nothing_to_reconcile(context, "the site")),
        (Some(_), Some(_)) => Err(Refusal {
            kind: RefusedKind::Invalid,
            ..refusal(
                "several integrations can be reconciled".to_owned(),
                &format!("name one of {}", names(context)),
            )
        }),
    }
}

fn names(context: &Context) -> String {
    let able = context.plan.instances.values();
    let names = able
        .filter(|one| one.integration.reconcile.is_some())
        .map(|one| format!("`{}`", one.id));
    names.collect::<Vec<_>>().join(", ")
}

fn nothing_to_reconcile(context: &Context, what: &str) -> Refusal {
    let able = names(context);
    let help = if able.is_empty() {
        "an integration says under `reconcile` what is compared".to_owned()
    } else {
        format!("these say what is compared: {able}")
    };
    Refusal {
        kind: RefusedKind::Invalid,
        ..refusal(format!("nothing is to be reconciled in `{what}`"), &help)
    }
}

/// Every line of every statement.
fn items(sheets: &[Sheet<'_>]) -> Result<Vec<Item>, Refusal> {
    let mut items = Vec::new();
    for (number, sheet) in sheets.iter().enumerate() {
        let lines = sheet
            .statement
            .lines()
            .map_err(|trouble| told(&sheet.id, &trouble))?;
        items.extend(lines.into_iter().map(|expected| Item {
            sheet: number,
            expected,
        }));
        if items.len() > LINES_MAX {
            return Err(refusal(
                format!("there are more than {LINES_MAX} lines"),
                "choose a shorter time",
            ));
        }
    }
    Ok(items)
}

impl<'a> Bench<'a> {
    /// The statements, with everything that is read for each.
    async fn sheets(&self, period: &Period) -> Result<Vec<Sheet<'a>>, Refusal> {
        let unread = |trouble: Trouble| told(self.instance.id.as_str(), &trouble);
        let statements = match period {
            Period::Statement(id) => {
                let question = self.reconciling.one(id).map_err(unread)?;
                let one = self.ask(&question).await?;
                if one.is_null() {
                    let help = "give the id as the source has it";
                    return Err(no_such(format!("the source has no `{id}`"), help));
                }
                vec![one]
            }
            Period::Time { since, until } => {
                let question = self.reconciling.period(*since, *until).map_err(unread)?;
                let list = self.ask(&question).await?;
                list.as_array().cloned().unwrap_or_default()
            }
        };
        let mut sheets = Vec::with_capacity(statements.len());
        for statement in statements {
            let id = self.reconciling.id(&statement).map_err(unread)?;
            let wanted = self.reconciling.wants(&statement);
            if wanted.map_err(|trouble| told(&id, &trouble))? {
                sheets.push(self.sheet(id, &statement).await?);
            } else if matches!(period, Period::Statement(_)) {
                let help = "what is reconciled stands under `reconcile.when` in the integration";
                return Err(refusal(
                    format!("`{id}` is not reconciled as it stands"),
                    help,
                ));
            }
        }
        Ok(sheets)
    }

    async fn sheet(&self, id: String, statement: &Document) -> Result<Sheet<'a>, Refusal> {
        let mut answers = Answers::default();
        loop {
            match self.reconciling.statement(statement, &answers) {
                Ok(Turn::Done(statement)) => {
                    return Ok(Sheet {
                        id,
                        statement,
                        answers: Answers::default(),
                    });
                }
                Ok(Turn::Ask { question, .. }) => {
                    let answer = self.ask(&question).await?;
                    answers.add(&question, answer);
                }
                Err(trouble) => return Err(told(&id, &trouble)),
            }
        }
    }

    /// The delivery that posts each line, if there is one.
    async fn deliveries(&self, items: &[Item]) -> Result<Vec<Option<Delivery>>, Refusal> {
        let ordered = self.by_order(items).await?;
        let mut about: BTreeMap<(&str, &Named), Vec<usize>> = BTreeMap::new();
        for (number, item) in items.iter().enumerate() {
            let expected = &item.expected;
            let same = about.entry((expected.kind.as_str(), &expected.by));
            same.or_default().push(number);
        }
        let mut posted: Vec<Option<Delivery>> = vec![None; items.len()];
        for ((_, by), numbers) in about {
            let Some(first) = numbers.first().and_then(|number| items.get(*number)) else {
                continue;
            };
            let expected = &first.expected;
            let instances = instances_of(&self.context.plan, self.instance, &expected.integration);
            let mut candidates = Vec::new();
            for instance in instances {
                candidates.extend(match by {
                    Named::OrderKeys(keys) => keys
                        .iter()
                        .filter_map(|key| ordered.get(&(instance.clone(), key.clone())))
                        .flatten()
                        .cloned()
                        .collect(),
                    Named::DedupKey(key) => {
                        let key = DedupKey::new(key);
                        let found = self.context.store.delivery_by_key(&instance, &key);
                        found.await?.into_iter().collect::<Vec<_>>()
                    }
                    Named::Reference(reference) => {
                        let reference = Reference::new(reference);
                        let found = self
                            .context
                            .store
                            .delivery_by_reference(&instance, &reference);
                        found.await?.into_iter().collect()
                    }
                });
            }
            let dates = numbers.iter().filter_map(|number| items.get(*number));
            let dates: Vec<Timestamp> = dates.map(|item| item.expected.at).collect();
            let standing = candidates.iter();
            let standing: Vec<_> = standing.map(|one| (rank(one), one.created_at)).collect();
            for (number, chosen) in numbers.iter().zip(assign(&dates, &standing)) {
                let chosen = chosen.and_then(|at| candidates.get(at));
                let chosen = match chosen {
                    Some(delivery) => Some(self.whole(delivery).await?),
                    None => None,
                };
                if let Some(place) = posted.get_mut(*number) {
                    *place = chosen;
                }
            }
        }
        Ok(posted)
    }

    /// What is part of another delivery is posted by that one.
    async fn whole(&self, delivery: &Delivery) -> Result<Delivery, Refusal> {
        if let DeliveryState::Joined { into } = &delivery.state
            && let Some(whole) = self.context.store.delivery_get(*into).await?
        {
            return Ok(whole);
        }
        Ok(delivery.clone())
    }

    /// The deliveries of the time that have one of the order keys that lines name.
    async fn by_order(
        &self,
        items: &[Item],
    ) -> Result<HashMap<(InstanceId, String), Vec<Delivery>>, Refusal> {
        let mut wanted: HashSet<(InstanceId, &str)> = HashSet::new();
        let mut instances: HashMap<&str, Vec<InstanceId>> = HashMap::new();
        let mut earliest: Option<Timestamp> = None;
        for item in items {
            let expected = &item.expected;
            let Named::OrderKeys(keys) = &expected.by else {
                continue;
            };
            let integration = &expected.integration;
            let of = instances
                .entry(integration.as_str())
                .or_insert_with(|| instances_of(&self.context.plan, self.instance, integration));
            for instance in of.iter() {
                wanted.extend(keys.iter().map(|key| (instance.clone(), key.as_str())));
            }
            earliest = Some(earliest.map_or(expected.at, |at| at.min(expected.at)));
        }
        let mut found: HashMap<(InstanceId, String), Vec<Delivery>> = HashMap::new();
        let Some(earliest) = earliest.filter(|_| !wanted.is_empty()) else {
            return Ok(found);
        };
        let reach =
            SignedDuration::try_from(self.reconciling.reach()).unwrap_or(SignedDuration::MAX);
        let mut selection = Selection {
            instances: instances.into_values().flatten().collect(),
            since: earliest.checked_sub(reach).ok(),
            limit: PAGE,
            ..Selection::default()
        };
        loop {
            let page = self.context.store.delivery_list(&selection).await?;
            let more = page.len() == PAGE;
            selection.after = page.last().map(|delivery| delivery.id);
            for delivery in page {
                let Some(key) = &delivery.order_key else {
                    continue;
                };
                if wanted.contains(&(delivery.instance.clone(), key.as_str())) {
                    let key = (delivery.instance.clone(), key.to_string());
                    found.entry(key).or_default().push(delivery);
                }
            }
            if !more {
                return Ok(found);
            }
        }
    }

    /// How far the delivery is that posts a line, and what stands in the target for it.
    async fn standing(
        &self,
        sheet: &mut Sheet<'_>,
        item: &Item,
        delivery: Option<&Delivery>,
    ) -> Result<Standing, Refusal> {
        let expected = &item.expected;
        let Some(delivery) = delivery else {
            let integration = &expected.integration;
            let runs = !instances_of(&self.context.plan, self.instance, integration).is_empty();
            return Ok(Standing::Nothing(if runs {
                format!("`{integration}` has had no event of it")
            } else {
                format!("the site does not run `{integration}` between these connections")
            }));
        };
        let receipt = match &delivery.state {
            DeliveryState::Delivered { receipt } => receipt,
            DeliveryState::Skipped { reason } => {
                return Ok(Standing::Nothing(format!("it was skipped: {reason}")));
            }
            DeliveryState::Discarded { reason } => {
                return Ok(Standing::Nothing(format!("it was discarded: {reason}")));
            }
            DeliveryState::Held(hold) => {
                let doubt = if hold.in_doubt { "in doubt" } else { "held" };
                let (class, why) = (hold.class.as_str(), &hold.why);
                return Ok(Standing::Open(format!("it is {doubt}: {class}: {why}")));
            }
            DeliveryState::Uncertain { why, .. } => {
                return Ok(Standing::Open(format!("it is uncertain: {why}")));
            }
            DeliveryState::Pending { .. }
            | DeliveryState::InFlight { .. }
            | DeliveryState::Joined { .. } => {
                return Ok(Standing::Open("it has not been sent yet".to_owned()));
            }
        };
        let mut found = Vec::new();
        for posting in postings(delivery, receipt) {
            loop {
                match sheet.statement.found(expected, &posting, &sheet.answers) {
                    Ok(Turn::Done(documents)) => {
                        found.extend(documents);
                        break;
                    }
                    Ok(Turn::Ask { question, .. }) => {
                        let answer = self.ask(&question).await?;
                        sheet.answers.add(&question, answer);
                    }
                    // Of this one line nothing can be said; the others can be compared.
                    Err(trouble) => {
                        let why = format!("it cannot be looked for: {}", words(&trouble));
                        return Ok(Standing::Open(why));
                    }
                }
            }
        }
        Ok(Standing::Posted(found))
    }

    /// What a question gives; null for what is not there.
    async fn ask(&self, question: &Question) -> Result<Document, Refusal> {
        let (connection, operation, input) = match question {
            Question::Crosswalk { table, key } => {
                let values = self.context.store.crosswalk_get(table, key).await?;
                return Ok(values.unwrap_or_default());
            }
            Question::Read {
                connection,
                operation,
                input,
            } => (connection, operation, input),
        };
        let unread = |why: &str| Refusal {
            kind: RefusedKind::Failed,
            ..refusal(
                format!("cannot read `{operation}` of `{connection}`: {why}"),
                "see `ml-connector status`, and ask again when the system answers",
            )
        };
        let link = self.links.get(connection);
        let link = link.ok_or_else(|| unread("the site has no such connection"))?;
        let declared = link.plan().connector.operations.get(operation);
        let declared = declared.ok_or_else(|| unread("there is no such operation"))?;
        match link.read(declared, Asked::with(input)).await {
            Ok(Read::Found(result)) => Ok(result),
            Ok(Read::NotFound(_)) => Ok(Document::Null),
            Err(NotNow::Closed) => Err(unread("the connection is paused or in trouble")),
            Err(NotNow::Trouble(trouble)) => Err(unread(words(&trouble))),
        }
    }
}

/// What has posted something comes first, then what may have, then what has not.
const fn rank(delivery: &Delivery) -> u8 {
    match delivery.state.kind() {
        StateKind::Delivered | StateKind::Joined => 0,
        StateKind::Uncertain | StateKind::InFlight | StateKind::Pending | StateKind::Held => 1,
        StateKind::Skipped | StateKind::Discarded => 2,
    }
}

/// What a delivery posted: once, or as often as a person had it posted again, each time under a reference of its own.
fn postings(delivery: &Delivery, receipt: &Receipt) -> Vec<Posting> {
    let again = delivery.progress.again;
    let latest = delivery.reference.as_ref().map(ToString::to_string);
    let posting = |reference: Option<String>| Posting {
        id: delivery.id.to_string(),
        event_id: delivery.event_id.clone(),
        dedup_key: delivery.dedup_key.to_string(),
        order_key: delivery.order_key.as_ref().map(ToString::to_string),
        reference,
        receipt: receipt.clone(),
    };
    let mark = |number: u32| format!("-{}", number.saturating_add(1));
    let first = latest
        .as_ref()
        .and_then(|latest| latest.strip_suffix(&mark(again)));
    let Some(first) = first.filter(|_| again > 0) else {
        return vec![posting(latest)];
    };
    let further = (1..=again).map(|number| Some(format!("{first}{}", mark(number))));
    let all = std::iter::once(Some(first.to_owned())).chain(further);
    all.map(posting).collect()
}

fn words(trouble: &Trouble) -> &str {
    match trouble {
        Trouble::Passing { why, .. } | Trouble::Lasting { why, .. } => why,
    }
}

/// The definition does not work out for a statement.
fn told(what: &str, trouble: &Trouble) -> Refusal {
    refusal(
        format!("`{what}` cannot be reconciled: {}", words(trouble)),
        "correct the integration's section `reconcile`",
    )
}
