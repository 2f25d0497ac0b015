//! `rules explain` of detectors that read more than one input: sequences and unions.

use watchfire_engine::detect::Detector;
use watchfire_engine::detect::plan::{Input, Operator, Sequence, SequenceKind};
use watchfire_record::{Stream, duration, limits};

use super::plain;
use crate::screen::numbers;

/// What each input is, a line with its label each; none for a detector of one input.
pub(super) fn inputs(detector: &Detector, streams: &[Stream]) -> Vec<(String, String)> {
    let plan = &detector.plan;
    if plan.inputs.len() < 2 {
        return Vec::new();
    }
    let Operator::Sequence(sequence) = &plan.operator else {
        let branch = |(index, input)| (format!("branch {}", index + 1), input_text(input, streams));
        return plan.inputs.iter().enumerate().map(branch).collect();
    };
    let [a, b] = [&plan.inputs[0], &plan.inputs[1]];
    let mut lines = vec![("a".to_owned(), input_text(a, streams)), ("b".to_owned(), input_text(b, streams))];
    let equal = a.keys.iter().zip(&b.keys);
    lines.extend(equal.map(|((_, a), (_, b))| {
        ("joined by".to_owned(), format!("{} of a = {} of b", plain(&a.to_string()), plain(&b.to_string())))
    }));
    lines.push(("within".to_owned(), bounds(sequence)));
    if sequence.distinct {
        lines.push(("and".to_owned(), "their event ids differ".to_owned()));
    }
    lines.extend(sequence.conditions.iter().map(|condition| ("and".to_owned(), plain(&condition.to_string()))));
    lines
}

fn input_text(input: &Input, streams: &[Stream]) -> String {
    let said: Vec<String> = input.predicates.iter().map(|predicate| plain(&predicate.to_string())).collect();
    let said = if said.is_empty() { "every record".to_owned() } else { said.join(" AND ") };
    format!("{}: {said}", streams[input.stream].name)
}

fn bounds(sequence: &Sequence) -> String {
    let side = |micros: i64| match micros {
        0 => "the time of a".to_owned(),
        micros if micros < 0 => format!("{} before a", duration::format(-micros)),
        micros => format!("{} after a", duration::format(micros)),
    };
    format!("b from {} to {}", side(sequence.lower), side(sequence.upper))
}

/// The tables that a detector looks up in, and by what.
pub(super) fn look_ups(parts: &[Detector]) -> Vec<String> {
    let mut texts = Vec::new();
    for look_up in parts.iter().flat_map(|part| &part.reads().look_ups) {
        let definition = look_up.table.definition();
        let keys = definition.key.iter().zip(&look_up.keys);
        let keys: Vec<String> = keys.map(|(name, key)| format!("{name} = {}", plain(&key.to_string()))).collect();
        let text = format!("{} by {}", definition.name, keys.join(" and "));
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts
}

/// What a sequence keeps.
pub(super) fn state(detector: &Detector, sequence: &Sequence, streams: &[Stream]) -> String {
    let [a, b] = [0, 1].map(|side| &streams[detector.plan.inputs[side].stream]);
    let kept = |micros: i64, other: &Stream| duration::format(micros.max(0).saturating_add(other.lateness));
    format!(
        "per key the rows of a until a b can no longer come, {} after their time, and those of b, {} after theirs; at most {} rows a key and side, {} keys and {} a shard",
        kept(sequence.upper, b),
        kept(sequence.lower.saturating_neg(), a),
        numbers::count(limits::JOIN_ROWS as u64),
        numbers::count(limits::KEYS as u64),
        numbers::bytes(limits::JOIN_BYTES as u64),
    )
}

/// When a sequence fires.
pub(super) fn fires(detector: &Detector, sequence: &Sequence, streams: &[Stream]) -> String {
    match sequence.kind {
        SequenceKind::Pair => {
            "at once, and finally, when the second of the two comes in, whichever that is: no later record can change it".into()
        }
        SequenceKind::Present => "at once, and finally, when the first b is there: once for each a".into(),
        SequenceKind::Absent => {
            let b = &streams[detector.plan.inputs[1].stream];
            let after = sequence.upper.saturating_add(b.lateness);
            format!(
                "when the watermark of {} has passed the bound, so that no b can come any more: {} after a, by that stream's time",
                b.name,
                duration::format(after.max(0))
            )
        }
    }
}
