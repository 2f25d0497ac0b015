//! What the planner refuses, as diagnostics of the file.

use std::ops::Range;

use datafusion_sql::sqlparser::tokenizer::Token;
use watchfire_record::limits::DISTINCT_VALUES;

use super::codes;
use super::diagnostic::Diagnostic;
use super::parse::Parsed;

/// What DataFusion starts its messages with.
const PREFIXES: [&str; 9] = [
    "Error during planning: ",
    "Schema error: ",
    "SQL error: ",
    "This feature is not implemented: ",
    "Optimizer rule 'simplify_expressions' failed",
    "type_coercion",
    "caused by",
    "Invalid or Unsupported Configuration: ",
    "Arrow error: ",
];

/// DataFusion's message as a diagnostic, with the caret at the name that it speaks of, else at the SELECT.
#[must_use]
pub fn from_planner_error(parsed: &Parsed, message: &str) -> Diagnostic {
    let names = quoted(message);
    let message = plain(message);
    let span = quoted(&message)
        .into_iter()
        .chain(names)
        .find_map(|name| find(parsed, name))
        .unwrap_or_else(|| parsed.first_token());
    if let Some(name) = message.strip_prefix("No field named ") {
        let name = name.split(". ").next().unwrap_or(name).trim_matches(['\'', '"', '.']);
        let short = name.rsplit('.').next().unwrap_or(name).trim_matches('"');
        let span = find(parsed, short).unwrap_or(span);
        let error = parsed.error(codes::UNKNOWN_COLUMN, span, format!("there is no column `{short}` here"));
        return error.label("unknown").help("name a column of the stream or of the sub-query in FROM; what has no column is reached by path: request ->> 'name'");
    }
    if let Some(rest) = message.strip_prefix("Invalid function '") {
        let name = rest.split('\'').next().unwrap_or(rest);
        let span = find(parsed, name).unwrap_or(span);
        return parsed.error(codes::UNKNOWN_FUNCTION, span, format!("there is no function `{name}`")).label("unknown");
    }
    let error = parsed.error(codes::PLANNER, span, format!("the planner does not accept this: {message}"));
    match advice(&message) {
        Some(help) => error.help(help),
        None => error,
    }
}

/// A query that can be planned and is no form that is run; the caret is at the SELECT.
#[must_use]
pub fn from_form(parsed: &Parsed, message: &str, help: &str) -> Diagnostic {
    parsed.error(codes::FORM, parsed.first_token(), message).help(help)
}

/// A number that a `count(DISTINCT …)` is compared with, and that lies beyond what it counts.
#[must_use]
pub fn from_threshold(parsed: &Parsed, number: f64) -> Diagnostic {
    let is_it = |token: &Token| matches!(token, Token::Number(text, _) if text.parse::<f64>().is_ok_and(|written| written == number));
    let lexeme = parsed.source.lexemes.iter().find(|lexeme| is_it(&lexeme.token));
    let span = lexeme.map_or_else(|| parsed.first_token(), |lexeme| lexeme.range.clone());
    let message = format!("count(DISTINCT …) stays at {DISTINCT_VALUES}: whether there are more is not known");
    parsed
        .error(codes::INEXACT, span, message)
        .label("not told from the limit")
        .help(format!("compare with less: >= {DISTINCT_VALUES} holds from there on; count(*) has no limit"))
}

/// A join that is no sequence that is run; the caret is at the JOIN, or at the EXISTS.
#[must_use]
pub fn from_join(parsed: &Parsed, message: &str, help: &str) -> Diagnostic {
    parsed.error(codes::JOIN_BOUND, join_word(parsed), message).help(help)
}

/// A table that is not looked up as it can be; the caret is at the table's name.
#[must_use]
pub fn from_look_up(parsed: &Parsed, message: &str, help: &str, table: &str) -> Diagnostic {
    let span = find(parsed, table).unwrap_or_else(|| parsed.first_token());
    parsed.error(codes::LOOK_UP, span, message).help(help)
}

/// A warning: a record of this sequence can be both of its sides.
#[must_use]
pub fn joins_itself(parsed: &Parsed) -> Diagnostic {
    let message = "both sides read the same stream at the same time, so a record can be joined with itself";
    let warning = parsed.error(codes::JOINS_ITSELF, join_word(parsed), message).warning();
    warning
        .label("may join a record with itself")
        .help("if that is not meant, add AND a.event_id <> b.event_id, with the sides' names")
}

