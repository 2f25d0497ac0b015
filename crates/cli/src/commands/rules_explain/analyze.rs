//! `rules explain --analyze`: what each part of a detector costs over given records.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use unicode_width::UnicodeWidthStr;
use watchfire_engine::detect::{Cost, Detector};
use watchfire_engine::finding::sinks::MemorySink;
use watchfire_engine::metrics::DetectorMetrics;
use watchfire_engine::{Caps, Outlet};
use watchfire_record::{Clock, SystemClock};

use crate::arguments::Explain;
use crate::failure::Failure;
use crate::launch::{Input, Launch, Outputs};
use crate::rules::{by_stream, of_one_stream};
use crate::screen::{Screen, numbers, paint};
use crate::settings::{EngineSettings, Settings};

/// Runs detectors over records, one worker and one shard, and prints what they cost.
pub(super) fn run(
    options: &Explain,
    detectors: Vec<Detector>,
    settings: &Settings,
    screen: &Screen,
) -> Result<(), Failure> {
    let stream = match (&options.stream, detectors.first()) {
        (Some(name), _) => settings.stream_index(name)?,
        (None, first) => first.map_or(0, |first| first.reads().stream),
    };
    let name = &settings.streams[stream].name;
    let (detectors, wanting) = of_one_stream(detectors, stream, &settings.streams);
    if !wanting.is_empty() {
        let text = format!("not run, since they read another stream besides `{name}`: {}", wanting.join(", "));
        screen.notice("note", &text);
    }
    if detectors.is_empty() {
        return Err(Failure::Setting(format!("nothing that is asked for reads the stream `{name}`: see --stream")));
    }
    let engine = EngineSettings { workers: 1, shards: 1, caps: Caps::default(), ..settings.engine };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut launch = Launch::new(by_stream(detectors, &settings.streams), engine, Arc::clone(&clock));
    launch.thorough = true;
    let start = clock.now();
    let input = Input::files(&options.analyze, stream, start, &launch.streams)?;
    let sink = Outlet::new(Box::new(MemorySink::new("memory")), true);
    let outputs = Outputs { sinks: vec![sink], rejects: None };
    launch.run(input, outputs, &AtomicBool::new(false), &mut |text| screen.notice("note", text))?;
    let took = u64::try_from(clock.now() - start).unwrap_or(0);
    Ok(screen.print(&Analysis::new(&launch, stream, took).text(screen.colour()))?)
}

/// What a run cost.
struct Analysis {
    stream: String,
    records: u64,
    bytes: u64,
    /// Wall time, microseconds.
    took: u64,
    /// What decoding cost, nanoseconds.
    decoding: u64,
    detectors: Vec<Arc<DetectorMetrics>>,
}

impl Analysis {
    fn new(launch: &Launch, stream: usize, took: u64) -> Self {
        let (counts, counted) = (launch.metrics.counts(stream), &launch.metrics.streams[stream]);
        let mut detectors = launch.metrics.detectors();
        detectors.retain(|detector| detector.stream == counted.name);
        detectors.sort_by(|a, b| (b.cost().total(), &a.name).cmp(&(a.cost().total(), &b.name)));
        Self {
            stream: counted.name.clone(),
            records: counts.processed,
            bytes: counts.bytes,
            took,
            decoding: counted.decoding.load(Relaxed),
            detectors,
        }
    }

    /// All that was measured, nanoseconds.
    fn total(&self) -> u64 {
        self.decoding + self.detectors.iter().map(|detector| detector.cost().total()).sum::<u64>()
    }

    fn text(&self, colour: bool) -> String {
        let what = match self.detectors.as_slice() {
            [one] => one.name.clone(),
            all => numbers::of(all.len() as u64, "detector", "detectors"),
        };
        let records = numbers::of(self.records, "record", "records");
        let head = format!(
            "{} over {records} of {} ({}) in {}, by one worker and one shard\n\n",
            paint(colour, "1", &what),
            self.stream,
            numbers::bytes(self.bytes),
            numbers::duration(self.took),
        );
        let body = match self.detectors.as_slice() {
            [one] => self.parts(one, colour),
            _ => self.summary(colour),
        };
        head + &body
    }

