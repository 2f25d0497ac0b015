//! Cases that once failed, or that chance seldom makes, each under a name that says what it is about. `scripts/soak
//! oracle` prints those that fail as they stand here.

use super::{Case, Life, check};

/// A case in literals.
struct Known {
    name: &'static str,
    sql: &'static str,
    learn: u8,
    records: &'static [(u8, &'static str)],
    cuts: &'static [bool],
    lives: &'static [Life],
    workers: usize,
    shards: usize,
}

const KNOWN: &[Known] = &[
    Known {
        name: "a product beyond 64 bits is NULL, and not what is left of it",
        sql: "SELECT event_time, user_name FROM cloudtrail WHERE CAST((request ->> 'n') AS BIGINT) * 4611686018427387904 <= 0",
        learn: 0,
        records: &[
            (0, r#"{"eventTime":"2025-06-15T15:06:40Z","eventID":"e1","eventName":"A","requestParameters":{"n":4}}"#),
            (0, r#"{"eventTime":"2025-06-15T15:06:40Z","eventID":"e2","eventName":"A","requestParameters":{"n":0}}"#),
        ],
        cuts: &[false, false],
        lives: &[Life::WHOLE; 3],
        workers: 1,
        shards: 1,
    },
    Known {
        name: "partitions come while others are read, and go with records in open windows",
        sql: "SELECT user_name, count(*) AS n FROM cloudtrail GROUP BY tumble(event_time, INTERVAL '10 seconds'), user_name",
        learn: 0,
        records: &[
            (0, r#"{"eventTime":"2025-06-15T15:06:00Z","eventID":"e1","eventName":"A"}"#),
            (0, r#"{"eventTime":"2025-06-15T15:06:40Z","eventID":"e2","eventName":"A"}"#),
            (1, r#"{"eventTime":"2025-06-15T15:05:50Z","eventID":"e3","eventName":"A"}"#),
            (1, r#"{"eventTime":"2025-06-15T15:06:01Z","eventID":"e4","eventName":"A"}"#),
            (0, r#"{"eventTime":"2025-06-15T15:06:39Z","eventID":"e5","eventName":"A"}"#),
        ],
        cuts: &[true, true, false, true, true],
        lives: &[
            Life { from: 0, to: 70, lost: true },
            Life { from: 30, to: 101, lost: false },
            Life { from: 0, to: 20, lost: false },
        ],
        workers: 2,
        shards: 2,
    },
    Known {
        name: "a first one that is taken back, as what else is asked holds no more, does not come again",
        sql: "SELECT user_name, event_time FROM cloudtrail QUALIFY first_seen(INTERVAL '5 seconds') OVER (PARTITION BY read_only) AND count(*) OVER (PARTITION BY read_only ORDER BY event_time RANGE BETWEEN INTERVAL '21 seconds' PRECEDING AND INTERVAL '1 seconds' PRECEDING) <> 1",
        learn: 0,
        records: &[
            (0, r#"{"eventTime":"2025-06-15T15:06:32Z","eventID":"e1","eventName":"A"}"#),
            (0, r#"{"eventTime":"2025-06-15T15:06:26Z","eventID":"e2","eventName":"A"}"#),
            (0, r#"{"eventTime":"2025-06-15T15:06:25Z","eventID":"e3","eventName":"A"}"#),
        ],
        cuts: &[true, true, true],
        lives: &[Life::WHOLE; 3],
        workers: 1,
        shards: 1,
    },
    Known {
        name: "records of a window go by the window's own keys, whatever they come to shards by",
        sql: "SELECT * FROM (SELECT *, sum(a) OVER (PARTITION BY len ORDER BY w RANGE BETWEEN INTERVAL '1 seconds' PRECEDING AND CURRENT ROW) AS x FROM (SELECT tumble(event_time, INTERVAL '1 seconds') AS w, read_only, octet_length(event_name) AS len, count(*) AS a, min(event_time) AS first_time FROM cloudtrail GROUP BY tumble(event_time, INTERVAL '1 seconds'), read_only, octet_length(event_name))) WHERE x >= 0",
        learn: 0,
        records: &[
            (0, r#"{"eventTime":"2025-06-15T15:06:40Z","eventID":"e1","eventName":"B"}"#),
            (0, r#"{"eventTime":"2025-06-15T15:06:39Z","eventID":"e2","eventName":"C"}"#),
        ],
        cuts: &[false, false],
        lives: &[Life::WHOLE; 3],
        workers: 1,
        shards: 1,
    },
];

#[test]
fn what_once_failed_stays_mended() {
    for known in KNOWN {
        let checked = check(&Case {
            sql: known.sql.to_owned(),
            tables: Vec::new(),
            learn: known.learn,
            records: known.records.iter().map(|(partition, text)| (*partition, (*text).to_owned())).collect(),
            cuts: known.cuts.to_vec(),
            lives: known.lives.to_vec(),
            workers: known.workers,
            shards: known.shards,
        });
        assert!(checked.is_ok(), "{}: {checked:?}", known.name);
    }
}
