//! Detectors come, change, break and go on a live stream: all others have every record once, and no window is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::broker::Broker;
use crate::program::Program;
use crate::records::{COUNTED, STOPPED, from_address};
use crate::scene::Scene;
use crate::waiting;

/// Detectors that stay as they are; with those that do not, a thousand.
const OTHERS: usize = 997;
/// Time between two records.
const PACE: Duration = Duration::from_millis(20);
/// How long the program may take for what has changed in a folder. It may be built without optimization, and others may
/// build beside it.
const CHANGE_WITHIN: Duration = Duration::from_secs(60);
/// How long it may take until all that was sent is judged.
const JUDGED_WITHIN: Duration = Duration::from_secs(60);

#[test]
fn detectors_change_on_a_live_stream() {
    let Some(broker) = Broker::started() else { return };
    let scene = Scene::new(&broker, "reload", 2);
    let mut findings = scene.findings();
    let names: Vec<String> = (0..OTHERS).map(|number| format!("other-{number}")).collect();
    let mut rules: Vec<(&str, String)> =
        names.iter().enumerate().map(|(number, name)| (name.as_str(), other(number))).collect();
    rules.extend([("stopped", STOPPED.to_owned()), ("changes", COUNTED.to_owned()), ("goes", COUNTED.to_owned())]);
    let mut program = scene.program_of(&rules, &["streams.cloudtrail.idle=2s", "streams.cloudtrail.lateness=1s"]);
    program.await_ready();

    let (sent, enough) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let sending = scope.spawn(|| send(&scene, &sent, &enough));
        let _enough = Enough(&enough);
        thread::sleep(Duration::from_secs(3));
        change(&program);
        thread::sleep(Duration::from_secs(3));
        enough.store(true, Relaxed);
        sending.join().expect("it sends");
    });
    scene.flush();
    let sent = sent.load(Relaxed);
    let judged = waiting::until(JUDGED_WITHIN, || program.count("watchfire_records_processed_total") == sent);
    assert!(judged, "{} of {sent}", program.count("watchfire_records_processed_total"));
    assert_eq!(program.count("watchfire_records_consumed_total"), sent);
    let metrics = program.get("/metrics");
    for name in names.iter().map(String::as_str).chain(["stopped", "changes"]) {
        let line = format!("watchfire_detector_matched_total{{detector=\"{name}\",stream=\"cloudtrail\"}} {sent}\n");
        assert!(metrics.contains(&line), "{name} had not each of {sent} records once");
    }
    println!("each of {} detectors that stay, or change, had each of {sent} records once", names.len() + 2);
    let ended = waiting::until(JUDGED_WITHIN, || program.count("watchfire_rules_ending") == 0);
    assert!(ended, "what has ended is not taken away");
    assert_eq!(program.count_of("watchfire_detector_matched_total", "goes"), None);
    let some = program.count_of("watchfire_detector_matched_total", "comes").expect("it is counted");
    assert!(0 < some && some < sent, "{some} of {sent}");
    assert_eq!((program.count("watchfire_rules_reloads_total"), program.count("watchfire_rules_version")), (3, 4));
    assert_eq!(program.count("watchfire_rules_last_reload_successful"), 1);
    assert!(program.count("watchfire_rules_reload_failures_total") >= 1);
    let all_closed = findings.read_until(Duration::from_secs(20), |lines| windows(lines).values().sum::<u64>() >= sent);
    assert!(program.terminate().success());
    findings.read_to_end();
    assert!(all_closed, "{:?} of {sent}", windows(&findings.lines).values().sum::<u64>());
    assert_eq!(windows(&findings.lines).values().sum::<u64>(), sent, "each record is in one window of one version");
    let versions: BTreeSet<String> = windows(&findings.lines).into_keys().map(|(version, _)| version).collect();
    assert_eq!(versions.len(), 2, "{versions:?}");
    let stopped: BTreeSet<&str> = of(&findings.lines, "stopped").map(|line| line.text("/row/event_id")).collect();
    assert_eq!((stopped.len() as u64, of(&findings.lines, "stopped").count() as u64), (sent, sent));
}

/// Says that enough was sent, whatever happens: the scope waits for who sends.
struct Enough<'a>(&'a AtomicBool);

