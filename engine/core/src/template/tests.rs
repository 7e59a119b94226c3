//! What expressions promise, tried from outside.

use super::*;
use proptest::prelude::*;
use serde_json::{Value as Document, json};

fn scope_of(document: &Document) -> Scope<'_> {
    let mut scope = Scope::new();
    for (name, value) in document.as_object().unwrap() {
        scope.set(name, value);
    }
    scope
}

fn parse(text: &str) -> Document {
    serde_json::from_str(text).unwrap()
}

fn sample() -> Document {
    parse(
        r#"{
        "payment": {"id": "PM1", "amount": 4950, "fee": 0.30, "currency": "GBP", "note": null,
                    "links": {"mandate": "MD1"}, "on": "2026-03-14", "at": "2026-03-14T23:30:00+01:00"},
        "rows": [{"value": "10.10", "n": 1, "kind": "a"}, {"value": "-3.05", "n": 2, "kind": "b"}],
        "body": {"a": {"code": "X"}, "b": [{"code": ""}, {"code": ["Y", "Z"]}]},
        "big": 123456789012345678901234567890.10,
        "huge": 0.123456789012345678901234567890123456789,
        "text": "ERROR: UserID is invalid",
        "empty": []
    }"#,
    )
}

/// Evaluates the expression over the sample and gives the JSON text of its value, or why it has none.
fn eval(source: &str) -> String {
    let document = sample();
    match Expression::compile(source) {
        Ok(expression) => match expression.value(&scope_of(&document)) {
            Ok(value) => value.to_string(),
            Err(error) => error.why,
        },
        Err(error) => format!("{} @{}", error.why, error.offset),
    }
}

#[track_caller]
fn check(cases: &[(&str, &str)]) {
    for (source, expected) in cases {
        assert_eq!(&eval(source), expected, "{source}");
    }
}

