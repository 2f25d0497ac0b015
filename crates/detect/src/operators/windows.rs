//! The window operator: aggregates a key and window, final when the watermark reaches the window's end.
//!
//! A row is folded once, into a **pane** as long as the greatest length of which all windows are made: a tumbling window
//! is one pane, a hopping one several, which are put together when the window is judged. Detectors that differ only in
//! what they find in the same windows share one operator; each of them is a member.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, TimestampMicrosecondArray, UInt32Array};
use arrow::datatypes::DataType;
use arrow::row::RowConverter;
use datafusion_common::Result;
use watchfire_record::Finding;

use super::ends::Ends;
use super::feed::{Fed, FedRow};
use super::fold::{Fold, Total};
use super::key_table::KeyTable;
use super::panes::{Pane, Panes};
use super::post::NamedValues;
use super::runs::{Run, Runs};
use super::waits::{Wait, Waits};
use super::window_groups::Groups;
use super::window_members::{Member, key_types};
use super::{Common, Manner, Newcomer, OperatorStatistics, StatefulOperator, input::row_converter};
use crate::detector::StreamDetectors;
use crate::lifetime::{Lifetime, OfVersion, live_parts};
use crate::plan::functions::{window_start, window_starts};
use crate::plan::{Aggregate, AggregateKind, Operator};

/// Tumbling or hopping windows of some detectors in one shard.
pub struct Windows {
    /// The windows' length and from one start to the next, microseconds.
    size: i64,
    slide: i64,
    /// The panes' length, microseconds.
    pane: i64,
    members: Vec<Member>,
    key_rows: RowConverter,
    has_keys: bool,
    panes: Panes,
    /// Which of the aggregates are counts that early findings hang on.
    asked: Vec<bool>,
    /// What is waited for where nothing has been counted.
    first_wait: Wait,
    /// The panes by their start.
    by_start: BTreeMap<i64, Vec<u32>>,
    /// Starts of the windows that are not final.
    open: BTreeSet<i64>,
    /// What is waited for before early findings are looked for.
    waits: Waits,
    /// Windows that end before it are final.
    watermark: i64,
    fires_early: bool,
    most_keys: usize,
    statistics: OperatorStatistics,
}

/// Panes, each with rows that go into it.
type Placed<'a> = Vec<(u32, &'a [FedRow])>;

impl Windows {
    /// The operator of detectors whose plans have the same window, keys, aggregates and WHERE.
    ///
    /// # Errors
    /// If an expression does not fit, which planning rules out.
    pub fn new(members: &[usize], stream: &StreamDetectors, manner: Manner) -> Result<Self> {
        let first = &stream.detectors[members[0]];
        let Operator::Window { size, slide, aggregates } = &first.plan.operator else {
            unreachable!("the caller looks at the operator");
        };
        let types = key_types(first)?;
        let member = |place: &usize| {
            Member::new(stream.slots[*place], &stream.detectors[*place], &types, aggregates, manner.fires_early)
        };
        let members = members.iter().map(member).collect::<Result<Vec<_>>>()?;
        let windows = Self::of_rows(*size, *slide, aggregates, types, manner.keys)?;
        let mut windows = Self { fires_early: members.iter().any(|member| member.fires_early), members, ..windows };
        windows.look_at_asked();
        Ok(windows)
    }

    /// Windows of which another operator takes the rows; their keys have these types, and so many are kept at most.
    ///
    /// # Errors
    /// If a type cannot be a key, which planning rules out.
    pub fn of_rows(
        size: i64,
        slide: i64,
        aggregates: &[Aggregate],
        types: Vec<DataType>,
        most_keys: usize,
    ) -> Result<Self> {
        Ok(Self {
            size,
            slide,
            pane: greatest_common_divisor(size, slide),
            fires_early: false,
            members: Vec::new(),
            has_keys: !types.is_empty(),
            key_rows: row_converter(types)?,
            panes: Panes::new(aggregates.to_vec()),
            asked: vec![false; aggregates.len()],
            first_wait: Wait::default(),
            by_start: BTreeMap::new(),
            open: BTreeSet::new(),
            waits: Waits::new(size == slide),
            watermark: i64::MIN,
            most_keys,
            statistics: OperatorStatistics::default(),
        })
    }

