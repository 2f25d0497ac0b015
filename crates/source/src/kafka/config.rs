//! Settings to the client's own properties: what is fixed because it is promised, what is chosen, what is refused.

use std::path::Path;

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};

use super::settings::{KafkaSettings, Mechanism, PASSWORD_VARIABLE, Security};
use crate::error::SourceError;

/// What is chosen for throughput, short waits and bounded memory; `raw` may change it.
const CHOSEN: &[(&str, &str)] = &[
    ("client.id", "watchfire"),
    // The newer protocol hands partitions over without stopping the others; it needs Kafka 4.
    ("group.protocol", "consumer"),
    ("queued.max.messages.kbytes", "16384"),
    ("fetch.queue.backoff.ms", "5"),
    ("fetch.message.max.bytes", "1048576"),
    ("reconnect.backoff.max.ms", "500"),
    ("topic.metadata.refresh.interval.ms", "5000"),
    ("socket.keepalive.enable", "true"),
    // Brokers close idle connections: nothing to tell.
    ("log.connection.close", "false"),
];

/// What holds whatever is set, and why.
const FIXED: &[(&str, &str, &str)] = &[
    ("enable.auto.commit", "false", "offsets are committed once what was found in the records is delivered"),
    ("enable.auto.offset.store", "false", "offsets are committed once what was found in the records is delivered"),
    ("enable.partition.eof", "true", "windows close when a partition is caught up and silent"),
    ("auto.offset.reset", "earliest", "no record may be passed over; say where to start by kafka.from"),
    ("isolation.level", "read_committed", "records of aborted transactions never happened"),
    ("allow.auto.create.topics", "false", "a mistyped topic must not come to be"),
    ("statistics.interval.ms", "1000", "the lag and the brokers' state are read from them"),
];

/// Properties that have a setting of their own.
const ELSEWHERE: &[(&str, &str)] = &[
    ("bootstrap.servers", "kafka.brokers"),
    ("metadata.broker.list", "kafka.brokers"),
    ("group.id", "kafka.group"),
    ("security.protocol", "kafka.security.protocol"),
    ("sasl.mechanism", "kafka.security.mechanism"),
    ("sasl.mechanisms", "kafka.security.mechanism"),
    ("sasl.username", "kafka.security.username"),
    ("ssl.ca.location", "kafka.security.ca_file"),
    ("ssl.certificate.location", "kafka.security.certificate_file"),
    ("ssl.key.location", "kafka.security.key_file"),
];

/// Properties that hold a secret, which has no place in settings.
const SECRET: &[&str] = &[
    "sasl.password",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.password",
    "ssl.ca.pem",
    "ssl.certificate.pem",
];

/// The client's properties.
pub(super) fn client_config(settings: &KafkaSettings) -> Result<ClientConfig, SourceError> {
    let mut config = ClientConfig::new();
    config.set_log_level(RDKafkaLogLevel::Warning);
    for (name, value) in CHOSEN {
        config.set(*name, *value);
    }
    for (name, value, _) in FIXED {
        config.set(*name, *value);
    }
    config.set("bootstrap.servers", &settings.brokers).set("group.id", &settings.group);
    secure(&mut config, &settings.security)?;
    for (name, value) in &settings.raw {
        check_raw(name, value)?;
        config.set(name, value);
    }
    match config.get("group.protocol") {
        Some("classic") => {
            config.set("partition.assignment.strategy", "cooperative-sticky");
        }
        _ if config.get("group.instance.id").is_some() => {
            return Err(refused(
                "group.instance.id",
                "needs `group.protocol` = \"classic\": with the newer protocol a restarted process is locked out until its session ends",
            ));
        }
        _ => {}
    }
    check_features(&config, &settings.security)?;
    Ok(config)
}

fn refused(name: &str, why: &str) -> SourceError {
    SourceError::setting(format!("kafka.raw.\"{name}\""), why)
}

fn check_raw(name: &str, value: &str) -> Result<(), SourceError> {
    if let Some((_, fixed, why)) = FIXED.iter().find(|(n, _, _)| *n == name) {
        return if *fixed == value {
            Ok(())
        } else {
            Err(refused(name, &format!("stays `{fixed}`: {why}; remove it")))
        };
    }
    if let Some((_, setting)) = ELSEWHERE.iter().find(|(n, _)| *n == name) {
        return Err(refused(name, &format!("has a setting of its own: use {setting}")));
    }
    if SECRET.contains(&name) {
        return Err(refused(
            name,
            &format!(
                "holds a secret, which has no place in settings: use kafka.security.password_file, key_file, or the environment variable {PASSWORD_VARIABLE}"
            ),
        ));
    }
    if name == "partition.assignment.strategy" && value != "cooperative-sticky" {
        return Err(refused(name, "is always cooperative-sticky: others stop all members at each change"));
    }
    Ok(())
}

fn secure(config: &mut ClientConfig, security: &Security) -> Result<(), SourceError> {
    config.set("security.protocol", security.protocol.name());
    let files = [
        ("ssl.ca.location", "ca_file", &security.ca_file),
        ("ssl.certificate.location", "certificate_file", &security.certificate_file),
        ("ssl.key.location", "key_file", &security.key_file),
    ];
    for (name, setting, file) in files {
        let Some(file) = file else { continue };
        let setting = format!("kafka.security.{setting}");
        if !security.protocol.encrypts() {
            return Err(SourceError::setting(setting, "needs protocol = \"ssl\" or \"sasl_ssl\""));
        }
        std::fs::metadata(file).map_err(|e| SourceError::setting(setting, format!("`{}`: {e}", file.display())))?;
        config.set(name, file.to_string_lossy());
    }
    if !security.protocol.signs_in() {
        return match security.username {
            Some(_) => Err(SourceError::setting(
                "kafka.security.username",
                "is not used without sign-in: set protocol = \"sasl_ssl\" (or \"sasl_plaintext\")",
            )),
            None => Ok(()),
        };
    }
    let username = security.username.as_deref().ok_or_else(|| {
        SourceError::setting("kafka.security.username", "is missing: the protocol says that one signs in")
    })?;
    config.set("sasl.mechanism", security.mechanism.name());
    config.set("sasl.username", username).set("sasl.password", password(security.password_file.as_deref())?);
    Ok(())
}

