//! The records that findings rest on: each kept once for all operators of a stream and shard, under a small number, for as
//! long as a window points at it.
//!
//! Nobody counts who points at a record: that would mean going to its place in memory each time a later one takes its
//! place. When the table has grown to twice what was of use, the operators mark what is, and the rest is let go.

use std::cmp::Ordering;
use std::sync::Arc;

use super::at_hand::AtHand;
use super::manner::{extrapolated, push, sum_of};
use super::records::{EventId, Partitions, Record, Records};
use watchfire_record::Evidence;

/// A record's number.
pub type RecordNumber = u32;

/// As many records are kept without asking who needs them.
const FEW: usize = 1 << 16;

/// Records by number.
#[derive(Debug)]
pub struct RecordTable {
    records: Vec<Record>,
    /// Their event times once more: who goes through many records looks at nothing else of most of them.
    times: Vec<i64>,
    free: Vec<RecordNumber>,
    partitions: Partitions,
    /// The batches at hand, with the numbers of their records.
    at_hand: AtHand<Records>,
    /// For each of them the numbers of its partitions.
    partitions_at_hand: Vec<Vec<u32>>,
    /// How many may be in use before it is asked which are needed.
    enough: usize,
}

/// Which records are needed.
#[derive(Debug)]
pub struct Marks(Vec<bool>);

impl Marks {
    /// This one is.
    pub fn mark(&mut self, number: RecordNumber) {
        self.0[number as usize] = true;
    }
}

impl Default for RecordTable {
    fn default() -> Self {
        Self {
            records: Vec::new(),
            times: Vec::new(),
            free: Vec::new(),
            partitions: Partitions::default(),
            at_hand: AtHand::default(),
            partitions_at_hand: Vec::new(),
            enough: FEW,
        }
    }
}

impl RecordTable {
    /// The batch whose records are asked for next.
    pub fn turn_to(&mut self, records: &Arc<Records>) {
        if self.at_hand.turn_to(records, records.times.len()) == self.partitions_at_hand.len() {
            self.partitions_at_hand.push(self.partitions.of(records));
        }
    }

    /// The number of a row's record, which stays its own as long as it is marked whenever that is asked.
    ///
    /// # Panics
    /// If no batch was turned to.
    #[inline]
    pub fn of_row(&mut self, row: u32) -> RecordNumber {
        self.at_hand.number(row).unwrap_or_else(|| self.add(row))
    }

    fn add(&mut self, row: u32) -> RecordNumber {
        let (records, place) = self.at_hand.current();
        let record = records.get(row, &self.partitions_at_hand[place]);
        let time = record.time;
        let number = if let Some(number) = self.free.pop() {
            self.records[number as usize] = record;
            self.times[number as usize] = time;
            number
        } else {
            push(&mut self.times, time);
            push(&mut self.records, record);
            RecordNumber::try_from(self.records.len() - 1).expect("fewer than 2^32 records fit into memory")
        };
        self.at_hand.remember(row, number);
        number
    }

    /// A record.
    #[must_use]
    pub fn get(&self, number: RecordNumber) -> &Record {
        &self.records[number as usize]
    }

    /// A record's event time, microseconds.
    #[must_use]
    pub fn time(&self, number: RecordNumber) -> i64 {
        self.times[number as usize]
    }

    /// The order of two records, each with its event time. Most differ in it: then nobody goes to where they are.
    #[must_use]
    pub fn in_order(
        &self,
        (time, record): &(i64, RecordNumber),
        (other_time, other): &(i64, RecordNumber),
    ) -> Ordering {
        time.cmp(other_time).then_with(|| self.get(*record).cmp(self.get(*other)))
    }

    /// A record as findings show it.
    #[must_use]
    pub fn evidence(&self, number: RecordNumber) -> Evidence {
        self.partitions.evidence(self.get(number))
    }

    /// The batches at hand are done with. If it is time to ask which records are needed: what to mark them in, for
    /// [`Self::keep`].
    #[must_use]
    pub fn turn_away(&mut self) -> Option<Marks> {
        self.at_hand.clear();
        self.partitions_at_hand.clear();
        (self.records.len() - self.free.len() > self.enough).then(|| Marks(vec![false; self.records.len()]))
    }

    /// Lets go of all records but those that are marked.
    pub fn keep(&mut self, marks: &Marks) {
        let needed = marks.0.iter().rposition(|needed| *needed).map_or(0, |last| last + 1);
        self.records.truncate(needed);
        self.records.shrink_to(2 * needed);
        self.times.truncate(needed);
        self.times.shrink_to(2 * needed);
        self.free.clear();
        for (number, record) in (0..).zip(&mut self.records) {
            if !marks.0[number as usize] {
                record.event_id = EventId::Uuid([0; 16]);
                self.free.push(number);
            }
        }
        self.enough = FEW.max(2 * (needed - self.free.len()));
    }

    /// Many records may be needed no more: it is asked next.
    pub fn ask(&mut self) {
        self.enough = 0;
    }

    /// About how many bytes the records take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let texts = |step: usize, _| sum_of(self.records.iter().step_by(step).map(|record| record.event_id.bytes()));
        self.records.capacity() * size_of::<Record>()
            + self.times.capacity() * size_of::<i64>()
            + self.free.capacity() * size_of::<RecordNumber>()
            + extrapolated(self.records.len(), texts)
    }
}
