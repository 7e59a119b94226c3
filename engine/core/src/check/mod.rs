//! What is wrong with definitions that are well-formed one by one: names, references, types, units of money, safety.
//!
//! The rules run over lowered definitions, when everything that can be said about the form of a file has been said. Each
//! rule is one file below `rules` and only collects findings. Where something is broken that was reported before (a name
//! that stands in the file but not in the plan), rules stay silent: one mistake, one finding.

mod infer;
mod locate;
mod nearest;
mod rules;
mod scope;
mod site;
mod walk;

pub use site::check_site;

use crate::diagnostic::Findings;
use crate::plan::Library;
use crate::source::{SourceSet, Span};
use crate::yaml;
use locate::Locator;
use std::ops::Range;
use walk::{Leaf, Walk};

/// Everything wrong with a library. `sources` are the texts it was read from.
pub fn check(library: &Library, sources: &SourceSet) -> Findings {
    let context = Context {
        library,
        locator: Locator::new(library, sources),
        walk: Walk::of(library),
    };
    let mut findings = Findings::new();
    for rule in rules::ALL {
        rule(&context, &mut findings);
    }
    findings
}

/// What rules look at.
struct Context<'a> {
    library: &'a Library,
    locator: Locator<'a>,
    walk: Walk<'a>,
}

impl Context<'_> {
    /// Where a part of an expression stands in its file.
    fn place(&self, leaf: &Leaf<'_>, at: &Range<usize>) -> Span {
        match leaf.span {
            Some(span) => yaml::place(
                self.locator.sources(),
                span,
                leaf.source,
                at.start,
                at.len(),
            ),
            // Made without a file; the definition's first line is the best there is.
            None => self.locator.value(leaf.owner, &[]),
        }
    }
}