    /// One detector, a line a part.
    fn parts(&self, detector: &DetectorMetrics, colour: bool) -> String {
        let (cost, operator) = (detector.cost(), detector.operator());
        let matched = detector.matched.load(Relaxed);
        let found = findings(detector);
        let mut rows = vec![["part", "of how many", "time", "each", "share", "what is done"].map(str::to_owned)];
        for (part, count, nanos, what) in [
            ("decode", self.records, self.decoding, "records become the columns that it reads"),
            ("where", self.records, cost.matching, "its WHERE is judged"),
            (
                "find",
                if operator.rows == 0 { found } else { 0 },
                cost.finding,
                "findings are made of records that match",
            ),
            ("feed", operator.rows, cost.feeding, "copies are taken out, rows put together by key"),
            ("state", operator.rows, cost.keeping, "its state is kept, and findings are made of it"),
        ] {
            rows.push(self.line(part, count, nanos, what));
        }
        rows.push(self.line("all", self.records, self.total(), ""));
        let mut text = columns(&rows, &[0, 5], colour);
        let [keys, bytes] = [0, 1].map(|index| detector.most[index].load(Relaxed));
        text += &format!("\n{}\n", numbers::of(matched, "record passed its WHERE", "records passed its WHERE"));
        if operator.rows > 0 {
            text += &format!(
                "{} taken into state; at most {} and about {} kept\n",
                numbers::of(operator.rows, "row", "rows"),
                numbers::of(keys, "key", "keys"),
                numbers::bytes(bytes)
            );
        }
        text += &format!("{}\n", numbers::of(found, "finding", "findings"));
        text
    }

    fn line(&self, part: &str, count: u64, nanos: u64, what: &str) -> [String; 6] {
        let each = nanos.checked_div(count).map_or_else(|| "–".to_owned(), time);
        [part.to_owned(), numbers::count(count), time(nanos), each, self.share(nanos), what.to_owned()]
    }

    fn share(&self, nanos: u64) -> String {
        format!("{:.1} %", nanos as f64 * 100.0 / self.total().max(1) as f64)
    }

    /// Many detectors, a line each, the dearest first.
    fn summary(&self, colour: bool) -> String {
        let head = [
            "detector", "matched", "rows", "keys", "state", "findings", "where", "find", "feed", "keep", "all", "share",
        ];
        let mut rows = vec![head.map(str::to_owned)];
        for detector in &self.detectors {
            let Cost { matching, finding, feeding, keeping } = detector.cost();
            let [keys, bytes] = [0, 1].map(|index| detector.most[index].load(Relaxed));
            rows.push([
                detector.name.clone(),
                numbers::count(detector.matched.load(Relaxed)),
                numbers::count(detector.operator().rows),
                numbers::count(keys),
                numbers::bytes(bytes),
                numbers::count(findings(detector)),
                time(matching),
                time(finding),
                time(feeding),
                time(keeping),
                time(detector.cost().total()),
                self.share(detector.cost().total()),
            ]);
        }
        let none = String::new;
        rows.push([
            "decoding, for all".to_owned(),
            none(),
            none(),
            none(),
            none(),
            none(),
            none(),
            none(),
            none(),
            none(),
            time(self.decoding),
            self.share(self.decoding),
        ]);
        columns(&rows, &[0], colour)
            + "\nkeys and state: the most at a time. where: judging its WHERE; find: making findings of records that match; feed: \
               taking out\ncopies and putting rows together by key, in equal parts for all that get rows of a batch; keep: \
               state, in equal parts for\ndetectors that share an operator.\n"
    }
}

fn findings(detector: &DetectorMetrics) -> u64 {
    detector.findings.iter().map(|count| count.load(Relaxed)).sum()
}

/// Nanoseconds in a unit that fits.
fn time(nanos: u64) -> String {
    if nanos < 1000 { format!("{nanos} ns") } else { numbers::duration(nanos / 1000) }
}

/// Rows under their heads, columns aligned: those named at the left, others at the right.
fn columns<const N: usize>(rows: &[[String; N]], left: &[usize], colour: bool) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let blanks = " ".repeat(widths[column] - cell.width());
            if left.contains(&column) { format!("{cell}{blanks}") } else { format!("{blanks}{cell}") }
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        let line = line.trim_end();
        text += &if index == 0 { paint(colour, "2", line) } else { line.to_owned() };
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_their_heads() {
        let rows = [["part", "time"], ["decode", "1.20 ms"], ["all", "3 ns"]].map(|row| row.map(str::to_owned));
        assert_eq!(columns(&rows, &[0], false), "part       time\ndecode  1.20 ms\nall        3 ns\n");
        assert_eq!([time(999), time(1000), time(2_500_000)], ["999 ns", "1 µs", "2.50 ms"]);
    }
}
