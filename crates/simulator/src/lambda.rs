//! What functions log and what the platform says of them: each invocation is a few records.

use std::collections::VecDeque;

use crate::moment::{Moments, push_number};
use crate::random::{Random, mix};
use crate::template::push_escaped;

const SECOND: i64 = 1_000_000;
/// Invocations whose records come intermingled, at most.
const ACTIVE: usize = 16;
/// The least time between two errors of one function on an ordinary day, seconds.
const CALM: (i64, i64) = (400, 7200);

/// One record.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// Microseconds; whole milliseconds.
    pub event_time: i64,
    /// The request's id.
    pub id: String,
    pub json: String,
}

/// A function as its logs show it.
#[derive(Debug)]
struct Function {
    name: String,
    memory: i64,
    timeout_ms: i64,
    typical_ms: f64,
    next_error: i64,
}

/// The functions, and their invocations under way.
#[derive(Debug)]
pub(crate) struct Functions {
    functions: Vec<Function>,
    active: Vec<VecDeque<Line>>,
    limit: usize,
}

/// How an invocation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Success,
    Error,
    Timeout,
}

impl Ending {
    fn status(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::Timeout => "timeout",
        }
    }
}

const CHATTER: &[&str] = &[
    "request received",
    "cache hit",
    "loaded configuration from parameter store",
    "secret cache is fresh, not fetched again",
    "token refreshed for downstream service",
    "message published",
    "wrote batch to table",
    "retrying after throttling, attempt 1 of 5",
    "password reset mail queued",
    "authorization checked",
    "no authorization header on health check",
    "nothing to do",
    "upstream answered 200",
    "validation passed",
];
const ERRORS: &[(&str, &str)] = &[
    ("TypeError", "Cannot read properties of undefined (reading 'id')"),
    ("ValidationError", "quantity must be a positive integer"),
    ("TimeoutError", "upstream did not answer within 3000 ms"),
    ("KeyError", "'customer'"),
    ("ConditionalCheckFailedException", "The conditional request failed"),
    ("ECONNRESET", "socket hang up"),
];

impl Functions {
    /// `rate` is records per second of this log.
    pub(crate) fn new(names: Vec<String>, rate: f64, seed: u64) -> Self {
        let make = |(number, name): (usize, String)| {
            let bits = mix(seed, number as u64);
            let pick = |shift: u32, of: &[i64]| of[(bits >> shift) as usize % of.len()];
            Function {
                name,
                memory: pick(0, &[128, 256, 512, 1024, 2048]),
                timeout_ms: pick(8, &[3_000, 10_000, 30_000, 60_000]),
                typical_ms: 4.0 + ((bits >> 16) % 200) as f64,
                next_error: i64::MIN,
            }
        };
        let functions = names.into_iter().enumerate().map(make).collect();
        Self { functions, active: Vec::new(), limit: (rate as usize).clamp(1, ACTIVE) }
    }

    /// The name of a function, by number and round again.
    pub(crate) fn name(&self, number: usize) -> &str {
        &self.functions[number % self.functions.len()].name
    }

    /// The next ordinary record, of something that was over by `before` (microseconds).
    pub(crate) fn next(&mut self, before: i64, random: &mut Random, moments: &mut Moments) -> Line {
        if self.active.len() < self.limit {
            let lines = self.invocation(before, random, moments);
            self.active.push(lines);
        }
        let number = random.below(self.active.len());
        let line = self.active[number].pop_front().expect("an invocation under way has records left");
        if self.active[number].is_empty() {
            self.active.swap_remove(number);
        }
        line
    }

    fn invocation(&mut self, before: i64, random: &mut Random, moments: &mut Moments) -> VecDeque<Line> {
        let number = random.skewed(self.functions.len());
        let function = &mut self.functions[number];
        let mut ending = Ending::Success;
        if before >= function.next_error {
            if function.next_error > i64::MIN {
                ending = if random.below(8) == 0 { Ending::Timeout } else { Ending::Error };
            }
            // The first error of each function is somewhere in the first hour, not all at the start.
            let calm = if function.next_error == i64::MIN { (1, 3600) } else { CALM };
            function.next_error = before + random.between(calm.0, calm.1) * SECOND;
        }
        let duration_ms = function.typical_ms * (0.5 + random.unit()) + random.mostly_small(function.typical_ms) as f64;
        let chatter = random.below(4);
        let shape = Shape {
            name: function.name.clone(),
            memory: function.memory,
            used: function.memory * random.between(30, 80) / 100,
            duration_ms: if ending == Ending::Timeout { function.timeout_ms as f64 } else { duration_ms.min(2_900.0) },
            cold: random.below(40) == 0,
            ending,
            chatter,
        };
        write_invocation(&shape, before, random, moments).into()
    }
}

/// An invocation, before it is written.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub name: String,
    /// Megabytes.
    pub memory: i64,
    /// Megabytes.
    pub used: i64,
    pub duration_ms: f64,
    pub cold: bool,
    pub ending: Ending,
    /// Lines that the function itself logs.
    pub chatter: usize,
}