impl Drop for Enough<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// One that reads every record and never fires.
fn other(number: usize) -> String {
    match number % 4 {
        0 | 1 => COUNTED.replace(">= 1", &format!(">= {}", 1_000_000 + number)),
        2 => format!(
            "{}SELECT source_ip, event_time, n FROM (SELECT *, count(*) OVER (PARTITION BY source_ip ORDER BY event_time RANGE INTERVAL '{number} seconds' PRECEDING) AS n FROM cloudtrail) WHERE n >= 1000000",
            header()
        ),
        _ => format!(
            "{}SELECT event_name, count(DISTINCT source_ip) AS n FROM cloudtrail GROUP BY tumble(event_time, INTERVAL '{} seconds'), event_name HAVING count(DISTINCT source_ip) >= 1000",
            header(),
            1 + number % 60
        ),
    }
}

fn header() -> &'static str {
    STOPPED.split_inclusive("*/").next().expect("a detector has a header")
}

fn send(scene: &Scene<'_>, sent: &AtomicU64, enough: &AtomicBool) {
    while !enough.load(Relaxed) {
        let number = sent.fetch_add(1, Relaxed);
        let record = from_address(&format!("r{number}"), waiting::now(), &format!("203.0.113.{}", number % 7));
        scene.send(i32::from(number % 2 == 1), Some(record.as_bytes()));
        thread::sleep(PACE);
    }
}

/// Adds one, changes one, breaks one, and takes one away: asked over HTTP, by a signal, and by the look at the folder.
fn change(program: &Program) {
    program.write_rule("comes", Some(COUNTED));
    let asked = waiting::now();
    let (status, answer) = program.post("/rules/reload");
    tell(program, "added", asked, &answer);
    assert_eq!((status, &answer["added"][0]["name"]), (200, &Value::from("comes")), "{answer}");
    assert_eq!(answer["unchanged"], OTHERS + 3, "{answer}");

    program.write_rule("changes", Some(&COUNTED.replace("Calls counted", "Calls counted anew")));
    program.signal("HUP");
    program.await_saying("the rules have changed: 1 changed", CHANGE_WITHIN);

    program.write_rule("other-0", Some(&other(0).replace("source_ip", "source_pi")));
    let (status, answer) = program.post("/rules/reload");
    assert_eq!((status, &answer["diagnostics"][0]["code"]), (422, &Value::from("W028")), "{answer}");
    program.await_saying("^^^^^^^^^", CHANGE_WITHIN);
    program.await_saying("the rules were not changed", CHANGE_WITHIN);
    program.write_rule("other-0", Some(&other(0)));

    program.write_rule("goes", None);
    program.await_saying("the rules have changed: 1 removed", CHANGE_WITHIN);
}

/// Says how long a change took: to whoever asked, of that the making ready and going over, and how long the stream stood.
fn tell(program: &Program, what: &str, asked: i64, answer: &Value) {
    let answered = (waiting::now() - asked) / 1000;
    // The workers and shards have gone over when the next records are judged.
    thread::sleep(Duration::from_secs(1));
    let text = program.get("/metrics");
    let millis = |metric: &str| {
        let line = text.lines().find(|line| line.starts_with(metric)).expect("it is counted");
        line.rsplit_once(' ').expect("a metric has a value").1.parse::<f64>().expect("metrics are numbers") * 1e3
    };
    println!(
        "a detector was {what}: {} ms until answered, {} ms reading files and all, {:.1} ms making ready and going over, the stream stood {:.1} ms",
        answered,
        answer["milliseconds"],
        millis("watchfire_rules_last_change_seconds"),
        millis("watchfire_rules_last_change_stood_seconds"),
    );
}

fn of<'a>(lines: &'a [crate::tail::Line], detector: &'a str) -> impl Iterator<Item = &'a crate::tail::Line> {
    lines.iter().filter(move |line| line.text("/detector") == detector)
}

/// Records in the final windows of the detector that changes, by version and finding.
fn windows(lines: &[crate::tail::Line]) -> BTreeMap<(String, String), u64> {
    let lines = of(lines, "changes").filter(|line| line.text("/state") == "final");
    let one = |line: &crate::tail::Line| {
        let calls = line.json["row"]["calls"].as_u64().expect("a count");
        ((line.text("/version").to_owned(), line.text("/finding_id").to_owned()), calls)
    };
    lines.map(one).collect()
}
