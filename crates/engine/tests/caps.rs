//! A detector that takes more than it may is slowed or stopped alone, and that is said.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};
use std::thread::JoinHandle;
use std::time::Duration;

use watchfire_engine::caps::DETECTOR;
use watchfire_engine::detect::plan::Planner;
use watchfire_engine::detect::{Detector, StreamDetectors, compile};
use watchfire_engine::finding::sinks::MemorySink;
use watchfire_engine::pipeline::{self, Run};
use watchfire_engine::source::{Assignment, Event, Source, SourceError};
use watchfire_engine::{Caps, Metrics, Outlet, RuleControl, change};
use watchfire_record::raw::PayloadKind;
use watchfire_record::{Clock, Finding, Partition, RawBatch, SimulatedClock, State, Stream, Value, time};

const NOW: i64 = 1_750_000_000_000_000;
const SECOND: i64 = 1_000_000;
/// Batches, and records of each.
const BATCHES: i64 = 40;
const RECORDS: i64 = 60;

static PLANNER: LazyLock<Planner> = LazyLock::new(|| Planner::new(&Stream::built_ins()));

fn detector(name: &str, sql: &str) -> Detector {
    let text = format!("/*\ntitle = \"t\"\nseverity = \"low\"\nabout = \"a\"\n*/\n{sql}");
    compile::compile_text(&PLANNER, name, &text).unwrap()
}

/// Finds nothing, and costs next to nothing.
fn cheap() -> Detector {
    detector("cheap", "SELECT event_time FROM cloudtrail WHERE event_name = 'Z'")
}

/// Finds each record.
fn each() -> Detector {
    detector(
        "each",
        "SELECT tumble(event_time, INTERVAL '1 day') AS w, count(*) AS n FROM cloudtrail GROUP BY tumble(event_time, INTERVAL '1 day')",
    )
}

/// Gives batches, a second apart by the clock, the next when the one before is done with, so that limits are looked at
/// after each; each record has a user of its own, but every third one of the last two batches.
struct Users {
    next: i64,
    /// So many records are done with.
    done: i64,
    clock: Arc<SimulatedClock>,
    metrics: Arc<Metrics>,
    /// Whose stopping is waited for after half of the batches.
    dear: Option<&'static str>,
    /// What is asked for after three quarters of them.
    ask: Option<(RuleControl, Vec<Arc<Detector>>)>,
    /// The change that was asked for.
    asked: Option<JoinHandle<()>>,
    waited: u32,
}

impl Users {
    fn batch(&self) -> RawBatch {
        let partition = Arc::new(Partition { topic: "t".into(), number: 0 });
        let mut batch = RawBatch::default();
        for record in 0..RECORDS {
            let number = self.next * RECORDS + record;
            let attacks = self.next >= BATCHES - 2 && record % 3 == 0;
            let user = if attacks { "the-attacker".to_owned() } else { format!("u{number}") };
            let text = format!(
                r#"{{"eventTime":"{}","eventID":"e{number}","eventName":"A","sourceIPAddress":"1.1.1.1","userIdentity":{{"userName":"{user}"}}}}"#,
                time::format(NOW + self.next * SECOND)
            );
            batch.push(&partition, number, self.clock.now(), PayloadKind::Value, text.as_bytes());
        }
        batch
    }
}

impl Source for Users {
    fn poll(&mut self, _wait: Duration) -> Result<Event, SourceError> {
        // Who is to be stopped for what it costs in a minute is given batches as fast as they are taken.
        if self.dear.is_none() && self.done < self.next * RECORDS {
            std::thread::sleep(Duration::from_millis(1));
            self.clock.advance(SECOND / 5);
            return Ok(Event::Nothing);
        }
        self.clock.advance(SECOND);
        if self.next < 0 {
            self.next = 0;
            let partition = Arc::new(Partition { topic: "t".into(), number: 0 });
            return Ok(Event::Assigned(vec![Assignment { partition, stream: 0 }]));
        }
        let stopped = |name: &str| self.metrics.detector("cloudtrail", name).stopped.load(Relaxed);
        if self.next == BATCHES / 2 && self.dear.is_some_and(|dear| !stopped(dear)) && self.waited < 100 {
            self.waited += 1;
            std::thread::sleep(Duration::from_millis(50));
            return Ok(Event::Nothing);
        }
        if self.next == BATCHES * 3 / 4 {
            if let Some((control, detectors)) = self.ask.take() {
                self.asked = Some(std::thread::spawn(move || drop(control.change(detectors, Vec::new()))));
            }
            if self.asked.as_ref().is_some_and(|asked| !asked.is_finished()) {
                std::thread::sleep(Duration::from_millis(5));
                return Ok(Event::Nothing);
            }
        }
        if self.next == BATCHES {
            return Ok(Event::Finished);
        }
        let batch = self.batch();
        self.next += 1;
        Ok(Event::Batch(batch))
    }

    fn commit(&mut self, done: &[(Arc<Partition>, i64)]) -> Result<(), SourceError> {
        self.done = done.iter().map(|(_, next)| *next).max().unwrap_or(self.done);
        Ok(())
    }

