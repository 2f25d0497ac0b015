//! A status line that is renewed while something else works.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::Scope;
use std::time::Duration;

use watchfire_record::Clock;

use super::Screen;

/// How often the line is renewed.
const EVERY: Duration = Duration::from_millis(250);

/// Ends the line when it is dropped.
pub struct Guard(#[expect(dead_code, reason = "its end is what is listened for")] Option<Sender<()>>);

/// Shows what `line` says, four times a second, until the guard is dropped. Where there is no terminal, nothing.
pub fn show<'scope>(
    scope: &'scope Scope<'scope, '_>,
    screen: &Screen,
    mut line: impl FnMut() -> String + Send + 'scope,
) -> Guard {
    if !screen.is_live() {
        return Guard(None);
    }
    let (sender, ended) = channel();
    let screen = screen.clone();
    scope.spawn(move || {
        while ended.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
            screen.status(&line());
        }
        screen.clear_status();
    });
    Guard(Some(sender))
}

/// How many a second, over about the last two seconds.
#[derive(Debug)]
pub struct Rate {
    seen: Vec<(i64, u64)>,
}

impl Rate {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Self { seen: Vec::new() }
    }

    /// The rate, now that `count` are through.
    pub fn next(&mut self, clock: &dyn Clock, count: u64) -> u64 {
        let now = clock.now();
        self.seen.retain(|(at, _)| now - at <= 2_000_000);
        self.seen.push((now, count));
        let (first_at, first) = self.seen[0];
        let micros = u64::try_from(now - first_at).unwrap_or(0);
        count.saturating_sub(first).saturating_mul(1_000_000).checked_div(micros).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use watchfire_record::SimulatedClock;

    use super::*;

    #[test]
    fn a_rate_is_over_the_last_seconds() {
        let clock = SimulatedClock::at(0);
        let mut rate = Rate::new();
        assert_eq!(rate.next(&clock, 0), 0);
        clock.advance(1_000_000);
        assert_eq!(rate.next(&clock, 500), 500);
        for count in [600, 700, 800] {
            clock.advance(1_000_000);
            rate.next(&clock, count);
        }
        assert_eq!(rate.next(&clock, 800), 100);
    }
}
