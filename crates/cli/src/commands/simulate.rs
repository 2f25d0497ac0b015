//! `simulate`: the logs of a simulated estate, to files or topics.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use watchfire_engine::detect::language::nearest;
use watchfire_record::{Clock, SystemClock, duration, time};
use watchfire_simulator::output::{FileOutput, FolderOutput, Format, write_truth};
use watchfire_simulator::{
    AttackKind, AttackPlan, Output, OutputError, Pace, PlannedAttack, Producer, Record, Settings as Simulated,
    Simulation, StreamKind,
};

use crate::arguments::Simulate;
use crate::failure::Failure;
use crate::screen::progress::{self, Rate};
use crate::screen::{Screen, numbers};
use crate::settings::{Settings, kafka_properties};
use crate::signals;

/// Time between two hand-overs of what was gathered for standard output, microseconds.
const FLUSH: i64 = 200_000;
/// The longest wait for a record at a time, so that a signal is seen.
const SLICE: Duration = Duration::from_millis(100);
const MINUTE: i64 = 60_000_000;

/// Writes records until there are enough, the reader is gone, or a signal comes.
///
/// # Errors
/// If an option does not fit, or records cannot be written.
pub fn run(options: &Simulate, settings: &Settings, screen: &Screen) -> Result<(), Failure> {
    let clock = SystemClock;
    let speed = Speed::of(options)?;
    let plan = plan(options, &speed, clock.now())?;
    let shutdown = signals::watch()?;
    let mut output = open(options, &plan.streams, settings)?;
    let mut simulation = Simulation::new(&plan);
    let pace = speed.rate.map(|_| Pace::new(&clock, plan.start, 1.0));
    let written = Arc::new(AtomicU64::new(0));
    let start = clock.now();
    let mut flushed = start;
    let result = thread::scope(|scope| -> Result<(), Failure> {
        let (count, mut rate, total) = (Arc::clone(&written), Rate::new(), plan.records);
        let _line = progress::show(scope, screen, move || {
            status(count.load(Relaxed), total, rate.next(&SystemClock, count.load(Relaxed)))
        });
        for record in &mut simulation {
            if let Some(pace) = &pace {
                while !shutdown.load(Relaxed) && pace.until(&clock, record.emit_time) > SLICE {
                    output.flush()?;
                    thread::sleep(SLICE);
                }
                pace.wait(&clock, record.emit_time);
                if clock.now() - flushed > FLUSH {
                    flushed = clock.now();
                    output.flush()?;
                }
            }
            if shutdown.load(Relaxed) {
                break;
            }
            output.write(&record)?;
            written.fetch_add(1, Relaxed);
        }
        Ok(output.finish()?)
    });
    let truth = simulation.truth();
    if let Some(path) = &options.truth {
        write_truth(path, truth)?;
    }
    result?;
    let (written, micros) = (written.load(Relaxed), u64::try_from(clock.now() - start).unwrap_or(0));
    let records = numbers::of(written, "record", "records");
    let attacks = numbers::of(truth.len() as u64, "attack", "attacks");
    screen.note(&format!("{records} with {attacks} in {}", numbers::duration(micros)));
    Ok(())
}

fn status(written: u64, total: Option<u64>, rate: u64) -> String {
    let of = total.map_or(String::new(), |total| {
        let percent = written.saturating_mul(100).checked_div(total).unwrap_or(100);
        let filled = usize::try_from(percent / 5).unwrap_or(20).min(20);
        format!("[{}{}] {percent:>3} %  ", "█".repeat(filled), "░".repeat(20 - filled))
    });
    format!("{of}{} records  ·  {} records/s", numbers::count(written), numbers::count(rate))
}

/// How fast records come by the clock, and in simulated time.
struct Speed {
    /// By the clock; `None`: as fast as it goes.
    rate: Option<f64>,
    density: f64,
}

impl Speed {
    fn of(options: &Simulate) -> Result<Self, Failure> {
        let endless = options.records.is_none() && options.duration.is_none();
        let wrong = |text: &str| {
            Failure::Setting(format!("--rate {text}: write how many records a second, as in --rate 500, or --rate max"))
        };
        let rate = match options.rate.as_deref() {
            Some("max") if endless => {
                return Err(Failure::Setting(
                    "--rate max has no end: say how many with --records or how long with --duration".into(),
                ));
            }
            Some("max") => None,
            Some(text) => Some(text.parse::<f64>().ok().filter(|r| *r > 0.0 && *r <= 1e7).ok_or_else(|| wrong(text))?),
            None => endless.then_some(1000.0),
        };
        let density = rate.unwrap_or(options.density);
        if !(1e-3..=1e7).contains(&density) {
            return Err(Failure::Setting("--density is a number of records a second, from 0.001 to 10,000,000".into()));
        }
        Ok(Self { rate, density })
    }
}

fn plan(options: &Simulate, speed: &Speed, now: i64) -> Result<Simulated, Failure> {
    let by_number = options.records.map(|records| (records as f64 * 1e6 / speed.density) as i64);
    let length = by_number.into_iter().chain(options.duration).min().unwrap_or(0);
    // A run that is faster than time itself ends before now, so that no record is from the future.
    let start = options.start.unwrap_or(if speed.rate.is_some() { now } else { now - length - MINUTE });
    if speed.rate.is_none() && start.saturating_add(length) > now {
        return Err(Failure::Setting(format!(
            "--start {}: {} of records would end in the future; start earlier, or write fewer",
            time::format(start),
            duration::format(length - length % 1_000_000),
        )));
    }
    if start < 0 {
        return Err(Failure::Setting(
            "the records would begin before 1970; write fewer, or more of them a second (--density)".to_owned(),
        ));
    }
    let streams = options.streams.iter().map(|name| StreamKind::from_str(name).map_err(Failure::Setting));
    let mut streams = streams.collect::<Result<Vec<_>, _>>()?;
    if streams.is_empty() {
        streams = StreamKind::ALL.to_vec();
    }
    Ok(Simulated {
        records: options.records,
        duration: options.duration,
        rate: speed.density,
        streams,
        attacks: attacks(&options.attacks)?,
        ..Simulated::new(options.seed, start)
    })
}

