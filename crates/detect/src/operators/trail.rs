//! Which records came for each key, in the order of their coming: what windows rest on, once for all operators that are
//! fed the same rows by the same keys.
//!
//! Few windows are ever found. So nothing is worked out while rows come: each is noted behind the one before it of its
//! key, and the first and last records of a window are looked for when it is found. From time to time, when the records
//! have become many, all is let go that no window can show any more.

use watchfire_record::limits::EVIDENCE_RECORDS;

use super::ends::{Ends, SHOWN};
use super::manner::push;
use super::record_table::{Marks, RecordNumber, RecordTable};
use super::resolution::Resolution;
use super::states::States;

/// The records of keys.
#[derive(Debug, Default)]
pub struct Trail {
    entries: Vec<Entry>,
    /// By the key's number, the place of its latest entry.
    latest: States<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    record: RecordNumber,
    /// The place of the one before it of the same key, or [`NOTHING`].
    before: u32,
}

const NOTHING: u32 = u32::MAX;

/// What had come at some time.
#[derive(Debug, Clone, Copy)]
pub struct TrailView<'a> {
    trail: &'a Trail,
    /// How many entries there were.
    until: usize,
}

impl Trail {
    /// Records of a key have come.
    pub fn add(&mut self, key: u32, records: impl Iterator<Item = RecordNumber>) {
        let known = self.latest.get_mut(key);
        let mut latest = known.as_ref().map_or(NOTHING, |latest| **latest);
        for record in records {
            push(&mut self.entries, Entry { record, before: latest });
            latest = u32::try_from(self.entries.len() - 1).expect("fewer than 2^32 records fit into memory");
        }
        match known {
            Some(known) => *known = latest,
            None => self.latest.insert(key, latest),
        }
    }

    /// How many records are noted, each once for its key.
    #[must_use]
    pub fn count(&self) -> usize {
        self.entries.len()
    }

    /// What there was when so many records were noted.
    #[must_use]
    pub fn view(&self, until: usize) -> TrailView<'_> {
        TrailView { trail: self, until }
    }

    /// A key is gone; its number may be given to another.
    pub fn forget(&mut self, key: u32) {
        self.latest.remove(key);
    }

    /// The records of the key whose latest entry is at this place, the latest first.
    fn records(&self, latest: u32) -> impl Iterator<Item = (u32, RecordNumber)> {
        let entry = |place: u32| (place != NOTHING).then(|| (place, self.entries[place as usize]));
        let all = std::iter::successors(entry(latest), move |(_, known)| entry(known.before));
        all.map(|(place, entry)| (place, entry.record))
    }

    /// Keeps and marks what windows can show that are not final, about.
    pub fn keep(&mut self, resolution: &Resolution, table: &RecordTable, marks: &mut Marks) {
        let mut kept = Self::default();
        let mut of_key: Vec<(i64, RecordNumber)> = Vec::new();
        for (key, latest) in self.latest.iter() {
            of_key.clear();
            of_key.extend(self.records(*latest).map(|(_, record)| (table.time(record), record)));
            of_key.retain(|(time, _)| resolution.pane(*time).is_some());
            if is_worth_thinning(&of_key, resolution) {
                thin(&mut of_key, resolution, table);
            }
            if !of_key.is_empty() {
                kept.add(key, of_key.iter().rev().map(|(_, record)| *record).inspect(|record| marks.mark(*record)));
            }
        }
        *self = kept;
    }

    /// About how many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>() + self.latest.bytes() + self.latest.len() * size_of::<u32>()
    }
}

/// Whether these records, with their times, are surely more than twice as many as can be shown.
fn is_worth_thinning(records: &[(i64, RecordNumber)], resolution: &Resolution) -> bool {
    let times = || records.iter().map(|(time, _)| *time);
    let (Some(first), Some(last)) = (times().min(), times().max()) else { return false };
    records.len() > 2 * SHOWN && records.len() / (2 * SHOWN) > resolution.most_panes(first, last)
}

/// Leaves of the records of each pane what can be shown: the first and the last ones; and the one of the greatest broker
/// timestamp, which is told.
fn thin(records: &mut Vec<(i64, RecordNumber)>, resolution: &Resolution, table: &RecordTable) {
    records.sort_unstable_by(|one, other| table.in_order(one, other));
    let mut shown = Vec::new();
    for alike in records.chunk_by(|(time, _), (next, _)| resolution.pane(*time) == resolution.pane(*next)) {
        if alike.len() <= SHOWN {
            shown.extend_from_slice(alike);
            continue;
        }
        let (first, rest) = alike.split_at(EVIDENCE_RECORDS);
        let (middle, last) = rest.split_at(rest.len() - EVIDENCE_RECORDS);
        let told = middle.iter().max_by_key(|(_, record)| table.get(*record).caused_at);
        shown.extend(first.iter().chain(told).chain(last));
    }
    *records = shown;
}

