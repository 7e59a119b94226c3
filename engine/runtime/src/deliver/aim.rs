//! What exactly is called: the operation of the mapping's sink, or the step of it that is due.

use crate::connection::Link;
use crate::settle::NotRecorded;
use ml_connector_core::delivery::{Class, Content, Part, Policy, RepeatSafety, StateKind, Trouble};
use ml_connector_core::identity::{DedupKey, InstanceId, Reference};
use ml_connector_core::mapping::{self, Prepared};
use ml_connector_core::plan::{Instance, Operation, Repeat, Step, Variant};
use ml_connector_core::protocol::{self, Call, EncodeError};
use ml_connector_store::Delivery;
use serde_json::Value as Document;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The settle time assumed when the connection's own cannot be evaluated: long is safe.
const SETTLE: Duration = Duration::from_secs(600);

/// A write that is prepared.
#[derive(Debug)]
pub(super) struct Aim {
    pub(super) link: Arc<Link>,
    pub(super) operation: Arc<Operation>,
    input: Document,
    pub(super) reference: Option<Reference>,
    key: Option<String>,
    results: BTreeMap<String, Document>,
    instance: InstanceId,
    dedup_key: DedupKey,
}

/// The one request that is due of it.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) operation: Arc<Operation>,
    input: Document,
    key: Option<String>,
    /// What it is, by name; the claim keeps that.
    pub(super) part: Part,
    /// Whether it is a sequence's last step.
    pub(super) last: bool,
}

/// What a look-up of a request would ask, and what that says about the request.
#[derive(Debug)]
pub(super) struct Asking {
    /// The look-up's input, where there is a look-up and its input can be made.
    pub(super) input: Option<Result<Document, EncodeError>>,
    /// What identifies the request for a later look-up or repetition: the operation, its key, and
    /// what the look-up would ask for. Where there is no look-up, the operation's input stands for
    /// it.
    pub(super) fingerprint: String,
}

/// Why there is no target.
#[derive(Debug)]
pub(super) enum NoTarget {
    Trouble(Trouble),
    Encode(EncodeError),
}

impl From<EncodeError> for NoTarget {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

/// What a task that moves a delivery returns.
pub(super) type Turned = Result<super::Done, NotRecorded>;

impl Aim {
    /// What the target may have, or has parts of, is under the reference that was claimed, whatever
    /// the definitions say now.
    pub(super) fn new(
        link: &Arc<Link>,
        delivery: &Delivery,
        prepared: Prepared,
    ) -> Result<Self, Trouble> {
        let operation = link.plan().connector.operations.get(&prepared.operation);
        let Some(operation) = operation.filter(|operation| operation.write().is_some()) else {
            return Err(configuration(format!(
                "`{}` has no write operation `{}`",
                link.id(),
                prepared.operation
            )));
        };
        let instance = delivery.instance.clone();
        let again = delivery.progress.again;
        let prepared_reference = match prepared.reference {
            Some(first) if again > 0 => Some(mapping::reference_again(&first, again, operation)?),
            other => other,
        };
        let fixed = delivery.progress.content == Content::Fixed;
        let claimed = delivery.reference.clone().filter(|_| fixed);
        // A posting that a person wanted again must not be taken for the first one by its key.
        let dedup_key = match again {
            0 => delivery.dedup_key.clone(),
            again => DedupKey::new(format!("{}#again-{again}", delivery.dedup_key)),
        };
        let key = key_of(operation, &instance, &dedup_key);
        Ok(Self {
            link: Arc::clone(link),
            operation: Arc::clone(operation),
            input: prepared.input,
            reference: claimed.or(prepared_reference),
            key,
            results: delivery.progress.results.clone(),
            instance,
            dedup_key,
        })
    }

    /// The call as the integration means it; for a sequence, with the results so far.
    pub(super) fn call(&self) -> Call<'_> {
        Call {
            reference: self.reference.as_ref().map(Reference::as_str),
            idempotency_key: self.key.as_deref(),
            steps: Some(&self.results),
            ..self.link.caller.call(&self.operation, &self.input)
        }
    }

