//! What the detectors of a random case are.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use watchfire_engine::detect::plan::Planner;
use watchfire_engine::detect::{Detector, compile};

use super::streams;

/// Their SQL. `@` stands for a number, and `#` for columns that are shown, which later editions have others of: what an
/// operator keeps stays the same.
pub const TEXTS: [&str; 18] = [
    "SELECT event_time, user_name FROM cloudtrail WHERE event_name = 'A'",
    "SELECT tumble(event_time, INTERVAL '20 seconds') AS w, source_ip, count(*) AS n FROM cloudtrail WHERE event_name <> 'C' GROUP BY tumble(event_time, INTERVAL '20 seconds'), source_ip HAVING count(*) >= @",
    "SELECT tumble(event_time, INTERVAL '60 seconds') AS w, count(DISTINCT user_name) AS n FROM cloudtrail GROUP BY tumble(event_time, INTERVAL '60 seconds') HAVING count(DISTINCT user_name) <= @",
    "SELECT hop(event_time, INTERVAL '10 seconds', INTERVAL '30 seconds') AS w, user_name, count(*) AS n FROM cloudtrail GROUP BY hop(event_time, INTERVAL '10 seconds', INTERVAL '30 seconds'), user_name HAVING count(*) >= @",
    "SELECT user_name, event_time, n FROM (SELECT *, count(*) OVER (PARTITION BY user_name ORDER BY event_time RANGE INTERVAL '40 seconds' PRECEDING) AS n FROM cloudtrail WHERE event_name <> 'B') WHERE n >= @",
    "SELECT source_ip, #, event_time, n FROM (SELECT *, count(DISTINCT event_name) OVER (PARTITION BY source_ip ORDER BY event_time RANGE INTERVAL '25 seconds' PRECEDING) AS n FROM cloudtrail) WHERE n >= 2 AND region <> 'x'",
    "SELECT user_name, #, error_code, event_time FROM cloudtrail QUALIFY first_seen(INTERVAL '30 seconds') OVER (PARTITION BY user_name, error_code)",
    "SELECT source_ip, event_time FROM cloudtrail WHERE event_name = 'A' QUALIFY first_seen(INTERVAL '50 seconds') OVER (PARTITION BY source_ip)",
    "SELECT event_name, event_time, n, # FROM (SELECT *, sum(octet_length(event_name)) OVER (PARTITION BY event_name ORDER BY event_time RANGE INTERVAL '15 seconds' PRECEDING) AS n FROM cloudtrail) WHERE n >= @",
    "SELECT a.event_time AS made, b.event_time AS used, a.user_name, @ AS k FROM cloudtrail a JOIN cloudtrail b ON a.source_ip = b.source_ip AND b.event_time BETWEEN a.event_time AND a.event_time + INTERVAL '30 seconds' WHERE a.event_name = 'A' AND b.event_name = 'B'",
    "SELECT a.event_time, a.source_ip, b.status, @ AS k FROM cloudtrail a JOIN api b ON a.source_ip = b.source_ip AND b.event_time BETWEEN a.event_time - INTERVAL '10 seconds' AND a.event_time + INTERVAL '20 seconds' WHERE a.event_name <> 'C'",
    "SELECT event_time, source_ip, @ AS k FROM cloudtrail a WHERE a.event_name = 'A' AND NOT EXISTS (SELECT 1 FROM api b WHERE b.source_ip = a.source_ip AND b.event_time BETWEEN a.event_time AND a.event_time + INTERVAL '15 seconds')",
    "SELECT event_time, user_name, @ AS k FROM cloudtrail a WHERE a.event_name = 'C' AND EXISTS (SELECT 1 FROM cloudtrail b WHERE b.user_name = a.user_name AND b.event_name = 'B' AND b.event_time BETWEEN a.event_time - INTERVAL '20 seconds' AND a.event_time)",
    "SELECT event_time, source_ip FROM cloudtrail WHERE event_name = 'B' UNION ALL SELECT event_time, source_ip FROM api WHERE status >= @",
    "SELECT method, count(*) AS n FROM api GROUP BY tumble(event_time, INTERVAL '30 seconds'), method HAVING count(*) > @ - 2",
    "SELECT w, source_ip, user_name, n, x FROM (SELECT *, sum(n) OVER (PARTITION BY source_ip ORDER BY w RANGE BETWEEN INTERVAL '60 seconds' PRECEDING AND INTERVAL '20 seconds' PRECEDING) AS x FROM (SELECT tumble(event_time, INTERVAL '20 seconds') AS w, source_ip, user_name, count(*) AS n FROM cloudtrail GROUP BY w, source_ip, user_name)) WHERE x >= @",
    "SELECT w, user_name, n FROM (SELECT hop(event_time, INTERVAL '10 seconds', INTERVAL '30 seconds') AS w, user_name, count(*) AS n FROM cloudtrail GROUP BY w, user_name HAVING count(*) >= @ - 1) QUALIFY first_seen(INTERVAL '40 seconds') OVER (PARTITION BY user_name)",
    // As the second one, but for when it is silent.
    "learn: SELECT user_name, event_time FROM cloudtrail QUALIFY first_seen(INTERVAL '30 seconds') OVER (PARTITION BY user_name)",
];

/// Detectors by name, text and edition.
type Known = HashMap<(String, usize, usize), Arc<Detector>>;

static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);
static PLANNER: LazyLock<Planner> = LazyLock::new(|| Planner::new(&streams()));

/// The detector of this name whose text is `TEXTS[text]`; another `edition` is another version of the same. The first
/// two have the same SQL, and so have the next two.
pub fn detector(name: &str, text: usize, edition: usize) -> Arc<Detector> {
    let make = || {
        let sql = TEXTS[text].replace('@', &(2 + edition / 2).to_string());
        let sql = sql.replace('#', if edition < 2 { "request ->> 'n' AS r" } else { "region, user_name" });
        let (learn, sql) = match sql.strip_prefix("learn: ") {
            Some(sql) => ("learn = \"40 seconds\"\n", sql),
            None => ("", sql.as_str()),
        };
        let text = format!("/*\ntitle = \"{edition}\"\nseverity = \"low\"\nabout = \"a\"\n{learn}*/\n{sql}");
        let compiled = compile::compile_text(&PLANNER, name, &text);
        Arc::new(compiled.unwrap_or_else(|said| panic!("{}", said.iter().map(|d| d.render(false)).collect::<String>())))
    };
    let mut known = KNOWN.lock().unwrap();
    Arc::clone(known.entry((name.to_owned(), text, edition)).or_insert_with(make))
}
