//! What expressions compute, and what they refuse.

use super::*;

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

/// The parser alone would read these as what stands before the odd character.
#[test]
fn nothing_of_an_expression_is_left_out() {
    for (source, offset, help) in [
        ("payment.id == 'a' && payment.id", 18, Some("write `and`")),
        (
            "payment.id ? 1 : 2",
            11,
            Some("write `a if condition else b`"),
        ),
        ("payment.id; payment.id", 10, None),
        (
            "payment.id == 'a' \u{2019}",
            18,
            Some("a word processor has put curly quotes there: write straight ones"),
        ),
    ] {
        let error = Expression::compile(source).unwrap_err();
        assert_eq!(error.why, "unexpected character", "{source}");
        assert_eq!(
            (error.offset, error.help.as_deref()),
            (offset, help),
            "{source}"
        );
        assert!(
            Template::compile(&format!("{{{{ {source} }}}}")).is_err(),
            "{source}"
        );
    }
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
        ("'né:?' | base64", "\"bsOpOj8=\""),
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
fn amounts_are_equal_however_they_are_written() {
    check(&[
        ("'250' is amounts_to('250.00')", "true"),
        ("'250.5' is amounts_to(250)", "false"),
        (
            "['1', '1.50', '1.5'] | select('amounts_to', '1.500') | length",
            "2",
        ),
        (
            "'x' is amounts_to(1)",
            "a number is needed where a text stands",
        ),
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
            "'2026-03-14T05:00:00Z' | add_hours(-8)",
            "\"2026-03-13T21:00:00Z\"",
        ),
        (
            "payment.on | add_hours(1)",
            "hours are added to a timestamp, not to a date",
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
fn lists_are_grouped_cut_and_fingerprinted() {
    check(&[
        (
            "rows | group_by('kind') | map(attribute='key')",
            r#"["a","b"]"#,
        ),
        (
            "rows | group_by('kind') | first | map(attribute='items.n', default=0)",
            "a list is needed where a map stands",
        ),
        (
            "(rows | group_by(['kind', 'nothing']))[0].key",
            r#"["a",null]"#,
        ),
        ("(rows | group_by('kind'))[0]['items'] | sum_of('n')", "1"),
        ("rows | chunk(1) | length", "2"),
        ("rows | chunk(5) | length", "1"),
        ("rows | chunk(0)", "a part must have at least one item"),
        (
            "({'a': 1, 'b': 2} | fingerprint) == ({'b': 2, 'a': 1} | fingerprint)",
            "true",
        ),
        (
            "(['ab', 'c'] | fingerprint) == (['a', 'bc'] | fingerprint)",
            "false",
        ),
        ("rows | fingerprint | length", "32"),
        ("\"O'Brien\" | odata_literal", r#""'O''Brien'""#),
        ("payment.fee | odata_literal", r#""0.30""#),
        ("none | odata_literal", r#""null""#),
        ("'2026-03-16' | odata_literal('date')", r#""2026-03-16""#),
        (
            "'x eq y' | odata_literal('guid')",
            "the text is no OData guid",
        ),
    ]);
}
