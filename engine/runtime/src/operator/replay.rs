//! Replay: a plan first, then that plan and no other.
//!
//! A plan takes stored events through the present definitions, compares what would be written with what was, and writes
//! nothing. Applying it tries again what was never posted. What was posted is never posted again by a plan: that needs a
//! person who forces that one record, with a reason (see [`Operator::replay_one`] and `docs/adr/0012`).
//!
//! A plan states what it was made of: the definitions' hash and every record's revision. If any of them has moved, nothing
//! is done and a new plan is wanted. Its hash only finds damage; what protects the books are these checks, and
//! `delivery::step`.

use super::execute::{Operator, Refusal, check, no_such, refusal};
use super::{Act, RefusedKind, Reply, Resolved};
use crate::connection::Links;
use crate::context::Context;
use crate::deliver::{Foreseen, Job};
use crate::settle::NotRecorded;
use jiff::Timestamp;
use ml_connector_core::cases::differences;
use ml_connector_core::delivery::{Decision, DeliveryState, StateKind};
use ml_connector_core::hex;
use ml_connector_core::identity::DeliveryId;
use ml_connector_core::protocol::readable;
use ml_connector_store::{AuditRecord, Delivery, Exchange, Selection};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Document;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Records of one plan at most: each is prepared, with real reads.
const RECORDS_MAX: usize = 1000;
/// Differences shown of one record at most.
const DIFFERENCES_MAX: usize = 50;
/// The form of plans.
const VERSION: u32 = 1;
/// Stands at the end of a capture that was cut.
const CUT: &str = " bytes)";

/// What a replay would do, record by record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReplayPlan {
    /// Version of this document's form.
    pub version: u32,
    /// Names the plan.
    pub id: String,
    /// SHA-256 of the plan without `id` and `hash`, hex.
    pub hash: String,
    /// When it was made.
    #[schemars(with = "String")]
    pub made_at: Timestamp,
    /// Hash of the definitions it was made with, hex.
    pub definitions: String,
    /// How many records there are of each sort.
    pub sorts: BTreeMap<String, u64>,
    /// The records, by delivery.
    pub records: Vec<ReplayRecord>,
}

/// One record of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReplayRecord {
    /// Which delivery.
    pub delivery: String,
    /// The revision it was looked at.
    pub revision: u32,
    /// Its state then.
    pub state: String,
    /// Its integration, as the site names it.
    pub integration: String,
    /// Its event's id in the source.
    pub event_id: String,
    /// Our reference, if it was ever sent.
    pub reference: Option<String>,
    /// Where it stands.
    pub sort: ReplaySort,
    /// What would happen under the present definitions.
    pub now: ReplayNow,
    /// What would be written differently than it was, field by field; masked values are not compared.
    pub differences: Vec<ReplayDifference>,
    /// What else there is to know.
    pub remark: Option<String>,
}

/// The sorts of records.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ReplaySort {
    /// Posted, and would be written the same way.
    Unchanged,
    /// Posted, and would be written differently now.
    WouldDiffer,
    /// Posted; how it would be written now cannot be compared.
    AlreadyPosted,
    /// Never posted: this is what applying the plan tries again.
    NeverPosted,
    /// Nobody knows whether the target has it, or it is under way.
    InDoubt,
}

impl ReplaySort {
    /// All, in the order they are listed.
    pub const ALL: [Self; 5] = [
        Self::Unchanged,
        Self::WouldDiffer,
        Self::AlreadyPosted,
        Self::NeverPosted,
        Self::InDoubt,
    ];

    /// The word used in output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::WouldDiffer => "would_differ",
            Self::AlreadyPosted => "already_posted",
            Self::NeverPosted => "never_posted",
            Self::InDoubt => "in_doubt",
        }
    }
}

/// What would happen to a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "would", rename_all = "snake_case")]
pub enum ReplayNow {
    /// It would be written.
    Write {
        /// Method and URL, masked.
        request: String,
        /// Body, masked.
        body: String,
    },
    /// It would be skipped.
    Skip {
        /// In the integration's words.
        reason: String,
    },
    /// It would be held.
    Hold {
        /// What kind of trouble.
        class: String,
        /// What is wrong.
        why: String,
    },
    /// It cannot be told at the moment.
    Unknown {
        /// Why.
        why: String,
    },
}

