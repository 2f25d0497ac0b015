//! The records by which copies are known, of all streams, and how much memory they may take.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use watchfire_detect::{Identities, StreamTime};

use crate::caps::SAID_FOR;
use crate::metrics::Metrics;

/// Each stream's records that may still be copied.
pub struct Copies {
    /// By the engine's list of streams.
    pub streams: Vec<Identities>,
    /// How many bytes they may take together.
    most: usize,
    said_at: Option<i64>,
    metrics: Arc<Metrics>,
}

impl Copies {
    /// For so many streams, and so many bytes.
    #[must_use]
    pub fn new(streams: usize, most: usize, metrics: Arc<Metrics>) -> Self {
        let streams = (0..streams).map(|_| Identities::default()).collect();
        Self { streams, most, said_at: None, metrics }
    }

    /// Forgets what the watermarks have passed; if that is not enough, the earliest of the stream that has the most.
    pub fn advance(&mut self, times: &[StreamTime], now: i64) {
        self.streams.iter_mut().zip(times).for_each(|(identities, time)| identities.advance(time.watermark));
        let bytes = self.streams.iter().map(Identities::bytes).sum::<usize>();
        let surplus = bytes.saturating_sub(self.most);
        self.metrics.identity_bytes.store((bytes - surplus) as u64, Relaxed);
        if surplus == 0 {
            return;
        }
        let largest = self.streams.iter_mut().max_by_key(|identities| identities.bytes());
        let forgotten =
            largest.map_or(0, |identities| identities.forget_beyond(identities.bytes().saturating_sub(surplus)));
        self.metrics.identities_forgotten.fetch_add(forgotten as u64, Relaxed);
        if self.said_at.is_none_or(|said| now.saturating_sub(said) >= SAID_FOR) {
            self.said_at = Some(now);
            tracing::warn!(
                forgotten,
                most = self.most,
                "too many records are within the lateness: copies of the earliest will count again; \
                 raise limits.state.bytes or shorten the stream's lateness"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use watchfire_record::Stream;

    use super::*;

    #[test]
    fn the_stream_that_has_the_most_forgets_its_earliest() {
        let metrics = Arc::new(Metrics::new(&Stream::built_ins()));
        let mut copies = Copies::new(2, 100_000, Arc::clone(&metrics));
        for record in 0..5_000u32 {
            for (stream, every) in [(0, 1), (1, 100)] {
                if record % every == 0 {
                    let identities = &mut copies.streams[stream];
                    let set = identities.set(&[0]);
                    identities.refused(i64::from(record / 1000) * 60_000_000, record.into(), set);
                }
            }
        }
        let (few, all) = (copies.streams[1].bytes(), copies.streams.iter().map(Identities::bytes).sum::<usize>());
        assert!(all > 100_000);
        let times = [StreamTime { watermark: 0, earliest: 0 }; 2];
        copies.advance(&times, 0);
        assert!(copies.streams.iter().map(Identities::bytes).sum::<usize>() <= 100_000);
        assert_eq!(copies.streams[1].bytes(), few, "the other stream keeps what it has");
        assert!(metrics.identities_forgotten.load(Relaxed) >= 1000);
        assert!((1..=100_000).contains(&metrics.identity_bytes.load(Relaxed)));
    }
}