    /// The pane of each row; rows of a group are in order of time. What follows goes through all rows once for each thing
    /// that is kept, so that the processor can wait for several places in memory at once.
    fn place<'r>(&mut self, fed: &Fed<'_>, runs: &'r Runs, keys: &mut KeyTable) -> Placed<'r> {
        let mut late = 0;
        let runs: Vec<Run<'_>> = runs.since(self.late_before(), fed, &mut late).collect();
        let (mut start, mut end) = (i64::MAX, i64::MIN);
        let length = self.pane;
        let mut pane_of = |time: i64| {
            if !(start..end).contains(&time) {
                start = window_start(time, length);
                end = start.saturating_add(length);
            }
            (start, end)
        };
        let likely: Vec<Option<u32>> =
            runs.iter().map(|run| self.panes.likely(run.key, pane_of(run.times.0).0)).collect();
        let mut placed = Vec::with_capacity(runs.len());
        for (Run { key, times: (mut first, last), mut rows }, mut likely) in runs.into_iter().zip(likely) {
            while !rows.is_empty() {
                let (start, end) = pane_of(first);
                let known = likely.take().or_else(|| self.panes.find_next(key, start));
                let pane = known.unwrap_or_else(|| self.new_pane(key, start, keys));
                let within = if last < end { rows.len() } else { rows.partition_point(|row| fed.time(*row) < end) };
                placed.push((pane, &rows[..within]));
                rows = &rows[within..];
                first = rows.first().map_or(first, |row| fed.time(*row));
            }
        }
        self.statistics.too_late += late;
        placed
    }

    /// Rows before it are too late: all their windows are final.
    fn late_before(&self) -> i64 {
        if self.watermark == i64::MIN {
            return i64::MIN;
        }
        // The latest window of a row is the last to close.
        window_start(self.watermark.saturating_sub(self.size), self.slide).saturating_add(self.slide)
    }

    /// Folds the rows. For each run of them: by how much at most a count that early findings hang on has grown.
    fn fold(&mut self, fed: &Fed<'_>, placed: &Placed<'_>) -> Vec<u64> {
        for (pane, rows) in placed {
            let pane = self.panes.get_mut(*pane);
            pane.rows = pane.rows.saturating_add(u32::try_from(rows.len()).unwrap_or(u32::MAX));
        }
        let mut growth = vec![0; placed.len()];
        for index in 0..self.panes.aggregates().len() {
            let (kind, input) = (self.panes.aggregates()[index].kind.clone(), &fed.aggregates()[index]);
            for ((pane, rows), growth) in placed.iter().zip(&mut growth) {
                let fold = self.panes.fold_mut(*pane, index);
                let before = fold.count();
                fold.add(&kind, &input.values, rows.iter().map(|row| row.place(input)));
                if self.asked[index] {
                    *growth = fold.count().saturating_sub(before).unsigned_abs().max(*growth);
                }
            }
        }
        growth
    }

    /// Looks for whom what early findings wait for has come.
    fn look_at_waits(&mut self, placed: &Placed<'_>, growth: &[u64]) {
        if self.fires_early {
            for ((pane, _), growth) in placed.iter().zip(growth) {
                self.waits.came(*pane, *growth, &mut self.panes, self.first_wait);
            }
        }
    }

    /// Which counts members ask for before they find something early.
    fn look_at_asked(&mut self) {
        let early = || self.members.iter().filter(|member| member.fires_early);
        let asks = |index: usize| early().any(|member| member.post.patience().asks_for(index));
        self.asked = (0..self.panes.aggregates().len()).map(asks).collect();
        self.first_wait = Wait::new(growth_needed(&self.members, &|_| 0));
    }

