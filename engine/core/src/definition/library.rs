//! Reads every file of a source set into a [`Library`].

use super::context::Context;
use super::lower;
use super::lower::case::Integrations;
use super::lower::integration::Connectors;
use super::reader::Reader;
use super::schemas::{self, Schemas};
use super::site::Site;
use super::structure::{self, Broken};
use super::tables::{DefinitionKind, case};
use super::words;
use crate::codes;
use crate::definition::located::Located;
use crate::diagnostic::{Diagnostic, Findings};
use crate::plan::Library;
use crate::source::{FileId, SourceSet, Span};
use crate::yaml::{self, Kind, Node, Value};
use sha2::{Digest, Sha256};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The version of the language that this engine reads.
pub const VERSION: &str = "1";

/// A definition file that says what it is, checked against its table.
struct Definition {
    kind: DefinitionKind,
    name: String,
    node: Node,
    broken: Broken,
}

impl Library {
    /// Reads connectors, integrations, cases and schemas. What is in other files is left alone; a site file is for
    /// [`Site::load`].
    ///
    /// A library with findings holds what could be read, so that further checks can be made of it. It must not be run.
    pub fn load(sources: &SourceSet) -> (Self, Findings) {
        let mut findings = Findings::new();
        let library = load(sources, &mut findings);
        (library, findings)
    }

    /// The place of something, e.g. `["connectors", "x", "operations", "y", "request", "path"]`. List items are counted
    /// from 0. Its value if that is a scalar, else its key.
    pub fn span(&self, path: &[&str]) -> Option<Span> {
        self.located.span(path)
    }

    /// The place of the key of something.
    pub fn key_span(&self, path: &[&str]) -> Option<Span> {
        self.located.key_span(path)
    }

    /// Whether something of this name stands in a part of a definition (`["integrations", "a/b"]`) that was reported while
    /// it was read: whoever misses it stays silent.
    pub fn is_unread(&self, definition: &[&str], name: &str) -> bool {
        self.located.is_unread(definition, name)
    }

    /// Whether something, or what it stands in, was reported while it was read.
    pub fn is_broken(&self, path: &[&str]) -> bool {
        self.located.is_broken(path)
    }
}

/// The kind of definition that a file holds, by its keys; nothing is reported.
pub fn kind_of(sources: &SourceSet, file: FileId) -> Option<DefinitionKind> {
    opens_with(&yaml::load(sources, file, &mut Findings::new())?).map(|(kind, _)| kind)
}

/// The kind of a definition and the place that says so. A case names its integration too: the first key counts.
fn opens_with(node: &Node) -> Option<(DefinitionKind, Span)> {
    let places =
        DefinitionKind::ALL.map(|kind| (kind, node.entry(kind.key()).map(|entry| entry.key_span)));
    let found = places
        .into_iter()
        .filter_map(|(kind, place)| Some((kind, place?)));
    found.min_by_key(|(_, place)| place.start)
}

