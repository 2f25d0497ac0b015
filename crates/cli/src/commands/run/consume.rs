//! Kafka until the program is told to end.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use watchfire_engine::Outlet;
use watchfire_engine::admin::Reload;
use watchfire_engine::change;
use watchfire_engine::detect::plan::Planner;
use watchfire_engine::detect::{StreamDetectors, Table};
use watchfire_engine::finding::sinks::{self, FileMode, RejectSettings, SinkSettings};
use watchfire_engine::source::{KafkaSource, StartFrom};
use watchfire_engine::{Admin, Metrics};
use watchfire_record::{Clock, SystemClock, activity};

use super::{context, findings, line_format, terminal, terminal_format};
use crate::arguments::Run;
use crate::failure::Failure;
use crate::launch::{Input, Launch, Outputs};
use crate::rules::book::Book;
use crate::rules::reload::Reloader;
use crate::rules::tables::LiveTables;
use crate::rules::{Rules, by_stream, without_sources};
use crate::screen::progress::{self, Rate};
use crate::screen::{Screen, numbers, summary};
use crate::settings::Settings;
use crate::signals;

/// How often it is looked whether partitions are at hand.
const LOOK: Duration = Duration::from_millis(100);

/// Reads until a signal; how many findings there were.
pub(super) fn run(options: &Run, settings: &Settings, screen: &Screen) -> Result<u64, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (shutdown, reread) = (signals::watch()?, signals::reread()?);
    let tables = settings.read_tables()?;
    let rules = Rules::load(&settings.rules, &settings.streams, &tables).or_say(screen)?;
    let (mut launch, topics, reloader) = prepare(options, settings, (rules, &tables), screen, &clock)?;
    launch.fires_early = true;
    launch.metrics.liveness.blind_after(settings.blind_after);
    let mut kafka = settings.kafka.clone();
    if let Some(from) = &options.from {
        kafka.from = StartFrom::try_from(from.clone()).map_err(|error| Failure::Setting(format!("--from: {error}")))?;
    }
    let source = KafkaSource::connect(&kafka, &topics, Arc::clone(&clock))?;
    let outputs = outputs(options, settings, screen, &clock)?;
    let ready = Arc::new(AtomicBool::new(false));
    let listening = admin(settings, &launch, &ready, &reloader)?;
    let names: Vec<&str> = topics.iter().map(|(topic, _)| topic.as_str()).collect();
    screen.notice(
        "note",
        &format!(
            "group `{}` reads {} from {} with {}{listening}",
            kafka.group,
            names.join(", "),
            kafka.brokers,
            numbers::of(launch.detectors() as u64, "detector", "detectors"),
        ),
    );
    let start = clock.now();
    let result = thread::scope(|scope| {
        let (over, watching) = (Arc::new(AtomicBool::new(false)), Arc::clone(&launch.metrics));
        // The scope waits for these threads, so they must end whatever happens.
        let _end = End(Arc::clone(&over));
        let ended = Arc::clone(&over);
        scope.spawn(move || reloader.watch(&settings.rules, &reread, &ended));
        scope.spawn(move || look(&watching, &ready, &over));
        let (metrics, mut rate, clock) = (Arc::clone(&launch.metrics), Rate::new(), Arc::clone(&clock));
        let line = move || summary::status(&metrics, rate.next(&*clock, metrics.total().consumed), true);
        let _line = progress::show(scope, screen, line);
        let mut notices = Notices { screen, stateful: stateful(&launch.streams), warned: false };
        launch.run(Input::messages(Box::new(source)), outputs, &shutdown, &mut |text| notices.tell(text))
    });
    screen.clear_status();
    if !screen.reader_gone() {
        screen.note(summary::of_run(&launch.metrics, clock.now() - start).trim_end());
    }
    result?;
    Ok(findings(&launch.metrics))
}

/// Topics, each with the index of its stream.
type Topics = Vec<(String, usize)>;

/// A run of these rules over tables, what it reads, and what reads the rules again.
fn prepare(
    options: &Run,
    settings: &Settings,
    (rules, tables): (Rules, &[Arc<Table>]),
    screen: &Screen,
    clock: &Arc<dyn Clock>,
) -> Result<(Launch, Topics, Arc<Reloader>), Failure> {
    let (control, requests) = change::control();
    let detectors = rules.detectors.clone();
    let mut launch = Launch::new(by_stream(detectors, &settings.streams), settings.engine, Arc::clone(clock));
    launch.changes = Mutex::new(Some(requests));
    let topics = topics(options, settings, &launch.streams)?;
    let mut read: Vec<usize> = topics.iter().map(|(_, stream)| *stream).collect();
    if let Some(text) =
        without_sources(rules.detectors.iter(), read.iter().map(|stream| &settings.streams[*stream]), &settings.streams)
    {
        screen.notice("warning", &text);
    }
    if read.iter().any(|stream| settings.streams[*stream].has_sources()) {
        read.push(settings.stream_index(activity::NAME)?);
    }
    let planner = Planner::with_tables(&settings.streams, tables);
    let known = (Book::new(&settings.rules, planner, &read, &rules), LiveTables::new(&settings.tables, tables));
    let reloader = Reloader::new(known, control, Arc::clone(&launch.metrics), screen.clone(), Arc::clone(clock));
    Ok((launch, topics, Arc::new(reloader)))
}

