//! `bench`: throughput, latency and memory on this machine, in figures that can be compared between machines.

mod source;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use serde_json::{Value, json};
use watchfire_engine::finding::{Sink, SinkError};
use watchfire_record::{Clock, Finding, SystemClock};

use crate::arguments::Bench;
use crate::failure::Failure;
use crate::launch::{Launch, Outputs};
use crate::process;
use crate::rules::{Rules, by_stream, of_one_stream};
use crate::screen::progress::{self, Rate};
use crate::screen::table::Table;
use crate::screen::{Screen, numbers, summary};
use crate::settings::Settings;
use crate::signals;

/// Measures one run.
///
/// # Errors
/// If the input or a detector is wrong, or the run cannot go on.
pub fn run(options: &Bench, mut settings: Settings, screen: &Screen) -> Result<(), Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    if let Some(workers) = options.workers {
        settings.engine.workers = usize::from(workers);
    }
    let stream = settings.stream_index(&options.stream)?;
    let rules = Rules::load(&options.rules, &settings.streams, &settings.read_tables()?).or_say(screen)?;
    let every = options.embedded;
    let detectors = if every { rules.detectors } else { of_one_stream(rules.detectors, stream, &settings.streams).0 };
    let launch = Launch::new(by_stream(detectors, &settings.streams), settings.engine, Arc::clone(&clock));
    let prepared = source::prepare(options, &settings, stream, &launch.streams, &clock)?;
    let shutdown = signals::watch()?;
    let (cpu, start) = (process::cpu_seconds(), clock.now());
    let (name, with_latency) = (prepared.name, prepared.with_latency);
    let counter = Box::new(Counter::default());
    let outputs = Outputs { sinks: vec![watchfire_engine::Outlet::new(counter, true)], rejects: None };
    std::thread::scope(|scope| {
        let (metrics, mut rate, at) = (Arc::clone(&launch.metrics), Rate::new(), Arc::clone(&clock));
        let _line = progress::show(scope, screen, move || {
            summary::status(&metrics, rate.next(&*at, metrics.total().consumed), false)
        });
        prepared.run(scope, &launch, outputs, &shutdown, screen)
    })?;
    screen.clear_status();
    if shutdown.load(Relaxed) {
        return Err(Failure::Running("interrupted: nothing was measured".into()));
    }
    let measured = Measured {
        source: name,
        wall: (clock.now() - start) as f64 / 1e6,
        cpu: process::cpu_seconds() - cpu,
        with_latency,
        launch: &launch,
    };
    let text = if options.json { format!("{}\n", measured.as_json()) } else { measured.as_text() };
    Ok(screen.print(&text)?)
}

/// A sink that only counts.
#[derive(Default)]
struct Counter(u64);

impl Sink for Counter {
    fn name(&self) -> &str {
        "counter"
    }

    fn send(&mut self, findings: &[Finding]) -> Result<(), SinkError> {
        self.0 += findings.len() as u64;
        Ok(())
    }

    fn flush(&mut self, _within: Duration) -> Result<(), SinkError> {
        Ok(())
    }

    fn acknowledged(&mut self) -> u64 {
        self.0
    }
}

/// What a run took.
struct Measured<'a> {
    source: &'static str,
    wall: f64,
    cpu: f64,
    /// Whether records have a timestamp of when they were received.
    with_latency: bool,
    launch: &'a Launch,
}

impl Measured<'_> {
    fn latency(&self) -> Option<Vec<(&'static str, u64)>> {
        let metrics = &self.launch.metrics;
        let quantiles = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999)];
        let any = self.with_latency && metrics.latency_quantile(0.5).1 > 0;
        any.then(|| quantiles.map(|(name, quantile)| (name, metrics.latency_quantile(quantile).0)).into())
    }

    fn as_json(&self) -> Value {
        let counts = self.launch.metrics.total();
        let per_cpu = counts.consumed as f64 / self.cpu.max(0.01);
        let latency = self.latency().map(|latency| {
            let milliseconds = |(name, micros): (&str, u64)| (name.to_owned(), json!(micros as f64 / 1e3));
            Value::Object(latency.into_iter().map(milliseconds).collect())
        });
        json!({
            "source": self.source,
            "detectors": self.launch.detectors(),
            "records": counts.consumed,
            "processed": counts.processed,
            "rejected": counts.rejected,
            "skipped": counts.skipped,
            "bytes": counts.bytes,
            "findings": self.launch.metrics.delivered.load(Relaxed),
            "wall_seconds": self.wall,
            "cpu_seconds": self.cpu,
            "records_per_second": (counts.consumed as f64 / self.wall.max(1e-6)).round(),
            "records_per_cpu_second": per_cpu.round(),
            "latency_ms": latency,
            "peak_memory_bytes": process::peak_memory(),
            "workers": self.launch.engine.workers,
            "shards": self.launch.engine.shards,
            "machine": {"processor": process::processor(), "cores": process::cores()},
            "version": env!("CARGO_PKG_VERSION"),
            "profile": if cfg!(debug_assertions) { "dev" } else { "release" },
        })
    }

    fn as_text(&self) -> String {
        let counts = self.launch.metrics.total();
        let per_cpu = counts.consumed as f64 / self.cpu.max(0.01);
        let mut table = Table::default();
        let mut row = |label: &str, value: String| table.row([label.to_owned(), value]);
        row("source", self.source.to_owned());
        row("detectors", self.launch.detectors().to_string());
        row(
            "records",
            format!("{} ({} rejected, {} skipped)", numbers::count(counts.consumed), counts.rejected, counts.skipped),
        );
        row("bytes", numbers::bytes(counts.bytes));
        row("findings", numbers::count(self.launch.metrics.delivered.load(Relaxed)));
        row(
            "wall",
            format!(
                "{:.2} s, {} records a second",
                self.wall,
                numbers::count((counts.consumed as f64 / self.wall.max(1e-6)) as u64)
            ),
        );
        row("CPU", format!("{:.2} s, {} records a CPU second", self.cpu, numbers::count(per_cpu as u64)));
        let latency = self.latency().map(|latency| {
            let parts = latency.into_iter().map(|(name, micros)| format!("{name} {}", numbers::duration(micros)));
            parts.collect::<Vec<_>>().join(", ")
        });
        row(
            "latency",
            latency
                .unwrap_or_else(|| "not measured: these records have no time of arrival, or nothing was found".into()),
        );
        row("memory", format!("{} at most", numbers::bytes(process::peak_memory())));
        row("machine", format!("{}, {} cores", process::processor(), process::cores()));
        let profile = if cfg!(debug_assertions) { " (dev profile: several times slower than release)" } else { "" };
        row("version", format!("{}{profile}", env!("CARGO_PKG_VERSION")));
        table.lines()
    }
}
