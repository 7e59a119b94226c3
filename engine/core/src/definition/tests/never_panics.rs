//! Whatever stands in a file, reading it ends with findings.

use super::*;
use proptest::prelude::*;

fn check(sources: &SourceSet) {
    let mut findings = Findings::new();
    library::load(sources, &mut findings);
    for (id, _) in sources.files() {
        findings.extend(Site::load(sources, id).1);
    }
    for finding in &findings {
        let text = sources.file(finding.primary.span.file).unwrap().text();
        let (start, end) = (
            finding.primary.span.start as usize,
            finding.primary.span.end as usize,
        );
        assert!(text.get(start..end).is_some(), "{finding:?}");
        assert!(
            !finding.message.is_empty() && !finding.message.ends_with('.'),
            "{finding:?}"
        );
    }
}

fn sample() -> impl Strategy<Value = (&'static str, &'static str)> {
    let site: &[(&str, &str)] = &[("ml-connector.yaml", SITE)];
    prop::sample::select([SAMPLES, site].concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn on_arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300), head in prop::sample::select(vec!["", "version: 1\nconnector: x\n", "version: 1\nintegration: x\n", "version: 1\ncase: x\n", "version: 1\nsite: x\n"])) {
        let mut sources = SourceSet::new();
        sources.add_bytes("connectors/x/connector.yaml", &[head.as_bytes(), &bytes[..]].concat());
        sources.add_bytes("schemas/x/a.json", &bytes);
        check(&sources);
    }

    #[test]
    fn on_a_sample_with_a_line_gone((name, text) in sample(), at in any::<prop::sample::Index>()) {
        let mut lines: Vec<_> = text.lines().collect();
        lines.remove(at.index(lines.len()));
        let mut sources = samples();
        sources.add(name, &lines.join("\n"));
        check(&sources);
    }

    #[test]
    fn on_a_sample_with_a_piece_replaced((name, text) in sample(), at in any::<prop::sample::Index>(), length in 0_usize..12, new in "[a-z0-9:{}\\[\\]\"' \\n.$*&!|-]{0,8}") {
        let mut bytes = text.as_bytes().to_vec();
        let from = at.index(bytes.len());
        let to = (from + length).min(bytes.len());
        bytes.splice(from..to, new.bytes());
        let mut sources = samples();
        sources.add_bytes(name, &bytes);
        check(&sources);
    }

    #[test]
    fn on_a_sample_with_a_value_of_another_kind((name, text) in sample(), at in any::<prop::sample::Index>(), new in prop::sample::select(vec!["[]", "{}", "null", "12", "1.5", "true", "'{{ x'", "[[a]]", "{a: {b: c}}", "''"])) {
        let lines: Vec<_> = text.lines().collect();
        let line = at.index(lines.len());
        let replaced: Vec<String> = lines.iter().enumerate().map(|(number, text)| {
            match text.split_once(": ") {
                Some((key, _)) if number == line => format!("{key}: {new}"),
                _ => (*text).to_owned(),
            }
        }).collect();
        let mut sources = samples();
        sources.add(name, &replaced.join("\n"));
        check(&sources);
    }
}
