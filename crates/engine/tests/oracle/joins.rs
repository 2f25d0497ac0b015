//! Detectors of several inputs: sequences, absences and unions, over one stream and over two.

use proptest::prelude::*;
use watchfire_record::time;

use super::NOW;

/// What is said of one side's record: `x` stands for its name.
fn of_one(stream: &'static str) -> impl Strategy<Value = String> {
    let atoms: &[&str] = match stream {
        "cloudtrail" => &[
            "x.event_name = 'A'",
            "x.event_name <> 'B'",
            "x.event_name IN ('A', 'C')",
            "lower(x.event_name) = 'a'",
            "x.error_code IS NULL",
            "x.read_only",
            "NOT x.read_only",
            "(x.request ->> 'n') = '7'",
            "CAST((x.request ->> 'n') AS BIGINT) > 3",
            "(x.event_name = 'B' OR x.user_name = 'u1')",
            "true",
        ],
        _ => &[
            "x.method = 'A'",
            "x.status >= 400",
            "x.source_ip IS NOT NULL",
            "(x.method = 'B' OR x.status = 7)",
            "true",
        ],
    };
    prop::sample::select(atoms.to_vec()).prop_map(str::to_owned)
}

/// Equalities of two records of these streams.
fn equalities(a: &'static str, b: &'static str) -> impl Strategy<Value = &'static str> {
    let all: &[&str] = match (a, b) {
        ("cloudtrail", "cloudtrail") => &[
            "a.source_ip = b.source_ip",
            "b.user_name = a.user_name",
            "a.source_ip = b.source_ip AND a.user_name = b.user_name",
            "a.source_ip = b.user_name",
            "lower(a.user_name) = lower(b.user_name)",
            "a.read_only = b.read_only",
            "(a.request ->> 'n') = (b.request ->> 'n')",
        ],
        ("cloudtrail", _) => &[
            "a.source_ip = b.source_ip",
            "b.method = a.event_name",
            "CAST((a.request ->> 'n') AS BIGINT) = b.status",
            "a.event_name = b.method AND a.source_ip = b.source_ip",
        ],
        (_, "cloudtrail") => {
            &["a.source_ip = b.source_ip", "a.method = b.event_name", "a.status = CAST((b.request ->> 'n') AS BIGINT)"]
        }
        _ => &["a.source_ip = b.source_ip", "a.method = b.method", "a.status = b.status"],
    };
    prop::sample::select(all.to_vec())
}

/// Bounds of the time from one to the other.
fn bound() -> impl Strategy<Value = String> {
    (0..10u8, 1..60u8, 1..40u8).prop_map(|(form, s, t)| {
        let (s, t) = (format!("INTERVAL '{s} seconds'"), format!("INTERVAL '{t} seconds'"));
        match form {
            0 | 1 => format!("b.event_time BETWEEN a.event_time AND a.event_time + {s}"),
            2 => format!("b.event_time BETWEEN a.event_time - {s} AND a.event_time + {t}"),
            3 => format!("b.event_time BETWEEN a.event_time - {s} AND a.event_time"),
            4 => format!("b.event_time >= a.event_time AND b.event_time < a.event_time + {s}"),
            5 => format!("b.event_time > a.event_time AND {s} + a.event_time >= b.event_time"),
            6 => format!("a.event_time < b.event_time AND b.event_time - {s} <= a.event_time"),
            7 => format!("b.event_time BETWEEN a.event_time + {t} AND a.event_time + {t} + {s}"),
            8 => format!("a.event_time - {s} <= b.event_time AND b.event_time <= a.event_time - INTERVAL '1 second'"),
            _ => "b.event_time = a.event_time".to_owned(),
        }
    })
}

/// What else is said of two records of these streams.
fn of_both(a: &'static str, b: &'static str) -> impl Strategy<Value = &'static str> {
    let all: &[&str] = match (a, b) {
        ("cloudtrail", "cloudtrail") => &[
            "a.event_id <> b.event_id",
            "b.event_id <> a.event_id",
            "(a.error_code IS DISTINCT FROM b.error_code)",
            "(a.event_name = b.event_name OR a.read_only)",
            "a.user_name <> b.user_name",
            "(a.request ->> 'n') <> (b.request ->> 'n')",
            "7 / (octet_length(a.event_name) - octet_length(b.event_name)) > 1",
            "a.event_name < b.event_name",
        ],
        ("cloudtrail", _) => {
            &["a.event_id <> b.event_id", "a.event_name <> b.method", "(a.read_only OR b.status > 400)"]
        }
        (_, "cloudtrail") => {
            &["a.event_id <> b.event_id", "b.event_name <> a.method", "(b.read_only OR a.status > 400)"]
        }
        _ => &["a.event_id <> b.event_id", "a.status < b.status", "(a.path IS NOT DISTINCT FROM b.path)"],
    };
    prop::sample::select(all.to_vec())
}

