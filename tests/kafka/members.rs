//! Two members of one group: one leaves while records come, and none of them is missed.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use crate::broker::Broker;
use crate::records::{STOPPED, stop_logging};
use crate::scene::Scene;
use crate::waiting;

const RECORDS: usize = 1200;

#[test]
fn a_member_that_leaves_hands_over() {
    let Some(broker) = Broker::started() else { return };
    let scene = Scene::new(&broker, "members", 4);
    let mut findings = scene.findings();
    let mut first = scene.program(STOPPED, &[]);
    first.await_ready();
    let mut second = scene.program(STOPPED, &[]);
    second.await_ready();
    first.await_partitions(2);
    second.await_partitions(2);

    let sent = AtomicUsize::new(0);
    thread::scope(|scope| {
        scope.spawn(|| produce(&scene, &sent));
        waiting::until(Duration::from_secs(30), || sent.load(Relaxed) >= RECORDS / 2);
        assert!(first.terminate().success(), "{}", first.said());
        assert!(sent.load(Relaxed) < RECORDS, "it was to leave while records come");
    });
    second.await_partitions(4);
    let ids =
        |lines: &[crate::tail::Line]| lines.iter().map(|l| l.text("/row/event_id").to_owned()).collect::<HashSet<_>>();
    let all =
        findings.read_until(Duration::from_secs(20), |lines| lines.len() >= RECORDS && ids(lines).len() == RECORDS);
    assert!(second.terminate().success(), "{}", second.said());
    findings.read_to_end();
    let found = ids(&findings.lines);
    let missing: Vec<String> = (0..RECORDS).map(id).filter(|id| !found.contains(id)).collect();
    assert!(all && missing.is_empty(), "{} are missing: {:?}", missing.len(), &missing[..missing.len().min(10)]);
    let finding_ids: HashSet<&str> = findings.lines.iter().map(|line| line.text("/finding_id")).collect();
    assert_eq!(finding_ids.len(), RECORDS, "a record read twice has the same finding id");
    println!("{RECORDS} records, {} findings: {} came twice", findings.lines.len(), findings.lines.len() - RECORDS);
}

fn produce(scene: &Scene<'_>, sent: &AtomicUsize) {
    for number in 0..RECORDS {
        let partition = i32::try_from(number % 4).expect("it is below 4");
        scene.send(partition, Some(stop_logging(&id(number), waiting::now()).as_bytes()));
        sent.store(number + 1, Relaxed);
        thread::sleep(Duration::from_millis(4));
    }
    scene.flush();
}

fn id(number: usize) -> String {
    format!("members-{number}")
}
