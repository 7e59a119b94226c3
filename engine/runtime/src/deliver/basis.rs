//! What a delivery writes: prepared now, or kept from the claim that it goes on with.
//!
//! Between the first request and the last step, try or look-up a matching table, a parameter, a
//! record at the source or the definition itself may change. What was begun is carried on as it was
//! prepared: otherwise a `skip` could end a record that is half posted, or a look-up ask for
//! something else than was sent.

use super::Job;
use super::aim::configuration;
use super::prepare::{self, Preparing};
use ml_connector_core::delivery::{Content, Receipt, Trouble};
use ml_connector_core::identity::CrosswalkId;
use ml_connector_core::mapping::{Kept, Preparation, Prepared};
use ml_connector_core::plan::Instance;
use ml_connector_store::{Error, KeptContent};
use serde_json::Value as Document;

/// Where what is written comes from, and what a success is remembered by.
#[derive(Debug)]
pub(super) enum Basis<'a> {
    /// It was prepared in this turn.
    Prepared(Box<Preparation<'a>>),
    /// It was prepared for an earlier claim.
    Kept {
        kept: Box<Kept>,
        instance: &'a Instance,
        event: &'a Result<Document, Trouble>,
    },
}

impl Basis<'_> {
    /// What the claim has to keep of it; nothing where an earlier one does.
    pub(super) fn keep(&self, prepared: &Prepared) -> Result<Option<KeptContent>, Trouble> {
        let Self::Prepared(preparation) = self else {
            return Ok(None);
        };
        match serde_json::to_vec(&Kept::of(prepared, preparation)) {
            Ok(content) => Ok(Some(KeptContent(content.into()))),
            Err(error) => Err(configuration(format!("it cannot be written down: {error}"))),
        }
    }

    /// Crosswalk entries to write with the delivery's success.
    pub(super) fn remember(
        &self,
        receipt: &Receipt,
    ) -> Result<Vec<(CrosswalkId, String, Document)>, Trouble> {
        match self {
            Self::Prepared(preparation) => preparation.remember(receipt),
            Self::Kept {
                kept,
                instance,
                event,
            } => match event {
                Ok(event) => kept.remember(instance, event, receipt),
                Err(trouble) => Err(trouble.clone()),
            },
        }
    }
}

impl Job {
    /// What is to be written. `event` is only needed where nothing was begun.
    pub(super) async fn ready<'a>(
        &self,
        instance: &'a Instance,
        event: &'a Result<Document, Trouble>,
    ) -> Result<Preparing<'a>, Error> {
        if self.delivery.progress.content == Content::Fixed
            && let Some(content) = self.context.store.delivery_kept(&self.delivery).await?
        {
            return Ok(match serde_json::from_slice::<Kept>(&content.0) {
                Ok(kept) => Preparing::Ready {
                    prepared: Box::new(kept.prepared()),
                    basis: Basis::Kept {
                        kept: Box::new(kept),
                        instance,
                        event,
                    },
                },
                Err(error) => Preparing::Trouble(configuration(format!(
                    "what was prepared for it cannot be read: {error}"
                ))),
            });
        }
        match event {
            Ok(event) => {
                let (context, links) = (&self.context, &self.links);
                prepare::prepare(context, links, &self.delivery, instance, event).await
            }
            Err(trouble) => Ok(Preparing::Trouble(trouble.clone())),
        }
    }
}