/// One field that would be written differently.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReplayDifference {
    /// Dotted path in the request.
    pub path: String,
    /// What was written; null if nothing was.
    pub was: Option<Document>,
    /// What would be written; null if nothing would be.
    pub would_be: Option<Document>,
}

impl ReplayPlan {
    /// The hash the plan should have.
    fn proper_hash(&self) -> String {
        let bare = Self {
            id: String::new(),
            hash: String::new(),
            ..self.clone()
        };
        // A document that was read can be written.
        let text = serde_json::to_vec(&bare).unwrap_or_default();
        hex::of(&Sha256::digest(&text))
    }

    /// Whether it is as it was made.
    pub fn is_whole(&self) -> bool {
        self.version == VERSION && self.hash == self.proper_hash()
    }
}

impl Operator<'_> {
    /// Makes a plan for every delivery that is selected.
    pub(super) async fn replay_plan(&self, selection: Selection) -> Result<Reply, Refusal> {
        let (context, links) = self.bench()?;
        let selection = Selection {
            after: None,
            limit: RECORDS_MAX + 1,
            ..selection
        };
        let deliveries = self.store.delivery_list(&selection).await?;
        if deliveries.len() > RECORDS_MAX {
            return Err(refusal(
                format!("more than {RECORDS_MAX} deliveries are selected"),
                "select fewer, e.g. by a shorter time, and make several plans",
            ));
        }
        let mut records = Vec::with_capacity(deliveries.len());
        // What is part of another delivery is replayed with that one.
        let whole = |delivery: &&Delivery| delivery.state.kind() != StateKind::Joined;
        for delivery in deliveries.iter().filter(whole) {
            records.push(self.replay_record(&context, &links, delivery).await?);
        }
        let mut sorts: BTreeMap<String, u64> = BTreeMap::new();
        for sort in ReplaySort::ALL {
            sorts.insert(sort.as_str().to_owned(), 0);
        }
        for record in &records {
            *sorts.entry(record.sort.as_str().to_owned()).or_default() += 1;
        }
        let mut plan = ReplayPlan {
            version: VERSION,
            id: String::new(),
            hash: String::new(),
            made_at: self.clock.now(),
            definitions: hex::of(&context.plan.hash),
            sorts,
            records,
        };
        plan.hash = plan.proper_hash();
        plan.id = format!("rpl_{}", plan.hash.get(..12).unwrap_or_default());
        Ok(Reply::ReplayPlan {
            plan: Box::new(plan),
        })
    }

    async fn replay_record(
        &self,
        context: &Arc<Context>,
        links: &Arc<Links>,
        delivery: &Delivery,
    ) -> Result<ReplayRecord, Refusal> {
        let history = self.store.delivery_history(delivery.id).await?;
        let foreseen = match links.get(&delivery.lane) {
            Some(lane) => {
                let (context, links) = (Arc::clone(context), Arc::clone(links));
                let job = Job::new(context, links, Arc::clone(lane), delivery.clone());
                job.foresee().await.map_err(failed)?
            }
            None => Foreseen::Unknown {
                why: format!("there is no connection `{}`", delivery.lane),
            },
        };
        let standing = standing(delivery);
        let mut record = ReplayRecord {
            delivery: delivery.id.to_string(),
            revision: delivery.revision,
            state: delivery.state.kind().as_str().to_owned(),
            integration: delivery.instance.to_string(),
            event_id: delivery.event_id.clone(),
            reference: delivery.reference.as_ref().map(ToString::to_string),
            sort: standing,
            now: now(&foreseen),
            differences: Vec::new(),
            remark: None,
        };
        compare(&mut record, last_sent(&history, &foreseen), &foreseen);
        Ok(record)
    }

    /// Tries again what a plan says was never posted and would be written now; nothing else.
    pub(super) async fn replay_apply(
        &self,
        plan: &ReplayPlan,
        act: &Act,
    ) -> Result<Reply, Refusal> {
        check(act)?;
        let invalid = |error: &str| Refusal {
            kind: RefusedKind::Invalid,
            ..refusal(error.to_owned(), "make a new plan")
        };
        if !plan.is_whole() {
            return Err(invalid("this is not a plan as it was made"));
        }
        let (context, _) = self.bench()?;
        if plan.definitions != hex::of(&context.plan.hash) {
            return Err(refusal(
                "the definitions have changed since the plan was made".to_owned(),
                "make a new plan",
            ));
        }
        let mut due: Vec<(DeliveryId, u32, Decision)> = Vec::new();
        let mut moved: Vec<String> = Vec::new();
        for record in &plan.records {
            let id: DeliveryId = record
                .delivery
                .parse()
                .map_err(|_| invalid("it names something that is no delivery"))?;
            let present = self.store.delivery_get(id).await?;
            let Some(present) = present.filter(|now| now.revision == record.revision) else {
                moved.push(record.delivery.clone());
                continue;
            };
            // What the plan says is believed only if it is still so.
            let open = standing(&present) == ReplaySort::NeverPosted;
            if open && matches!(record.now, ReplayNow::Write { .. }) {
                due.push((id, record.revision, again(&present.state)));
            }
        }
        if !moved.is_empty() {
            let some: Vec<String> = moved.iter().take(5).cloned().collect();
            return Err(refusal(
                format!(
                    "{} of the plan's deliveries have moved since: {}{}",
                    moved.len(),
                    some.join(", "),
                    if moved.len() > some.len() {
                        ", …"
                    } else {
                        ""
                    }
                ),
                "make a new plan; nothing was done",
            ));
        }
        let act = Act {
            actor: act.actor.clone(),
            reason: format!("{} (replay plan {})", act.reason, plan.id),
        };
        let mut results = Vec::with_capacity(due.len());
        for (id, revision, decision) in due {
            results.push(self.resolve_at(id, Some(revision), &decision, &act).await);
        }
        self.wake();
        Ok(Reply::Resolved { results })
    }

    /// Replays one record. With `force`, one that was posted is posted again, under another reference and key.
    pub(super) async fn replay_one(
        &self,
        id: DeliveryId,
        force: bool,
        act: &Act,
    ) -> Result<Reply, Refusal> {
        check(act)?;
        let Some(delivery) = self.store.delivery_get(id).await? else {
            return Err(no_such(format!("there is no {id}"), ""));
        };
        if let DeliveryState::Joined { into } = &delivery.state {
            return Err(refusal(
                format!("{id} is part of {into}"),
                "replay that one",
            ));
        }
        let sort = standing(&delivery);
        let decision = match (sort, force) {
            (ReplaySort::NeverPosted, false) => again(&delivery.state),
            (ReplaySort::NeverPosted, true) => {
                return Err(refusal(
                    format!("{id} was never posted, so there is nothing to force"),
                    "replay it without force",
                ));
            }
            (ReplaySort::InDoubt, _) if delivery.state.kind() != StateKind::Discarded => {
                return Err(refusal(
                    format!("nobody knows whether the target has {id}"),
                    "look there, then resolve it as posted or as not posted",
                ));
            }
            (_, false) => {
                return Err(refusal(
                    format!("{id} was posted, or may have been"),
                    "force it only if it shall stand in the target a second time; see the differences with a plan",
                ));
            }
            (_, true) => Decision::PostAgain,
        };
        let resolved: Resolved = self
            .resolve_at(id, Some(delivery.revision), &decision, act)
            .await;
        self.wake();
        Ok(Reply::Resolved {
            results: vec![resolved],
        })
    }
}

