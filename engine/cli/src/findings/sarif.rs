//! Findings as SARIF 2.1.0 (OASIS), for code scanning.

use super::{Finding, FindingsOutput, Place, Severity};
use indexmap::IndexSet;
use serde_sarif::sarif::{
    ArtifactLocation, Location, Message, MultiformatMessageString, PhysicalLocation, Region,
    ReportingDescriptor, Result as Entry, ResultLevel, Run, SCHEMA_URL, Sarif, Tool, ToolComponent,
};

/// What is known about a code: its title and its page.
pub(crate) struct Rule {
    /// One line.
    pub(crate) title: String,
    /// The page, Markdown.
    pub(crate) page: String,
}

/// The log. `rule` says what is known about a code.
pub(crate) fn sarif(output: &FindingsOutput, rule: impl Fn(&str) -> Option<Rule>) -> Sarif {
    let codes: IndexSet<&str> = output
        .findings
        .iter()
        .map(|finding| finding.code.as_str())
        .collect();
    let rules: Vec<ReportingDescriptor> = codes
        .iter()
        .map(|code| descriptor(code, rule(code)))
        .collect();
    let results: Vec<Entry> = output
        .findings
        .iter()
        .map(|finding| entry(finding, &codes))
        .collect();
    let driver = ToolComponent::builder()
        .name("ml-connector")
        .version(env!("CARGO_PKG_VERSION"))
        .rules(rules)
        .build();
    let run = Run::builder()
        .tool(Tool::builder().driver(driver).build())
        // Our columns count characters; without this word readers count UTF-16 units.
        .column_kind("unicodeCodePoints")
        .results(results)
        .build();
    Sarif::builder()
        .version("2.1.0")
        .schema(SCHEMA_URL)
        .runs(vec![run])
        .build()
}

fn descriptor(code: &str, rule: Option<Rule>) -> ReportingDescriptor {
    let Some(Rule { title, page }) = rule else {
        return ReportingDescriptor::builder().id(code).build();
    };
    let text = |text: String| MultiformatMessageString::builder().text(text).build();
    let help = MultiformatMessageString::builder()
        .text(page.clone())
        .markdown(page)
        .build();
    ReportingDescriptor::builder()
        .id(code)
        .short_description(text(title))
        .help(help)
        .build()
}

fn entry(finding: &Finding, codes: &IndexSet<&str>) -> Entry {
    let explanation = finding.explanation();
    let text = if explanation.is_empty() {
        finding.message.clone()
    } else {
        format!("{}\n{explanation}", finding.message)
    };
    let level = match finding.severity {
        Severity::Error => ResultLevel::Error,
        Severity::Warning => ResultLevel::Warning,
    };
    let index = codes
        .get_index_of(finding.code.as_str())
        .and_then(|index| index.try_into().ok());
    let locations: Vec<Location> = finding
        .place
        .iter()
        .map(|place| location(place, None))
        .collect();
    let related: Vec<Location> = finding
        .related
        .iter()
        .map(|related| location(&related.place, Some(&related.message)))
        .collect();
    let mut entry = Entry::builder()
        .rule_id(finding.code.as_str())
        .level(level)
        .message(message(&text))
        .locations(locations)
        .related_locations(related)
        .build();
    entry.rule_index = index;
    entry
}

fn location(place: &Place, words: Option<&str>) -> Location {
    let line = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let region = Region::builder()
        .start_line(line(place.line))
        .start_column(line(place.column))
        .end_line(line(place.end_line))
        .end_column(line(place.end_column))
        .build();
    let physical = PhysicalLocation::builder()
        .artifact_location(ArtifactLocation::builder().uri(uri(&place.file)).build())
        .region(region)
        .build();
    let mut location = Location::builder().physical_location(physical).build();
    location.message = words.map(message);
    location
}

fn message(text: &str) -> Message {
    Message::builder().text(text).build()
}

/// A relative reference (RFC 3986 section 4.2) for a path.
fn uri(path: &str) -> String {
    use std::fmt::Write as _;
    path.bytes().fold(String::new(), |mut uri, byte| {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _infallible = write!(uri, "%{byte:02X}");
        }
        uri
    })
}

#[cfg(test)]
mod tests {
    use super::Rule;
    use crate::findings::samples;
    use serde_json::json;

    #[test]
    fn places_are_whole_regions_and_paths_are_uris() {
        let rule = |code: &str| {
            (code == "E0203").then(|| Rule {
                title: "No such operation".into(),
                page: "# No".into(),
            })
        };
        let log = serde_json::to_value(super::sarif(&samples::two(), rule)).unwrap();
        let run = &log["runs"][0];
        assert_eq!(log["version"], "2.1.0");
        assert_eq!(run["columnKind"], "unicodeCodePoints");
        assert_eq!(
            run["tool"]["driver"]["rules"][0]["shortDescription"]["text"],
            "No such operation"
        );
        let first = &run["results"][0];
        assert_eq!(first["ruleIndex"], 0);
        assert_eq!(first["level"], "error");
        assert_eq!(
            first["locations"][0]["physicalLocation"],
            json!({
                "artifactLocation": { "uri": "mappings/netledger%20payfast/create.yaml" },
                "region": { "startLine": 18, "startColumn": 16, "endLine": 18, "endColumn": 26 },
            })
        );
        assert_eq!(
            first["relatedLocations"][0]["message"]["text"],
            "operations are declared here"
        );
        let second = &run["results"][1];
        assert_eq!(
            (&second["ruleIndex"], &second["level"]),
            (&json!(1), &json!("warning"))
        );
    }
}