#[test]
fn values_keep_their_types_and_digits() {
    check(&[
        ("payment.amount", "4950"),
        ("payment.fee", "0.30"),
        ("payment.note", "null"),
        ("payment['links'].mandate", "\"MD1\""),
        ("big", "123456789012345678901234567890.10"),
        ("huge", "0.123456789012345678901234567890123456789"),
        ("[huge]", "[0.123456789012345678901234567890123456789]"),
        ("rows[1].n", "2"),
        ("rows[-1].kind", "\"b\""),
        (
            "{'a': payment.fee, 'b': [1, none, true]}",
            r#"{"a":0.30,"b":[1,null,true]}"#,
        ),
        ("payment.links", r#"{"mandate":"MD1"}"#),
        ("rows[:1]", r#"[{"value":"10.10","n":1,"kind":"a"}]"#),
    ]);
}

#[test]
fn arithmetic_is_exact() {
    check(&[
        ("payment.fee + 1", "1.30"),
        ("payment.fee * 3", "0.90"),
        ("1 - payment.fee", "0.70"),
        ("-payment.fee", "-0.30"),
        ("7 // 2", "3"),
        ("-7 // 2", "-4"),
        ("-7 % 3", "2"),
        ("7 // 0", "division by zero"),
        (
            "payment.fee // 1",
            "`//` and `%` need whole numbers; use `| div(x, scale)`",
        ),
        ("'0.1' | decimal | add('0.2')", "0.3"),
        ("10 | div(3, 2)", "3.33"),
        ("10 | div(3, scale=4, mode='up')", "3.3334"),
        ("'2.5' | round", "2"),
        ("'2.5' | round(mode='half_up')", "3"),
        ("3 | round(2)", "3.00"),
        ("payment.fee | neg | abs", "0.30"),
        ("payment.amount | from_minor(payment.currency)", "49.50"),
        ("payment.amount | from_minor('JPY')", "4950"),
        ("'49.50' | to_minor('GBP')", "4950"),
        ("rows | sum_of('value')", "7.05"),
        ("empty | sum", "0"),
        ("huge + 1", "a number has more than 28 digits"),
        (
            "'5' + 1",
            "an operator needs numbers; make the text a number with `| decimal`",
        ),
        ("'a' + 'b'", "\"ab\""),
    ]);
}

#[test]
fn comparisons_are_exact_across_kinds_of_number() {
    check(&[
        ("payment.fee == '0.3' | decimal", "true"),
        ("'1.00' | decimal == 1", "true"),
        ("1 == '1.00' | decimal", "true"),
        ("'1.01' | decimal > 1", "true"),
        ("2 > '10.00' | decimal", "false"),
        ("'10.00' | decimal in [1, 10]", "true"),
        (
            "[1, {'a': '2.0' | decimal}] == ['1.0' | decimal, {'a': 2}]",
            "true",
        ),
        ("payment.amount != 4950", "false"),
        ("'a' < 'b'", "true"),
        ("'M' in payment.id and 'links' in payment", "true"),
        ("3 not in [1, 2]", "true"),
        ("payment.note == 1", "false"),
        ("[3, '1.5' | decimal, 2] | sort", "[1.5,2,3]"),
        ("[3, '3.5' | decimal, 2] | max", "3.5"),
        ("[1, '1.0' | decimal, 2] | unique", "[1,2]"),
        (
            "rows[0].value == 10",
            "a number is compared with a text; make the text a number with `| decimal`",
        ),
        ("true < 1", "a boolean and a number have no order"),
    ]);
}

#[test]
fn floats_are_impossible() {
    for (source, why) in [
        ("1.5 + 1", "a literal with a point would be a binary float"),
        (
            "payment.amount * 1e2",
            "a literal with a point would be a binary float",
        ),
        ("payment.amount / 100", "`/` would make a binary float"),
        ("2 ** 3", "`**` would make a binary float"),
        ("payment.amount | float", "there is no filter `float`"),
        ("range(3)", "there are no functions to call here"),
    ] {
        let error = Expression::compile(source).unwrap_err();
        assert_eq!(error.why, why, "{source}");
    }
}

#[test]
fn what_is_missing_is_an_error_that_names_it() {
    check(&[
        ("payment.amont", "`payment` has no `amont`"),
        (
            "payment.links.customer",
            "`payment.links` has no `customer`",
        ),
        (
            "payment.note.text",
            "`payment.note` is null and has no `text`",
        ),
        (
            "payment.links.customer == 'a'",
            "`payment.links` has no `customer`",
        ),
        ("nobody.x + 1", "there is no `nobody` here"),
        ("payment.nothing | upper", "`payment` has no `nothing`"),
        ("empty | first", "it has no value"),
        ("not payment.nothing", "`payment` has no `nothing`"),
    ]);
}

#[test]
fn defaults_look_along_the_whole_chain() {
    check(&[
        ("payment.x.y.z | default('d')", "\"d\""),
        ("payment.note.deep | default('d')", "\"d\""),
        ("payment.note | default('d')", "\"d\""),
        ("payment.id | default('d')", "\"PM1\""),
        ("nobody.at.all | default(none)", "null"),
        ("rows[7].n | default(0)", "0"),
        ("payment['links']['mandate'] | default('x')", "\"MD1\""),
        ("payment.x.y is defined", "false"),
        ("payment.links.mandate is defined", "true"),
        ("payment.x.y is undefined", "true"),
        ("payment.id | default(nobody.at | upper)", "\"PM1\""),
        ("payment.x | default(payment.id | lower)", "\"pm1\""),
        (
            "payment.x | default(nobody.at | upper)",
            "there is no `nobody` here",
        ),
        ("payment.x | default(payment.y | default(3)) + 1", "4"),
        ("payment.note is none", "true"),
        ("payment.id is not none", "true"),
        ("empty | first | default('none there')", "\"none there\""),
    ]);
}

#[test]
fn texts_and_lists() {
    check(&[
        ("text is matching('(?i)^error.*userid')", "true"),
        ("text is not matching('^ok')", "true"),
        ("text is matching('(?i)^' ~ 'ERROR')", "true"),
        (
            "['49.50-', '-1.00', '2.00+', '3'] | map('sign_first') | sum",
            "-45.50",
        ),
        ("text is matching('(?i)' ~ 'userid')", "true"),
        (
            "text is matching('(' ~ text)",
            "the pattern is not a regular expression",
        ),
        (
            "['12.50-', '12.50', '-3', '7 -'] | map('sign_first') | join(' ')",
            "\"-12.50 12.50 -3 -7\"",
        ),
        ("'ab' ~ 1 ~ true", "\"ab1true\""),
        ("payment.fee ~ ''", "\"0.30\""),
        ("'7' | pad_left(3, '0')", "\"007\""),
        ("'7' | pad_right(3) ~ '|'", "\"7  |\""),
        ("'Müller & Söhne €' | translit", "\"Muller & Sohne EUR\""),
        ("'añb' | truncate(2)", "\"añ\""),
        ("'a b/c~ü' | urlencode", "\"a%20b%2Fc~%C3%BC\""),
        ("'abc' | sha256_hex(8)", "\"ba7816bf\""),
        ("'a,b' | split(',') | join('-')", "\"a-b\""),
        ("' a  b ' | split", r#"["a","b"]"#),
        ("body | descend('code')", r#"["X","Y","Z"]"#),
        ("body | descend('nothing') | length", "0"),
        ("none | descend('code') | length", "0"),
        ("rows | map(attribute='n') | sum", "3"),
        ("rows | map(attribute='x', default=0) | sum", "0"),
        ("['a', 'b'] | map('upper') | join", "\"AB\""),
        ("['7'] | map('pad_left', 3, '0') | first", "\"007\""),
        (
            "rows | selectattr('kind', 'eq', 'b') | map(attribute='n')",
            "[2]",
        ),
        ("rows | rejectattr('kind', '==', 'b') | length", "1"),
        ("['ab', 'cd'] | select('matching', '^a')", r#"["ab"]"#),
        ("[1, 0, 2] | reject", "[0]"),
        ("{'a': payment.fee} | tojson", r#""{\"a\":0.30}""#),
        ("'{\"a\":1.10}' | from_json", r#"{"a":1.10}"#),
        ("'aa' | replace('a', 'b')", "\"bb\""),
        ("rows | sort('value') | map(attribute='n')", "[2,1]"),
        ("rows | map(attribute='n') | reverse", "[2,1]"),
        ("'x' if payment.amount > 0 else none", "\"x\""),
        ("payment.note or 'other'", "\"other\""),
        ("'a\\\\d' ~ \"q'\\n\"", r#""a\\dq'\n""#),
    ]);
}

#[test]
fn dates() {
    check(&[
        ("payment.on | date('%d/%m/%Y')", "\"14/03/2026\""),
        ("payment.at | date('%Y%m%d %H')", "\"20260314 22\""),
        ("payment.at | to_date", "\"2026-03-14\""),
        ("'14.03.26' | to_date('%d.%m.%y')", "\"2026-03-14\""),
        ("payment.on | add_days(20)", "\"2026-04-03\""),
        ("payment.on | add_days(-14)", "\"2026-02-28\""),
        (
            "'2026-03-14T00:00:00Z' | add_days(1)",
            "\"2026-03-15T00:00:00Z\"",
        ),
        (
            "payment.on | date('%H')",
            "the format asks for a time that a date does not have",
        ),
        (
            "'14/3/2026' | to_date",
            "a date such as 2026-03-14 or a timestamp in RFC 3339 is needed",
        ),
    ]);
}

#[test]
fn mistakes_are_found_before_anything_runs() {
    for (source, why, help) in [
        (
            "a | from_minr('x')",
            "there is no filter `from_minr`",
            Some("did you mean `from_minor`?"),
        ),
        (
            "a is matchin('x')",
            "there is no test `matchin`",
            Some("did you mean `matching`?"),
        ),
        (
            "a | from_minor",
            "filter `from_minor` needs its argument `currency`",
            Some("it is written `value | from_minor(currency)`"),
        ),
        (
            "a | abs(1)",
            "filter `abs` is given too many arguments",
            Some("it is written `value | abs`"),
        ),
        (
            "a | round(mode='nearest')",
            "there is no rounding mode `nearest`; there are half_even, half_up, half_down, up, down",
            None,
        ),
        (
            "a is matching('(')",
            "the pattern is not a regular expression",
            None,
        ),
        (
            "a | date(b)",
            "filter `date` needs its argument `format` written out",
            Some("it is written `value | date(format)`"),
        ),
        (
            "a | map('uper')",
            "there is no filter `uper`",
            Some("did you mean `upper`?"),
        ),
        (
            "a | select('matching', '(')",
            "the pattern is not a regular expression",
            None,
        ),
        (
            "1 < a < 3",
            "comparisons cannot be chained",
            Some("write `a < b and b < c`"),
        ),
        (
            "a if b",
            "`if` without `else` has no value when it fails",
            Some("say what it is then: `… else none` leaves it out"),
        ),
        (
            "{{ a }}",
            "this is an expression already",
            Some("write it without `{{` and `}}`"),
        ),
        (
            "a.upper()",
            "there are no functions to call here",
            Some("use a filter: `value | name(…)`"),
        ),
        ("a | op_eq(1)", "there is no filter `op_eq`", None),
    ] {
        let error = Expression::compile(source).unwrap_err();
        assert_eq!(
            (error.why.as_str(), error.help.as_deref()),
            (why, help),
            "{source}"
        );
    }
    for (source, offset) in [("a + ", 4), ("ab | nosuch", 5), ("x and (1.5)", 7)] {
        assert_eq!(
            Expression::compile(source).unwrap_err().offset,
            offset,
            "{source}"
        );
    }
}

#[test]
fn reads_name_what_is_read_and_where() {
    let template = Template::compile(
        "{{ payment.amount | from_minor(payment.currency) | neg }} {{ rows[0].n ~ headers['x-y'] ~ (a.b | default(c)) }}",
    )
    .unwrap();
    let reads: Vec<_> = template
        .reads()
        .iter()
        .map(|read| {
            (
                read.path.join("."),
                read.offset,
                read.filters.join(","),
                read.guarded,
            )
        })
        .collect();
    let expected = [
        ("payment.amount", 3, "from_minor,neg", false),
        ("payment.currency", 31, "", false),
        ("rows", 61, "", false),
        ("headers.x-y", 73, "", false),
        ("a.b", 91, "default", true),
        ("c", 105, "", false),
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|(path, at, filters, guarded)| {
            ((*path).to_owned(), *at, (*filters).to_owned(), *guarded)
        })
        .collect();
    assert_eq!(reads, expected);
}

#[test]
fn a_scalar_that_is_one_expression_keeps_its_type() {
    let document = sample();
    let scope = scope_of(&document);
    let value = |source: &str| {
        Template::compile(source)
            .unwrap()
            .value(&scope)
            .unwrap()
            .to_string()
    };
    assert_eq!(value("{{ payment.amount }}"), "4950");
    assert_eq!(value("{{ payment.amount }}\n"), "4950");
    assert_eq!(value("{{ payment.fee * 2 }}"), "0.60");
    assert_eq!(
        value("GC {{ payment.id }}/{{ payment.fee }}"),
        "\"GC PM1/0.30\""
    );
    assert_eq!(value("plain"), "\"plain\"");
    assert_eq!(value("a {# remark #}b"), "\"a b\"");
    assert_eq!(value("{}"), "\"{}\"");
    assert_eq!(value("{{ payment.id }}{{ payment.id }}\n"), "\"PM1PM1\\n\"");
    assert_eq!(value("{% raw %}{{ x }}{% endraw %}"), "\"{{ x }}\"");
    let error = Template::compile("a {% if x %}b{% endif %}").unwrap_err();
    assert_eq!(
        (error.offset, error.why.as_str()),
        (2, "statements are not part of definitions")
    );
}

#[test]
fn text_is_plain_or_refused() {
    let document = sample();
    let scope = scope_of(&document);
    let text = |source: &str| Template::compile(source).unwrap().text(&scope);
    assert_eq!(text("{{ payment.fee }}").unwrap(), "0.30");
    assert_eq!(text("{{ payment.amount > 1 }}").unwrap(), "true");
    assert_eq!(
        text("{{ payment.note }}").unwrap_err().why,
        "it must be a text and is null"
    );
    assert_eq!(
        text("x{{ rows }}").unwrap_err().why,
        "it must be a text and is a list"
    );
    let note = Template::compile("{{ payment.note }}").unwrap();
    assert_eq!(note.optional_text(&scope).unwrap(), None);
    let condition = Expression::compile("payment.amount").unwrap();
    assert_eq!(
        condition.holds(&scope).unwrap_err().why,
        "it must be true or false and is a number"
    );
}

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

#[test]
fn paths_select_as_rfc_9535_says() {
    let document = sample();
    let all = |source: &str| {
        let nodes = Path::compile(source)
            .unwrap()
            .all(&document)
            .into_iter()
            .cloned()
            .collect();
        Document::Array(nodes).to_string()
    };
    for (source, expected) in [
        ("$.payment.amount", "[4950]"),
        ("$['payment']['links'].mandate", "[\"MD1\"]"),
        ("$.rows[*].n", "[1,2]"),
        ("$.rows[-1].n", "[2]"),
        ("$.rows[5].n", "[]"),
        ("$.body.*.code", "[\"X\"]"),
        ("$..n", "[1,2]"),
        ("$.rows[?@.kind == 'b'].n", "[2]"),
        ("$.rows[0:1].n", "[1]"),
        ("$.nothing.at.all", "[]"),
    ] {
        assert_eq!(all(source), expected, "{source}");
        let path = Path::compile(source).unwrap();
        assert_eq!(
            path.first(&document),
            path.all(&document).first().copied(),
            "{source}"
        );
    }
    assert!(Path::compile("$").unwrap().legs().unwrap().is_empty());
    let error = Path::compile("rows[*]").unwrap_err();
    assert_eq!(
        error.help.as_deref(),
        Some("a path starts with `$`: `$.payments[*].id`")
    );
    assert!(Path::compile("$.rows[").is_err());
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
