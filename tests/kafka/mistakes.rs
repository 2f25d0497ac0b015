//! What a person got wrong is said with what to do, is waited for, and does not keep the program from ending.

use std::time::Duration;

use crate::broker::Broker;
use crate::records::{STOPPED, stop_logging};
use crate::scene::Scene;
use crate::waiting;

/// How long it may take until a person is told.
const TOLD_WITHIN: Duration = Duration::from_secs(20);

#[test]
fn a_wrong_password_is_said() {
    let Some(broker) = Broker::started() else { return };
    let scene = Scene::new(&broker, "password", 1);
    let folder = tempfile::tempdir().expect("there is a place for temporary files");
    let password = folder.path().join("password");
    std::fs::write(&password, "no-such-password\n").expect("the folder can be written");
    let (brokers, password) =
        (format!("kafka.brokers={}", broker.sasl), format!("kafka.security.password_file={}", password.display()));
    let mut program = scene.program(
        STOPPED,
        &[
            &brokers,
            &password,
            "kafka.security.protocol=sasl_plaintext",
            "kafka.security.mechanism=PLAIN",
            "kafka.security.username=watchfire",
        ],
    );
    program.await_saying("refuses the connection of user `watchfire`", TOLD_WITHIN);
    program.await_saying("Check kafka.security", TOLD_WITHIN);
    assert!(!program.said().contains("no-such-password"), "{}", program.said());
    assert!(program.runs() && program.get("/ready").starts_with("HTTP/1.1 503"));
    let ended = program.terminate();
    assert!(ended.success(), "{ended}: {}", program.said());
}

#[test]
fn a_missing_topic_is_said_and_waited_for() {
    let Some(broker) = Broker::started() else { return };
    let scene = Scene::without_topic(&broker, "missing");
    let (mut first, mut findings) = (scene.program(STOPPED, &["kafka.group=missing-for-ever"]), scene.findings());
    let mut second = scene.program(STOPPED, &[]);
    for program in [&first, &second] {
        program.await_saying("topic `missing` is not there: create it", TOLD_WITHIN);
    }
    assert!(first.runs() && second.runs());
    let ended = first.terminate();
    assert!(ended.success(), "{ended}: {}", first.said());

    scene.create_topic(1);
    scene.send(0, Some(stop_logging("missing-1", waiting::now()).as_bytes()));
    scene.flush();
    let found = findings.read_until(Duration::from_secs(30), |lines| !lines.is_empty());
    assert!(found, "the record in the topic that came later is not found");
    second.await_saying("topic `missing` is there now", TOLD_WITHIN);
    assert!(second.terminate().success());
}