    /// The windows in which something may be found early, with their keys; and what is waited for from now on.
    fn due_windows(&mut self) -> Vec<(i64, u32)> {
        let mut windows = Vec::new();
        for waiting in self.waits.take_due(&self.panes) {
            let (key, (starts, panes)) = if self.size == self.slide {
                let Pane { start, key, .. } = *self.panes.get(waiting);
                (key, (vec![start], vec![waiting]))
            } else {
                (waiting, self.panes_of(waiting, i64::MIN, i64::MAX).unzip())
            };
            for (start, pane) in starts.iter().zip(&panes) {
                if std::mem::take(&mut self.panes.get_mut(*pane).touched) {
                    windows.extend(self.open_windows(*start).map(|window| (window, key)));
                }
            }
            let wait = Wait::new(self.growth_needed_in(&starts, &panes));
            self.waits.wait(waiting, wait, &mut self.panes);
        }
        // Panes of one key are in the same windows.
        windows.sort_unstable();
        windows.dedup();
        windows
    }

    /// By how much a count has to grow before a member finds something early in a window of a key that has these panes.
    fn growth_needed_in(&self, starts: &[i64], panes: &[u32]) -> u64 {
        let mut least = growth_needed(&self.members, &|_| 0);
        if least == 0 {
            return 0;
        }
        let mut windows: Vec<i64> = starts.iter().flat_map(|start| self.open_windows(*start)).collect();
        windows.sort_unstable();
        windows.dedup();
        for window in windows {
            let from = starts.partition_point(|start| *start < window);
            let to = starts.partition_point(|start| *start < window.saturating_add(self.size));
            least = least.min(growth_needed(&self.members, &|index| self.most(index, &panes[from..to])));
        }
        least
    }

    /// The starts of the windows that are open and have the pane of this start.
    fn open_windows(&self, pane: i64) -> impl Iterator<Item = i64> + use<> {
        let (size, watermark) = (self.size, self.watermark);
        window_starts(pane, size, self.slide).filter(move |start| start.saturating_add(size) > watermark)
    }

    fn new_pane(&mut self, key: u32, start: i64, keys: &mut KeyTable) -> u32 {
        keys.hold(key);
        let number = self.panes.make(key, start, self.first_wait);
        let (open, watermark, size, slide) = (&mut self.open, self.watermark, self.size, self.slide);
        let alike = self.by_start.entry(start).or_insert_with(|| {
            let windows = window_starts(start, size, slide);
            open.extend(windows.filter(|start| start.saturating_add(size) > watermark));
            Vec::new()
        });
        alike.push(number);
        number
    }

    /// What keys have in the window of this start.
    fn groups(&self, start: i64) -> Groups {
        let mut groups = Groups::default();
        let within = self.by_start.range(start..start.saturating_add(self.size));
        let numbers = within.flat_map(|(_, numbers)| numbers.iter().copied());
        let mut panes: Vec<(u32, u32)> = numbers.map(|number| (self.panes.get(number).key, number)).collect();
        if self.size != self.pane {
            panes.sort_by_key(|(key, _)| *key);
        }
        for alike in panes.chunk_by(|(key, _), (next, _)| key == next) {
            groups.add(start, alike[0].0, alike.iter().map(|(_, number)| *number));
        }
        groups
    }

    /// What keys have in windows, by the windows' starts.
    fn groups_of(&self, windows: Vec<(i64, u32)>) -> Groups {
        let mut groups = Groups::default();
        for (start, key) in windows {
            let panes = self.panes_of(key, start, start.saturating_add(self.size));
            groups.add(start, key, panes.map(|(_, number)| number));
        }
        groups
    }

    /// A key's panes that start between two times, each with its start.
    fn panes_of(&self, key: u32, from: i64, to: i64) -> impl Iterator<Item = (i64, u32)> {
        let starts = self.by_start.range(from..to).map(|(start, _)| *start);
        starts.filter_map(move |start| Some((start, self.panes.find(key, start)?)))
    }

