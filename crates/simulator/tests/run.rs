//! Whole runs, as a user of the crate sees them.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use watchfire_record::time;
use watchfire_simulator::{
    AttackKind, AttackPlan, Disorder, PlannedAttack, Record, Settings, Simulation, StreamKind, Truth,
};

const SECOND: i64 = 1_000_000;

fn start() -> i64 {
    time::parse("2026-11-20T08:00:00Z").expect("a time")
}

fn run(settings: &Settings) -> (Vec<Record>, Vec<Truth>) {
    let mut simulation = Simulation::new(settings);
    let records = simulation.by_ref().collect();
    (records, simulation.truth().to_vec())
}

fn json(record: &Record) -> Value {
    serde_json::from_str(&record.json).unwrap_or_else(|error| panic!("{error}: {}", record.json))
}

fn audit_only(records: u64, rate: f64) -> Settings {
    let streams = vec![StreamKind::CloudTrail];
    Settings { records: Some(records), rate, streams, attacks: AttackPlan::None, ..Settings::new(11, start()) }
}

/// All attacks, 20 seconds apart.
fn all_attacks(seed: u64) -> Settings {
    let plan = AttackKind::all().enumerate();
    let plan = plan.map(|(number, kind)| PlannedAttack { at: number as i64 * 20 * SECOND, kind }).collect();
    let duration = Some(600 * SECOND);
    Settings { rate: 200.0, duration, attacks: AttackPlan::List(plan), ..Settings::new(seed, start()) }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_gives_others() {
    let settings = Settings { records: Some(20_000), ..Settings::new(5, start()) };
    let (first, first_truth) = run(&settings);
    let (again, again_truth) = run(&settings);
    assert!(first == again && first_truth == again_truth);
    let (other, _) = run(&Settings { seed: 6, ..settings });
    let same = first.iter().zip(&other).filter(|(a, b)| a.json == b.json).count();
    assert_eq!(same, 0);
}

#[test]
fn records_are_json_and_come_in_the_order_of_their_log() {
    let (records, _) = run(&Settings { records: Some(30_000), ..Settings::new(1, start()) });
    assert_eq!(records.len(), 30_000);
    assert!(records.windows(2).all(|pair| pair[0].emit_time <= pair[1].emit_time));
    assert!(records.iter().all(|record| record.event_time <= record.emit_time));
    let mut streams = HashMap::new();
    for record in &records {
        *streams.entry(record.stream).or_insert(0) += 1;
        let value = json(record);
        assert!(!record.json.contains('\n'));
        let said = match record.stream {
            StreamKind::CloudTrail => value["eventTime"].as_str().and_then(time::parse),
            StreamKind::Lambda => value["timestamp"].as_str().or(value["time"].as_str()).and_then(time::parse),
            StreamKind::Api => value["requestTimeEpoch"].as_i64().map(|millis| millis * 1000),
        };
        assert_eq!(said, Some(record.event_time), "{}", record.json);
    }
    assert!(streams.len() == 3 && streams.values().all(|count| *count > 4_000), "{streams:?}");
}

#[test]
fn audit_records_are_as_large_and_as_various_as_real_ones() {
    let (records, _) = run(&audit_only(100_000, 2_000.0));
    let bytes: usize = records.iter().map(|record| record.json.len()).sum();
    let mean = bytes / records.len();
    assert!((1_520..1_720).contains(&mean), "mean size {mean}");
    let (mut names, mut services, mut principals, mut users) =
        <(HashSet<_>, HashSet<_>, HashSet<_>, HashSet<_>)>::default();
    let (mut errors, mut reads) = (0, 0);
    for value in records.iter().map(json) {
        let identity = &value["userIdentity"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
        names.insert(text(&value["eventName"]));
        services.insert(text(&value["eventSource"]));
        users.insert(text(&identity["arn"]));
        principals.insert(text(&identity["sessionContext"]["sessionIssuer"]["arn"]));
        errors += usize::from(value["errorCode"].is_string());
        reads += usize::from(value["readOnly"] == true);
        assert_eq!(value["eventTime"].as_str().map(str::len), Some(20), "whole seconds");
    }
    assert!(names.len() >= 300, "{} event names", names.len());
    assert!(services.len() >= 36, "{} services", services.len());
    assert!(principals.len() >= 2_000 && users.len() >= 2_500, "{} roles, {} sessions", principals.len(), users.len());
    let errors = errors * 1000 / records.len();
    assert!((15..45).contains(&errors), "{errors} errors in a thousand");
    assert!(reads * 100 / records.len() > 55, "{reads} reads");
}

#[test]
fn audit_records_come_late_out_of_order_and_twice() {
    let (records, _) = run(&audit_only(60_000, 500.0));
    let texts: HashSet<&str> = records.iter().map(|record| record.json.as_str()).collect();
    let copies = records.len() - texts.len();
    assert!((20..150).contains(&copies), "{copies} copies");
    let disordered = records.windows(2).filter(|pair| pair[0].event_time > pair[1].event_time).count();
    assert!(disordered > records.len() / 20, "{disordered} out of order");
    let most = records.iter().map(|record| record.emit_time - record.event_time).max();
    assert!(most.is_some_and(|most| most > 180 * SECOND && most < 15 * 60 * SECOND), "{most:?}");

    let ordered = Settings { disorder: Disorder::NONE, ..audit_only(5_000, 500.0) };
    let (records, _) = run(&ordered);
    let in_order = |pair: &[Record]| pair[0].event_time <= pair[1].event_time + SECOND;
    assert!(records.windows(2).all(in_order));
}

#[test]
fn every_attack_is_carried_out_and_its_truth_names_its_records() {
    let (records, truth) = run(&all_attacks(3));
    assert_eq!(truth.len(), AttackKind::all().count());
    let mut ids: HashMap<u32, HashSet<String>> = HashMap::new();
    for record in &records {
        if let Some(attack) = record.attack {
            let value = json(record);
            let id =
                value["eventID"].as_str().or(value["requestId"].as_str()).or(value["record"]["requestId"].as_str());
            ids.entry(attack).or_default().insert(id.expect("an id").into());
        }
    }
    for attack in &truth {
        assert!(attack.complete(), "{} has {} of {} records", attack.name, attack.records, attack.planned);
        let named: HashSet<String> = attack.event_ids.iter().cloned().collect();
        assert_eq!(ids.get(&attack.id), Some(&named), "{}", attack.name);
        assert!(attack.first_event_time <= attack.last_event_time);
        assert!(attack.records == attack.event_ids.len() as u64);
        assert_eq!(attack.detectors, [attack.name.as_str()]);
        let audit = attack.stream == StreamKind::CloudTrail;
        assert_eq!(audit, attack.principal.is_some(), "{}", attack.name);
    }
    let again: Truth = serde_json::from_str(&serde_json::to_string(&truth[0]).expect("JSON")).expect("a truth");
    assert_eq!(again, truth[0]);
}

#[test]
fn attacks_differ_from_seed_to_seed() {
    let parameters = |seed| {
        let (_, truth) = run(&all_attacks(seed));
        truth.into_iter().map(|t| (t.principal, t.source_ip, t.function_name, t.planned)).collect::<Vec<_>>()
    };
    let (one, two) = (parameters(1), parameters(2));
    let same = one.iter().zip(&two).filter(|(a, b)| a == b).count();
    assert_eq!(same, 0);
}

#[test]
fn attacks_at_intervals_are_over_before_the_end_and_fit_the_streams() {
    let settings = Settings {
        duration: Some(60 * SECOND),
        rate: 500.0,
        attacks: AttackPlan::Every(2 * SECOND),
        ..Settings::new(9, start())
    };
    let (_, truth) = run(&settings);
    assert!(truth.len() >= 18, "{} attacks", truth.len());
    assert!(truth.iter().all(Truth::complete));
    let kinds: HashSet<&str> = truth.iter().take(23).map(|t| t.name.as_str()).collect();
    assert_eq!(kinds.len(), truth.len().min(23), "no kind comes twice before all came once");
    let (records, truth) = run(&Settings { streams: vec![StreamKind::Api], ..settings });
    assert!(records.iter().all(|record| record.stream == StreamKind::Api));
    assert!(!truth.is_empty() && truth.iter().all(|t| t.stream == StreamKind::Api));
}

#[test]
fn an_attack_that_takes_too_long_does_not_keep_others_back() {
    let slow = Settings {
        rate: 8.0,
        duration: Some(90 * SECOND),
        attacks: AttackPlan::Every(10 * SECOND),
        ..Settings::new(2, start())
    };
    let (_, truth) = run(&slow);
    assert!(truth.len() >= 3 && truth.iter().all(Truth::complete), "{truth:?}");
}

#[test]
fn a_simulation_may_run_on_a_thread_of_its_own() {
    let simulation = Simulation::new(&Settings::new(1, start()));
    assert_eq!(std::thread::spawn(move || simulation.take(100).count()).join().expect("no panic"), 100);
}

#[test]
fn an_endless_run_goes_on_and_odd_settings_do_no_harm() {
    let odd = Settings { rate: f64::NAN, streams: Vec::new(), ..Settings::new(0, start()) };
    assert_eq!(Simulation::new(&odd).take(300).count(), 300);
    let none = Settings { records: Some(0), ..Settings::new(0, start()) };
    assert_eq!(Simulation::new(&none).count(), 0);
}