pub(super) fn load(sources: &SourceSet, findings: &mut Findings) -> Library {
    let schemas = Schemas::load(sources, findings);
    let mut located = Located::default();
    let definitions = definitions(sources, &mut located, findings);
    let mut library = Library {
        connectors: indexmap::IndexMap::new(),
        integrations: indexmap::IndexMap::new(),
        cases: Vec::new(),
        schemas: schemas
            .documents()
            .map(|(name, document)| (name.to_owned(), document.clone()))
            .collect(),
        hash: hash(sources, &definitions),
        located: Located::default(),
    };
    let of_kind = |kind| {
        definitions
            .iter()
            .filter(move |one: &&Definition| one.kind == kind)
    };
    for one in of_kind(DefinitionKind::Connector) {
        let context = Context::new(sources, &schemas, &one.broken, findings);
        let reader = Reader::new(&context, Some(&one.node), one.kind.table());
        let connector = lower::connector::lower(&reader);
        library
            .connectors
            .insert(connector.id.clone(), Arc::new(connector));
    }
    let unreadable = located.unreadable(DefinitionKind::Connector);
    for one in of_kind(DefinitionKind::Integration) {
        let context = Context::new(sources, &schemas, &one.broken, findings);
        let reader = Reader::new(&context, Some(&one.node), one.kind.table());
        let connectors = Connectors {
            known: &library.connectors,
            unreadable: &unreadable,
        };
        let integration = lower::integration::lower(&reader, &connectors);
        library
            .integrations
            .insert(integration.id.clone(), Arc::new(integration));
    }
    let unreadable = located.unreadable(DefinitionKind::Integration);
    let nodes = of_kind(DefinitionKind::Integration)
        .map(|one| (one.name.as_str(), &one.node))
        .collect();
    for one in of_kind(DefinitionKind::Case) {
        let context = Context::new(sources, &schemas, &one.broken, findings);
        let reader = Reader::new(&context, Some(&one.node), one.kind.table());
        let integrations = Integrations {
            known: &library.integrations,
            nodes: &nodes,
            unreadable: &unreadable,
        };
        library
            .cases
            .extend(lower::case::lower(&reader, &one.node, &integrations));
    }
    for one in definitions {
        if one.kind != DefinitionKind::Case {
            located.add(one.kind, &one.name, one.node, &one.broken);
        }
    }
    library.located = located;
    library
}

/// A site file; other kinds are a finding.
pub(super) fn load_site(sources: &SourceSet, file: FileId) -> (Option<Site>, Findings) {
    let mut findings = Findings::new();
    let site = read_site(sources, file, &mut findings);
    (site, findings)
}

fn read_site(sources: &SourceSet, file: FileId, findings: &mut Findings) -> Option<Site> {
    let node = yaml::load(sources, file, findings)?;
    let (kind, place) = identify(&node, findings)?;
    if kind != DefinitionKind::Site {
        let what = format!("this defines a {}, not a site", kind.key());
        findings.push(Diagnostic::error(codes::NOT_A_DEFINITION, place, what));
        return None;
    }
    version(&node, findings)?;
    let broken = structure::check(&node, kind.table(), findings);
    let schemas = Schemas::default();
    let context = Context::new(sources, &schemas, &broken, findings);
    let reader = Reader::new(&context, Some(&node), kind.table());
    let text = sources.file(file).map_or("", |file| file.text());
    Some(lower::site::lower(
        &reader,
        &node,
        Sha256::digest(text.as_bytes()).into(),
    ))
}

// -- files ------------------------------------------------------------------------------------------------------------

fn definitions(
    sources: &SourceSet,
    located: &mut Located,
    findings: &mut Findings,
) -> Vec<Definition> {
    let mut definitions: Vec<Definition> = Vec::new();
    let mut misplaced: Vec<Definition> = Vec::new();
    let yaml = sources
        .files()
        .into_iter()
        .filter(|(_, file)| is_yaml(file.name()));
    for (id, file) in yaml {
        let place = placed(file.name());
        let definition = definition(sources, id, findings);
        let stated = definition.as_ref().map(|one| (one.kind, one.name.as_str()));
        if let Some((kind, name)) = place.filter(|place| stated != Some(*place)) {
            located.add_unreadable(kind, name);
        }
        match definition {
            Some(one) if one.kind == DefinitionKind::Site => {
                if let Some(place) = place {
                    wrong_place(&one, place, findings);
                }
            }
            Some(one) => match place {
                Some(place) if place != (one.kind, one.name.as_str()) => {
                    wrong_place(&one, place, findings);
                    misplaced.push(one);
                }
                Some(_) | None => definitions.push(one),
            },
            None => {}
        }
    }
    reject_twins(&mut definitions, findings);
    // One that stands in a wrong place has been reported, so it is no twin of the one in the right place.
    misplaced.retain(|one| definitions.iter().all(|other| !other.is_twin(one)));
    definitions.extend(misplaced);
    definitions
}

