//! `rules list`: what detectors there are.

use serde_json::json;
use watchfire_engine::detect::Detector;
use watchfire_engine::detect::plan::{Operator, Sequence, SequenceKind};
use watchfire_engine::finding::escape;

use crate::arguments::RulePaths;
use crate::failure::Failure;
use crate::rules::Rules;
use crate::screen::table::Table;
use crate::screen::{Screen, clip, paint};
use crate::settings::Settings;

/// Prints a table of the detectors.
///
/// # Errors
/// [`Failure::Rule`] if one is wrong.
pub fn run(options: &RulePaths, settings: &Settings, screen: &Screen) -> Result<(), Failure> {
    let paths = if options.paths.is_empty() { &settings.rules } else { &options.paths };
    let rules = Rules::load(paths, &settings.streams, &settings.read_tables()?);
    let errors = rules.say_errors(screen);
    let text = if options.json {
        rules.detectors.iter().map(|detector| format!("{}\n", as_json(detector))).collect()
    } else {
        as_table(&rules.detectors, screen)
    };
    screen.print(&text)?;
    if errors > 0 { Err(Failure::Rule) } else { Ok(()) }
}

fn as_json(detector: &Detector) -> serde_json::Value {
    let info = &detector.info;
    json!({
        "name": info.name, "version": info.version, "severity": info.severity, "stream": info.stream,
        "operator": operator(detector), "attack": info.attack, "title": info.title, "about": info.about,
    })
}

/// The operator's name as the manual has it.
pub fn operator(detector: &Detector) -> &'static str {
    match &detector.plan.operator {
        Operator::Match if detector.plan.inputs.len() > 1 => "union",
        Operator::Match if !detector.plan.inputs[0].look_ups.is_empty() => "look-up",
        Operator::Match => "match",
        Operator::Sequence(Sequence { kind: SequenceKind::Absent, .. }) => "absence",
        Operator::Sequence(_) => "sequence",
        Operator::OverRange { .. } => "over range",
        Operator::OverWindows { .. } => "over windows",
        Operator::Window { .. } => "window",
    }
}

fn as_table(detectors: &[Detector], screen: &Screen) -> String {
    let mut wide = Table::default();
    let mut narrow = Table::default();
    for detector in detectors {
        let info = &detector.info;
        let first = [info.name.clone(), info.severity.name().into(), info.stream.clone(), operator(detector).into()];
        let [name, severity, stream, operator] = first.clone();
        wide.row([name, severity, stream, operator, info.attack.join(" "), escape(&info.title).into_owned()]);
        narrow.row(first);
    }
    if wide.width() <= screen.width() {
        return wide.lines();
    }
    // On a narrow screen what it is about goes below it.
    let mut text = String::new();
    for (line, detector) in narrow.lines().lines().zip(detectors) {
        let info = &detector.info;
        let below =
            clip(&format!("{}  {}", escape(&info.title), info.attack.join(" ")), screen.width().saturating_sub(4));
        text += &format!("{line}\n    {}\n", paint(screen.colour(), "2", &below));
    }
    text
}