    fn release(&mut self, _done: &[(Arc<Partition>, i64)]) -> Result<(), SourceError> {
        Ok(())
    }

    fn close(&mut self, _done: &[(Arc<Partition>, i64)]) -> Result<(), SourceError> {
        Ok(())
    }
}

fn run(
    detectors: &[Detector],
    caps: Caps,
    dear: Option<&'static str>,
    ask: Option<Vec<Arc<Detector>>>,
) -> (Vec<Finding>, Arc<Metrics>) {
    let streams = StreamDetectors::by_stream(detectors, &Stream::built_ins());
    let (sink, metrics) = (MemorySink::new("memory"), pipeline::metrics(&streams));
    let clock = Arc::new(SimulatedClock::at(NOW));
    let (control, requests) = change::control();
    let ask = ask.map(|detectors| (control, detectors));
    let source = Users {
        next: -1,
        done: 0,
        clock: Arc::clone(&clock),
        metrics: Arc::clone(&metrics),
        dear,
        ask,
        asked: None,
        waited: 0,
    };
    let run = Run {
        source: Box::new(source),
        first_times: HashMap::new(),
        several_values: false,
        sinks: vec![Outlet::new(Box::new(sink.clone()), true)],
        reject_sink: None,
        fires_early: true,
        workers: 2,
        shards: 2,
        in_flight_bytes: 1 << 20,
        secret: [1, 2, 3, 4],
        clock,
        metrics: Arc::clone(&metrics),
        changes: Some(requests),
        caps,
        thorough: false,
        streams,
    };
    pipeline::run(run, &AtomicBool::new(false), &mut |_| {}).unwrap();
    assert!(metrics.total().balanced(), "{:?}", metrics.total());
    (sink.findings(), metrics)
}

/// What was said of a limit.
fn said<'a>(findings: &'a [Finding], limit: &str) -> Vec<&'a Finding> {
    let of = |finding: &&Finding| {
        finding.detector.name == DETECTOR && finding.row.contains(&("limit".into(), Value::Text(limit.into())))
    };
    findings.iter().filter(of).collect()
}

fn last_count(findings: &[Finding], name: &str) -> Option<(i64, bool, State)> {
    let last = findings.iter().rev().find(|finding| finding.detector.name == name)?;
    let Value::Integer(count) = last.row[1].1 else { return None };
    Some((count, last.complete, last.state))
}

#[test]
fn who_has_too_many_keys_forgets_some_alone() {
    let wide = detector(
        "wide",
        "SELECT user_name, count(*) AS n FROM cloudtrail GROUP BY tumble(event_time, INTERVAL '1 day'), user_name HAVING count(*) > 1",
    );
    let caps = Caps { keys: Some(300), ..Caps::default() };
    let (findings, metrics) = run(&[wide, each()], caps, None, None);
    let (wide, each) = (metrics.detector("cloudtrail", "wide"), metrics.detector("cloudtrail", "each"));
    assert!(wide.operator().evicted >= 2000, "{:?}", wide.operator());
    assert!(wide.most[0].load(Relaxed) <= 300, "{:?}", wide.most);
    assert!(wide.capped[0].load(Relaxed) > 0);
    assert_eq!((each.operator().evicted, each.capped[0].load(Relaxed)), (0, 0));
    let said = said(&findings, "keys");
    assert_eq!(said.iter().map(|finding| finding.keys[0].1.clone()).collect::<Vec<_>>()[0], Value::Text("wide".into()));
    assert!(said.iter().all(|finding| finding.finding_id == said[0].finding_id), "it is one finding for the hour");
    assert_eq!(last_count(&findings, "each"), Some((BATCHES * RECORDS, true, State::Final)));
}

#[test]
fn who_takes_too_many_bytes_forgets_keys_alone() {
    let heavy = detector(
        "heavy",
        "SELECT user_name, event_time, n FROM (SELECT *, count(DISTINCT event_name) OVER (PARTITION BY user_name ORDER BY event_time RANGE INTERVAL '1 day' PRECEDING) AS n FROM cloudtrail) WHERE n > 1",
    );
    let caps = Caps { bytes: Some(250_000), ..Caps::default() };
    let (findings, metrics) = run(&[heavy, each()], caps, None, None);
    let (heavy, each) = (metrics.detector("cloudtrail", "heavy"), metrics.detector("cloudtrail", "each"));
    assert!(heavy.operator().evicted > 800, "{:?}", heavy.operator());
    assert!(heavy.capped[1].load(Relaxed) > 0);
    assert_eq!((each.operator().evicted, each.capped[1].load(Relaxed)), (0, 0));
    assert!(!said(&findings, "bytes").is_empty() && said(&findings, "keys").is_empty());
    assert_eq!(last_count(&findings, "each"), Some((BATCHES * RECORDS, true, State::Final)));
}

