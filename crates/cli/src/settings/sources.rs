//! Whose activity is counted: sources that streams declare, and what `activity` then has.

use std::collections::BTreeSet;

use watchfire_record::activity::{NAME, PARTITION, Sources};
use watchfire_record::{ColumnType, Stream, limits};

use super::streams::is_column;
use super::typed::list;
use super::{Merged, SettingsError};

/// Gives a stream the sources that are declared for it.
pub(super) fn declare(merged: &Merged, stream: &mut Stream) -> Result<(), SettingsError> {
    let name = stream.name.clone();
    let partitions = format!("streams.{name}.partition_activity");
    stream.partition_sources = merged.get(&partitions).and_then(toml::Value::as_bool).unwrap_or(false);
    for column in merged.table(&["streams", &name, "activity"]).keys() {
        let setting = format!("streams.{name}.activity.{column}");
        is_column(stream, column, &setting)?;
        let place = merged.place(&["streams", &name, "activity", column]);
        if stream.column_type(column) != Some(ColumnType::Text) {
            return Err(SettingsError(format!("{setting}: sources are values of a column of text{place}")));
        }
        let values: BTreeSet<String> = list(merged, &setting).into_iter().collect();
        let sources = Sources { column: column.clone(), values: values.into_iter().collect() };
        let is_known = |known: &Sources| known.kind() == sources.kind();
        if sources.kind() == PARTITION || stream.sources.iter().any(is_known) {
            return Err(SettingsError(format!(
                "{setting}: rows of the kind `{}` are those of another column or of partitions; declare one of them{place}",
                sources.kind()
            )));
        }
        stream.sources.push(sources);
    }
    let declared: usize = stream.sources.iter().map(|sources| sources.values.len()).sum();
    if declared > limits::ACTIVITY_SOURCES {
        return Err(SettingsError(format!(
            "streams.{name}.activity: {declared} sources are declared, at most {} can be: declare those whose silence matters",
            limits::ACTIVITY_SOURCES
        )));
    }
    Ok(())
}

/// Nothing is set of `activity` itself but what is known of its values besides.
pub(super) fn refuse_own(merged: &Merged) -> Result<(), SettingsError> {
    let own = merged.table(&["streams", NAME]);
    match own.keys().find(|key| *key != "known") {
        None => Ok(()),
        Some(key) => Err(SettingsError(format!(
            "streams.{NAME}.{key}: the stream `{NAME}` is made of the others and not set; \
             say whose activity it has by streams.NAME.activity.COLUMN = [\"…\"]{}",
            merged.place(&["streams", NAME])
        ))),
    }
}

/// Has `activity` know the values that its rows will have, so that a detector of another can be told of.
pub(super) fn make_known(streams: &mut [Stream]) {
    let all = |stream: &Stream| {
        let values = |sources: &Sources| {
            sources.values.clone().into_iter().map({
                let kind = sources.kind().to_owned();
                move |value| (kind.clone(), value)
            })
        };
        stream.sources.iter().flat_map(values).collect::<Vec<_>>()
    };
    let declaring = || streams.iter().filter(|stream| stream.has_sources());
    let names: BTreeSet<String> = declaring().map(|stream| stream.name.clone()).collect();
    let (mut kinds, mut sources): (BTreeSet<String>, BTreeSet<String>) = declaring().flat_map(all).unzip();
    if declaring().any(|stream| stream.partition_sources) {
        kinds.insert(PARTITION.to_owned());
        // Which partitions there are is not known beforehand.
        sources.clear();
    }
    let Some(activity) = streams.iter_mut().find(|stream| stream.name == NAME) else { return };
    for (column, values) in [("stream", names), ("kind", kinds), ("source", sources)] {
        if !values.is_empty() {
            activity.known.entry(column.to_owned()).or_default().extend(values);
        }
    }
}
