//! What goes wrong on the way to a system, and how often.

use ml_connector_simulators::entropy::Entropy;
use std::time::Duration;

/// How the ledger behaves during a campaign; the four modes of the id-ledger bench.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// It answers at once.
    Fast,
    /// It takes its time, sometimes longer than the time-out.
    Slow,
    /// Answers are lost before and after the effect, or come later than anybody waits.
    Ambiguous,
    /// It is away for hours.
    Down,
}

impl Mode {
    /// All, in the order in which seeds take turns.
    pub const ALL: [Self; 4] = [Self::Fast, Self::Slow, Self::Ambiguous, Self::Down];

    /// The word on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Slow => "slow",
            Self::Ambiguous => "ambiguous",
            Self::Down => "down",
        }
    }
}

/// What becomes of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It arrives, and its answer comes back after so long.
    Answered(Duration),
    /// It does not leave.
    NotSent,
    /// It is lost on the way: nothing is done, and the sender cannot know.
    CutBefore,
    /// It is lost on the way, and nobody says so: only the time-out ends it.
    Silent,
    /// It is done, and the answer is lost.
    CutAfter,
    /// It is done after so long, when nobody waits any more.
    Late(Duration),
    /// It is done, and the answer is not readable.
    Garbled,
    /// It is done, and the answer says that the server failed.
    FailedAfter,
    /// Nothing is done: come back later.
    Busy,
    /// Nothing is done: too many requests.
    Throttled,
    /// Nothing is done: the session is gone.
    SessionLost,
}

/// The present weather.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    pub(crate) mode: Mode,
    /// Whether the system is off the network.
    pub(crate) away: bool,
    /// Whether everything works, for the end of a run.
    pub(crate) clear: bool,
}

impl Weather {
    pub(crate) fn fate(self, entropy: &mut Entropy) -> Fate {
        let at_once = Fate::Answered(Duration::ZERO);
        if self.away {
            return Fate::NotSent;
        }
        if self.clear {
            return at_once;
        }
        match self.mode {
            Mode::Fast | Mode::Down => at_once,
            Mode::Slow if entropy.chance(30) => Fate::Silent,
            Mode::Slow => Fate::Answered(Duration::from_millis(entropy.next_u64() % 40_000)),
            Mode::Ambiguous => match entropy.next_u64() % 100 {
                0..4 => Fate::CutBefore,
                4 => Fate::Silent,
                5..15 => Fate::CutAfter,
                15..20 => Fate::Late(Duration::from_secs(entropy.next_u64() % 100)),
                20..23 => Fate::Garbled,
                23..26 => Fate::FailedAfter,
                26..28 => Fate::Busy,
                28..30 => Fate::Throttled,
                30..32 => Fate::SessionLost,
                32..34 => Fate::NotSent,
                _ => Fate::Answered(Duration::from_millis(entropy.next_u64() % 500)),
            },
        }
    }
}
