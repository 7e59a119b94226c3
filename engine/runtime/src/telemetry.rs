//! Structured logs and traces, and the second wall that keeps secret values out of them.
//!
//! The first wall is that nothing with a secret in it can be printed. The second looks at every
//! finished line and replaces any secret value that is live in this process.

use crate::seams::Secret;
use ml_connector_core::protocol::percent_encode;
use std::io::{self, Write};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use tracing_subscriber::fmt::MakeWriter;
use zeroize::Zeroizing;

mod line;
mod otlp;
mod traces;

pub use line::Lines;
pub use traces::{BadVariable, TraceOptions};
pub(crate) use traces::{Span, SpanKind, Trace, Traces};

/// What stands in a line in place of a secret value.
const MARK: &str = "[secret]";
/// Shorter values are not looked for: they would blot out ordinary words, and a secret that short
/// keeps nothing secret.
const LENGTH_MIN: usize = 4;

static LIVE: RwLock<Vec<Watched>> = RwLock::new(Vec::new());

/// A value to look for, for as long as it is in use.
struct Watched {
    secret: Weak<Secret>,
    /// As it is, as it would stand in a URL, and as it would stand in JSON.
    forms: Vec<Zeroizing<String>>,
}

/// Looks for this value in every log line for as long as it is in use.
pub(crate) fn keep_out_of_logs(secret: &Arc<Secret>) {
    let value = secret.expose();
    if value.len() < LENGTH_MIN {
        return;
    }
    let json = serde_json::to_string(value).unwrap_or_default();
    let mut forms = vec![
        value.to_owned(),
        percent_encode(value),
        json.trim_matches('"').to_owned(),
    ];
    forms.dedup();
    let watched = Watched {
        secret: Arc::downgrade(secret),
        forms: forms.into_iter().map(Zeroizing::new).collect(),
    };
    let mut live = LIVE.write().unwrap_or_else(PoisonError::into_inner);
    live.retain(|known| known.secret.strong_count() > 0);
    live.push(watched);
}

/// Replaces every live secret value in a text.
pub fn redact(text: &str) -> String {
    let live = LIVE.read().unwrap_or_else(PoisonError::into_inner);
    let mut text = text.to_owned();
    for watched in live.iter().filter(|known| known.secret.strong_count() > 0) {
        for form in &watched.forms {
            if text.contains(form.as_str()) {
                text = text.replace(form.as_str(), MARK);
            }
        }
    }
    text
}

/// Starts JSON logs to stderr, one object per line: `ts`, `level`, `msg` and the fields of the
/// event. `filter` is in the usual form, e.g. `info,ml_connector=debug`.
///
/// # Errors
/// If the filter cannot be read, or logging was started before.
pub fn start(filter: &str) -> Result<(), Error> {
    let filter = tracing_subscriber::EnvFilter::try_new(filter).map_err(|error| Error::Filter {
        filter: filter.to_owned(),
        why: error.to_string(),
    })?;
    tracing_subscriber::fmt()
        .event_format(line::Lines)
        .with_env_filter(filter)
        .with_writer(Redacting(io::stderr))
        .try_init()
        .map_err(|_| Error::Started)
}

/// Why logging does not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The filter cannot be read.
    #[error("`{filter}` is not a log filter: {why}")]
    Filter {
        /// As given.
        filter: String,
        /// What is wrong.
        why: String,
    },
    /// It was started before.
    #[error("logging has been started before")]
    Started,
}

/// A writer that redacts what it passes on. The formatter hands over whole lines.
#[derive(Debug, Clone, Copy)]
pub struct Redacting<M>(pub M);

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for Redacting<M> {
    type Writer = RedactingWriter<M::Writer>;
    fn make_writer(&'a self) -> Self::Writer {
        RedactingWriter(self.0.make_writer())
    }
}

/// See [`Redacting`].
#[derive(Debug)]
pub struct RedactingWriter<W>(W);

impl<W: Write> Write for RedactingWriter<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        self.0.write_all(redact(&text).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_secret_is_replaced_in_every_form_it_could_take() {
        let secret = Arc::new(Secret::new("p\"ss w/rd-7431".to_owned()));
        keep_out_of_logs(&secret);
        let line = r#"plain p"ss w/rd-7431 url p%22ss%20w%2Frd-7431 json p\"ss w/rd-7431 rest"#;
        assert_eq!(
            redact(line),
            "plain [secret] url [secret] json [secret] rest"
        );
        drop(secret);
        assert_eq!(redact(line), line);
    }

    #[test]
    fn a_writer_lets_no_live_secret_through() {
        let secret = Arc::new(Secret::new("tok-5566778899".to_owned()));
        keep_out_of_logs(&secret);
        let mut out = Vec::new();
        RedactingWriter(&mut out)
            .write_all(b"{\"msg\":\"sent tok-5566778899\"}\n")
            .unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"msg\":\"sent [secret]\"}\n"
        );
    }
}