/// Opens the admin listener, and says where; nothing if there is none.
fn admin(
    settings: &Settings,
    launch: &Launch,
    ready: &Arc<AtomicBool>,
    reloader: &Arc<Reloader>,
) -> Result<String, Failure> {
    let Some(address) = settings.admin.as_deref() else { return Ok(String::new()) };
    let reloader = Arc::clone(reloader);
    let reload: Reload = Arc::new(move || reloader.reload());
    let admin = Admin::start(address, Arc::clone(&launch.metrics), Arc::clone(ready), Some(reload))?;
    Ok(format!("; http://{}/metrics", admin.address()))
}

/// The topics of the streams that somebody asks for, or that detectors read.
fn topics(options: &Run, settings: &Settings, streams: &[Arc<StreamDetectors>]) -> Result<Topics, Failure> {
    let mut chosen = Vec::new();
    for name in &options.stream {
        chosen.push(settings.stream_index(name)?);
    }
    if chosen.is_empty() {
        let is_asked_for = |stream: &StreamDetectors| !stream.detectors.is_empty();
        let of_activity = streams.iter().any(|stream| stream.stream.name == activity::NAME && is_asked_for(stream));
        let is_read = |stream: &StreamDetectors| is_asked_for(stream) || of_activity && stream.stream.has_sources();
        chosen = (0..streams.len()).filter(|index| is_read(&streams[*index])).collect();
    }
    // It is made of the others.
    chosen.retain(|index| streams[*index].stream.name != activity::NAME);
    chosen.sort_unstable();
    chosen.dedup();
    let detectors = || streams.iter().flat_map(|stream| &stream.detectors).map(|detector| &**detector);
    if chosen.is_empty()
        && let Some(text) = without_sources(detectors(), std::iter::empty(), &settings.streams)
    {
        return Err(Failure::Setting(text));
    }
    if chosen.is_empty() {
        return Err(Failure::Setting(
            "there is no detector, so nothing to read for: see --rules and rules.folders".into(),
        ));
    }
    Ok(chosen.into_iter().map(|index| (settings.streams[index].topic.clone(), index)).collect())
}

fn outputs(options: &Run, settings: &Settings, screen: &Screen, clock: &Arc<dyn Clock>) -> Result<Outputs, Failure> {
    let context = context(settings, screen, Arc::clone(clock))?;
    let mut opened: Vec<Outlet> = Vec::new();
    if let Some(path) = &options.findings {
        let (path, format) = (path.clone(), line_format(options.format)?);
        let file = SinkSettings::File { path, format, mode: FileMode::Append, required: true };
        opened.push(Outlet::new(sinks::open("findings", &file, &context)?, true));
    } else {
        // A lone sink is required: there is nowhere else to say that it is full.
        let alone = settings.sinks.len() == 1;
        for (name, sink) in &settings.sinks {
            let outlet = match sink {
                // Ours gives way to the status line.
                SinkSettings::Terminal { format, .. } => terminal(name, *format, screen, Arc::clone(clock)),
                other => sinks::open(name, other, &context)?,
            };
            opened.push(Outlet::new(outlet, alone || sink.required()));
        }
    }
    if opened.is_empty() {
        let terminal = terminal("terminal", terminal_format(options.format), screen, Arc::clone(clock));
        opened.push(Outlet::new(terminal, true));
    }
    let file = |path: &std::path::PathBuf| RejectSettings::File { path: path.clone(), mode: FileMode::Append };
    let rejects = options.rejects.as_ref().map(file).or_else(|| settings.rejects.clone());
    let rejects = rejects.map(|rejects| sinks::open_rejects(&rejects, &context)).transpose()?;
    Ok(Outputs { sinks: opened, rejects })
}

fn stateful(streams: &[Arc<StreamDetectors>]) -> usize {
    let all = streams.iter().flat_map(|stream| &stream.detectors);
    all.filter(|detector| detector.stateful() && detector.input == 0).count()
}

/// Says that the run is over when it is dropped.
struct End(Arc<AtomicBool>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Ready is who has partitions.
fn look(metrics: &Metrics, ready: &AtomicBool, over: &AtomicBool) {
    while !over.load(Relaxed) {
        ready.store(metrics.partitions.load(Relaxed) > 0, Relaxed);
        thread::sleep(LOOK);
    }
}

/// Passes notices on, and warns once when keys are spread over members.
struct Notices<'a> {
    screen: &'a Screen,
    stateful: usize,
    warned: bool,
}

impl Notices<'_> {
    fn tell(&mut self, text: &str) {
        self.screen.notice("note", text);
        if !self.warned && self.stateful > 0 && text.contains("other members of group") {
            self.warned = true;
            let detectors = numbers::of(
                self.stateful as u64,
                "detector that keeps state counts",
                "detectors that keep state count",
            );
            self.screen.notice("warning", &format!(
                "this process is one of several: {detectors} only what is in this process's partitions; a threshold \
                 is then for each process, unless the topic is partitioned by the detector's key"
            ));
        }
    }
}
