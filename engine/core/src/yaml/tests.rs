//! The node tree keeps every place, and every mistake of a file is found.

use super::*;
use crate::diagnostic::Findings;
use crate::source::SourceSet;
use proptest::prelude::*;

fn read(text: &str) -> (SourceSet, Option<Node>, Vec<String>) {
    let mut sources = SourceSet::new();
    let file = sources.add("a.yaml", text);
    let mut findings = Findings::new();
    let node = load(&sources, file, &mut findings);
    let found = findings.sorted(&sources);
    let shown = found.iter().map(|one| {
        let places: Vec<_> = one
            .related
            .iter()
            .map(|label| format!(" & {}", sources.position(label.span)))
            .collect();
        let related = places.concat();
        format!(
            "{} {}{related}",
            one.code,
            sources.position(one.primary.span)
        )
    });
    let shown = shown.collect();
    (sources, node, shown)
}

fn document(text: &str) -> Document {
    let (_, node, findings) = read(text);
    assert_eq!(findings, Vec::<String>::new(), "{text}");
    node.unwrap().to_document()
}

#[test]
fn scalars_follow_yaml_1_2_and_numbers_keep_their_digits() {
    let text = "a: yes\nb: true\nc: 10.10\nd: '10.10'\ne: 12345678901234567890123\nf:\ng: off\nh: 2026-03-14\ni: 1e5\nj: -0\nk: 1.2.3\nl: 08:00";
    let expected = r#"{"a":"yes","b":true,"c":10.10,"d":"10.10","e":12345678901234567890123,"f":null,"g":"off","h":"2026-03-14","i":1e5,"j":-0,"k":"1.2.3","l":"08:00"}"#;
    assert_eq!(
        document(text).to_string(),
        expected.replace("1e5", "1e+5").as_str()
    );
}

#[test]
fn numbers_that_would_change_are_refused() {
    for text in [
        "0000417", "+1", "0x1F", "0o17", ".5", "5.", ".inf", "-.INF", ".nan", "00", "+1.5",
    ] {
        let (_, node, findings) = read(&format!("key: {text}"));
        assert_eq!(findings, ["E0106 1:6"], "{text}");
        assert!(node.unwrap().has_broken());
    }
    for text in [
        "0", "-1", "1.5", "1_000", "12:30", "0x", "e5", ".", "1e", "0.0", "AB12", "1-2",
    ] {
        assert_eq!(
            read(&format!("key: {text}")).2,
            Vec::<String>::new(),
            "{text}"
        );
    }
}

#[test]
fn a_key_that_stands_twice_names_both_places() {
    let (_, node, findings) = read("a: 1\nb: 2\na: 3\n");
    assert_eq!(findings, ["E0104 3:1 & 1:1"]);
    assert_eq!(node.unwrap().to_document().to_string(), r#"{"a":1,"b":2}"#);
}

#[test]
fn what_definitions_do_not_use_is_one_finding_each() {
    for (text, expected) in [
        ("a: !!str 1", "E0105 1:4"),
        ("a: !x [1]", "E0105 1:4"),
        ("a: 1\n---\nb: 2", "E0105 2:1"),
        ("a: {{ x }}", "E0105 1:5"),
        ("? [a]\n: b", "E0105 1:3"),
        ("a: &x [*x]", "E0105 1:8"),
        ("a: *x", "E0101 1:4"),
        // What the parser notices is the line after.
        ("a:\n  b: 1\n\tc: 2", "E0101 3:1"),
        ("a:\n\tb: 1", "E0101 2:1"),
        ("a: 1\ntitle:What\nb: 2", "E0101 2:6"),
        ("a: b: c", "E0101 1:5"),
        ("a: 'x", "E0101 1:4"),
    ] {
        assert_eq!(read(text).2, [expected], "{text}");
    }
}

#[test]
fn aliases_work_and_their_expansion_is_bounded() {
    assert_eq!(
        document("a: &x {k: [1]}\nb: *x").to_string(),
        r#"{"a":{"k":[1]},"b":{"k":[1]}}"#
    );
    let mut text = "l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..8 {
        let before = level - 1;
        let items = vec![format!("*l{before}"); 10].join(", ");
        text += &[format!("l{level}: &l{level} [{items}]"), "\n".to_owned()].concat();
    }
    let (_, node, findings) = read(&text);
    assert!(node.is_none());
    assert_eq!(findings.len(), 1);
    assert!(findings[0].starts_with("E0103"), "{findings:?}");
}

