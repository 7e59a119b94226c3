//! The one thread that decides and writes.
//!
//! It takes all commands that wait, decides each against the view and the decisions before it, and writes their records
//! with one write and one sync. Only then are the changes visible and the callers answered. If the disk refuses, nobody of
//! the group is acknowledged, nothing has changed, and the next group is tried again.

use crate::decide::{self, Answer, Command, Group};
use crate::index::view::View;
use crate::journal::{Appender, Journal};
use crate::meter::Meter;
use crate::{Announcer, Error};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Instant;
use tokio::sync::oneshot;

/// Commands in one group at most.
const GROUP_COMMANDS_MAX: usize = 512;

/// A group takes no further command when it has so many bytes of events.
const GROUP_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A command and who waits for it.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) command: Command,
    pub(crate) answer: oneshot::Sender<Result<Answer, Error>>,
}

/// What the thread is sent.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a stop is sent once")]
pub(crate) enum Order {
    Do(Job),
    Stop,
}

/// How commands reach the writer.
#[derive(Debug)]
#[cfg_attr(
    feature = "simulation",
    expect(clippy::large_enum_variant, reason = "one for each store")
)]
pub(crate) enum Orders {
    /// By a channel to its thread.
    Thread(Sender<Order>),
    /// Without a thread, for the simulation.
    #[cfg(feature = "simulation")]
    Inline(Inline),
}

/// A writer without a thread.
#[cfg(feature = "simulation")]
#[derive(Debug)]
pub(crate) struct Inline {
    waiting: std::sync::Mutex<Vec<Job>>,
    writer: std::sync::Mutex<Writer>,
}

impl Orders {
    #[cfg(feature = "simulation")]
    pub(crate) fn inline(writer: Writer) -> Self {
        Self::Inline(Inline {
            waiting: std::sync::Mutex::default(),
            writer: std::sync::Mutex::new(writer),
        })
    }

    /// Hands a job in. Its answer comes by itself.
    #[cfg_attr(
        not(feature = "simulation"),
        expect(clippy::unused_async, reason = "the simulation waits here")
    )]
    pub(crate) async fn hand_in(&self, job: Job) -> Result<(), Error> {
        match self {
            Self::Thread(orders) => orders.send(Order::Do(job)).map_err(|_| Error::Closed),
            #[cfg(feature = "simulation")]
            Self::Inline(inline) => {
                held(&inline.waiting).push(job);
                // Whoever else is about to hand something in does so now, and it becomes one group.
                tokio::task::yield_now().await;
                let mut jobs = std::mem::take(&mut *held(&inline.waiting));
                let mut writer = held(&inline.writer);
                writer.group(&mut jobs);
                let settled = writer.view.settle_much();
                settled.map_err(|_| Error::Index("it cannot be written".to_owned()))
            }
        }
    }

    /// Tells the writer's thread to end after what has been handed in.
    pub(crate) fn stop(&self) {
        match self {
            // A thread that has ended already needs not be told.
            Self::Thread(orders) => drop(orders.send(Order::Stop)),
            #[cfg(feature = "simulation")]
            Self::Inline(_) => {}
        }
    }
}

#[cfg(feature = "simulation")]
fn held<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The thread's own.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) journal: Arc<Journal>,
    pub(crate) view: Arc<View>,
    pub(crate) appender: Appender,
    pub(crate) announcer: Announcer,
    pub(crate) meter: Arc<Meter>,
}

/// Why a group could not be committed.
enum Failed {
    /// Because of one of its commands.
    One(usize, Error),
    /// As a whole.
    All(Error),
}

impl Writer {
    /// Works until it is told to stop or everybody who could send is gone.
    pub(crate) fn run(mut self, orders: &Receiver<Order>) {
        let mut jobs = Vec::new();
        while let Ok(order) = orders.recv() {
            let mut stop = !take(order, &mut jobs);
            let mut bytes = jobs.first().map_or(0, |job| job.command.bytes());
            while !stop && jobs.len() < GROUP_COMMANDS_MAX && bytes < GROUP_BYTES_MAX {
                let Ok(order) = orders.try_recv() else { break };
                stop = !take(order, &mut jobs);
                bytes += jobs.last().map_or(0, |job| job.command.bytes());
            }
            self.group(&mut jobs);
            if stop {
                break;
            }
        }
    }

    /// Commits the jobs together and answers them.
    fn group(&mut self, jobs: &mut Vec<Job>) {
        while !jobs.is_empty() {
            match self.commit(jobs) {
                Ok(answers) => {
                    for (job, answer) in jobs.drain(..).zip(answers) {
                        // A caller that has gone away has still been served.
                        job.answer.send(answer).ok();
                    }
                }
                Err(Failed::One(at, error)) => {
                    self.appender.abandon();
                    let job = jobs.remove(at.min(jobs.len() - 1));
                    job.answer.send(Err(error)).ok();
                }
                Err(Failed::All(error)) => {
                    self.appender.abandon();
                    for job in jobs.drain(..) {
                        job.answer.send(Err(error.clone())).ok();
                    }
                }
            }
        }
    }

    fn commit(&mut self, jobs: &[Job]) -> Result<Vec<Result<Answer, Error>>, Failed> {
        self.view
            .make_room()
            .map_err(|why| Failed::All(Error::Unwritable(why)))?;
        let unwritable = |error: std::io::Error| Failed::All(Error::Unwritable(error.to_string()));
        self.appender.begin().map_err(unwritable)?;
        let view = Arc::clone(&self.view);
        let mut group = Group::new(
            &view,
            &self.journal,
            &mut self.appender,
            self.meter.failing(),
        );
        let mut answers = Vec::with_capacity(jobs.len());
        for (at, job) in jobs.iter().enumerate() {
            match decide::decide(&mut group, &job.command) {
                Ok(answer) => answers.push(Ok(answer)),
                // These are found before anything is staged, so the others can go on.
                Err(error @ (Error::Changed(_) | Error::Missing(_))) => answers.push(Err(error)),
                Err(error) => return Err(Failed::One(at, error)),
            }
        }
        let Some(decided) = group.finish() else {
            return Ok(answers);
        };
        let (first, began_at) = (self.appender.head().0, self.journal.end());
        let began = moment();
        if let Err(error) = self.appender.commit() {
            self.meter.refused();
            return Err(unwritable(error));
        }
        let took = began.elapsed();
        let (last, hash) = self.appender.head();
        let bytes = self.journal.end().saturating_sub(began_at);
        self.meter.committed(last - first, bytes, took);
        let changes = decided
            .staged
            .finish(decided.last, hash, self.journal.end());
        self.view.merge(changes);
        {
            let mut queue = self.view.queue();
            for (position, delivery) in decided.changed {
                queue.changed(position, delivery);
            }
        }
        self.announcer.announce();
        Ok(answers)
    }
}

/// When a write begins.
#[expect(
    clippy::disallowed_methods,
    reason = "how long a write takes is measured and shown; nothing is decided by it"
)]
fn moment() -> Instant {
    Instant::now()
}

fn take(order: Order, jobs: &mut Vec<Job>) -> bool {
    match order {
        Order::Do(job) => {
            jobs.push(job);
            true
        }
        Order::Stop => false,
    }
}
