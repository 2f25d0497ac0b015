//! What findings have in common: detector and key.

use std::fmt;

use watchfire_record::{Finding, Value};

/// One detector and one key, hashed: findings that share it tell of the same thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Group([u8; 16]);

impl Group {
    /// The group of a finding.
    #[must_use]
    pub fn of(finding: &Finding) -> Self {
        let mut hasher = blake3::Hasher::new();
        text(&mut hasher, &finding.detector.name);
        for (name, value) in &finding.keys {
            text(&mut hasher, name);
            add(&mut hasher, value);
        }
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(bytes)
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The key of a finding's Kafka message, `detector/hash`: all of a group go to one partition, in order.
#[must_use]
pub fn message_key(finding: &Finding) -> String {
    format!("{}/{}", finding.detector.name, Group::of(finding))
}

// By type and length: no two different lists of values feed the hasher the same bytes.
fn add(hasher: &mut blake3::Hasher, value: &Value) {
    match value {
        Value::Null => drop(hasher.update(b"n")),
        Value::Boolean(value) => drop(hasher.update(b"b").update(&[u8::from(*value)])),
        Value::Integer(value) => drop(hasher.update(b"i").update(&value.to_le_bytes())),
        Value::Unsigned(value) => drop(hasher.update(b"u").update(&value.to_le_bytes())),
        Value::Float(value) => drop(hasher.update(b"f").update(&value.to_bits().to_le_bytes())),
        Value::Time(value) => drop(hasher.update(b"t").update(&value.to_le_bytes())),
        Value::Text(value) => text(hasher, value),
    }
}

fn text(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(b"s").update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::samples::finding;

    #[test]
    fn only_detector_and_keys_make_a_group() {
        let mut one = finding();
        let group = Group::of(&one);
        one.revision = 7;
        one.row.clear();
        assert_eq!(Group::of(&one), group);
        for keys in [vec![], vec![("principal", "x")], vec![("principal", ""), ("x", "")], vec![("principa", "lx")]] {
            let mut other = finding();
            other.keys = keys.into_iter().map(|(n, v)| (Arc::from(n), Value::Text(v.into()))).collect();
            assert_ne!(Group::of(&other), group);
        }
        assert_eq!(message_key(&one).len(), "console-sign-in-guessed/".len() + 32);
    }
}