    /// What the aggregate of an index comes to in these panes of a key.
    #[must_use]
    pub fn total(&self, index: usize, panes: &[u32]) -> Total {
        match panes {
            [one] => self.panes.fold(*one, index).total(),
            _ => self.merged(index, panes).total(),
        }
    }

    fn merged(&self, index: usize, panes: &[u32]) -> Fold {
        let kind = &self.panes.aggregates()[index].kind;
        let mut fold = Fold::new(kind);
        panes.iter().for_each(|pane| fold.merge(kind, self.panes.fold(*pane, index)));
        fold
    }

    /// What a count comes to at most in these panes: values of two are taken to be different ones.
    fn most(&self, index: usize, panes: &[u32]) -> i64 {
        panes.iter().map(|pane| self.panes.fold(*pane, index).count()).sum()
    }

    /// Leaves the groups in which a member may find something: in most windows no count is large enough for anybody, and
    /// nothing else need be worked out for them.
    fn retain_promising(&self, member: &Member, groups: &Groups, live: &mut Vec<usize>) {
        let needed =
            |group: usize| member.post.patience().growth_needed(&|index| self.most(index, groups.panes(group)));
        live.retain(|group| member.term.finds(groups.start(*group)) && needed(*group) == 0);
    }

    /// The distinct counts among the aggregates.
    fn distinct(&self) -> impl Iterator<Item = usize> {
        let aggregates = self.panes.aggregates().iter().enumerate();
        aggregates.filter(|(_, a)| a.kind == AggregateKind::CountDistinct).map(|(index, _)| index)
    }

    /// The findings of one member in these groups, by their places, each with its group's place.
    fn findings(
        &self,
        member: &Member,
        groups: &Groups,
        mut live: Vec<usize>,
        common: &Common<'_>,
    ) -> Vec<(usize, Finding)> {
        self.retain_promising(member, groups, &mut live);
        if live.is_empty() {
            return Vec::new();
        }
        let totals = member.post.totals(live.len(), |index, row| self.total(index, groups.panes(live[row])));
        let promising = member.post.promising(&totals, live.len());
        if promising.is_empty() {
            return Vec::new();
        }
        let live: Vec<usize> = promising.iter().map(|row| live[*row as usize]).collect();
        let starts = TimestampMicrosecondArray::from_iter_values(live.iter().map(|group| groups.start(*group)));
        let mut columns: Vec<ArrayRef> = vec![Arc::new(starts)];
        columns.extend(self.key_arrays(live.iter().map(|group| common.keys.bytes(groups.key(*group)))));
        let batch = member.post.batch(columns, &totals, &promising);
        let passing = member.post.passing(&batch);
        let indices = UInt32Array::from(passing.clone());
        let batch = arrow::compute::take_record_batch(&batch, &indices).expect("the rows are the batch's");
        let rows = member.post.found(&batch);
        let finding = |(index, (row, keys)): (&u32, _)| {
            let group = live[*index as usize];
            (group, self.finding(member, groups, group, (row, keys), common))
        };
        passing.iter().zip(rows).map(finding).collect()
    }

    fn finding(
        &self,
        member: &Member,
        groups: &Groups,
        group: usize,
        found: (NamedValues, NamedValues),
        common: &Common<'_>,
    ) -> Finding {
        let start = groups.start(group);
        let ends = self.ends(start, groups.key(group), common);
        let finding = member.finding(start, self.size, &ends, common.records, found);
        Finding { complete: self.is_complete(groups.panes(group)), ..finding }
    }

    /// Tells what a member finds early in these groups, by their places.
    fn hold(
        &mut self,
        index: usize,
        groups: &Groups,
        live: Vec<usize>,
        now: i64,
        common: &Common<'_>,
        found: &mut Vec<Finding>,
    ) {
        for (group, finding) in self.findings(&self.members[index], groups, live, common) {
            let Member { firing, recent, .. } = &mut self.members[index];
            let told = firing.holds(finding, now, found);
            recent.was_told(groups.start(group), groups.key(group), told);
            groups.panes(group).iter().for_each(|pane| self.panes.get_mut(*pane).fired = true);
        }
    }