/// Leaves the first of several definitions of one name.
fn reject_twins(definitions: &mut Vec<Definition>, findings: &mut Findings) {
    let mut names: HashMap<(DefinitionKind, String), Span> = HashMap::new();
    definitions.retain(|one| {
        if one.kind == DefinitionKind::Case {
            return true;
        }
        match names.entry((one.kind, one.name.clone())) {
            Entry::Vacant(entry) => {
                entry.insert(one.name_span());
                true
            }
            Entry::Occupied(first) => {
                let what = format!("the {} `{}` is defined twice", one.kind.key(), one.name);
                let finding = Diagnostic::error(codes::DUPLICATE_NAME, one.name_span(), what)
                    .related(*first.get(), "it is defined here first");
                findings.push(finding.help("rename one of the two"));
                false
            }
        }
    });
}

impl Definition {
    fn name_span(&self) -> Span {
        self.node
            .get(self.kind.key())
            .map_or(self.node.span, |node| node.span)
    }

    fn is_twin(&self, other: &Self) -> bool {
        self.kind == other.kind && self.name == other.name && self.kind != DefinitionKind::Case
    }
}

fn wrong_place(definition: &Definition, place: (DefinitionKind, &str), findings: &mut Findings) {
    let (kind, expected) = place;
    let span = definition.name_span();
    let key = definition.kind.key();
    let (what, help) = if kind == definition.kind {
        let what = format!("`{}` stands in the place of `{expected}`", definition.name);
        (what, format!("write `{key}: {expected}`, or move the file"))
    } else {
        let place = kind.key();
        let (one, other) = (article(key), article(place));
        let what = format!("this defines {one} {key}, in the place of {other} {place}");
        (what, format!("move the file to where each {key} belongs"))
    };
    findings.push(Diagnostic::error(codes::BAD_NAME, span, what).help(help));
}

fn article(word: &str) -> &'static str {
    if word.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    }
}

fn is_yaml(name: &str) -> bool {
    let end = std::path::Path::new(name).extension();
    end.is_some_and(|end| end.eq_ignore_ascii_case("yaml") || end.eq_ignore_ascii_case("yml"))
}

/// What a file's place says it defines: `connectors/<name>/connector.yaml`, `mappings/<pairing>/<flow>.yaml`.
fn placed(path: &str) -> Option<(DefinitionKind, &str)> {
    let below = |folder: &str| match path.rfind(&format!("/{folder}/")) {
        Some(at) => path.get(at + folder.len() + 2..),
        None => path.strip_prefix(folder)?.strip_prefix('/'),
    };
    if let Some(name) = below("connectors").and_then(|rest| rest.strip_suffix("/connector.yaml")) {
        return (!name.contains('/')).then_some((DefinitionKind::Connector, name));
    }
    let name = below("mappings")?.strip_suffix(".yaml")?;
    (name.split('/').count() == 2).then_some((DefinitionKind::Integration, name))
}

/// Reads one file. `None` if it cannot be used at all; why has been reported.
fn definition(sources: &SourceSet, file: FileId, findings: &mut Findings) -> Option<Definition> {
    let node = yaml::load(sources, file, findings)?;
    let (kind, _) = identify(&node, findings)?;
    if kind == DefinitionKind::Site {
        return Some(Definition {
            kind,
            name: String::new(),
            node,
            broken: Broken::new(),
        });
    }
    version(&node, findings)?;
    let mut broken = structure::check(&node, kind.table(), findings);
    if kind == DefinitionKind::Case {
        for (name, entry) in lower::case::raw_answers(&node) {
            let path = ["fetch", name, "response"];
            let place = Some(entry.key_span);
            broken.extend(structure::check_part(
                &entry.value,
                place,
                &case::RAW_ANSWER,
                &path,
                findings,
            ));
        }
    }
    let name = node
        .get(kind.key())
        .filter(|node| !broken.contains(&node.id))?;
    let name = name.scalar()?.text.clone();
    Some(Definition {
        kind,
        name,
        node,
        broken,
    })
}

