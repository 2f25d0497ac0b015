use watchfire_record::{DetectorInfo, SimulatedClock, Value};

use super::*;
use crate::samples::{detector, numbered};

fn sink(format: TerminalFormat) -> TerminalSink<Vec<u8>> {
    TerminalSink::new("screen", Vec::new(), format, Style::default(), Arc::new(SimulatedClock::at(0)))
}

fn written(sink: &mut TerminalSink<Vec<u8>>) -> String {
    String::from_utf8(std::mem::take(&mut sink.writer)).unwrap()
}

#[test]
fn machines_get_every_state_on_a_line() {
    for format in [TerminalFormat::Json, TerminalFormat::Ocsf] {
        let mut sink = sink(format);
        sink.send(&[numbered(1), Finding { state: State::Final, revision: 2, ..numbered(1) }]).unwrap();
        assert_eq!(written(&mut sink).lines().filter(|line| line.starts_with('{')).count(), 2);
        assert_eq!(sink.acknowledged(), 2);
    }
}

#[test]
fn a_finding_shown_before_is_a_line_or_nothing() {
    let mut sink = sink(TerminalFormat::Human);
    let mut finding = numbered(1);
    let mut next = |state, failures, sink: &mut TerminalSink<Vec<u8>>| {
        finding.state = state;
        finding.row[3].1 = Value::Integer(failures);
        sink.send(std::slice::from_ref(&finding)).unwrap();
        finding.revision += 1;
        written(sink).lines().count()
    };
    assert!(next(State::New, 5, &mut sink) > 5);
    assert_eq!(next(State::Updated, 6, &mut sink), 1);
    assert_eq!(next(State::Final, 6, &mut sink), 0);
    sink.send(&[Finding { state: State::Withdrawn, ..numbered(2) }]).unwrap();
    assert_eq!(written(&mut sink), "");
    sink.send(&[Finding { state: State::Final, revision: 2, ..numbered(3) }]).unwrap();
    assert!(written(&mut sink).lines().count() > 5);
}

#[test]
fn findings_of_one_alert_are_counted() {
    let mut sink = sink(TerminalFormat::Human);
    let detector = Arc::new(DetectorInfo { suppress: Some(3_600_000_000), ..detector() });
    let findings: Vec<Finding> = (0..4).map(|i| Finding { detector: Arc::clone(&detector), ..numbered(i) }).collect();
    sink.send(&findings).unwrap();
    assert_eq!(written(&mut sink).matches("Console password guessed").count(), 1);
    sink.flush(Duration::ZERO).unwrap();
    let told = written(&mut sink);
    assert!(told.starts_with("▌ … and 3 more: Console password guessed · arn:aws"), "{told}");
    sink.flush(Duration::ZERO).unwrap();
    assert_eq!((written(&mut sink).as_str(), sink.acknowledged()), ("", 4));
}

#[test]
fn a_closed_pipe_is_an_error_that_says_so() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let clock = Arc::new(SimulatedClock::at(0));
    let mut sink = TerminalSink::new("screen", Closed, TerminalFormat::Human, Style::default(), clock);
    let error = sink.send(&[numbered(1)]).unwrap_err().to_string();
    assert!(error.contains("output is closed"), "{error}");
    assert_eq!(sink.acknowledged(), 0);
}
