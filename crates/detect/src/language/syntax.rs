//! The parser's messages as words that a person can act on.

use datafusion_sql::sqlparser::tokenizer::{Location, Span, Token};

use super::codes;
use super::diagnostic::Diagnostic;
use super::parse::Sql;
use super::source::Source;

/// A text that cannot be cut into tokens.
pub(super) fn token_error(sql: &Sql<'_>, message: &str, at: usize) -> Diagnostic {
    let rest = &sql.text[at..];
    let end = at + rest.chars().next().map_or(0, char::len_utf8);
    let span = at..end;
    let lower = message.to_lowercase();
    let message = lower.split(", at line").next().unwrap_or(&lower);
    let error = sql.error(codes::SYNTAX, span, format!("the SQL cannot be read: {message}"));
    if lower.contains("comment") {
        error.label("no end").help("close the comment with */, or write -- before each of its lines")
    } else if lower.contains("unterminated") || lower.contains("expected close delimiter") {
        error
            .label("opened here, never closed")
            .help("close the quotation mark; a quotation mark in a text is written twice: 'it''s'")
    } else {
        error
    }
}

/// Tokens that make no statement. The parser's message ends with the place.
pub(super) fn parser_error(sql: &Sql<'_>, source: &Source, message: &str) -> Diagnostic {
    let (message, at) = split_location(message);
    let index = at
        .and_then(|at| source.range(Span::new(at, at)))
        .map_or(source.lexemes.len(), |range| source.index(range.start));
    let index = found_index(sql, source, message, index);
    let Some(found) = source.lexemes.get(index) else {
        let end = source.end;
        let expected = expected(message).map_or(String::new(), |expected| format!(": {expected} is missing"));
        let error = sql.error(codes::SYNTAX, end..end, format!("the SQL ends too early{expected}"));
        return error.label("end of the SQL").help("is a parenthesis left open, or a clause not finished?");
    };
    let word = sql.text[found.range.clone()].to_owned();
    let message = match expected(message) {
        Some("end of statement") => format!("`{word}` is not expected here"),
        Some(expected) => format!("{expected} is expected here, not `{word}`"),
        None => format!("the SQL cannot be read at `{word}`: {}", lower_first(message)),
    };
    let error = sql.error(codes::SYNTAX, found.range.clone(), message).label("not expected");
    match advice(source, index) {
        Some(help) => error.help(help),
        None => error,
    }
}

/// The index of the token that was found: the parser sometimes gives the place of the one after it.
fn found_index(sql: &Sql<'_>, source: &Source, message: &str, index: usize) -> usize {
    let is_it = |index: usize| match (message.split_once("found: "), source.lexemes.get(index)) {
        (Some((_, found)), Some(lexeme)) => sql.text[lexeme.range.clone()].eq_ignore_ascii_case(found),
        _ => false,
    };
    match index.checked_sub(1) {
        Some(before) if !is_it(index) && is_it(before) => before,
        _ => index,
    }
}

/// `Expected: X, found: Y` → X, in plain words.
fn expected(message: &str) -> Option<&str> {
    let expected = message.strip_prefix("Expected: ").or_else(|| message.strip_prefix("Expected "));
    let expected = expected.or_else(|| message.strip_prefix("expected "))?.split(", found: ").next()?;
    Some(match expected {
        ")" => "a closing parenthesis",
        "(" => "an opening parenthesis",
        "an expression" | "an expression:" => "an expression",
        "Expected end of statement" => "end of statement",
        "identifier" => "a name",
        "literal string" => "a text in single quotes",
        other => other,
    })
}

fn split_location(message: &str) -> (&str, Option<Location>) {
    let Some((text, place)) = message.rsplit_once(" at Line: ") else { return (message, None) };
    let numbers = place
        .split_once(", Column: ")
        .and_then(|(line, column)| Some((line.parse().ok()?, column.trim().parse().ok()?)));
    (text, numbers.map(|(line, column)| Location::new(line, column)))
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_lowercase().chain(chars).collect())
}

const CLAUSE_ORDER: &str = "clauses come in this order: SELECT, FROM, WHERE, GROUP BY, HAVING, WINDOW, QUALIFY";

/// What people usually mean who write what cannot be read.
fn advice(source: &Source, index: usize) -> Option<&'static str> {
    let found = &source.lexemes[index];
    let before = index.checked_sub(1).map(|before| &source.lexemes[before]);
    if ["SELECT", "FROM", "WHERE", "GROUP", "HAVING", "WINDOW", "QUALIFY"].iter().any(|word| found.is_word(word)) {
        return Some(match before.map(|lexeme| &lexeme.token) {
            Some(Token::Comma) => "take out the comma before it",
            _ => CLAUSE_ORDER,
        });
    }
    match (&found.token, before.map(|lexeme| &lexeme.token)) {
        (Token::Eq, Some(Token::Eq)) => Some("write one = to compare"),
        (Token::RParen, Some(Token::Comma)) => Some("take out the comma before it"),
        (Token::RParen, _) => {
            Some("a parenthesis is closed here that nothing opened, or something is missing before it")
        }
        (
            Token::SingleQuotedString(_) | Token::Number(..),
            Some(Token::SingleQuotedString(_) | Token::Number(..) | Token::Word(_)),
        ) => Some("is a comma or an operator missing before it? A quotation mark in a text is written twice: 'it''s'"),
        (Token::Word(_), Some(Token::Word(_) | Token::RParen | Token::SingleQuotedString(_))) => {
            Some("is a comma, AND, OR or an operator missing before it?")
        }
        (Token::Backslash | Token::LBrace | Token::RBrace, _) => Some("write PostgreSQL's SQL"),
        _ => None,
    }
}
