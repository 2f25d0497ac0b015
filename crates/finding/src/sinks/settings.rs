//! What a sink's table in the configuration says.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::line_file::FileMode;

/// How findings are written for machines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LineFormat {
    /// Watchfire's own JSON, one finding a line.
    #[default]
    Json,
    /// OCSF 2004 events, one a line.
    Ocsf,
}

/// How findings are written to a terminal or a pipe.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TerminalFormat {
    /// For people.
    #[default]
    Human,
    /// Watchfire's own JSON, one finding a line.
    Json,
    /// OCSF 2004 events, one a line.
    Ocsf,
}

/// One sink for findings: `type = "file"`, `"kafka"` or `"terminal"`, and what that type needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum SinkSettings {
    /// Lines in a file.
    File {
        /// The file.
        path: PathBuf,
        /// How findings are written.
        #[serde(default)]
        format: LineFormat,
        /// What becomes of a file that is there.
        #[serde(default)]
        mode: FileMode,
        /// Whether the intake stops when it is full.
        #[serde(default)]
        required: bool,
    },
    /// Messages in a Kafka topic.
    Kafka {
        /// The topic; it must exist, unless brokers create topics by themselves.
        topic: String,
        /// `host:port`, parted by commas. The intake's, if not given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        brokers: Option<String>,
        /// How findings are written.
        #[serde(default)]
        format: LineFormat,
        /// Whether the intake stops when it is full.
        #[serde(default)]
        required: bool,
    },
    /// Standard output.
    Terminal {
        /// How findings are written.
        #[serde(default)]
        format: TerminalFormat,
        /// Whether the intake stops when it is full.
        #[serde(default)]
        required: bool,
    },
}

impl SinkSettings {
    /// Whether the intake stops when this sink is full.
    #[must_use]
    pub fn required(&self) -> bool {
        match self {
            Self::File { required, .. } | Self::Kafka { required, .. } | Self::Terminal { required, .. } => *required,
        }
    }
}

/// Where rejected records go: `type = "file"` or `"kafka"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum RejectSettings {
    /// Lines in a file.
    File {
        /// The file.
        path: PathBuf,
        /// What becomes of a file that is there.
        #[serde(default)]
        mode: FileMode,
    },
    /// Messages in a Kafka topic.
    Kafka {
        /// The topic; it must exist, unless brokers create topics by themselves.
        topic: String,
        /// `host:port`, parted by commas. The intake's, if not given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        brokers: Option<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read_and_typing_errors_are_not() {
        let read = toml::from_str::<SinkSettings>;
        let file = SinkSettings::File {
            path: "findings.jsonl".into(),
            format: LineFormat::Json,
            mode: FileMode::Append,
            required: false,
        };
        assert_eq!(read("type = 'file'\npath = 'findings.jsonl'").unwrap(), file);
        let kafka = read("type = 'kafka'\ntopic = 'findings'\nformat = 'ocsf'\nrequired = true").unwrap();
        assert!(
            kafka.required() && matches!(&kafka, SinkSettings::Kafka { format: LineFormat::Ocsf, brokers: None, .. })
        );
        assert_eq!(toml::from_str::<SinkSettings>(&toml::to_string(&kafka).unwrap()).unwrap(), kafka);
        for (wrong, names) in [
            ("type = 'file'\npath = 'f'\nfromat = 'json'", "fromat"),
            ("type = 'file'", "path"),
            ("type = 'terminal'\npath = 'f'", "path"),
            ("type = 'pager'", "pager"),
            ("type = 'file'\npath = 'f'\nformat = 'human'", "human"),
        ] {
            let error = read(wrong).unwrap_err().to_string();
            assert!(error.contains(names), "{wrong}: {error}");
        }
        assert!(toml::from_str::<RejectSettings>("type = 'kafka'\ntopic = 't'\nformat = 'json'").is_err());
    }
}
