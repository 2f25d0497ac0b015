//! A topic that grows is read whole.

use std::collections::HashSet;
use std::time::Duration;

use crate::broker::Broker;
use crate::records::{STOPPED, stop_logging};
use crate::scene::Scene;
use crate::tail::Line;
use crate::waiting;

#[test]
fn partitions_added_meanwhile_are_read_from_their_beginning() {
    let Some(broker) = Broker::started() else { return };
    let mut scene = Scene::new(&broker, "partitions", 1);
    let mut findings = scene.findings();
    let mut program = scene.program(STOPPED, &[]);
    program.await_ready();
    let send = |scene: &Scene<'_>, partition: i32, id: &str| {
        scene.send(partition, Some(stop_logging(id, waiting::now()).as_bytes()));
    };
    send(&scene, 0, "before");
    scene.flush();
    let ids = |lines: &[Line]| lines.iter().map(|line| line.text("/row/event_id").to_owned()).collect::<HashSet<_>>();
    assert!(findings.read_until(Duration::from_secs(20), |lines| ids(lines).contains("before")));

    scene.add_partitions(3);
    for (partition, id) in [(0, "old"), (1, "new-1"), (2, "new-2")] {
        send(&scene, partition, id);
    }
    scene.flush();
    let all = findings.read_until(Duration::from_secs(30), |lines| ids(lines).len() == 4);
    assert!(all, "only {:?} were found", ids(&findings.lines));
    program.await_partitions(3);
    assert!(program.terminate().success());
    findings.read_to_end();
    assert_eq!(findings.lines.len(), 4);
    assert!(program.said().contains("topic `partitions` has 3 partitions now"), "{}", program.said());
}
