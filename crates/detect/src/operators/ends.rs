//! The first and the last few records of a growing set, by number, in one place without allocation.

use watchfire_record::limits::EVIDENCE_RECORDS;

use super::record_table::{Marks, RecordNumber, RecordTable};

/// How many are kept.
const MOST: usize = 2 * EVIDENCE_RECORDS;

/// The first and the last records, each at most [`EVIDENCE_RECORDS`].
#[derive(Debug, Clone)]
pub struct Ends {
    /// The first ones, in order, then, once these are full, the last ones.
    records: [RecordNumber; MOST],
    count: u8,
    /// Where the earliest of the last ones is among these; they go around from there.
    earliest: u8,
    /// The latest time of all, microseconds.
    latest: i64,
}

impl Default for Ends {
    fn default() -> Self {
        Self { records: [0; MOST], count: 0, earliest: 0, latest: i64::MIN }
    }
}

fn small(place: usize) -> u8 {
    u8::try_from(place).expect("few records are kept")
}

impl Ends {
    /// Adds a record of this time.
    #[inline]
    pub fn add(&mut self, time: i64, record: RecordNumber, table: &RecordTable) {
        let count = usize::from(self.count);
        // Times first: records lie elsewhere in memory.
        let is_last =
            time > self.latest || (time == self.latest && count > 0 && table.get(self.newest()) <= table.get(record));
        if !is_last {
            return self.insert(record, table);
        }
        self.latest = time;
        if count < MOST {
            self.records[count] = record;
            self.count += 1;
        } else {
            let place = usize::from(self.earliest);
            self.records[EVIDENCE_RECORDS + place] = record;
            self.earliest = small((place + 1) % EVIDENCE_RECORDS);
        }
    }

    /// The latest record; there is one.
    fn newest(&self) -> RecordNumber {
        match usize::from(self.count) {
            MOST => {
                self.records[EVIDENCE_RECORDS + (usize::from(self.earliest) + EVIDENCE_RECORDS - 1) % EVIDENCE_RECORDS]
            }
            count => self.records[count - 1],
        }
    }

    /// Adds a record that is not the last one.
    #[cold]
    fn insert(&mut self, record: RecordNumber, table: &RecordTable) {
        if self.is_between(record, table) {
            return;
        }
        self.in_order();
        self.latest = self.latest.max(table.get(record).time);
        let kept = &mut self.records[..usize::from(self.count)];
        let before = |kept: &RecordNumber| table.get(*kept) <= table.get(record);
        let place = kept.iter().rposition(before).map_or(0, |index| index + 1);
        if kept.len() < MOST {
            self.records.copy_within(place..usize::from(self.count), place + 1);
            self.records[place] = record;
            self.count += 1;
        } else if place > EVIDENCE_RECORDS {
            kept[EVIDENCE_RECORDS..place].rotate_left(1);
            kept[place - 1] = record;
        } else if place < EVIDENCE_RECORDS {
            // The last of the first ones goes to the last ones, where it is the earliest and has no place.
            kept[place..EVIDENCE_RECORDS].rotate_right(1);
            kept[place] = record;
        }
    }

    /// Whether a record comes after the first ones and before the last ones, when there are as many as are kept.
    fn is_between(&self, record: RecordNumber, table: &RecordTable) -> bool {
        let (first, last) = self.records.split_at(EVIDENCE_RECORDS);
        let record = table.get(record);
        usize::from(self.count) == MOST
            && record < table.get(last[usize::from(self.earliest)])
            && table.get(first[EVIDENCE_RECORDS - 1]) <= record
    }

    /// Puts the last ones in order.
    fn in_order(&mut self) {
        self.records[EVIDENCE_RECORDS..].rotate_left(usize::from(self.earliest));
        self.earliest = 0;
    }

    /// Adds all records of another set.
    pub fn merge(&mut self, other: &Self, table: &RecordTable) {
        other.records().for_each(|record| self.add(table.get(record).time, record, table));
    }

