//! From a file's text to its header and the syntax tree of its one SELECT.

use std::ops::Range;
use std::sync::Arc;

use datafusion_sql::sqlparser::ast::{Query, Statement};
use datafusion_sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion_sql::sqlparser::parser::{Parser, ParserError};
use datafusion_sql::sqlparser::tokenizer::Token;
use watchfire_record::limits;

use super::codes;
use super::diagnostic::Diagnostic;
use super::header::{self, Header};
use super::source::{Lexeme, Source};
use super::{depth, file, foreign, syntax};

/// How deeply SQL may be nested.
const NESTING: usize = 64;
/// How many operators may stand between two commas or parentheses: the syntax tree is as deep as such a chain is long.
const CHAIN: usize = 600;
/// How many parentheses may stand within one another: near its own limit the parser tries each in several ways, and twice
/// as many for each more.
const PARENTHESES: usize = 24;
/// How many calls may stand within one another, for the same reason.
const CALLS: usize = 10;
/// What a CASE counts in such a chain: past the parser's own limit it takes CASE for a column's name.
const CASE: usize = 20;

/// A detector's file, read.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// The detector's name, from the file's.
    pub name: String,
    /// What its author says of it.
    pub header: Header,
    /// The SELECT.
    pub query: Box<Query>,
    /// The byte of the file at which the SQL starts.
    pub sql_start: usize,
    /// The whole file.
    pub text: Arc<str>,
    /// The file as the user named it.
    pub file: String,
    /// The SQL's tokens.
    pub(super) source: Source,
}

impl Parsed {
    /// An error at a place of the file.
    pub(super) fn error(&self, code: &'static str, span: Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, &self.file, &self.text, span, message)
    }

    /// The bytes of the SQL's first token.
    pub(super) fn first_token(&self) -> Range<usize> {
        self.source.lexemes.first().map_or(self.sql_start..self.sql_start, |lexeme| lexeme.range.clone())
    }
}

/// Reads a detector's file; `file` is how the user named it.
///
/// # Errors
/// If the header or the SQL cannot be read: all that is wrong in the header, and the first thing in the SQL.
pub fn parse(file: &str, text: &str) -> Result<Parsed, Vec<Diagnostic>> {
    if let Some(error) = file::unusable(file, text.as_bytes()) {
        return Err(vec![error]);
    }
    let text: Arc<str> = Arc::from(text);
    let (header, sql_start) = header::read(file, &text);
    let query = sql_start.map(|start| Sql { file, text: &text, start }.read());
    match (header, query, sql_start) {
        (Ok(header), Some(Ok((source, query))), Some(sql_start)) => {
            let name = file::name_of(std::path::Path::new(file));
            Ok(Parsed { name, header, query, sql_start, text, file: file.to_owned(), source })
        }
        (header, query, _) => {
            let mut errors = header.err().unwrap_or_default();
            errors.extend(query.and_then(Result::err).map(|error| *error));
            errors.sort_by_key(|error| error.span.start);
            Err(errors)
        }
    }
}

/// The SQL of a file.
#[derive(Clone, Copy)]
pub(super) struct Sql<'a> {
    pub file: &'a str,
    pub text: &'a Arc<str>,
    pub start: usize,
}

