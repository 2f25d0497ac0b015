//! The simulated estate's end: it produces at its rate, and keeps its pace by the consumer's position.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use watchfire_record::Clock;
use watchfire_simulator::{Pace, Producer, Settings as Simulated, Simulation, StreamKind, Truth};

use super::follow::Progress;
use crate::failure::Failure;
use crate::settings::Settings;

/// The demo's topics and their partitions.
pub const PARTITIONS: [(&str, i32); 3] = [("cloudtrail", 4), ("lambda", 2), ("api", 2)];

/// Records that may be produced and not yet consumed. The embedded broker keeps 5 MiB a partition, and drops older ones
/// without a word: 4,000 records of 2 kB are less than that even if all were in two partitions.
const AHEAD: u64 = 4_000;
/// The longest wait at a time, so that the end is seen.
const SLICE: Duration = Duration::from_millis(50);
/// How long the broker may take for the last records.
const FLUSH: Duration = Duration::from_secs(20);

/// What was produced.
#[derive(Debug)]
pub struct Produced {
    /// Records that the broker took.
    pub records: u64,
    /// The attacks among them.
    pub truth: Vec<Truth>,
}

/// The topics with the indexes of their streams.
///
/// # Errors
/// If a built-in stream is not there.
pub fn topics(settings: &Settings) -> Result<Vec<(String, usize)>, Failure> {
    PARTITIONS.iter().map(|(topic, _)| Ok(((*topic).to_owned(), settings.stream_index(topic)?))).collect()
}

/// What is to be produced.
pub struct Plan<'a> {
    /// What was before: as fast as it is consumed.
    pub past: Option<Simulated>,
    /// What is from now on, given what time it is, microseconds.
    pub live: &'a (dyn Fn(i64) -> Simulated + Sync),
    /// Whether that comes by the clock; else as fast as it is consumed.
    pub paced: bool,
}

/// Produces until the simulation is over or `stop` is set.
///
/// # Errors
/// If the broker cannot be reached, or does not take records.
pub fn produce(
    brokers: &str,
    plan: &Plan<'_>,
    clock: &dyn Clock,
    progress: &Progress,
    stop: &AtomicBool,
) -> Result<Produced, Failure> {
    let topics: Vec<_> = StreamKind::ALL.iter().map(|stream| (*stream, stream.name().to_owned())).collect();
    let compressed = [("compression.type".to_owned(), "zstd".to_owned())];
    let mut producer = Producer::new(brokers, &compressed, &topics)?;
    let mut line = Line { producer: &mut producer, clock, progress, stop };
    if let Some(past) = &plan.past {
        line.send(&mut Simulation::new(past), None)?;
    }
    let live = (plan.live)(clock.now());
    progress.live_from.store(live.start, Relaxed);
    let mut simulation = Simulation::new(&live);
    line.send(&mut simulation, plan.paced.then(|| Pace::new(clock, live.start, 1.0)))?;
    progress.live_until.store(clock.now(), Relaxed);
    producer.flush(FLUSH)?;
    let delivered = |stream: &StreamKind| producer.delivered(*stream).iter().map(|d| d.messages).sum::<u64>();
    let records = StreamKind::ALL.iter().map(delivered).sum();
    progress.delivered.store(records, Relaxed);
    Ok(Produced { records, truth: simulation.truth().to_vec() })
}

/// The way from the simulation to the broker.
struct Line<'a> {
    producer: &'a mut Producer,
    clock: &'a dyn Clock,
    progress: &'a Progress,
    stop: &'a AtomicBool,
}

impl Line<'_> {
    fn ended(&self) -> bool {
        self.stop.load(Relaxed) || self.progress.given_up()
    }

    fn send(&mut self, simulation: &mut Simulation, pace: Option<Pace>) -> Result<(), Failure> {
        for record in simulation {
            if let Some(pace) = &pace {
                while !self.ended() && pace.until(self.clock, record.emit_time) > SLICE {
                    thread::sleep(SLICE);
                }
                if !self.ended() {
                    pace.wait(self.clock, record.emit_time);
                }
            }
            while !self.ended() && self.progress.ahead() >= AHEAD {
                thread::sleep(Duration::from_millis(1));
            }
            if self.ended() {
                break;
            }
            self.producer.send(&record)?;
            self.progress.sent.fetch_add(1, Relaxed);
        }
        Ok(())
    }
}
