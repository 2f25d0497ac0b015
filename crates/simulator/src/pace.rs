//! Keeps a run to the clock.

use std::thread;
use std::time::Duration;

use watchfire_record::Clock;

/// Says when a record of simulated time is due by a real clock.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    real: i64,
    simulated: i64,
    speed: f64,
}

impl Pace {
    /// Simulated time `simulated` (microseconds) is now, and passes `speed` times as fast as the clock; a speed that
    /// is not above 0 is taken as 1.
    #[must_use]
    pub fn new(clock: &dyn Clock, simulated: i64, speed: f64) -> Self {
        Self { real: clock.now(), simulated, speed: if speed > 0.0 { speed } else { 1.0 } }
    }

    /// How long it is until a record is due; nothing if it is overdue.
    #[must_use]
    pub fn until(&self, clock: &dyn Clock, emit_time: i64) -> Duration {
        let due = self.real + ((emit_time - self.simulated) as f64 / self.speed) as i64;
        Duration::from_micros(u64::try_from(due - clock.now()).unwrap_or(0))
    }

    /// Waits until a record is due. Waits of less than a millisecond are saved up.
    pub fn wait(&self, clock: &dyn Clock, emit_time: i64) {
        let time = self.until(clock, emit_time);
        if time >= Duration::from_millis(1) {
            thread::sleep(time);
        }
    }
}

#[cfg(test)]
mod tests {
    use watchfire_record::SimulatedClock;

    use super::*;

    #[test]
    fn records_are_due_by_the_clock() {
        let clock = SimulatedClock::at(1_000_000);
        let pace = Pace::new(&clock, 50_000_000, 2.0);
        assert_eq!(pace.until(&clock, 54_000_000), Duration::from_secs(2));
        clock.advance(1_500_000);
        assert_eq!(pace.until(&clock, 54_000_000), Duration::from_millis(500));
        clock.advance(1_500_000);
        assert_eq!(pace.until(&clock, 54_000_000), Duration::ZERO);
    }
}