    /// As it will be when a step has given this result.
    pub(super) fn with_result(&mut self, step: &str, result: Document) {
        self.results.insert(step.to_owned(), result);
    }

    /// What is due: the whole operation, or its next step.
    ///
    /// What was begun goes on as it was begun, by the names that its claim kept: whatever the
    /// variants' conditions would say now, and wherever the steps stand in the sequence now.
    pub(super) fn target(&self, delivery: &Delivery) -> Result<Target, NoTarget> {
        let variant = match begun(delivery) {
            Some(part) => self.variant_of(part)?,
            None => protocol::variant(&self.call())?,
        };
        let steps = protocol::steps(variant);
        let mut part = Part {
            operation: self.operation.name.clone(),
            variant: variant.name.clone(),
            step: None,
        };
        if steps.is_empty() {
            return Ok(Target {
                operation: Arc::clone(&self.operation),
                input: self.input.clone(),
                key: self.key.clone(),
                part,
                last: false,
            });
        }
        let (step, last) = due_step(&self.operation.name, steps, delivery)?;
        let Some(operation) = self.link.plan().connector.operations.get(&step.operation) else {
            let why = format!("`{}` has no operation `{}`", self.link.id(), step.operation);
            return Err(NoTarget::Trouble(configuration(why)));
        };
        part.step = Some(step.name.clone());
        // Each step is a request of its own, so each has a key of its own.
        let step_key = DedupKey::new(format!("{}#{}", self.dedup_key, step.name));
        Ok(Target {
            operation: Arc::clone(operation),
            input: protocol::step_input(&self.call(), step)?,
            key: key_of(operation, &self.instance, &step_key),
            part,
            last,
        })
    }

    /// The variant that something was begun with.
    fn variant_of(&self, part: &Part) -> Result<&Variant, NoTarget> {
        let operation = &self.operation;
        if part.operation != operation.name {
            return Err(NoTarget::Trouble(configuration(format!(
                "it was begun with `{}`, but the integration now writes with `{}`",
                part.operation, operation.name
            ))));
        }
        variant_named(operation, &part.variant).ok_or_else(|| {
            NoTarget::Trouble(configuration(format!(
                "it was begun as variant `{}` of `{}`, which the connector does not have any more",
                part.variant, operation.name
            )))
        })
    }

    /// The step a target stands for.
    pub(super) fn step(&self, target: &Target) -> Option<&Step> {
        let name = target.part.step.as_ref()?;
        let variant = variant_named(&self.operation, &target.part.variant)?;
        let mut steps = protocol::steps(variant).iter();
        steps.find(|step| step.name == *name)
    }

    /// A target's own call.
    pub(super) fn target_call<'a>(&'a self, target: &'a Target) -> Call<'a> {
        Call {
            reference: self.reference.as_ref().map(Reference::as_str),
            idempotency_key: target.key.as_deref(),
            steps: Some(&self.results),
            ..self.link.caller.call(&target.operation, &target.input)
        }
    }

    /// What a look-up of this request would ask.
    pub(super) fn asking(&self, target: &Target) -> Asking {
        let input = match target.operation.write().map(|write| &write.repeat) {
            Some(Repeat::LookUp(spec)) => {
                let call = self.target_call(target);
                Some(protocol::look_up_input(&call, spec, None))
            }
            Some(Repeat::IdempotencyKey { .. } | Repeat::Natural | Repeat::None) | None => None,
        };
        let asked = match &input {
            Some(Ok(input)) => input,
            Some(Err(_)) | None => &target.input,
        };
        let digest = Sha256::new()
            .chain_update(target.operation.name.as_bytes())
            .chain_update([0])
            .chain_update(asked.to_string().as_bytes())
            .chain_update([0])
            .chain_update(target.key.as_deref().unwrap_or_default().as_bytes())
            .finalize();
        let fingerprint =
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD_NO_PAD, digest);
        Asking { input, fingerprint }
    }

    pub(super) fn policy(&self, instance: &Instance, target: &Target) -> Policy {
        let repeat = safety(&self.link, &target.operation);
        Policy {
            retry: instance.integration.retry,
            repeat,
        }
    }
}

