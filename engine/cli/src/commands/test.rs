//! `test`: the mapping cases, run without a network.

use crate::definitions::{Definitions, Group, groups};
use crate::expected;
use crate::failure::Exit;
use crate::findings::Place;
use crate::outputs::{Output, keep};
use crate::site::default_path;
use crate::table::count;
use crate::terminal::{Terminal, Tone};
use clap::ValueEnum;
use ml_connector_core::cases::{self, Case, Difference, Verdict};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value as Document;
use std::path::PathBuf;

/// Arguments of `test`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    ml-connector test\n  \
    ml-connector test mappings/netledger-payfast --filter refund\n  \
    ml-connector test --update                                # takes what came of failed cases for right\n  \
    ml-connector test --format json --output junit=cases.xml\n\n\
    Exit codes: 0 all passed, 1 some failed, 2 wrong usage or unreadable file.")]
pub(crate) struct Args {
    /// Case files, or folders with definitions. Without any: everything in the present folder.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Run only cases whose name, file or integration contains this.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Rewrite what failed cases expect to what came of them. Read the difference before you keep it.
    #[arg(long)]
    update: bool,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Keep the results in a file as well; may be given several times.
    #[arg(long, value_name = "FORMAT=FILE")]
    output: Vec<Output<Format>>,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Format {
    /// For people: what failed, with its differences.
    #[default]
    Text,
    /// One JSON document; `ml-connector schema output test` describes it.
    Json,
    /// JUnit XML, one test per case.
    Junit,
}

/// Output of `test --format json`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "test")]
pub(crate) struct TestOutput {
    /// Version of this document's form.
    version: u32,
    /// Every case that ran, by file.
    cases: Vec<CaseView>,
    /// How many passed.
    passed: usize,
    /// How many did not.
    failed: usize,
}

/// How one case went.
#[derive(Debug, Serialize, JsonSchema)]
struct CaseView {
    /// What it shows.
    case: String,
    /// The integration it tests.
    integration: String,
    /// Where it stands.
    place: Place,
    /// Whether it passed.
    passed: bool,
    /// Where something else came of it than expected, in the terms of `expect`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differences: Vec<DifferenceView>,
    /// Why it did not come to an end.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// How to mend that.
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    /// Whether the file was rewritten.
    updated: bool,
}

/// One difference.
#[derive(Debug, Serialize, JsonSchema)]
struct DifferenceView {
    /// Dotted path, e.g. `expect.deliver.request.url`.
    path: String,
    /// What was expected; absent for nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<Document>,
    /// What came; absent for nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    actual: Option<Document>,
    /// Both for people, cut to where they part.
    text: String,
}

pub(super) fn perform(args: &Args, terminal: &mut Terminal) -> anyhow::Result<Exit> {
    let paths = if args.paths.is_empty() {
        vec![default_path()]
    } else {
        args.paths.clone()
    };
    let mut output = TestOutput {
        version: 1,
        cases: Vec::new(),
        passed: 0,
        failed: 0,
    };
    for group in groups(&paths)?.values() {
        let mut definitions = Definitions::load(group.root())?;
        definitions.sound(terminal)?;
        run(args, group, &definitions, &mut output)?;
    }
    output.passed = output.cases.iter().filter(|case| case.passed).count();
    output.failed = output.cases.len() - output.passed;
    for kept in &args.output {
        keep(&kept.file, &printed(kept.format, &output, None)?)?;
    }
    let text = printed(args.format, &output, Some(&*terminal))?;
    terminal.raw(text)?;
    tell_summary(&output, terminal);
    let failed = output
        .cases
        .iter()
        .any(|case| !case.passed && !case.updated);
    Ok(if failed { Exit::Findings } else { Exit::Fine })
}

fn run(
    args: &Args,
    group: &Group,
    definitions: &Definitions,
    output: &mut TestOutput,
) -> anyhow::Result<()> {
    let Definitions {
        sources, library, ..
    } = definitions;
    for case in &library.cases {
        let place = Place::of(case.span, sources);
        if !group.names(&place.file) || !selected(args.filter.as_deref(), case, &place.file) {
            continue;
        }
        let verdict = cases::run(library, case);
        let mut view = CaseView::of(case, place, &verdict);
        if let (true, Verdict::Failed { actual, .. }) = (args.update, &verdict) {
            expected::rewrite(case, actual, sources)?;
            view.updated = true;
        }
        output.cases.push(view);
    }
    Ok(())
}

fn selected(filter: Option<&str>, case: &Case, file: &str) -> bool {
    filter.is_none_or(|text| {
        let text = text.to_lowercase();
        [case.name.as_str(), file, case.integration.as_str()]
            .iter()
            .any(|one| one.to_lowercase().contains(&text))
    })
}

impl CaseView {
    fn of(case: &Case, place: Place, verdict: &Verdict) -> Self {
        let mut view = Self {
            case: case.name.clone(),
            integration: case.integration.to_string(),
            place,
            passed: *verdict == Verdict::Passed,
            differences: Vec::new(),
            why: None,
            help: None,
            updated: false,
        };
        match verdict {
            Verdict::Passed => {}
            Verdict::Failed { differences, .. } => {
                view.differences = differences.iter().map(DifferenceView::of).collect();
            }
            Verdict::Broken { why, help } => {
                (view.why, view.help) = (Some(why.clone()), Some(help.clone()));
            }
        }
        view
    }

