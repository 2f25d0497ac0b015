//! Layers, and what is said of what does not fit.

use std::path::Path;

use watchfire_record::{ColumnType, Format};

use super::*;

fn build(file: &str, variables: &[(&str, &str)], arguments: &[&str]) -> Result<Settings, String> {
    let all = || {
        let mut said = layers::file(Path::new("watchfire.toml"), file)?;
        said.extend(layers::environment(variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())))?);
        for argument in arguments {
            said.push(layers::argument(argument)?);
        }
        Settings::from_merged(merge(said)?)
    };
    all().map_err(|error: SettingsError| error.0)
}

fn layer(settings: &Settings, setting: &str) -> (String, String) {
    let row = show::rows(settings).into_iter().find(|row| row.setting == setting).unwrap();
    (row.value, row.layer)
}

#[test]
fn later_layers_win_and_each_value_knows_its_own() {
    let file = "[kafka]\nbrokers = 'a:1'\ngroup = 'g'\n[streams.cloudtrail]\nlateness = '5m'\ntopic = 'audit'\n";
    let variables =
        [("WATCHFIRE_STREAMS__CLOUDTRAIL__LATENESS", "30s"), ("WATCHFIRE_KAFKA__BROKERS", "b:1"), ("PATH", "x")];
    let settings = build(file, &variables, &["kafka.brokers=c:1,d:1", "engine.workers=3"]).unwrap();
    assert_eq!(settings.kafka.brokers, "c:1,d:1");
    assert_eq!(settings.streams[0].lateness, 30_000_000);
    assert_eq!((settings.streams[0].topic.as_str(), settings.engine.workers), ("audit", 3));
    assert_eq!(layer(&settings, "kafka.brokers"), ("c:1,d:1".into(), "--set".into()));
    assert_eq!(layer(&settings, "kafka.group"), ("g".into(), "watchfire.toml:3".into()));
    assert_eq!(
        layer(&settings, "streams.cloudtrail.lateness"),
        ("30s".into(), "WATCHFIRE_STREAMS__CLOUDTRAIL__LATENESS".into())
    );
    assert_eq!(layer(&settings, "streams.lambda.lateness"), ("1m".into(), "default".into()));
    assert_eq!(layer(&settings, "admin.listen"), ("127.0.0.1:9464".into(), "default".into()));
}

#[test]
fn unknown_keys_name_the_nearest_and_where_they_are() {
    for (file, variables, arguments, says) in [
        ("[kafka]\nbroker = 'a'", vec![], vec![], vec!["`kafka.broker`", "`kafka.brokers`", "watchfire.toml:2"]),
        ("[kafak]\ngroup = 'a'", vec![], vec![], vec!["`kafak`", "`kafka`"]),
        (
            "",
            vec![("WATCHFIRE_STREAMS__API__LATNESS", "1s")],
            vec![],
            vec!["`streams.api.lateness`", "WATCHFIRE_STREAMS__API__LATNESS"],
        ),
        ("", vec![("WATCHFIRE_KAFKA_BROKERS", "a")], vec![], vec!["WATCHFIRE_KAFKA__BROKERS"]),
        ("", vec![], vec!["admin.listne=x"], vec!["`admin.listen`", "--set"]),
        ("", vec![], vec!["admin"], vec!["KEY=VALUE"]),
        ("", vec![], vec!["admin=x"], vec!["is a table", "admin.listen"]),
        ("", vec![], vec!["admin.listen.port=1"], vec!["is a value"]),
        ("", vec![], vec!["limits.keys=5"], vec!["built in"]),
        ("", vec![], vec!["kafka.security.password=x"], vec!["WATCHFIRE_KAFKA_PASSWORD"]),
        ("[kafka]\ngroup = ", vec![], vec![], vec!["watchfire.toml:2"]),
        ("", vec![], vec!["streams.api.columns.x.typ=text"], vec!["streams.api.columns.x.type"]),
    ] {
        let error = build(file, &variables, &arguments).unwrap_err();
        assert!(says.iter().all(|part| error.contains(part)), "{error}");
    }
}

