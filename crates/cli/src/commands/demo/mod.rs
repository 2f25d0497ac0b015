//! `demo`: broker, estate, attacks and detectors in one process, and at the end what was found held against the truth.

mod compare;
mod estate;
mod follow;
mod report;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use watchfire_engine::Outlet;
use watchfire_engine::finding::sinks::{TerminalFormat, TerminalSink};
use watchfire_engine::source::{EmbeddedBroker, KafkaSource};
use watchfire_record::{Clock, SystemClock};
use watchfire_simulator::{AttackKind, AttackPlan, Disorder, Settings as Simulated, StreamKind};

pub use estate::{PARTITIONS, Plan, produce, topics};
pub use follow::{Follow, Progress};

use crate::arguments::Demo;
use crate::failure::Failure;
use crate::launch::{Input, Launch, Outputs};
use crate::rules::{Rules, by_stream};
use crate::screen::progress::{self, Rate};
use crate::screen::{Screen, numbers, paint, summary, wrap};
use crate::settings::Settings;
use crate::signals;
use compare::{Seen, Watcher};

const SECOND: i64 = 1_000_000;
/// Time between two attacks, at least and at most, microseconds.
const ATTACKS: (i64, i64) = (2 * SECOND, 15 * SECOND);
/// What the last attacks of a run are given to be over, microseconds.
const TAIL: i64 = 8 * SECOND;

/// How much of the past is read first, microseconds and audit records.
const PAST: i64 = 1800 * SECOND;
const PAST_RECORDS: u64 = 36_000;

/// Runs the demo.
///
/// # Errors
/// If a detector is wrong, or a part cannot be started.
pub fn run(options: &Demo, settings: Settings, screen: &Screen) -> Result<(), Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let stop = signals::watch()?;
    let started = clock.now();
    let rules = Rules::load(&settings.rules, &settings.streams, &settings.read_tables()?).or_say(screen)?;
    let broker = EmbeddedBroker::start(&PARTITIONS)?;
    let mut launch = Launch::new(by_stream(rules.detectors, &settings.streams), settings.engine, Arc::clone(&clock));
    launch.fires_early = true;
    if !options.json {
        screen.print(&introduction(options, launch.detectors(), screen))?;
    }
    let progress = Arc::new(Progress::default());
    let topics = topics(&settings)?;
    let source = KafkaSource::connect(&broker.settings("watchfire-demo"), &topics, Arc::clone(&clock))?;
    let source = Follow::new(Box::new(source), Arc::clone(&progress));
    let seen = Seen::default();
    let watcher =
        Watcher::new(terminal(options, screen, &clock), seen.clone(), Arc::clone(&progress), Arc::clone(&clock));
    let outputs = Outputs { sinks: vec![Outlet::new(Box::new(watcher), true)], rejects: None };
    let brokers = broker.brokers();
    let never = AtomicBool::new(false);
    let (run, produced) = thread::scope(|scope| {
        let (counts, at, stop) = (Arc::clone(&progress), Arc::clone(&clock), Arc::clone(&stop));
        let ended = Arc::clone(&progress);
        let producing = scope.spawn(move || {
            let live = |now| live(options, now);
            let plan = Plan { past: Some(past(options, at.now())), live: &live, paced: true };
            let produced = produce(&brokers, &plan, &*at, &counts, &stop);
            counts.end();
            produced
        });
        let _line = progress::show(scope, screen, status(&launch, &clock));
        let run =
            launch.run(Input::messages(Box::new(source)), outputs, &never, &mut |text| screen.notice("note", text));
        ended.give_up();
        let produced =
            producing.join().unwrap_or_else(|_| Err(Failure::Running("the simulator ended unexpectedly".into())));
        (run, produced)
    });
    screen.clear_status();
    run?;
    let produced = produced?;
    let outcome = compare::outcome(&produced.truth, &seen.take());
    let report = report::Report {
        seed: options.seed,
        micros: clock.now() - started,
        produced: produced.records,
        past: PAST_RECORDS,
        ended: progress.live_until.load(Relaxed),
        lost: progress.lost.load(Relaxed),
        metrics: &launch.metrics,
        outcome: &outcome,
    };
    let text = if options.json { report.as_json() } else { report.as_text(screen) };
    screen.print(&text)?;
    Ok(())
}

/// What the status line says, with the time since now.
fn status(launch: &Launch, clock: &Arc<dyn Clock>) -> impl FnMut() -> String + Send + use<> {
    let (metrics, mut rate, clock) = (Arc::clone(&launch.metrics), Rate::new(), Arc::clone(clock));
    let started = clock.now();
    move || {
        let text = summary::status(&metrics, rate.next(&*clock, metrics.total().consumed), true);
        format!("{:>4} s  ·  {text}", (clock.now() - started) / SECOND)
    }
}

fn introduction(options: &Demo, detectors: usize, screen: &Screen) -> String {
    let length = match options.seconds {
        0 => "It goes on until it is interrupted (Ctrl-C).".to_owned(),
        seconds => format!("It takes {seconds} seconds; Ctrl-C ends it sooner."),
    };
    let text = format!(
        "An estate is simulated (seed {}), and logs about {} records a second into a broker in this process. {} read them \
         as they would from Kafka: first half an hour of the past, to learn what is usual, then what happens now: the \
         estate is under attack. {length}",
        options.seed,
        numbers::count(options.rate.into()),
        numbers::of(detectors as u64, "detector", "detectors"),
    );
    let lines = wrap(&text, screen.width().clamp(40, 80)).join("\n");
    format!("{}\n\n{lines}\n\n", paint(screen.colour(), "1", "Watchfire demo"))
}

fn terminal(options: &Demo, screen: &Screen, clock: &Arc<dyn Clock>) -> TerminalSink<crate::screen::Output> {
    let format = if options.json { TerminalFormat::Json } else { TerminalFormat::Human };
    TerminalSink::new("terminal", screen.output(), format, screen.style(), Arc::clone(clock))
}

/// What is usual in the estate: without it, whatever is seen for the first time would be news.
fn past(options: &Demo, now: i64) -> Simulated {
    Simulated {
        records: Some(PAST_RECORDS),
        rate: PAST_RECORDS as f64 / (PAST as f64 / 1e6),
        streams: vec![StreamKind::CloudTrail],
        attacks: AttackPlan::None,
        ..Simulated::new(options.seed, now - PAST - 10 * SECOND)
    }
}

/// Attacks come soon, and each kind once if there is time for all.
fn live(options: &Demo, now: i64) -> Simulated {
    let length = i64::from(options.seconds) * SECOND;
    let kinds = i64::try_from(AttackKind::all().count()).unwrap_or(1).max(1);
    let every = if options.seconds == 0 { ATTACKS.1 } else { ((length - TAIL) / kinds).clamp(ATTACKS.0, ATTACKS.1) };
    Simulated {
        duration: (options.seconds > 0).then_some(length),
        rate: f64::from(options.rate),
        attacks: AttackPlan::Every(every),
        disorder: Disorder { typical: SECOND / 4, late_max: 5 * SECOND, ..Disorder::default() },
        ..Simulated::new(options.seed, now)
    }
}