fn password(file: Option<&Path>) -> Result<String, SourceError> {
    if let Some(file) = file {
        let text = std::fs::read_to_string(file).map_err(|e| {
            SourceError::setting("kafka.security.password_file", format!("`{}` cannot be read: {e}", file.display()))
        })?;
        return Ok(text.trim_end_matches(['\r', '\n']).to_string());
    }
    std::env::var(PASSWORD_VARIABLE).map_err(|_| {
        SourceError::setting(
            "kafka.security.password_file",
            format!("is missing, and so is the environment variable {PASSWORD_VARIABLE}: sign-in needs one of them"),
        )
    })
}

/// A client that was built without a codec fails at the first batch, and without a word: better now.
fn check_features(config: &ClientConfig, security: &Security) -> Result<(), SourceError> {
    let scram = security.protocol.signs_in() && security.mechanism != Mechanism::Plain;
    if (security.protocol.encrypts() || scram) && !cfg!(feature = "tls") {
        let what = if scram { "kafka.security.mechanism" } else { "kafka.security.protocol" };
        return Err(SourceError::setting(
            what,
            "this program was built without TLS and SCRAM: build it with --features tls",
        ));
    }
    let native = config.create_native_config().map_err(|e| wrong_property(&e))?;
    let features =
        native.get("builtin.features").map_err(|e| SourceError::kafka("ask for the client's features", e))?;
    let mut needed = vec!["gzip", "snappy", "lz4", "zstd"];
    if scram {
        needed.push("sasl_scram");
    }
    if security.protocol.encrypts() {
        needed.push("ssl");
    }
    match needed.iter().find(|name| !features.split(',').any(|feature| feature.trim() == **name)) {
        Some(missing) => Err(SourceError::kafka(
            "start the client",
            format!("it was built without {missing}: install zlib's headers and build again"),
        )),
        None => Ok(()),
    }
}

/// The client's word on a property, without its value.
pub(super) fn wrong_property(error: &rdkafka::error::KafkaError) -> SourceError {
    match error {
        rdkafka::error::KafkaError::ClientConfig(_, said, name, _) if !SECRET.contains(&name.as_str()) => {
            refused(name, &format!("{said}: see librdkafka's list of properties"))
        }
        rdkafka::error::KafkaError::ClientConfig(_, _, name, _) => refused(name, "has a value that cannot be used"),
        other => SourceError::kafka("start the client", other),
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::Protocol;
    use super::*;

    fn with_raw(name: &str, value: &str) -> Result<ClientConfig, SourceError> {
        client_config(&KafkaSettings {
            raw: [(name.to_string(), value.to_string())].into(),
            ..KafkaSettings::default()
        })
    }

    #[test]
    fn what_would_break_the_promise_is_refused_with_why() {
        let refused = [
            ("enable.auto.commit", "true", "delivered"),
            ("auto.offset.reset", "latest", "kafka.from"),
            ("group.id", "x", "kafka.group"),
            ("sasl.password", "hunter2", "password_file"),
            ("group.instance.id", "a", "classic"),
            ("partition.assignment.strategy", "range", "cooperative"),
            ("no.such.property", "1", "no.such.property"),
            ("fetch.wait.max.ms", "soon", "fetch.wait.max.ms"),
        ];
        for (name, value, said) in refused {
            let error = with_raw(name, value).unwrap_err().to_string();
            assert!(error.contains(said) && !error.contains("hunter2"), "{name}: {error}");
        }
        assert!(with_raw("enable.auto.commit", "false").is_ok());
        let classic = with_raw("group.protocol", "classic").unwrap();
        assert_eq!(classic.get("partition.assignment.strategy"), Some("cooperative-sticky"));
        assert_eq!(with_raw("fetch.wait.max.ms", "5").unwrap().get("fetch.wait.max.ms"), Some("5"));
    }

    #[test]
    fn passwords_come_from_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hunter2\n").unwrap();
        let security = Security {
            protocol: Protocol::SaslPlaintext,
            username: Some("u".into()),
            password_file: Some(file.path().to_path_buf()),
            ..Security::default()
        };
        let settings = KafkaSettings { security, ..KafkaSettings::default() };
        assert_eq!(client_config(&settings).unwrap().get("sasl.password"), Some("hunter2"));
        let mut without = settings.clone();
        without.security.username = None;
        assert!(client_config(&without).unwrap_err().to_string().contains("username"));
        let mut gone = settings;
        gone.security.password_file = Some(file.path().with_extension("gone"));
        assert!(client_config(&gone).unwrap_err().to_string().contains("cannot be read"));
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn encryption_needs_its_feature() {
        let security = Security { protocol: Protocol::Ssl, ..Security::default() };
        let error = client_config(&KafkaSettings { security, ..KafkaSettings::default() }).unwrap_err().to_string();
        assert!(error.contains("--features tls"), "{error}");
    }
}
