//! The rows of `activity` worked out at rest, from which records were accepted, and what a detector finds in them.

use std::sync::Arc;

use arrow::array::RecordBatch;
use watchfire_engine::decode::Decoder;
use watchfire_engine::detect::Detector;
use watchfire_engine::detect::oracle::{self, AtRest, OracleFinding};
use watchfire_engine::source::Event;
use watchfire_engine::watermark::StreamClock;
use watchfire_record::activity::MINUTE;
use watchfire_record::raw::PayloadKind;
use watchfire_record::{ColumnRequest, ColumnSource, Partition, RawBatch, Stream, time};

use super::scene::{ACTIVITY, NOW, Row, START, partition, stream_of, streams};

/// Time, partition and source of one stream's accepted records.
type Accepted = Vec<(i64, i32, String)>;

fn columns(stream: &Stream) -> Vec<ColumnRequest> {
    let request =
        |(name, column_type): (&str, _)| ColumnRequest { source: ColumnSource::Column(name.to_owned()), column_type };
    stream.all_columns().map(request).collect()
}

fn accepted(stream: &Stream, index: usize, partitions: &[i32], events: &[Event]) -> Accepted {
    let request = columns(stream).into_iter().find(|request| request.name() == stream.sources[0].column).unwrap();
    let (mut decoder, mut clock) = (Decoder::new(stream, index, Vec::new()), StreamClock::new(stream));
    let own = partitions.iter().filter(|number| stream_of(**number) == index);
    own.for_each(|number| clock.assign(partition(*number), NOW, None));
    let mut accepted = Vec::new();
    for event in events {
        let Event::Batch(raw) = event else { continue };
        if raw.stream != index {
            continue;
        }
        let mut batch = decoder.decode(raw.clone());
        clock.stamp(&mut batch, NOW);
        let all: Vec<u32> = (0..batch.rows.len() as u32).collect();
        let sources = decoder.decode_rows(&batch, &all, std::slice::from_ref(&request)).remove(0);
        let sources = arrow::array::AsArray::as_string::<i32>(&sources).clone();
        for (row, source) in batch.rows.iter().zip(&sources).filter(|(row, _)| row.accepted()) {
            let number = batch.partitions[row.partition as usize].number;
            accepted.push((row.event_time, number, source.unwrap_or_default().to_owned()));
        }
    }
    accepted
}

/// All rows for records of these partitions, which are read from their beginning to their end.
pub fn rows(partitions: &[i32], events: &[Event]) -> Vec<Row> {
    let mut rows = Vec::new();
    for (index, stream) in streams().iter().enumerate().take(ACTIVITY) {
        let accepted = accepted(stream, index, partitions, events);
        let times = || accepted.iter().map(|(time, ..)| *time);
        let (Some(first), Some(last)) = (times().min(), times().max()) else { continue };
        for minute in (first - START).div_euclid(MINUTE)..=(last - START).div_euclid(MINUTE) {
            let start = START + minute * MINUTE;
            let observed = first <= start && start + MINUTE <= last - stream.lateness;
            let within = accepted.iter().filter(|(time, ..)| (start..start + MINUTE).contains(time));
            let row = |kind: &str, source: String, records: usize| Row {
                minute,
                stream: stream.name.clone(),
                kind: kind.into(),
                source,
                records: records as i64,
                observed,
                flags: String::new(),
            };
            for value in &stream.sources[0].values {
                let records = within.clone().filter(|(_, _, source)| source == value).count();
                rows.push(row(stream.sources[0].kind(), value.clone(), records));
            }
            for number in partitions.iter().filter(|number| stream.partition_sources && stream_of(**number) == index) {
                let records = within.clone().filter(|(_, own, _)| own == number).count();
                rows.push(row("partition", partition(*number).to_string(), records));
            }
        }
    }
    rows.sort();
    rows
}

fn at_rest(rows: &[Row]) -> AtRest {
    let stream = Stream::activity();
    let (mut raw, partition) = (RawBatch::default(), Arc::new(Partition { topic: "rest".into(), number: 0 }));
    for (offset, row) in (0i64..).zip(rows) {
        let text = format!(
            r#"{{"event_time":"{}","stream":"{}","kind":"{}","source":"{}","records":{},"observed":{}}}"#,
            time::format(START + row.minute * MINUTE),
            row.stream,
            row.kind,
            row.source,
            row.records,
            row.observed
        );
        raw.push(&partition, offset, NOW, PayloadKind::Value, text.as_bytes());
    }
    let mut decoder = Decoder::new(&stream, ACTIVITY, Vec::new());
    let batch = decoder.decode(raw);
    let all: Vec<u32> = (0..batch.rows.len() as u32).collect();
    let arrays = decoder.decode_rows(&batch, &all, &columns(&stream));
    AtRest {
        processed: RecordBatch::try_new(Arc::new(stream.schema()), arrays).unwrap(),
        accepted: vec![true; rows.len()],
    }
}

/// What a detector of `activity` alone finds in rows at rest.
pub fn findings(detector: &Detector, rows: &[Row]) -> Vec<OracleFinding> {
    let streams = streams();
    let empty =
        |stream: &Stream| AtRest { processed: RecordBatch::new_empty(Arc::new(stream.schema())), accepted: Vec::new() };
    let mut records: Vec<AtRest> = streams.iter().map(empty).collect();
    records[ACTIVITY] = at_rest(rows);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(oracle::findings(detector, &streams, &records)).unwrap()
}
