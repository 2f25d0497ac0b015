//! Single values out of Arrow arrays, and the identity that is made of them.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{
    DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
    TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use watchfire_record::{FindingId, Value};

/// The value at `row`. Types that findings have no value for are given as Arrow prints them.
#[must_use]
pub fn value_at(array: &dyn Array, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Boolean => Value::Boolean(array.as_boolean().value(row)),
        DataType::Utf8 => Value::Text(array.as_string::<i32>().value(row).to_owned()),
        DataType::LargeUtf8 => Value::Text(array.as_string::<i64>().value(row).to_owned()),
        DataType::Utf8View => Value::Text(array.as_string_view().value(row).to_owned()),
        DataType::Int8 => Value::Integer(array.as_primitive::<Int8Type>().value(row).into()),
        DataType::Int16 => Value::Integer(array.as_primitive::<Int16Type>().value(row).into()),
        DataType::Int32 => Value::Integer(array.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => Value::Integer(array.as_primitive::<Int64Type>().value(row)),
        DataType::UInt8 => Value::Integer(array.as_primitive::<UInt8Type>().value(row).into()),
        DataType::UInt16 => Value::Integer(array.as_primitive::<UInt16Type>().value(row).into()),
        DataType::UInt32 => Value::Integer(array.as_primitive::<UInt32Type>().value(row).into()),
        DataType::UInt64 => unsigned(array.as_primitive::<UInt64Type>().value(row)),
        DataType::Float32 => Value::Float(array.as_primitive::<Float32Type>().value(row).into()),
        DataType::Float64 => Value::Float(array.as_primitive::<Float64Type>().value(row)),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            Value::Time(array.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            Value::Time(array.as_primitive::<TimestampNanosecondType>().value(row).div_euclid(1000))
        }
        _ => printed(array, row),
    }
}

fn unsigned(value: u64) -> Value {
    i64::try_from(value).map_or(Value::Unsigned(value), Value::Integer)
}

fn printed(array: &dyn Array, row: usize) -> Value {
    let formatter = ArrayFormatter::try_new(array, &FormatOptions::default());
    formatter.ok().and_then(|f| f.value(row).try_to_string().ok()).map_or(Value::Null, Value::Text)
}

/// What a finding's row stands for.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// A window, by its start.
    Window(i64),
    /// A window of one key among those of a range over windows, by its start and key.
    KeyedWindow(i64, &'a [Value]),
    /// A record, by its identity.
    Record(&'a [Value]),
    /// Several records, by the identity of each.
    Records(&'a [&'a [Value]]),
    /// The first record of a key after a pause, by its time.
    FirstSeen(i64),
}

/// A finding's identity: the first 16 bytes of BLAKE3 over what `sql.md` names, each part with its type and length.
#[must_use]
pub fn finding_id(detector: &str, operator: &str, size: i64, keys: &[Value], subject: Subject<'_>) -> FindingId {
    let mut hasher = blake3::Hasher::new();
    part(&mut hasher, b'd', detector.as_bytes());
    part(&mut hasher, b'o', operator.as_bytes());
    part(&mut hasher, b's', &size.to_le_bytes());
    keys.iter().for_each(|key| value_part(&mut hasher, key));
    match subject {
        Subject::Window(start) => part(&mut hasher, b'w', &start.to_le_bytes()),
        Subject::KeyedWindow(start, keys) => {
            part(&mut hasher, b'w', &start.to_le_bytes());
            record_part(&mut hasher, keys);
        }
        Subject::FirstSeen(time) => part(&mut hasher, b'f', &time.to_le_bytes()),
        Subject::Record(identity) => record_part(&mut hasher, identity),
        Subject::Records(identities) => identities.iter().for_each(|identity| record_part(&mut hasher, identity)),
    }
    let mut id = [0; 16];
    id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    FindingId(id)
}

/// What a finding's identity calls the operator of a detector that judges each record by itself: `joined` are the keys by
/// which rows of tables are joined.
#[must_use]
pub fn match_operator<T>(joined: &[T]) -> &'static str {
    if joined.is_empty() { "match" } else { "look-up" }
}

fn record_part(hasher: &mut blake3::Hasher, identity: &[Value]) {
    part(hasher, b'r', &[]);
    identity.iter().for_each(|value| value_part(hasher, value));
}

fn value_part(hasher: &mut blake3::Hasher, value: &Value) {
    match value {
        Value::Null => part(hasher, b'0', &[]),
        Value::Boolean(value) => part(hasher, b'b', &[u8::from(*value)]),
        Value::Integer(value) => part(hasher, b'i', &value.to_le_bytes()),
        Value::Unsigned(value) => part(hasher, b'u', &value.to_le_bytes()),
        Value::Float(value) => part(hasher, b'g', &value.to_bits().to_le_bytes()),
        Value::Text(value) => part(hasher, b't', value.as_bytes()),
        Value::Time(value) => part(hasher, b'T', &value.to_le_bytes()),
    }
}

fn part(hasher: &mut blake3::Hasher, kind: u8, bytes: &[u8]) {
    hasher.update(&[kind]);
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_tell_apart_what_plain_concatenation_would_not() {
        let id = |keys: &[&str]| {
            let keys: Vec<Value> = keys.iter().map(|k| Value::Text((*k).into())).collect();
            finding_id("d", "window", 60, &keys, Subject::Window(0))
        };
        assert_ne!(id(&["ab", "c"]), id(&["a", "bc"]));
        assert_ne!(id(&[""]), finding_id("d", "window", 60, &[Value::Null], Subject::Window(0)));
        assert_eq!(id(&["a"]), id(&["a"]));
    }
}
