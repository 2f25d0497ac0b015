//! `rules check --seen`: what records have is known, and what none of them has is told.

use watchfire_engine::detect::language::{columns_with_known_values, field_not_seen, parse};
use watchfire_engine::sample::Sample;
use watchfire_engine::source::FileSource;
use watchfire_record::time;

use crate::arguments::RulesCheck;
use crate::failure::Failure;
use crate::rules::{Rules, by_stream};
use crate::screen::{Screen, numbers};
use crate::settings::Settings;

/// The same rules, checked with what the records have.
pub(super) fn with_records(
    rules: Rules,
    options: &RulesCheck,
    settings: &Settings,
    screen: &Screen,
) -> Result<Rules, Failure> {
    let stream = settings.stream_index(&options.stream)?;
    let detectors = &by_stream(rules.detectors, &settings.streams)[stream];
    let mut source = FileSource::open(&options.seen, stream, time::LATEST)?;
    let columns = columns_with_known_values(&settings.streams[stream]);
    let sample = Sample::read(&mut source, detectors, &columns)?;
    if sample.rejects > 0 {
        let rejects = numbers::of(sample.rejects, "record", "records");
        screen.notice("warning", &format!("{rejects} of --seen could not be read, and say nothing"));
    }
    let mut streams = settings.streams.clone();
    for (column, values) in &sample.values {
        streams[stream].known.entry(column.clone()).or_default().extend(values.iter().cloned());
    }
    let mut rules = Rules::compile(rules.files, &streams, &settings.read_tables()?);
    for (field, records) in sample.lacking() {
        let file = rules.files.iter().find(|file| *file.name == *field.detector);
        let parsed = file.and_then(|file| parse(&file.file, &file.text).ok());
        rules.diagnostics.extend(parsed.map(|parsed| field_not_seen(&parsed, &field.names, records)));
    }
    Ok(rules)
}
