//! One record, and a verdict.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use watchfire_engine::finding::sinks::{MemoryRejectSink, MemorySink};
use watchfire_engine::finding::{escape, render, to_json, to_ocsf};
use watchfire_engine::source::MemorySource;
use watchfire_record::raw::PayloadKind;
use watchfire_record::{Clock, Finding, Partition, RawBatch, Stream, SystemClock};

use super::one_stream;
use crate::arguments::{Format, Run};
use crate::failure::Failure;
use crate::launch::{Input, Launch, Outputs};
use crate::rules::{Rules, by_stream, of_one_stream, without_activity};
use crate::screen::{Screen, numbers};
use crate::settings::{EngineSettings, Settings};

/// Judges the record; how many findings there were.
pub(super) fn run(options: &Run, record: &str, settings: &Settings, screen: &Screen) -> Result<u64, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let stream = one_stream(options, settings)?;
    let rules = Rules::load(&settings.rules, &settings.streams, &settings.read_tables()?).or_say(screen)?;
    // Of one record, nobody's silence can be told.
    let alone: Vec<Stream> = settings.streams.iter().map(without_activity).collect();
    let (detectors, _) = of_one_stream(rules.detectors, stream, &alone);
    let stateful: Vec<String> = detectors.iter().filter(|d| d.stateful()).map(|d| d.info.name.clone()).collect();
    let tried = detectors.len();
    let engine = EngineSettings { workers: 1, shards: 1, ..settings.engine };
    let launch = Launch::new(by_stream(detectors, &alone), engine, Arc::clone(&clock));
    let (found, rejects) = (MemorySink::new("verdict"), MemoryRejectSink::default());
    let outputs = Outputs {
        sinks: vec![watchfire_engine::Outlet::new(Box::new(found.clone()), true)],
        rejects: Some(Box::new(rejects.clone())),
    };
    let timestamp = options.now.unwrap_or_else(|| clock.now());
    let source = MemorySource::bounded(vec![batch(record, stream, timestamp)]);
    let input = Input { several_values: true, ..Input::messages(Box::new(source)) };
    launch.run(input, outputs, &AtomicBool::new(false), &mut |text| screen.notice("note", text))?;
    if let Some(reject) = rejects.rejects().first() {
        let detail = format!("the record was rejected ({}): {}", reject.reason, reject.detail);
        return Err(Failure::Setting(format!("{detail}; detectors cannot judge it")));
    }
    let found = found.findings();
    let name = &settings.streams[stream].name;
    if found.is_empty() && matches!(options.format, None | Some(Format::Human)) {
        screen.print(&nothing(tried, &stateful, name, launch.metrics.total().processed))?;
    }
    for finding in &found {
        screen.print(&text(finding, options.format, screen, &*clock))?;
    }
    Ok(found.len() as u64)
}

fn batch(record: &str, stream: usize, timestamp: i64) -> RawBatch {
    let partition = Arc::new(Partition { topic: "-e".into(), number: 0 });
    let mut batch = RawBatch { stream, ..RawBatch::default() };
    batch.push(&partition, 0, timestamp, PayloadKind::Value, record.as_bytes());
    batch
}

fn text(finding: &Finding, format: Option<Format>, screen: &Screen, clock: &dyn Clock) -> String {
    match format {
        None | Some(Format::Human) => render(finding, &screen.style()),
        Some(Format::Json) => to_json(finding) + "\n",
        Some(Format::Ocsf) => format!("{}\n", to_ocsf(finding, clock.now())),
    }
}

fn nothing(tried: usize, stateful: &[String], stream: &str, processed: u64) -> String {
    if processed == 0 {
        return "there is no record in it: nothing was judged\n".into();
    }
    let tried = numbers::of(tried as u64, "detector was tried", "detectors were tried");
    let mut text = format!("No detector fires: {tried} on this record of `{}`.\n", escape(stream));
    if !stateful.is_empty() {
        text += &format!(
            "{} of them look at more than one record, and need more to fire:\n  {}\n",
            stateful.len(),
            stateful.join("\n  ")
        );
    }
    text
}
