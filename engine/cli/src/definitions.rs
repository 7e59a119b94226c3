//! Definitions loaded and checked, alone or bound to sites.

use crate::failure::{Told, usage};
use crate::files::{self, Root};
use crate::findings::{Finding, FindingsOutput, Severity, Summary};
use crate::terminal::Terminal;
use ml_connector_core::check;
use ml_connector_core::definition::kind_of;
use ml_connector_core::definition::site::Site;
use ml_connector_core::definition::tables::DefinitionKind;
use ml_connector_core::diagnostic::render::{Style, render};
use ml_connector_core::diagnostic::{Diagnostic, Findings};
use ml_connector_core::plan::{Library, Plan};
use ml_connector_core::source::SourceSet;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Definition files of one root, read and checked.
#[derive(Debug)]
pub(crate) struct Definitions {
    /// Their texts.
    pub(crate) sources: SourceSet,
    /// What they say.
    pub(crate) library: Library,
    /// What is wrong with them.
    pub(crate) findings: Findings,
}

impl Definitions {
    /// Reads and checks everything in a root.
    pub(crate) fn load(root: &Path) -> anyhow::Result<Self> {
        let mut sources = SourceSet::new();
        Root::open(root)?.read(&mut sources)?;
        let (library, mut findings) = Library::load(&sources);
        findings.extend(check::check(&library, &sources));
        Ok(Self {
            sources,
            library,
            findings,
        })
    }

    /// Binds a site file to them, with what is wrong with it.
    pub(crate) fn bind(&mut self, file: &Path) -> anyhow::Result<Option<(Site, Plan)>> {
        let id = self
            .sources
            .add_bytes(&files::display_name(file), &files::read(file)?);
        let (site, findings) = Site::load(&self.sources, id);
        self.findings.extend(findings);
        let Some(site) = site else { return Ok(None) };
        let (plan, findings) = Plan::bind(&self.library, &site);
        self.findings.extend(findings);
        Ok(Some((site, plan)))
    }

    /// Tells what forbids running, which ends the command, and nothing else.
    pub(crate) fn sound(&mut self, terminal: &mut Terminal) -> anyhow::Result<()> {
        let findings = std::mem::take(&mut self.findings);
        tell_errors(findings, &self.sources, terminal)
    }
}

/// Tells findings and ends the command, if anything among them forbids running.
pub(crate) fn tell_errors(
    findings: Findings,
    sources: &SourceSet,
    terminal: &mut Terminal,
) -> anyhow::Result<()> {
    if !findings.has_errors() {
        return Ok(());
    }
    let style = if terminal.colours_words() {
        Style::Coloured
    } else {
        Style::Plain
    };
    let text = render(sources, &findings.sorted(sources), style);
    terminal.tell(text.trim_end());
    Err(Told.into())
}

/// What was found under the paths that were named.
#[derive(Debug)]
pub(crate) struct Checked {
    /// The texts.
    pub(crate) sources: SourceSet,
    /// The findings in them, by file and place.
    pub(crate) findings: Vec<Diagnostic>,
    /// Names of the files looked at.
    pub(crate) files: Vec<String>,
    summary: Summary,
}

/// Checks everything under the paths: files, folders, roots, site files. Each root is read once.
pub(crate) fn check_paths(paths: &[PathBuf]) -> anyhow::Result<Vec<Checked>> {
    groups(paths)?.into_values().map(Group::check).collect()
}

/// One document of everything that was found.
pub(crate) fn output(checked: &[Checked]) -> FindingsOutput {
    let mut output = FindingsOutput {
        version: 1,
        findings: Vec::new(),
        summary: Summary::default(),
    };
    for one in checked {
        let found = one
            .findings
            .iter()
            .map(|finding| Finding::of(finding, &one.sources));
        output.findings.extend(found);
        output.summary.add(&one.summary);
    }
    let number = |severity| {
        output
            .findings
            .iter()
            .filter(|one| one.severity == severity)
            .count()
    };
    (output.summary.errors, output.summary.warnings) =
        (number(Severity::Error), number(Severity::Warning));
    output
}

/// Everything that was named in one root.
#[derive(Debug)]
pub(crate) struct Group {
    root: PathBuf,
    /// Names of files and folders in it; empty for all of it.
    only: Vec<String>,
    whole: bool,
    sites: Vec<PathBuf>,
}

