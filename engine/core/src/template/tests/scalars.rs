//! Scalars and paths: types kept, reads listed.

use super::*;

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
    for float in [
        "$.rows[?@.n == 1.5]",
        "$.rows[?@.n < 1e3]",
        "$.rows[?@.a == 'x' && @.n==-1.0]",
    ] {
        let error = Path::compile(float).unwrap_err();
        assert_eq!(
            error.why, "a number with a point would be a binary float",
            "{float}"
        );
    }
    for fine in [
        "$.rows[?@.n == 1]",
        "$.a1.b",
        "$['1.5']",
        "$.rows[?@.a == '1.5']",
        "$.rows[0:1].n",
    ] {
        assert!(Path::compile(fine).is_ok(), "{fine}");
    }
}

#[test]
fn what_does_not_hold_can_be_told_apart() {
    let document = sample();
    let scope = scope_of(&document);
    let failing = |source: &str| {
        Expression::compile(source)
            .unwrap()
            .failing(&scope)
            .join(" | ")
    };
    for (source, expected) in [
        (
            "payment.amount == 1 and payment.id == 'PM1' and (payment.fee > 1 and true)",
            "payment.amount == 1 | (payment.fee > 1 and true)",
        ),
        (
            "payment.id == 'a and b' and payment.id == 'PM1'",
            "payment.id == 'a and b'",
        ),
        (
            "payment.amount == 1 or payment.amount == 2 and true",
            "payment.amount == 1 or payment.amount == 2 and true",
        ),
        (
            "payment.amount == 1 and payment.nothing == 2",
            "payment.amount == 1",
        ),
        ("payment.id == 'PM1'", ""),
    ] {
        assert_eq!(failing(source), expected, "{source}");
    }
}