/// What a file defines, and the place that says so.
fn identify(node: &Node, findings: &mut Findings) -> Option<(DefinitionKind, Span)> {
    let kinds = DefinitionKind::ALL.map(DefinitionKind::key);
    if let Some(found) = opens_with(node) {
        return Some(found);
    }
    let place = structure::point(node, None);
    let finding = match &node.value {
        Value::Broken => return None,
        Value::Scalar(_) if node.is_null() => {
            Diagnostic::error(codes::NOT_A_DEFINITION, place, "the file is empty")
        }
        Value::Scalar(_) | Value::List(_) => {
            let what = format!("the file holds {}, not a definition", node.describe());
            Diagnostic::error(codes::NOT_A_DEFINITION, place, what)
        }
        Value::Map(entries) => {
            let near = entries
                .iter()
                .find_map(|entry| Some((entry, words::nearest(&entry.key, kinds)?)));
            if let Some((entry, meant)) = near {
                let what = format!("unknown key `{}` in this file", entry.key);
                let finding = Diagnostic::error(codes::UNKNOWN_KEY, entry.key_span, what);
                findings.push(finding.help(format!("did you mean `{meant}`?")));
                return None;
            }
            let what = "the file does not say what it defines";
            Diagnostic::error(codes::NOT_A_DEFINITION, place, what)
        }
    };
    findings.push(finding.help(format!(
        "a definition has one of the keys {}",
        words::join(&kinds)
    )));
    None
}

/// Whether the file is of a version that can be read. `None` if not, which has been reported.
fn version(node: &Node, findings: &mut Findings) -> Option<()> {
    let Some(entry) = node.entry("version") else {
        // Without a version nothing else can be judged, and every file without one would have a second finding.
        let place = structure::point(node, None);
        let finding = Diagnostic::error(
            codes::VERSION,
            place,
            "the version of the language is missing",
        );
        findings.push(finding.help("write `version: 1` as the first line"));
        return None;
    };
    let place = structure::point(&entry.value, Some(entry.key_span));
    match entry.value.scalar() {
        Some(scalar) if scalar.text == VERSION && scalar.kind == Kind::Integer => {
            let first = node
                .entries()
                .first()
                .is_some_and(|first| first.key == "version");
            if !first {
                let what = "`version` must be the first key";
                findings.push(
                    Diagnostic::error(codes::VERSION, entry.key_span, what)
                        .help("move it to the top"),
                );
            }
            Some(())
        }
        Some(scalar) if scalar.text == VERSION => {
            let what = "the version must be the number 1";
            let finding = Diagnostic::error(codes::VERSION, place, what);
            findings.push(finding.help("write `version: 1`, without quotes"));
            None
        }
        Some(scalar) => {
            let what = format!("version `{}` of the language is not known", scalar.text);
            let finding = Diagnostic::error(codes::VERSION, place, what);
            findings
                .push(finding.help(
                    "this engine reads version 1: write `version: 1`, or use a newer engine",
                ));
            None
        }
        None => {
            if entry.value.value != Value::Broken {
                let what = "the version must be the number 1";
                findings.push(
                    Diagnostic::error(codes::VERSION, place, what).help("write `version: 1`"),
                );
            }
            None
        }
    }
}

/// SHA-256 over names and texts of what decides what is run, in name order.
fn hash(sources: &SourceSet, definitions: &[Definition]) -> [u8; 32] {
    let runs = |one: &&Definition| one.kind != DefinitionKind::Case;
    let files: HashSet<FileId> = definitions
        .iter()
        .filter(runs)
        .map(|one| one.node.span.file)
        .collect();
    let mut hash = Sha256::new();
    for (id, file) in sources.files() {
        if files.contains(&id) || schemas::name_of(file.name()).is_some() {
            for part in [below_root(file.name()), file.text()] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part.as_bytes());
            }
        }
    }
    hash.finalize().into()
}

/// A file's name without the folder the definitions lie in, so that moving them changes nothing.
fn below_root(name: &str) -> &str {
    let starts = ["connectors/", "mappings/", "schemas/"]
        .iter()
        .filter_map(|folder| {
            let at = name.find(&format!("/{folder}"))?;
            Some(at + 1)
        });
    starts.min().and_then(|at| name.get(at..)).unwrap_or(name)
}
