//! Streams: the built-in ones as adjusted, and those that are declared.

use watchfire_record::json::PathStep;
use watchfire_record::stream::SYSTEM_COLUMNS;
use watchfire_record::{ColumnDefinition, ColumnType, Envelope, Format, Stream, duration};

use super::typed::list;
use super::{Merged, SettingsError, sources};

pub(super) fn build(merged: &Merged) -> Result<Vec<Stream>, SettingsError> {
    sources::refuse_own(merged)?;
    let mut streams = Stream::built_ins();
    for name in merged.names("streams") {
        check_name(&name, &format!("streams.{name}"))?;
        if !streams.iter().any(|stream| stream.name == name) {
            streams.push(declared(merged, &name)?);
        }
    }
    for stream in &mut streams {
        adjust(merged, stream)?;
        sources::declare(merged, stream)?;
    }
    sources::make_known(&mut streams);
    for (index, stream) in streams.iter().enumerate() {
        if let Some(other) = streams[..index].iter().find(|other| other.topic == stream.topic) {
            return Err(SettingsError(format!(
                "streams.{}.topic: the topic `{}` is that of the stream `{}` too; each stream needs its own",
                stream.name, stream.topic, other.name
            )));
        }
    }
    Ok(streams)
}

pub(super) fn check_name(name: &str, setting: &str) -> Result<(), SettingsError> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase());
    if starts && name.len() <= 64 && name.bytes().all(fits) {
        return Ok(());
    }
    Err(SettingsError(format!(
        "{setting}: `{name}` is no name in SQL: small letters, digits and underscores, a letter first, at most 64"
    )))
}

fn declared(merged: &Merged, name: &str) -> Result<Stream, SettingsError> {
    let format = text(merged, name, "format").unwrap_or("json");
    let built_in = |stream: Stream| Stream { name: name.to_owned(), topic: name.to_owned(), ..stream };
    let columns = columns(merged, name)?;
    match format {
        "cloudtrail" => return Ok(built_in(Stream::cloudtrail())),
        "lambda" => return Ok(built_in(Stream::lambda())),
        "api" => return Ok(built_in(Stream::api())),
        _ => {}
    }
    if !columns.iter().any(|column| column.name == "event_time") {
        return Err(SettingsError(format!(
            "streams.{name}: a stream needs a column event_time: \
             columns.event_time = {{ path = \"time\", type = \"time\" }}{}",
            merged.place(&["streams", name])
        )));
    }
    Ok(Stream::declared(name, with_common(columns)))
}

/// Every stream has an id and the record's text.
fn with_common(mut columns: Vec<ColumnDefinition>) -> Vec<ColumnDefinition> {
    for name in ["event_id", "raw"] {
        if !columns.iter().any(|column| column.name == name) {
            columns.push(ColumnDefinition { name: name.into(), column_type: ColumnType::Text, path: Vec::new() });
        }
    }
    columns
}

fn columns(merged: &Merged, stream: &str) -> Result<Vec<ColumnDefinition>, SettingsError> {
    let table = merged.table(&["streams", stream, "columns"]);
    table.iter().map(|(name, definition)| column(merged, stream, name, definition)).collect()
}

fn column(
    merged: &Merged,
    stream: &str,
    name: &str,
    definition: &toml::Value,
) -> Result<ColumnDefinition, SettingsError> {
    let setting = format!("streams.{stream}.columns.{name}");
    check_name(name, &setting)?;
    let wrong = |problem: &str| {
        SettingsError(format!("{setting}: {problem}{}", merged.place(&["streams", stream, "columns", name])))
    };
    if SYSTEM_COLUMNS.iter().any(|(system, _)| *system == name) || name == "raw" {
        return Err(wrong("every stream has a column of this name"));
    }
    let path = path_of(definition);
    if path.is_empty() {
        return Err(wrong("it lacks its path: path = \"detail.user\""));
    }
    let column_type = column_type_of(definition, if name == "event_time" { "time" } else { "text" });
    let fixed = match name {
        "event_time" => Some((ColumnType::Time, "time")),
        "event_id" => Some((ColumnType::Text, "text")),
        _ => None,
    };
    if let Some((expected, said)) = fixed.filter(|(expected, _)| *expected != column_type) {
        debug_assert_ne!(expected, column_type);
        return Err(wrong(&format!("its type is always {said}")));
    }
    Ok(ColumnDefinition { name: name.to_owned(), column_type, path })
}