    /// The records, in order of time.
    pub fn records(&self) -> impl Iterator<Item = RecordNumber> {
        let kept = &self.records[..usize::from(self.count)];
        let (first, last) = kept.split_at(kept.len().min(EVIDENCE_RECORDS));
        let (newer, older) = last.split_at(usize::from(self.earliest));
        first.iter().chain(older).chain(newer).copied()
    }

    /// Marks the records as needed.
    pub fn mark(&self, marks: &mut Marks) {
        self.records[..usize::from(self.count)].iter().for_each(|record| marks.mark(*record));
    }

    /// Event time of the first record and of the last, microseconds.
    #[must_use]
    pub fn times(&self, table: &RecordTable) -> (i64, i64) {
        if self.count == 0 { (0, 0) } else { (table.get(self.records[0]).time, self.latest) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use watchfire_record::Partition;

    use super::*;
    use crate::operators::records::{EventId, Records};

    fn table(times: &[i64]) -> RecordTable {
        let mut table = RecordTable::default();
        table.turn_to(&Arc::new(Records {
            times: times.to_vec(),
            caused: vec![0; times.len()],
            event_ids: (0..times.len()).map(|n| EventId::from((n * 7 % 5).to_string().as_str())).collect(),
            partitions: vec![Arc::new(Partition { topic: "t".into(), number: 0 })],
            places: (0..).take(times.len()).map(|offset| (0, offset, 0)).collect(),
        }));
        table
    }

    fn numbers(all: &[i64], table: &mut RecordTable) -> Vec<RecordNumber> {
        (0..).take(all.len()).map(|row| table.of_row(row)).collect()
    }

    proptest::proptest! {
        #[test]
        fn the_ends_are_those_of_the_whole_in_any_order(all in proptest::collection::vec(0i64..12, 0..40), odd in proptest::bool::ANY) {
            let mut table = table(&all);
            let numbers = numbers(&all, &mut table);
            let table = &table;
            let ends_of = |records: &[RecordNumber]| {
                let mut ends = Ends::default();
                records.iter().for_each(|record| ends.add(table.get(*record).time, *record, table));
                ends
            };
            let ends = ends_of(&numbers);
            let mut sorted = numbers.clone();
            sorted.sort_by_key(|record| table.get(*record).clone());
            let times = (sorted.first(), sorted.last());
            let times = (times.0.map_or(0, |r| table.get(*r).time), times.1.map_or(0, |r| table.get(*r).time));
            if sorted.len() > MOST {
                sorted.drain(EVIDENCE_RECORDS..numbers.len() - EVIDENCE_RECORDS);
            }
            proptest::prop_assert_eq!(ends.records().collect::<Vec<_>>(), sorted);
            proptest::prop_assert_eq!(ends.times(table), times);
            let (some, others) = numbers.split_at(numbers.len() / 3);
            let (mut merged, rest) = if odd { (ends_of(some), ends_of(others)) } else { (ends_of(others), ends_of(some)) };
            merged.merge(&rest, table);
            proptest::prop_assert_eq!(merged.records().collect::<Vec<_>>(), ends.records().collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_is_needed_stays_and_the_rest_makes_room() {
        let all: Vec<i64> = (0..70_000).collect();
        let mut table = table(&all);
        let mut ends = Ends::default();
        for (row, time) in (0..).zip(&all) {
            let record = table.of_row(row);
            ends.add(*time, record, &table);
        }
        let before: Vec<i64> = ends.records().map(|record| table.get(record).time).collect();
        let mut marks = table.turn_away().expect("they are many");
        ends.mark(&mut marks);
        table.keep(&marks);
        assert_eq!(ends.records().map(|record| table.get(record).time).collect::<Vec<_>>(), before);
        assert!(table.turn_away().is_none(), "few are in use now");
        let mut more = super::tests::table(&[1]);
        assert_eq!(more.of_row(0), 0);
    }
}
