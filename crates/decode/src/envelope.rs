//! Envelopes: what is around records, told apart by content. Only what is no record itself is looked at, so no member
//! of a record, whoever wrote it, makes an envelope of it.

use std::ops::Range;

use watchfire_record::batch::Context;
use watchfire_record::limits::{ENVELOPE_DEPTH, UNFOLDED_BYTES};

use crate::fault::{Fault, diagnose};
use crate::payload::{Place, Run};
use crate::scan::{self, Step};
use crate::times::{self, Unit};
use crate::{repair, unfold};

/// Longest name that a log group, a log stream or an event id has; what is longer is none.
const NAME_BYTES: usize = 512;

/// What an object is an envelope of.
#[derive(Debug, PartialEq, Eq)]
enum Inside {
    /// An array of records, or of envelopes.
    Elements(Range<usize>),
    /// One value.
    Value(Range<usize>),
    /// One value, written as the text of a string.
    Text(Range<usize>),
    /// One value, in base64.
    Folded(Range<usize>),
    /// Log events of a `CloudWatch` subscription.
    LogEvents {
        events: Range<usize>,
        group: Option<Range<usize>>,
        stream: Option<Range<usize>>,
        owner: Option<Range<usize>>,
    },
    /// A `CloudWatch` message without log events.
    Control,
    /// A payload that is `null`.
    Nothing,
}

fn recognise(text: &[u8], range: Range<usize>) -> Option<Inside> {
    let starts = |place: &Option<Range<usize>>, with: u8| place.as_ref().is_some_and(|place| text[place.start] == with);
    let names = ["Records", "records", "messageType", "logEvents", "logGroup", "logStream", "owner"];
    let [upper, lower, kind, events, group, stream, owner] = scan::members(text, range.clone(), names)?;
    if let Some(kind) = kind {
        if &text[kind] == b"\"CONTROL_MESSAGE\"" {
            return Some(Inside::Control);
        }
        if starts(&events, b'[') {
            return events.map(|events| Inside::LogEvents { events, group, stream, owner });
        }
    }
    for records in [upper, lower] {
        if starts(&records, b'[') {
            return records.map(Inside::Elements);
        }
    }
    let names =
        ["detail-type", "detail", "schema", "payload", "Message", "body", "Body", "Sns", "awslogs", "kinesis", "data"];
    let [kind, detail, schema, payload, message, body, upper_body, sns, logs, kinesis, data] =
        scan::members(text, range, names)?;
    if kind.is_some() && starts(&detail, b'{') {
        return detail.map(Inside::Value);
    }
    if let (Some(_), Some(payload)) = (schema, payload) {
        return Some(match text[payload.start] {
            b'"' => Inside::Text(payload),
            _ if &text[payload.clone()] == b"null" => Inside::Nothing,
            _ => Inside::Value(payload),
        });
    }
    for wrapped in [message, body, upper_body] {
        if starts(&wrapped, b'"') {
            return wrapped.map(Inside::Text);
        }
    }
    if let Some([Some(message)]) = sns.and_then(|sns| scan::members(text, sns, ["Message"])) {
        return (text[message.start] == b'"').then_some(Inside::Text(message));
    }
    let nested = [logs, kinesis].into_iter().flatten();
    let nested = nested.filter_map(|outer| scan::members(text, outer, ["data"])).map(|[data]| data);
    let mut folded = nested.chain([data]).filter(|data| starts(data, b'"'));
    folded.next().flatten().map(Inside::Folded)
}