fn streams() -> impl Strategy<Value = (&'static str, &'static str)> {
    prop_oneof![
        4 => Just(("cloudtrail", "cloudtrail")),
        2 => Just(("cloudtrail", "api")),
        2 => Just(("api", "cloudtrail")),
        1 => Just(("api", "api")),
    ]
}

/// Sequences, absences and unions.
pub fn detector() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => streams().prop_flat_map(|(a, b)| {
            let said = (of_one(a), of_one(b), equalities(a, b), bound(), prop::collection::vec(of_both(a, b), 0..3));
            (said, 0..5u8).prop_map(move |((p, q, equal, bound, both), form)| sequence(a, b, &[&p, &q, equal, &bound], &both, form))
        }),
        1 => union(),
    ]
}

/// A sequence: of these streams, with what is said of each side, the equality and the bound, in one of the forms.
fn sequence(a: &str, b: &str, [p, q, equal, bound]: &[&str; 4], both: &[&str], form: u8) -> String {
    let (of_a, of_b) = (p.replace("x.", "a."), q.replace("x.", "b."));
    let more: String = both.iter().map(|condition| format!(" AND {condition}")).collect();
    let n = |side: &str, stream: &str| match stream {
        "cloudtrail" => format!("{side}.request ->> 'n'"),
        _ => format!("{side}.status"),
    };
    let pair = format!(
        "a.event_time AS made, b.event_time AS used, a.source_ip AS ip, a.event_id || b.event_id AS ids, {} AS n",
        n("b", b)
    );
    let alone = format!("a.event_time, a.source_ip, {} AS n", n("a", a));
    match form {
        0 => format!("SELECT {pair} FROM {a} a JOIN {b} b ON {equal} AND {bound}{more} WHERE {of_a} AND {of_b}"),
        1 => format!("SELECT {pair} FROM {a} a JOIN {b} AS b ON {bound} AND {of_a} AND {of_b} WHERE {equal}{more}"),
        2 => {
            let (p, q) = (p.replace("x.", ""), q.replace("x.", ""));
            format!(
                "SELECT {pair} FROM (SELECT * FROM {a} WHERE {p}) a JOIN (SELECT * FROM {b} WHERE {q}) b ON {equal} AND {bound}{more}"
            )
        }
        3 => format!(
            "SELECT {alone} FROM {a} a WHERE {of_a} AND EXISTS (SELECT 1 FROM {b} b WHERE {equal} AND {of_b} AND {bound}{more})"
        ),
        _ => format!(
            "SELECT {alone} FROM {a} AS a WHERE {of_a} AND NOT EXISTS (SELECT b.event_id FROM {b} b WHERE {bound} AND {equal} AND {of_b}{more})"
        ),
    }
}

/// One query of a union.
pub fn branch() -> impl Strategy<Value = String> {
    prop_oneof![
        of_one("cloudtrail").prop_map(|p| format!(
            "SELECT event_time, source_ip, request ->> 'n' AS n FROM cloudtrail WHERE {}",
            p.replace("x.", "")
        )),
        of_one("api").prop_map(|p| format!(
            "SELECT event_time AS t, source_ip AS ip, CAST(status AS TEXT) AS n FROM api WHERE {}",
            p.replace("x.", "")
        )),
    ]
}

fn union() -> impl Strategy<Value = String> {
    (prop::collection::vec(branch(), 2..4), any::<bool>()).prop_map(|(branches, wrapped)| {
        let all = branches.join(" UNION ALL ");
        if wrapped { format!("SELECT n, n || n AS twice FROM ({all}) AS each_of WHERE n <> '3'") } else { all }
    })
}

/// A record of the stream `api`.
pub fn api_record() -> impl Strategy<Value = String> {
    let address = prop_oneof![Just("\"1.1.1.1\""), Just("\"u1\""), Just("null")];
    let method = prop_oneof![Just("\"A\""), Just("\"B\""), Just("null")];
    let status = prop_oneof![Just("7"), Just("3"), Just("403"), Just("null")];
    let seconds = prop_oneof![8 => -60..40i64, 1 => -400..-300i64, 1 => 500..900i64];
    (address, method, status, seconds, 0..3i64).prop_map(|(address, method, status, seconds, part)| {
        format!(
            "{{\"requestTime\":\"{}\",\"ip\":{address},\"httpMethod\":{method},\"status\":{status}}}",
            time::format(NOW + seconds * 1_000_000 + part * 250_000)
        )
    })
}
