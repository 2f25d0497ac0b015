//! What ends up in files.

use std::fs;
use std::io::Read;

use watchfire_simulator::output::{FileOutput, FolderOutput, Format, write_truth};
use watchfire_simulator::{AttackPlan, Output, Record, Settings, Simulation, StreamKind, Truth};

fn records() -> Vec<Record> {
    Simulation::new(&Settings { records: Some(2_000), ..Settings::new(4, 1_795_500_000_000_000) }).collect()
}

fn lines(records: &[Record]) -> String {
    records.iter().map(|record| format!("{}\n", record.json)).collect()
}

#[test]
fn a_file_is_written_plain_or_compressed_by_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let records = records();
    for name in ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst"] {
        let path = folder.path().join(name);
        let mut output = FileOutput::create(&path).expect("created");
        records.iter().for_each(|record| output.write(record).expect("written"));
        output.finish().expect("finished");
        let bytes = fs::read(&path).expect("read");
        let mut text = String::new();
        match Format::of(&path) {
            Format::Plain => text = String::from_utf8(bytes).expect("text"),
            Format::Gzip => _ = flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).expect("gzip"),
            Format::Zstd => text = String::from_utf8(zstd::decode_all(&bytes[..]).expect("zstd")).expect("text"),
        }
        assert!(text == lines(&records), "{name}");
    }
}

#[test]
fn a_folder_has_a_file_for_each_stream() {
    let folder = tempfile::tempdir().expect("a folder");
    let records = records();
    let path = folder.path().join("new/logs");
    let mut output = FolderOutput::create(&path, &StreamKind::ALL, Format::Plain).expect("created");
    records.iter().for_each(|record| output.write(record).expect("written"));
    output.finish().expect("finished");
    for stream in StreamKind::ALL {
        let text = fs::read_to_string(path.join(format!("{}.jsonl", stream.name()))).expect("read");
        let of_stream: Vec<Record> = records.iter().filter(|r| r.stream == stream).cloned().collect();
        assert!(text == lines(&of_stream) && !text.is_empty(), "{}", stream.name());
    }
}

#[test]
fn the_truth_is_written_an_attack_a_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("truth.jsonl");
    let settings = Settings {
        records: Some(30_000),
        attacks: AttackPlan::Every(3_000_000),
        ..Settings::new(4, 1_795_500_000_000_000)
    };
    let mut simulation = Simulation::new(&settings);
    simulation.by_ref().for_each(drop);
    write_truth(&path, simulation.truth()).expect("written");
    let text = fs::read_to_string(&path).expect("read");
    let read: Vec<Truth> = text.lines().map(|line| serde_json::from_str(line).expect("a truth")).collect();
    assert!(!read.is_empty() && read == simulation.truth());
    assert!(text.contains("\"first_event_time\":\"2026-"), "{text}");
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = FileOutput::create(folder.path()).err().expect("a folder is no file");
    assert!(error.to_string().contains(&*folder.path().to_string_lossy()), "{error}");
    assert!(!error.is_broken_pipe());
}
