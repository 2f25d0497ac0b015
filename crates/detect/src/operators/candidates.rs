//! Rows of a range whose aggregates are worked out, before it is asked which of them are findings.

use std::ops::Range;

use watchfire_record::limits::DISTINCT_VALUES;

use super::cursor::Cursor;
use super::fold::{Total, Totals};
use super::held::HeldFeeds;
use super::key_records::{Ahead, KeyRecords};
use super::range_key::KeyState;
use crate::plan::{Aggregate, AggregateKind};

/// Rows whose aggregates are known.
#[derive(Debug, Default)]
pub struct Candidates {
    /// Key and number of each row's record.
    pub rows: Vec<(u32, u64)>,
    /// One an aggregate, of all rows.
    pub totals: Vec<Totals>,
}

/// How rows are looked at.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// What is worked out for each.
    pub aggregates: &'a [Aggregate],
    /// Where pending records are.
    pub held: &'a HeldFeeds,
    /// What is known of them beforehand.
    pub ahead: Ahead<'a>,
    /// Whether they are looked at as they stand, not for good.
    pub preview: bool,
}

impl Candidates {
    /// Adds the rows of a key's pending records of these numbers, in order, if they may pass.
    pub fn add(&mut self, key: u32, state: &mut KeyState, numbers: Range<u64>, look: Look<'_>) {
        let Look { aggregates, held, ahead, preview } = look;
        let KeyState { timeline, cursors, previews, incomplete, .. } = state;
        if preview && previews.is_empty() {
            *previews = aggregates.iter().map(|aggregate| Cursor::start(aggregate, timeline.base())).collect();
        }
        let cursors = if preview { previews } else { cursors };
        if self.totals.is_empty() {
            self.totals = aggregates.iter().map(|aggregate| Totals::new(&aggregate.kind)).collect();
        }
        let records = KeyRecords { timeline, held, ahead };
        for number in numbers.clone() {
            let Some(row) = timeline.pending_at(number) else { continue };
            // The last one takes the cursors along in any case: what no later row reaches can go.
            if !row.may_pass() && number + 1 < numbers.end {
                continue;
            }
            for (index, (cursor, aggregate)) in cursors.iter_mut().zip(aggregates).enumerate() {
                let total = cursor.slide(index, aggregate, &records, row.time);
                if row.may_pass() {
                    *incomplete |= is_saturated(aggregate, &total);
                    self.totals[index].push(total);
                }
            }
            if row.may_pass() {
                self.rows.push((key, number));
            }
        }
    }
}

fn is_saturated(aggregate: &Aggregate, total: &Total) -> bool {
    let full = matches!(total, Total::Count(count) if *count >= DISTINCT_VALUES as i64);
    aggregate.kind == AggregateKind::CountDistinct && full
}
