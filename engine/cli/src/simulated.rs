//! The simulated world behind the demonstration's interface. Part of the binary, not of the library.

use ml_connector_cli::demo::{
    Closing, CountLine, EngineCounts, MoneyLine, Options, Progress, Stage, Step, World,
};
use ml_connector_simulators::demo;
use serde_json::Value as Document;

/// Every pairing of the simulators.
pub(crate) struct Simulators;

impl Stage for Simulators {
    fn pairings(&self) -> Vec<(String, String)> {
        demo::PAIRINGS
            .iter()
            .map(|pairing| (pairing.name.to_owned(), pairing.title.to_owned()))
            .collect()
    }

    fn definitions(&self) -> Vec<(String, String)> {
        demo::definitions()
    }

    fn start<'a>(
        &'a self,
        pairing: &'a str,
        options: Options,
    ) -> Step<'a, anyhow::Result<Box<dyn World>>> {
        Box::pin(async move {
            let Some(pairing) = demo::Pairing::named(pairing) else {
                anyhow::bail!("there is no pairing `{pairing}`");
            };
            let options = demo::Options {
                seed: options.seed,
                records: options.events,
                ..demo::Options::default()
            };
            let world = demo::World::start(pairing, options).await?;
            Ok(Box::new(Simulated(world)) as Box<dyn World>)
        })
    }
}

struct Simulated(demo::World);

impl World for Simulated {
    fn site(&self, webhooks: &str, admin: &str) -> String {
        self.0.site(&demo::Listen {
            webhooks: webhooks.to_owned(),
            admin: admin.to_owned(),
        })
    }

    fn secrets(&self) -> Vec<(String, String)> {
        let secrets = self.0.secrets().into_iter();
        secrets
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    fn crosswalk(&self) -> Vec<(String, String, Document)> {
        let rows = self.0.crosswalk().into_iter();
        rows.map(|row| {
            let values = row.values.into_iter();
            let values = values.map(|(name, value)| (name.to_owned(), Document::from(value)));
            (
                row.table.to_owned(),
                row.key,
                Document::Object(values.collect()),
            )
        })
        .collect()
    }

    fn send_to(&mut self, engine: &str) {
        self.0.send_to(engine);
    }

    fn run<'a>(&'a mut self, show: &'a mut dyn FnMut(Progress)) -> Step<'a, anyhow::Result<()>> {
        Box::pin(async move { Ok(self.0.run(|at| show(progress(at))).await?) })
    }

    fn progress(&self) -> Progress {
        progress(&self.0.progress())
    }

    fn settled(&self) -> bool {
        self.0.settled()
    }

    fn closing(&self, engine: &EngineCounts) -> Closing {
        let closing = self.0.closing(Some(&demo::EngineCounts {
            received: engine.received,
            duplicate: engine.duplicate,
            refused: engine.refused,
            posted: engine.posted,
            held: engine.held,
        }));
        Closing {
            counts: closing
                .lines
                .into_iter()
                .map(|line| CountLine {
                    what: line.what.to_owned(),
                    world: line.world,
                    engine: line.engine,
                    fits: line.ok,
                })
                .collect(),
            money: closing
                .money
                .into_iter()
                .map(|sum| {
                    let places = sum.collected.scale() as usize;
                    MoneyLine {
                        currency: sum.currency,
                        made: sum.collected.to_string(),
                        held: format!("{:.places$}", sum.held),
                        posted: format!("{:.places$}", sum.posted),
                        fits: sum.ok,
                    }
                })
                .collect(),
            differences: closing.differences,
            fits: closing.ok,
        }
    }

    fn stop(self: Box<Self>) -> Step<'static, ()> {
        Box::pin(self.0.stop())
    }
}

fn progress(at: &demo::Progress) -> Progress {
    Progress {
        step: at.step,
        steps: at.steps,
        made: at.made,
        to_post: at.to_post,
        posted: at.posted,
        to_hold: at.to_hold,
        target_up: at.target_up,
    }
}