impl Sql<'_> {
    pub fn error(&self, code: &'static str, span: Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, self.file, self.text, span, message)
    }

    fn read(self) -> Result<(Source, Box<Query>), Box<Diagnostic>> {
        let (source, tokens) = Source::read(self.text, self.start)
            .map_err(|(message, at)| Box::new(syntax::token_error(&self, &message, at)))?;
        self.one_select(&source)?;
        foreign::refuse(&self, &source)?;
        self.chains(&source)?;
        let mut parser =
            Parser::new(&PostgreSqlDialect {}).with_recursion_limit(NESTING).with_tokens_with_locations(tokens);
        let statements = match parser.parse_statements() {
            Ok(statements) => statements,
            Err(ParserError::RecursionLimitExceeded) => {
                let error = self.error(codes::TOO_DEEP, first(&source, self.start), "the SQL is nested too deeply");
                let help = format!("nest parentheses and sub-queries at most about {} levels", NESTING / 2);
                return Err(error.help(help).into());
            }
            Err(ParserError::ParserError(message) | ParserError::TokenizerError(message)) => {
                return Err(syntax::parser_error(&self, &source, &message).into());
            }
        };
        let next = parser.peek_token();
        if next.token != Token::EOF {
            // The parser ends at a stray END, and would pass over what follows.
            let message = format!("Expected: end of statement, found: {}{}", next.token, next.span.start);
            return Err(syntax::parser_error(&self, &source, &message).into());
        }
        match <[Statement; 1]>::try_from(statements) {
            Ok([Statement::Query(query)]) => match depth::too_deep(&query) {
                None => Ok((source, query)),
                Some((message, help)) => {
                    Err(self.error(codes::TOO_DEEP, first(&source, self.start), message).help(help).into())
                }
            },
            _ => Err(self.not_select(first(&source, self.start), "this statement").into()),
        }
    }

    /// Refuses what starts like another statement, or is more than one.
    fn one_select(&self, source: &Source) -> Result<(), Box<Diagnostic>> {
        let Some(first) = source.lexemes.first() else {
            let end = self.text.trim_end().len();
            let error = self.error(codes::NOT_ONE_SELECT, end..end, "there is no SQL after the header");
            return Err(error.help("write one SELECT after the header; each row it returns is a finding").into());
        };
        if let Token::Word(word) = &first.token
            && OTHER_STATEMENTS.iter().any(|other| word.value.eq_ignore_ascii_case(other))
        {
            return Err(self.not_select(first.range.clone(), &format!("`{}`", word.value.to_uppercase())).into());
        }
        let semicolon = source.lexemes.iter().position(|lexeme| lexeme.token == Token::SemiColon);
        let second = semicolon.and_then(|at| source.lexemes[at..].iter().find(|l| l.token != Token::SemiColon));
        match second {
            Some(second) => {
                let error = self.error(
                    codes::NOT_ONE_SELECT,
                    second.range.clone(),
                    "a detector is one SELECT, and here a second statement starts",
                );
                Err(error.label("second statement").help("give each SELECT a file of its own").into())
            }
            None => Ok(()),
        }
    }

    fn not_select(&self, span: Range<usize>, what: &str) -> Diagnostic {
        let error = self.error(codes::NOT_ONE_SELECT, span, format!("a detector only reads: {what} is no SELECT"));
        error.label("not a SELECT").help("write one SELECT; each row it returns is a finding")
    }

    /// Refuses chains of operators so long, and parentheses so deep, that the syntax tree would be too deep to walk.
    fn chains(&self, source: &Source) -> Result<(), Box<Diagnostic>> {
        let mut levels = vec![Level::default()];
        let mut before = None;
        for lexeme in &source.lexemes {
            let calls = before.replace(lexeme).is_some_and(is_name);
            match lexeme.token {
                Token::LParen | Token::LBracket => {
                    let calls = levels.last().map_or(0, |level| level.calls) + usize::from(calls);
                    levels.push(Level { calls, ..Level::default() });
                }
                Token::RParen | Token::RBracket if levels.len() > 1 => {
                    let inner = levels.pop().map_or(0, |level| level.height());
                    levels.iter_mut().last().into_iter().for_each(|level| level.tallest = level.tallest.max(inner));
                }
                Token::Comma => levels.iter_mut().last().into_iter().for_each(Level::next_element),
                _ => levels.iter_mut().last().into_iter().for_each(|level| level.operators += weight(lexeme)),
            }
            let (message, help) = if levels.len() > PARENTHESES + 1 {
                (
                    format!("more than {PARENTHESES} parentheses stand within one another"),
                    "leave out those that change nothing; name a sub-query in a WITH; or split the detector",
                )
            } else if levels.last().is_some_and(|level| level.calls > CALLS) {
                (
                    format!("more than {CALLS} calls of functions stand within one another"),
                    "name an inner one in a sub-query or WITH, or split the detector",
                )
            } else if levels.last().is_some_and(|level| level.height() > CHAIN) {
                (
                    format!("more than {CHAIN} operators follow one another, or CASEs are nested too deeply"),
                    "write a list, x IN ('a', 'b', …), or a regular expression, x ~ 'a|b', or split the detector",
                )
            } else {
                continue;
            };
            return Err(self.error(codes::TOO_DEEP, lexeme.range.clone(), message).help(help).into());
        }
        Ok(())
    }
}

