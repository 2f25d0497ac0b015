//! Taking in: events of the source become numbered jobs, as many as the budget of bytes lets in flight.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam::channel::Sender;
use watchfire_record::{Clock, Partition};
use watchfire_source::{Assignment, Event, Source};

use crate::budget::Budget;
use crate::delivery::Progress;
use crate::error::EngineError;
use crate::job::{Job, Work, cost};
use crate::metrics::Metrics;

/// How long one poll of the source waits.
const POLL: Duration = Duration::from_millis(20);
/// How often time passes for idle partitions, and positions are committed, microseconds.
const TICK: i64 = 200_000;
/// How long partitions that are to be handed over are waited for: what is in flight of them is finished first.
const HAND_OVER: Duration = Duration::from_secs(20);

/// What intake shares with the other rooms.
pub struct Intake<'a> {
    /// Where jobs go.
    pub jobs: Sender<Job>,
    /// How much may be in flight.
    pub budget: &'a Budget,
    /// What delivery has done.
    pub progress: &'a Mutex<Progress>,
    /// Set when another room cannot go on.
    pub failed: &'a AtomicBool,
    /// Set when the run is to end.
    pub shutdown: &'a AtomicBool,
    /// Tells the time.
    pub clock: &'a dyn Clock,
    /// Where it is counted.
    pub metrics: &'a Metrics,
    /// Event time of each file's first record.
    pub first_times: &'a HashMap<Arc<Partition>, i64>,
    /// Told what a person should know.
    pub notice: &'a mut (dyn FnMut(&str) + Send),
}

/// What intake keeps from event to event.
struct Taking {
    sequence: u64,
    last_tick: i64,
    tick_sequence: u64,
    committed: HashMap<Arc<Partition>, i64>,
    assigned: Vec<Assignment>,
}

/// Takes in until the input is over, the run is to end, or it cannot go on.
///
/// # Errors
/// If the source cannot go on.
pub fn run(source: &mut dyn Source, mut intake: Intake<'_>) -> Result<(), EngineError> {
    let mut taking = Taking {
        sequence: 0,
        last_tick: intake.clock.now(),
        tick_sequence: 0,
        committed: HashMap::new(),
        assigned: Vec::new(),
    };
    while !intake.shutdown.load(Relaxed) && !intake.failed.load(Relaxed) {
        let room = intake.budget.has_room(Duration::ZERO);
        source.set_paused(!room);
        let event = source.poll(POLL)?;
        if taking.event(event, source, &mut intake)? {
            break;
        }
        taking.now_and_then(source, &mut intake)?;
    }
    Ok(())
}

impl Taking {
    /// Deals with an event; true if it was the last.
    fn event(&mut self, event: Event, source: &mut dyn Source, intake: &mut Intake<'_>) -> Result<bool, EngineError> {
        match event {
            Event::Batch(batch) => {
                intake.budget.take(cost(&batch));
                self.job(Work::Batch(batch), intake);
            }
            Event::Assigned(assigned) => {
                self.assigned.extend(assigned.iter().cloned());
                let first = |a: Assignment| {
                    let time = intake.first_times.get(&a.partition).copied();
                    (a, time)
                };
                let assigned = assigned.into_iter().map(first).collect();
                self.job(Work::Assigned(assigned), intake);
            }
            Event::Revoked { partitions, lost } => self.revoked(partitions, lost, source, intake)?,
            Event::CaughtUp(partition) => self.job(Work::CaughtUp(partition), intake),
            Event::Ended(partition) => {
                self.assigned.retain(|a| a.partition != partition);
                self.job(Work::Removed(vec![partition]), intake);
            }
            Event::Nothing => {}
            Event::Finished => {
                self.job(Work::Finish, intake);
                return Ok(true);
            }
            Event::Notice(text) => (intake.notice)(&text),
        }
        intake.metrics.partitions.store(self.assigned.len() as u64, Relaxed);
        Ok(false)
    }

    fn job(&mut self, work: Work, intake: &Intake<'_>) {
        let job = Job { sequence: self.sequence, now: intake.clock.now(), work };
        self.sequence += 1;
        if intake.jobs.send(job).is_err() {
            intake.failed.store(true, Relaxed);
        }
    }

    /// Finishes what is in flight of partitions that are to go, and hands them over.
    fn revoked(
        &mut self,
        partitions: Vec<Arc<Partition>>,
        lost: bool,
        source: &mut dyn Source,
        intake: &mut Intake<'_>,
    ) -> Result<(), EngineError> {
        let mut waited = Duration::ZERO;
        while !lost && waited < HAND_OVER && !intake.failed.load(Relaxed) && !self.all_done(intake) {
            std::thread::sleep(Duration::from_millis(5));
            waited += Duration::from_millis(5);
        }
        let done = if lost { Vec::new() } else { self.newly_done(intake) };
        let ours: Vec<_> = done.into_iter().filter(|(partition, _)| partitions.contains(partition)).collect();
        source.release(&ours)?;
        self.assigned.retain(|a| !partitions.contains(&a.partition));
        partitions.iter().for_each(|partition| {
            self.committed.remove(partition);
        });
        intake.progress.lock().unwrap_or_else(PoisonError::into_inner).done.retain(|p, _| !partitions.contains(p));
        self.job(Work::Removed(partitions), intake);
        Ok(())
    }

    fn all_done(&self, intake: &Intake<'_>) -> bool {
        intake.progress.lock().unwrap_or_else(PoisonError::into_inner).sequence == self.sequence
    }

    /// Positions that are done and were not committed, and are ours still.
    fn newly_done(&mut self, intake: &Intake<'_>) -> Vec<(Arc<Partition>, i64)> {
        let progress = intake.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let new = |(partition, offset): (&Arc<Partition>, &i64)| {
            let ours = self.assigned.iter().any(|a| a.partition == *partition);
            let fresh = self.committed.get(partition) != Some(offset);
            (ours && fresh).then(|| (Arc::clone(partition), *offset))
        };
        let done: Vec<_> = progress.done.iter().filter_map(new).collect();
        self.committed.extend(done.iter().cloned());
        done
    }

    fn now_and_then(&mut self, source: &mut dyn Source, intake: &mut Intake<'_>) -> Result<(), EngineError> {
        let now = intake.clock.now();
        if now.saturating_sub(self.last_tick) < TICK {
            return Ok(());
        }
        self.last_tick = now;
        let done = self.newly_done(intake);
        if !done.is_empty() {
            source.commit(&done)?;
        }
        intake.metrics.lag.store(source.lag().iter().map(|(_, lag)| lag).sum(), Relaxed);
        intake.metrics.in_flight.store(intake.budget.used() as u64, Relaxed);
        let previous_done = {
            let progress = intake.progress.lock().unwrap_or_else(PoisonError::into_inner);
            progress.sequence > self.tick_sequence || self.tick_sequence == 0
        };
        if previous_done && !self.assigned.is_empty() {
            self.tick_sequence = self.sequence;
            self.job(Work::Tick, intake);
        }
        Ok(())
    }
}