/// All records of an invocation that was over by `before` (microseconds), in order.
pub(crate) fn write_invocation(shape: &Shape, before: i64, random: &mut Random, moments: &mut Moments) -> Vec<Line> {
    let mut id = String::new();
    random.uuid(&mut id);
    let end = before / 1000 * 1000;
    // Records older than the stream's lateness would not count: a long run is told of at its end.
    let start = end - ((shape.duration_ms as i64).min(20_000)) * 1000;
    let mut writer = Writer { shape, id, lines: Vec::new(), moments };
    if shape.cold {
        writer.platform(
            start,
            "platform.initStart",
            r#""initializationType":"on-demand","phase":"init","functionVersion":"$LATEST""#,
        );
        let init = format!(
            r#""initializationType":"on-demand","phase":"init","status":"success","metrics":{{"durationMs":{}.{}}}"#,
            random.between(90, 900),
            random.between(10, 99)
        );
        writer.platform(start, "platform.initReport", &init);
    }
    writer.platform(start, "platform.start", r#""version":"$LATEST""#);
    for line in 0..shape.chatter {
        let at = start + (end - start) * (line as i64 + 1) / (shape.chatter as i64 + 1) / 1000 * 1000;
        writer.chatter(at, random);
    }
    if shape.ending == Ending::Error {
        let (kind, message) = ERRORS[random.below(ERRORS.len())];
        writer.error(end, kind, message);
    }
    writer.done(end);
    writer.lines
}

struct Writer<'a> {
    shape: &'a Shape,
    id: String,
    lines: Vec<Line>,
    moments: &'a mut Moments,
}

impl Writer<'_> {
    fn push(&mut self, event_time: i64, json: String) {
        self.lines.push(Line { event_time, id: self.id.clone(), json });
    }

    fn platform(&mut self, at: i64, kind: &str, record: &str) {
        let mut json = String::with_capacity(420);
        json.push_str(r#"{"time":""#);
        self.moments.millis(&mut json, at);
        for part in [
            r#"","type":""#,
            kind,
            r#"","function_name":""#,
            &self.shape.name,
            r#"","record":{"requestId":""#,
            &self.id,
            r#"","#,
            record,
            "}}",
        ] {
            json.push_str(part);
        }
        self.push(at, json);
    }

    fn done(&mut self, end: i64) {
        let Shape { duration_ms, memory, used, ending, .. } = *self.shape;
        let status = ending.status();
        let done = format!(
            r#""status":"{status}","metrics":{{"durationMs":{duration_ms:.3},"producedBytes":{}}}"#,
            40 + used % 900
        );
        self.platform(end, "platform.runtimeDone", &done);
        let billed = duration_ms.ceil() as i64;
        let init = if self.shape.cold {
            format!(r#","initDurationMs":{}.{}"#, 90 + used, 10 + used % 90)
        } else {
            String::new()
        };
        let report = format!(
            r#""status":"{status}","metrics":{{"durationMs":{duration_ms:.3},"billedDurationMs":{billed},"memorySizeMB":{memory},"maxMemoryUsedMB":{used}{init}}}"#
        );
        self.platform(end, "platform.report", &report);
    }

    fn chatter(&mut self, at: i64, random: &mut Random) {
        let text = random.pick(CHATTER);
        let level = random.pick(&["INFO", "INFO", "INFO", "DEBUG", "WARN"]);
        if random.below(2) == 0 {
            self.application(at, level, text);
            return;
        }
        let mut json = self.head(at, level);
        json.push_str(r#","message":{"event":""#);
        json.push_str(text);
        json.push_str(r#"","count":"#);
        push_number(&mut json, random.between(1, 500));
        json.push_str(r#","reference":""#);
        random.uuid(&mut json);
        json.push_str(r#""}}"#);
        self.push(at, json);
    }

    fn application(&mut self, at: i64, level: &str, message: &str) {
        let mut json = self.head(at, level);
        json.push_str(r#","message":""#);
        push_escaped(&mut json, message);
        json.push_str("\"}");
        self.push(at, json);
    }

    fn error(&mut self, at: i64, kind: &str, message: &str) {
        let mut json = self.head(at, "ERROR");
        for part in [r#","errorType":""#, kind, r#"","message":""#] {
            json.push_str(part);
        }
        push_escaped(&mut json, message);
        json.push_str(r#"","stackTrace":["at handler (/var/task/index.js:48:19)","at process.processTicksAndRejections (node:internal/process/task_queues:95:5)"]}"#);
        self.push(at, json);
    }

    fn head(&mut self, at: i64, level: &str) -> String {
        let mut json = String::with_capacity(400);
        json.push_str(r#"{"timestamp":""#);
        self.moments.millis(&mut json, at);
        let parts =
            [r#"","level":""#, level, r#"","requestId":""#, &self.id, r#"","function_name":""#, &self.shape.name, "\""];
        parts.iter().for_each(|part| json.push_str(part));
        json
    }
}

/// One line that a function logs of itself.
pub(crate) fn write_message(
    function: &str,
    at: i64,
    message: &str,
    random: &mut Random,
    moments: &mut Moments,
) -> Line {
    let mut id = String::new();
    random.uuid(&mut id);
    let shape = Shape {
        name: function.into(),
        memory: 128,
        used: 64,
        duration_ms: 1.0,
        cold: false,
        ending: Ending::Success,
        chatter: 0,
    };
    let mut writer = Writer { shape: &shape, id, lines: Vec::new(), moments };
    writer.application(at / 1000 * 1000, "INFO", message);
    writer.lines.pop().expect("one line was written")
}
