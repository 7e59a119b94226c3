//! Filters and tests in the syntax tree: their names and arguments, checked and put in order.

use super::CompileError;
use super::chain::{Chain, Place, text_literal};
use super::compile::{Writer, Written, offset_of};
use super::filters::{self, Kind, Param, Spec};
use minijinja::machinery::ast;
use std::fmt::Write as _;

impl Writer {
    pub(super) fn filter(
        &mut self,
        filter: &ast::Filter<'_>,
        offset: usize,
        place: &Place,
    ) -> Written {
        let spec = find(Kind::Filter, filter.name, offset)?;
        let Some(operand) = &filter.expr else {
            return Err(CompileError::new(
                offset,
                "a filter needs something before it",
            ));
        };
        let mut filters = vec![filter.name.to_owned()];
        filters.extend(place.filters.iter().cloned());
        let start = self.text.len();
        self.write(
            operand,
            &Place {
                filters,
                guarded: spec.takes_missing,
            },
        )?;
        if spec.name == "default" && Chain::of(operand).is_some() {
            return self.otherwise(start, spec, &filter.args, offset);
        }
        self.arguments(spec, &filter.args, offset)
    }

    /// `name | default(other)`: what stands in may itself fail, so it is evaluated only if it is
    /// needed.
    fn otherwise(
        &mut self,
        start: usize,
        spec: &Spec,
        args: &[ast::CallArg<'_>],
        offset: usize,
    ) -> Written {
        let name = self.text.split_off(start);
        // Writing into a `String` cannot fail.
        write!(self.text, "({name} if {name}|op_present() else none").unwrap_or_default();
        self.arguments(spec, args, offset)?;
        self.close();
        Ok(())
    }

    pub(super) fn test(&mut self, test: &ast::Test<'_>, offset: usize) -> Written {
        let spec = find(Kind::Test, test.name, offset)?;
        self.write(
            &test.expr,
            &Place {
                guarded: spec.takes_missing,
                ..Place::default()
            },
        )?;
        self.arguments(spec, &test.args, offset)
    }

    /// Writes `|name(…)` with every argument in its place and the missing ones as their defaults.
    fn arguments(&mut self, spec: &Spec, args: &[ast::CallArg<'_>], offset: usize) -> Written {
        let mut given: Vec<Option<&ast::Expr<'_>>> = vec![None; spec.params.len()];
        let mut in_order = spec
            .params
            .iter()
            .enumerate()
            .filter(|(_, param)| !param.keyword);
        let mut rest = Vec::new();
        for arg in args {
            let (slot, value) = match arg {
                ast::CallArg::Pos(value) => (in_order.next().map(|(at, _)| at), value),
                ast::CallArg::Kwarg(name, value) => {
                    let slot = spec.params.iter().position(|param| param.name == *name);
                    if slot.is_none() {
                        return Err(spec.misuse(offset, &format!("has no argument `{name}`")));
                    }
                    (slot, value)
                }
                ast::CallArg::PosSplat(_) | ast::CallArg::KwargSplat(_) => {
                    return Err(spec.misuse(offset, "takes its arguments written out"));
                }
            };
            match slot.and_then(|slot| given.get_mut(slot)) {
                Some(Some(_)) => return Err(spec.misuse(offset, "is given an argument twice")),
                Some(slot) => *slot = Some(value),
                None if spec.rest => rest.push(value),
                None => return Err(spec.misuse(offset, "is given too many arguments")),
            }
        }
        self.text.push('|');
        self.text.push_str(&spec.internal_name());
        self.text.push('(');
        for (param, value) in spec.params.iter().zip(&given) {
            match (value, param.default) {
                (Some(value), _) => {
                    check_literal(spec, param, value)?;
                    self.write(value, &Place::default())?;
                }
                (None, Some(default)) => self.text.push_str(default),
                (None, None) => {
                    return Err(
                        spec.misuse(offset, &format!("needs its argument `{}`", param.name))
                    );
                }
            }
            self.text.push(',');
        }
        let applied = spec
            .params
            .iter()
            .position(|param| ["filter", "test"].contains(&param.name));
        let applied = applied.and_then(|at| given.get(at).copied().flatten());
        self.passed_on(spec, applied, &rest, offset)?;
        self.close();
        Ok(())
    }

    /// The arguments of the filter or test that `map`, `select` and their like apply to each item.
    fn passed_on(
        &mut self,
        spec: &Spec,
        name: Option<&ast::Expr<'_>>,
        rest: &[&ast::Expr<'_>],
        offset: usize,
    ) -> Written {
        let Some(kind) = spec.applies else {
            return Ok(());
        };
        let Some(name) = name.and_then(text_literal) else {
            return Ok(());
        };
        let inner = find(kind, &name, offset)?;
        if rest.len() > inner.params.len() {
            return Err(inner.misuse(offset, "is given too many arguments"));
        }
        for (at, param) in inner.params.iter().enumerate() {
            match (rest.get(at), param.default) {
                (Some(value), _) => {
                    check_literal(inner, param, value)?;
                    self.write(value, &Place::default())?;
                }
                (None, Some(default)) => self.text.push_str(default),
                (None, None) => {
                    let why = format!("needs its argument `{}`", param.name);
                    return Err(inner.misuse(offset, &why));
                }
            }
            self.text.push(',');
        }
        Ok(())
    }
}

fn find(kind: Kind, name: &str, offset: usize) -> Result<&'static Spec, CompileError> {
    if let Some(spec) = filters::find(kind, name) {
        return Ok(spec);
    }
    let error = CompileError::new(offset, format!("there is no {} `{name}`", kind.word()));
    Err(match filters::nearest(kind, name) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None if matches!(name, "float" | "number" | "num" | "to_number") => {
            error.help("`decimal` reads an exact number, `int` a whole one")
        }
        None => error,
    })
}

/// What can be checked of an argument before anything runs: a pattern, a format, a rounding mode.
fn check_literal(spec: &Spec, param: &Param, value: &ast::Expr<'_>) -> Written {
    let offset = offset_of(value);
    match text_literal(value) {
        Some(text) => {
            filters::check_literal(param.name, &text).map_err(|why| CompileError::new(offset, why))
        }
        None if param.literal => Err(spec.misuse(
            offset,
            &format!("needs its argument `{}` written out", param.name),
        )),
        None => Ok(()),
    }
}