fn failed(error: NotRecorded) -> Refusal {
    match error {
        NotRecorded::Store(error) => error.into(),
        NotRecorded::Refused(refused) => refusal(refused.to_string(), ""),
    }
}

/// Where a delivery stands as to the target.
fn standing(delivery: &Delivery) -> ReplaySort {
    let maybe_sent = delivery.progress.maybe_sent;
    match &delivery.state {
        DeliveryState::Delivered { .. } | DeliveryState::Joined { .. } => ReplaySort::AlreadyPosted,
        DeliveryState::Uncertain { .. } | DeliveryState::InFlight { .. } => ReplaySort::InDoubt,
        DeliveryState::Held(hold) if hold.in_doubt => ReplaySort::InDoubt,
        DeliveryState::Pending { .. }
        | DeliveryState::Held(_)
        | DeliveryState::Skipped { .. }
        | DeliveryState::Discarded { .. }
            if maybe_sent =>
        {
            ReplaySort::InDoubt
        }
        DeliveryState::Pending { .. }
        | DeliveryState::Held(_)
        | DeliveryState::Skipped { .. }
        | DeliveryState::Discarded { .. } => ReplaySort::NeverPosted,
    }
}

/// What takes a delivery up again that was never posted.
const fn again(state: &DeliveryState) -> Decision {
    match state {
        DeliveryState::Skipped { .. } | DeliveryState::Discarded { .. } => Decision::Reopen,
        DeliveryState::Pending { .. }
        | DeliveryState::InFlight { .. }
        | DeliveryState::Uncertain { .. }
        | DeliveryState::Held(_)
        | DeliveryState::Delivered { .. }
        | DeliveryState::Joined { .. } => Decision::Retry,
    }
}

