//! What is known of an expression's value before there is one: its types, its unit of money, its possible values.

use super::scope::{Entry, Scope};
use crate::schema::{EACH, Schema, Type, Types, Unit};
use crate::template::{Kind, Segment, Shape};
use serde_json::Value as Document;

/// What is known of a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Facts {
    /// The types it may have.
    pub(super) types: Types,
    /// Its unit, if it is known to be money.
    pub(super) unit: Option<Unit>,
    /// All values it may have beside null, if they are known.
    pub(super) values: Option<Vec<Document>>,
    /// Values known by name where others are possible too.
    pub(super) known: Vec<Document>,
    /// `date`, `date-time` …
    pub(super) format: Option<String>,
}

impl Facts {
    /// Nothing is known.
    pub(super) const ANYTHING: Self = Self::of(Types::ALL);

    const fn of(types: Types) -> Self {
        Self {
            types,
            unit: None,
            values: None,
            known: Vec::new(),
            format: None,
        }
    }

    /// What a schema says.
    pub(super) fn of_schema(schema: &Schema<'_>) -> Self {
        Self {
            types: schema.types(),
            unit: schema.unit(),
            values: schema
                .values()
                .map(|all| all.into_iter().cloned().collect()),
            known: schema.known_values().into_iter().cloned().collect(),
            format: schema.format().map(str::to_owned),
        }
    }

    fn either(self, other: Self) -> Self {
        let (null, second_null) = (
            Types::only(Type::Null),
            other.types == Types::only(Type::Null),
        );
        if self.types == null {
            return Self {
                types: other.types.or(null),
                ..other
            };
        }
        if second_null {
            return Self {
                types: self.types.or(null),
                ..self
            };
        }
        let values = self.values.zip(other.values).map(|(mut a, b)| {
            a.extend(b);
            a
        });
        Self {
            types: self.types.or(other.types),
            unit: if self.unit == other.unit {
                self.unit
            } else {
                None
            },
            values,
            known: Vec::new(),
            format: if self.format == other.format {
                self.format
            } else {
                None
            },
        }
    }

    fn with_unit(types: Types, unit: Option<Unit>) -> Self {
        Self {
            unit,
            ..Self::of(types)
        }
    }
}

const TEXT: Types = Types::only(Type::Text);
const BOOLEAN: Types = Types::only(Type::Boolean);
const INTEGER: Types = Types::only(Type::Integer);
const LIST: Types = Types::only(Type::List);

/// What is known of an expression.
pub(super) fn infer(shape: &Shape, scope: &Scope<'_>) -> Facts {
    match &shape.kind {
        Kind::Value(value) => Facts {
            types: Types::only(Type::of(value)),
            unit: None,
            values: (!value.is_null()).then(|| vec![value.clone()]),
            known: Vec::new(),
            format: None,
        },
        Kind::Name(path) => scope
            .find(path)
            .map_or(Facts::ANYTHING, |entry| of_entry(&entry)),
        Kind::Filter { name, on, args } => filtered(name, on, args, scope),
        Kind::Test { .. } | Kind::Compare { .. } | Kind::Not(_) => Facts::of(BOOLEAN),
        Kind::All(parts) => {
            let parts: Vec<_> = parts.iter().map(|part| infer(part, scope)).collect();
            let truths = parts.iter().all(|facts| facts.types == BOOLEAN);
            if truths {
                Facts::of(BOOLEAN)
            } else {
                Facts::ANYTHING
            }
        }
        Kind::Any(parts) => any(parts, scope),
        Kind::Choice {
            then, otherwise, ..
        } => match otherwise {
            Some(otherwise) => infer(then, scope).either(infer(otherwise, scope)),
            None => infer(then, scope),
        },
        Kind::List(_) => Facts::of(LIST),
        Kind::Text(_) => Facts::of(TEXT),
        Kind::Sum(parts) => {
            let units: Vec<_> = parts.iter().map(|part| infer(part, scope).unit).collect();
            let unit = units.iter().copied().flatten().next();
            let agreed = units.iter().flatten().all(|one| Some(*one) == unit);
            Facts::with_unit(Types::NUMBER, unit.filter(|_| agreed))
        }
        Kind::Other(_) => Facts::ANYTHING,
    }
}

/// What is known of the elements of a list.
pub(super) fn element(shape: &Shape, scope: &Scope<'_>) -> Facts {
    match &shape.kind {
        Kind::Name(path) => below(path, EACH, scope),
        Kind::List(items) => {
            let mut all = items.iter().map(|item| infer(item, scope));
            all.next()
                .map_or(Facts::ANYTHING, |first| all.fold(first, Facts::either))
        }
        Kind::Value(_)
        | Kind::Filter { .. }
        | Kind::Test { .. }
        | Kind::Compare { .. }
        | Kind::Not(_)
        | Kind::All(_)
        | Kind::Any(_)
        | Kind::Choice { .. }
        | Kind::Text(_)
        | Kind::Sum(_)
        | Kind::Other(_) => Facts::ANYTHING,
    }
}

fn below(path: &[Segment], name: &str, scope: &Scope<'_>) -> Facts {
    let mut path = path.to_vec();
    path.push(Segment {
        name: name.to_owned(),
        at: 0..0,
    });
    scope
        .find(&path)
        .map_or(Facts::ANYTHING, |entry| of_entry(&entry))
}

fn of_entry(entry: &Entry<'_>) -> Facts {
    match entry {
        Entry::Schema(schema) => Facts::of_schema(schema),
        Entry::Group(_) | Entry::Columns(_) => Facts::of(Types::only(Type::Object)),
        Entry::List(_) => Facts::of(LIST),
    }
}

