//! Where a command prints: data to stdout, words for people to stderr, each coloured only where a person looks.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::time::Duration;

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum ColourChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The standard streams, and what may be assumed about them.
pub(crate) struct Terminal {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    input: Box<dyn Read + Send>,
    colours: Colours,
    person_err: bool,
    person_in: bool,
}

/// Which streams are coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Colours {
    out: bool,
    err: bool,
}

/// How a piece of text is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Good news.
    Good,
    /// Bad news.
    Bad,
    /// Needs a look.
    Doubt,
    /// Stands out.
    Strong,
    /// Steps back.
    Faint,
}

impl Tone {
    const fn code(self) -> &'static str {
        match self {
            Self::Good => "\u{1b}[32m",
            Self::Bad => "\u{1b}[31m",
            Self::Doubt => "\u{1b}[33m",
            Self::Strong => "\u{1b}[1m",
            Self::Faint => "\u{1b}[2m",
        }
    }
}

impl Terminal {
    /// The process's own streams.
    #[expect(
        clippy::disallowed_methods,
        reason = "whether a person wants colours is known to the environment only"
    )]
    pub(crate) fn of_process(choice: ColourChoice) -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let person_err = io::stderr().is_terminal();
        let colour = |terminal: bool| match choice {
            ColourChoice::Auto => terminal && !no_colour && !dumb,
            ColourChoice::Always => true,
            ColourChoice::Never => false,
        };
        Self {
            out: Box::new(BufWriter::new(io::stdout())),
            err: Box::new(io::stderr()),
            input: Box::new(io::stdin()),
            colours: Colours {
                out: colour(io::stdout().is_terminal()),
                err: colour(person_err),
            },
            person_err,
            person_in: io::stdin().is_terminal(),
        }
    }

    /// Whether data output is coloured.
    pub(crate) const fn colours_data(&self) -> bool {
        self.colours.out
    }

    /// Whether words for people are coloured.
    pub(crate) const fn colours_words(&self) -> bool {
        self.colours.err
    }

    /// Whether a person can be asked.
    pub(crate) const fn can_ask(&self) -> bool {
        self.person_in && self.person_err
    }

    /// Prints a line of data.
    pub(crate) fn line(&mut self, text: impl AsRef<str>) -> io::Result<()> {
        self.out.write_all(text.as_ref().as_bytes())?;
        self.out.write_all(b"\n")
    }

    /// Prints data as it is.
    pub(crate) fn raw(&mut self, text: impl AsRef<[u8]>) -> io::Result<()> {
        self.out.write_all(text.as_ref())
    }

    /// Prints a document for programs, indented, with a line end.
    pub(crate) fn json(&mut self, document: &impl Serialize) -> anyhow::Result<()> {
        serde_json::to_writer_pretty(&mut self.out, document).map_err(io::Error::from)?;
        self.out.write_all(b"\n")?;
        Ok(())
    }

    /// Tells a person something. Whether it can be told does not matter to the command.
    pub(crate) fn tell(&mut self, text: impl AsRef<str>) {
        let _gone = self.out.flush();
        let _gone = self.err.write_all(text.as_ref().as_bytes());
        let _gone = self.err.write_all(b"\n");
    }

    /// Data text in a tone, where colours are on.
    pub(crate) fn tone(&self, tone: Tone, text: &str) -> String {
        paint(self.colours.out, tone, text)
    }

    /// Words for people in a tone, where colours are on.
    pub(crate) fn tone_told(&self, tone: Tone, text: &str) -> String {
        paint(self.colours.err, tone, text)
    }

    /// Reads everything from stdin.
    pub(crate) fn read_input(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.input.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// A bar for `total` units, hidden where nobody looks.
    pub(crate) fn progress(&self, what: &str, total: u64) -> ProgressBar {
        let bar = ProgressBar::with_draw_target(Some(total), self.draw_target());
        bar.set_style(bar_style());
        bar.set_message(what.to_owned());
        bar
    }

    fn draw_target(&self) -> ProgressDrawTarget {
        if self.person_err {
            ProgressDrawTarget::stderr_with_hz(10)
        } else {
            ProgressDrawTarget::hidden()
        }
    }

    /// Whether progress is shown as it goes.
    pub(crate) const fn shows_progress(&self) -> bool {
        self.person_err
    }

    /// Puts everything printed so far where it belongs.
    ///
    /// # Errors
    /// If the reader of stdout has gone.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Work shorter than this shows no bar: it would only flicker.
pub(crate) const BLINK: Duration = Duration::from_millis(300);

fn bar_style() -> ProgressStyle {
    ProgressStyle::with_template("{msg} {wide_bar} {percent:>3}% {eta:>4}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn paint(on: bool, tone: Tone, text: &str) -> String {
    if on {
        format!("{}{text}\u{1b}[0m", tone.code())
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
pub(crate) mod capture {
    //! A terminal whose output a test can read.

    use super::{Colours, Terminal};
    use std::io::{self, Cursor, Write};
    use std::sync::{Arc, Mutex, PoisonError};

    /// What was printed so far.
    #[derive(Clone, Default)]
    pub(crate) struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Captured {
        pub(crate) fn text(&self) -> String {
            String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
                .into_owned()
        }
    }

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// No terminal anywhere; `input` on stdin.
    pub(crate) fn captured(input: &str) -> (Terminal, Captured, Captured) {
        let (out, err) = (Captured::default(), Captured::default());
        let terminal = Terminal {
            out: Box::new(out.clone()),
            err: Box::new(err.clone()),
            input: Box::new(Cursor::new(input.as_bytes().to_vec())),
            colours: Colours {
                out: false,
                err: false,
            },
            person_err: false,
            person_in: false,
        };
        (terminal, out, err)
    }
}