/// How high the syntax tree may grow between two parentheses.
#[derive(Default)]
struct Level {
    /// Operators since the last comma.
    operators: usize,
    /// The height of the tallest thing in parentheses, or before the last comma.
    tallest: usize,
    /// How many calls it is within.
    calls: usize,
}

impl Level {
    fn height(&self) -> usize {
        self.operators + self.tallest
    }

    fn next_element(&mut self) {
        self.tallest = self.tallest.max(self.operators);
        self.operators = 0;
    }
}

const OTHER_STATEMENTS: [&str; 36] = [
    "INSERT",
    "UPDATE",
    "DELETE",
    "MERGE",
    "CREATE",
    "DROP",
    "ALTER",
    "TRUNCATE",
    "COPY",
    "SET",
    "RESET",
    "SHOW",
    "EXPLAIN",
    "DESCRIBE",
    "ANALYZE",
    "GRANT",
    "REVOKE",
    "BEGIN",
    "START",
    "COMMIT",
    "ROLLBACK",
    "CALL",
    "EXECUTE",
    "PREPARE",
    "DEALLOCATE",
    "DECLARE",
    "USE",
    "VACUUM",
    "LISTEN",
    "NOTIFY",
    "LOCK",
    "COMMENT",
    "REFRESH",
    "VALUES",
    "TABLE",
    "REPLACE",
];

/// Words that put one expression on top of another.
const OPERATOR_WORDS: [&str; 18] = [
    "AT",
    "NOT",
    "AND",
    "OR",
    "XOR",
    "IS",
    "ISNULL",
    "NOTNULL",
    "LIKE",
    "ILIKE",
    "IN",
    "BETWEEN",
    "SIMILAR",
    "COLLATE",
    "OVERLAPS",
    "UNION",
    "EXCEPT",
    "INTERSECT",
];

/// Whether a parenthesis after this opens the arguments of a function.
fn is_name(lexeme: &Lexeme) -> bool {
    const OTHERS: [&str; 12] =
        ["SELECT", "FROM", "WHERE", "AS", "OVER", "FILTER", "BY", "HAVING", "QUALIFY", "ON", "EXISTS", "WHEN"];
    let is_one_of = |words: &[&str]| words.iter().any(|word| lexeme.is_word(word));
    matches!(lexeme.token, Token::Word(_)) && !is_one_of(&OPERATOR_WORDS) && !is_one_of(&OTHERS)
}

/// How much higher a token makes the syntax tree at most.
fn weight(lexeme: &Lexeme) -> usize {
    match &lexeme.token {
        Token::Word(_) if lexeme.is_word("CASE") => CASE,
        Token::Word(_) => usize::from(OPERATOR_WORDS.iter().any(|word| lexeme.is_word(word))),
        Token::Number(..) | Token::SingleQuotedString(_) | Token::Period | Token::SemiColon => 0,
        _ => 1,
    }
}

fn first(source: &Source, start: usize) -> Range<usize> {
    source.lexemes.first().map_or(start..start, |lexeme| lexeme.range.clone())
}

/// Refuses a file that is too large before it is looked at.
pub(super) fn too_large(length: usize) -> bool {
    length > limits::RULE_BYTES
}
