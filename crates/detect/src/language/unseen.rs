//! Fields that a detector needs and that no record seen has.

use datafusion_sql::sqlparser::tokenizer::Token;
use watchfire_record::Stream;

use super::diagnostic::Diagnostic;
use super::parse::Parsed;
use super::{catalogue, codes};

/// The columns of a stream of which it is known which values they have.
#[must_use]
pub fn columns_with_known_values(stream: &Stream) -> Vec<String> {
    let names = stream.columns.iter().map(|column| column.name.clone());
    names.filter(|name| catalogue::of(stream, name).is_some()).collect()
}

/// A warning that none of so many records has a field, or one of several (`a or b`), that the detector needs.
#[must_use]
pub fn field_not_seen(parsed: &Parsed, fields: &str, records: u64) -> Diagnostic {
    let first = fields.split(" or ").next().unwrap_or(fields);
    // Of a path, its last key tells most.
    let last = first.rsplit("->>").next().unwrap_or(first).trim_matches('\'');
    let names = |token: &Token| match token {
        Token::Word(word) => word.value.eq_ignore_ascii_case(last),
        Token::SingleQuotedString(text) => text == last,
        _ => false,
    };
    let lexeme = parsed.source.lexemes.iter().find(|lexeme| names(&lexeme.token));
    let span = lexeme.map_or_else(|| parsed.first_token(), |lexeme| lexeme.range.clone());
    let message = format!("the detector cannot fire without {fields}, which none of {records} records seen has");
    let warning = parsed.error(codes::NEVER, span, message).warning();
    warning.label("always NULL").help("look at how the records name it; or give records to --seen that have it")
}
