//! Findings as workflow commands: annotations at the lines of a pull request.

use super::{Finding, FindingsOutput, Place};
use std::fmt::Write as _;

/// One command per finding.
pub(crate) fn github(output: &FindingsOutput) -> String {
    output.findings.iter().fold(String::new(), |text, finding| {
        text + &command(finding) + "\n"
    })
}

fn command(finding: &Finding) -> String {
    let mut properties = String::new();
    if let Some(Place {
        file,
        line,
        column,
        end_line,
        end_column,
    }) = &finding.place
    {
        let _infallible = write!(properties, "file={},line={line},", property(file));
        // Columns mean something to the reader of these commands only within one line.
        if line == end_line {
            let _infallible = write!(properties, "col={column},endColumn={end_column},");
        } else {
            let _infallible = write!(properties, "endLine={end_line},");
        }
    }
    let mut text = finding.message.clone();
    let explanation = finding.explanation();
    if !explanation.is_empty() {
        text = text + "\n" + &explanation;
    }
    format!(
        "::{} {properties}title={}::{}",
        finding.severity.as_str(),
        property(&finding.code),
        data(&text)
    )
}

/// Escapes as the workflow commands of `actions/toolkit` read them.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use crate::findings::samples;

    #[test]
    fn a_finding_is_one_line_whatever_stands_in_it() {
        let text = super::github(&samples::two());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(
            lines[0],
            "::error file=mappings/netledger payfast/create.yaml,line=18,col=16,endColumn=26,title=E0203::\
             connector `netledger` has no operation `create_bil`%0Anot one of: create_bill, get_bill, void_bill%0A\
             operations are declared here: connectors/netledger/connector.yaml:41:5%0Ahelp: did you mean `create_bill`?"
        );
        assert_eq!(
            lines[1],
            "::warning title=E0101::100%25 <odd>, and: strange"
        );
    }
}
