//! How finely windows that are not final tell times apart.

use super::windows::greatest_common_divisor;
use crate::plan::functions::window_start;

/// Lengths of windows, microseconds: how long each is, and the greatest length of which it is made.
#[derive(Debug, Clone, Default)]
pub struct Lengths(Vec<(i64, i64)>);

impl Lengths {
    /// Windows of this length begin one each `slide`.
    pub fn add(&mut self, size: i64, slide: i64) {
        self.0.push((size, greatest_common_divisor(size, slide)));
        self.0.sort_unstable();
        self.0.dedup();
    }

    /// Whether there are no windows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is told apart when windows are final that end by this watermark.
    #[must_use]
    pub fn at(&self, watermark: i64) -> Resolution {
        let mut all = 0;
        let longest_first = self.0.iter().rev().map(|(size, pane)| {
            all = greatest_common_divisor(all, *pane);
            (watermark.saturating_sub(*size), all)
        });
        Resolution(longest_first.collect())
    }
}

/// Panes that windows consist of which are not final: short ones where short windows are open, longer ones before.
#[derive(Debug)]
pub struct Resolution(Vec<(i64, i64)>);

impl Resolution {
    /// The pane that a time lies in: times with equal ones are in the same windows. `None`: in none that is not final.
    #[must_use]
    pub fn pane(&self, time: i64) -> Option<(usize, i64)> {
        let place = self.0.iter().rposition(|(from, _)| *from <= time)?;
        Some((place, window_start(time, self.0[place].1)))
    }

    /// How many panes there are at most from one time to another.
    #[must_use]
    pub fn most_panes(&self, first: i64, last: i64) -> usize {
        let ends = self.0.iter().skip(1).map(|(from, _)| from.saturating_sub(1)).chain([i64::MAX]);
        let parts = self.0.iter().zip(ends).map(|((from, pane), end)| {
            let (first, last) = (first.max(*from), last.min(end));
            if first > last {
                0
            } else {
                usize::try_from(last.saturating_sub(first) / pane).unwrap_or(usize::MAX - 2) + 2
            }
        });
        parts.fold(0, usize::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_final_is_told_apart_no_more() {
        let mut lengths = Lengths::default();
        [(60, 60), (60, 20), (5, 5), (1, 1), (5, 5)].into_iter().for_each(|(size, slide)| lengths.add(size, slide));
        let resolution = lengths.at(100);
        let pane = |time| resolution.pane(time).map(|(_, start)| start);
        assert_eq!(
            [39, 40, 59, 94, 95, 98, 99, 120].map(pane),
            [None, Some(40), Some(40), Some(80), Some(95), Some(95), Some(99), Some(120)]
        );
        assert!(resolution.most_panes(40, 98) >= 4 && resolution.most_panes(40, 94) < 7);
        assert_eq!((resolution.most_panes(0, 39), lengths.at(i64::MAX).pane(0)), (0, None));
        assert_eq!(lengths.at(i64::MIN).pane(7).map(|(_, start)| start), Some(7));
    }
}
