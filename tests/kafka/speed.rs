//! A finding is there soon after its record, and once.

use std::collections::HashMap;
use std::thread;
use std::time::Duration;

use crate::broker::Broker;
use crate::records::{STOPPED, stop_logging};
use crate::scene::Scene;
use crate::waiting;

const RECORDS: usize = 100;
/// Milliseconds from a record to its finding that half of them may take. Others' load on the machine is in it.
const MEDIAN: i64 = 1000;

#[test]
fn each_record_is_found_once_and_soon() {
    let Some(broker) = Broker::started() else { return };
    let scene = Scene::new(&broker, "speed", 1);
    let (mut records, mut findings) = (scene.records(), scene.findings());
    let mut program = scene.program(STOPPED, &[]);
    program.await_ready();
    for number in 0..RECORDS {
        scene.send(0, Some(stop_logging(&format!("speed-{number}"), waiting::now()).as_bytes()));
        scene.flush();
        thread::sleep(Duration::from_millis(20));
    }
    assert!(findings.read_until(Duration::from_secs(20), |lines| lines.len() >= RECORDS), "{}", findings.lines.len());
    assert!(program.terminate().success());
    findings.read_to_end();
    records.read_to_end();

    let sent: HashMap<&str, i64> = records.lines.iter().map(|line| (line.text("/eventID"), line.taken)).collect();
    let found: HashMap<&str, i64> =
        findings.lines.iter().map(|line| (line.text("/row/event_id"), line.taken)).collect();
    assert_eq!((sent.len(), found.len(), findings.lines.len()), (RECORDS, RECORDS, RECORDS));
    assert!(findings.lines.iter().all(|line| line.text("/state") == "final" && line.json["revision"] == 1));
    let mut took: Vec<i64> = found.iter().map(|(id, taken)| taken - sent[id]).collect();
    took.sort_unstable();
    println!(
        "from a record to its finding, broker to broker: p50 {} ms, p99 {} ms, most {} ms",
        took[RECORDS / 2],
        took[RECORDS * 99 / 100 - 1],
        took[RECORDS - 1]
    );
    assert!(took[RECORDS / 2] < MEDIAN, "half took longer than {} ms", took[RECORDS / 2]);
}