/// The path that a column is read from; empty if none is given.
pub(super) fn path_of(definition: &toml::Value) -> Vec<PathStep> {
    let steps = definition.get("path").and_then(toml::Value::as_array);
    let step = |step: &toml::Value| match step {
        toml::Value::Integer(index) => PathStep::Index(*index),
        other => PathStep::Key(other.as_str().unwrap_or_default().to_owned()),
    };
    steps.into_iter().flatten().map(step).collect()
}

/// The type that a column is declared to have.
pub(super) fn column_type_of(definition: &toml::Value, default: &str) -> ColumnType {
    match definition.get("type").and_then(toml::Value::as_str).unwrap_or(default) {
        "json" => ColumnType::Json,
        "integer" => ColumnType::Integer,
        "float" => ColumnType::Float,
        "boolean" => ColumnType::Boolean,
        "time" => ColumnType::Time,
        _ => ColumnType::Text,
    }
}

fn adjust(merged: &Merged, stream: &mut Stream) -> Result<(), SettingsError> {
    let name = stream.name.clone();
    if let Some(topic) = text(merged, &name, "topic") {
        topic.clone_into(&mut stream.topic);
    }
    if let Some(format) = text(merged, &name, "format").and_then(format_of)
        && format != stream.format
    {
        let place = merged.place(&["streams", &name]);
        return Err(SettingsError(format!("streams.{name}.format: a built-in stream keeps its format{place}")));
    }
    match text(merged, &name, "envelope") {
        Some("auto") => stream.envelope = Envelope::Auto,
        Some(_) => stream.envelope = Envelope::None,
        None => {}
    }
    for (key, value) in [("lateness", &mut stream.lateness), ("idle", &mut stream.idle), ("skew", &mut stream.skew)] {
        if let Some(micros) = text(merged, &name, key).and_then(|text| duration::parse(text).ok()) {
            *value = micros;
        }
    }
    if stream.format != Format::Json {
        for column in columns(merged, &name)? {
            match stream.columns.iter_mut().find(|known| known.name == column.name) {
                Some(known) => *known = column,
                None => stream.columns.push(column),
            }
        }
    }
    if merged.get(&format!("streams.{name}.identity")).is_some() {
        stream.identity = identity(merged, stream)?;
    }
    for column in merged.table(&["streams", &name, "known"]).keys() {
        let setting = format!("streams.{name}.known.{column}");
        is_column(stream, column, &setting)?;
        stream.known.insert(column.clone(), list(merged, &setting));
    }
    Ok(())
}

fn identity(merged: &Merged, stream: &Stream) -> Result<Vec<String>, SettingsError> {
    let setting = format!("streams.{}.identity", stream.name);
    let names = list(merged, &setting);
    names.iter().try_for_each(|name| is_column(stream, name, &setting))?;
    Ok(names)
}

pub(super) fn is_column(stream: &Stream, name: &str, setting: &str) -> Result<(), SettingsError> {
    if stream.column_type(name).is_some() {
        return Ok(());
    }
    let hint = super::nearest(name, stream.all_columns().map(|(name, _)| name));
    let hint = hint.map_or(String::new(), |name| format!("; did you mean `{name}`?"));
    Err(SettingsError(format!("{setting}: the stream has no column `{name}`{hint}")))
}

fn format_of(text: &str) -> Option<Format> {
    Some(match text {
        "cloudtrail" => Format::CloudTrail,
        "lambda" => Format::Lambda,
        "api" => Format::Api,
        "json" => Format::Json,
        _ => return None,
    })
}

fn text<'a>(merged: &'a Merged, stream: &str, key: &str) -> Option<&'a str> {
    merged.get(&format!("streams.{stream}.{key}")).and_then(toml::Value::as_str)
}
