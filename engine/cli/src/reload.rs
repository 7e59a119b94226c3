//! Definitions read again while the engine runs: on SIGHUP, and when their files have changed.
//!
//! Files are looked at every [`LOOK`] by size and time of change, which also works on network
//! drives and on mounted configuration, where a file system says nothing. They are read when two
//! looks in a row see the same, so that a set that is being copied is not read half.

use crate::definitions::{Definitions, beside};
use crate::failure::advise;
use crate::files::{self, Root};
use crate::running::seams;
use crate::site::Installation;
use ml_connector_core::definition::site::Site;
use ml_connector_core::diagnostic::Severity;
use ml_connector_core::plan::Plan;
use ml_connector_core::source::SourceSet;
use ml_connector_runtime::Engine;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How often files are looked at.
pub(crate) const LOOK: Duration = Duration::from_secs(2);
/// Findings of a reload that are logged; `validate` shows them all.
const LOGGED_MAX: usize = 20;

/// The files of an installation as they were last read.
#[derive(Debug)]
pub(crate) struct Watch {
    file: PathBuf,
    read: Seen,
    /// As they were at the last look, if that was not as they were read.
    changing: Option<Seen>,
}

/// Every file with its size and time of change.
type Seen = Vec<(PathBuf, u64, Option<SystemTime>)>;

impl Watch {
    /// Begins with the files as they are.
    pub(crate) fn new(installation: &Installation) -> Self {
        let file = installation.file.clone();
        Self {
            read: seen(&file),
            file,
            changing: None,
        }
    }

    /// Whether the files have changed and are at rest.
    pub(crate) fn changed(&mut self) -> bool {
        let now = seen(&self.file);
        if now == self.read {
            self.changing = None;
            return false;
        }
        if self.changing.as_ref() == Some(&now) {
            self.changing = None;
            self.read = now;
            return true;
        }
        self.changing = Some(now);
        false
    }

    /// Has the engine take over what the files say. What is wrong is logged and kept for the status, and the plan before
    /// goes on.
    pub(crate) async fn reload(&mut self, engine: &Engine, before: &Installation) {
        self.read = seen(&self.file);
        let again = read(&self.file).and_then(|(installation, plan)| {
            let seams = seams(&installation, &plan)?;
            Ok((installation, plan, seams))
        });
        let failed = match again {
            Ok((installation, plan, seams)) => {
                tell_what_stays(before, &installation);
                match engine.reload(Arc::new(plan), seams).await {
                    Ok(true) => return,
                    Ok(false) => {
                        tracing::info!("reloaded; nothing has changed");
                        return;
                    }
                    Err(error) => anyhow::Error::new(error),
                }
            }
            Err(error) => error,
        };
        engine.reload_failed(&format!("{failed:#}"));
    }
}

/// The installation as its files say now.
fn read(file: &Path) -> anyhow::Result<(Installation, Plan)> {
    let mut sources = SourceSet::new();
    let id = sources.add_bytes(&files::display_name(file), &files::read(file)?);
    let (site, findings) = Site::load(&sources, id);
    let Some(site) = site.filter(|_| !findings.has_errors()) else {
        return Err(refused(&sources, findings));
    };
    let mut definitions = Definitions::load(&beside(file, &site.definitions))?;
    let bound = definitions.bind(file)?;
    let findings = std::mem::take(&mut definitions.findings);
    match bound {
        Some((site, plan)) if !findings.has_errors() => {
            let file = file.to_owned();
            Ok((Installation { file, site }, plan))
        }
        Some(_) | None => Err(refused(&definitions.sources, findings)),
    }
}

/// Logs what is wrong, each with its place.
fn refused(
    sources: &SourceSet,
    findings: ml_connector_core::diagnostic::Findings,
) -> anyhow::Error {
    let mut errors = findings.sorted(sources);
    errors.retain(|finding| finding.severity == Severity::Error);
    for finding in errors.iter().take(LOGGED_MAX) {
        let place = sources.show(finding.primary.span);
        let (code, why) = (finding.code.as_str(), finding.message.as_str());
        tracing::error!(code, place, why, "definition refused");
    }
    let first = errors.first().map_or_else(String::new, |finding| {
        let place = sources.show(finding.primary.span);
        format!(", the first at {place}: {}", finding.message)
    });
    let count = crate::table::count(errors.len(), "error", "errors");
    advise(
        format!("{count} in the definitions{first}"),
        "`ml-connector validate` shows them all",
    )
}

/// What a running engine does not change: where it listens, and where its store is.
fn tell_what_stays(before: &Installation, now: &Installation) {
    let places = |one: &Installation| {
        let listens = (one.site.webhooks, one.site.admin);
        (listens, one.store())
    };
    if places(before) != places(now) {
        tracing::warn!("addresses and the store's folder change at the next start only");
    }
}

/// The site file and the definitions it names, sorted. What cannot be looked at is left out: it is said when it is read.
fn seen(file: &Path) -> Seen {
    let mut paths = vec![file.to_owned()];
    let mut sources = SourceSet::new();
    let text = files::read(file).unwrap_or_default();
    let id = sources.add_bytes(&files::display_name(file), &text);
    let site = Site::load(&sources, id).0;
    let root = site.and_then(|site| Root::open(&beside(file, &site.definitions)).ok());
    if let Some(root) = root {
        paths.extend(root.files.iter().map(|name| root.folder.join(name)));
    }
    let looked_at = paths.into_iter().filter_map(|path| {
        let metadata = fs::metadata(&path).ok()?;
        Some((path, metadata.len(), metadata.modified().ok()))
    });
    looked_at.collect()
}
