//! What a person says about Kafka.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize};
use watchfire_record::{duration, time};

/// How Kafka is reached and read. Passwords are never in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KafkaSettings {
    /// Host and port of one broker or several, separated by commas.
    pub brokers: String,
    /// The consumer group. Processes of one group share the partitions.
    pub group: String,
    /// Where reading starts.
    pub from: StartFrom,
    /// Encryption and sign-in.
    pub security: Security,
    /// librdkafka's own properties by their names, applied last. Those that would break what is promised are refused.
    #[serde(deserialize_with = "properties")]
    pub raw: BTreeMap<String, String>,
}

impl Default for KafkaSettings {
    fn default() -> Self {
        Self {
            brokers: "localhost:9092".into(),
            group: "watchfire".into(),
            from: StartFrom::default(),
            security: Security::default(),
            raw: BTreeMap::new(),
        }
    }
}

/// Encryption and sign-in. The password is in the file named here, or else in the environment variable
/// [`PASSWORD_VARIABLE`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Security {
    /// Whether the connection is encrypted, and whether one signs in.
    pub protocol: Protocol,
    /// How one signs in.
    pub mechanism: Mechanism,
    /// Who signs in.
    pub username: Option<String>,
    /// A file that holds the password; a newline at its end does not count.
    pub password_file: Option<PathBuf>,
    /// A PEM file of the authorities that may vouch for the broker; without it the system's.
    pub ca_file: Option<PathBuf>,
    /// A PEM file of the client's certificate.
    pub certificate_file: Option<PathBuf>,
    /// A PEM file of the client's key.
    pub key_file: Option<PathBuf>,
}

/// The environment variable that holds the password for sign-in.
pub const PASSWORD_VARIABLE: &str = "WATCHFIRE_KAFKA_PASSWORD";

/// Kafka's `security.protocol`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// In the clear, without sign-in.
    #[default]
    Plaintext,
    /// Encrypted.
    Ssl,
    /// Signed in, in the clear.
    SaslPlaintext,
    /// Signed in, encrypted.
    SaslSsl,
}

impl Protocol {
    /// Its name in librdkafka.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Ssl => "ssl",
            Self::SaslPlaintext => "sasl_plaintext",
            Self::SaslSsl => "sasl_ssl",
        }
    }

    /// Whether one signs in.
    #[must_use]
    pub fn signs_in(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }

    /// Whether the connection is encrypted.
    #[must_use]
    pub fn encrypts(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }
}

/// Kafka's `sasl.mechanism`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mechanism {
    /// The password as it is.
    #[default]
    #[serde(rename = "PLAIN")]
    Plain,
    /// Challenge and response with SHA-256.
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// Challenge and response with SHA-512.
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

impl Mechanism {
    /// Its name in librdkafka.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// Where reading starts. Anything but `Committed` holds for the partitions that a process is given first of all; what
/// it is given later goes on where the group stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum StartFrom {
    /// Where the group stands; where it stands nowhere, at the end as it is at the start of the program. Partitions that
    /// appear later are read from their beginning.
    #[default]
    Committed,
    /// The first record there is.
    Earliest,
    /// The end, as it is at the start of the program.
    Latest,
    /// As long ago by the brokers' timestamps, in microseconds.
    Ago(i64),
    /// At this time by the brokers' timestamps, microseconds since the epoch.
    At(i64),
}

impl TryFrom<String> for StartFrom {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "committed" => Ok(Self::Committed),
            "earliest" => Ok(Self::Earliest),
            "latest" => Ok(Self::Latest),
            other => (duration::parse(other).ok().map(Self::Ago)).or_else(|| time::parse(other).map(Self::At)).ok_or_else(|| {
                format!(
                    "`{other}` is no place to start: write committed, earliest, latest, a duration such as 2h, or a time \
                     such as 2026-11-01T00:00:00Z"
                )
            }),
        }
    }
}

impl From<StartFrom> for String {
    fn from(from: StartFrom) -> Self {
        match from {
            StartFrom::Committed => "committed".into(),
            StartFrom::Earliest => "earliest".into(),
            StartFrom::Latest => "latest".into(),
            StartFrom::Ago(micros) => duration::format(micros),
            StartFrom::At(micros) => time::format(micros),
        }
    }
}

/// Property values as text, also where a person wrote a number or a boolean.
fn properties<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Scalar {
        Boolean(bool),
        Integer(i64),
        Text(String),
    }
    let written = BTreeMap::<String, Scalar>::deserialize(deserializer)?;
    let text = |value| match value {
        Scalar::Boolean(value) => value.to_string(),
        Scalar::Integer(value) => value.to_string(),
        Scalar::Text(value) => value,
    };
    Ok(written.into_iter().map(|(name, value)| (name, text(value))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_and_unknown_ones_refused() {
        let text = r#"{"brokers":"b:1","from":"2h","raw":{"fetch.wait.max.ms":5,"check.crcs":true,"client.rack":"a"},
            "security":{"protocol":"sasl_ssl","mechanism":"SCRAM-SHA-512","username":"u"}}"#;
        let settings: KafkaSettings = serde_json::from_str(text).unwrap();
        assert_eq!((settings.group.as_str(), settings.from), ("watchfire", StartFrom::Ago(7_200_000_000)));
        let raw: Vec<&str> = settings.raw.values().map(String::as_str).collect();
        assert_eq!(raw, ["true", "a", "5"]);
        let written = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<KafkaSettings>(&written).unwrap(), settings);
        for wrong in [r#"{"broker":"x"}"#, r#"{"security":{"password":"x"}}"#, r#"{"from":"yesterday"}"#] {
            assert!(serde_json::from_str::<KafkaSettings>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn places_to_start_are_said_back() {
        for text in ["committed", "earliest", "latest", "2h", "2026-11-01T00:00:00Z"] {
            assert_eq!(StartFrom::try_from(text.to_string()).map(String::from), Ok(text.to_string()));
        }
    }
}
