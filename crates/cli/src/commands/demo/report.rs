//! The demo's last words.

use serde_json::{Map, Value, json};
use watchfire_engine::Metrics;

use super::compare::{Attack, Outcome};
use crate::screen::{Screen, clip, numbers, paint};

/// Columns below which an attack's title is not worth showing; its ATT&CK techniques are shorter.
const TITLE: usize = 45;

/// What there is to say at the end.
pub struct Report<'a> {
    /// The estate's seed.
    pub seed: u64,
    /// How long it took, microseconds.
    pub micros: i64,
    /// Records that the broker took.
    pub produced: u64,
    /// How many of these were of the past.
    pub past: u64,
    /// When the last record was produced, microseconds.
    pub ended: i64,
    /// Records that were dropped before they were consumed.
    pub lost: u64,
    /// Counts.
    pub metrics: &'a Metrics,
    /// What was found of what was done.
    pub outcome: &'a Outcome,
}

impl Report<'_> {
    /// One JSON line.
    pub fn as_json(&self) -> String {
        let counts = self.metrics.total();
        let outcome = self.outcome;
        let milliseconds = |quantile| self.metrics.latency_quantile(quantile).0 as f64 / 1e3;
        let attacks: Vec<Value> = outcome.attacks.iter().map(attack_as_json).collect();
        let false_alarms: Map<String, Value> =
            outcome.false_alarms.iter().map(|(name, count)| (name.clone(), (*count).into())).collect();
        let line = json!({
            "summary": "demo",
            "seed": self.seed,
            "seconds": self.micros as f64 / 1e6,
            "produced": self.produced,
            "consumed": counts.consumed,
            "processed": counts.processed,
            "rejected": counts.rejected,
            "skipped": counts.skipped,
            "lost": self.lost,
            "latency_p50_ms": milliseconds(0.5),
            "latency_p99_ms": milliseconds(0.99),
            "findings": outcome.findings,
            "false_alarms": outcome.false_alarms.values().sum::<usize>(),
            "attacks_due": outcome.attacks.len(),
            "attacks_found": outcome.found(),
            "attacks_under_way": outcome.under_way,
            "false_alarms_by_detector": false_alarms,
            "attacks": attacks,
        });
        format!("{line}\n")
    }

    /// For a person.
    pub fn as_text(&self, screen: &Screen) -> String {
        let colour = screen.colour();
        let columns = screen.width().clamp(60, 120);
        let bold = |text: &str| paint(colour, "1", text);
        let mut text = format!(
            "\n{}\n",
            bold(&format!(
                "What was done, and what was found of it ({} s, seed {})",
                self.micros / 1_000_000,
                self.seed
            ))
        );
        let names = self.outcome.attacks.iter().map(|attack| attack.truth.name.len()).max().unwrap_or(0);
        for attack in &self.outcome.attacks {
            text += &self.line(attack, names, columns, colour);
        }
        let due = self.outcome.attacks.len();
        let found = self.outcome.found();
        let all = if found == due { "32" } else { "31" };
        text.push('\n');
        let mut row =
            |label: &str, value: &str| text += &format!("{} {value}\n", paint(colour, "2", &format!("{label:<9}")));
        let under_way = match self.outcome.under_way {
            0 => String::new(),
            number => format!("; {} not over yet", numbers::of(number as u64, "was", "were")),
        };
        row("attacks", &format!("{}{under_way}", paint(colour, all, &format!("{found} of {due} found"))));
        row("alarms", &self.alarms());
        row("latency", &self.latency());
        for balance in self.balance() {
            row("records", &balance);
        }
        text
    }

    /// Detector, how long it took, and what was done; other detectors that found it too are below.
    fn line(&self, attack: &Attack, names: usize, columns: usize, colour: bool) -> String {
        let truth = &attack.truth;
        let (mark, after) = match attack.after {
            // Its window was open to the end.
            Some(micros) if truth.first_event_time + micros >= self.ended => ("✓", "at the end".to_owned()),
            Some(micros) => ("✓", numbers::duration(u64::try_from(micros).unwrap_or(0))),
            None => ("✗", "missed".to_owned()),
        };
        let mark = paint(colour, if attack.after.is_some() { "1;32" } else { "1;31" }, mark);
        let room = columns.saturating_sub(2 + names + 2 + 10 + 2);
        let what = if room < TITLE { truth.attack.join(" ") } else { clip(&truth.title, room) };
        let mut text = format!("{mark} {:<names$}  {after:>10}  {}\n", truth.name, paint(colour, "2", &what));
        let others: Vec<&str> = attack.found_by.iter().map(String::as_str).filter(|name| *name != truth.name).collect();
        if !others.is_empty() {
            let others = clip(&format!("also {}", others.join(", ")), columns - 4);
            text += &format!("    {}\n", paint(colour, "2", &others));
        }
        text
    }

    fn alarms(&self) -> String {
        let outcome = self.outcome;
        let false_alarms: usize = outcome.false_alarms.values().sum();
        let findings = numbers::of(outcome.findings as u64, "finding", "findings");
        if false_alarms == 0 {
            return format!("{findings}, all of them of these attacks");
        }
        let names: Vec<String> = outcome.false_alarms.iter().map(|(name, count)| format!("{name} ({count})")).collect();
        format!("{findings}; {false_alarms} of no attack, by\n          {}", names.join("\n          "))
    }

    fn latency(&self) -> String {
        let (median, number) = self.metrics.latency_quantile(0.5);
        if number == 0 {
            return "nothing was found".into();
        }
        let p99 = self.metrics.latency_quantile(0.99).0;
        format!(
            "from the broker to the alert: half within {}, 99 % within {}",
            numbers::duration(median),
            numbers::duration(p99)
        )
    }

    fn balance(&self) -> Vec<String> {
        let counts = self.metrics.total();
        let count = numbers::count;
        let past = self.past.min(self.produced);
        let mut lines = vec![
            format!(
                "{} of the past, then {} live; {}",
                count(past),
                count(self.produced - past),
                numbers::bytes(counts.bytes)
            ),
            format!(
                "{} consumed {} {} processed + {} rejected + {} skipped",
                count(counts.consumed),
                if counts.balanced() { "=" } else { "≠" },
                count(counts.processed),
                count(counts.rejected),
                count(counts.skipped)
            ),
        ];
        if self.lost > 0 || counts.consumed != self.produced {
            lines.push(format!(
                "{} were LOST: the embedded broker drops what is not read in time. Use a lower --rate on this machine",
                count(self.lost.max(self.produced.saturating_sub(counts.consumed)))
            ));
        }
        lines
    }
}

fn attack_as_json(attack: &Attack) -> Value {
    let truth = &attack.truth;
    json!({
        "id": truth.id,
        "name": truth.name,
        "attack": truth.attack,
        "found": attack.after.is_some(),
        "found_by": attack.found_by,
        "after_ms": attack.after.map(|micros| micros / 1000),
    })
}