fn now(foreseen: &Foreseen) -> ReplayNow {
    match foreseen {
        Foreseen::Write(exchange) => ReplayNow::Write {
            request: exchange.request.clone(),
            body: exchange.request_body.clone(),
        },
        Foreseen::Skip { reason } => ReplayNow::Skip {
            reason: reason.clone(),
        },
        Foreseen::Hold { class, why } => ReplayNow::Hold {
            class: (*class).to_owned(),
            why: why.clone(),
        },
        Foreseen::Unknown { why } => ReplayNow::Unknown { why: why.clone() },
    }
}

/// The newest request that was claimed for the operation that would be called now.
fn last_sent(history: &[AuditRecord], foreseen: &Foreseen) -> Option<Exchange> {
    let operation = match foreseen {
        Foreseen::Write(exchange) => Some(exchange.operation.as_str()),
        Foreseen::Skip { .. } | Foreseen::Hold { .. } | Foreseen::Unknown { .. } => None,
    };
    history.iter().rev().find_map(|record| {
        let event = record.content.get("event")?.get("event")?.as_str()?;
        let exchange = record.content.get("exchange")?;
        let exchange: Exchange = serde_json::from_value(exchange.clone()).ok()?;
        let fits = operation.is_none_or(|operation| operation == exchange.operation);
        (event == "claimed" && fits).then_some(exchange)
    })
}

/// Adds the field differences, and sorts what was posted by them.
fn compare(record: &mut ReplayRecord, sent: Option<Exchange>, foreseen: &Foreseen) {
    let posted = record.sort == ReplaySort::AlreadyPosted;
    let Foreseen::Write(would) = foreseen else {
        if posted {
            record.remark = Some("it would not be written now".to_owned());
        }
        return;
    };
    let Some(sent) = sent else {
        if posted {
            record.remark = Some("nothing that was sent is kept to compare with".to_owned());
        }
        return;
    };
    let was = readable(&sent.request, &sent.request_body);
    let would_be = readable(&would.request, &would.request_body);
    let found = differences("", &was, &would_be);
    let cut = |exchange: &Exchange| {
        exchange.request.ends_with(CUT) || exchange.request_body.ends_with(CUT)
    };
    if found.is_empty() && (cut(&sent) || cut(would)) {
        if posted {
            record.remark = Some(
                "it is too long to be kept whole; as far as it is kept it is the same".to_owned(),
            );
        }
        return;
    }
    if posted {
        record.sort = if found.is_empty() {
            ReplaySort::Unchanged
        } else {
            ReplaySort::WouldDiffer
        };
    }
    if found.len() > DIFFERENCES_MAX {
        record.remark = Some(format!(
            "{} fields differ; these are the first",
            found.len()
        ));
    }
    let shown = found.into_iter().take(DIFFERENCES_MAX);
    record.differences = shown
        .map(|one| ReplayDifference {
            path: one.path.trim_start_matches('.').to_owned(),
            was: one.expected,
            would_be: one.actual,
        })
        .collect();
}