    /// Whether no limit has touched what a key has in these panes.
    #[must_use]
    pub fn is_complete(&self, panes: &[u32]) -> bool {
        self.statistics.evicted == 0 && !self.distinct().any(|index| self.merged(index, panes).saturated())
    }

    /// The first and last records of a key's window.
    #[must_use]
    pub fn ends(&self, start: i64, key: u32, common: &Common<'_>) -> Ends {
        let trail = common.trail.as_ref().expect("windows have one");
        trail.ends(key, start, start.saturating_add(self.size), common.records)
    }

    /// No record before `watermark` will be fed any more.
    pub fn reach(&mut self, watermark: i64) {
        self.watermark = self.watermark.max(watermark);
    }

    /// The earliest window that is final and was not given yet: its start, and what keys have in it. When it is done with,
    /// [`Self::forget_final`] is to be called.
    pub fn next_final(&mut self) -> Option<(i64, Groups)> {
        let start = self.open.first().copied().filter(|s| s.saturating_add(self.size) <= self.watermark)?;
        self.open.pop_first();
        Some((start, self.groups(start)))
    }

    /// The window of this start is done with.
    pub fn forget_final(&mut self, start: i64, keys: &mut KeyTable) {
        // Windows without a pane may lie between: the next one that is open says what is needed yet.
        self.forget_before(self.open.first().copied().unwrap_or(start.saturating_add(self.size)), keys);
    }

    /// Keys' values as columns.
    #[must_use]
    pub fn key_arrays<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) -> Vec<ArrayRef> {
        if !self.has_keys {
            return Vec::new();
        }
        let parser = self.key_rows.parser();
        let rows = keys.map(|key| parser.parse(key));
        self.key_rows.convert_rows(rows).expect("the bytes were made by a converter of the same types")
    }

    /// Lets go the panes that are in no window any more.
    fn forget_before(&mut self, start: i64, keys: &mut KeyTable) {
        while let Some(entry) = self.by_start.first_entry().filter(|entry| *entry.key() < start) {
            for number in entry.remove() {
                keys.release(self.panes.remove(number));
            }
        }
        self.waits.forget_keys(&self.panes);
    }

    /// Throws out keys until so many panes are left: those of least count that never fired first.
    fn evict(&mut self, keep: usize, keys: &mut KeyTable) {
        let mut of_key: HashMap<u32, (bool, u64, usize)> = HashMap::new();
        for (_, pane) in self.panes.iter() {
            let (fired, rows, panes) = of_key.entry(pane.key).or_default();
            (*fired, *rows, *panes) = (*fired || pane.fired, *rows + u64::from(pane.rows), *panes + 1);
        }
        let mut order: Vec<_> =
            of_key.into_iter().map(|(key, (fired, rows, panes))| (fired, rows, key, panes)).collect();
        order.sort_unstable();
        let mut surplus = self.panes.count().saturating_sub(keep);
        let mut gone = HashSet::new();
        for (_, _, key, panes) in order {
            if surplus == 0 {
                break;
            }
            surplus = surplus.saturating_sub(panes);
            gone.insert(key);
        }
        self.statistics.evicted += gone.len() as u64;
        let numbers: HashSet<u32> =
            self.panes.iter().filter(|(_, pane)| gone.contains(&pane.key)).map(|(number, _)| number).collect();
        self.by_start.values_mut().for_each(|alike| alike.retain(|number| !numbers.contains(number)));
        for number in numbers {
            keys.release(self.panes.remove(number));
        }
        self.members.iter_mut().for_each(|member| member.recent.forget_keys(&gone));
        gone.into_iter().for_each(|key| self.waits.forget_key(key));
        self.panes.shrink();
        self.waits.shrink();
    }
}

