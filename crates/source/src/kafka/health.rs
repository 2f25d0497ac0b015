//! What a person is told of the brokers: once for each change, with what to do.

use std::collections::HashSet;

use rdkafka::types::RDKafkaErrorCode as Code;

use super::context::Statistics;
use super::settings::KafkaSettings;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing is known yet.
    Unknown,
    /// A broker answers.
    Up,
    /// None does.
    Away,
    /// One answers, and refuses us.
    Refused,
}

/// The brokers as they were last heard of.
#[derive(Debug)]
pub(super) struct Health {
    state: State,
    brokers: String,
    user: String,
    /// Why the last connection failed.
    reason: String,
    /// Problems that were told of since all was well.
    said: HashSet<(i32, String)>,
}

impl Health {
    pub(super) fn new(settings: &KafkaSettings) -> Self {
        Self {
            state: State::Unknown,
            brokers: settings.brokers.clone(),
            user: settings.security.username.clone().unwrap_or_default(),
            reason: String::new(),
            said: HashSet::new(),
        }
    }

    /// Whether no broker answers any more.
    pub(super) fn is_away(&self) -> bool {
        matches!(self.state, State::Away | State::Refused)
    }

    /// Whether a broker answers.
    pub(super) fn is_up(&self) -> bool {
        self.state == State::Up
    }

    /// Why a connection failed.
    pub(super) fn failed(&mut self, reason: String) {
        self.reason = reason;
    }

    /// A problem that the client tells of; what a person should know.
    pub(super) fn problem(&mut self, code: Code, reason: &str) -> Option<String> {
        match code {
            Code::BrokerTransportFailure | Code::Resolve | Code::OperationTimedOut => {
                self.reason = reason.to_string();
                tracing::debug!(reason, "Kafka connection");
                None
            }
            Code::AllBrokersDown => self.change(State::Away),
            Code::Authentication | Code::SaslAuthenticationFailed | Code::SSL => {
                self.reason = reason.to_string();
                self.change(State::Refused)
            }
            // The topics that are missing are looked for and told of apart.
            Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => None,
            code => self.said.insert((code as i32, reason.to_string())).then(|| explain(code, reason)),
        }
    }

    /// Something came from a broker.
    pub(super) fn answered(&mut self) -> Option<String> {
        if self.state == State::Up { None } else { self.change(State::Up) }
    }

    /// Looks for a broker that is connected.
    pub(super) fn learn(&mut self, statistics: &Statistics) -> Option<String> {
        let up = statistics.brokers.values().any(|b| b.state == "UP" && b.source != "logical");
        if up { self.answered() } else { None }
    }

    fn change(&mut self, state: State) -> Option<String> {
        let before = std::mem::replace(&mut self.state, state);
        let reason = if self.reason.is_empty() { "no connection" } else { &self.reason };
        match (before, state) {
            // All brokers are down when each refuses us: that was said already.
            (State::Refused, State::Away) => {
                self.state = State::Refused;
                None
            }
            (State::Away | State::Refused, State::Up) => {
                self.said.clear();
                self.reason.clear();
                Some(format!("Kafka at {} answers again: reading goes on", self.brokers))
            }
            (before, after) if before == after => None,
            (_, State::Away) => Some(format!(
                "no Kafka broker answers at {}: {reason}. Start it, or set kafka.brokers; it is tried again until it does",
                self.brokers
            )),
            (_, State::Refused) => Some(format!(
                "Kafka at {} refuses the connection{}: {reason}. Check kafka.security (protocol, mechanism, username, \
                 password, certificates); it is tried again until it lets us in",
                self.brokers,
                if self.user.is_empty() { String::new() } else { format!(" of user `{}`", self.user) },
            )),
            _ => None,
        }
    }
}

fn explain(code: Code, reason: &str) -> String {
    match code {
        Code::TopicAuthorizationFailed => {
            format!(
                "Kafka does not let us read: {reason}. Grant the user Read and Describe on the topic; it is tried again"
            )
        }
        Code::GroupAuthorizationFailed => {
            format!(
                "Kafka does not let us join the group: {reason}. Grant the user Read on the group; it is tried again"
            )
        }
        Code::PollExceeded => format!(
            "partitions were taken from us, since nothing was taken in for too long ({reason}): a sink that is down, or \
             more detectors than this machine can run. They are asked for again"
        ),
        _ => format!("Kafka: {reason} ({code}). It is tried again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_said_once() {
        let mut health = Health::new(&KafkaSettings { brokers: "b:1".into(), ..KafkaSettings::default() });
        assert_eq!(health.problem(Code::BrokerTransportFailure, "Connect to b:1 failed: Connection refused"), None);
        let away = health.problem(Code::AllBrokersDown, "1/1 brokers are down").unwrap();
        assert!(away.contains("b:1") && away.contains("Connection refused"), "{away}");
        assert_eq!(health.problem(Code::AllBrokersDown, "again"), None);
        assert!(!health.is_up());
        assert!(health.answered().is_some());
        assert_eq!(health.answered(), None);
        let refused = health.problem(Code::Authentication, "SASL authentication error").unwrap();
        assert!(refused.contains("kafka.security"), "{refused}");
        assert_eq!(health.problem(Code::AllBrokersDown, "again"), None);
        assert_eq!(health.problem(Code::Authentication, "again"), None);
        assert!(health.answered().is_some());
        assert!(health.problem(Code::TopicAuthorizationFailed, "t").is_some());
        assert_eq!(health.problem(Code::TopicAuthorizationFailed, "t"), None);
    }
}
