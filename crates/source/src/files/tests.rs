//! Files from the disk to events.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use watchfire_record::limits::BATCH_PAYLOADS;
use watchfire_record::raw::PayloadKind;

use super::*;

const TIMESTAMP: i64 = 1_700_000_000_000_000;

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// What a source gave, in short.
#[derive(Debug, Default, PartialEq, Eq)]
struct Given {
    payloads: Vec<(String, i64, u32, PayloadKind, String)>,
    ended: Vec<String>,
    notices: Vec<String>,
}

impl Given {
    fn texts(&self) -> Vec<&str> {
        self.payloads.iter().filter(|p| p.3 == PayloadKind::Value).map(|p| p.4.as_str()).collect()
    }
}

fn drain(source: &mut FileSource) -> Given {
    let mut given = Given::default();
    loop {
        match source.poll(Duration::from_secs(10)).unwrap() {
            Event::Batch(batch) => {
                assert_eq!(batch.stream, 3);
                for payload in &batch.payloads {
                    assert_eq!(payload.timestamp, TIMESTAMP);
                    let text = String::from_utf8_lossy(batch.payload_bytes(payload)).into_owned();
                    let name = batch.partitions[payload.partition as usize].topic.to_string();
                    given.payloads.push((name, payload.offset, payload.index, payload.kind, text));
                }
            }
            Event::Ended(partition) => given.ended.push(partition.topic.to_string()),
            Event::Notice(text) => given.notices.push(text),
            Event::Finished => return given,
            Event::Assigned(_) | Event::Nothing => {}
            other => panic!("{other:?}"),
        }
    }
}

fn read(path: &Path) -> Given {
    drain(&mut FileSource::open(&[path.to_path_buf()], 3, TIMESTAMP).unwrap())
}

fn lines(count: usize) -> String {
    (0..count).map(|i| format!("{{\"number\":{i},\"fill\":\"{}\"}}\n", "x".repeat(i % 300))).collect()
}

#[test]
fn plain_and_packed_files_give_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let text = lines(30_000);
    let half = text.len() / 2;
    let members = [gzip(&text.as_bytes()[..half]), gzip(&text.as_bytes()[half..])].concat();
    let files = [
        ("plain.gz", text.clone().into_bytes()),
        ("members.json", members),
        ("packed", zstd::encode_all(text.as_bytes(), 1).unwrap()),
    ];
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let given = read(&path);
        assert!(given.texts().iter().copied().eq(text.lines()), "{name}");
        assert!(given.payloads.windows(2).all(|w| w[0].1 < w[1].1));
        assert!(given.payloads.iter().all(|p| text[p.1 as usize..].starts_with(&p.4)));
        assert_eq!((given.ended, given.notices), (vec![name.to_string()], vec![]));
    }
}

#[test]
fn batches_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small");
    fs::write(&path, "{}\n".repeat(BATCH_PAYLOADS * 3 + 5)).unwrap();
    let mut source = FileSource::open(&[path], 3, TIMESTAMP).unwrap();
    let mut sizes = Vec::new();
    loop {
        match source.poll(Duration::ZERO).unwrap() {
            Event::Batch(batch) => sizes.push(batch.payloads.len()),
            Event::Finished => break,
            _ => {}
        }
    }
    assert_eq!(sizes, [BATCH_PAYLOADS, BATCH_PAYLOADS, BATCH_PAYLOADS, 5]);
}

