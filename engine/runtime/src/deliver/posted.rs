//! What a success would have remembered, for a record that a person found in the target.

use super::Job;
use super::prepare::Preparing;
use crate::connection::Links;
use crate::context::Context;
use crate::settle::NotRecorded;
use ml_connector_core::delivery::{Receipt, Trouble};
use ml_connector_core::plan::Instance;
use ml_connector_store::{CrosswalkEntry, Delivery};
use std::sync::Arc;

/// What can be remembered, and what a person has to do by hand because it cannot.
pub(crate) type Remembered = (Vec<CrosswalkEntry>, Option<String>);

/// Makes the crosswalk entries of a delivery that stands in the target under this receipt. It reads
/// what the integration reads for them, and changes nothing.
///
/// # Errors
/// If the store cannot be read.
pub(crate) async fn remembered(
    context: &Arc<Context>,
    links: &Arc<Links>,
    delivery: &Delivery,
    receipt: &Receipt,
) -> Result<Remembered, NotRecorded> {
    let by_hand = |what: &str, why: &str| {
        let notice =
            format!("{what} were not made: {why}; set them with `ml-connector crosswalk set`");
        Ok((Vec::new(), Some(notice)))
    };
    let Some(instance) = context.plan.instances.get(&delivery.instance) else {
        let what = "entries that its integration remembers";
        return by_hand(what, "the site does not run it at present");
    };
    if instance.integration.remember.is_empty() {
        return Ok((Vec::new(), None));
    }
    let what = tables(instance);
    let lane = &delivery.lane;
    let Some(link) = links.get(lane) else {
        return by_hand(&what, &format!("the site has no connection `{lane}`"));
    };
    let (context, links, link) = (Arc::clone(context), Arc::clone(links), Arc::clone(link));
    let instance = Arc::clone(instance);
    let job = Job::new(context, links, link, delivery.clone());
    let event = job.event(&instance).await?;
    match job.ready(&instance, &event).await? {
        Preparing::Ready { basis, .. } => match basis.remember(receipt) {
            Ok(entries) => Ok((Job::entries(entries), None)),
            Err(trouble) => by_hand(&what, words(&trouble)),
        },
        Preparing::Skip(reason) => {
            let why = format!("the integration would skip the record now: {reason}");
            by_hand(&what, &why)
        }
        Preparing::Trouble(trouble) => by_hand(&what, words(&trouble)),
        Preparing::WaitsFor(connection) => {
            by_hand(&what, &format!("`{connection}` cannot be asked at present"))
        }
    }
}

fn tables(instance: &Instance) -> String {
    let tables = instance.integration.remember.iter();
    let tables = tables.map(|remember| format!("`{}`", remember.table));
    format!(
        "the entries of {}",
        tables.collect::<Vec<_>>().join(" and ")
    )
}

fn words(trouble: &Trouble) -> &str {
    match trouble {
        Trouble::Passing { why, .. } | Trouble::Lasting { why, .. } => why,
    }
}