/// An operator over another one's rows that is not run; the caret is at the last place of the first of these words
/// that there is, and what belongs to it.
#[must_use]
pub fn from_composed(parsed: &Parsed, message: &str, help: &str, at: &[&str]) -> Diagnostic {
    let lexemes = &parsed.source.lexemes;
    let word = at.iter().find_map(|word| lexemes.iter().rposition(|lexeme| lexeme.is_word(word)));
    let span = word.map_or_else(|| parsed.first_token(), |first| lexemes[first].range.start..clause_end(parsed, first));
    parsed.error(codes::COMPOSED, span, message).help(help)
}

/// Where what starts with the token of this index ends: before the next clause, or the parenthesis around it.
fn clause_end(parsed: &Parsed, first: usize) -> usize {
    const NEXT: [&str; 8] = ["ORDER", "RANGE", "HAVING", "WINDOW", "QUALIFY", "WHERE", "UNION", "AS"];
    let (mut depth, mut end) = (0_usize, parsed.source.lexemes[first].range.end);
    for lexeme in &parsed.source.lexemes[first + 1..] {
        match lexeme.token {
            Token::LParen => depth += 1,
            Token::RParen if depth == 0 => break,
            Token::RParen => depth -= 1,
            _ if depth == 0 && NEXT.iter().any(|word| lexeme.is_word(word)) => break,
            _ => {}
        }
        end = lexeme.range.end;
    }
    end
}

fn join_word(parsed: &Parsed) -> Range<usize> {
    let mut lexemes = parsed.source.lexemes.iter();
    let word = lexemes.find(|lexeme| ["JOIN", "EXISTS", "UNION"].iter().any(|word| lexeme.is_word(word)));
    word.map_or_else(|| parsed.first_token(), |lexeme| lexeme.range.clone())
}

fn plain(message: &str) -> String {
    let mut rest = message.trim();
    while let Some(shorter) = PREFIXES.iter().find_map(|prefix| rest.strip_prefix(prefix.trim_end())) {
        rest = shorter.trim_start_matches(['\n', ' ', ':']);
    }
    let first = rest.lines().next().unwrap_or(rest);
    let first = match first.split_once("user-defined coercion failed with") {
        Some((_, reason)) => plain_reason(reason),
        None => first,
    };
    let first = first.split(" Valid fields are ").next().unwrap_or(first);
    first.split(" You might need to add explicit type casts").next().unwrap_or(first).trim_end_matches('.').to_owned()
}

/// What a function of ours says of its arguments, as the planner quotes it.
fn plain_reason(reason: &str) -> &str {
    let reason = reason.split(" No function matches").next().unwrap_or(reason).trim_matches([':', '"', ' ', '.']);
    PREFIXES.iter().find_map(|prefix| reason.strip_prefix(prefix)).unwrap_or(reason)
}

/// What stands between quotation marks in a message.
fn quoted(message: &str) -> Vec<&str> {
    let parts = message.split(['\'', '`', '"']);
    parts
        .skip(1)
        .step_by(2)
        .filter(|part| !part.is_empty())
        .flat_map(|part| [part, part.rsplit('.').next().unwrap_or(part)])
        .collect()
}

/// Where the SQL has a word, in whatever case.
fn find(parsed: &Parsed, name: &str) -> Option<Range<usize>> {
    let lexemes = parsed.source.lexemes.iter();
    let is_it = |token: &Token| matches!(token, Token::Word(word) if word.value.eq_ignore_ascii_case(name));
    lexemes.clone().find(|lexeme| is_it(&lexeme.token)).map(|lexeme| lexeme.range.clone())
}

fn advice(message: &str) -> Option<&'static str> {
    let says = |words: &str| message.contains(words);
    if says("must appear in the GROUP BY clause") || says("could not be resolved from available columns") {
        Some("add the column to GROUP BY, or take it out of the SELECT list")
    } else if says("coerce") || says("Cannot infer common argument type") || says("type signature") {
        Some("the types do not fit: cast one side, as in (request ->> 'port')::bigint; what does not fit is NULL")
    } else if says("unique expression names") {
        Some("give one of them another name with AS")
    } else if says("mbiguous") {
        Some("write the table's name and a dot before the column")
    } else {
        None
    }
}
