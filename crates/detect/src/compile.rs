//! From a detector's file to a detector, or to all that is wrong with it.

use std::sync::Arc;

use rayon::prelude::*;
use watchfire_record::DetectorInfo;
use watchfire_record::limits::DISTINCT_VALUES;

use crate::detector::Detector;
use crate::language::{self, Diagnostic, Parsed, RuleFile, codes};
use crate::plan::{DetectorPlan, Operator, PlanProblem, Planner, sequence};

/// Compiles files, as many at once as there are cores: the detectors of those that are right, and what is to be said of all.
#[must_use]
pub fn compile_all(planner: &Planner, files: &[RuleFile]) -> (Vec<Detector>, Vec<Diagnostic>) {
    let (mut detectors, mut diagnostics) = (Vec::new(), Vec::new());
    let compiled: Vec<_> = files.par_iter().map(|file| compile(planner, &file.name, &file.file, &file.text)).collect();
    for (detector, said) in compiled {
        detectors.extend(detector);
        diagnostics.extend(said);
    }
    (detectors, diagnostics)
}

/// Compiles a detector that is in no file; warnings are passed over.
///
/// # Errors
/// All that is wrong with it.
pub fn compile_text(planner: &Planner, name: &str, text: &str) -> Result<Detector, Vec<Diagnostic>> {
    let (detector, diagnostics) = compile(planner, name, name, text);
    detector.ok_or(diagnostics)
}

/// Compiles one file's text: the detector, unless something is wrong, and what is to be said of it.
#[must_use]
pub fn compile(planner: &Planner, name: &str, file: &str, text: &str) -> (Option<Detector>, Vec<Diagnostic>) {
    let parsed = match language::parse(file, text) {
        Ok(parsed) => parsed,
        Err(errors) => return (None, errors),
    };
    let mut said = language::check(&parsed, planner.streams(), planner.tables());
    if said.iter().any(Diagnostic::is_error) {
        return (None, said);
    }
    let query = match language::expand(&parsed) {
        Ok(query) => query,
        Err(errors) => {
            said.extend(errors);
            return (None, said);
        }
    };
    let plan = match planner.plan(&query) {
        Ok(plan) => plan,
        Err(PlanProblem::Planner(message)) => {
            said.push(language::from_planner_error(&parsed, &message));
            return (None, said);
        }
        Err(PlanProblem::Form { message, help }) => {
            said.push(language::from_form(&parsed, &message, &help));
            return (None, said);
        }
        Err(PlanProblem::Join { message, help }) => {
            said.push(language::from_join(&parsed, &message, &help));
            return (None, said);
        }
        Err(PlanProblem::LookUp { message, help, table }) => {
            said.push(language::from_look_up(&parsed, &message, &help, &table));
            return (None, said);
        }
        Err(PlanProblem::Composed { message, help, at }) => {
            said.push(language::from_composed(&parsed, &message, &help, at));
            return (None, said);
        }
    };
    said.extend(keys_that_are_not_found(&parsed, &plan));
    said.extend(learning_without_state(&parsed, &plan));
    said.extend(plan.threshold_above(DISTINCT_VALUES).map(|number| language::from_threshold(&parsed, number)));
    said.extend(sequence::joins_itself(&plan).then(|| language::joins_itself(&parsed)));
    if said.iter().any(Diagnostic::is_error) {
        return (None, said);
    }
    let info = Arc::new(info(name, &parsed, planner.streams()[plan.inputs[0].stream].name.clone()));
    let learn = parsed.header.learn.unwrap_or(0);
    (Some(Detector { info, key: parsed.header.key, learn, plan, input: 0 }), said)
}

/// The header's `key` names columns of the found row.
fn keys_that_are_not_found(parsed: &Parsed, plan: &DetectorPlan) -> Vec<Diagnostic> {
    let found = |key: &str| plan.outputs.iter().any(|(name, _)| name == key);
    let missing = parsed.header.key.iter().zip(&parsed.header.key_spans).filter(|(key, _)| !found(key));
    let say = |(key, span): (&String, &std::ops::Range<usize>)| {
        let nearest = language::nearest(key, plan.outputs.iter().map(|(name, _)| name.as_str()));
        let hint = nearest.map_or(String::new(), |name| format!("; did you mean `{name}`?"));
        let message = format!("`key` names `{key}`, which the SELECT does not return{hint}");
        Diagnostic::error(codes::UNKNOWN_COLUMN, &parsed.file, &parsed.text, span.clone(), message)
            .label("not a column of the found row")
            .help("a key is one of the columns that the outermost SELECT returns, by the name it has there")
    };
    missing.map(say).collect()
}