/// How an operation may be repeated. Anything but a write may be at will.
pub(super) fn safety(link: &Link, operation: &Operation) -> RepeatSafety {
    let Some(write) = operation.write() else {
        return RepeatSafety::Natural;
    };
    let settle = match &write.repeat {
        Repeat::LookUp(spec) => {
            protocol::duration(&spec.settle, &link.plan().settings).unwrap_or(SETTLE)
        }
        Repeat::IdempotencyKey { .. } | Repeat::Natural | Repeat::None => Duration::ZERO,
    };
    write.repeat.safety(settle)
}

/// What a delivery has begun, so that it must go on that way: a request of it may have arrived, or
/// steps of it are done.
fn begun(delivery: &Delivery) -> Option<&Part> {
    let progress = &delivery.progress;
    let begun = match delivery.state.kind() {
        StateKind::InFlight | StateKind::Uncertain => true,
        StateKind::Pending
        | StateKind::Held
        | StateKind::Joined
        | StateKind::Delivered
        | StateKind::Skipped
        | StateKind::Discarded => {
            progress.content == Content::Fixed || !progress.results.is_empty()
        }
    };
    progress.part.as_ref().filter(|_| begun)
}

fn variant_named<'a>(operation: &'a Operation, name: &str) -> Option<&'a Variant> {
    let mut variants = operation.variants.iter();
    variants.find(|variant| variant.name == name)
}

/// The step to go on with, and whether it is the last: the one under way, or the first that is not
/// done. What is done must still be how the sequence begins; whether what was put before or between
/// may be left out, or what is gone may be ignored, only a person can tell.
fn due_step<'a>(
    operation: &str,
    steps: &'a [Step],
    delivery: &Delivery,
) -> Result<(&'a Step, bool), NoTarget> {
    let progress = &delivery.progress;
    let changed = |what: String| {
        let why = format!("the sequence `{operation}` has changed since it was begun: {what}");
        NoTarget::Trouble(configuration(why))
    };
    let done = |step: &Step| progress.results.contains_key(&step.name);
    let gone = progress.results.keys().find(|name| {
        let mut steps = steps.iter();
        !steps.any(|step| step.name == **name)
    });
    if let Some(name) = gone {
        return Err(changed(format!("its step `{name}` is done, and is gone")));
    }
    let count = steps.iter().take_while(|step| done(step)).count();
    let Some((step, rest)) = steps.get(count..).and_then(<[Step]>::split_first) else {
        return Err(changed("all of its steps are done".to_owned()));
    };
    if let Some(later) = rest.iter().find(|step| done(step)) {
        let (step, later) = (&step.name, &later.name);
        let what = format!("`{later}` is done, and `{step}` is before it now");
        return Err(changed(what));
    }
    let under_way = begun(delivery)
        .filter(|_| delivery.state.kind() != StateKind::Pending)
        .and_then(|part| part.step.as_ref());
    if let Some(name) = under_way.filter(|name| **name != step.name) {
        let what = format!(
            "`{name}` was under way, and `{}` comes first now",
            step.name
        );
        return Err(changed(what));
    }
    Ok((step, rest.is_empty()))
}

fn key_of(operation: &Operation, instance: &InstanceId, dedup_key: &DedupKey) -> Option<String> {
    match &operation.write()?.repeat {
        Repeat::IdempotencyKey { length_max, .. } => {
            Some(mapping::idempotency_key(instance, dedup_key, *length_max))
        }
        Repeat::LookUp(_) | Repeat::Natural | Repeat::None => None,
    }
}

pub(super) fn configuration(why: String) -> Trouble {
    Trouble::Lasting {
        class: Class::Configuration,
        why,
        help: "correct the integration or the site, then retry it".to_owned(),
        awaits: None,
    }
}