#[test]
fn wrong_values_are_said_with_what_fits() {
    for (argument, says) in [
        ("streams.api.lateness=soon", "30s"),
        ("kafka.from=yesterday", "earliest"),
        ("kafka.security.protocol=tls", "sasl_ssl"),
        ("engine.workers=0", "from 1"),
        ("engine.in_flight=1", "1MiB"),
        ("sinks.a.required=yes", "neither true nor false"),
        ("sinks.a.type=pager", "terminal"),
        ("streams.x.topic=x", "event_time"),
        ("streams.X.topic=x", "no name in SQL"),
        ("streams.api.topic=lambda", "topic"),
        ("streams.api.identity=request", "request_id"),
        ("streams.api.format=lambda", "keeps its format"),
    ] {
        let error = build("", &[], &[argument]).unwrap_err();
        assert!(error.contains(says), "{argument}: {error}");
    }
    let error = build("[sinks.out]\ntype = 'file'", &[], &[]).unwrap_err();
    assert!(error.contains("sinks.out") && error.contains("path"), "{error}");
}

#[test]
fn streams_are_declared_sinks_opened_and_properties_handed_on() {
    let file = r#"
        [kafka.raw]
        "fetch.wait.max.ms" = 5
        check.crcs = true
        "sasl.oauthbearer.config" = "hidden"
        [streams.audit]
        topic = "audit-log"
        identity = ["id"]
        columns.event_time = { path = "meta.time" }
        columns.id = { path = "meta.id", type = "text" }
        columns.tag = { path = ["tags", 0, "a.b"], type = "integer" }
        [sinks.out]
        type = "file"
        path = "found.jsonl"
        [rejects]
        type = "kafka"
        topic = "rejects"
        [rules]
        folders = ["rules", "more"]
    "#;
    let settings = build(file, &[("WATCHFIRE_KAFKA__RAW__CLIENT_RACK", "r1")], &[]).unwrap();
    let raw: Vec<(&str, &str)> = settings.kafka.raw.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(
        raw,
        [
            ("check.crcs", "true"),
            ("client.rack", "r1"),
            ("fetch.wait.max.ms", "5"),
            ("sasl.oauthbearer.config", "hidden")
        ]
    );
    let stream = &settings.streams[4];
    assert_eq!((stream.name.as_str(), stream.format, stream.identity.len()), ("audit", Format::Json, 1));
    assert_eq!(stream.column_type("tag"), Some(ColumnType::Integer));
    assert!(stream.column_type("event_id").is_some() && stream.column_type("raw").is_some());
    assert!(settings.rejects.is_some() && settings.sinks.contains_key("out") && settings.rules.len() == 2);
    assert_eq!(layer(&settings, "kafka.raw.\"sasl.oauthbearer.config\"").0, "(set)");
    assert_eq!(layer(&settings, "sinks.out.path"), ("found.jsonl".into(), "watchfire.toml:14".into()));
    assert!(build("", &[], &["admin.listen="]).unwrap().admin.is_none());
}