/// Only what depends on all earlier records needs time to learn.
fn learning_without_state(parsed: &Parsed, plan: &DetectorPlan) -> Option<Diagnostic> {
    let message = match plan.operator {
        Operator::Match => "`learn` has no meaning here: each record is judged by itself",
        Operator::Sequence(_) => "`learn` has no meaning here: a sequence is judged by its own records",
        _ => return None,
    };
    let span = parsed.header.span("learn")?;
    let error = Diagnostic::error(codes::LEARN, &parsed.file, &parsed.text, span, message);
    Some(error.help("take it out; it holds back detectors that look at earlier records, such as first_seen"))
}

fn info(name: &str, parsed: &Parsed, stream: String) -> DetectorInfo {
    let header = &parsed.header;
    DetectorInfo {
        name: name.to_owned(),
        version: language::version(&parsed.text),
        stream,
        title: header.title.clone(),
        severity: header.severity,
        attack: header.attack.clone(),
        about: header.about.clone(),
        noise: header.noise.clone(),
        response: header.response.clone(),
        suppress: header.suppress,
    }
}

#[cfg(test)]
mod tests {
    use watchfire_record::Stream;

    use super::*;

    fn problems(learn: &str, sql: &str) -> Vec<(&'static str, String)> {
        let text = format!("/*\ntitle = \"t\"\nseverity = \"low\"\nabout = \"a\"\n{learn}*/\n{sql}");
        match compile_text(&Planner::new(&Stream::built_ins()), "d", &text) {
            Ok(_) => Vec::new(),
            Err(said) => said.iter().map(|d| (d.code, format!("{} at {}", d.message, &text[d.span.clone()]))).collect(),
        }
    }

    #[test]
    fn what_only_the_plan_shows_is_said_plainly() {
        let grouped = |list: &str| {
            format!(
                "SELECT principal, {list} AS x FROM cloudtrail WHERE principal IS NOT NULL GROUP BY tumble(event_time, INTERVAL '1 hour'), principal"
            )
        };
        for (learn, sql, code, said) in [
            ("learn = \"7 days\"\n", "SELECT event_name FROM cloudtrail".into(), "W036", "judged by itself at \"7 days\""),
            ("", grouped("avg(event_name)"), "W037", "avg is exact over whole numbers only, and this is Utf8: write avg(CAST(… AS BIGINT)) at avg"),
            ("", grouped("bool_or(event_name)"), "W037", "bool_or wants a condition, and this is Utf8 at bool_or"),
            (
                "",
                "SELECT count(*) AS n FROM cloudtrail GROUP BY hop(event_time, INTERVAL '5 minutes', INTERVAL '1 minute')".into(),
                "W038",
                "leave gaps",
            ),
            (
                "",
                "SELECT count(*) AS n FROM cloudtrail GROUP BY hop(event_time, INTERVAL '1 second', INTERVAL '1 day')".into(),
                "W038",
                "more than 300",
            ),
        ] {
            let found = problems(learn, &sql);
            assert!(matches!(found.as_slice(), [(c, text)] if *c == code && text.contains(said)), "{sql}: {found:?}");
        }
        let learns = "learn = \"7 days\"\n";
        let within = "AND b.event_time BETWEEN a.event_time AND a.event_time + INTERVAL '1 hour'";
        let joined = |on: &str| format!("SELECT a.principal FROM cloudtrail a JOIN cloudtrail b ON {on}");
        let absent = |condition: &str| format!("SELECT principal FROM cloudtrail a WHERE {condition}");
        for (learn, sql, code, said) in [
            ("", joined("a.principal = b.principal"), "W039", "needs memory without end at JOIN"),
            ("", joined("a.principal = b.principal AND b.event_time > a.event_time"), "W039", "at both ends"),
            ("", joined(&format!("a.principal <> b.principal {within}")), "W039", "without an equality"),
            (
                "",
                joined(&format!(
                    "a.principal = b.principal {within} AND a.event_time - INTERVAL '1 hour' > b.event_time"
                )),
                "W039",
                "no two records",
            ),
            (
                "",
                joined(&format!("a.principal = b.principal {within}"))
                    .replace("a.principal FROM", "a.region, b.region FROM"),
                "W039",
                "two columns named `region`",
            ),
            (
                learns,
                joined(&format!("a.principal = b.principal {within} AND a.event_id <> b.event_id")),
                "W036",
                "its own records at \"7 days\"",
            ),
            ("", absent("NOT EXISTS (SELECT 1 FROM lambda)"), "W039", "at EXISTS"),
            (
                "",
                absent("read_only OR EXISTS (SELECT 1 FROM lambda b WHERE b.event_id = a.event_id)"),
                "W039",
                "inside OR",
            ),
            (
                "",
                absent(&format!(
                    "EXISTS (SELECT count(*) FROM api b WHERE b.principal = a.principal {within} GROUP BY tumble(event_time, INTERVAL '1 hour'))"
                )),
                "W039",
                "sub-query",
            ),
            (
                "",
                format!(
                    "SELECT region FROM cloudtrail UNION ALL {}",
                    grouped("count(*)").replace("principal, count(*) AS x", "principal")
                ),
                "W038",
                "a union of ranges",
            ),
        ] {
            let found = problems(learn, &sql);
            assert!(matches!(found.as_slice(), [(c, text)] if *c == code && text.contains(said)), "{sql}: {found:?}");
        }
        let fine = "learn = \"7 days\"\n";
        assert_eq!(problems(fine, &grouped("sum(length(event_name))")), []);
        assert_eq!(problems(fine, &grouped("max(event_time)")), []);
    }