impl Group {
    /// The folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Whether a file was named, itself or by a folder above it.
    pub(crate) fn names(&self, file: &str) -> bool {
        self.whole
            || self.only.iter().any(|name| {
                file.strip_prefix(name.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
    }

    fn check(self) -> anyhow::Result<Checked> {
        let mut definitions = Definitions::load(&self.root)?;
        for site in &self.sites {
            definitions.bind(site)?;
        }
        let Definitions {
            sources,
            library,
            findings,
        } = definitions;
        let files: Vec<String> = sources
            .files()
            .into_iter()
            .map(|(_, file)| file.name().to_owned())
            .filter(|name| self.names(name))
            .collect();
        let summary = Summary {
            files: files.len(),
            sites: self.sites.len(),
            ..self.kinds(&library, &sources, &files)
        };
        let mut findings = findings.sorted(&sources);
        findings.retain(|finding| self.names(sources.name(finding.primary.span.file)));
        Ok(Checked {
            sources,
            findings,
            files,
            summary,
        })
    }
}

impl Group {
    /// How many definitions of each kind were named. Of a whole root the library knows; a few named files are looked at.
    fn kinds(&self, library: &Library, sources: &SourceSet, files: &[String]) -> Summary {
        if self.whole {
            return Summary {
                connectors: library.connectors.len(),
                integrations: library.integrations.len(),
                cases: library.cases.len(),
                ..Summary::default()
            };
        }
        let kinds = files
            .iter()
            .filter_map(|name| kind_of(sources, sources.by_name(name)?));
        kinds.fold(Summary::default(), |mut summary, kind| {
            match kind {
                DefinitionKind::Connector => summary.connectors += 1,
                DefinitionKind::Integration => summary.integrations += 1,
                DefinitionKind::Case => summary.cases += 1,
                DefinitionKind::Site => {}
            }
            summary
        })
    }
}

/// The paths by root.
pub(crate) fn groups(paths: &[PathBuf]) -> anyhow::Result<BTreeMap<PathBuf, Group>> {
    let mut groups: BTreeMap<PathBuf, Group> = BTreeMap::new();
    for path in paths {
        let (root, named) = named(path)?;
        let key = fs::canonicalize(&root).map_err(|error| files::unreadable(&root, &error))?;
        let group = groups.entry(key).or_insert_with(|| Group {
            root,
            only: Vec::new(),
            whole: false,
            sites: Vec::new(),
        });
        match named {
            Named::Whole(sites) => {
                group.whole = true;
                group.sites.extend(sites);
            }
            Named::Part(name) => group.only.push(name),
        }
    }
    Ok(groups)
}

/// What a path means in its root.
enum Named {
    /// All of it, with these site files.
    Whole(Vec<PathBuf>),
    /// A file or folder in it.
    Part(String),
}

fn named(path: &Path) -> anyhow::Result<(PathBuf, Named)> {
    let metadata = fs::metadata(path).map_err(|error| files::unreadable(path, &error))?;
    if metadata.is_file() {
        if !is_yaml(path) && path.extension().is_none_or(|ending| ending != "json") {
            return Err(usage(format!(
                "`{}` is neither YAML nor a folder",
                path.display()
            )));
        }
        if let Some(root) = root_of_site(path)? {
            return Ok((root, Named::Whole(vec![path.to_owned()])));
        }
    }
    let root = Root::above(path)?;
    let (above, below) = (fs::canonicalize(&root)?, fs::canonicalize(path)?);
    match below.strip_prefix(&above) {
        Ok(part) if !part.as_os_str().is_empty() => {
            let name = files::display_name(&root.join(part));
            Ok((root, Named::Part(name)))
        }
        Ok(_) | Err(_) => {
            let sites = sites_in(path)?;
            Ok((root, Named::Whole(sites)))
        }
    }
}

/// The root of a site file; nothing if the file is none. A site file that cannot be read far enough to say has the root
/// beside it.
fn root_of_site(path: &Path) -> anyhow::Result<Option<PathBuf>> {
    let mut sources = SourceSet::new();
    let id = sources.add_bytes(&files::display_name(path), &files::read(path)?);
    if kind_of(&sources, id) != Some(DefinitionKind::Site) {
        return Ok(None);
    }
    let definitions = Site::load(&sources, id)
        .0
        .map_or_else(|| ".".to_owned(), |site| site.definitions);
    Ok(Some(beside(path, &definitions)))
}

/// Site files that lie directly in a folder.
fn sites_in(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut sites = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| files::unreadable(folder, &error))? {
        let path = folder.join(entry?.file_name());
        if is_yaml(&path) && path.is_file() && root_of_site(&path)?.is_some() {
            sites.push(path);
        }
    }
    sites.sort();
    Ok(sites)
}

/// A path that a file writes down: from the file's own folder.
pub(crate) fn beside(file: &Path, written: &str) -> PathBuf {
    let folder = file.parent().unwrap_or(Path::new(""));
    let joined = folder.join(written);
    if joined.as_os_str().is_empty() {
        PathBuf::from(".")
    } else {
        joined
    }
}

fn is_yaml(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ending == "yaml" || ending == "yml")
}
