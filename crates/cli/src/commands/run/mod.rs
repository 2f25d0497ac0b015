//! `run`: detectors over Kafka, over files, or over one record.

mod bounded;
mod consume;
mod record;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use watchfire_engine::Metrics;
use watchfire_engine::finding::sinks::{SinkContext, TerminalFormat, TerminalSink};
use watchfire_engine::finding::{Sink, sinks};
use watchfire_record::Clock;

use crate::arguments::{Format, Run};
use crate::failure::Failure;
use crate::screen::Screen;
use crate::settings::{Settings, kafka_properties};

/// Runs what the options ask for.
///
/// # Errors
/// If settings or detectors are wrong, or the run cannot go on; with `--gate`, if there are findings.
pub fn run(options: &Run, mut settings: Settings, screen: &Screen) -> Result<(), Failure> {
    if !options.rules.is_empty() {
        settings.rules.clone_from(&options.rules);
    }
    if let Some(workers) = options.workers {
        settings.engine.workers = usize::from(workers);
    }
    let found = match &options.record {
        Some(record) => record::run(options, record, &settings, screen)?,
        None if options.input.is_empty() => consume::run(options, &settings, screen)?,
        None => bounded::run(options, &settings, screen)?,
    };
    if options.gate && found > 0 { Err(Failure::Findings) } else { Ok(()) }
}

/// The index of the one stream that bounded input is of.
fn one_stream(options: &Run, settings: &Settings) -> Result<usize, Failure> {
    match options.stream.as_slice() {
        [] => Ok(settings.stream_index("cloudtrail")?),
        [name] => Ok(settings.stream_index(name)?),
        _ => Err(Failure::Setting("files and records are of one stream: give --stream once".into())),
    }
}

/// Findings on standard output.
fn terminal(name: &str, format: TerminalFormat, screen: &Screen, clock: Arc<dyn Clock>) -> Box<dyn Sink> {
    Box::new(TerminalSink::new(name, screen.output(), format, screen.style(), clock))
}

fn terminal_format(format: Option<Format>) -> TerminalFormat {
    match format {
        None | Some(Format::Human) => TerminalFormat::Human,
        Some(Format::Json) => TerminalFormat::Json,
        Some(Format::Ocsf) => TerminalFormat::Ocsf,
    }
}

fn line_format(format: Option<Format>) -> Result<sinks::LineFormat, Failure> {
    match format {
        None | Some(Format::Json) => Ok(sinks::LineFormat::Json),
        Some(Format::Ocsf) => Ok(sinks::LineFormat::Ocsf),
        Some(Format::Human) => {
            Err(Failure::Setting("--format human is for standard output; a file takes json or ocsf".into()))
        }
    }
}

fn context(settings: &Settings, screen: &Screen, clock: Arc<dyn Clock>) -> Result<SinkContext, Failure> {
    Ok(SinkContext { kafka: kafka_properties(&settings.kafka)?, clock, style: screen.style() })
}

/// How many findings a run had.
fn findings(metrics: &Metrics) -> u64 {
    metrics.finding_lines().iter().sum()
}
