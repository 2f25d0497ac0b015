//! Taking in: events of the source become numbered jobs, as many as the budget of bytes lets in flight.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender};
use watchfire_record::{Clock, Partition};
use watchfire_source::{Assignment, Event, Source};

use crate::budget::Budget;
use crate::delivery::Progress;
use crate::error::EngineError;
use crate::job::{Job, Work, cost};
use crate::metrics::Metrics;
use crate::rules::RuleSet;

/// How long one poll of the source waits.
const POLL: Duration = Duration::from_millis(20);
/// How often time passes for idle partitions, and positions are committed, microseconds.
const TICK: i64 = 200_000;
/// How long partitions that are to be handed over are waited for: what is in flight of them is finished first.
const HAND_OVER: Duration = Duration::from_secs(20);
/// The same once the run is to end.
const HAND_OVER_AT_END: Duration = Duration::from_secs(3);

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
    /// The detectors that are live at the start.
    pub rules: Arc<RuleSet>,
    /// Those that become so, if they can change.
    pub changes: Option<Receiver<Arc<RuleSet>>>,
    /// Told what a person should know.
    pub notice: &'a mut (dyn FnMut(&str) + Send),
}

/// What intake keeps from event to event.
struct Taking {
    sequence: u64,
    last_tick: i64,
    tick_sequence: u64,
    committed: HashMap<Arc<Partition>, i64>,
    assigned: HashSet<Arc<Partition>>,
    /// Nobody looks for records: paused, or the broker is away.
    blind: bool,
    /// Since when the source cannot be seen.
    away_since: Option<i64>,
    /// Whether all partitions of what is read are ours.
    whole: bool,
}

/// Takes in until the input is over, the run is to end, or it cannot go on. Returns the partitions that are still ours.
///
/// # Errors
/// If the source cannot go on.
pub fn run(source: &mut dyn Source, mut intake: Intake<'_>) -> Result<HashSet<Arc<Partition>>, EngineError> {
    let mut taking = Taking {
        sequence: 0,
        last_tick: intake.clock.now(),
        tick_sequence: 0,
        committed: HashMap::new(),
        assigned: HashSet::new(),
        blind: false,
        away_since: None,
        whole: true,
    };
    while !intake.shutdown.load(Relaxed) && !intake.failed.load(Relaxed) {
        taking.change(&mut intake);
        taking.pause(!intake.budget.has_room(Duration::ZERO), source, &intake);
        taking.watch(source, &intake);
        let event = source.poll(POLL)?;
        if taking.event(event, source, &mut intake)? {
            break;
        }
        taking.now_and_then(source, &mut intake)?;
    }
    Ok(taking.assigned)
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
                self.assigned.extend(assigned.iter().map(|a| Arc::clone(&a.partition)));
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
                self.assigned.remove(&partition);
                self.job(Work::Ended(partition), intake);
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

    /// Goes over to other rules, if there are any.
    fn change(&mut self, intake: &mut Intake<'_>) {
        if let Some(rules) = intake.changes.as_ref().and_then(|changes| changes.try_recv().ok()) {
            intake.rules = rules;
            self.job(Work::Rules, intake);
        }
    }

    /// Stops taking, or goes on. Time does not pass for silent partitions while nobody looks at them.
    fn pause(&mut self, pause: bool, source: &mut dyn Source, intake: &Intake<'_>) {
        source.set_paused(pause);
        let blind = pause || !source.is_available();
        if self.blind && !blind {
            self.job(Work::Resumed, intake);
        }
        self.blind = blind;
    }

    /// Takes note of when nobody could see the source, and of whether others read a part of it.
    fn watch(&mut self, source: &dyn Source, intake: &Intake<'_>) {
        if !source.is_available() {
            self.away_since = self.away_since.or_else(|| Some(intake.clock.now()));
        } else if let Some(since) = self.away_since.take() {
            self.job(Work::Away { since }, intake);
        }
        let whole = source.is_whole();
        if std::mem::replace(&mut self.whole, whole) != whole {
            self.job(Work::Whole(whole), intake);
        }
    }

    fn job(&mut self, work: Work, intake: &Intake<'_>) {
        let rules = Arc::clone(&intake.rules);
        let job = Job { sequence: self.sequence, now: intake.clock.now(), work, rules };
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
        let limit = || if intake.shutdown.load(Relaxed) { HAND_OVER_AT_END } else { HAND_OVER };
        while !lost && waited < limit() && !intake.failed.load(Relaxed) && !self.all_done(intake) {
            std::thread::sleep(Duration::from_millis(5));
            waited += Duration::from_millis(5);
        }
        let mut ours = Vec::new();
        for partition in &partitions {
            self.assigned.remove(partition);
            self.committed.remove(partition);
            let done = intake.progress.lock().unwrap_or_else(PoisonError::into_inner).done.remove(partition);
            ours.extend(done.filter(|_| !lost).map(|offset| (Arc::clone(partition), offset)));
        }
        source.release(&ours)?;
        self.job(Work::Removed(partitions), intake);
        Ok(())
    }

    fn all_done(&self, intake: &Intake<'_>) -> bool {
        intake.progress.lock().unwrap_or_else(PoisonError::into_inner).sequence == self.sequence
    }

    /// Positions that are done and were not committed; those that are no longer ours are forgotten.
    fn newly_done(&mut self, intake: &Intake<'_>) -> Vec<(Arc<Partition>, i64)> {
        let mut progress = intake.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.done.retain(|partition, _| self.assigned.contains(partition));
        let fresh = progress.done.iter().filter(|(partition, offset)| self.committed.get(*partition) != Some(offset));
        let done: Vec<_> = fresh.map(|(partition, offset)| (Arc::clone(partition), *offset)).collect();
        self.committed.extend(done.iter().cloned());
        done
    }

    fn now_and_then(&mut self, source: &mut dyn Source, intake: &mut Intake<'_>) -> Result<(), EngineError> {
        let now = intake.clock.now();
        if (0..TICK).contains(&now.saturating_sub(self.last_tick)) {
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
        if previous_done && !self.assigned.is_empty() && !self.blind {
            self.tick_sequence = self.sequence;
            self.job(Work::Tick, intake);
        }
        Ok(())
    }
}
