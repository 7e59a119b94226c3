//! What the operating system says of a child process. Linux only: `/proc`.

use anyhow::{Context, Result};
use std::time::Duration;

/// Clock ticks per second of `/proc/<pid>/stat`: 100 on every Linux the engine is built for.
const TICKS: u64 = 100;

/// CPU, memory and bytes written of one process so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    pub(crate) resident_mib: f64,
    pub(crate) peak_mib: f64,
    pub(crate) written_mib: f64,
}

impl Usage {
    /// Reads it.
    ///
    /// # Errors
    /// If the process is gone.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let read = |name: &str| {
            std::fs::read_to_string(format!("/proc/{pid}/{name}")).context("the engine is gone")
        };
        let stat = read("stat")?;
        let fields: Vec<&str> = stat
            .rsplit(") ")
            .next()
            .unwrap_or_default()
            .split(' ')
            .collect();
        let ticks = |index: usize| {
            fields
                .get(index)
                .and_then(|f| f.parse::<u64>().ok())
                .unwrap_or(0)
        };
        let status = read("status")?;
        let io = read("io").unwrap_or_default();
        Ok(Self {
            cpu: Duration::from_millis((ticks(11) + ticks(12)) * 1000 / TICKS),
            resident_mib: kib(&status, "VmRSS:") / 1024.0,
            peak_mib: kib(&status, "VmHWM:") / 1024.0,
            written_mib: kib(&io, "write_bytes:") / 1024.0 / 1024.0,
        })
    }
}

fn kib(text: &str, key: &str) -> f64 {
    text.lines()
        .find_map(|line| line.strip_prefix(key))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0.0)
}