    #[test]
    fn a_threshold_above_what_is_counted_is_refused() {
        let having = |condition: &str| {
            format!(
                "SELECT count(*) AS n FROM cloudtrail GROUP BY tumble(event_time, INTERVAL '1 hour') HAVING {condition}"
            )
        };
        for (threshold, refused) in [
            (">= 100000", false),
            ("> 99999", false),
            ("< 100000", false),
            ("<> 99999", false),
            (">= 100001", true),
            ("> 100000", true),
            ("< 100001", true),
            ("<= 100000", true),
            ("= 100000", true),
            (">= 1e6", true),
            ("BETWEEN 3 AND 100000", true),
            ("IN (5, 100000)", true),
        ] {
            let said = problems("", &having(&format!("count(DISTINCT event_name) {threshold}")));
            let codes: Vec<_> = said.iter().map(|(code, _)| *code).collect();
            assert_eq!(codes, vec!["W023"; usize::from(refused)], "{threshold}: {said:?}");
        }
        let said = problems("", &having("count(*) > 3 AND 100000 < count(DISTINCT event_name)"));
        assert!(matches!(said.as_slice(), [("W023", text)] if text.ends_with("at 100000")), "{said:?}");
        assert_eq!(problems("", &having("count(*) > 200000 AND count(DISTINCT event_name) > 3")), []);
    }

    #[test]
    fn a_record_that_can_join_itself_is_warned_of() {
        let warned = |conditions: &str| {
            let text = format!(
                "/*\ntitle = \"t\"\nseverity = \"low\"\nabout = \"a\"\n*/\nSELECT a.principal FROM cloudtrail a JOIN cloudtrail b \
                 ON a.principal = b.principal AND b.event_time <= a.event_time + INTERVAL '1 hour' AND {conditions}"
            );
            let (detector, said) = compile(&Planner::new(&Stream::built_ins()), "d", "d", &text);
            assert!(detector.is_some(), "{said:?}");
            let joined = said.iter().filter(|said| said.code == codes::JOINS_ITSELF);
            joined.map(|said| (said.code, text[said.span.clone()].to_owned())).collect::<Vec<_>>()
        };
        let both = "b.event_time >= a.event_time";
        assert_eq!(warned(both), [("W044", "JOIN".to_owned())]);
        assert_eq!(warned(&format!("{both} AND a.event_name IN ('x', 'y') AND b.event_name = 'y'")).len(), 1);
        assert_eq!(warned(&format!("{both} AND a.event_name IN ('x', 'y') AND b.event_name = 'z'")), []);
        assert_eq!(warned(&format!("{both} AND b.event_id <> a.event_id")), []);
        assert_eq!(warned("b.event_time > a.event_time"), []);
    }
}