#[test]
fn tables_are_declared_and_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("bad.csv"), "address,list\n192.0.2.1,x\n").unwrap();
    std::fs::write(path("functions.data"), "{\"FunctionName\":\"pay\",\"Tags\":{\"owner\":\"me\"},\"Memory\":128}\n")
        .unwrap();
    let file = format!(
        "[tables.bad]\nfile = '{}'\nkey = ['address']\n[tables.functions]\nfile = '{}'\nformat = 'jsonl'\nkey = 'name'\n\
         columns.name.path = 'FunctionName'\ncolumns.owner.path = 'Tags.owner'\ncolumns.memory = {{ path = 'Memory', type = 'integer' }}\n\
         columns.valid_from.path = 'Since'\n",
        path("bad.csv"),
        path("functions.data")
    );
    let settings = build(&file, &[], &[]).unwrap();
    let tables = settings.read_tables().unwrap();
    let names: Vec<&str> = tables.iter().map(|table| table.definition().name.as_str()).collect();
    assert_eq!(names, ["bad", "functions"]);
    let [bad, functions] = tables.as_slice() else { panic!("there are two") };
    assert_eq!((bad.rows().len(), functions.rows().len()), (1, 1));
    assert_eq!(functions.definition().column_type("memory"), Some(ColumnType::Integer));
    assert_eq!(functions.definition().column_type("valid_from"), Some(ColumnType::Time));
    assert_eq!(layer(&settings, "tables.functions.key"), ("name".into(), "watchfire.toml:7".into()));
    let argued = build("", &[], &[&format!("tables.bad.file={}", path("bad.csv")), "tables.bad.key=address"]).unwrap();
    assert_eq!(argued.read_tables().unwrap().len(), 1);

    std::fs::write(path("twice.csv"), "address,list\na,x\nb,y\na,z\n").unwrap();
    for (file, says) in [
        (
            "[tables.cloudtrail]\nfile = 'a.csv'\nkey = 'a'".to_owned(),
            "there is a stream of this name (watchfire.toml:3)",
        ),
        ("[tables.t]\nkey = 'a'".to_owned(), "it lacks its file"),
        ("[tables.t]\nfile = 'a.txt'\nkey = 'a'".to_owned(), "format = \"csv\""),
        ("[tables.Table]\nfile = 'a.csv'".to_owned(), "no name in SQL"),
        ("[tables.t]\nfil = 'a.csv'".to_owned(), "`tables.t.file`"),
        ("[tables.t]\nfile = 'nowhere.csv'\nkey = 'a'".to_owned(), "`nowhere.csv` cannot be read"),
        (
            format!("[tables.t]\nfile = '{}'\nkey = 'address'", path("twice.csv")),
            "twice.csv:4: the key a is there twice",
        ),
        (format!("[tables.t]\nfile = '{}'\nkey = 'name'", path("twice.csv")), "its key names `name`"),
    ] {
        let said =
            build(&file, &[], &[]).and_then(|settings| settings.read_tables().map_err(|error| error.0)).unwrap_err();
        assert!(said.contains(says), "{file}: {said}");
    }
}

#[test]
fn sources_are_declared_by_stream_and_known_to_activity() {
    let file = "[streams.lambda.activity]\nfunction_name = ['pay', 'check', 'pay']\n[streams.cloudtrail]\n\
                activity.account_id = ['1']\n";
    let settings = build(file, &[], &[]).unwrap();
    let [cloudtrail, lambda, _, activity] = settings.streams.as_slice() else { panic!("four are built in") };
    assert_eq!(
        (lambda.sources[0].kind(), lambda.sources[0].values.as_slice()),
        ("function", &["check".to_owned(), "pay".to_owned()][..])
    );
    assert_eq!((cloudtrail.sources[0].kind(), lambda.partition_sources), ("account", false));
    assert_eq!(activity.known["source"], ["1", "check", "pay"]);
    assert_eq!(activity.known["kind"], ["account", "function"]);
    assert_eq!(activity.known["stream"], ["cloudtrail", "lambda"]);

    assert_eq!(
        layer(&settings, "streams.lambda.activity.function_name"),
        ("pay, check, pay".into(), "watchfire.toml:2".into())
    );
    assert_eq!(layer(&settings, "streams.api.partition_activity"), ("false".into(), "default".into()));

    let settings = build(file, &[], &["streams.api.partition_activity=true"]).unwrap();
    assert!(settings.streams[2].partition_sources);
    assert!(!settings.streams[3].known.contains_key("source"), "which partitions there are is not known");
    assert_eq!(settings.streams[3].known["kind"], ["account", "function", "partition"]);
}

#[test]
fn sources_that_cannot_be_are_refused() {
    let many = (0..=10_000).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let (many, columns) = (format!("streams.api.activity.api_id={many}"), "streams.o.columns.event_time.path=t");
    for (arguments, says) in [
        (&["streams.lambda.activity.functionname=a"][..], "did you mean `function_name`?"),
        (&["streams.lambda.activity.duration_ms=1"], "values of a column of text"),
        (&["streams.activity.lateness=1m"], "made of the others"),
        (&[many.as_str()], "10001 sources are declared, at most 10000"),
        (
            &[
                columns,
                "streams.o.columns.account.path=a",
                "streams.o.columns.account_id.path=b",
                "streams.o.activity.account=a",
                "streams.o.activity.account_id=b",
            ],
            "rows of the kind `account`",
        ),
    ] {
        let error = build("", &[], arguments).unwrap_err();
        assert!(error.contains(says), "{error}");
    }
    assert!(build("", &[], &["streams.activity.known.source=old"]).is_ok());
}
