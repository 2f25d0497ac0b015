//! Files until they end.

use std::sync::Arc;
use std::thread;

use watchfire_engine::Admin;
use watchfire_engine::Outlet;
use watchfire_engine::finding::sinks::{self, FileMode, RejectSettings, SinkSettings};
use watchfire_record::{Clock, SystemClock};

use super::{context, findings, line_format, one_stream, terminal, terminal_format};
use crate::arguments::Run;
use crate::failure::Failure;
use crate::launch::{Input, Launch, Outputs};
use crate::rules::{Rules, by_stream, of_one_stream, without_sources};
use crate::screen::progress::{self, Rate};
use crate::screen::{Screen, numbers, summary};
use crate::settings::Settings;
use crate::signals;

/// Reads the input to its end; how many findings there were.
pub(super) fn run(options: &Run, settings: &Settings, screen: &Screen) -> Result<u64, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let stream = one_stream(options, settings)?;
    let rules = Rules::load(&settings.rules, &settings.streams, &settings.read_tables()?).or_say(screen)?;
    let (name, all) = (&settings.streams[stream].name, rules.detectors.len());
    let read = std::iter::once(&settings.streams[stream]);
    if let Some(text) = without_sources(rules.detectors.iter(), read, &settings.streams) {
        screen.notice("warning", &text);
    }
    let (detectors, wanting) = of_one_stream(rules.detectors, stream, &settings.streams);
    if detectors.is_empty() && wanting.is_empty() {
        warn_of_blind_input(all, name, screen);
    }
    if !wanting.is_empty() {
        screen.notice(
            "note",
            &format!("not run, since they read another stream besides `{name}`: {}", wanting.join(", ")),
        );
    }
    let mut launch = Launch::new(by_stream(detectors, &settings.streams), settings.engine, Arc::clone(&clock));
    launch.fires_early = options.early;
    let start = clock.now();
    let timestamp = options.now.unwrap_or(start);
    let input = Input::files(&options.input, stream, timestamp, &launch.streams)?;
    let outputs = outputs(options, settings, screen, &clock)?;
    let _admin = admin(settings, &launch)?;
    let shutdown = signals::watch()?;
    let result = thread::scope(|scope| {
        let (metrics, mut rate, clock) = (Arc::clone(&launch.metrics), Rate::new(), Arc::clone(&clock));
        let line = move || summary::status(&metrics, rate.next(&*clock, metrics.total().consumed), false);
        let _line = progress::show(scope, screen, line);
        launch.run(input, outputs, &shutdown, &mut |text| screen.notice("note", text))
    });
    screen.clear_status();
    if !screen.reader_gone() {
        screen.note(summary::of_run(&launch.metrics, clock.now() - start).trim_end());
    }
    result?;
    if shutdown.load(std::sync::atomic::Ordering::Relaxed) {
        return Err(Failure::Running("interrupted before the end of the input: open windows were not closed".into()));
    }
    Ok(findings(&launch.metrics))
}

fn outputs(options: &Run, settings: &Settings, screen: &Screen, clock: &Arc<dyn Clock>) -> Result<Outputs, Failure> {
    let context = context(settings, screen, Arc::clone(clock))?;
    let sink = match &options.findings {
        None => terminal("terminal", terminal_format(options.format), screen, Arc::clone(clock)),
        Some(path) => {
            let (path, format) = (path.clone(), line_format(options.format)?);
            let file = SinkSettings::File { path, format, mode: FileMode::Create, required: true };
            sinks::open("findings", &file, &context)?
        }
    };
    let rejects = match &options.rejects {
        None => None,
        Some(path) => {
            let file = RejectSettings::File { path: path.clone(), mode: FileMode::Create };
            Some(sinks::open_rejects(&file, &context)?)
        }
    };
    Ok(Outputs { sinks: vec![Outlet::new(sink, true)], rejects })
}

/// Bounded input has an admin listener only if one is set.
fn admin(settings: &Settings, launch: &Launch) -> Result<Option<Admin>, Failure> {
    match &settings.admin {
        Some(address) if settings.admin_is_set => {
            let ready = Arc::new(std::sync::atomic::AtomicBool::new(true));
            Ok(Some(Admin::start(address, Arc::clone(&launch.metrics), ready, None)?))
        }
        _ => Ok(None),
    }
}

fn warn_of_blind_input(all: usize, stream: &str, screen: &Screen) {
    let all = numbers::of(all as u64, "detector", "detectors");
    screen.notice(
        "warning",
        &format!("none of {all} reads the stream `{stream}`: nothing will be found; see --stream and --rules"),
    );
}
