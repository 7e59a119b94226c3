//! What an expression is made of, as checks see it.

use super::*;
use serde_json::json;

fn expression(source: &str) -> Shape {
    Shape::of_expression(source).unwrap()
}

fn names(shape: &Shape) -> Vec<String> {
    let join = |one: &[Segment]| {
        one.iter()
            .map(|s| s.name.as_str())
            .collect::<Vec<_>>()
            .join(".")
    };
    shape.names().into_iter().map(join).collect()
}

#[test]
fn names_carry_their_members_and_where_each_stands() {
    let source = "event.links['mandate'][0].id == params.x";
    let shape = expression(source);
    assert_eq!(names(&shape), ["event.links.mandate.[].id", "params.x"]);
    let at: Vec<_> = shape.names()[0]
        .iter()
        .map(|one| &source[one.at.clone()])
        .collect();
    assert_eq!(at, ["event", "links", "'mandate'", "0", "id"]);
}

#[test]
fn computed_members_end_a_path_and_are_read_themselves() {
    assert_eq!(names(&expression("a.b[c.d].e")), ["a.b", "c.d"]);
    assert_eq!(names(&expression("(a.b | first).e")), ["a.b"]);
    assert_eq!(names(&expression("range(a.b)")), ["a.b"]);
    assert_eq!(names(&expression("a.items()[1:b]")), ["a", "b"]);
    assert_eq!(names(&expression("{'k': a, b: 1}.k")), ["b", "a"]);
}

#[test]
fn comparisons_say_what_is_compared_with_what() {
    let Kind::Compare { op, left, right } = expression("event.action == 'confirmed'").kind else {
        panic!()
    };
    assert_eq!(
        (op, names(&left)),
        (Comparison::Equal, vec!["event.action".to_owned()])
    );
    assert_eq!(right.fixed(), Some(&json!("confirmed")));
    let Kind::Compare { op, right, .. } = expression("status in [200, -1]").kind else {
        panic!()
    };
    let items: Vec<_> = right.parts().into_iter().map(Shape::fixed).collect();
    assert_eq!(op, Comparison::In);
    assert_eq!(items, [Some(&json!(200)), Some(&json!(-1))]);
    let Kind::Compare { op, .. } = expression("a not in ['x']").kind else {
        panic!("{:?}", expression("a not in ['x']"))
    };
    assert_eq!(op, Comparison::NotIn);
    let Kind::All(chain) = expression("1 < a <= 3").kind else {
        panic!()
    };
    assert_eq!(chain.len(), 2);
}

#[test]
fn a_scalar_is_a_value_one_expression_or_text() {
    let of = |source| Shape::of_template(source).unwrap().kind;
    assert_eq!(of("GBP"), Kind::Value(json!("GBP")));
    assert_eq!(of(""), Kind::Value(json!("")));
    assert!(matches!(of("{{ a.b }}"), Kind::Name(path) if path.len() == 2));
    assert_eq!(of("{{ 'GBP' }}"), Kind::Value(json!("GBP")));
    assert!(matches!(of("x-{{ a.b }}"), Kind::Text(parts) if parts.len() == 2));
    assert!(matches!(of("{{ a }}{{ b }}"), Kind::Text(parts) if parts.len() == 2));
    assert!(matches!(of("{{ a }} "), Kind::Text(_)));
    let Kind::Filter { name, on, args } = of("{{ p.amount | from_minor(p.currency) }}") else {
        panic!()
    };
    assert_eq!(
        (name.as_str(), names(&on).concat(), names(&args[0]).concat()),
        ("from_minor", "p.amount".to_owned(), "p.currency".to_owned())
    );
}

#[test]
fn what_does_not_parse_says_where() {
    assert_eq!(Shape::of_expression("a ==").unwrap_err().offset, 2);
    assert!(Shape::of_template("{{ a").is_err());
}
