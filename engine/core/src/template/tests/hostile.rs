//! Secrets, sizes and nonsense.

use super::*;

#[test]
fn errors_never_show_values() {
    let document = json!({ "who": { "ssn": "078-05-1120", "pay": 12345 } });
    let scope = scope_of(&document);
    for source in [
        "who.ssn | decimal",
        "who.ssn + 1",
        "who.pay == who.ssn",
        "who.ssn | to_date",
        "who.ssn | from_minor('GBP')",
        "who.pay | from_minor(who.ssn)",
        "who.ssn[1:'x']",
        "who[who.ssn]",
        "who.ssn.x",
        "who.ssn | from_json",
        "who.pay * 'x'",
        "who.pay[who.ssn:]",
    ] {
        let error = Expression::compile(source)
            .unwrap()
            .value(&scope)
            .unwrap_err();
        let shown = format!("{error} {error:?}");
        let is_quoted_code = source == "who.pay | from_minor(who.ssn)";
        assert!(!shown.contains("078-05") || is_quoted_code, "{shown}");
        assert!(!shown.contains("12345"), "{shown}");
    }
    assert_eq!(format!("{scope:?}"), r#"["who"]"#);
}

#[test]
fn work_is_bounded() {
    let chain = |n: usize, with: &str| vec!["a"; n].join(with);
    for operator in [" and ", " or ", " ~ ", "."] {
        assert!(
            Expression::compile(&chain(90, operator)).is_ok(),
            "{operator}"
        );
        let error = Expression::compile(&chain(20_000, operator)).unwrap_err();
        assert!(
            [
                "the expression is too long",
                "it is longer than 65536 bytes"
            ]
            .contains(&error.why.as_str()),
            "{error}"
        );
    }
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("-", ""),
        ("not ", ""),
        ("a if b else ", ""),
        ("a | default(", ")"),
    ] {
        for n in [100, 10_000] {
            drop(Expression::compile(&format!(
                "{}a{}",
                open.repeat(n),
                close.repeat(n)
            )));
            drop(Template::compile(&format!(
                "{{{{ {}a{} }}}}",
                open.repeat(n),
                close.repeat(n)
            )));
        }
    }
    let pad = Expression::compile("'a' | pad_left(1000000)").unwrap();
    assert_eq!(
        pad.value(&Scope::new()).unwrap_err().why,
        "a count must be a whole number from 0 to 10000"
    );
    let long = json!("x".repeat(20_000_000));
    let scope = Scope::new().with("a", &long);
    let twice = Expression::compile("a ~ a").unwrap();
    assert_eq!(
        twice.value(&scope).unwrap_err().why,
        "the text would be longer than 33554432 bytes"
    );
    let many = Template::compile(&"{{ a }} ".repeat(1000)).unwrap();
    assert_eq!(many.reads().len(), 1000);
}

proptest! {
    #[test]
    fn no_source_makes_the_compiler_panic(source in ".{0,60}") {
        let document = sample();
        let scope = scope_of(&document);
        if let Ok(expression) = Expression::compile(&source) {
            drop(expression.value(&scope));
        }
        if let Ok(template) = Template::compile(&source) {
            drop(template.value(&scope));
        }
        drop(Path::compile(&source));
    }

    #[test]
    fn near_expressions_do_not_panic(parts in proptest::collection::vec(
        prop::sample::select(vec!["payment", ".", "amount", "|", "from_minor", "(", ")", "'GBP'", "+", "==", "in", "rows", "[", "]",
            "0", "-", "is", "not", "none", "default", ",", "if", "else", "~", "*", "{", "}", ":", " ", "map", "attribute=", "%", "//"]), 0..14)) {
        let source = parts.join(" ");
        let document = sample();
        if let Ok(expression) = Expression::compile(&source) {
            drop(expression.value(&scope_of(&document)));
        }
    }

    #[test]
    fn any_text_comes_through_unchanged(text in "\\PC{0,30}") {
        let document = json!({ "t": text.clone() });
        let scope = scope_of(&document);
        let quoted = Document::from(text.clone()).to_string();
        for source in ["t".to_owned(), "t ~ ''".to_owned(), format!("{quoted} ~ ''"), format!("[t, {quoted}] | last")] {
            let value = Expression::compile(&source).unwrap().value(&scope).unwrap();
            prop_assert_eq!(value, Document::from(text.clone()));
        }
    }

    #[test]
    fn decimals_compare_as_numbers(a in -100_000_i64..100_000, s in 0_u32..5, b in -1000_i64..1000) {
        let x = rust_decimal::Decimal::new(a, s);
        let document = parse(&format!("{{\"x\": {x}, \"b\": {b}}}"));
        let scope = scope_of(&document);
        let holds = |source: &str| Expression::compile(source).unwrap().holds(&scope).unwrap();
        let y = rust_decimal::Decimal::from(b);
        prop_assert_eq!(holds("x == b"), x == y);
        prop_assert_eq!(holds("b < x"), y < x);
        prop_assert_eq!(holds("x >= b"), x >= y);
        prop_assert_eq!(holds("x in [b]"), x == y);
    }
}