#[test]
fn who_may_keep_next_to_nothing_sees_an_attack_after_a_flood_all_the_same() {
    let sql = "SELECT user_name, count(*) AS n FROM cloudtrail GROUP BY tumble(event_time, INTERVAL '1 day'), user_name \
         HAVING count(*) >= 30";
    let caps = Caps { bytes: Some(2_000), ..Caps::default() };
    let (findings, metrics) = run(&[detector("burst", sql)], caps, None, None);
    let burst = metrics.detector("cloudtrail", "burst").operator();
    assert!(burst.evicted > 1000, "{burst:?}");
    let name = Value::Text("the-attacker".into());
    assert!(findings.iter().any(|finding| finding.detector.name == "burst" && finding.row[0].1 == name));
    let told = said(&findings, "bytes");
    let ids: HashSet<_> = told.iter().map(|finding| (finding.finding_id, finding.revision)).collect();
    assert!(!told.is_empty() && ids.len() == told.len(), "no shard says again what another has said");
}

#[test]
fn who_keeps_most_makes_room_when_all_together_take_too_much() {
    let wide = |name: &str, key: &str| {
        let window = "tumble(event_time, INTERVAL '1 day')";
        detector(
            name,
            &format!("SELECT {key}, count(*) AS n FROM cloudtrail GROUP BY {window}, {key} HAVING count(*) > 9"),
        )
    };
    let caps = Caps { state: Some(600_000), ..Caps::default() };
    let detectors = [wide("by-user", "user_name"), wide("by-id", "event_id"), wide("by-address", "source_ip")];
    let (findings, metrics) = run(&detectors, caps, None, None);
    let [user, id, address] =
        ["by-user", "by-id", "by-address"].map(|name| metrics.detector("cloudtrail", name).operator());
    // No more goes than has to.
    for large in [user, id] {
        assert!((400..2200).contains(&large.evicted), "{large:?} of {}", BATCHES * RECORDS);
    }
    assert_eq!((address.evicted, address.keys), (0, 0));
    assert!(!said(&findings, "state").is_empty());
    assert!(said(&findings, "bytes").is_empty() && said(&findings, "keys").is_empty());
    let of_address = findings.iter().rev().find(|finding| &*finding.detector.name == "by-address");
    assert_eq!(of_address.map(|finding| finding.row[1].1.clone()), Some(Value::Integer(BATCHES * RECORDS)));
}

/// Many windows for each record, of which the first record of a key fires.
fn dear(title: &str) -> Detector {
    let sql = "SELECT hop(event_time, INTERVAL '1 second', INTERVAL '40 seconds') AS w, count(*) AS n FROM cloudtrail \
         GROUP BY hop(event_time, INTERVAL '1 second', INTERVAL '40 seconds'), user_name HAVING count(*) > 0";
    let text = format!("/*\ntitle = \"{title}\"\nseverity = \"low\"\nabout = \"a\"\n*/\n{sql}");
    compile::compile_text(&PLANNER, "dear", &text).unwrap()
}

#[test]
fn who_takes_too_much_cpu_is_stopped_alone_until_its_file_changes() {
    // Three milliseconds of a minute.
    let caps = Caps { cpu: Some(5e-5), ..Caps::default() };
    let (again, changed) = (dear("t"), dear("changed"));
    let asked = vec![Arc::new(again), Arc::new(cheap())];
    let (findings, metrics) = run(&[dear("t"), cheap()], caps, Some("dear"), Some(asked));
    let counted = metrics.detector("cloudtrail", "dear");
    assert!(counted.stopped.load(Relaxed), "{:?}", counted.cost());
    assert!(!metrics.detector("cloudtrail", "cheap").stopped.load(Relaxed));
    assert_eq!(counted.matched.load(Relaxed) as i64, BATCHES / 2 * RECORDS, "it saw nothing after it was stopped");
    assert_eq!(said(&findings, "cpu").len(), 1);
    let mut ends: HashMap<_, Vec<State>> = HashMap::new();
    for finding in findings.iter().filter(|finding| finding.detector.name == "dear") {
        ends.entry(finding.finding_id).or_default().push(finding.state);
    }
    assert!(!ends.is_empty() && ends.values().all(|states| states.last() == Some(&State::Final)), "each has its end");

    let (findings, metrics) = run(&[dear("t"), cheap()], caps, Some("dear"), Some(vec![Arc::new(changed)]));
    assert!(metrics.detector("cloudtrail", "dear").matched.load(Relaxed) as i64 > BATCHES / 2 * RECORDS);
    assert!(findings.iter().any(|finding| finding.detector.title == "changed"));
}

#[test]
fn what_detectors_cost_is_counted() {
    let (_, metrics) = run(&[dear("t"), cheap(), each()], Caps::default(), None, None);
    let cost = |name: &str| metrics.detector("cloudtrail", name).cost();
    assert!(cost("dear").keeping > 10 * cost("each").keeping, "{:?} {:?}", cost("dear"), cost("each"));
    assert!(cost("cheap").matching > 0 && cost("cheap").keeping == 0, "{:?}", cost("cheap"));
    assert!(cost("each").feeding > 0);
    let text = metrics.prometheus();
    for metric in ["cpu_seconds_total", "state_bytes", "rows_total", "latency_seconds_count", "stopped"] {
        let line = format!("watchfire_detector_{metric}{{detector=\"dear\",stream=\"cloudtrail\"}}");
        assert!(text.contains(&line), "{metric} is missing in\n{text}");
    }
}