    fn title(&self) -> String {
        format!("{}:{}: {}", self.place.file, self.place.line, self.case)
    }

    /// What is wrong, for people.
    fn details(&self) -> String {
        let mut lines: Vec<&str> = self
            .differences
            .iter()
            .flat_map(|difference| difference.text.lines())
            .collect();
        lines.extend(self.why.as_deref());
        let help = self.help.as_ref().map(|help| format!("help: {help}"));
        lines.extend(help.as_deref());
        lines.join("\n")
    }
}

impl DifferenceView {
    fn of(difference: &Difference) -> Self {
        Self {
            path: difference.path.clone(),
            expected: difference.expected.clone(),
            actual: difference.actual.clone(),
            text: difference.to_string(),
        }
    }
}

/// In a format; coloured as the terminal allows, plain without one.
fn printed(
    format: Format,
    output: &TestOutput,
    terminal: Option<&Terminal>,
) -> anyhow::Result<String> {
    Ok(match format {
        Format::Text => text(output, terminal),
        Format::Json => format!("{:#}\n", serde_json::to_value(output)?),
        Format::Junit => junit(output)?,
    })
}

fn text(output: &TestOutput, terminal: Option<&Terminal>) -> String {
    let tone = |tone, text: &str| {
        terminal.map_or_else(|| text.to_owned(), |terminal| terminal.tone(tone, text))
    };
    let failed = output.cases.iter().filter(|case| !case.passed);
    let lines = failed.flat_map(|case| {
        let word = if case.updated {
            tone(Tone::Doubt, "updated")
        } else {
            tone(Tone::Bad, "failed")
        };
        let head = format!("{word} {}\n", case.title());
        let details = case.details();
        let details: Vec<String> = details
            .lines()
            .map(|line| format!("    {line}\n"))
            .collect();
        std::iter::once(head).chain(details)
    });
    lines.collect()
}

fn junit(output: &TestOutput) -> anyhow::Result<String> {
    let mut suite = TestSuite::new("cases");
    for case in &output.cases {
        let status = if case.passed || case.updated {
            TestCaseStatus::success()
        } else {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let first = case
                .differences
                .first()
                .map(|one| format!("{} differs", one.path));
            status
                .set_message(first.or_else(|| case.why.clone()).unwrap_or_default())
                .set_description(case.details());
            status
        };
        let mut test = TestCase::new(case.title(), status);
        test.set_classname(case.integration.as_str());
        suite.add_test_case(test);
    }
    let mut report = Report::new("ml-connector");
    report.add_test_suite(suite);
    Ok(report.to_string()?)
}

fn tell_summary(output: &TestOutput, terminal: &mut Terminal) {
    if output.cases.is_empty() {
        terminal.tell(terminal.tone_told(Tone::Doubt, "no cases ran"));
        return;
    }
    let updated = output.cases.iter().filter(|case| case.updated).count();
    let failed = output.failed - updated;
    let mut parts = vec![count(output.passed, "case passed", "cases passed")];
    if updated > 0 {
        parts.push(format!("{updated} updated"));
    }
    if failed > 0 {
        parts.push(format!("{failed} failed"));
    }
    let tone = if failed > 0 { Tone::Bad } else { Tone::Good };
    terminal.tell(terminal.tone_told(tone, &parts.join(", ")));
}
