use super::*;
use std::io::Read;
fn load() -> Vec<(String, Vec<u8>)> {
    let mut out = Vec::new();
    for dir in ["stratus", "invictus"] {
        for entry in std::fs::read_dir(format!("/work/shared/data/cloudtrail/{dir}")).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let mut text = Vec::new();
            if path.extension().is_some_and(|e| e == "gz") {
                flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_end(&mut text).unwrap();
            } else {
                continue;
            }
            out.push((path.display().to_string(), text));
        }
    }
    out
}
#[test]
fn real_all() {
    let stream = Stream::cloudtrail();
    let columns = all_columns(&stream);
    let mut decoder = Decoder::new(&stream, 0, columns.clone()).allow_several(true);
    let mut rows = 0;
    let mut records: Vec<Vec<u8>> = Vec::new();
    for (name, text) in load() {
        let batch = decode_all(&mut decoder, raw(&[&text]));
        assert!(batch.rejects.is_empty() && batch.skipped.is_empty(), "{name} {:?}", batch.rejects);
        rows += batch.rows.len();
        for row in &batch.rows {
            assert_eq!(row.flags, 0);
            records.push(batch.row_text(row).to_vec());
        }
        let all: Vec<u32> = (0..batch.rows.len() as u32).collect();
        let late = decoder.decode_rows(&batch, &all, &columns);
        for (n, array) in late.iter().enumerate() {
            assert_eq!((0..array.len()).map(|r| cell(array, r)).collect::<Vec<_>>(), cells(&batch, n));
        }
        for line in &records {
            let position = watchfire_record::Position { partition: partition(), offset: 100, index: 0 };
            let b = decoder.decode(raw(&[line]));
            let slow = crate::slow::decode(stream.format, &columns, line, &position).unwrap();
            for n in 0..columns.len() {
                assert_eq!(cells(&b, n)[0], slow.cells[n]);
            }
            break;
        }
    }
    println!("rows {rows}");
    // speed
    let total: usize = records.iter().map(Vec::len).sum();
    println!("mean size {}", total / records.len());
    let mut parser = crate::parser::Parser::new();
    let tree = {
        let mut t = crate::tree::Tree::new();
        t.dotted("eventTime");
        t.dotted("eventName");
        t.dotted("userIdentity.arn");
        t
    };
    let mut found = Vec::new();
    for mode in [0, 0, 1, 1] {
        let start = std::time::Instant::now();
        let mut bytes = 0;
        let mut count = 0;
        for _ in 0..60 {
            for r in &records {
                bytes += r.len();
                count += 1;
                if mode == 0 {
                    parser
                        .parse(r, |t| {
                            std::hint::black_box(t.len());
                        })
                        .unwrap();
                } else {
                    parser
                        .parse(r, |t| {
                            std::hint::black_box(tree.find(t, &mut found));
                        })
                        .unwrap();
                }
            }
        }
        let t = start.elapsed().as_secs_f64();
        println!("parse {mode}: {:.0} MB/s, {:.0} ns/record", bytes as f64 / 1e6 / t, t * 1e9 / count as f64);
    }
    for names in [
        &["event_name"][..],
        &["event_name", "event_source", "source_ip", "principal", "error_code"],
        &["event_name", "event_id", "event_time", "user_arn", "mfa_used"],
    ] {
        let columns: Vec<_> = names.iter().map(|n| column(&stream, n)).collect();
        let mut decoder = Decoder::new(&stream, 0, columns);
        let mut base = Vec::new();
        let mut batch = RawBatch::default();
        let p = partition();
        let mut n = 0;
        for r in records.iter().cycle() {
            batch.push(&p, n, TIMESTAMP, PayloadKind::Value, r);
            n += 1;
            if batch.bytes.len() > 1 << 20 {
                base.push(std::mem::take(&mut batch));
                if base.len() == 100 {
                    break;
                }
            }
        }
        for _ in 0..4 {
            let input = base.clone();
            let bytes: usize = input.iter().map(|b| b.bytes.len()).sum();
            let start = std::time::Instant::now();
            let mut r = 0;
            for b in input {
                let out = decoder.decode(b);
                r += out.rows.len();
                std::hint::black_box(&out);
            }
            let t = start.elapsed().as_secs_f64();
            println!("{names:?}: {:.0} MB/s, {:.0} ns/record", bytes as f64 / 1e6 / t, t * 1e9 / r as f64);
        }
    }
}
