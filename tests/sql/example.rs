//! Examples on disk: a detector, and the records that it runs over.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use watchfire_record::raw::PayloadKind;
use watchfire_record::{Partition, RawBatch, time};

/// When records are received, unless their file says otherwise: later than all of them.
const RECEIVED: &str = "2026-01-02T00:00:00Z";

/// One example.
pub struct Example {
    /// Its folder.
    pub folder: PathBuf,
    /// Its folder's name, which is the detector's.
    pub name: String,
    /// The text of `detector.sql`.
    pub sql: String,
    /// The records of `records.jsonl`, in order of intake.
    pub records: Vec<Record>,
}

/// A line of `records.jsonl`.
pub struct Record {
    partition: i32,
    received: i64,
    text: String,
}

/// All examples below a folder, in order of their paths.
pub fn all(root: &Path) -> Vec<Example> {
    let (mut open, mut found) = (vec![root.to_path_buf()], Vec::new());
    while let Some(folder) = open.pop() {
        if folder.file_name().is_some_and(|name| name == "refused") {
            continue;
        }
        if folder.join("detector.sql").exists() {
            found.push(read(folder));
            continue;
        }
        let entries = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        open.extend(entries.filter(|path| path.is_dir()));
    }
    found.sort_by(|a, b| a.folder.cmp(&b.folder));
    found
}

fn read(folder: PathBuf) -> Example {
    let text = |name: &str| {
        let path = folder.join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
    let records = records(&text("records.jsonl"));
    Example { name, sql: text("detector.sql"), records, folder }
}

/// Records, one a line. A line `# partition 1` or `# received 2026-01-01T00:05:00Z` speaks of all records after it,
/// `# repeat 20` of the next one, in which `{i}` is then 0 to 19; other lines that start with `#` are comments.
fn records(text: &str) -> Vec<Record> {
    let (mut partition, mut received, mut times) = (0, time::parse(RECEIVED).unwrap(), 1);
    let mut records = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let Some(comment) = line.strip_prefix('#') else {
            let text = |i: usize| if times > 1 { line.replace("{i}", &i.to_string()) } else { line.to_owned() };
            records.extend((0..times).map(|i| Record { partition, received, text: text(i) }));
            times = 1;
            continue;
        };
        match comment.split_whitespace().collect::<Vec<_>>()[..] {
            ["partition", number] => partition = number.parse().unwrap(),
            ["received", at] => received = time::parse(at).unwrap_or_else(|| panic!("no time: {at}")),
            ["repeat", number] => times = number.parse().unwrap(),
            _ => {}
        }
    }
    records
}

impl Example {
    /// Its records in batches of so many, of the stream with this index.
    pub fn batches(&self, stream: usize, size: usize) -> Vec<RawBatch> {
        let partitions: Vec<_> = (0..4).map(|number| Arc::new(Partition { topic: "topic".into(), number })).collect();
        let mut offsets = [0i64; 4];
        let batch = |records: &[Record]| {
            let mut batch = RawBatch { stream, ..RawBatch::default() };
            for record in records {
                let number = usize::try_from(record.partition).unwrap();
                let (partition, text) = (&partitions[number], record.text.as_bytes());
                batch.push(partition, offsets[number], record.received, PayloadKind::Value, text);
                offsets[number] += 1;
            }
            batch
        };
        self.records.chunks(size).map(batch).collect()
    }

    /// When the last record was received.
    pub fn now(&self) -> i64 {
        self.records.iter().map(|record| record.received).max().unwrap_or(0)
    }
}
