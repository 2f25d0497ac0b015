//! Windows close though nothing comes: neither a silent partition nor silence everywhere holds them open.

use std::collections::{HashMap, HashSet};
use std::thread;
use std::time::Duration;

use watchfire_record::time;

use crate::broker::Broker;
use crate::records::{COUNTED, from_address};
use crate::scene::Scene;
use crate::tail::Line;
use crate::waiting::{self, Deadline};

/// Rounds in which the last partition gets records too.
const ROUNDS_OF_ALL: usize = 5;

#[test]
fn silence_closes_windows() {
    let Some(broker) = Broker::started() else { return };
    let scene = Scene::new(&broker, "silence", 4);
    let mut findings = scene.findings();
    let mut program = scene.program(COUNTED, &["streams.cloudtrail.idle=2s", "streams.cloudtrail.lateness=1s"]);
    program.await_ready();

    let deadline = Deadline::within(Duration::from_secs(25));
    let (mut sent, mut silent_from, mut round) = (0, i64::MAX, 0);
    let later = |line: &Line, from: i64| is_final(line) && window_end(line) > from;
    while !findings.lines.iter().any(|line| later(line, silent_from)) {
        assert!(!deadline.is_over(), "a silent partition holds the others' windows open");
        let partitions = if round < ROUNDS_OF_ALL { 4 } else { 3 };
        for partition in 0..partitions {
            let id = format!("silence-{partition}-{round}");
            let record = from_address(&id, waiting::now(), &format!("203.0.113.{partition}"));
            scene.send(partition, Some(record.as_bytes()));
            sent += 1;
        }
        round += 1;
        if round == ROUNDS_OF_ALL {
            silent_from = waiting::now();
        }
        thread::sleep(Duration::from_millis(100));
        findings.read_until(Duration::from_millis(50), |lines| lines.iter().any(|line| later(line, silent_from)));
    }
    scene.flush();
    let stopped = waiting::now();
    let all_final = findings.read_until(Duration::from_secs(20), |lines| counted(lines) >= sent);
    println!("the last window was final {} ms after the last record", (waiting::now() - stopped) / 1000);
    assert_eq!(program.count("watchfire_records_late_total"), 0);
    let distinct = findings.lines.iter().map(|line| line.text("/finding_id")).collect::<HashSet<_>>().len() as u64;
    let delivered = || program.count("watchfire_findings_delivered_total");
    assert!(waiting::until(Duration::from_secs(5), || delivered() == distinct), "{} of {distinct}", delivered());
    assert!(program.terminate().success());
    findings.read_to_end();
    assert!(
        all_final && counted(&findings.lines) == sent,
        "{} of {sent} are in final windows",
        counted(&findings.lines)
    );
    each_is_final_once(&findings.lines);
}

fn each_is_final_once(lines: &[Line]) {
    let mut finals: HashMap<&str, usize> = HashMap::new();
    for line in lines {
        *finals.entry(line.text("/finding_id")).or_default() += usize::from(is_final(line));
    }
    assert!(finals.values().all(|count| *count == 1), "{finals:?}");
}

fn is_final(line: &Line) -> bool {
    line.text("/state") == "final"
}

fn window_end(line: &Line) -> i64 {
    time::parse(line.text("/window_end")).expect("a window has an end")
}

/// Records that final windows counted.
fn counted(lines: &[Line]) -> u64 {
    lines.iter().filter(|line| is_final(line)).map(|line| line.json["row"]["calls"].as_u64().expect("a count")).sum()
}