#[test]
fn nesting_is_bounded_without_recursion() {
    let fits = format!("{}{}", "[".repeat(DEPTH_MAX), "]".repeat(DEPTH_MAX));
    assert_eq!(read(&fits).2, Vec::<String>::new());
    assert_eq!(read(&"[".repeat(DEPTH_MAX + 1)).2, ["E0103 1:65"]);
    assert!(read(&"[".repeat(100_000)).1.is_none());
    assert!(read(&"- ".repeat(100_000)).1.is_none());
    assert!(read(&"{a: ".repeat(100_000)).1.is_none());
    let mut chain = format!("l0: &l0 {}x{}\n", "[".repeat(30), "]".repeat(30));
    for level in 1..3 {
        let inner = format!("*l{}", level - 1);
        let line = [
            &*format!("l{level}: &l{level} "),
            &"[".repeat(30),
            &inner,
            &"]".repeat(30),
            "\n",
        ];
        chain += &line.concat();
    }
    assert_eq!(read(&chain).2.len(), 1);
}

#[test]
fn many_keys_are_read_in_linear_time() {
    let lines: Vec<_> = (0..60_000).map(|key| format!("k{key}: 1\n")).collect();
    let text = lines.concat();
    assert_eq!(read(&text).1.unwrap().entries().len(), 60_000);
}

#[test]
fn bytes_that_are_not_utf8_and_long_files_are_refused() {
    let mut sources = SourceSet::new();
    let bad = sources.add_bytes("bad", b"a: \xff");
    let long = sources.add("long", &"#".repeat(crate::source::FILE_BYTES_MAX + 1));
    let mut findings = Findings::new();
    assert!(load(&sources, bad, &mut findings).is_none());
    assert!(load(&sources, long, &mut findings).is_none());
    let codes: Vec<_> = findings.iter().map(|one| one.code.as_str()).collect();
    assert_eq!(codes, ["E0102", "E0103"]);
}

#[test]
fn an_empty_file_is_nothing() {
    for text in ["", "# only a remark\n", "---\n"] {
        assert_eq!(document(text), Document::Null);
    }
}

/// Every way to write a scalar: the place of each `NAME` in the content is the place of `NAME` in the file.
#[test]
fn places_in_a_scalar_are_places_in_the_file() {
    let forms = [
        "key: a NAME b",
        "key: 'it''s ''NAME'' b'",
        "key: \"é\\u00e9 \\\"\\n NAME\"",
        "key: \"a \\\n   b NAME\"",
        "key: a\n  b\n\n  c NAME\n",
        "key: |\n  first\n    deep NAME\n",
        "key: |2\n    lead\n  NAME\n",
        "key: >-\n  one\n  two\n\n  three NAME four\n",
        "key: \"one\n\n   two NAME\"",
        "key: |\n  \"quoted\" NAME\n",
        "key: \"NAME\"",
        "key: NAME",
    ];
    for text in forms {
        let (sources, node, findings) = read(text);
        assert!(findings.is_empty());
        let node = node.unwrap();
        let value = node.get("key").unwrap();
        let content = &value.scalar().unwrap().text;
        let offset = content.find("NAME").unwrap();
        let place = place(&sources, value.span, content, offset, 4);
        assert_eq!(place.start as usize, text.find("NAME").unwrap(), "{text}");
        assert_eq!(sources.text(place), "NAME", "{text}");
    }
}

#[test]
fn a_map_ends_with_its_last_member() {
    let (sources, node, _) = read("a:\n  b: 1\n  c: {d: 2}\n\n# remark\ne: 3\n");
    let node = node.unwrap();
    assert_eq!(
        sources.text(node.get("a").unwrap().span),
        "b: 1\n  c: {d: 2}"
    );
    assert_eq!(
        sources.text(node.get("a").unwrap().get("c").unwrap().span),
        "{d: 2}"
    );
}

proptest! {
    #[test]
    fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut sources = SourceSet::new();
        let file = sources.add_bytes("a", &bytes);
        load(&sources, file, &mut Findings::new());
    }

    #[test]
    fn reading_yaml_like_text_never_panics_and_spans_stay_inside(
        text in "[a-c0-9é€ \\n\\t:{}\\[\\],&*!|>'\"%@#.?~\\\\-]{0,120}",
    ) {
        let (sources, node, _) = read(&text);
        if let Some(node) = node {
            check_inside(&sources, &node, &text);
        }
    }
}

fn check_inside(sources: &SourceSet, node: &Node, text: &str) {
    let (start, end) = (node.span.start as usize, node.span.end as usize);
    assert!(text.get(start..end).is_some(), "{text:?} {:?}", node.span);
    if let Some(scalar) = node.scalar() {
        for (offset, _) in scalar.text.char_indices() {
            let found = place(sources, node.span, &scalar.text, offset, 1);
            assert!(found.start >= node.span.start && found.end <= node.span.end);
        }
    }
    for item in node.items() {
        check_inside(sources, item, text);
    }
    for entry in node.entries() {
        check_inside(sources, &entry.value, text);
    }
}
