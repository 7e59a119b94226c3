//! The one environment all expressions share, and what its failures mean in plain words.

use super::convert::NO_VALUE;
use super::filters::{self, Spec, Trouble};
use minijinja::value::{Object, Rest};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};
use std::error::Error as _;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// The most instructions one expression may execute.
pub const FUEL: u64 = 20_000;

/// The shared environment: our filters, and nothing that the template crate brings along.
pub(super) fn environment() -> &'static Environment<'static> {
    static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let mut environment = Environment::empty();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        // Debug information would keep the values in scope inside errors.
        environment.set_debug(false);
        for spec in filters::every() {
            register(&mut environment, spec);
        }
        environment
    })
}

fn register(environment: &mut Environment<'static>, spec: &'static Spec) {
    let call = move |args: Rest<Value>| -> Result<Value, Error> {
        if !spec.takes_missing && args.iter().any(Value::is_undefined) {
            return Err(Error::from(ErrorKind::UndefinedError));
        }
        (spec.run)(&args).map_err(|trouble| match trouble {
            Trouble::Missing => Error::from(ErrorKind::UndefinedError),
            Trouble::Why(why) => {
                Error::from(ErrorKind::InvalidOperation).with_source(InWords(why.into_owned()))
            }
        })
    };
    environment.add_filter(spec.internal_name(), call);
}

/// The values of one evaluation: what the names `r0`, `r1` and so on of a rewritten expression
/// stand for.
pub(super) struct Slots(pub(super) Vec<Value>);

impl fmt::Debug for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} slots", self.0.len())
    }
}

impl Object for Slots {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let slot: usize = key.strip_prefix('r')?.parse().ok()?;
        self.0.get(slot).cloned()
    }
}

/// Our own words, carried through the template crate's error.
#[derive(Debug)]
struct InWords(String);

impl fmt::Display for InWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InWords {}

/// What went wrong, without the crate's own details: those may quote values.
pub(super) fn explain(error: &Error) -> Failure {
    if let Some(words) = error
        .source()
        .and_then(|source| source.downcast_ref::<InWords>())
    {
        return Failure::Words(words.0.clone());
    }
    match error.kind() {
        ErrorKind::UndefinedError => Failure::Missing,
        ErrorKind::OutOfFuel => Failure::Words(format!("it takes more than {FUEL} steps")),
        _ => Failure::Words("an operation got a value of a kind it does not take".to_owned()),
    }
}

/// Why an evaluation failed.
pub(super) enum Failure {
    /// Something it reads is not there; which, the caller finds out.
    Missing,
    /// In plain words.
    Words(String),
}

impl Failure {
    /// The words, where nothing better is known about what is missing.
    pub(super) fn into_words(self) -> String {
        match self {
            Self::Missing => NO_VALUE.to_owned(),
            Self::Words(words) => words,
        }
    }
}