impl StatefulOperator for Windows {
    fn feed(&mut self, fed: &Fed<'_>, common: &mut Common<'_>) {
        let runs = fed.runs(common);
        let placed = self.place(fed, &runs, common.keys);
        let growth = self.fold(fed, &placed);
        self.look_at_waits(&placed, &growth);
        self.statistics.rows += fed.count() as u64;
        if self.panes.count() > self.most_keys {
            self.evict(self.most_keys - self.most_keys.div_ceil(10), common.keys);
        }
    }

    fn begin(&mut self, earliest: i64) {
        self.members.iter_mut().for_each(|member| member.term.begin(earliest));
    }

    fn fire_early(&mut self, now: i64, common: &mut Common<'_>, found: &mut Vec<Finding>) {
        let mut due = self.due_windows();
        due.retain(|(start, key)| {
            let early = self.members.iter_mut().filter(|member| member.fires_early);
            // Each is asked, since it notes that something has come.
            early.map(|member| member.recent.waits(*start, *key, now)).filter(|waits| !waits).count() > 0
        });
        let groups = self.groups_of(due);
        for index in 0..self.members.len() {
            if !self.members[index].fires_early {
                continue;
            }
            let recent = &mut self.members[index].recent;
            let mut waits = |group: &usize| recent.waits(groups.start(*group), groups.key(*group), now);
            let live = (0..groups.len()).filter(|group| !waits(group)).collect();
            self.hold(index, &groups, live, now, common, found);
        }
    }

    fn advance(&mut self, watermark: i64, common: &mut Common<'_>, found: &mut Vec<Finding>) {
        self.reach(watermark);
        while let Some((start, groups)) = self.next_final() {
            for index in 0..self.members.len() {
                let all = (0..groups.len()).collect();
                for (_, finding) in self.findings(&self.members[index], &groups, all, common) {
                    self.members[index].firing.becomes_final(finding, found);
                }
                self.members[index].recent.forget_until(start);
            }
            self.forget_final(start, common.keys);
        }
    }

    fn tell_changes(&mut self, now: i64, common: &mut Common<'_>, found: &mut Vec<Finding>) {
        for index in 0..self.members.len() {
            let due = self.members[index].recent.due(now);
            if due.is_empty() {
                continue;
            }
            let groups = self.groups_of(due);
            self.hold(index, &groups, (0..groups.len()).collect(), now, common, found);
        }
    }

    fn join(&mut self, newcomer: Newcomer) {
        match newcomer {
            Newcomer::Window(member) => {
                self.fires_early |= member.fires_early;
                self.members.push(*member);
                self.look_at_asked();
                self.waits.wait_no_more(&mut self.panes);
            }
            _ => unreachable!("who joins asks for the same"),
        }
    }

    fn live(&mut self, live: &[(u32, Lifetime)], found: &mut Vec<Finding>) {
        let gone = self.members.iter_mut().filter(|member| live.iter().all(|(slot, _)| *slot != member.slot()));
        gone.for_each(|member| member.firing.end(found));
        live_parts(&mut self.members, live);
    }

    fn shed(&mut self, keep: usize, keys: &mut KeyTable) {
        self.evict(keep, keys);
    }

    fn leave(&mut self, keys: &mut KeyTable, found: &mut Vec<Finding>) {
        self.members.iter_mut().for_each(|member| member.firing.end(found));
        self.panes.iter().for_each(|(_, pane)| keys.release(pane.key));
    }

    fn keys(&self) -> usize {
        self.panes.count()
    }

    fn statistics(&self) -> OperatorStatistics {
        let bytes = self.panes.bytes() + self.waits.bytes();
        OperatorStatistics { keys: self.panes.count() as u64, bytes: bytes as u64, ..self.statistics }
    }
}

/// By how much a count has to grow at least before one of these finds something early in a window that has these.
fn growth_needed(members: &[Member], count: &impl Fn(usize) -> i64) -> u64 {
    let early = members.iter().filter(|member| member.fires_early);
    early.map(|member| member.post.patience().growth_needed(count)).min().unwrap_or(u64::MAX)
}

/// Of two lengths; of one and 0 the one.
pub fn greatest_common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