/// `a or b` gives the first that is not empty, so null and the empty text of all but the last never come out.
fn any(parts: &[Shape], scope: &Scope<'_>) -> Facts {
    let facts: Vec<_> = parts.iter().map(|part| infer(part, scope)).collect();
    if facts.iter().all(|facts| facts.types == BOOLEAN) {
        return Facts::of(BOOLEAN);
    }
    let last = facts.len().saturating_sub(1);
    let without_null = |(at, facts): (usize, Facts)| {
        if at == last {
            facts
        } else {
            Facts {
                types: facts.types.without(Type::Null),
                ..facts
            }
        }
    };
    facts
        .into_iter()
        .enumerate()
        .map(without_null)
        .reduce(Facts::either)
        .unwrap_or(Facts::ANYTHING)
}

fn filtered(name: &str, on: &Shape, args: &[Shape], scope: &Scope<'_>) -> Facts {
    let unit = || infer(on, scope).unit;
    match name {
        "from_minor" => Facts::with_unit(Types::NUMBER, Some(Unit::Major)),
        "to_minor" => Facts::with_unit(INTEGER, Some(Unit::Minor)),
        "decimal" | "neg" | "abs" | "round" | "add" | "sub" | "mul" | "div" => {
            Facts::with_unit(Types::NUMBER, unit())
        }
        "sum" | "min" | "max" | "first" | "last" => {
            let element = element(on, scope);
            match name {
                "sum" => Facts::with_unit(Types::NUMBER, element.unit),
                _ => Facts {
                    values: None,
                    ..element
                },
            }
        }
        "sum_of" => Facts::with_unit(Types::NUMBER, sum_of(on, args, scope)),
        "default" | "d" => {
            let given = infer(on, scope);
            let given = Facts {
                types: given.types.without(Type::Null),
                ..given
            };
            match args.first() {
                Some(other) => given.either(infer(other, scope)),
                None => given.either(Facts::of(TEXT)),
            }
        }
        "upper" | "lower" | "trim" | "replace" | "pad_left" | "pad_right" | "truncate"
        | "translit" | "urlencode" | "sha256_hex" | "join" | "tojson" | "date" => Facts::of(TEXT),
        "to_date" => Facts {
            format: Some("date".to_owned()),
            ..Facts::of(TEXT)
        },
        "length" | "count" => Facts::of(INTEGER),
        "descend" | "map" | "select" | "selectattr" | "reject" | "rejectattr" | "split"
        | "unique" | "sort" => Facts::of(LIST),
        _ => Facts::ANYTHING,
    }
}

fn sum_of(on: &Shape, args: &[Shape], scope: &Scope<'_>) -> Option<Unit> {
    let field = args.first()?.fixed()?.as_str()?;
    let mut path = on.name()?.to_vec();
    path.push(Segment {
        name: EACH.to_owned(),
        at: 0..0,
    });
    below(&path, field, scope).unit
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn facts(source: &str) -> Facts {
        let schema = json!({"properties": {
            "amount": {"type": "integer", "x-unit": "minor"},
            "total": {"type": "number", "x-unit": "major"},
            "state": {"enum": ["open", "paid", null]},
            "day": {"type": "string", "format": "date"},
            "note": {"type": ["string", "null"]},
            "rows": {"type": "array", "items": {"properties": {"value": {"type": "number", "x-unit": "major"}}}},
        }});
        let scope = Scope::new()
            .with("p", Entry::of(&schema))
            .with("any", Entry::open());
        infer(&Shape::of_expression(source).unwrap(), &scope)
    }

    #[test]
    fn units_go_through_filters_and_arithmetic() {
        for (source, unit) in [
            ("p.amount", Some(Unit::Minor)),
            ("p.amount | from_minor('GBP')", Some(Unit::Major)),
            ("p.total | to_minor('GBP') | abs", Some(Unit::Minor)),
            ("p.amount | sub(1) | neg", Some(Unit::Minor)),
            ("p.amount + 1", Some(Unit::Minor)),
            ("p.amount + p.total", None),
            ("p.rows | sum_of('value')", Some(Unit::Major)),
            ("[p.total, p.total | abs] | min", Some(Unit::Major)),
            ("p.total if any.x else none", Some(Unit::Major)),
            ("p.total if any.x else p.amount", None),
            ("p.total | default(none)", Some(Unit::Major)),
            ("any.amount", None),
        ] {
            assert_eq!(facts(source).unit, unit, "{source}");
        }
    }

    #[test]
    fn types_and_values_follow_what_can_come_out() {
        assert_eq!(facts("p.note or 'x'").types, Types::only(Type::Text));
        assert_eq!(
            facts("p.note | default('x')").types,
            Types::only(Type::Text)
        );
        assert_eq!(facts("p.note").types, TEXT.or(Types::only(Type::Null)));
        assert_eq!(facts("p.amount == 1 and not any.x").types, BOOLEAN);
        assert_eq!(
            facts("p.state").values.unwrap(),
            [json!("open"), json!("paid")]
        );
        assert_eq!(facts("p.state | default('none')").values.unwrap().len(), 3);
        assert_eq!(
            facts("'a' if any.x else 'b'").values.unwrap(),
            [json!("a"), json!("b")]
        );
        assert_eq!(facts("p.state | upper").values, None);
        assert_eq!(facts("p.rows | length").types, INTEGER);
        assert_eq!(facts("any.x").types, Types::ALL);
        assert_eq!(facts("p.day").format.unwrap(), "date");
        assert_eq!(facts("p.day | default(p.note)").format, None);
    }
}