impl TrailView<'_> {
    /// The first and last records of a key between two event times, microseconds, the second of which is not included.
    #[must_use]
    pub fn ends(&self, key: u32, from: i64, to: i64, table: &RecordTable) -> Ends {
        let latest = self.trail.latest.get(key).copied().unwrap_or(NOTHING);
        let known = self.trail.records(latest).filter(|(place, _)| (*place as usize) < self.until);
        let timed = known.map(|(_, record)| (table.time(record), record));
        Ends::of(timed.filter(|(time, _)| (from..to).contains(time)).collect(), table)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use watchfire_record::Partition;

    use super::*;
    use crate::operators::records::{EventId, Records};
    use crate::operators::resolution::Lengths;

    /// A table of records of these event and broker times, and their numbers.
    fn table(all: &[(i64, i64)]) -> (RecordTable, Vec<RecordNumber>) {
        let mut table = RecordTable::default();
        table.turn_to(&Arc::new(Records {
            times: all.iter().map(|(time, _)| *time).collect(),
            caused: all.iter().map(|(_, caused)| *caused).collect(),
            event_ids: (0..all.len()).map(|n| EventId::from((n * 7 % 5).to_string().as_str())).collect(),
            partitions: vec![Arc::new(Partition { topic: "t".into(), number: 0 })],
            places: (0..).take(all.len()).map(|offset| (0, offset, 0)).collect(),
        }));
        let numbers = (0..).take(all.len()).map(|row| table.of_row(row)).collect();
        (table, numbers)
    }

    /// What is shown of a window: by all its records, in order.
    fn plainly(records: impl Iterator<Item = RecordNumber>, table: &RecordTable) -> (Vec<RecordNumber>, i64) {
        let mut records: Vec<RecordNumber> = records.collect();
        let caused_at = records.iter().map(|record| table.get(*record).caused_at).max().unwrap_or(0);
        records.sort_by_key(|record| table.get(*record).clone());
        if records.len() > SHOWN {
            records.drain(EVIDENCE_RECORDS..records.len() - EVIDENCE_RECORDS);
        }
        (records, caused_at)
    }

    proptest::proptest! {
        #[test]
        fn windows_show_what_they_would_if_all_were_kept(
            all in proptest::collection::vec((0u32..2, 0i64..12, 0i64..9), 0..900),
            looks in proptest::collection::vec(0usize..900, 0..4),
            (slide, several, watermark) in (1i64..7, 1i64..4, 0i64..14),
        ) {
            let mut lengths = Lengths::default();
            lengths.add(slide * several, slide);
            lengths.add(2, 2);
            let resolution = lengths.at(watermark);
            let times: Vec<(i64, i64)> = all.iter().map(|(_, time, caused)| (*time, *caused)).collect();
            let (mut table, numbers) = table(&times);
            let mut trail = Trail::default();
            for (place, (key, ..)) in all.iter().enumerate() {
                if looks.contains(&place) {
                    table.ask();
                    let mut marks = table.turn_away().expect("it was asked for");
                    trail.keep(&resolution, &table, &mut marks);
                }
                trail.add(*key, [numbers[place]].into_iter());
            }
            for key in 0..2 {
                let windows = |size: i64, slide| (-24..24).map(move |n| (n * slide, n * slide + size));
                for (start, end) in windows(slide * several, slide).chain(windows(2, 2)).filter(|(_, end)| *end > watermark) {
                    let within = |place: &usize| all[*place].0 == key && (start..end).contains(&all[*place].1);
                    let expected = plainly((0..all.len()).filter(within).map(|place| numbers[place]), &table);
                    let ends = trail.view(trail.count()).ends(key, start, end, &table);
                    proptest::prop_assert_eq!((ends.records, ends.caused_at), expected);
                }
            }
        }
    }

    #[test]
    fn what_is_needed_stays_and_the_rest_makes_room() {
        let all: Vec<(i64, i64)> = (0..70_000).map(|time| (time, 0)).collect();
        let (mut table, numbers) = table(&all);
        let mut trail = Trail::default();
        trail.add(0, numbers.into_iter());
        let times = |trail: &Trail, table: &RecordTable| {
            let ends = trail.view(trail.count()).ends(0, 0, 70_000, table);
            ends.records.iter().map(|record| table.get(*record).time).collect::<Vec<_>>()
        };
        let before = times(&trail, &table);
        let mut marks = table.turn_away().expect("they are many");
        let mut lengths = Lengths::default();
        lengths.add(10_000, 10_000);
        trail.keep(&lengths.at(i64::MIN), &table, &mut marks);
        table.keep(&marks);
        assert_eq!(times(&trail, &table), before);
        assert!(table.turn_away().is_none() && trail.count() < 100, "few are in use now");
    }

    #[test]
    fn what_came_later_and_what_is_gone_is_not_seen() {
        let (table, numbers) = table(&[(1, 0), (2, 0), (3, 0)]);
        let mut trail = Trail::default();
        trail.add(0, numbers[..2].iter().copied());
        let before = trail.count();
        trail.add(0, numbers[2..].iter().copied());
        let seen = |trail: &Trail, until| trail.view(until).ends(0, 0, 9, &table).records.len();
        assert_eq!((seen(&trail, before), seen(&trail, trail.count())), (2, 3));
        trail.forget(0);
        trail.add(0, numbers[..1].iter().copied());
        assert_eq!(seen(&trail, trail.count()), 1);
    }
}