fn attacks(text: &str) -> Result<AttackPlan, Failure> {
    let wrong = |problem: String| {
        Failure::Setting(format!(
            "--attacks: {problem}; write none, 'every 30s', or KIND@TIME as in audit-logging-disabled@10s,root-user-used@1m"
        ))
    };
    let text = text.trim();
    if text == "none" {
        return Ok(AttackPlan::None);
    }
    let every = text.strip_prefix("every").unwrap_or(text).trim();
    if let Ok(every) = duration::parse(every) {
        return if every > 0 { Ok(AttackPlan::Every(every)) } else { Err(wrong("the time between two is 0".into())) };
    }
    let mut list = Vec::new();
    for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        let (name, at) = item.split_once('@').unwrap_or((item, "0s"));
        let kind = AttackKind::all().find(|kind| kind.name() == name).ok_or_else(|| {
            let hint = nearest(name, AttackKind::all().map(AttackKind::name));
            wrong(format!("`{name}` is no attack{}", hint.map_or(String::new(), |n| format!("; did you mean `{n}`?"))))
        })?;
        list.push(PlannedAttack { at: duration::parse(at).map_err(&wrong)?, kind });
    }
    list.sort_by_key(|attack| attack.at);
    Ok(AttackPlan::List(list))
}

/// One of the simulator's outputs.
enum Target {
    File(Box<FileOutput>),
    Folder(FolderOutput),
    Kafka(Box<Producer>),
}

impl Target {
    fn write(&mut self, record: &Record) -> Result<(), OutputError> {
        match self {
            Self::File(file) => file.write(record),
            Self::Folder(folder) => folder.write(record),
            Self::Kafka(producer) => producer.write(record),
        }
    }

    fn flush(&mut self) -> Result<(), OutputError> {
        if let Self::File(file) = self { file.flush() } else { Ok(()) }
    }

    fn finish(&mut self) -> Result<(), OutputError> {
        match self {
            Self::File(file) => file.finish(),
            Self::Folder(folder) => folder.finish(),
            Self::Kafka(producer) => producer.finish(),
        }
    }
}

fn open(options: &Simulate, streams: &[StreamKind], settings: &Settings) -> Result<Target, Failure> {
    if let Some(brokers) = &options.brokers {
        let topic = |kind: &StreamKind| {
            let index = settings.stream_index(kind.name())?;
            Ok((*kind, settings.streams[index].topic.clone()))
        };
        let topics = streams.iter().map(topic).collect::<Result<Vec<_>, Failure>>()?;
        let properties: Vec<(String, String)> = kafka_properties(&settings.kafka)?.into_iter().collect();
        return Ok(Target::Kafka(Box::new(Producer::new(brokers, &properties, &topics)?)));
    }
    let path = options.output.as_deref().unwrap_or(Path::new("-"));
    if path == Path::new("-") {
        return Ok(Target::File(Box::new(FileOutput::stdout())));
    }
    if path.is_dir() || path.to_string_lossy().ends_with('/') {
        return Ok(Target::Folder(FolderOutput::create(path, streams, Format::Plain)?));
    }
    Ok(Target::File(Box::new(FileOutput::create(path)?)))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::arguments::{Arguments, Command};

    fn options(line: &str) -> Simulate {
        let line = format!("watchfire simulate {line}");
        let Command::Simulate(options) = Arguments::try_parse_from(line.split(' ')).unwrap().command else {
            panic!("it is a simulation")
        };
        options
    }

    fn planned(line: &str, now: i64) -> Result<Simulated, Failure> {
        let options = options(line);
        plan(&options, &Speed::of(&options)?, now)
    }

    #[test]
    fn fast_runs_end_before_now_and_slow_ones_start_now() {
        let now = 1_700_000_000_000_000;
        let fast = planned("--records 1000000", now).unwrap();
        assert_eq!(fast.start + 1_000_000_000 + MINUTE, now);
        assert_eq!(planned("--rate 50", now).unwrap().start, now);
        assert!(planned("--rate max", now).is_err());
        assert!(planned("--records 10 --start 2100-01-01T00:00:00Z", now).is_err());
        assert!(planned("--records 10 --start 2020-01-01T00:00:00Z", now).is_ok());
        assert!(planned("--records 10 --streams lambda,cloud", now).is_err());
    }

    #[test]
    fn attacks_are_planned() {
        assert_eq!(attacks("none").unwrap(), AttackPlan::None);
        for text in ["every 30s", "30s"] {
            assert_eq!(attacks(text).unwrap(), AttackPlan::Every(30_000_000));
        }
        let AttackPlan::List(list) = attacks("root-user-used@1m,audit-logging-disabled@5s").unwrap() else {
            panic!("a list")
        };
        assert_eq!(
            list.iter().map(|a| (a.at, a.kind.name())).collect::<Vec<_>>(),
            [(5_000_000, "audit-logging-disabled"), (60_000_000, "root-user-used")]
        );
        let error = attacks("root-user-usd@1m").unwrap_err();
        assert!(error.message().unwrap().contains("did you mean `root-user-used`"));
    }
}
