//! The broker dies and comes back: the program goes on by itself, and nothing is lost.

use std::collections::HashSet;
use std::time::Duration;

use crate::broker::Broker;
use crate::records::{STOPPED, stop_logging};
use crate::scene::Scene;
use crate::tail::Line;
use crate::waiting;

const RECORDS: usize = 300;

#[test]
fn an_outage_loses_nothing() {
    let Some(broker) = Broker::alone() else { return };
    let scene = Scene::new(&broker, "outage", 2);
    let mut findings = scene.findings();
    let mut program = scene.program(STOPPED, &[]);
    program.await_ready();
    let send = |numbers: std::ops::Range<usize>| {
        for number in numbers {
            let partition = i32::try_from(number % 2).expect("it is below 2");
            scene.send(partition, Some(stop_logging(&id(number), waiting::now()).as_bytes()));
        }
    };
    send(0..RECORDS / 3);
    scene.flush();
    // Killed with some records taken in and not yet committed, and some on their way.
    send(RECORDS / 3..RECORDS / 2);
    broker.kafka("kill", &["0"]);
    program.await_saying("no Kafka broker answers", Duration::from_secs(20));
    send(RECORDS / 2..RECORDS * 2 / 3);
    assert!(program.runs());
    broker.kafka("up", &["0"]);
    scene.flush();
    send(RECORDS * 2 / 3..RECORDS);
    scene.flush();
    let ids = |lines: &[Line]| lines.iter().map(|line| line.text("/row/event_id").to_owned()).collect::<HashSet<_>>();
    let all = findings.read_until(Duration::from_secs(40), |lines| ids(lines).len() == RECORDS);
    let found = ids(&findings.lines);
    let missing: Vec<String> = (0..RECORDS).map(id).filter(|id| !found.contains(id)).collect();
    assert!(all, "{} are missing: {:?}", missing.len(), &missing[..missing.len().min(10)]);
    program.await_saying("answers again", Duration::from_secs(10));
    assert!(program.terminate().success(), "{}", program.said());
    findings.read_to_end();
    println!("{RECORDS} records, {} findings: {} came twice", findings.lines.len(), findings.lines.len() - RECORDS);
}

#[test]
fn a_program_that_ends_without_its_broker_loses_nothing() {
    let Some(broker) = Broker::alone() else { return };
    let scene = Scene::new(&broker, "ending", 1);
    let mut findings = scene.findings();
    let mut first = scene.program(STOPPED, &[]);
    first.await_ready();
    for number in 0..RECORDS {
        scene.send(0, Some(stop_logging(&id(number), waiting::now()).as_bytes()));
    }
    scene.flush();
    // Killed with records taken in, and findings on their way.
    broker.kafka("kill", &["0"]);
    first.await_saying("no Kafka broker answers", Duration::from_secs(20));
    let ended = first.terminate();
    println!("ended without its broker: {ended}; it said\n{}", first.said());
    broker.kafka("up", &["0"]);
    let mut second = scene.program(STOPPED, &[]);
    second.await_ready();
    let ids = |lines: &[Line]| lines.iter().map(|line| line.text("/row/event_id").to_owned()).collect::<HashSet<_>>();
    let all = findings.read_until(Duration::from_secs(40), |lines| ids(lines).len() == RECORDS);
    assert!(all, "{} of {RECORDS} are found", ids(&findings.lines).len());
    assert!(second.terminate().success(), "{}", second.said());
}

fn id(number: usize) -> String {
    format!("outage-{number}")
}