#[test]
fn damaged_files_give_what_they_hold_and_the_run_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let text = lines(5_000);
    let packed = gzip(text.as_bytes());
    fs::write(folder.path().join("a.gz"), &packed[..packed.len() / 2]).unwrap();
    let packed = zstd::encode_all(text.as_bytes(), 1).unwrap();
    fs::write(folder.path().join("b.zst"), &packed[..packed.len() / 2]).unwrap();
    fs::write(folder.path().join("c.gz"), [gzip(b"{}\n").as_slice(), b"garbage"].concat()).unwrap();
    fs::write(folder.path().join("d.gz"), b"\x1f\x8bnonsense").unwrap();
    fs::write(folder.path().join("e.json"), "{}\n").unwrap();
    let given = read(folder.path());
    assert_eq!(given.ended, ["a.gz", "b.zst", "c.gz", "d.gz", "e.json"]);
    assert_eq!(given.notices.len(), 4, "{:?}", given.notices);
    let of = |name: &str| given.payloads.iter().filter(|p| p.0 == name).collect::<Vec<_>>();
    for name in ["a.gz", "b.zst", "c.gz", "d.gz"] {
        let last = *of(name).last().unwrap();
        assert_eq!((last.3, last.4.as_str()), (PayloadKind::Broken, ""), "{name}");
    }
    assert_eq!((of("c.gz").len(), of("d.gz").len(), of("e.json").len()), (2, 1, 1));
    assert!(given.payloads.windows(2).all(|w| (&w[0].0, w[0].1, w[0].2) < (&w[1].0, w[1].1, w[1].2)));
}

#[test]
fn files_are_read_in_the_order_of_their_times() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "\n\n{\"t\":3}\n{\"t\":9}\n").unwrap();
    fs::write(folder.path().join("b"), gzip(b"{\"Records\":[{\"t\":1},{\"t\":2}]}")).unwrap();
    fs::write(folder.path().join("c"), "").unwrap();
    fs::write(folder.path().join("d"), "oops\n{\"t\":1}\n").unwrap();
    let mut source = FileSource::open(&[folder.path().to_path_buf()], 3, TIMESTAMP).unwrap();
    let first = source.peek().unwrap();
    let mut times = HashMap::new();
    for (partition, batch) in &first {
        assert_eq!(batch.payloads.len(), 1);
        let text = String::from_utf8_lossy(batch.payload_bytes(&batch.payloads[0]));
        times.insert(Arc::clone(partition), text[5..6].parse::<i64>().unwrap());
    }
    source.order(&times);
    let Event::Assigned(assigned) = source.poll(Duration::ZERO).unwrap() else { panic!("assigned first") };
    assert_eq!(assigned.len(), 4);
    let given = drain(&mut source);
    assert_eq!(given.ended, ["b", "d", "a", "c"]);
    assert_eq!(given.texts(), ["{\"t\":1}", "{\"t\":2}", "{\"t\":1}", "{\"t\":3}", "{\"t\":9}"]);
}

#[test]
fn a_file_that_vanished_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        fs::write(folder.path().join(name), "{}").unwrap();
    }
    let mut source = FileSource::open(&[folder.path().to_path_buf()], 3, TIMESTAMP).unwrap();
    fs::remove_file(folder.path().join("a")).unwrap();
    let given = drain(&mut source);
    assert_eq!((given.notices.len(), given.ended.len(), given.texts().len()), (1, 2, 1));
}

#[cfg(unix)]
#[test]
fn a_pipe_gives_lines_as_they_come() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    if !made.is_ok_and(|status| status.success()) {
        return;
    }
    let (go, wait_for_go) = std::sync::mpsc::channel::<()>();
    let writer = {
        let path = path.clone();
        std::thread::spawn(move || {
            let mut pipe = fs::OpenOptions::new().write(true).open(path).unwrap();
            pipe.write_all(b"{\"a\":1}\n{\"b\":2}\n{\"c\"").unwrap();
            wait_for_go.recv().unwrap();
            pipe.write_all(b":3}\n").unwrap();
        })
    };
    let mut source = FileSource::open(&[path], 3, TIMESTAMP).unwrap();
    assert!(source.peek().unwrap().is_empty());
    let mut seen = 0;
    loop {
        match source.poll(Duration::from_millis(50)).unwrap() {
            Event::Batch(batch) => {
                seen += batch.payloads.len();
                if seen == 2 {
                    go.send(()).unwrap();
                }
            }
            Event::Finished => break,
            _ => {}
        }
    }
    writer.join().unwrap();
    assert_eq!(seen, 3);
}