impl Run<'_> {
    /// Takes the object at `range` apart if it is an envelope; says whether it was.
    pub(crate) fn unwrap(&mut self, range: Range<usize>, place: Place) -> bool {
        if !self.unwraps(place) || self.has_time_key(&range) {
            return false;
        }
        let Some(inside) = recognise(&self.batch.text, range.clone()) else { return false };
        if self.is_too_deep(&range, place) {
            return true;
        }
        let place = place.deeper();
        match inside {
            Inside::Elements(array) => self.elements(array, place),
            Inside::Value(value) => self.value(value, place),
            Inside::Text(string) => self.text(string, place),
            Inside::Folded(string) => self.folded(string, place),
            Inside::LogEvents { events, group, stream, owner } => {
                let name = |place: Option<Range<usize>>| name(&self.batch.text, place);
                let (log_group, log_stream, owner) = (name(group), name(stream), name(owner));
                let context = Context { log_group, log_stream, owner, ..Context::default() };
                self.log_events(events, &context, place);
            }
            Inside::Control => self.skip("control_message"),
            Inside::Nothing => self.skip("empty"),
        }
        true
    }

    /// Rejects an envelope that lies too deep within others.
    pub(crate) fn is_too_deep(&mut self, range: &Range<usize>, place: Place) -> bool {
        let too_deep = place.depth >= ENVELOPE_DEPTH;
        if too_deep {
            let detail = format!("there are more than {ENVELOPE_DEPTH} envelopes within each other");
            self.reject(range.clone(), Fault { reason: "envelope_too_deep", detail });
        }
        too_deep
    }

    fn log_events(&mut self, array: Range<usize>, shared: &Context, place: Place) {
        let mut step = scan::first_element(&self.batch.text[..array.end], array.start);
        if matches!(step, Step::End(_)) {
            self.skip("empty_records");
        }
        while let Some(event) = self.element_of(step, array.end) {
            self.log_event(event.clone(), shared, place);
            step = scan::next_element(&self.batch.text[..array.end], event.end);
        }
    }

    fn log_event(&mut self, event: Range<usize>, shared: &Context, place: Place) {
        let members = scan::members(&self.batch.text, event.clone(), ["id", "timestamp", "message"]);
        let Some([id, timestamp, Some(message)]) = members else {
            return self.reject(event, Fault::new("invalid_json", "a log event is an object with a `message`"));
        };
        let text = &self.batch.text;
        let number = timestamp.and_then(|place| std::str::from_utf8(&text[place]).ok()?.parse().ok());
        let timestamp = number.and_then(|number| times::from_integer(number, Unit::Milliseconds));
        let context = Context { event_id: name(text, id), timestamp, ..shared.clone() };
        let (rows, index) = (self.batch.rows.len(), self.batch.contexts.len());
        self.batch.contexts.push(context);
        let place = Place { context: u32::try_from(index).unwrap_or_default(), ..place };
        if self.batch.text[message.start] == b'"' {
            self.text(message, place);
        } else {
            self.value(message, place);
        }
        if self.batch.rows.len() == rows {
            self.batch.contexts.truncate(index);
        }
    }

    /// A value that is written as the text of a string.
    pub(crate) fn text(&mut self, string: Range<usize>, place: Place) {
        match self.unescape(string.clone()) {
            Ok((text, flags)) => self.unfolded(string, text.as_bytes(), Place { flags: place.flags | flags, ..place }),
            Err(fault) => self.reject(string, fault),
        }
    }

    fn folded(&mut self, string: Range<usize>, place: Place) {
        let limit = UNFOLDED_BYTES - self.unfolded;
        let unfolded = self.unescape(string.clone()).and_then(|(text, _)| unfold::base64(text.as_bytes(), limit));
        match unfolded {
            Ok(bytes) => self.unfolded(string, &bytes, place),
            Err(fault) => self.reject(string, fault),
        }
    }

    /// A payload, or what one unfolded to, in gzip.
    pub(crate) fn zipped(&mut self, range: Range<usize>, place: Place) -> Result<(), Fault> {
        if !self.is_too_deep(&range, place) {
            let bytes = unfold::gzip(&self.batch.text[range.clone()], UNFOLDED_BYTES - self.unfolded)?;
            self.unfolded(range, &bytes, place.deeper());
        }
        Ok(())
    }

    /// Goes on with what the envelope at `range` held.
    fn unfolded(&mut self, range: Range<usize>, bytes: &[u8], place: Place) {
        self.unfolded += bytes.len();
        if self.unfolded > UNFOLDED_BYTES {
            self.unfolded -= bytes.len();
            return self.reject(range, unfold::too_large());
        }
        let start = self.batch.text.len();
        self.batch.text.extend_from_slice(bytes);
        self.value(start..start + bytes.len(), place);
    }

    fn unescape(&self, string: Range<usize>) -> Result<(String, u16), Fault> {
        let quoted = &self.batch.text[string];
        if let Ok(text) = serde_json::from_slice(quoted) {
            return Ok((text, 0));
        }
        let repaired =
            repair::repair(quoted).and_then(|(bytes, flags)| Some((serde_json::from_slice(&bytes).ok()?, flags)));
        repaired.ok_or_else(|| diagnose(quoted))
    }

    /// What is neither object nor array: an envelope if it is base64 text, in quotes or not.
    pub(crate) fn scalar(&mut self, range: Range<usize>, place: Place) -> Result<(), Fault> {
        let quoted = self.batch.text[range.start] == b'"';
        let (text, flags) = if quoted {
            self.unescape(range.clone())?
        } else {
            (String::from_utf8_lossy(&self.batch.text[range.clone()]).into_owned(), 0)
        };
        if self.unwraps(place) {
            let place = Place { flags: place.flags | flags, ..place };
            let inner = if quoted && is_nested(text.as_bytes()) {
                Some(text.into_bytes())
            } else {
                unfold::base64(text.as_bytes(), UNFOLDED_BYTES - self.unfolded).ok().filter(|bytes| is_nested(bytes))
            };
            if let Some(inner) = inner {
                if !self.is_too_deep(&range, place) {
                    self.unfolded(range, &inner, place.deeper());
                }
                return Ok(());
            }
        }
        let whole = &self.batch.text[range.clone()];
        if serde_json::from_slice::<serde::de::IgnoredAny>(whole).is_err() {
            return Err(diagnose(whole));
        }
        self.reject(range, Fault::new("not_an_object", "a record is a JSON object"));
        Ok(())
    }
}

fn is_nested(bytes: &[u8]) -> bool {
    matches!(bytes.get(scan::skip_space(bytes, 0)), Some(b'{' | b'['))
}

fn name(text: &[u8], place: Option<Range<usize>>) -> Option<String> {
    let quoted = &text[place.filter(|place| place.len() <= NAME_BYTES)?];
    serde_json::from_slice(quoted).ok()
}
